import { useEffect, useRef, useState } from 'preact/hooks';

import { api } from '../api/client';
import type { Input, KeyEntry, PointerEntry } from '../api/types';

/** So much is asked for at a time, in milliseconds. */
const WINDOW = 60_000;

/** What is asked for can be long to come, so nothing is asked for until a time has been looked at so long, in milliseconds. */
export const SETTLED = 500;

/** How long a key stays on the screen, in milliseconds. */
const STAYS = 3000;

/** The last keys that are shown. */
const MOST = 14;

/** What the technician did at a time, as far as it was stored. */
export interface Doing {
  pointer: PointerEntry | null;
  /** The keys of the last seconds; null for one of which the policy keeps only that it was pressed. */
  keys: readonly KeyEntry[];
}

const NOTHING: Doing = { pointer: null, keys: [] };

/** What was done at `t`, from what is known of the time around it. Exported for the tests. */
export function doingAt({ pointer, keys }: Input, t: number): Doing {
  let low = 0;
  let high = pointer.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pointer[middle]?.[0] ?? Infinity) <= t) low = middle + 1;
    else high = middle;
  }
  const recent = keys.filter(([at, direction]) => direction === 'down' && at <= t && at > t - STAYS);
  return { pointer: pointer[low - 1] ?? null, keys: recent.slice(-MOST) };
}

/** The parts that are asked for together: those of three that are missing, and what lies between them. */
export function missing(part: number, has: (part: number) => boolean): number[] {
  // The part before holds the keys that still stay, and where the pointer was.
  const wanted = [part - 1, part, part + 1].filter((each) => each >= 0);
  const open = wanted.filter((each) => !has(each));
  return wanted.filter((each) => each >= (open[0] ?? Infinity) && each <= (open.at(-1) ?? -1));
}

/** The part of what was done that lies in these times. */
function within(input: Input, from: number, until: number): Input {
  const inside = ([at]: PointerEntry | KeyEntry) => at >= from && at < until;
  return { pointer: input.pointer.filter(inside), keys: input.keys.filter(inside) };
}

/** What the technician does at `t`; it is asked for part by part, while it is shown, and once the picture is there. */
export function useInput(id: string, t: number, on: boolean, pictured: boolean): Doing {
  const parts = useRef(new Map<number, Input>());
  const [, loaded] = useState(0);
  const part = Math.floor(t / WINDOW);

  useEffect(() => {
    const wanted = missing(part, (each) => parts.current.has(each));
    const first = wanted[0];
    if (!on || !pictured || first === undefined) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      // All at once, for the gateway reads a recording from its beginning.
      api.input(id, first * WINDOW, (first + wanted.length) * WINDOW, stop.signal).then(
        (input) => {
          for (const each of wanted) parts.current.set(each, within(input, each * WINDOW, (each + 1) * WINDOW));
          loaded((count) => count + 1);
        },
        () => {
          // Not stored, or not to be seen by this person. What was given up on is asked for again another time.
          if (!stop.signal.aborted) for (const each of wanted) parts.current.set(each, { pointer: [], keys: [] });
        },
      );
    }, SETTLED);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [id, part, on, pictured]);

  if (!on) return NOTHING;
  const [before, now] = [parts.current.get(part - 1), parts.current.get(part)];
  if (!now) return before ? doingAt(before, t) : NOTHING;
  const doing = doingAt(now, t);
  if (!before) return doing;
  const earlier = doingAt(before, t);
  return { pointer: doing.pointer ?? earlier.pointer, keys: [...earlier.keys, ...doing.keys].slice(-MOST) };
}
