/**
 * Preferences, such as the language. They are no secrets and may outlive the tab.
 *
 * A browser may forbid storage altogether; then nothing is remembered.
 */
export const store = {
  read(key: string): string | null {
    try {
      return globalThis.localStorage?.getItem(key) ?? null;
    } catch {
      return null;
    }
  },
  write(key: string, value: string): void {
    try {
      globalThis.localStorage?.setItem(key, value);
    } catch {
      // It holds until the tab is closed.
    }
  },
};
