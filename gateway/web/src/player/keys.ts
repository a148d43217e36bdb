/** What the keyboard can do with a player. */
export type Action =
  | { do: 'toggle' }
  | { do: 'skip'; by: number }
  | { do: 'step'; by: 1 | -1 }
  | { do: 'speed'; by: 1 | -1 }
  | { do: 'to'; part: number }
  | { do: 'event'; by: 1 | -1 }
  | { do: 'fullscreen' | 'skipIdle' | 'overlay' | 'help' };

export const SPEEDS = [0.5, 1, 2, 4, 8, 16] as const;

/** The next slower or faster speed. */
export function faster(speed: number, by: 1 | -1): number {
  const index = SPEEDS.findIndex((known) => known === speed);
  return SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, index + by))] ?? 1;
}

interface Press {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** What a key does, if anything. `onButton`: the focus is on something that space and enter press. */
export function action(press: Press, onButton: boolean): Action | null {
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  const { key } = press;
  if (/^[0-9]$/.test(key)) return { do: 'to', part: Number(key) / 10 };
  switch (key) {
    case ' ':
      return onButton ? null : { do: 'toggle' };
    case 'k':
      return { do: 'toggle' };
    case 'ArrowLeft':
      return { do: 'skip', by: press.shiftKey ? -60_000 : -5_000 };
    case 'ArrowRight':
      return { do: 'skip', by: press.shiftKey ? 60_000 : 5_000 };
    case ',':
      return { do: 'step', by: -1 };
    case '.':
      return { do: 'step', by: 1 };
    case '+':
    case '=':
      return { do: 'speed', by: 1 };
    case '-':
      return { do: 'speed', by: -1 };
    case 'Home':
      return { do: 'to', part: 0 };
    case 'End':
      return { do: 'to', part: 1 };
    case 'n':
      return { do: 'event', by: 1 };
    case 'p':
      return { do: 'event', by: -1 };
    case 'f':
      return { do: 'fullscreen' };
    case 'i':
      return { do: 'skipIdle' };
    case 'o':
      return { do: 'overlay' };
    case '?':
      return { do: 'help' };
    default:
      return null;
  }
}
