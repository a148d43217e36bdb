import { describe, expect, it } from 'vitest';

import { Chunk } from '../src/player/chunk';
import { Buffer, find, FormatError, HEADER, KIND } from '../src/player/messages';
import { overdrawn } from '../src/player/overdrawn';
import { Picture } from '../src/player/picture';
import { chunk, frame, join, message, numbers, pixels, raw, size } from './bytes';

const noJpeg = () => Promise.reject(new Error('no JPEG is expected'));

/** A picture to which these messages were applied. */
async function drawn(bytes: Uint8Array, jpeg: ConstructorParameters<typeof Picture>[0] = noJpeg): Promise<Picture> {
  const picture = new Picture(jpeg);
  const buffer = new Buffer();
  buffer.push(bytes);
  let offset = 0;
  for (;;) {
    const found = find(buffer.view, offset, buffer.length);
    if (!found) return picture;
    await picture.apply(found.kind, buffer.bytes, buffer.view, found.start, found.end);
    offset = found.end;
  }
}

/** The first channel of every pixel. */
const shades = (picture: Picture): number[] => Array.from(picture.pixels).filter((_, index) => index % 4 === 0);

describe('messages', () => {
  it('are found wherever the pieces end', () => {
    const bytes = join(size(7, 4, 2), frame(9));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const buffer = new Buffer();
      buffer.push(bytes.subarray(0, cut));
      const first = find(buffer.view, 0, buffer.length);
      expect(first !== null).toBe(cut >= HEADER + 4);
      buffer.push(bytes.subarray(cut));
      expect(find(buffer.view, 0, buffer.length)).toEqual({ t: 7, kind: KIND.size, start: HEADER, end: HEADER + 4 });
      expect(find(buffer.view, HEADER + 4, buffer.length)?.t).toBe(9);
    }
  });

  it('are refused when they are too long', () => {
    const bytes = frame(0);
    new DataView(bytes.buffer).setUint32(0, 0xffffffff, true);
    const buffer = new Buffer();
    buffer.push(bytes);
    expect(() => find(buffer.view, 0, buffer.length)).toThrow(FormatError);
  });
});

describe('a picture', () => {
  it('is black before something is drawn', async () => {
    expect(shades(await drawn(size(0, 2, 2)))).toEqual([0, 0, 0, 0]);
  });

  it('takes rectangles', async () => {
    const picture = await drawn(join(size(0, 4, 2), raw(0, 1, 1, 2, 1, 9)));
    expect(shades(picture)).toEqual([0, 0, 0, 0, 0, 9, 9, 0]);
    expect(picture.takeDamage()).toEqual({ x: 0, y: 0, w: 4, h: 2 });
    expect(picture.takeDamage()).toBeNull();
  });

  it('knows what has changed since it was taken', async () => {
    const picture = await drawn(size(0, 10, 10));
    picture.takeDamage();
    const buffer = new Buffer();
    for (const [x, y] of [[1, 2], [5, 1]] as const) {
      const bytes = raw(0, x, y, 2, 3, 1);
      buffer.length = 0;
      buffer.push(bytes);
      void picture.apply(KIND.raw, buffer.bytes, buffer.view, HEADER, bytes.length);
    }
    expect(picture.takeDamage()).toEqual({ x: 1, y: 1, w: 6, h: 4 });
  });

  it.each([
    ['down', [0, 1, 4, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3]],
    ['up', [0, 0, 4, 2, 0, 1], [2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]],
    ['down over itself', [0, 1, 4, 2, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]],
    ['to the right', [1, 0, 3, 1, 0, 0], [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]],
  ] as const)('copies %s', async (_, fields, expected) => {
    const rows = [0, 1, 2].map((y) => raw(0, 0, y, 4, 1, y + 1));
    const picture = await drawn(join(size(0, 4, 3), ...rows, message(0, KIND.copy, numbers(...fields))));
    expect(shades(picture)).toEqual(expected);
  });

  it('draws JPEG files that are as large as they say', async () => {
    const bytes = join(size(0, 2, 1), message(0, KIND.jpeg, numbers(0, 0, 2, 1), new Uint8Array([1, 2, 3])));
    const jpeg = async (file: Uint8Array) => ({
      width: 2,
      height: 1,
      data: new Uint8ClampedArray(pixels(2, file.length)),
    });
    expect(shades(await drawn(bytes, jpeg))).toEqual([3, 3]);
    const small = async () => ({ width: 1, height: 1, data: new Uint8ClampedArray(4) });
    await expect(drawn(bytes, small)).rejects.toThrow(FormatError);
  });

  it('has a pointer', async () => {
    const shape = message(0, KIND.pointerShape, numbers(1, 0, 2, 1), pixels(2, 7));
    const picture = await drawn(join(size(0, 4, 2), shape, message(0, KIND.pointerPosition, numbers(3, 1))));
    expect(picture.shape).toMatchObject({ hotX: 1, hotY: 0, w: 2, h: 1 });
    expect(picture.pointer).toEqual({ x: 3, y: 1 });
    picture.reset();
    expect(picture.shape).toBeNull();
  });

  it.each([
    ['a rectangle outside', raw(0, 3, 0, 2, 1, 1)],
    ['too few pixels', message(0, KIND.raw, numbers(0, 0, 2, 1), pixels(1, 1))],
    ['too many pixels', message(0, KIND.raw, numbers(0, 0, 1, 1), pixels(2, 1))],
    ['half a size', message(0, KIND.size, numbers(1))],
    ['a screen that is too large', size(0, 65535, 65535)],
    ['a copy from outside', message(0, KIND.copy, numbers(0, 0, 2, 2, 3, 0))],
    ['a pointer without pixels', message(0, KIND.pointerShape, numbers(0, 0, 60000, 60000))],
  ])('refuses %s', async (_, bad) => {
    await expect(drawn(join(size(0, 4, 2), bad))).rejects.toThrow(FormatError);
  });

  it('passes over what it does not know', async () => {
    expect((await drawn(join(size(0, 1, 1), message(0, 99, numbers(1)), raw(0, 0, 0, 1, 1, 5)))).pixels[0]).toBe(5);
  });
});

