import type { Manifest } from '../api/types';
import type { Status } from './engine';
import type { Access } from './stream';

/** What the page tells the worker that draws. */
export type Command =
  | { type: 'open'; canvas: OffscreenCanvas; recording: string; access: Access }
  /** It was said anew why the recording is viewed. */
  | { type: 'access'; access: Access }
  | { type: 'manifest'; manifest: Manifest }
  | { type: 'live' }
  | { type: 'play' }
  | { type: 'pause' }
  | { type: 'seek'; t: number }
  | { type: 'step'; by: 1 | -1 }
  | { type: 'speed'; speed: number }
  | { type: 'skipIdle'; on: boolean }
  | { type: 'retry' };

/** The shape of the pointer as it travels to the page. */
export interface PointerShape {
  hotX: number;
  hotY: number;
  w: number;
  h: number;
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** What the worker tells the page. */
export type Told =
  | { type: 'status'; status: Status }
  | { type: 'size'; width: number; height: number }
  | { type: 'pointer'; position: { x: number; y: number } | null }
  | { type: 'shape'; shape: PointerShape | null }
  /** `offset` is what the gateway's clock is ahead of ours, and `opened` when it began to answer, by its clock. */
  | { type: 'live'; t: number; offset: number; opened: number }
  /** The answer with the running session's pictures has ended. */
  | { type: 'liveEnd' }
  | { type: 'failure'; status: number; kind: string; detail: string; retryAfter?: number };
