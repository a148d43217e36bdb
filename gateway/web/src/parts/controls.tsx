import { clock } from '../format';
import { t } from '../i18n';
import { SPEEDS } from '../player/keys';
import { Icon, type IconName } from './icon';

interface Props {
  playing: boolean;
  ended: boolean;
  time: number;
  duration: number;
  speed: number;
  skipIdle: boolean;
  overlay: boolean;
  fullscreen: boolean;
  onToggle: () => void;
  onStep: (by: 1 | -1) => void;
  onSpeed: (speed: number) => void;
  onSkipIdle: () => void;
  onOverlay: () => void;
  onFullscreen: () => void;
  onHelp: () => void;
}

/** The buttons below the picture. */
export function Controls(props: Props) {
  const { playing, ended, time, duration, speed } = props;
  return (
    <div class="controls">
      <Button
        icon={playing ? 'pause' : ended ? 'replay' : 'play'}
        label={t(playing ? 'player.pause' : ended ? 'player.replay' : 'player.play')}
        keys="Space"
        primary
        onClick={props.onToggle}
      />
      <Button icon="stepBack" label={t('player.stepBack')} keys="," onClick={() => props.onStep(-1)} />
      <Button icon="stepForward" label={t('player.stepForward')} keys="." onClick={() => props.onStep(1)} />
      <span class="time"><b>{clock(time, !playing)}</b> / {clock(duration)}</span>
      <span class="controls-gap" />
      <label class="speed" title={`${t('player.speed')} (+ −)`}>
        <span class="hidden">{t('player.speed')}</span>
        <select class="switch" value={String(speed)} onChange={(event) => props.onSpeed(Number(event.currentTarget.value))}>
          {SPEEDS.map((each) => <option key={each} value={String(each)}>{each.toLocaleString()} ×</option>)}
        </select>
      </label>
      <Button icon="skip" label={t('player.skipIdle')} keys="I" pressed={props.skipIdle} onClick={props.onSkipIdle} />
      <Button icon="pointer" label={t('player.overlay')} keys="O" pressed={props.overlay} onClick={props.onOverlay} />
      <Button icon="help" label={t('player.help')} keys="?" forKeyboards onClick={props.onHelp} />
      <Button
        icon={props.fullscreen ? 'shrink' : 'fullscreen'}
        label={t(props.fullscreen ? 'player.fullscreen.exit' : 'player.fullscreen')}
        keys="F"
        onClick={props.onFullscreen}
      />
    </div>
  );
}

interface ButtonProps {
  icon: IconName;
  label: string;
  keys: string;
  pressed?: boolean;
  primary?: boolean;
  /** It is of no use on a phone. */
  forKeyboards?: boolean;
  onClick: () => void;
}

function Button({ icon, label, keys, pressed, primary, forKeyboards, onClick }: ButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button${primary ? ' icon-button-primary' : ''}${forKeyboards ? ' for-keyboards' : ''}`}
      aria-label={label}
      aria-pressed={pressed}
      title={`${label} (${keys === 'Space' ? t('help.space') : keys})`}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