describe('a chunk', () => {
  const bytes = chunk(1000, 1200, 1500, 1500, 2000);

  it('knows its frames, however it comes', () => {
    for (const step of [1, 7, bytes.length]) {
      const whole = new Chunk(0);
      for (let at = 0; at < bytes.length; at += step) whole.push(bytes.subarray(at, at + step));
      whole.finish();
      expect(whole.times).toEqual([1000, 1200, 1500, 1500, 2000]);
      expect(whole.ends.at(-1)).toBe(bytes.length);
    }
  });

  it('finds the frame of a time', () => {
    const whole = new Chunk(0);
    expect(whole.frameAt(0)).toBe(-1);
    whole.push(bytes);
    const found = [0, 999, 1000, 1199, 1200, 1500, 1999, 9999].map((t) => whole.frameAt(t));
    expect(found).toEqual([0, 0, 0, 0, 1, 3, 3, 4]);
  });

  it('knows a time when something later has come', () => {
    const part = new Chunk(0);
    part.push(bytes.subarray(0, bytes.length - 1));
    expect([part.knows(1400), part.knows(1999), part.knows(2000)]).toEqual([true, true, false]);
    part.push(bytes.subarray(bytes.length - 1));
    part.finish();
    expect(part.knows(5000)).toBe(true);
  });
});

describe('what is drawn over', () => {
  const jpeg = (x: number, y: number, w: number, h: number) => message(0, KIND.jpeg, numbers(x, y, w, h), numbers(0));
  const copy = message(0, KIND.copy, numbers(0, 0, 1, 1, 2, 1));

  it.each([
    ['the same place', [jpeg(1, 0, 2, 2), jpeg(1, 0, 2, 2)], [0]],
    ['more than the place', [raw(0, 1, 0, 2, 1, 9), frame(0), raw(0, 0, 0, 4, 2, 1)], [0]],
    ['less than the place', [jpeg(1, 0, 2, 2), jpeg(1, 0, 2, 1)], []],
    ['another place', [jpeg(0, 0, 2, 2), jpeg(2, 0, 2, 2)], []],
    ['all but the last', [raw(0, 0, 0, 1, 1, 1), raw(0, 0, 0, 1, 1, 2), raw(0, 0, 0, 1, 1, 3)], [0, 1]],
    ['what was copied elsewhere before', [jpeg(0, 0, 4, 2), copy, jpeg(0, 0, 4, 2)], []],
    ['what comes after a copy', [copy, jpeg(0, 0, 1, 1), jpeg(0, 0, 1, 1)], [1]],
  ])('is left out: %s', (_, messages: Uint8Array[], wanted) => {
    const bytes = join(...messages);
    const starts = messages.map((_, index) => join(...messages.slice(0, index)).length + HEADER);
    const hidden = overdrawn(new DataView(bytes.buffer), 0, bytes.length);
    expect([...hidden].map((start) => starts.indexOf(start)).sort()).toEqual(wanted);
  });

  it('is only looked for up to there', () => {
    const bytes = join(jpeg(0, 0, 4, 2), frame(0), jpeg(0, 0, 4, 2));
    expect(overdrawn(new DataView(bytes.buffer), 0, bytes.length - 1).size).toBe(0);
  });
});
