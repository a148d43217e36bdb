import { find, KIND } from './messages';

/** So many rectangles are remembered; others hide nothing. */
const MOST = 32;

interface Edges {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/**
 * Which of the messages between two places in the bytes draw what is drawn over before the second place is reached: where
 * their bodies start. Where nobody sees what is between, they need not be decoded.
 */
export function overdrawn(view: DataView, from: number, to: number): Set<number> {
  const messages = [];
  for (let offset = from; offset < to; ) {
    const found = find(view, offset, to);
    if (!found) break;
    if (found.kind === KIND.size || found.kind === KIND.copy) messages.length = 0;
    if ((found.kind === KIND.raw || found.kind === KIND.jpeg) && found.end - found.start >= 8) messages.push(found);
    offset = found.end;
  }
  const hidden = new Set<number>();
  const later: Edges[] = [];
  for (const { start } of messages.reverse()) {
    const [left, top] = [view.getUint16(start, true), view.getUint16(start + 2, true)];
    const [right, bottom] = [left + view.getUint16(start + 4, true), top + view.getUint16(start + 6, true)];
    const over = later.some((area) => (
      area.left <= left && area.top <= top && area.right >= right && area.bottom >= bottom
    ));
    if (over) hidden.add(start);
    else if (later.length < MOST) later.push({ left, top, right, bottom });
  }
  return hidden;
}
