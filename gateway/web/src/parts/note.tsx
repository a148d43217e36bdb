import type { ComponentChildren } from 'preact';

import { explain } from '../api/explain';
import { t } from '../i18n';
import { Icon, type IconName } from './icon';

interface Props {
  icon: IconName;
  title: string;
  text?: string | undefined;
  children?: ComponentChildren;
}

/** Instead of content: that there is none, and what to do about it. */
export function Note({ icon, title, text, children }: Props) {
  return (
    <div class="note">
      <span class="note-icon"><Icon name={icon} /></span>
      <p class="note-title">{title}</p>
      {text && <p class="note-text">{text}</p>}
      {children}
    </div>
  );
}

/** Something failed; it may be tried again. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  return (
    <div role="alert">
      <Note icon="alert" title={explain(error)}>
        {onRetry && <button type="button" class="button" onClick={onRetry}>{t('app.retry')}</button>}
      </Note>
    </div>
  );
}

/** Something is on its way. */
export function Busy({ text = t('app.loading') }: { text?: string }) {
  return (
    <p class="busy" role="status">
      <span class="spinner" aria-hidden="true" />
      {text}
    </p>
  );
}
