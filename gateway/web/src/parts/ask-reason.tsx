import { useRef, useState } from 'preact/hooks';

import { explain } from '../api/explain';
import { t } from '../i18n';
import { Dialog } from './dialog';

interface Props {
  title: string;
  lead: string;
  label: string;
  hint?: string;
  /** What the button does, in a word or two. */
  action: string;
  danger?: boolean;
  required?: boolean;
  onAnswer: (reason: string) => Promise<void>;
  onClose: () => void;
}

/** The longest reason that the gateway keeps. */
const LONGEST = 500;

/** Asks for a reason before something is done that the audit log tells of. */
export function AskReason({ title, lead, label, hint, action, danger, required, onAnswer, onClose }: Props) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const reason = field.current?.value.trim() ?? '';
    if (required && !reason) {
      setError(t('reason.missing'));
      field.current?.focus();
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await onAnswer(reason);
    } catch (failure) {
      setError(explain(failure));
      setBusy(false);
    }
  };

  return (
    <Dialog title={title} onClose={onClose}>
      <form class="dialog-form" onSubmit={submit} noValidate>
        <p class="muted">{lead}</p>
        <label class="field">
          <span>{label}</span>
          <input
            ref={field}
            name="reason"
            maxLength={LONGEST}
            autocomplete="off"
            required={required ?? false}
            aria-invalid={error !== null}
            aria-describedby="reason-hint"
            autoFocus
          />
        </label>
        <p id="reason-hint" class={error ? 'alert' : 'hint'} role={error ? 'alert' : undefined}>{error ?? hint}</p>
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={onClose}>{t('app.cancel')}</button>
          <button type="submit" class={`button ${danger ? 'danger' : 'primary'}`} disabled={busy}>{action}</button>
        </div>
      </form>
    </Dialog>
  );
}
