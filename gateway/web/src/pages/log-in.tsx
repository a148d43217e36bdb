import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { api } from '../api/client';
import { explain } from '../api/explain';
import { Problem } from '../api/problem';
import { wait } from '../format';
import { t } from '../i18n';
import { Mark } from '../parts/icon';

/** What brought somebody here who was logged in. */
export type Why = 'expired' | 'signedOut' | null;

export function LogIn({ why, switches }: { why: Why; switches: ComponentChildren }) {
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const form = useRef<HTMLFormElement>(null);
  const alert = useRef<HTMLParagraphElement>(null);

  useEffect(() => {
    document.title = `${t('login.title')} – ${t('app.name')}`;
    form.current?.querySelector('input')?.focus();
  }, []);
  useEffect(() => {
    if (error) alert.current?.focus();
  }, [error]);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string) => String(data.get(name) ?? '');
    const [username, password] = [field('username').trim(), field('password')];
    if (!username || !password) {
      setError('missing');
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await api.logIn(username, password, field('code').replace(/\s/g, ''));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  return (
    <main class="login" id="content">
      <div class="login-switches">{switches}</div>
      <form class="card login-card" ref={form} onSubmit={submit} noValidate>
        <div class="login-head">
          <Mark />
          <div>
            <h1>{t('app.name')}</h1>
            <p class="muted">{t('login.lead')}</p>
          </div>
        </div>
        {error ? (
          <p class="alert" role="alert" tabIndex={-1} ref={alert}>{message(error)}</p>
        ) : (
          why && <p class="alert calm" role="status">{t(why === 'expired' ? 'login.expired' : 'login.signedOut')}</p>
        )}
        <label class="field">
          <span>{t('login.username')}</span>
          <input name="username" autocomplete="username" autocapitalize="none" spellcheck={false} required />
        </label>
        <label class="field">
          <span>{t('login.password')}</span>
          <input name="password" type={shown ? 'text' : 'password'} autocomplete="current-password" required />
        </label>
        <label class="check">
          <input type="checkbox" checked={shown} onChange={(event) => setShown(event.currentTarget.checked)} />
          <span>{t('login.show')}</span>
        </label>
        <label class="field">
          <span>{t('login.code')}</span>
          <input name="code" inputMode="text" autocomplete="one-time-code" autocapitalize="none" spellcheck={false} aria-describedby="code-hint" />
        </label>
        <p class="hint" id="code-hint">{t('login.code.hint')}</p>
        <button type="submit" class="button primary wide" aria-disabled={busy} disabled={busy}>
          {t(busy ? 'login.busy' : 'login.submit')}
        </button>
      </form>
    </main>
  );
}

/** Why nobody got in. The gateway does not say which of name, password and second factor is wrong, nor do we. */
function message(error: unknown): string {
  if (error === 'missing') return t('login.missing');
  if (error instanceof Problem) {
    if (error.kind === 'locked') return t('login.locked', { time: wait(error.retryAfter ?? 60) });
    if (error.status === 401) return t('login.refused');
  }
  return explain(error);
}
