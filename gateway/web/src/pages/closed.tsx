import { t } from '../i18n';
import { Note } from '../parts/note';
import { Page } from '../parts/page';

/** What was opened on the reader's own machine is not open any more, or the address is an old one. */
export function Closed() {
  return (
    <Page title={t('app.closed')} hideTitle>
      <Note icon="shield" title={t('app.closed')} text={t('app.closed.hint')} />
    </Page>
  );
}
