import { FormatError, KIND } from './messages';

/** The most pixels of a screen, and the longest side: what the gateway's own decoder takes at most. */
const MOST_PIXELS = 1 << 26;
const LONGEST_SIDE = 16384;

export interface Rectangle {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** The shape of the pointer; a width of 0 hides it. */
export interface Shape {
  hotX: number;
  hotY: number;
  w: number;
  h: number;
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** Decodes a JPEG file. */
export type DecodeJpeg = (file: Uint8Array<ArrayBuffer>) => Promise<Pixels>;

/** The screen, to which messages are applied one after the other. */
export class Picture {
  width = 0;
  height = 0;
  /** RGBA, row by row. */
  pixels = new Uint8ClampedArray(0);
  /** What has changed since somebody took it. */
  damage: Rectangle | null = null;
  /** Where the pointer is, if the target says so. */
  pointer: { x: number; y: number } | null = null;
  /** What the pointer looks like; nothing if it is the usual arrow. */
  shape: Shape | null = null;
  /** Changes with the shape. */
  shapeVersion = 0;

  constructor(private readonly decodeJpeg: DecodeJpeg) {}

  /** Nothing of the pointer holds before a key frame. */
  reset(): void {
    this.pointer = null;
    if (this.shape) this.shapeVersion += 1;
    this.shape = null;
  }

  /** What has changed since the last call. */
  takeDamage(): Rectangle | null {
    const damage = this.damage;
    this.damage = null;
    return damage;
  }

  /** Applies a message. A promise comes back where decoding takes a while; the next message must wait for it. */
  apply(kind: number, bytes: Uint8Array<ArrayBuffer>, view: DataView, start: number, end: number): Promise<void> | void {
    const length = end - start;
    const field = (index: number): number => view.getUint16(start + index * 2, true);
    const fields = (count: number): void => {
      if (length < count * 2) throw new FormatError(`a message of kind ${kind} with ${length} bytes`);
    };
    switch (kind) {
      case KIND.size:
        fields(2);
        return this.#resize(field(0), field(1));
      case KIND.raw: {
        fields(4);
        const area = this.#area(field(0), field(1), field(2), field(3));
        if (length !== 8 + area.w * area.h * 4) throw new FormatError('pixels are missing');
        return this.#put(area, bytes.subarray(start + 8, end));
      }
      case KIND.jpeg: {
        fields(4);
        const area = this.#area(field(0), field(1), field(2), field(3));
        return this.decodeJpeg(bytes.subarray(start + 8, end)).then(({ width, height, data }) => {
          if (width !== area.w || height !== area.h) throw new FormatError('a JPEG of another size');
          this.#put(area, data);
        });
      }
      case KIND.copy: {
        fields(6);
        const area = this.#area(field(0), field(1), field(2), field(3));
        return this.#copy(area, this.#area(field(4), field(5), area.w, area.h));
      }
      case KIND.pointerShape: {
        fields(4);
        const [hotX, hotY, w, h] = [field(0), field(1), field(2), field(3)];
        if (length !== 8 + w * h * 4) throw new FormatError('a pointer without pixels');
        this.shape = { hotX, hotY, w, h, pixels: new Uint8ClampedArray(bytes.slice(start + 8, end).buffer) };
        this.shapeVersion += 1;
        return;
      }
      case KIND.pointerPosition:
        fields(2);
        this.pointer = { x: field(0), y: field(1) };
        return;
      default:
        // A frame changes nothing, and what later versions add may be left out.
        return;
    }
  }

  #resize(width: number, height: number): void {
    if (width > LONGEST_SIDE || height > LONGEST_SIDE || width * height > MOST_PIXELS) {
      throw new FormatError(`a screen of ${width} × ${height}`);
    }
    if (width !== this.width || height !== this.height) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint8ClampedArray(width * height * 4);
    } else {
      this.pixels.fill(0);
    }
    this.damage = { x: 0, y: 0, w: width, h: height };
  }

  #area(x: number, y: number, w: number, h: number): Rectangle {
    if (x + w > this.width || y + h > this.height) throw new FormatError('a rectangle outside of the screen');
    return { x, y, w, h };
  }

  #put(area: Rectangle, pixels: Uint8Array | Uint8ClampedArray): void {
    const row = area.w * 4;
    const stride = this.width * 4;
    if (row === stride) {
      this.pixels.set(pixels, area.y * stride);
    } else {
      let to = area.y * stride + area.x * 4;
      for (let from = 0; from < pixels.length; from += row, to += stride) {
        this.pixels.set(pixels.subarray(from, from + row), to);
      }
    }
    this.#damaged(area);
  }

  #copy(to: Rectangle, from: Rectangle): void {
    const stride = this.width * 4;
    // Rows that overlap are read before they are written.
    const down = to.y > from.y;
    for (let index = 0; index < to.h; index += 1) {
      const row = down ? to.h - 1 - index : index;
      const source = (from.y + row) * stride + from.x * 4;
      this.pixels.copyWithin((to.y + row) * stride + to.x * 4, source, source + to.w * 4);
    }
    this.#damaged(to);
  }

  #damaged(area: Rectangle): void {
    if (area.w === 0 || area.h === 0) return;
    const before = this.damage;
    if (!before) {
      this.damage = { ...area };
      return;
    }
    const x = Math.min(before.x, area.x);
    const y = Math.min(before.y, area.y);
    const right = Math.max(before.x + before.w, area.x + area.w);
    const bottom = Math.max(before.y + before.h, area.y + area.h);
    this.damage = { x, y, w: right - x, h: bottom - y };
  }
}
