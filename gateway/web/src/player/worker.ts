/** Loads, decompresses and draws, away from the page, which stays responsive whatever a recording holds. */

import { Problem } from '../api/problem';
import { Engine, type Status } from './engine';
import { clockOffset, follow } from './live';
import { Picture, type Pixels } from './picture';
import type { Command, Told } from './protocol';
import { type Access, read } from './stream';

/** The part of a worker's scope that is used here; TypeScript knows it either with pages or with workers. */
interface Scope {
  postMessage(message: Told): void;
  onmessage: ((event: MessageEvent<Command>) => void) | null;
  requestAnimationFrame?(callback: (now: number) => void): number;
}

const scope = self as unknown as Scope;
const tell = (message: Told): void => scope.postMessage(message);

/** The most often that the page is told of the time while it plays, in milliseconds. */
const TOLD = 40;

function frame(): Promise<number> {
  return new Promise((resolve) => {
    if (scope.requestAnimationFrame) scope.requestAnimationFrame(() => resolve(performance.now()));
    else setTimeout(() => resolve(performance.now()), 16);
  });
}

const channel = new MessageChannel();
let heard: (() => void)[] = [];
channel.port1.onmessage = () => {
  const resolve = heard;
  heard = [];
  for (const each of resolve) each();
};

/** Goes on when the commands that wait have been obeyed. A timer would take its time when it is set again and again. */
function turn(): Promise<number> {
  return new Promise((resolve) => {
    heard.push(() => resolve(performance.now()));
    channel.port2.postMessage(null);
  });
}

async function decodeJpeg(file: Uint8Array<ArrayBuffer>): Promise<Pixels> {
  const bitmap = await createImageBitmap(new Blob([file], { type: 'image/jpeg' }));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas to decode a JPEG on');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function fail(error: unknown): void {
  if (error instanceof Problem) {
    const { status, kind, detail, retryAfter } = error;
    tell({ type: 'failure', status, kind, detail, ...(retryAfter === undefined ? {} : { retryAfter }) });
  } else {
    tell({ type: 'failure', status: -1, kind: '', detail: error instanceof Error ? error.message : String(error) });
  }
}

/** What is drawn, and on what. */
class Screen {
  readonly picture = new Picture(decodeJpeg);
  readonly #context: OffscreenCanvasRenderingContext2D;
  #image: ImageData | null = null;
  #shape = 0;
  #pointer = '';

  constructor(private readonly canvas: OffscreenCanvas) {
    // Pixels come from memory, so a canvas in the graphics card's would be copied to and fro.
    const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    if (!context) throw new Error('no canvas to draw on');
    this.#context = context;
  }

  present(): void {
    const { picture, canvas } = this;
    const { width, height } = picture;
    if (this.#image?.data !== picture.pixels && width > 0 && height > 0) {
      this.#image = new ImageData(picture.pixels, width, height);
      canvas.width = width;
      canvas.height = height;
      tell({ type: 'size', width, height });
    }
    const damage = picture.takeDamage();
    if (damage && this.#image) {
      this.#context.putImageData(this.#image, 0, 0, damage.x, damage.y, damage.w, damage.h);
    }
    if (this.#shape !== picture.shapeVersion) {
      this.#shape = picture.shapeVersion;
      tell({ type: 'shape', shape: picture.shape });
    }
    const pointer = picture.pointer ? `${picture.pointer.x} ${picture.pointer.y}` : '';
    if (this.#pointer !== pointer) {
      this.#pointer = pointer;
      tell({ type: 'pointer', position: picture.pointer });
    }
  }
}

class Player {
  readonly #screen: Screen;
  readonly #engine: Engine;
  readonly #base: string;
  #told = -Infinity;
  #last = '';

  constructor(canvas: OffscreenCanvas, recording: string, public access: Access) {
    this.#base = `/api/v1/recordings/${encodeURIComponent(recording)}`;
    this.#screen = new Screen(canvas);
    const host = {
      frame,
      turn,
      load: (number: number, signal: AbortSignal) => read(`${this.#base}/view/chunks/${number}`, this.access, signal),
      present: () => this.#screen.present(),
      tell: (status: Status) => {
        const { playing, waiting, ended, skips } = status;
        const state = `${playing} ${waiting} ${ended} ${skips}`;
        const now = performance.now();
        if (playing && state === this.#last && now - this.#told < TOLD) return;
        this.#told = now;
        this.#last = state;
        tell({ type: 'status', status });
      },
      fail,
    };
    this.#engine = new Engine(host, this.#screen.picture);
  }

  obey(command: Command): void {
    switch (command.type) {
      case 'access':
        this.access = command.access;
        return this.#engine.retry();
      case 'manifest':
        return this.#engine.open(command.manifest);
      case 'live':
        void this.#watch();
        return;
      case 'play':
        return this.#engine.play();
      case 'pause':
        return this.#engine.pause();
      case 'seek':
        return this.#engine.seek(command.t);
      case 'step':
        return this.#engine.step(command.by);
      case 'speed':
        return this.#engine.setSpeed(command.speed);
      case 'skipIdle':
        return this.#engine.setSkipIdle(command.on);
      case 'retry':
        return this.#engine.retry();
      case 'open':
        return;
    }
  }

  async #watch(): Promise<void> {
    let [offset, opened] = [0, 0];
    const source = read(`${this.#base}/live`, this.access, new AbortController().signal, (response) => {
      offset = clockOffset(response.headers.get('date'), Date.now());
      opened = Date.now() + offset;
    });
    try {
      await follow(source, this.#screen.picture, (t) => {
        this.#screen.present();
        tell({ type: 'live', t, offset, opened });
      });
      tell({ type: 'liveEnd' });
    } catch (error) {
      if (error instanceof Problem) fail(error);
      // The connection broke in the middle of an answer.
      else if (error instanceof TypeError) fail(new Problem(0, '', error.message));
      else fail(error);
    }
  }
}

let player: Player | null = null;

scope.onmessage = ({ data }) => {
  if (data.type === 'open') player = new Player(data.canvas, data.recording, data.access);
  else player?.obey(data);
};
