import { useEffect, useState } from 'preact/hooks';

import { api } from '../api/client';
import { Problem } from '../api/problem';
import type { Recording } from '../api/types';
import { t } from '../i18n';
import { AskReason } from '../parts/ask-reason';
import { Live } from '../parts/live';
import { Busy, Failure, Note } from '../parts/note';
import { Page } from '../parts/page';
import { Player } from '../parts/player';
import { fact } from '../parts/recording-row';
import { supported } from '../player/screen';
import { go } from '../router';
import { session } from '../session';

/** What is to be seen. */
export interface Subject {
  id: string;
  technician: string;
  target: string;
  started: string;
  /** What is known of the recording, by those who may list recordings. */
  recording: Recording | null;
}

interface Props {
  id: string;
  /** It is watched while it runs. */
  live: boolean;
  query: URLSearchParams;
}

/** A recording or a running session, once somebody has said why they watch it. */
export function Viewer({ id, live, query }: Props) {
  const [subject, setSubject] = useState<Subject | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const [expired, setExpired] = useState(false);
  const [, granted] = useState(0);

  useEffect(() => {
    const stop = new AbortController();
    setError(null);
    load(id, live, stop.signal).then(setSubject, (failure: unknown) => {
      if (!stop.signal.aborted) setError(failure);
    });
    return () => stop.abort();
  }, [id, live, attempt]);

  // On the reader's own machine there is nobody to say why to.
  useEffect(() => {
    if (!session.local || !subject || (session.pass(id) && !expired)) return;
    api.view(id, 'recordings open').then(() => {
      setExpired(false);
      granted((count) => count + 1);
    }, setError);
  }, [id, subject, expired]);

  if (!supported()) {
    return <Page title={t('player.details')} hideTitle><Note icon="alert" title={t('player.unsupported')} /></Page>;
  }
  const heading = subject ? t('player.title', { technician: subject.technician, target: subject.target }) : t('app.loading');
  if (error || !subject) {
    return (
      <Page title={heading} hideTitle>
        {error ? <Failure error={error} onRetry={() => setAttempt(attempt + 1)} /> : <Busy />}
      </Page>
    );
  }
  if (subject.recording?.state === 'open' && !live && !session.local) {
    go(`/sessions/${id}`, true);
    return null;
  }
  const pass = session.pass(id);
  const ask = !pass || expired;
  const { technician, target } = subject;
  return (
    <>
      {live ? (
        <Live subject={subject} paused={ask} onExpired={() => setExpired(true)} />
      ) : (
        // It is there before it may show anything, for to set it up takes longer than to get the first picture.
        <Player subject={subject} paused={ask} start={Number(query.get('t') ?? 0) || 0} onExpired={() => setExpired(true)} />
      )}
      {ask && !session.local && (
        <AskReason
          title={t('reason.title')}
          lead={expired ? t('reason.expired') : t('reason.lead', { technician, target })}
          label={t('reason.label')}
          hint={t('reason.hint')}
          action={t('reason.submit')}
          required
          onAnswer={async (reason) => {
            await api.view(id, reason);
            setExpired(false);
            granted((count) => count + 1);
          }}
          onClose={() => go(live ? '/sessions' : '/recordings')}
        />
      )}
    </>
  );
}

async function load(id: string, live: boolean, signal: AbortSignal): Promise<Subject> {
  // Whoever looks after sessions may watch them and need not be allowed to list recordings.
  const recording = session.has('recordings:read') ? await ifThere(api.recording(id, signal)) : null;
  if (recording) {
    const { started } = recording;
    return { id, technician: fact(recording, 'technician'), target: fact(recording, 'target'), started, recording };
  }
  if (!live) throw new Problem(404, 'not-found', '');
  const { technician, target, started } = await api.session(id, signal);
  return { id, technician, target, started, recording: null };
}

/** Nothing instead of a recording that is not there. */
async function ifThere(asked: Promise<Recording>): Promise<Recording | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
