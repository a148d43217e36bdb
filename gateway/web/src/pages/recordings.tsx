import { useEffect, useRef, useState } from 'preact/hooks';

import { api, query as asQuery } from '../api/client';
import { Problem } from '../api/problem';
import type { Filter, Page as Part, Recording } from '../api/types';
import { t } from '../i18n';
import { Icon } from '../parts/icon';
import { Busy, Failure, Note } from '../parts/note';
import { Page } from '../parts/page';
import { RecordingRow } from '../parts/recording-row';
import { go } from '../router';
import { session } from '../session';

const FIELDS = ['q', 'technician', 'target', 'state', 'from', 'until'] as const;

/** The filters as they are in the address, so that a search can be kept and sent to others. */
export function filterOf(query: URLSearchParams): Filter {
  const filter: Filter = {};
  for (const field of FIELDS) {
    const value = query.get(field)?.trim();
    if (value) filter[field] = value;
  }
  return filter;
}

/** The filters as the API takes them: days begin and end where the reader is. */
export function asAsked(filter: Filter): Filter {
  const { from, until, ...rest } = filter;
  const day = (text: string, later: number): string | undefined => {
    const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
    if (!parts) return undefined;
    const date = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + later);
    return Number.isNaN(date.getTime()) ? undefined : date.toISOString().replace('.000Z', 'Z');
  };
  const begin = from && day(from, 0);
  const end = until && day(until, 1);
  return { ...rest, ...(begin ? { from: begin } : {}), ...(end ? { until: end } : {}) };
}

export function Recordings({ query }: { query: URLSearchParams }) {
  const filter = filterOf(query);
  const key = asQuery({ ...filter });
  const [items, setItems] = useState<Recording[] | null>(null);
  const [next, setNext] = useState<string | undefined>();
  const [error, setError] = useState<unknown>(null);
  const [more, setMore] = useState(false);
  const [attempt, setAttempt] = useState(0);

  const keep = (part: Part<Recording>, before: Recording[]) => {
    setItems([...before, ...part.items]);
    setNext(part.next);
  };

  const allowed = session.has('recordings:read');
  useEffect(() => {
    if (!allowed) return;
    const stop = new AbortController();
    setError(null);
    setItems(null);
    api
      .recordings(asAsked(filterOf(new URLSearchParams(key))), undefined, stop.signal)
      .then((part) => keep(part, []))
      .catch((failure: unknown) => {
        if (!stop.signal.aborted) setError(failure);
      });
    return () => stop.abort();
  }, [key, attempt, allowed]);

  const showMore = async () => {
    setMore(true);
    try {
      keep(await api.recordings(asAsked(filter), next), items ?? []);
    } catch (failure) {
      // What the list continued from may be gone by now; then it begins anew.
      if (failure instanceof Problem && failure.kind === 'cursor') setAttempt(attempt + 1);
      else setError(failure);
    } finally {
      setMore(false);
    }
  };

  if (!allowed) {
    return (
      <Page title={t('list.title')}>
        <Note icon="shield" title={t('list.forbidden')} text={t('list.forbidden.hint')} />
      </Page>
    );
  }
  const filtered = key !== '';
  return (
    <Page title={t('list.title')}>
      <Filters key={key} filter={filter} />
      {error ? (
        <Failure error={error} onRetry={() => setAttempt(attempt + 1)} />
      ) : !items ? (
        <Busy />
      ) : items.length === 0 ? (
        <Note
          icon={filtered ? 'search' : 'screen'}
          title={t(filtered ? 'list.noMatch' : 'list.none')}
          text={filtered ? undefined : t('list.none.hint')}
        >
          {filtered && <button type="button" class="button" onClick={() => go('/recordings')}>{t('list.reset')}</button>}
        </Note>
      ) : (
        <>
          <ul class="rows">
            {items.map((recording) => <RecordingRow key={recording.id} recording={recording} />)}
          </ul>
          <div class="rows-end">
            <p class="muted" role="status">{t('list.count', { count: items.length })}</p>
            {next && (
              <button type="button" class="button" disabled={more} onClick={showMore}>
                {t(more ? 'app.loading' : 'list.more')}
              </button>
            )}
          </div>
        </>
      )}
    </Page>
  );
}

function Filters({ filter }: { filter: Filter }) {
  const form = useRef<HTMLFormElement>(null);
  const given = FIELDS.filter((field) => field !== 'q' && filter[field]).length;
  const [open, setOpen] = useState(given > 0);

  const apply = () => {
    const data = new FormData(form.current ?? undefined);
    const chosen = Object.fromEntries(FIELDS.map((field) => [field, String(data.get(field) ?? '').trim()]));
    go(`/recordings${asQuery(chosen)}`);
  };

  const text = (name: 'technician' | 'target', label: string) => (
    <label class="field">
      <span>{label}</span>
      <input name={name} defaultValue={filter[name] ?? ''} autocapitalize="none" spellcheck={false} />
    </label>
  );
  const day = (name: 'from' | 'until', label: string) => (
    <label class="field">
      <span>{label}</span>
      <input name={name} type="date" defaultValue={filter[name] ?? ''} onChange={apply} />
    </label>
  );
  return (
    <form
      class="filters"
      role="search"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <div class="filters-main">
        {session.has('recordings:view') && (
          <label class="search">
            <span class="hidden">{t('list.search')}</span>
            <Icon name="search" />
            <input name="q" type="search" placeholder={t('list.search.hint')} defaultValue={filter.q ?? ''} />
          </label>
        )}
        <button type="submit" class="button primary">{t('list.apply')}</button>
        <button
          type="button"
          class="button filters-toggle"
          aria-expanded={open}
          aria-controls="filters-more"
          onClick={() => setOpen(!open)}
        >
          <Icon name="filter" />
          {t('list.filters')}
          {given > 0 && <span class="count">{given}</span>}
        </button>
      </div>
      <div class="filters-more" id="filters-more" hidden={!open}>
        {text('technician', t('list.technician'))}
        {text('target', t('list.target'))}
        <label class="field">
          <span>{t('list.state')}</span>
          <select name="state" defaultValue={filter.state ?? ''} onChange={apply}>
            <option value="">{t('list.state.any')}</option>
            {(['open', 'sealed', 'interrupted'] as const).map((state) => (
              <option key={state} value={state} selected={filter.state === state}>{t(`state.${state}`)}</option>
            ))}
          </select>
        </label>
        {day('from', t('list.from'))}
        {day('until', t('list.until'))}
        <button type="button" class="button quiet" onClick={() => go('/recordings')}>{t('list.reset')}</button>
      </div>
    </form>
  );
}
