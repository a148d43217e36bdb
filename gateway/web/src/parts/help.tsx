import { t, type Key } from '../i18n';
import { Dialog } from './dialog';

const ROWS: readonly (readonly [keys: readonly string[], text: Key])[] = [
  [['␣', 'K'], 'help.play'],
  [['←', '→'], 'help.arrows'],
  [['⇧ ←', '⇧ →'], 'help.shiftArrows'],
  [[',', '.'], 'help.step'],
  [['−', '+'], 'help.speed'],
  [['Home', 'End'], 'help.homeEnd'],
  [['0', '9'], 'help.digits'],
  [['P', 'N'], 'help.events'],
  [['I'], 'help.idle'],
  [['O'], 'help.overlay'],
  [['F'], 'help.fullscreen'],
  [['?'], 'help.help'],
];

/** Which key does what. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t('help.title')} onClose={onClose}>
      <dl class="shortcuts">
        {ROWS.map(([keys, text]) => (
          <div key={text}>
            <dt>{keys.map((key) => <kbd key={key}>{key === '␣' ? t('help.space') : key}</kbd>)}</dt>
            <dd>{t(text)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
