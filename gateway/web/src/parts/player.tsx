import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { api } from '../api/client';
import { Problem } from '../api/problem';
import type { Manifest, RecordedEvent } from '../api/types';
import { t } from '../i18n';
import type { Subject } from '../pages/viewer';
import { spanAt, type Status } from '../player/engine';
import { eventAt } from '../player/events';
import { SETTLED, useInput } from '../player/input';
import { action, faster } from '../player/keys';
import type { Told } from '../player/protocol';
import { access, useScreen } from '../player/screen';
import { session } from '../session';
import { Controls } from './controls';
import { Help } from './help';
import { Busy, Failure } from './note';
import { Side } from './side';
import { Stage } from './stage';
import { Timeline } from './timeline';
import { VerifyBadge } from './verify-badge';
import { ViewerHead } from './viewer-head';

/** While the picture is prepared, the manifest is asked for so often, in milliseconds. */
const PERIOD = 1000;

const START: Status = { t: 0, playing: false, waiting: true, ended: false, shown: -1, skips: 0 };

interface Props {
  subject: Subject;
  /** Nothing is asked for until it is said anew why. */
  paused: boolean;
  /** Where to begin, in milliseconds. */
  start: number;
  onExpired: () => void;
}

/** Plays a recording. */
export function Player({ subject, paused, start, onExpired }: Props) {
  const { id, target, recording } = subject;
  const [manifest, setManifest] = useState<Manifest | null>(null);
  const [events, setEvents] = useState<RecordedEvent[]>([]);
  const [status, setStatus] = useState<Status>(START);
  const [speed, setSpeed] = useState(1);
  const [skipIdle, setSkipIdle] = useState(false);
  const [overlay, setOverlay] = useState(true);
  const [help, setHelp] = useState(false);
  const [full, setFull] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const main = useRef<HTMLElement>(null);
  const begun = useRef(false);

  const failed = (failure: unknown) => {
    if (failure instanceof Problem && failure.kind === 'viewing') onExpired();
    else setError(failure);
  };
  const screen = useScreen(id, (told: Told) => {
    if (told.type === 'status') setStatus(told.status);
    else if (told.type === 'failure') {
      if (told.status === 401) session.end();
      else failed(new Problem(told.status, told.kind, told.detail, told.retryAfter));
    }
  });
  const { tell } = screen;
  const doing = useInput(id, status.t, overlay && !paused && manifest !== null, !status.waiting);

  // Before the page is painted, for the picture is what it waits for.
  useLayoutEffect(() => {
    if (!paused) tell({ type: 'access', access: access(id) });
  }, [paused]);

  useLayoutEffect(() => {
    if (paused) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asked = false;
    const look = async () => {
      try {
        const found = await api.manifest(id, stop.signal);
        if (found.state === 'none' && !asked) {
          asked = true;
          await api.render(id);
        }
        setManifest(found);
        tell({ type: 'manifest', manifest: found });
        if (found.chunks.length > 0 && !begun.current) {
          begun.current = true;
          if (start > 0) tell({ type: 'seek', t: start });
          tell({ type: 'play' });
        }
        if (['none', 'queued', 'rendering', 'live'].includes(found.state)) timer = setTimeout(look, PERIOD);
      } catch (failure) {
        if (!stop.signal.aborted) failed(failure);
      }
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [id, paused, attempt]);

  // What else there is has to be looked for in all of the recording, and must not hold the picture up.
  const drawn = status.shown >= 0 && !(status.waiting && manifest?.state === 'ready');
  const quiet = drawn || error !== null || (manifest !== null && manifest.chunks.length === 0);
  const [wanted, setWanted] = useState(false);
  useEffect(() => {
    if (paused || !quiet || wanted) return;
    const timer = setTimeout(() => setWanted(true), SETTLED);
    return () => clearTimeout(timer);
  }, [paused, quiet, wanted]);
  useEffect(() => {
    if (paused || !wanted) return;
    const stop = new AbortController();
    api.events(id, stop.signal).then(setEvents, () => {
      // The picture is worth seeing without them.
    });
    return () => stop.abort();
  }, [id, paused, attempt, wanted]);

  const duration = manifest?.duration_ms ?? 0;
  const seek = (to: number) => {
    const t = Math.min(Math.max(0, to), duration);
    // The slider moves at once; the picture follows.
    setStatus((before) => ({ ...before, t, ended: false }));
    tell({ type: 'seek', t });
  };
  const toggle = () => tell({ type: status.playing ? 'pause' : 'play' });
  const changeSpeed = (next: number) => {
    setSpeed(next);
    tell({ type: 'speed', speed: next });
  };
  const toggleIdle = () => {
    setSkipIdle(!skipIdle);
    tell({ type: 'skipIdle', on: !skipIdle });
  };
  const toggleFull = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void main.current?.requestFullscreen?.().catch(() => {});
  };
  const toEvent = (by: 1 | -1) => {
    // Going back from within the first second of an event means the one before.
    const index = by > 0 ? eventAt(events, status.t) + 1 : eventAt(events, status.t - 1000);
    const event = events[index];
    if (event) seek(event.t_ms);
  };

  const onKey = (event: KeyboardEvent) => {
    const focus = event.target instanceof Element ? event.target : null;
    if (help || paused || focus?.closest('input, textarea, select, dialog')) return;
    const done = action(event, focus?.closest('button, a') != null);
    if (!done) return;
    event.preventDefault();
    switch (done.do) {
      case 'toggle':
        return toggle();
      case 'skip':
        return seek(status.t + done.by);
      case 'step':
        return tell({ type: 'step', by: done.by });
      case 'speed':
        return changeSpeed(faster(speed, done.by));
      case 'to':
        return seek(duration * done.part);
      case 'event':
        return toEvent(done.by);
      case 'fullscreen':
        return toggleFull();
      case 'skipIdle':
        return toggleIdle();
      case 'overlay':
        return setOverlay(!overlay);
      case 'help':
        return setHelp(true);
    }
  };
  const pressed = useRef(onKey);
  pressed.current = onKey;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => pressed.current(event);
    const changed = () => setFull(document.fullscreenElement === main.current);
    addEventListener('keydown', listen);
    document.addEventListener('fullscreenchange', changed);
    main.current?.focus({ preventScroll: true });
    return () => {
      removeEventListener('keydown', listen);
      document.removeEventListener('fullscreenchange', changed);
    };
  }, []);

  const retry = () => {
    setError(null);
    setAttempt(attempt + 1);
    tell({ type: 'retry' });
  };
  const prepare = () => {
    api.render(id).then(retry, failed);
  };
  const dark = manifest && spanAt(manifest.blackouts, status.t);
  const lossy = manifest && spanAt(manifest.lossy, status.t);
  return (
    <main
      id="content"
      class="viewer"
      tabIndex={-1}
      ref={main}
      data-state={manifest?.state}
      data-time={Math.round(status.t)}
      data-shown={status.shown}
      data-playing={status.playing}
      data-waiting={status.waiting}
    >
      <ViewerHead subject={subject} back={{ to: '/recordings', text: t('player.back') }}>
        {session.has('recordings:read') && <VerifyBadge id={id} last={recording?.verification} detailed />}
      </ViewerHead>
      <div class="viewer-main">
        <div class="viewer-left">
          <Stage
            canvas={screen.canvas}
            screen={screen.state}
            label={t('player.screen', { target })}
            doing={overlay ? doing : null}
            onClick={toggle}
          >
            {error ? (
              <div class="stage-note"><Failure error={error} onRetry={retry} /></div>
            ) : (
              !paused && <Progress manifest={manifest} status={status} onRetry={prepare} />
            )}
            {dark && (
              <p class="stage-dark">
                <span>
                  {t('player.blackout')}
                  <br />
                  {t('player.blackout.why', { by: dark.by, reason: dark.reason })}
                </span>
              </p>
            )}
            {lossy && !dark && <p class="stage-tag">{t('player.lossy')}</p>}
          </Stage>
          <div class="panel">
            {manifest && <Timeline id={id} manifest={manifest} events={events} time={status.t} onSeek={seek} />}
            <Controls
              playing={status.playing}
              ended={status.ended}
              time={status.t}
              duration={duration}
              speed={speed}
              skipIdle={skipIdle}
              overlay={overlay}
              fullscreen={full}
              onToggle={toggle}
              onStep={(by) => tell({ type: 'step', by })}
              onSpeed={changeSpeed}
              onSkipIdle={toggleIdle}
              onOverlay={() => setOverlay(!overlay)}
              onFullscreen={toggleFull}
              onHelp={() => setHelp(true)}
            />
          </div>
        </div>
        <Side events={events} time={status.t} recording={recording} manifest={manifest} onSeek={seek} />
      </div>
      {help && <Help onClose={() => setHelp(false)} />}
    </main>
  );
}

