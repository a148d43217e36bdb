/** Why the gateway refused (RFC 9457), or that it did not answer. */
export class Problem extends Error {
  constructor(
    /** The HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** The last word of the problem's type, such as `locked`; empty if it has none. */
    readonly kind: string,
    readonly detail: string,
    /** After so many seconds it may be tried again. */
    readonly retryAfter?: number,
  ) {
    super(detail);
  }

  /** What an answer that is no success says. */
  static async of(response: Response): Promise<Problem> {
    let body: { type?: unknown; detail?: unknown } = {};
    try {
      body = (await response.json()) as typeof body;
    } catch {
      // A proxy in between may answer with anything; the status has to do.
    }
    const type = typeof body.type === 'string' ? body.type : '';
    const detail = typeof body.detail === 'string' ? body.detail : response.statusText;
    const prefix = 'urn:passerelle:problem:';
    const kind = type.startsWith(prefix) ? type.slice(prefix.length) : '';
    const after = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
    return new Problem(response.status, kind, detail, Number.isNaN(after) ? undefined : after);
  }
}
