import type { RecordedEvent } from '../api/types';
import { size } from '../format';
import { known } from '../i18n';

/** What an event is called. A kind that is not known here is shown as it is. */
export function title(event: RecordedEvent): string {
  return known(`event.${event.kind}`) ?? event.kind;
}

/** What happened, in a few words. */
export function summary({ kind, detail }: RecordedEvent): string {
  const text = (name: string): string => {
    const value = detail[name];
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
  };
  const bytes = typeof detail['bytes'] === 'number' ? size(detail['bytes']) : '';
  const joined = (...parts: string[]): string => parts.filter(Boolean).join(' · ');
  switch (kind) {
    case 'clipboard.transferred':
      return joined(text('text'), text('format'), bytes);
    case 'file.transferred':
      return joined(text('name'), bytes);
    case 'desktop.resized':
      return `${text('width')} × ${text('height')}`;
    case 'desktop.renamed':
      return text('name');
    case 'permission.denied':
      return joined(text('action'), Number(detail['count']) > 1 ? `× ${text('count')}` : '');
    case 'channel.opened':
    case 'channel.refused':
      return text('channel');
    case 'session.redirected':
      return text('to');
    default: {
      const values = Object.values(detail).filter((value) => ['string', 'number'].includes(typeof value));
      return joined(...values.slice(0, 3).map(String));
    }
  }
}

/** How serious it is: what was refused stands out. */
export function mood({ kind }: RecordedEvent): 'bad' | 'fair' | 'plain' {
  if (/denied|refused|failed|redirected/.test(kind)) return 'bad';
  return /clipboard|file|blackout|permission/.test(kind) ? 'fair' : 'plain';
}

/** The index of the last event up to a time; -1 before the first. Events are in the order of time. */
export function eventAt(events: readonly RecordedEvent[], t: number): number {
  let found = -1;
  for (let index = 0; index < events.length && (events[index]?.t_ms ?? Infinity) <= t; index += 1) found = index;
  return found;
}
