import { HEADER, KIND } from '../src/player/messages';

/** Numbers of 16 bits as they stand in messages. */
export function numbers(...values: number[]): Uint8Array {
  return new Uint8Array(new Uint16Array(values).buffer);
}

export function join(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function message(t: number, kind: number, ...body: Uint8Array[]): Uint8Array {
  const content = join(...body);
  const head = new DataView(new ArrayBuffer(HEADER));
  head.setUint32(0, content.length, true);
  head.setUint32(4, t, true);
  head.setUint8(8, kind);
  return join(new Uint8Array(head.buffer), content);
}

/** So many pixels of one shade. */
export function pixels(count: number, shade: number): Uint8Array {
  const bytes = new Uint8Array(count * 4).fill(shade);
  for (let index = 3; index < bytes.length; index += 4) bytes[index] = 255;
  return bytes;
}

export const size = (t: number, w: number, h: number) => message(t, KIND.size, numbers(w, h));
export const raw = (t: number, x: number, y: number, w: number, h: number, shade: number) =>
  message(t, KIND.raw, numbers(x, y, w, h), pixels(w * h, shade));
export const frame = (t: number) => message(t, KIND.frame);

/** A chunk of a screen of 4 by 2 pixels: a key frame, and at each time a frame in which the first pixel has that shade. */
export function chunk(from: number, ...times: number[]): Uint8Array {
  const frames = times.map((t) => join(raw(t, 0, 0, 1, 1, (t / 100) % 250), frame(t)));
  return join(size(from, 4, 2), raw(from, 0, 0, 4, 2, (from / 100) % 250), frame(from), ...frames);
}
