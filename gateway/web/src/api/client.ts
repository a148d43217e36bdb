import { session } from '../session';
import { Problem } from './problem';
import type {
  Filter, Input, LoggedIn, Manifest, Me, Page, RecordedEvent, Recording, Session, Verification, Viewing,
} from './types';

const BASE = '/api/v1';

interface Options {
  body?: unknown;
  /** Of which recording something is viewed: its pass goes along. */
  viewing?: string;
  token?: string;
  signal?: AbortSignal | undefined;
}

/** Asks the gateway; anything but success is thrown as a `Problem`. */
async function ask(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = {};
  const token = options.token ?? session.login?.token;
  if (token) headers['authorization'] = `Bearer ${token}`;
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  const pass = options.viewing && session.pass(options.viewing);
  if (pass) headers['passerelle-viewing'] = pass.viewing;
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      // The token is all that counts; no cookie of another application on this host needs to come along.
      credentials: 'omit',
      cache: 'no-store',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, '', String(error));
  }
  if (response.ok) return response;
  const problem = await Problem.of(response);
  if (problem.kind === 'viewing' && options.viewing) session.revoke(options.viewing);
  if (problem.kind === 'local') session.close();
  else if (problem.status === 401 && token && token === session.login?.token) session.end();
  throw problem;
}

async function json<T>(method: string, path: string, options?: Options): Promise<T> {
  return (await (await ask(method, path, options)).json()) as T;
}

/** `?name=value&…` of what has a value. */
export function query(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : '';
}

const named = (id: string): string => `/recordings/${encodeURIComponent(id)}`;

export const api = {
  async logIn(username: string, password: string, code: string): Promise<void> {
    const body = { username, password, ...(code ? { code } : {}) };
    // An old token must not come along.
    const login = await json<LoggedIn>('POST', '/login', { body, token: '' });
    const me = await json<Me>('GET', '/me', { token: login.token });
    session.begin(login.token, login.expires_at, me);
  },

  /** Shows what `recordings open` handed over; it is good until that command ends. */
  async hand(token: string): Promise<void> {
    const me = await json<Me>('GET', '/me', { token });
    if (me.kind === 'local') session.begin(token, '9999-12-31T23:59:59Z', me);
  },

  async logOut(): Promise<void> {
    try {
      await ask('POST', '/logout');
    } finally {
      session.end();
    }
  },

  recordings: (filter: Filter, cursor?: string, signal?: AbortSignal): Promise<Page<Recording>> =>
    json('GET', `/recordings${query({ ...filter, limit: 25, cursor })}`, { signal }),

  recording: (id: string, signal?: AbortSignal): Promise<Recording> => json('GET', named(id), { signal }),

  verify: (id: string): Promise<Verification> => json('POST', `${named(id)}/verify`),

  /** Says why a recording is viewed; what lets it be viewed is kept. */
  async view(id: string, reason: string): Promise<void> {
    const { viewing, expires } = await json<Viewing>('POST', `${named(id)}/viewings`, { body: { reason } });
    session.grant(id, { viewing, expires });
  },

  manifest: (id: string, signal?: AbortSignal): Promise<Manifest> =>
    json('GET', `${named(id)}/view`, { viewing: id, signal }),

  /** Has the picture prepared. */
  async render(id: string): Promise<void> {
    await ask('POST', `${named(id)}/view`, { viewing: id });
  },

  async thumbnail(id: string, number: number, signal?: AbortSignal): Promise<Blob> {
    return (await ask('GET', `${named(id)}/view/thumbnails/${number}`, { viewing: id, signal })).blob();
  },

  async events(id: string, signal?: AbortSignal): Promise<RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    let from_ms: number | undefined;
    do {
      const path = `${named(id)}/events${query({ from_ms })}`;
      const part: { events: RecordedEvent[]; next_ms?: number } = await json('GET', path, { viewing: id, signal });
      events.push(...part.events);
      from_ms = part.next_ms;
    } while (from_ms !== undefined);
    return events;
  },

  async input(id: string, from_ms: number, until_ms: number, signal?: AbortSignal): Promise<Input> {
    const input: Input = { pointer: [], keys: [] };
    let from: number | undefined = from_ms;
    do {
      const path: string = `${named(id)}/input${query({ from_ms: from, until_ms })}`;
      const part: Input = await json('GET', path, { viewing: id, signal });
      input.pointer.push(...part.pointer);
      input.keys.push(...part.keys);
      from = part.next_ms;
    } while (from !== undefined);
    return input;
  },

  sessions: (signal?: AbortSignal): Promise<Page<Session> & { incomplete?: string }> =>
    json('GET', '/sessions', { signal }),

  session: (id: string, signal?: AbortSignal): Promise<Session> =>
    json('GET', `/sessions/${encodeURIComponent(id)}`, { signal }),

  async endSession(id: string, reason: string): Promise<void> {
    await ask('POST', `/sessions/${encodeURIComponent(id)}/kill`, { body: reason ? { reason } : {} });
  },
};
