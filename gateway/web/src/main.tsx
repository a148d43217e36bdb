import { render } from 'preact';

import { App } from './app';
import { takeOver } from './handed';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import './styles/player.css';
import { show, theme } from './theme';

show(theme());
const root = document.getElementById('app');
void takeOver().then(() => {
  if (root) render(<App />, root);
});
