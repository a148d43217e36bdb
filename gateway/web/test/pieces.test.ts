import { describe, expect, it } from 'vitest';

import { explain } from '../src/api/explain';
import { Problem } from '../src/api/problem';
import type { RecordedEvent } from '../src/api/types';
import { asAsked, filterOf } from '../src/pages/recordings';
import { activityPath } from '../src/parts/timeline';
import { eventAt, mood, summary, title } from '../src/player/events';
import { doingAt, missing } from '../src/player/input';
import { action, faster } from '../src/player/keys';
import { clockOffset, follow } from '../src/player/live';
import { Picture } from '../src/player/picture';
import { decompress } from '../src/player/stream';
import { parse } from '../src/router';
import { described } from '../src/verdict';
import { chunk } from './bytes';

describe('addresses', () => {
  it.each([
    ['/', 'recordings'],
    ['/recordings', 'recordings'],
    ['/recordings/01ARZ3', 'recording'],
    ['/sessions', 'sessions'],
    ['/sessions/01ARZ3', 'live'],
    ['/recordings/..%2f', 'unknown'],
    ['/recordings/a/b', 'unknown'],
    ['/other', 'unknown'],
  ])('%s is %s', (path, page) => {
    expect(parse(path, '').page).toBe(page);
  });

  it('keep a search', () => {
    const filter = filterOf(new URLSearchParams('q=%20printer&state=sealed&from=2026-03-01&until=2026-03-01&x=1&target='));
    expect(filter).toEqual({ q: 'printer', state: 'sealed', from: '2026-03-01', until: '2026-03-01' });
    const { from, until } = asAsked(filter);
    // The whole day where the reader is.
    expect(Date.parse(until ?? '') - Date.parse(from ?? '')).toBe(24 * 60 * 60 * 1000);
    expect(new Date(from ?? '').getHours()).toBe(0);
    expect(asAsked({ from: 'yesterday' })).toEqual({});
  });
});

describe('problems', () => {
  const problem = (status: number, body: string, headers = {}) => Problem.of(new Response(body, { status, headers }));

  it('are read', async () => {
    const text = JSON.stringify({ type: 'urn:passerelle:problem:locked', detail: 'too many' });
    const locked = await problem(429, text, { 'retry-after': '30' });
    expect(locked).toMatchObject({ status: 429, kind: 'locked', detail: 'too many', retryAfter: 30 });
    expect(await problem(502, '<html>')).toMatchObject({ status: 502, kind: '', retryAfter: undefined });
  });

  it('are explained', () => {
    expect(explain(new Problem(0, '', 'fetch failed'))).toContain('cannot be reached');
    expect(explain(new Problem(403, 'forbidden', 'this takes the scope x'))).toContain('this takes the scope x');
    expect(explain(new Problem(429, 'rate', '', 1))).toContain('1 second.');
  });
});

describe('verdicts', () => {
  it.each([
    ['sealed', {}, 'Intact and sealed'],
    ['intact_up_to', { until_ms: 61_500 }, 'Intact up to 1:01.5'],
    ['tampered', { first_record: 3, last_record: 9, segment: 2, what: 'x' }, 'Tampered with'],
    ['segment_missing', { number: 4 }, 'Segment 4 is missing'],
    ['interrupted', { until_ms: 5 }, 'Intact, interrupted'],
    ['other_signer', { signer: 'ed25519:abc' }, 'Signed by another key'],
  ] as const)('%s', (verdict, detail, words) => {
    expect(described({ verdict, intact: true, message: 'm', detail }).title).toBe(words);
    // What is left of an earlier verification is its sentence.
    expect(described({ verdict, intact: true, message: 'm' }).detail).toBe('m');
  });

  it('tell where it shows', () => {
    const detail = (first_record: number, last_record: number, segment: number) =>
      described({ verdict: 'tampered', intact: false, message: '', detail: { first_record, last_record, segment, what: 'w' } }).detail;
    expect(detail(3, 9, 2)).toBe('Changed between record 3 and record 9 (segment 2): w');
    expect(detail(9, 9, 2)).toBe('Changed at record 9 (segment 2): w');
    expect(detail(0, 0, 0)).toBe('Changed: w');
  });

  it('say that a signer proves nothing', () => {
    const { title, detail } = described({ verdict: 'sealed', intact: true, message: '', unproven: true, detail: {} });
    expect(title).toBe('Intact and sealed, signer unproven');
    expect(detail).toContain('anybody may have made it');
  });

  it('name erased parts', () => {
    const detail = { erased: ['input'] };
    expect(described({ verdict: 'sealed', intact: true, message: '', detail }).detail).toContain('input');
  });
});

