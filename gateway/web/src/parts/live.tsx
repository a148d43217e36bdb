import { useEffect, useRef, useState } from 'preact/hooks';

import { Problem } from '../api/problem';
import { language, t } from '../i18n';
import type { Subject } from '../pages/viewer';
import type { Told } from '../player/protocol';
import { access, useScreen } from '../player/screen';
import { follow } from '../router';
import { session } from '../session';
import { EndSession } from './end-session';
import { Icon } from './icon';
import { Busy, Failure } from './note';
import { Stage } from './stage';
import { ViewerHead } from './viewer-head';

/** After the connection was lost, it is tried again after so long, in milliseconds. */
const PAUSE = 1500;

interface Props {
  subject: Subject;
  /** Nothing is asked for until it is said anew why. */
  paused: boolean;
  onExpired: () => void;
}

type Phase = 'connecting' | 'live' | 'lost' | 'ended';

/** A session as it runs. */
export function Live({ subject, paused, onExpired }: Props) {
  const { id, technician, target, started } = subject;
  const [phase, setPhase] = useState<Phase>('connecting');
  const [delay, setDelay] = useState<number | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [ending, setEnding] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>();

  const screen = useScreen(id, (told: Told) => {
    if (told.type === 'live') {
      setPhase('live');
      const happened = Date.parse(started) + told.t;
      // What had been on the screen before we came says nothing of how late things come.
      if (happened >= told.opened) setDelay(Math.max(0, Date.now() + told.offset - happened));
    } else if (told.type === 'liveEnd') {
      setPhase('ended');
    } else if (told.type === 'failure') {
      if (told.kind === 'viewing') onExpired();
      else if (told.status === 0) {
        setPhase('lost');
        timer.current = setTimeout(() => screen.tell({ type: 'live' }), PAUSE);
      } else if (told.status === 404 || told.status === 409 || told.status === 410) setPhase('ended');
      else if (told.status === 401) session.end();
      else setError(new Problem(told.status, told.kind, told.detail, told.retryAfter));
    }
  });

  useEffect(() => {
    if (paused) return;
    screen.tell({ type: 'access', access: access(id) });
    screen.tell({ type: 'live' });
  }, [paused]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const seconds = (delay ?? 0) / 1000;
  const shown = seconds.toLocaleString(language(), { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return (
    <main id="content" class="viewer viewer-live" tabIndex={-1} data-phase={phase}>
      <ViewerHead subject={subject} back={{ to: '/sessions', text: t('app.sessions') }}>
        {phase !== 'ended' && <span class="chip chip-open">{t('live.badge')}</span>}
        {phase === 'live' && delay !== null && (
          <span class="delay" title={t('live.delay.label')}>{t('live.delay', { seconds: shown })}</span>
        )}
        {phase !== 'ended' && session.has('sessions:kill') && (
          <button type="button" class="button" onClick={() => setEnding(true)}><Icon name="stop" />{t('live.end')}</button>
        )}
      </ViewerHead>
      <Stage canvas={screen.canvas} screen={screen.state} label={t('player.screen', { target })} doing={null}>
        {error ? (
          <div class="stage-note"><Failure error={error} /></div>
        ) : phase === 'ended' ? (
          <div class="stage-note" role="status">
            <p>{t('live.ended')}</p>
            {session.has('recordings:view') && (
              <a class="button" href={`/recordings/${id}`} onClick={follow}><Icon name="play" />{t('live.replay')}</a>
            )}
          </div>
        ) : (
          phase !== 'live' && !paused && <div class="stage-note"><Busy text={t(phase === 'lost' ? 'live.lost' : 'live.connecting')} /></div>
        )}
      </Stage>
      {ending && (
        <EndSession
          id={id}
          technician={technician}
          target={target}
          onEnded={() => setEnding(false)}
          onClose={() => setEnding(false)}
        />
      )}
    </main>
  );
}
