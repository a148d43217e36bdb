/** What the API's answers hold, as far as it is used here; `gateway/openapi.json` describes them. */

export type Scope = string;

export interface LoggedIn {
  token: string;
  expires_at: string;
  scopes: Scope[];
}

export interface Me {
  name: string;
  kind: string;
  scopes: Scope[];
}

export interface Page<T> {
  items: T[];
  next?: string;
}

export type RecordingState = 'open' | 'sealed' | 'interrupted';

export interface Recording {
  id: string;
  started: string;
  duration_ms: number;
  bytes: number;
  state: RecordingState;
  end?: string;
  facts: Readonly<Record<string, unknown>>;
  signer: string;
  recipients: string[];
  /** What the last verification found, if nothing has changed since. */
  verification?: Verification;
  /** What a search found in it. */
  matches?: Match[];
}

export interface Match {
  t_ms: number;
  /** The kind of the event, or `session` for what was known at the start. */
  kind: string;
  text: string;
}

export interface Filter {
  q?: string;
  technician?: string;
  target?: string;
  state?: string;
  from?: string;
  until?: string;
}

export type Verdict =
  | 'sealed'
  | 'interrupted'
  | 'intact_up_to'
  | 'tampered'
  | 'segment_missing'
  | 'cut_off'
  | 'other_root'
  | 'other_signer';

export interface Verification {
  intact: boolean;
  verdict: Verdict;
  message: string;
  /** The signer is only the one that the recording itself names. */
  unproven?: boolean;
  /** All that was found; only whoever has just asked gets it. */
  detail?: Readonly<Record<string, unknown>>;
}

export interface Session {
  id: string;
  technician: string;
  target: string;
  protocol: string;
  started: string;
  recorded: boolean;
}

export interface Viewing {
  viewing: string;
  expires: string;
}

export interface Span {
  from_ms: number;
  until_ms: number;
}

/** A span of whose screen nothing was kept. */
export interface Blackout extends Span {
  /** Whose privacy it was for. */
  for: 'technician' | 'user';
  by: string;
  reason: string;
}

export interface ChunkEntry extends Span {
  number: number;
  bytes: number;
}

export type ViewState = 'none' | 'queued' | 'rendering' | 'ready' | 'live' | 'failed';

/** What there is to see of a recording. */
export interface Manifest {
  format: number;
  state: ViewState;
  progress: number;
  message?: string;
  duration_ms: number;
  width: number;
  height: number;
  chunks: ChunkEntry[];
  thumbnails: { number: number; t_ms: number }[];
  activity: { bucket_ms: number; values: number[] };
  idle: Span[];
  lossy: Span[];
  blackouts: Blackout[];
  skipped: { what: string; count: number }[];
}

export interface RecordedEvent {
  t_ms: number;
  kind: string;
  detail: Readonly<Record<string, unknown>>;
}

/** Time, place and pressed buttons of the technician's pointer. */
export type PointerEntry = readonly [t: number, x: number, y: number, buttons: number];
/** Time, direction and, where the policy keeps it, name of a key. */
export type KeyEntry = readonly [t: number, direction: 'down' | 'up', name: string | null];

export interface Input {
  pointer: PointerEntry[];
  keys: KeyEntry[];
  /** From when on there is more. */
  next_ms?: number;
}
