import { describe, expect, it } from 'vitest';

import type { Manifest } from '../src/api/types';
import { Engine, type Status } from '../src/player/engine';
import { Picture } from '../src/player/picture';
import { chunk } from './bytes';

/** Three chunks of ten seconds with a frame every half second, and nothing to see between 12 and 18 s. */
const CHUNKS = [0, 10_000, 20_000].map((from) => {
  const times = Array.from({ length: 19 }, (_, index) => from + 500 * (index + 1));
  return chunk(from, ...times.filter((t) => t <= 12_000 || t >= 18_000));
});

const MANIFEST: Manifest = {
  format: 1,
  state: 'ready',
  progress: 1,
  duration_ms: 30_000,
  width: 4,
  height: 2,
  chunks: CHUNKS.map((bytes, number) => ({
    number, from_ms: number * 10_000, until_ms: (number + 1) * 10_000, bytes: bytes.length,
  })),
  thumbnails: [],
  activity: { bucket_ms: 1000, values: [] },
  idle: [{ from_ms: 12_000, until_ms: 18_000 }],
  lossy: [],
  blackouts: [],
  skipped: [],
};

/** An engine in a world that stands still unless the test says otherwise. */
class Theatre {
  now = 0;
  statuses: Status[] = [];
  loads: number[] = [];
  failures: unknown[] = [];
  aborted: number[] = [];
  /** What the picture showed, each time that it was drawn. */
  drawn: number[] = [];
  /** What holds the bytes of a chunk back. */
  gates = new Map<number, Promise<void>>();
  broken = new Set<number>();
  readonly picture = new Picture(() => Promise.reject(new Error('no JPEG is expected')));
  readonly engine: Engine;
  #waiting: (() => void) | null = null;

  constructor() {
    const loads = this.loads;
    const moment = () => new Promise<number>((resolve) => {
      this.#waiting = () => resolve(this.now);
    });
    this.engine = new Engine(
      {
        frame: moment,
        turn: moment,
        load: (number, signal) => {
          loads.push(number);
          signal.addEventListener('abort', () => this.aborted.push(number));
          return this.#bytes(number);
        },
        present: () => this.drawn.push(this.seen),
        tell: (status) => this.statuses.push(status),
        fail: (error) => this.failures.push(error),
      },
      this.picture,
    );
  }

  async *#bytes(number: number): AsyncGenerator<Uint8Array> {
    await this.gates.get(number);
    if (this.broken.has(number)) throw new Error('the network is gone');
    const bytes = CHUNKS[number] ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
  }

  /** Lets everything happen that can, as if this much time had passed. */
  async pass(ms = 0): Promise<void> {
    // As often as screens are drawn, or more often than the engine takes for a jump of the clock.
    for (let left = ms; ; left -= 50) {
      this.now += Math.min(50, Math.max(0, left));
      for (let turn = 0; turn < 4; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        const draw = this.#waiting;
        this.#waiting = null;
        draw?.();
      }
      if (left <= 0) return;
    }
  }

  get last(): Status {
    const last = this.statuses.at(-1);
    if (!last) throw new Error('the engine has said nothing');
    return last;
  }

  /** The time that the picture shows, by the shade of its first pixel. */
  get seen(): number {
    return (this.picture.pixels[0] ?? -1) * 100;
  }
}

async function opened(): Promise<Theatre> {
  const theatre = new Theatre();
  theatre.engine.open(MANIFEST);
  await theatre.pass();
  return theatre;
}

