import { useEffect, useState } from 'preact/hooks';

import { api } from '../api/client';
import type { Match, Recording } from '../api/types';
import { clock, moment, size, span } from '../format';
import { known, t } from '../i18n';
import { follow } from '../router';
import { session } from '../session';
import { Icon } from './icon';
import { VerifyBadge } from './verify-badge';

/** A fact of the session, as text. */
export function fact(recording: Recording, name: string): string {
  const value = recording.facts[name];
  return typeof value === 'string' ? value : '';
}

/** One recording in the list. */
export function RecordingRow({ recording }: { recording: Recording }) {
  const { id, state, started } = recording;
  const [technician, target] = [fact(recording, 'technician'), fact(recording, 'target')];
  const date = moment(started);
  const live = state === 'open' && !session.local;
  const allowed = session.has('recordings:view') || (live && session.has('sessions:watch'));
  const address = live ? `/sessions/${id}` : `/recordings/${id}`;
  return (
    <li class="row card">
      <Thumbnail recording={recording} />
      <div class="row-main">
        <h2 class="row-title">
          {allowed ? (
            <a href={address} onClick={follow} aria-label={t('list.open', { technician, target, date })}>
              <span>{target}</span>
            </a>
          ) : (
            <span>{target}</span>
          )}
        </h2>
        <p class="row-who">{technician}</p>
        <dl class="row-facts">
          <div><dt class="hidden">{t('detail.started')}</dt><dd><time dateTime={started}>{date}</time></dd></div>
          <div><dt class="hidden">{t('detail.duration')}</dt><dd>{span(recording.duration_ms)}</dd></div>
          <div><dt class="hidden">{t('detail.size')}</dt><dd>{size(recording.bytes)}</dd></div>
          <div><dt class="hidden">{t('detail.protocol')}</dt><dd>{fact(recording, 'protocol').toUpperCase()}</dd></div>
        </dl>
        {recording.matches && recording.matches.length > 0 && (
          <Matches id={id} matches={recording.matches} linked={allowed} />
        )}
      </div>
      <div class="row-end">
        {state !== 'sealed' && <span class={`chip chip-${state}`}>{t(`state.${state}`)}</span>}
        <VerifyBadge id={id} last={recording.verification} />
      </div>
      {allowed && (
        <a class="button row-play" href={address} onClick={follow} tabIndex={-1} aria-hidden="true">
          <Icon name={live ? 'eye' : 'play'} />
          {t(live ? 'list.watch' : 'list.play')}
        </a>
      )}
    </li>
  );
}

function Matches({ id, matches, linked }: { id: string; matches: readonly Match[]; linked: boolean }) {
  return (
    <div class="matches">
      <span class="hidden">{t('list.matches')}</span>
      <ul>
        {matches.slice(0, 3).map((match, index) => (
          <li key={index}>
            {linked ? <a href={`/recordings/${id}?t=${match.t_ms}`} onClick={follow}>{clock(match.t_ms)}</a> : clock(match.t_ms)}{' '}
            <b>{known(`event.${match.kind}`) ?? match.kind}</b> {match.text}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A picture of the recording, for those who have said why they view it; for others a sign. */
function Thumbnail({ recording }: { recording: Recording }) {
  const [picture, setPicture] = useState<string | null>(null);
  const { id } = recording;
  const pass = session.pass(id)?.viewing;
  useEffect(() => {
    if (!pass || recording.state === 'open') return;
    const stop = new AbortController();
    let url: string | null = null;
    (async () => {
      const { thumbnails } = await api.manifest(id, stop.signal);
      const middle = thumbnails[Math.floor(thumbnails.length / 2)];
      if (!middle) return;
      const blob = await api.thumbnail(id, middle.number, stop.signal);
      url = URL.createObjectURL(blob);
      setPicture(url);
    })().catch(() => {
      // The list is complete without it.
    });
    return () => {
      stop.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [id, pass]);
  return (
    <div class="thumb" aria-hidden="true">
      {picture ? <img src={picture} alt="" /> : <Icon name="screen" />}
    </div>
  );
}
