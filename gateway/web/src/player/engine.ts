import type { Manifest, Span } from '../api/types';
import { Chunk } from './chunk';
import { find } from './messages';
import { overdrawn } from './overdrawn';
import type { Picture } from './picture';

/** What the engine needs of the world, so that tests decide what time it is and what comes from the network. */
export interface Host {
  /** Resolves at the next moment in which drawing makes sense, with the time in milliseconds. */
  frame(): Promise<number>;
  /** Resolves once what was said meanwhile has been heard, with the time in milliseconds. */
  turn(): Promise<number>;
  /** The bytes of a chunk. */
  load(number: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Shows what has changed of the picture. */
  present(picture: Picture): void;
  tell(status: Status): void;
  /** Something went wrong; nothing plays on until it is asked to again. */
  fail(error: unknown): void;
}

export interface Status {
  /** Where it is, in milliseconds. */
  t: number;
  playing: boolean;
  /** It waits for bytes. */
  waiting: boolean;
  /** It has come to the end. */
  ended: boolean;
  /** The time of the frame that is shown, -1 if there is none. */
  shown: number;
  /** How often idle time was skipped. */
  skips: number;
}

/** Decompressed chunks are kept up to so many bytes. */
const KEPT = 256 * 1024 * 1024;

/** The next chunk is loaded so long before it is needed, in milliseconds. Earlier it would only be in the way of a seek. */
const AHEAD = 20_000;

/** What is left of an idle span at its ends, so that one sees where time was skipped; in milliseconds. */
const MARGIN = 400;

/** Between two frames no more time passes than this: a tab in the background does not race ahead. */
const LONGEST_STEP = 250;

/** Plays a view: knows where it is, and sees to it that the picture is that of this time. */
export class Engine {
  #manifest: Manifest | null = null;
  #chunks = new Map<number, Chunk>();
  #loads = new Map<number, AbortController>();
  /** Chunks that did not come; they are asked for again when they are needed, not ahead of that. */
  #failed = new Set<number>();
  #current: Chunk | null = null;
  /** How many frames of the current chunk are in the picture. */
  #applied = 0;
  #position = 0;
  #playing = false;
  #waiting = false;
  #ended = false;
  #speed = 1;
  #skipIdle = false;
  #skips = 0;
  #steps = 0;
  #dirty = false;
  #looping = false;
  #closed = false;
  #shown = -1;

  constructor(
    private readonly host: Host,
    private readonly picture: Picture,
  ) {}

  /** What there is to see. It may grow while it is being prepared. */
  open(manifest: Manifest): void {
    this.#manifest = manifest;
    this.#wake();
  }

