import { Buffer, find, KIND } from './messages';
import type { Picture } from './picture';

/**
 * Applies the messages of a running session as they come, until the bytes end. `shown` is called for every frame, with
 * its time since the recording's start in milliseconds, when the picture is whole.
 */
export async function follow(
  source: AsyncIterable<Uint8Array>,
  picture: Picture,
  shown: (t: number) => void,
): Promise<void> {
  const buffer = new Buffer();
  for await (const piece of source) {
    buffer.push(piece);
    let offset = 0;
    for (;;) {
      const found = find(buffer.view, offset, buffer.length);
      if (!found) break;
      await picture.apply(found.kind, buffer.bytes, buffer.view, found.start, found.end);
      if (found.kind === KIND.frame) shown(found.t);
      offset = found.end;
    }
    buffer.drop(offset);
  }
}

/**
 * How far the clock of this machine is behind the gateway's, in milliseconds, by the `Date` of an answer that has just
 * come. That tells whole seconds only, so what could be nothing is taken for nothing.
 */
export function clockOffset(date: string | null, now: number): number {
  const second = Date.parse(date ?? '');
  if (Number.isNaN(second) || (now >= second - 500 && now < second + 2000)) return 0;
  return second + 500 - now;
}
