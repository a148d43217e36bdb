import { Buffer, find, KIND } from './messages';

/** What most chunks need less than, in bytes: the writer's 24 MiB, the key frame, and what changed last. */
const ROOM = 40 * 1024 * 1024;

/** One chunk of a view, as much of it as has come. It begins with a key frame. */
export class Chunk {
  readonly buffer = new Buffer(ROOM);
  /** When each frame is shown, in milliseconds, and where the bytes end that make it. */
  readonly times: number[] = [];
  readonly ends: number[] = [];
  complete = false;
  #scanned = 0;
  /** The time of the last message that is there. */
  #latest = -1;

  constructor(readonly number: number) {}

  push(piece: Uint8Array): void {
    this.buffer.push(piece);
    for (;;) {
      const found = find(this.buffer.view, this.#scanned, this.buffer.length);
      if (!found) return;
      this.#latest = found.t;
      this.#scanned = found.end;
      if (found.kind === KIND.frame) {
        this.times.push(found.t);
        this.ends.push(found.end);
      }
    }
  }

  finish(): void {
    this.complete = true;
    this.buffer.seal();
  }

  /** The last frame up to a time; the first if that comes later, and -1 if there is none yet. */
  frameAt(t: number): number {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.times[middle] ?? Infinity) <= t) low = middle + 1;
      else high = middle;
    }
    return low === 0 && this.times.length > 0 ? 0 : low - 1;
  }

  /** Whether every frame up to a time is there. */
  knows(t: number): boolean {
    return this.complete || (this.times.length > 0 && this.#latest > t);
  }
}
