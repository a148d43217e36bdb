import { store } from './store';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const PREFERENCE = 'passerelle.theme';

export function theme(): Theme {
  const chosen = store.read(PREFERENCE);
  return THEMES.find((theme) => theme === chosen) ?? 'auto';
}

/** Shows the application light, dark or as the system is. */
export function wear(theme: Theme): void {
  store.write(PREFERENCE, theme);
  show(theme);
}

export function show(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
