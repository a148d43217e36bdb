/** Icons, drawn on a grid of 24; what they mean is said by the text beside them. */
const PATHS = {
  play: 'M7 4.5v15l12-7.5z',
  pause: 'M7 5h3.5v14H7zM13.5 5H17v14h-3.5z',
  replay: 'M4 12a8 8 0 1 0 2.6-5.9M6 2.5v4h4',
  stepBack: 'M18 6v12l-8-6zM6.5 6v12',
  stepForward: 'M6 6v12l8-6zM17.5 6v12',
  fullscreen: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  shrink: 'M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5',
  skip: 'M3 6v12l7-6zM11 6v12l7-6zM21 6v12',
  pointer: 'M5 3l14 7.5-6 1.8-2.6 5.9z',
  help: 'M9 9a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8v.5M12 17.5v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  back: 'M15 5l-7 7 7 7',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.5 4.5',
  shield: 'M12 3l7 2.5v5.8c0 4.3-2.9 7.6-7 9.2-4.1-1.6-7-4.9-7-9.2V5.5z',
  shieldCheck: 'M12 3l7 2.5v5.8c0 4.3-2.9 7.6-7 9.2-4.1-1.6-7-4.9-7-9.2V5.5zM8.7 11.8l2.4 2.4 4.3-4.6',
  shieldAlert: 'M12 3l7 2.5v5.8c0 4.3-2.9 7.6-7 9.2-4.1-1.6-7-4.9-7-9.2V5.5zM12 8v4.5M12 15.5v.01',
  close: 'M6 6l12 12M18 6L6 18',
  eye: 'M2.5 12s3.5-6.5 9.5-6.5 9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  screen: 'M3 5h18v11H3zM8.5 20h7M12 16v4',
  stop: 'M6 6h12v12H6z',
  leave: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9.5',
  filter: 'M4 6h16M7 12h10M10 18h4',
  alert: 'M12 4l9 16H3zM12 10v4M12 17v.01',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: readonly IconName[] = ['play', 'pause', 'stop'];

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon${FILLED.includes(name) ? ' icon-filled' : ''}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a bridge. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M5 21h22M6.5 21a9.5 9.5 0 0 1 19 0" />
      <path class="mark-thin" d="M11.5 14v7M16 11.8V21M20.5 14v7" />
    </svg>
  );
}
