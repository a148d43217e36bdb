import { describe, expect, it } from 'vitest';

import { clock, span } from '../src/format';
import { best, fill, speak, t } from '../src/i18n';
import { en } from '../src/i18n/en';
import { fr } from '../src/i18n/fr';

/** The `{parameters}` of a text, in each of its forms. */
function parameters(text: string | { one: string; other: string }): string[][] {
  const forms = typeof text === 'string' ? [text] : [text.one, text.other];
  return forms.map((form) => [...form.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort());
}

describe('texts', () => {
  it('are there in both languages, with the same parameters', () => {
    expect(Object.keys(fr).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) {
      const other = fr[key as keyof typeof en];
      expect([key, parameters(other)]).toEqual([key, parameters(text)]);
      expect(JSON.stringify(other)).not.toBe('""');
    }
  });

  it('are translated', () => {
    const isSame = ([key, text]: [string, unknown]) => JSON.stringify(fr[key as keyof typeof en]) === JSON.stringify(text);
    const same = Object.entries(en).filter(isSame).map(([key]) => key);
    const words = ['app.name', 'detail.target', 'event.session', 'list.target', 'player.pause', 'unit.minutes'];
    expect(same.sort()).toEqual(words);
  });

  it('count as each language does', () => {
    const pattern = { one: '{count} x', other: '{count} xs' };
    expect([0, 1, 2].map((count) => fill(pattern, { count }, 'en'))).toEqual(['0 xs', '1 x', '2 xs']);
    expect([0, 1, 2].map((count) => fill(pattern, { count }, 'fr'))).toEqual(['0 x', '1 x', '2 xs']);
  });

  it('come in the language that the browser wishes', () => {
    expect(best(['de-DE', 'fr-CA', 'en'])).toBe('fr');
    expect(best(['EN-us'])).toBe('en');
    expect(best(['ja'])).toBe('en');
    speak('fr');
    expect(t('app.signOut')).toBe('Se déconnecter');
    speak('en');
    expect(t('app.signOut')).toBe('Sign out');
  });

  it('tell times', () => {
    expect([0, 59_999, 61_000, 3_723_000].map((ms) => clock(ms))).toEqual(['0:00', '0:59', '1:01', '1:02:03']);
    expect(clock(61_250, true)).toBe('1:01.2');
    expect([9_000, 90_000, 3_600_000, 7_500_000].map(span)).toEqual(['9 s', '2 min', '1 h', '2 h 5 min']);
  });
});
