// Logs in with noVNC, types a line and keeps writing what it sees to a file.
// Usage: novnc.mjs URL LINE OUT.png, with E2E_MODULES, E2E_USERNAME and E2E_PASSWORD in the environment.
import { createRequire } from 'node:module';
import { renameSync, writeFileSync } from 'node:fs';

const require = createRequire(`${process.env.E2E_MODULES}/`);
const { chromium } = require('playwright-core');
const [url, line, out] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server'],
});
const page = await browser.newPage({ viewport: { width: 1000, height: 700 } });
page.on('pageerror', error => console.error('page:', error.message));
page.on('console', message => console.error('console:', message.text()));
await page.goto(url);
await page.waitForFunction(() => window.ready);
const credentials = { username: process.env.E2E_USERNAME, password: process.env.E2E_PASSWORD };
await page.evaluate(credentials => window.start(credentials), credentials);
try {
  await page.waitForFunction(() => window.events.length > 0, null, { timeout: 20000 });
  const events = await page.evaluate(() => window.events);
  if (!events[0].startsWith('connect ')) throw new Error(events.join(', '));
  await page.waitForTimeout(700);
  await page.click('canvas');
  await page.keyboard.type(line, { delay: 30 });
  await page.keyboard.press('Enter');
  for (;;) {
    await page.waitForTimeout(300);
    const data = await page.evaluate(() => document.querySelector('canvas').toDataURL('image/png'));
    writeFileSync(`${out}.new`, Buffer.from(data.split(',')[1], 'base64'));
    renameSync(`${out}.new`, out);
  }
} catch (error) {
  console.error(String(error));
  console.error((await page.evaluate(() => window.events)).join('\n'));
} finally {
  await browser.close();
}
process.exit(1);
