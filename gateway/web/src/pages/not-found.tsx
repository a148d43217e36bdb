import { t } from '../i18n';
import { Note } from '../parts/note';
import { Page } from '../parts/page';
import { follow } from '../router';

export function NotFound() {
  return (
    <Page title={t('app.notFound')} hideTitle>
      <Note icon="search" title={t('app.notFound')}>
        <a class="button" href="/" onClick={follow}>{t('app.home')}</a>
      </Note>
    </Page>
  );
}
