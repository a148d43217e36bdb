/**
 * The view format, version 1: `len u32 | t_ms u32 | kind u8 | body`, little-endian (recorder/VIEW.md).
 *
 * Bytes come from the network in pieces that end anywhere. Nothing in them is believed: a message that is too long or
 * does not fit its kind is an error, and what reads it stops.
 */
export const HEADER = 9;

/** The largest body of a message, in bytes. */
export const LONGEST = 16 * 1024 * 1024;

export const KIND = { size: 1, raw: 2, jpeg: 3, copy: 4, pointerShape: 5, pointerPosition: 6, frame: 7 } as const;

/** The bytes do not follow the format. */
export class FormatError extends Error {}

/** Where a message lies in some bytes. */
export interface Found {
  t: number;
  kind: number;
  /** The body is from here … */
  start: number;
  /** … up to here, where the next message begins. */
  end: number;
}

/** The message that begins at `offset`, or nothing if not all of it is there yet. */
export function find(view: DataView, offset: number, length: number): Found | null {
  if (length - offset < HEADER) return null;
  const size = view.getUint32(offset, true);
  if (size > LONGEST) throw new FormatError(`a message of ${size} bytes`);
  const start = offset + HEADER;
  if (length - start < size) return null;
  return { t: view.getUint32(offset + 4, true), kind: view.getUint8(offset + 8), start, end: start + size };
}

/** Bytes that grow, with room to spare so that appending costs little. */
export class Buffer {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  length = 0;

  /** With room for so many bytes. What is not written to costs nothing, to move what was written does. */
  constructor(capacity = 0) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  push(piece: Uint8Array): void {
    const needed = this.length + piece.length;
    if (needed > this.bytes.length) this.#resize(Math.max(needed, this.bytes.length * 2, 1 << 16));
    this.bytes.set(piece, this.length);
    this.length = needed;
  }

  /** Forgets the first bytes. */
  drop(count: number): void {
    this.bytes.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** Gives back the room to spare; nothing is appended any more. */
  seal(): void {
    if (this.bytes.length > this.length * 2 + (1 << 20)) this.#resize(this.length);
  }

  #resize(capacity: number): void {
    const bytes = new Uint8Array(capacity);
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
