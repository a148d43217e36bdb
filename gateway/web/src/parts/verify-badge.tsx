import { useState } from 'preact/hooks';

import { api } from '../api/client';
import { explain } from '../api/explain';
import type { Verification } from '../api/types';
import { t } from '../i18n';
import { described } from '../verdict';
import { Icon } from './icon';

/** Found in this tab, so that going to the player and back does not forget it. */
const found = new Map<string, Verification>();

interface Props {
  id: string;
  /** What the gateway found the last time. */
  last?: Verification | undefined;
  /** Says at once what is the matter, where something is. */
  detailed?: boolean;
}

/** Says whether the evidence is intact, once somebody has asked; in the same words wherever it stands. */
export function VerifyBadge({ id, last, detailed }: Props) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const finding = found.get(id) ?? last;

  const verify = async () => {
    setBusy(true);
    setError(null);
    try {
      found.set(id, await api.verify(id));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };

  const words = finding && described(finding);
  const mood = !finding?.intact ? 'bad' : finding.verdict === 'sealed' && !finding.unproven ? 'good' : 'fair';
  return (
    <div class="verify">
      <div class="verify-line" role="status">
        {busy ? (
          <span class="badge badge-unknown"><span class="spinner" aria-hidden="true" />{t('verify.busy')}</span>
        ) : error ? (
          <span class="badge badge-bad" title={explain(error)}><Icon name="alert" />{t('verify.failed')}</span>
        ) : words ? (
          <span class={`badge badge-${mood}`} data-verdict={finding?.verdict} title={words.detail}>
            <Icon name={finding?.intact ? 'shieldCheck' : 'shieldAlert'} />
            {words.title}
          </span>
        ) : (
          <span class="badge badge-unknown"><Icon name="shield" />{t('verify.unknown')}</span>
        )}
      </div>
      {!busy && (
        <button type="button" class="button small quiet" onClick={verify}>{t(finding ? 'verify.again' : 'verify.check')}</button>
      )}
      {detailed && !busy && words && (finding?.verdict !== 'sealed' || finding.unproven) && <p class="verify-detail">{words.detail}</p>}
    </div>
  );
}
