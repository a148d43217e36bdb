import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';

import type { Manifest, RecordedEvent, Recording } from '../api/types';
import { clock, moment, size, span } from '../format';
import { known, language, t } from '../i18n';
import { eventAt, mood, summary, title } from '../player/events';
import { fact } from './recording-row';

interface Props {
  events: readonly RecordedEvent[];
  time: number;
  recording: Recording | null;
  manifest: Manifest | null;
  onSeek: (t: number) => void;
}

const TABS = ['events', 'details'] as const;

/** Beside the picture: what happened, and what is known of the session. */
export function Side({ events, time, recording, manifest, onSeek }: Props) {
  const [tab, setTab] = useState<(typeof TABS)[number]>('events');
  const name = useId();
  const list = useRef<HTMLDivElement>(null);
  const other = tab === 'events' ? 'details' : 'events';
  return (
    <section class="side card">
      <div
        class="tabs"
        role="tablist"
        ref={list}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
          event.stopPropagation();
          setTab(other);
          list.current?.querySelector<HTMLElement>(`#${name}-${other}`)?.focus();
        }}
      >
        {TABS.map((each) => (
          <button
            key={each}
            type="button"
            role="tab"
            id={`${name}-${each}`}
            aria-selected={tab === each}
            aria-controls={`${name}-panel`}
            tabIndex={tab === each ? 0 : -1}
            onClick={() => setTab(each)}
          >
            {t(`player.${each}`)}
            {each === 'events' && events.length > 0 && <span class="tab-count">{events.length}</span>}
          </button>
        ))}
      </div>
      <div class="side-panel" role="tabpanel" id={`${name}-panel`} aria-labelledby={`${name}-${tab}`} tabIndex={-1}>
        {tab === 'events' ? (
          <Events events={events} time={time} onSeek={onSeek} />
        ) : (
          <Details recording={recording} manifest={manifest} />
        )}
      </div>
    </section>
  );
}

function Events({ events, time, onSeek }: Pick<Props, 'events' | 'time' | 'onSeek'>) {
  const [wanted, setWanted] = useState('');
  const list = useRef<HTMLOListElement>(null);
  const busy = useRef(false);
  const needle = wanted.trim().toLowerCase();
  const shown = useMemo(
    () => events.filter((event) => `${title(event)} ${summary(event)}`.toLowerCase().includes(needle)),
    [events, needle, language()],
  );
  const index = eventAt(shown, time);
  const jump = useRef(onSeek);
  jump.current = onSeek;
  // The time changes many times a second, the list does not.
  const items = useMemo(
    () => shown.map((event, place) => (
      <li key={place}>
        <button
          type="button"
          class={`event event-${mood(event)}`}
          aria-current={place === index ? 'time' : undefined}
          onClick={() => jump.current(event.t_ms)}
        >
          <time class="event-time">{clock(event.t_ms)}</time>
          <span class="event-text">
            <b>{title(event)}</b>
            <span>{summary(event)}</span>
          </span>
        </button>
      </li>
    )),
    [shown, index, language()],
  );

  useEffect(() => {
    // The list follows, unless somebody is looking at another part of it.
    const item = list.current?.children[index];
    const panel = list.current?.parentElement;
    if (!(item instanceof HTMLElement) || !panel || busy.current) return;
    const [box, frame] = [item.getBoundingClientRect(), panel.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom) panel.scrollTop += box.top - frame.top - frame.height / 3;
  }, [index]);

  if (events.length === 0) return <p class="side-none muted">{t('player.events.none')}</p>;
  return (
    <>
      {events.length > 8 && (
        <input
          class="side-filter"
          type="search"
          placeholder={t('player.events.filter')}
          aria-label={t('player.events.filter')}
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      )}
      <div
        class="side-scroll"
        onPointerEnter={() => {
          busy.current = true;
        }}
        onPointerLeave={() => {
          busy.current = false;
        }}
      >
        <ol class="events" ref={list}>
          {items}
        </ol>
      </div>
    </>
  );
}

function Details({ recording, manifest }: Pick<Props, 'recording' | 'manifest'>) {
  const skipped = (manifest?.skipped ?? []).map(({ what, count }) => `${what} (${count})`);
  const rows: [string, string][] = [];
  if (recording) {
    const end = recording.end && (known(`end.${recording.end}`) ?? recording.end);
    rows.push(
      [t('detail.technician'), fact(recording, 'technician')],
      [t('detail.target'), fact(recording, 'target')],
      [t('detail.started'), moment(recording.started)],
      [t('detail.duration'), span(recording.duration_ms)],
      [t('detail.end'), end ?? ''],
      [t('detail.address'), fact(recording, 'address')],
      [t('detail.approved'), fact(recording, 'approved_by')],
      [t('detail.protocol'), fact(recording, 'protocol').toUpperCase()],
      [t('detail.size'), size(recording.bytes)],
    );
  }
  if (manifest?.width) rows.push([t('detail.screen'), `${manifest.width} × ${manifest.height}`]);
  if (recording) {
    rows.push(
      [t('detail.node'), fact(recording, 'node')],
      [t('detail.id'), recording.id],
      [t('detail.signer'), recording.signer],
    );
  }
  // By keyboard it can only be scrolled with the focus in it, and nothing in it takes the focus.
  return (
    <div class="side-scroll" tabIndex={0}>
      <dl class="details">
        {rows.filter(([, value]) => value !== '').map(([label, value]) => (
          <div key={label}><dt>{label}</dt><dd>{value}</dd></div>
        ))}
      </dl>
      {skipped.length > 0 && <p class="details-note">{t('player.skipped', { what: skipped.join(', ') })}</p>}
    </div>
  );
}
