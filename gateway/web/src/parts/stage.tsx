import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import { t } from '../i18n';
import type { Doing } from '../player/input';
import type { PointerShape } from '../player/protocol';
import type { ScreenState } from '../player/screen';

interface Props {
  canvas: RefObject<HTMLCanvasElement>;
  screen: ScreenState;
  label: string;
  /** What the technician did; nothing if it is not to be shown. */
  doing: Doing | null;
  onClick?: () => void;
  /** What stands over the picture. */
  children?: ComponentChildren;
}

/** The recorded screen, with the pointer over it. */
export function Stage({ canvas, screen, label, doing, onClick, children }: Props) {
  const overlay = useRef<HTMLCanvasElement>(null);
  const cursor = useRef<{ shape: PointerShape; image: HTMLCanvasElement } | null>(null);
  const { width, height, shape } = screen;
  const at = screen.pointer ?? (doing?.pointer ? { x: doing.pointer[1], y: doing.pointer[2] } : null);
  const buttons = doing?.pointer?.[3] ?? 0;

  useEffect(() => {
    const context = overlay.current?.getContext('2d');
    if (!context) return;
    context.clearRect(0, 0, width, height);
    if (!at) return;
    if (doing) ring(context, at, buttons, width);
    if (shape && shape.w > 0 && shape.h > 0) {
      if (cursor.current?.shape !== shape) cursor.current = { shape, image: draw(shape) };
      context.drawImage(cursor.current.image, at.x - shape.hotX, at.y - shape.hotY);
    }
  }, [width, height, at?.x, at?.y, buttons, shape, doing !== null]);

  return (
    <div
      class="stage"
      onClick={(event) => {
        // What stands over the picture has clicks of its own.
        if (!(event.target instanceof Element && event.target.closest('.stage-note'))) onClick?.();
      }}
    >
      <div class="stage-fit">
        <canvas ref={canvas} class="stage-picture" role="img" aria-label={label} data-width={width} data-height={height} />
        <canvas ref={overlay} class="stage-overlay" width={width} height={height} aria-hidden="true" />
      </div>
      {doing && doing.keys.length > 0 && (
        <div class="stage-keys" role="group" aria-label={t('player.keys')}>
          {doing.keys.map(([at, , name], index) => <kbd key={`${at} ${index}`}>{shown(name)}</kbd>)}
        </div>
      )}
      {children}
    </div>
  );
}

function draw(shape: PointerShape): HTMLCanvasElement {
  const image = document.createElement('canvas');
  image.width = shape.w;
  image.height = shape.h;
  image.getContext('2d')?.putImageData(new ImageData(shape.pixels, shape.w, shape.h), 0, 0);
  return image;
}

/** A ring around the pointer, filled while a button is pressed. It is as large on any screen. */
function ring(context: CanvasRenderingContext2D, at: { x: number; y: number }, buttons: number, width: number): void {
  const scale = Math.max(1, width / 960);
  context.beginPath();
  context.arc(at.x, at.y, 13 * scale, 0, 2 * Math.PI);
  context.fillStyle = buttons ? '#ffb000b0' : '#ffb00038';
  context.fill();
  context.lineWidth = 2.5 * scale;
  context.strokeStyle = '#00000099';
  context.stroke();
  context.lineWidth = 1.25 * scale;
  context.strokeStyle = '#ffd166';
  context.stroke();
}

/** A key as it is shown: a space would be invisible, and of some only that they were pressed is kept. */
function shown(name: string | null): string {
  if (name === ' ' || name === 'space') return '␣';
  return name ?? '•';
}
