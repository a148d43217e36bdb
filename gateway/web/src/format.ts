import { language, t } from './i18n';

/** A time within a recording: `1:02:03` or `2:03`, with tenths on request. */
export function clock(ms: number, tenths = false): string {
  const total = Math.max(0, Math.floor(ms / 100));
  const seconds = Math.floor(total / 10);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  const text = shown.map((part, index) => (index ? String(part).padStart(2, '0') : String(part))).join(':');
  return tenths ? `${text}.${total % 10}` : text;
}

/** How long something took, for reading: `2 h 5 min`, `14 min`, `9 s`. */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

/** How long to wait, in words. */
export function wait(seconds: number): string {
  return seconds < 120 ? t('unit.seconds', { count: seconds }) : t('unit.minutes', { count: Math.ceil(seconds / 60) });
}

/** The reader's own variety of the language, such as `en-GB`, which writes dates in its own way. */
export function locale(wishes: readonly string[] = globalThis.navigator?.languages ?? []): string {
  return wishes.find((wish) => wish.toLowerCase().split('-')[0] === language()) ?? language();
}

/** A day and a time of day. */
export function moment(rfc3339: string): string {
  const date = new Date(rfc3339);
  if (Number.isNaN(date.getTime())) return rfc3339;
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(date);
}

/** A size in bytes. */
export function size(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const style = { style: 'unit', unit: units[unit] ?? 'byte', unitDisplay: 'short' } as const;
  return new Intl.NumberFormat(language(), { ...style, maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 }).format(value);
}
