import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import { t } from '../i18n';

interface Props {
  title: string;
  /** The heading is only for those who hear the page. */
  hideTitle?: boolean;
  aside?: ComponentChildren;
  children: ComponentChildren;
}

/** The main part of a page. It takes the focus when it appears, so that its title is read. */
export function Page({ title, hideTitle, aside, children }: Props) {
  const main = useRef<HTMLElement>(null);
  useEffect(() => main.current?.focus({ preventScroll: true }), []);
  useEffect(() => {
    document.title = `${title} – ${t('app.name')}`;
  }, [title]);
  return (
    <main id="content" class="page" tabIndex={-1} ref={main}>
      <div class={`page-head${hideTitle ? ' hidden' : ''}`}>
        <h1>{title}</h1>
        {aside}
      </div>
      {children}
    </main>
  );
}
