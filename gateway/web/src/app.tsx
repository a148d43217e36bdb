import { useEffect, useReducer, useState } from 'preact/hooks';

import { api } from './api/client';
import { language, LANGUAGES, speak, t, type Language } from './i18n';
import { LiveList } from './pages/live-list';
import { Closed } from './pages/closed';
import { LogIn, type Why } from './pages/log-in';
import { Recordings } from './pages/recordings';
import { NotFound } from './pages/not-found';
import { Viewer } from './pages/viewer';
import { Icon, Mark } from './parts/icon';
import { follow, here, type Route } from './router';
import { session } from './session';
import { theme, THEMES, wear, type Theme } from './theme';

/** The application: the log-in, or a page with what all pages have. */
export function App() {
  const [, refresh] = useReducer((count: number) => count + 1, 0);
  const [route, setRoute] = useState<Route>(here);
  const [why, setWhy] = useState<Why>(null);

  useEffect(() => {
    const moved = () => setRoute(here());
    addEventListener('popstate', moved);
    session.onChange(() => {
      // A login that ends without being asked to has run out.
      setWhy((before) => (session.login ? null : (before ?? 'expired')));
      refresh(undefined);
    });
    return () => removeEventListener('popstate', moved);
  }, []);

  useEffect(() => {
    document.documentElement.lang = language();
  });

  const signOut = () => {
    setWhy('signedOut');
    // The gateway may be out of reach; the token is forgotten here in any case.
    api.logOut().catch(() => {});
  };

  // Whoever watches sessions and may not list recordings begins with the sessions.
  const starts = route.page === 'recordings' && location.pathname === '/' && !session.has('recordings:read');
  const shown: Route = starts && session.has('sessions:watch') ? { page: 'sessions' } : route;
  const switches = <Switches onChange={() => refresh(undefined)} />;
  if (session.closed) return <Closed />;
  if (!session.login) return <LogIn why={why} switches={switches} />;
  return (
    <>
      <a class="skip-link" href="#content">{t('app.skip')}</a>
      <header class="top">
        <a class="brand" href="/" onClick={follow}>
          <Mark />
          <span>{t('app.name')}</span>
        </a>
        <nav class="top-nav" aria-label={t('app.menu')}>
          <NavLink to="/recordings" current={shown.page === 'recordings' || shown.page === 'recording'} text={t('app.recordings')} />
          {session.has('sessions:read') && (
            <NavLink to="/sessions" current={shown.page === 'sessions' || shown.page === 'live'} text={t('app.sessions')} />
          )}
        </nav>
        <div class="top-end">
          {switches}
          {session.local ? (
            <span class="who">{t('app.local')}</span>
          ) : (
            <>
              <span class="who" title={t('app.signedInAs', { name: session.login.name })}>{session.login.name}</span>
              <button type="button" class="button quiet" onClick={signOut}>
                <Icon name="leave" />
                <span class="wide-only">{t('app.signOut')}</span>
                <span class="hidden narrow-only">{t('app.signOut')}</span>
              </button>
            </>
          )}
        </div>
      </header>
      <Content route={shown} />
    </>
  );
}

function Content({ route }: { route: Route }) {
  switch (route.page) {
    case 'recordings':
      return <Recordings query={route.query} />;
    case 'recording':
      return <Viewer key={route.id} id={route.id} live={false} query={route.query} />;
    case 'sessions':
      return <LiveList />;
    case 'live':
      return <Viewer key={`live ${route.id}`} id={route.id} live={true} query={new URLSearchParams()} />;
    case 'unknown':
      return <NotFound />;
  }
}

function NavLink({ to, current, text }: { to: string; current: boolean; text: string }) {
  return (
    <a href={to} onClick={follow} aria-current={current ? 'page' : undefined}>{text}</a>
  );
}

/** What every page lets be chosen: language and appearance. */
function Switches({ onChange }: { onChange: () => void }) {
  const [worn, setWorn] = useState<Theme>(theme);
  return (
    <div class="switches">
      <select
        class="switch"
        aria-label={t('app.language')}
        value={language()}
        onChange={(event) => {
          speak(event.currentTarget.value as Language);
          onChange();
        }}
      >
        {LANGUAGES.map((code) => (
          <option key={code} value={code} lang={code}>{code === 'en' ? 'English' : 'Français'}</option>
        ))}
      </select>
      <select
        class="switch"
        aria-label={t('app.theme')}
        value={worn}
        onChange={(event) => {
          const chosen = event.currentTarget.value as Theme;
          wear(chosen);
          setWorn(chosen);
        }}
      >
        {THEMES.map((name) => (
          <option key={name} value={name}>{t(`app.theme.${name}`)}</option>
        ))}
      </select>
    </div>
  );
}
