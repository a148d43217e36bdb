import type { Verification } from './api/types';
import { clock } from './format';
import { t } from './i18n';

interface Words {
  title: string;
  detail: string;
}

/**
 * What a verification found, in words. Without its details, and for a verdict that is not known here, the gateway's own
 * sentence stands for them.
 */
export function described({ verdict, message, unproven, detail }: Verification): Words {
  const number = (name: string): number => (typeof detail?.[name] === 'number' ? detail[name] : 0);
  const text = (name: string): string => (typeof detail?.[name] === 'string' ? detail[name] : '');
  const time = clock(number('until_ms'), true);
  const words = ((): Words => {
    switch (verdict) {
      case 'sealed':
        return { title: t('verify.sealed'), detail: t('verify.sealed.detail') };
      case 'interrupted':
        return { title: t('verify.interrupted'), detail: t('verify.interrupted.detail', { time }) };
      case 'intact_up_to':
        if (!detail) return { title: t('verify.intact_up_to.some'), detail: '' };
        return { title: t('verify.intact_up_to', { time }), detail: t('verify.intact_up_to.detail', { time }) };
      case 'tampered': {
        const [first, last, segment] = [number('first_record'), number('last_record'), number('segment')];
        // Segment 0 stands for the files in clear, which have no records.
        const key = segment === 0 ? 'verify.tampered.clear' : first === last ? 'verify.tampered.at' : 'verify.tampered.detail';
        return { title: t('verify.tampered'), detail: t(key, { first, last, segment, what: text('what') }) };
      }
      case 'segment_missing': {
        if (!detail) return { title: t('verify.segment_missing.some'), detail: '' };
        const place = { number: number('number') };
        return { title: t('verify.segment_missing', place), detail: t('verify.segment_missing.detail', place) };
      }
      case 'cut_off':
        return { title: t('verify.cut_off'), detail: t('verify.cut_off.detail') };
      case 'other_root':
        return { title: t('verify.other_root'), detail: t('verify.other_root.detail') };
      case 'other_signer':
        return { title: t('verify.other_signer'), detail: t('verify.other_signer.detail', { signer: text('signer') }) };
      default:
        return { title: message, detail: message };
    }
  })();
  if (!detail) words.detail = message;
  const erased = Array.isArray(detail?.['erased']) ? detail['erased'].filter((name) => typeof name === 'string') : [];
  if (erased.length > 0) words.detail += ` ${t('verify.erased', { classes: erased.join(', ') })}.`;
  if (unproven) {
    words.title = t('verify.unproven', { title: words.title });
    // That it is sealed the title says.
    const rest = verdict === 'sealed' ? '' : ` ${words.detail}`;
    words.detail = t('verify.unproven.detail') + rest;
  }
  return words;
}
