import { useEffect, useState } from 'preact/hooks';

import { api } from '../api/client';
import type { Session } from '../api/types';
import { moment } from '../format';
import { t } from '../i18n';
import { EndSession } from '../parts/end-session';
import { Icon } from '../parts/icon';
import { Busy, Failure, Note } from '../parts/note';
import { Page } from '../parts/page';
import { follow } from '../router';
import { session } from '../session';

/** How often the list is asked for anew, in milliseconds. */
const PERIOD = 3000;

/** The sessions that run. */
export function LiveList() {
  const [items, setItems] = useState<Session[] | null>(null);
  const [incomplete, setIncomplete] = useState<string | undefined>();
  const [error, setError] = useState<unknown>(null);
  const [ending, setEnding] = useState<Session | null>(null);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        const page = await api.sessions(stop.signal);
        setItems(page.items);
        setIncomplete(page.incomplete);
        setError(null);
      } catch (failure) {
        if (!stop.signal.aborted) setError(failure);
      }
      if (!stop.signal.aborted) timer = setTimeout(look, PERIOD);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [attempt]);

  return (
    <Page title={t('sessions.title')}>
      {incomplete && <p class="alert calm" role="status">{t('sessions.incomplete', { detail: incomplete })}</p>}
      {error ? (
        <Failure error={error} onRetry={() => setAttempt(attempt + 1)} />
      ) : !items ? (
        <Busy />
      ) : items.length === 0 ? (
        <Note icon="screen" title={t('sessions.none')} text={t('sessions.none.hint')} />
      ) : (
        <ul class="rows">
          {items.map((one) => <Row key={one.id} session={one} onEnd={() => setEnding(one)} />)}
        </ul>
      )}
      {ending && (
        <EndSession {...ending} onEnded={() => setEnding(null)} onClose={() => setEnding(null)} />
      )}
    </Page>
  );
}

function Row({ session: one, onEnd }: { session: Session; onEnd: () => void }) {
  const { id, technician, target, started, protocol, recorded } = one;
  const may = session.has('sessions:watch', 'recordings:view');
  return (
    <li class="row live-row card">
      <span class="live-dot" aria-hidden="true" />
      <div class="row-main">
        <h2 class="row-title">{target}</h2>
        <p class="row-who">{technician}</p>
        <p class="row-facts">{`${protocol.toUpperCase()} · ${t('sessions.since', { time: moment(started) })}`}</p>
      </div>
      <div class="row-end">
        {session.has('sessions:kill') && (
          <button type="button" class="button quiet" onClick={onEnd}><Icon name="stop" />{t('sessions.end')}</button>
        )}
      </div>
      {may && recorded && (
        <a class="button row-play" href={`/sessions/${id}`} onClick={follow}><Icon name="eye" />{t('sessions.watch')}</a>
      )}
      {may && !recorded && <span class="muted">{t('sessions.unrecorded')}</span>}
    </li>
  );
}
