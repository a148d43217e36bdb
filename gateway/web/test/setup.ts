import { speak } from '../src/i18n';

// Whatever the machine's own language is.
speak('en');
