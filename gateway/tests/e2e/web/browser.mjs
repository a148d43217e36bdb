// A browser that notices everything that must not happen, and what the parts have in common.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.E2E_MODULES}/`);
const { chromium } = require('playwright-core');
const { source: axe } = require('axe-core');

/** Machines that run these tests stall. */
export const LONG = 60_000;

export const check = (holds, message) => {
  if (!holds) throw new Error(message);
};

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Waits until something holds. */
export async function until(what, look) {
  for (const end = Date.now() + LONG; ; await pause(50)) {
    const found = await look();
    if (found) return found;
    check(Date.now() < end, `${what} did not happen`);
  }
}

/** Tells the test something, and waits until it has answered. */
export async function ask(question, answer) {
  writeFileSync(question, '');
  await until(`the answer ${answer}`, () => existsSync(answer));
}

/** A browser and what went wrong in it. */
export class Browser {
  static async start(base) {
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server'],
      timeout: LONG,
    });
    return new Browser(browser, base);
  }

  constructor(browser, base) {
    this.browser = browser;
    this.base = base;
    this.wrong = [];
    /** What the page may be refused because the test asks for it. */
    this.expected = [];
  }

  /** A page of somebody who has not logged in. */
  async page(options = {}) {
    const viewport = { width: 1280, height: 800 };
    const context = await this.browser.newContext({ ignoreHTTPSErrors: true, viewport, locale: 'en-GB', ...options });
    context.setDefaultTimeout(LONG);
    const page = await context.newPage();
    page.on('pageerror', error => this.wrong.push(`error: ${error.message}`));
    page.on('console', message => {
      const text = `${message.text()} ${message.location().url ?? ''}`;
      if (!['error', 'warning'].includes(message.type())) return;
      if (!this.expected.some(pattern => pattern.test(text))) this.wrong.push(`console: ${text}`);
    });
    context.on('request', request => {
      const { protocol, origin } = new URL(request.url());
      if (origin !== this.base && protocol !== 'blob:') this.wrong.push(`a request to ${request.url()}`);
    });
    // Also what is blocked silently.
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', event => {
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    return page;
  }

  async logIn(page, name) {
    await page.goto(this.base);
    await page.getByLabel('User name').fill(name);
    await page.getByLabel('Password', { exact: true }).fill(process.env.E2E_PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('navigation').waitFor();
  }

  /** What the rules for accessibility find wrong with what is shown. */
  async accessible(page, where) {
    await page.evaluate(axe);
    const broken = await page.evaluate(async () => {
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      const { violations } = await window.axe.run(document, { runOnly: tags });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => `${node.html} (${node.failureSummary})`).join('; ')}`);
    });
    this.wrong.push(...broken.map(text => `${where}: ${text}`));
  }

  async finish() {
    await this.browser.close();
    check(this.wrong.length === 0, this.wrong.join('\n'));
  }
}

/** Writes what the canvas shows to a file, all at once. */
export async function dump(page, file) {
  const data = await page.evaluate(() => {
    const shown = document.querySelector('canvas');
    const [width, height] = [Number(shown.dataset.width), Number(shown.dataset.height)];
    if (!width || !height) return null;
    const copy = new OffscreenCanvas(width, height);
    copy.getContext('2d').drawImage(shown, 0, 0);
    return copy.convertToBlob({ type: 'image/png' }).then(blob => new Promise(resolve => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(blob);
    }));
  });
  if (!data) return;
  writeFileSync(`${file}.new`, Buffer.from(data.split(',')[1], 'base64'));
  renameSync(`${file}.new`, file);
}
