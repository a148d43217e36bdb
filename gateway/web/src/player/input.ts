import { useEffect, useRef, useState } from 'preact/hooks';

import { api } from '../api/client';
import type { Input, KeyEntry, PointerEntry } from '../api/types';

/** So much is asked for at a time, in milliseconds. */
const WINDOW = 60_000;

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

/** What the technician does at `t`; it is asked for part by part, while it is shown. */
export function useInput(id: string, t: number, on: boolean): Doing {
  const parts = useRef(new Map<number, Input | null>());
  const [, loaded] = useState(0);
  const part = Math.floor(t / WINDOW);

  useEffect(() => {
    if (!on) return;
    const stop = new AbortController();
    // The part before holds the keys that still stay, and where the pointer was.
    for (const wanted of [part, part - 1, part + 1]) {
      if (wanted < 0 || parts.current.has(wanted)) continue;
      parts.current.set(wanted, null);
      api.input(id, wanted * WINDOW, (wanted + 1) * WINDOW, stop.signal).then(
        (input) => {
          parts.current.set(wanted, input);
          loaded((count) => count + 1);
        },
        () => {
          // Not stored, or not to be seen by this person. What was given up on is asked for again another time.
          if (stop.signal.aborted) parts.current.delete(wanted);
        },
      );
    }
    return () => stop.abort();
  }, [id, part, on]);

  if (!on) return NOTHING;
  const [before, now] = [parts.current.get(part - 1), parts.current.get(part)];
  if (!now) return before ? doingAt(before, t) : NOTHING;
  const doing = doingAt(now, t);
  if (!before) return doing;
  const earlier = doingAt(before, t);
  return { pointer: doing.pointer ?? earlier.pointer, keys: [...earlier.keys, ...doing.keys].slice(-MOST) };
}
