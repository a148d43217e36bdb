import { Decompress } from 'fzstd';

import { Problem } from '../api/problem';

/** What lets somebody see a recording. */
export interface Access {
  token: string;
  viewing: string;
}

/** The bytes of an answer, decompressed: by the browser if it can, or else here. */
export async function* read(
  path: string,
  access: Access,
  signal: AbortSignal,
  opened: (response: Response) => void = () => {},
): AsyncGenerator<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(path, {
      headers: { authorization: `Bearer ${access.token}`, 'passerelle-viewing': access.viewing },
      credentials: 'omit',
      cache: 'no-store',
      signal,
    });
  } catch (error) {
    throw signal.aborted ? error : new Problem(0, '', String(error));
  }
  if (!response.ok) throw await Problem.of(response);
  opened(response);
  const reader = response.body?.getReader();
  if (!reader) return;
  const compressed = response.headers.get('content-type')?.startsWith('application/zstd');
  try {
    yield* compressed ? decompress(pieces(reader)) : pieces(reader);
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function* pieces(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** For browsers that do not know `Content-Encoding: zstd`. */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((piece) => ready.push(piece));
  const taken = (): Uint8Array[] => {
    const pieces = ready;
    ready = [];
    return pieces;
  };
  for await (const piece of source) {
    decoder.push(piece);
    yield* taken();
  }
  decoder.push(new Uint8Array(0), true);
  yield* taken();
}
