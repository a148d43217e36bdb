import { t } from '../i18n';
import { Problem } from './problem';

/** Why something failed, in a sentence. */
export function explain(error: unknown): string {
  if (!(error instanceof Problem)) return t('error.server', { detail: String(error) });
  if (error.status === 0) return t('error.network');
  if (error.status === 403) return `${t('error.forbidden')} ${t('error.said', { detail: error.detail })}`;
  if (error.status === 404) return t('error.notFound');
  if (error.status === 429) return t('error.rate', { count: error.retryAfter ?? 60 });
  return t('error.server', { detail: error.detail });
}