describe('the engine', () => {
  it('shows the first picture before it is told to play', async () => {
    const theatre = await opened();
    expect(theatre.last).toMatchObject({ t: 0, playing: false, waiting: false, shown: 0 });
    expect(theatre.seen).toBe(0);
  });

  it.each([0.5, 1, 2, 16])('plays %s times as fast', async (speed) => {
    const theatre = await opened();
    theatre.engine.setSpeed(speed);
    theatre.engine.play();
    await theatre.pass(0);
    await theatre.pass(1000);
    expect(theatre.last.playing).toBe(true);
    expect(Math.abs(theatre.last.t - 1000 * speed)).toBeLessThanOrEqual(60 * speed);
    expect(theatre.seen).toBe(theatre.last.shown);
    expect(theatre.last.t - theatre.last.shown).toBeLessThan(6001);
  });

  it('gives the same picture by seeking as by playing', async () => {
    for (const t of [0, 499, 500, 9_999, 10_000, 11_999, 17_000, 29_500, 3_000, 30_000]) {
      const theatre = await opened();
      theatre.engine.seek(t);
      await theatre.pass();
      const frames = Array.from({ length: 60 }, (_, index) => index * 500).filter((time) => time <= 12_000 || time >= 18_000);
      const expected = frames.filter((time) => time <= t).at(-1);
      expect([t, theatre.last.shown, theatre.seen]).toEqual([t, expected, (((expected ?? 0) / 100) % 250) * 100]);
    }
  });

  it('goes from picture to picture both ways, also from chunk to chunk', async () => {
    const theatre = await opened();
    theatre.engine.seek(9_000);
    await theatre.pass();
    const shown: number[] = [];
    for (const by of [1, 1, 1, -1, -1, -1] as const) {
      theatre.engine.step(by);
      await theatre.pass();
      shown.push(theatre.last.shown);
    }
    expect(shown).toEqual([9_500, 10_000, 10_500, 10_000, 9_500, 9_000]);
    theatre.engine.seek(0);
    theatre.engine.step(-1);
    await theatre.pass();
    expect(theatre.last).toMatchObject({ shown: 0, playing: false });
  });

  it('skips idle time only when asked to', async () => {
    const theatre = await opened();
    for (const [skip, least, most] of [[false, 14_900, 15_200], [true, 17_600, 20_400]] as const) {
      theatre.engine.setSkipIdle(skip);
      theatre.engine.seek(11_900);
      theatre.engine.play();
      await theatre.pass(0);
      await theatre.pass(3_100);
      theatre.engine.pause();
      await theatre.pass();
      expect(theatre.last.t).toBeGreaterThanOrEqual(least);
      expect(theatre.last.t).toBeLessThanOrEqual(most);
    }
    expect(theatre.last.skips).toBe(1);
  });

  it('stops at the end and begins again when told to play', async () => {
    const theatre = await opened();
    theatre.engine.seek(29_800);
    theatre.engine.play();
    await theatre.pass(1000);
    expect(theatre.last).toMatchObject({ t: 30_000, playing: false, ended: true, shown: 29_500 });
    theatre.engine.play();
    await theatre.pass(100);
    expect(theatre.last.playing).toBe(true);
    expect(theatre.last.t).toBeLessThan(1000);
  });

  it('waits for bytes without running ahead', async () => {
    const theatre = await opened();
    let open = () => {};
    theatre.gates.set(2, new Promise((resolve) => {
      open = resolve;
    }));
    theatre.engine.seek(21_000);
    theatre.engine.play();
    await theatre.pass(5_000);
    expect(theatre.last).toMatchObject({ t: 21_000, waiting: true, playing: true });
    open();
    await theatre.pass(500);
    expect(theatre.last.waiting).toBe(false);
    expect(theatre.last.t).toBeGreaterThan(21_000);
    expect(theatre.last.t).toBeLessThan(22_000);
  });

  it('loads the next chunk ahead, and nothing twice', async () => {
    const theatre = await opened();
    theatre.engine.play();
    await theatre.pass();
    expect(theatre.loads).toEqual([0, 1]);
    theatre.engine.seek(29_000);
    await theatre.pass();
    theatre.engine.seek(1_000);
    await theatre.pass();
    expect(theatre.loads).toEqual([0, 1, 2]);
  });

  it('loads nothing ahead that nobody will see soon', async () => {
    const theatre = await opened();
    theatre.engine.seek(9_000);
    await theatre.pass();
    expect(theatre.loads).toEqual([0]);
    // Ten seconds are a minute and more at this speed.
    theatre.engine.seek(0);
    theatre.engine.setSpeed(0.1);
    theatre.engine.play();
    await theatre.pass(1000);
    expect(theatre.loads).toEqual([0]);
    theatre.engine.setSpeed(1);
    await theatre.pass(100);
    expect(theatre.loads).toEqual([0, 1]);
  });

  it('draws once after a seek, and asks for the bytes at once', async () => {
    const theatre = await opened();
    theatre.drawn.length = 0;
    theatre.engine.seek(29_000);
    expect(theatre.loads).toEqual([0, 2]);
    await theatre.pass();
    expect(theatre.last).toMatchObject({ shown: 29_000, waiting: false });
    expect(theatre.drawn).toEqual([(290 % 250) * 100]);
  });

  it('gives up what is no longer wanted, and gets it when it is', async () => {
    const theatre = new Theatre();
    theatre.gates.set(0, new Promise(() => {}));
    theatre.engine.open(MANIFEST);
    await theatre.pass();
    theatre.engine.seek(25_000);
    await theatre.pass();
    expect(theatre.aborted).toEqual([0]);
    expect(theatre.last.shown).toBe(25_000);
    theatre.gates.delete(0);
    theatre.engine.seek(2_000);
    await theatre.pass();
    expect(theatre.last.shown).toBe(2_000);
  });

  it('says what went wrong, once, and goes on when asked to', async () => {
    const theatre = await opened();
    theatre.broken.add(2);
    theatre.engine.seek(25_000);
    theatre.engine.play();
    await theatre.pass(500);
    expect(theatre.failures).toHaveLength(1);
    expect(theatre.last.playing).toBe(false);
    theatre.broken.clear();
    theatre.engine.retry();
    await theatre.pass();
    expect(theatre.last.shown).toBe(25_000);
  });

  it('does not ask again and again for a chunk ahead that does not come', async () => {
    const theatre = new Theatre();
    theatre.broken.add(1);
    theatre.engine.open(MANIFEST);
    theatre.engine.play();
    await theatre.pass(3_000);
    expect(theatre.loads).toEqual([0, 1]);
    expect(theatre.failures).toEqual([]);
  });

  it('waits for what is still being prepared', async () => {
    const theatre = new Theatre();
    const part = { ...MANIFEST, state: 'rendering' as const, chunks: MANIFEST.chunks.slice(0, 1) };
    theatre.engine.open(part);
    theatre.engine.seek(9_900);
    theatre.engine.play();
    await theatre.pass(1_000);
    expect(theatre.last).toMatchObject({ waiting: true, playing: true, ended: false });
    theatre.engine.open(MANIFEST);
    await theatre.pass(1_000);
    expect(theatre.last.waiting).toBe(false);
    expect(theatre.last.shown).toBeGreaterThanOrEqual(10_000);
  });
});
