import type { Me, Scope } from './api/types';

/** A login. */
export interface Login {
  token: string;
  name: string;
  scopes: Scope[];
  expires: string;
  /** It is no login: copies are looked at on the reader's own machine. */
  local: boolean;
}

/** What lets its bearer view one recording for a while. */
export interface Pass {
  viewing: string;
  expires: string;
}

interface Kept {
  login: Login;
  passes: Record<string, Pass>;
}

/**
 * Where the login is kept.
 *
 * It is in the tab's `sessionStorage`: a reload must not ask for the password again, but closing the tab ends the login
 * here, other tabs do not share it, and nothing stays on disk that lets somebody in tomorrow. Never in `localStorage`,
 * which outlives all of that. A cookie would be sent by the browser of its own accord, also when another site asks.
 */
const KEY = 'passerelle.login';

let kept: Kept | null = load();
let closed = false;
let listener: () => void = () => {};

function load(): Kept | null {
  try {
    const text = globalThis.sessionStorage?.getItem(KEY);
    const found = text ? (JSON.parse(text) as Kept) : null;
    return found && !isOver(found.login.expires) ? found : null;
  } catch {
    return null;
  }
}

function save(): void {
  try {
    if (kept) globalThis.sessionStorage?.setItem(KEY, JSON.stringify(kept));
    else globalThis.sessionStorage?.removeItem(KEY);
  } catch {
    // A browser that keeps nothing asks for the password again after a reload.
  }
}

function isOver(time: string): boolean {
  return !(Date.parse(time) > Date.now());
}

export const session = {
  get login(): Login | null {
    return kept?.login ?? null;
  },

  /** Somebody has logged in. */
  begin(token: string, expires: string, me: Me): void {
    kept = { login: { token, expires, name: me.name, scopes: me.scopes, local: me.kind === 'local' }, passes: {} };
    closed = false;
    save();
    listener();
  },

  /** They have logged out, or the gateway knows them no longer. */
  end(): void {
    kept = null;
    save();
    listener();
  },

  /** Nobody logs in here, and what was opened is not open any more, or at another address. */
  close(): void {
    closed = true;
    session.end();
  },

  get closed(): boolean {
    return closed;
  },

  /** Whether copies are looked at on the reader's own machine: there is no audit log, and nobody to say why to. */
  get local(): boolean {
    return kept?.login.local ?? false;
  },

  has(...scopes: Scope[]): boolean {
    return scopes.some((scope) => kept?.login.scopes.includes(scope));
  },

  /** What lets them view this recording, if they have said why and it still holds. */
  pass(recording: string): Pass | null {
    const pass = kept?.passes[recording];
    return pass && !isOver(pass.expires) ? pass : null;
  },

  grant(recording: string, pass: Pass): void {
    if (!kept) return;
    kept.passes[recording] = pass;
    save();
  },

  revoke(recording: string): void {
    if (!kept) return;
    delete kept.passes[recording];
    save();
  },

  /** Who is told of logins and logouts. */
  onChange(told: () => void): void {
    listener = told;
  },
};
