/** Where somebody is in the application. */
export type Route =
  | { page: 'recordings'; query: URLSearchParams }
  | { page: 'recording'; id: string; query: URLSearchParams }
  | { page: 'sessions' }
  | { page: 'live'; id: string }
  | { page: 'unknown' };

/** The route of a path; the gateway answers each of these with the application. */
export function parse(pathname: string, search: string): Route {
  const query = new URLSearchParams(search);
  const parts = pathname.split('/').filter(Boolean);
  const id = parts[1];
  if (parts.length === 0 || (parts.length === 1 && parts[0] === 'recordings')) return { page: 'recordings', query };
  if (parts.length === 1 && parts[0] === 'sessions') return { page: 'sessions' };
  // Names of recordings and sessions are letters and digits.
  if (parts.length === 2 && id && /^[0-9A-Za-z]{1,64}$/.test(id)) {
    if (parts[0] === 'recordings') return { page: 'recording', id, query };
    if (parts[0] === 'sessions') return { page: 'live', id };
  }
  return { page: 'unknown' };
}

export const here = (): Route => parse(location.pathname, location.search);

/** Goes to another page of the application. */
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  dispatchEvent(new PopStateEvent('popstate'));
}

/** For links: follows them without loading the application anew, unless another tab or a download is asked for. */
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement;
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