/** Instead of the picture, as long as there is none. */
function Progress({ manifest, status, onRetry }: { manifest: Manifest | null; status: Status; onRetry: () => void }) {
  if (!manifest) return <div class="stage-note"><Busy /></div>;
  const { state, progress, message, chunks } = manifest;
  if (state === 'failed') {
    return (
      <div class="stage-note" role="alert">
        <p>{t('player.failed')}</p>
        <p class="stage-small">{message}</p>
        <button type="button" class="button" onClick={onRetry}>{t('app.retry')}</button>
      </div>
    );
  }
  if (state === 'ready' && chunks.length === 0) return <div class="stage-note"><p>{t('player.empty')}</p></div>;
  if (state !== 'ready') {
    const percent = Math.round(progress * 100);
    return (
      <div class={`stage-note${chunks.length > 0 ? ' stage-note-small' : ''}`} role="status">
        <p>{t(state === 'queued' ? 'player.queued' : 'player.rendering')}</p>
        <progress value={progress} max={1} aria-label={t('player.rendering')}>{percent} %</progress>
        {chunks.length === 0 && <p class="stage-small">{t('player.rendering.hint')}</p>}
      </div>
    );
  }
  return status.waiting ? <div class="stage-note stage-note-small"><Busy text={t('player.buffering')} /></div> : null;
}