describe('keys', () => {
  const press = (key: string, more = {}, onButton = false) =>
    action({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more }, onButton);

  it('do what the help says', () => {
    expect(press(' ')).toEqual({ do: 'toggle' });
    expect(press(' ', {}, true)).toBeNull();
    expect(press('ArrowLeft')).toEqual({ do: 'skip', by: -5000 });
    expect(press('ArrowRight', { shiftKey: true })).toEqual({ do: 'skip', by: 60_000 });
    expect(press('End')).toEqual({ do: 'to', part: 1 });
    expect(press('3')).toEqual({ do: 'to', part: 0.3 });
    expect(press('.')).toEqual({ do: 'step', by: 1 });
    expect(press('?', { shiftKey: true })).toEqual({ do: 'help' });
  });

  it('leave the browser its own', () => {
    expect(press('f', { ctrlKey: true })).toBeNull();
    expect(press('Tab')).toBeNull();
  });

  it('keep to the speeds there are', () => {
    expect([faster(1, 1), faster(16, 1), faster(0.5, -1)]).toEqual([2, 16, 0.5]);
  });
});

describe('events', () => {
  const event = (t_ms: number, kind: string, detail = {}): RecordedEvent => ({ t_ms, kind, detail });

  it('are named and summed up', () => {
    expect(title(event(0, 'file.transferred'))).toBe('File transferred');
    expect(summary(event(0, 'file.transferred', { name: 'a.pdf', bytes: 2_300_000 }))).toBe('a.pdf · 2.3 MB');
    expect(summary(event(0, 'permission.denied', { action: 'send files', count: 3 }))).toBe('send files · × 3');
    expect(title(event(0, 'new.kind'))).toBe('new.kind');
    expect(summary(event(0, 'new.kind', { a: 'b', n: 3, o: {} }))).toBe('b · 3');
    expect([mood(event(0, 'channel.refused')), mood(event(0, 'clipboard.transferred'))]).toEqual(['bad', 'fair']);
  });

  it('are found by time', () => {
    const events = [event(5, 'a'), event(9, 'b'), event(9, 'c')];
    expect([4, 5, 8, 9, 100].map((t) => eventAt(events, t))).toEqual([-1, 0, 0, 2, 2]);
  });
});

describe('input', () => {
  it.each([
    [0, [], [0, 1]],
    [5, [], [4, 5, 6]],
    [5, [4, 5], [6]],
    [5, [5], [4, 5, 6]],
    [5, [4, 6], [5]],
    [5, [4, 5, 6], []],
  ])('is asked for at part %s, with %s there, as %s', (part, there: number[], wanted) => {
    expect(missing(part, (each) => there.includes(each))).toEqual(wanted);
  });

  it('is what was done just before', () => {
    const input = {
      pointer: [[100, 1, 2, 0], [200, 3, 4, 1]],
      keys: [[50, 'down', 'a'], [60, 'up', 'a'], [4000, 'down', null]],
    } as const;
    const at = (t: number) => doingAt({ pointer: [...input.pointer], keys: [...input.keys] }, t);
    expect(at(99)).toEqual({ pointer: null, keys: [[50, 'down', 'a']] });
    expect(at(200).pointer).toEqual([200, 3, 4, 1]);
    expect(at(4000).keys).toEqual([[4000, 'down', null]]);
  });
});

describe('the time line', () => {
  it('has a height where the screen was busy', () => {
    const path = activityPath({ activity: { bucket_ms: 500, values: [0, 100, 25] }, duration_ms: 1500 });
    expect(path).toBe('M0 100L0.0 100.0L333.3 100.0L333.3 0.0L666.7 0.0L666.7 50.0L1000.0 50.0L1000.0 100Z');
    expect(activityPath({ activity: { bucket_ms: 500, values: [0, 0] }, duration_ms: 1000 })).toBe('');
    const long = { activity: { bucket_ms: 1000, values: new Array<number>(30_000).fill(1) }, duration_ms: 30_000_000 };
    expect(activityPath(long).length).toBeLessThan(16_000);
  });
});

describe('live pictures', () => {
  it('are shown frame by frame, wherever the pieces end', async () => {
    const bytes = chunk(1000, 1100, 1200);
    const picture = new Picture(() => Promise.reject(new Error('no JPEG is expected')));
    const shown: [number, number | undefined][] = [];
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += 11) yield bytes.subarray(at, at + 11);
    }
    await follow(pieces(), picture, (t) => shown.push([t, picture.pixels[0]]));
    expect(shown).toEqual([[1000, 10], [1100, 11], [1200, 12]]);
  });

  it('are as late as the clocks tell', () => {
    const now = Date.parse('2026-03-01T10:00:00.400Z');
    expect(clockOffset('Sun, 01 Mar 2026 10:00:00 GMT', now)).toBe(0);
    expect(clockOffset('Sun, 01 Mar 2026 10:01:00 GMT', now)).toBe(60_100);
    expect(clockOffset(null, now)).toBe(0);
  });
});

describe('zstd', () => {
  it('is decompressed where the browser cannot', async () => {
    // "passerelle " forty times, by the reference implementation.
    const packed = Buffer.from('KLUv/QRYlQAAWHBhc3NlcmVsbGUgAQCqVosXKmEb3Q==', 'base64');
    async function* pieces() {
      for (const byte of packed) yield Uint8Array.of(byte);
    }
    let text = '';
    for await (const piece of decompress(pieces())) text += Buffer.from(piece).toString();
    expect(text).toBe('passerelle '.repeat(40));
  });
});
