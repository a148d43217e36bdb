import { api } from '../api/client';
import { t } from '../i18n';
import { AskReason } from './ask-reason';

interface Props {
  id: string;
  technician: string;
  target: string;
  onEnded: () => void;
  onClose: () => void;
}

/** Asks whether a session shall really end, and ends it. */
export function EndSession({ id, technician, target, onEnded, onClose }: Props) {
  return (
    <AskReason
      title={t('live.end.title')}
      lead={t('live.end.lead', { technician, target })}
      label={t('live.end.reason')}
      action={t('live.end.confirm')}
      danger
      onAnswer={async (reason) => {
        await api.endSession(id, reason);
        onEnded();
      }}
      onClose={onClose}
    />
  );
}
