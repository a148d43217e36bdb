import { store } from '../store';
import { en, type Key, type Text } from './en';
import { fr } from './fr';

export type { Key } from './en';

/** Every text in one language: the same keys, and two forms where English has two. */
export type Dictionary = {
  readonly [K in Key]: (typeof en)[K] extends string ? string : { readonly one: string; readonly other: string };
};

export const LANGUAGES = ['en', 'fr'] as const;
export type Language = (typeof LANGUAGES)[number];

const DICTIONARIES: Record<Language, Dictionary> = { en, fr };
const PREFERENCE = 'passerelle.language';

/** The language that fits the wishes of the browser best, which come in order of preference. */
export function best(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const primary = wish.toLowerCase().split('-')[0];
    const known = LANGUAGES.find((language) => language === primary);
    if (known) return known;
  }
  return 'en';
}

function initial(): Language {
  const chosen = store.read(PREFERENCE);
  return LANGUAGES.find((language) => language === chosen) ?? best(globalThis.navigator?.languages ?? []);
}

let current: Language = initial();

export const language = (): Language => current;

/** Changes the language; whoever shows texts has to show them again. */
export function speak(language: Language): void {
  current = language;
  store.write(PREFERENCE, language);
}

type Parameters = Readonly<Record<string, string | number>>;

/** The text for a key, with its `{parameters}` filled in; `count` decides between singular and plural. */
export function t(key: Key, parameters: Parameters = {}): string {
  return fill(DICTIONARIES[current][key], parameters, current);
}

export function fill(text: Text, parameters: Parameters, language: Language): string {
  let pattern: string;
  if (typeof text === 'string') {
    pattern = text;
  } else {
    const rule = new Intl.PluralRules(language).select(Number(parameters['count'] ?? 0));
    pattern = rule === 'one' ? text.one : text.other;
  }
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = parameters[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? value.toLocaleString(language) : value;
  });
}

/** The text for a key that is put together, or nothing if there is none: not every event's kind is known here. */
export function known(key: string, parameters: Parameters = {}): string | undefined {
  return key in DICTIONARIES[current] ? t(key as Key, parameters) : undefined;
}