  play(): void {
    if (this.#ended) this.#position = 0;
    this.#ended = false;
    this.#playing = true;
    this.#wake();
  }

  pause(): void {
    this.#playing = false;
    this.#wake();
  }

  seek(t: number): void {
    this.#position = Math.min(Math.max(0, t), this.#duration());
    this.#ended = false;
    this.#steps = 0;
    const entry = this.#entryAt(this.#position);
    if (entry) this.#want(entry);
    this.#wake();
  }

  /** Goes to the next picture, or to the one before. */
  step(by: 1 | -1): void {
    this.#playing = false;
    this.#ended = false;
    this.#steps += by;
    this.#wake();
  }

  setSpeed(speed: number): void {
    this.#speed = speed;
  }

  setSkipIdle(skip: boolean): void {
    this.#skipIdle = skip;
  }

  close(): void {
    this.#closed = true;
    for (const load of this.#loads.values()) load.abort();
  }

  /** Tries again after a failure. */
  retry(): void {
    this.#wake();
  }

  #wake(): void {
    this.#dirty = true;
    if (!this.#looping && !this.#closed) void this.#loop();
  }

  async #loop(): Promise<void> {
    this.#looping = true;
    let before: number | null = null;
    try {
      while (!this.#closed && (this.#dirty || (this.#playing && !this.#waiting))) {
        // What plays goes with the screen; what was asked for comes as soon as it can.
        const now = await (this.#playing && !this.#waiting ? this.host.frame() : this.host.turn());
        if (this.#closed) return;
        this.#dirty = false;
        if (this.#playing && !this.#waiting && before !== null) {
          this.#advance(Math.min(Math.max(0, now - before), LONGEST_STEP));
        }
        before = now;
        await this.#show();
        this.host.tell(this.#status());
      }
    } catch (error) {
      this.#playing = false;
      this.host.tell(this.#status());
      this.host.fail(error);
    } finally {
      this.#looping = false;
    }
    // Something may have come while the last picture was drawn.
    if (this.#dirty) this.#wake();
  }

  #status(): Status {
    return {
      t: this.#position,
      playing: this.#playing,
      waiting: this.#waiting,
      ended: this.#ended,
      shown: this.#shown,
      skips: this.#skips,
    };
  }

  #duration(): number {
    return this.#manifest?.duration_ms ?? 0;
  }

  /** Whether more is to come than the manifest has. */
  #growing(): boolean {
    return this.#manifest !== null && !['ready', 'failed'].includes(this.#manifest.state);
  }

  #advance(elapsed: number): void {
    this.#position += elapsed * this.#speed;
    if (this.#skipIdle) {
      const idle = spanAt(this.#manifest?.idle ?? [], this.#position);
      if (idle && this.#position > idle.from_ms + MARGIN && this.#position < idle.until_ms - MARGIN) {
        this.#position = idle.until_ms - MARGIN;
        this.#skips += 1;
      }
    }
    if (this.#position >= this.#duration() && !this.#growing()) {
      this.#position = this.#duration();
      this.#playing = false;
      this.#ended = true;
    }
  }

  /** Makes the picture that of the position, as far as bytes are there. */
  async #show(): Promise<void> {
    const entry = this.#entryAt(this.#position);
    if (!entry) {
      this.#waiting = this.#growing();
      return;
    }
    const chunk = this.#want(entry);
    if (chunk !== this.#current) {
      this.#current = chunk;
      this.#applied = 0;
    }
    if (this.#steps !== 0 && chunk.knows(this.#position)) this.#takeStep(chunk);
    if (this.#current !== chunk) return;
    this.#waiting = !chunk.knows(this.#position) || (this.#steps !== 0 && !chunk.complete);
    // To draw what comes before the picture that is wanted would only delay that.
    if (!chunk.knows(this.#position)) return;
    const frame = chunk.frameAt(this.#position);
    if (frame + 1 < this.#applied) this.#applied = 0;
    await this.#apply(chunk, frame);
    if (frame >= 0 && this.#applied === frame + 1) {
      this.#shown = chunk.times[frame] ?? -1;
      this.host.present(this.picture);
    }
    this.#prefetch(entry, chunk);
  }

  /** Applies the frames up to this one, which are not in the picture yet. */
  async #apply(chunk: Chunk, frame: number): Promise<void> {
    const { buffer, ends } = chunk;
    let offset = this.#applied > 0 ? (ends[this.#applied - 1] ?? 0) : 0;
    if (this.#applied === 0) this.picture.reset();
    const end = frame >= 0 ? (ends[frame] ?? 0) : 0;
    const hidden = overdrawn(buffer.view, offset, end);
    while (offset < end) {
      const found = find(buffer.view, offset, end);
      if (!found) break;
      offset = found.end;
      if (hidden.has(found.start)) continue;
      const pending = this.picture.apply(found.kind, buffer.bytes, buffer.view, found.start, found.end);
      if (pending) {
        // What came meanwhile has moved the bytes, but not changed them.
        await pending;
        if (this.#closed) return;
      }
    }
    if (frame >= 0) this.#applied = frame + 1;
  }

  /** Moves the position by a frame; where the chunk ends, into the next one. */
  #takeStep(chunk: Chunk): void {
    const forward = this.#steps > 0;
    const here = chunk.times[chunk.frameAt(this.#position)] ?? 0;
    const index = forward ? chunk.times.findIndex((time) => time > here) : findLast(chunk.times, here);
    const time = chunk.times[index];
    if (time !== undefined) {
      this.#position = time;
      this.#steps -= forward ? 1 : -1;
      if (this.#steps !== 0) this.#dirty = true;
      return;
    }
    if (forward && !chunk.complete) return;
    const chunks = this.#manifest?.chunks ?? [];
    const place = chunks.findIndex((entry) => entry.number === chunk.number);
    const next = chunks[place + (forward ? 1 : -1)];
    if (!next) {
      this.#steps = 0;
      return;
    }
    // To the first frame of the next chunk, or as far into the one before as it goes.
    this.#position = forward ? next.from_ms : Math.max(next.from_ms, (chunks[place]?.from_ms ?? 0) - 1);
    this.#steps -= forward ? 1 : -1;
    this.#current = null;
    this.#dirty = true;
  }

  #entryAt(t: number): { number: number; index: number } | null {
    const chunks = this.#manifest?.chunks ?? [];
    let index = chunks.findIndex((chunk) => chunk.from_ms > t) - 1;
    if (index === -2) index = chunks.length - 1;
    const chunk = chunks[Math.max(0, index)];
    if (!chunk) return null;
    if (this.#growing() && t >= chunk.until_ms && index === chunks.length - 1) return null;
    return { number: chunk.number, index: Math.max(0, index) };
  }

  /** The chunk, which begins to load if it does not yet; others that are no longer wanted stop. */
  #want({ number, index }: { number: number; index: number }): Chunk {
    const next = this.#manifest?.chunks[index + 1]?.number;
    for (const [other, load] of this.#loads) {
      if (other === number || other === next) continue;
      load.abort();
      this.#loads.delete(other);
      this.#chunks.delete(other);
    }
    const kept = this.#chunks.get(number);
    if (kept) {
      // The last to be dropped.
      this.#chunks.delete(number);
      this.#chunks.set(number, kept);
      return kept;
    }
    return this.#load(number);
  }

  #load(number: number): Chunk {
    const chunk = new Chunk(number);
    const stop = new AbortController();
    this.#chunks.set(number, chunk);
    this.#loads.set(number, stop);
    void (async () => {
      try {
        for await (const piece of this.host.load(number, stop.signal)) {
          if (stop.signal.aborted) return;
          chunk.push(piece);
          if (chunk !== this.#current || !this.#waiting) continue;
          if (chunk.knows(this.#position) || this.#steps !== 0) this.#wake();
        }
        if (stop.signal.aborted) return;
        chunk.finish();
      } catch (error) {
        if (stop.signal.aborted) return;
        this.#failed.add(number);
        this.#chunks.delete(number);
        if (chunk === this.#current) {
          this.#playing = false;
          this.host.tell(this.#status());
          this.host.fail(error);
        }
      }
      this.#loads.delete(number);
      if (!chunk.complete) return;
      this.#failed.delete(number);
      this.#drop();
      if (chunk === this.#current) this.#wake();
    })();
    return chunk;
  }

  /** Has the next chunk ready before it is needed. */
  #prefetch({ index }: { index: number }, chunk: Chunk): void {
    const next = this.#manifest?.chunks[index + 1];
    if (!this.#playing || !next) return;
    // Idle time that is skipped may end anywhere.
    if (!this.#skipIdle && (next.from_ms - this.#position) / this.#speed > AHEAD) return;
    if (!chunk.complete || this.#chunks.has(next.number) || this.#failed.has(next.number)) return;
    this.#load(next.number);
  }

  /** Drops what was used longest ago. */
  #drop(): void {
    let kept = 0;
    for (const [number, chunk] of [...this.#chunks].reverse()) {
      kept += chunk.buffer.length;
      if (kept > KEPT && chunk !== this.#current && chunk.complete) this.#chunks.delete(number);
    }
  }
}

/** The span in which a time lies. */
export function spanAt<S extends Span>(spans: readonly S[], t: number): S | undefined {
  return spans.find((span) => span.from_ms <= t && t < span.until_ms);
}

function findLast(times: readonly number[], before: number): number {
  for (let index = times.length - 1; index >= 0; index -= 1) {
    if ((times[index] ?? Infinity) < before) return index;
  }
  return -1;
}
