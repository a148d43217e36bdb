import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

import { moment } from '../format';
import { t } from '../i18n';
import type { Subject } from '../pages/viewer';
import { follow } from '../router';
import { Icon } from './icon';

interface Props {
  subject: Subject;
  back: { to: string; text: string };
  children?: ComponentChildren;
}

/** Above the picture: what it is of, and the way back. */
export function ViewerHead({ subject, back, children }: Props) {
  const title = t('player.title', { technician: subject.technician, target: subject.target });
  useEffect(() => {
    document.title = `${title} – ${t('app.name')}`;
  }, [title]);
  return (
    <div class="viewer-head">
      <a class="icon-button" href={back.to} onClick={follow} aria-label={back.text} title={back.text}><Icon name="back" /></a>
      <div class="viewer-title">
        <h1>{title}</h1>
        <p class="muted"><time dateTime={subject.started}>{moment(subject.started)}</time></p>
      </div>
      <div class="viewer-end">{children}</div>
    </div>
  );
}
