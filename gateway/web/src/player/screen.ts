import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import { session } from '../session';
import type { Command, PointerShape, Told } from './protocol';

/** What there is beside the picture itself, which the worker draws. */
export interface ScreenState {
  width: number;
  height: number;
  pointer: { x: number; y: number } | null;
  shape: PointerShape | null;
}

export interface Screen {
  canvas: RefObject<HTMLCanvasElement>;
  state: ScreenState;
  tell(command: Command): void;
}

export const supported = (): boolean =>
  typeof HTMLCanvasElement !== 'undefined' && 'transferControlToOffscreen' in HTMLCanvasElement.prototype;

/** A worker that draws a recording on a canvas, for as long as the component is there. */
export function useScreen(id: string, onTold: (told: Told) => void): Screen {
  const canvas = useRef<HTMLCanvasElement>(null);
  const worker = useRef<Worker | null>(null);
  const listener = useRef(onTold);
  listener.current = onTold;
  const [state, setState] = useState<ScreenState>({ width: 0, height: 0, pointer: null, shape: null });

  // Before what the component tells it.
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const started = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.current = started;
    started.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.type === 'size') setState((before) => ({ ...before, width: data.width, height: data.height }));
      else if (data.type === 'pointer') setState((before) => ({ ...before, pointer: data.position }));
      else if (data.type === 'shape') setState((before) => ({ ...before, shape: data.shape }));
      else listener.current(data);
    };
    const offscreen = element.transferControlToOffscreen();
    const open: Command = { type: 'open', canvas: offscreen, recording: id, access: access(id) };
    started.postMessage(open, [offscreen]);
    return () => started.terminate();
  }, [id]);

  return { canvas, state, tell: (command) => worker.current?.postMessage(command) };
}

/** What the worker has to show to the gateway. */
export function access(id: string): { token: string; viewing: string } {
  return { token: session.login?.token ?? '', viewing: session.pass(id)?.viewing ?? '' };
}
