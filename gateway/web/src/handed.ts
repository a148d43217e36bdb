import { api } from './api/client';

/**
 * Takes over the token that `passerelle recordings open` put behind the `#` of the address that it printed. A gateway
 * takes no such token: nobody can be logged in there by a link of somebody else's.
 */
export async function takeOver(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return;
  // It stays neither in the address nor in the history.
  history.replaceState(null, '', location.pathname + location.search);
  try {
    await api.hand(token);
  } catch {
    // The page that follows says what to do.
  }
}
