// Usage: player.mjs URL RECORDING SEEKS, with MODULES (where playwright-core is), USER_NAME and PASSWORD in the environment.
// Prints what it measured as JSON. Times are in milliseconds.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.MODULES}/`);
const { chromium } = require('playwright-core');

const [base, recording, seeks] = process.argv.slice(2);
const LONG = 60_000;

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

async function until(what, look) {
  for (const end = Date.now() + LONG; ; await pause(10)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not happen`);
  }
}

/** In the worker that draws: notes when it draws, and when it could. */
function listen() {
  const moment = () => performance.timeOrigin + performance.now();
  self.drawn = [];
  self.ticks = 0;
  const context = OffscreenCanvasRenderingContext2D.prototype;
  const draw = context.putImageData;
  context.putImageData = function (...parts) {
    draw.apply(this, parts);
    self.drawn.push(moment());
  };
  const frame = self.requestAnimationFrame;
  self.requestAnimationFrame = callback => frame(now => {
    self.ticks += 1;
    callback(now);
  });
}

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server'],
  timeout: LONG,
});
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
  context.setDefaultTimeout(LONG);
  const page = await context.newPage();
  const worker = new Promise(resolve => page.once('worker', async found => {
    await found.evaluate(listen);
    resolve(found);
  }));
  await page.addInitScript(() => {
    const asked = () => {
      window.asked = performance.timeOrigin + performance.now();
    };
    addEventListener('pointerdown', asked, true);
    addEventListener('keydown', asked, true);
  });
  await page.goto(base);
  await page.getByLabel('User name').fill(process.env.USER_NAME);
  await page.getByLabel('Password', { exact: true }).fill(process.env.PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation').waitFor();
  // Within the page, as a link leads there, for the login is the tab's.
  await page.evaluate(to => {
    history.pushState(null, '', to);
    dispatchEvent(new PopStateEvent('popstate'));
  }, `/recordings/${recording}`);
  const dialog = page.getByRole('dialog');
  // It starts while somebody says why; later, the first pictures would be drawn unseen.
  const drawing = await worker;
  await dialog.getByLabel('Reason').fill('to measure how long it takes');
  await dialog.getByRole('button', { name: 'Watch' }).click();

  const player = page.locator('main.viewer');
  const state = name => player.getAttribute(`data-${name}`);
  /** From what was asked for last to the picture, once that stays. */
  const picture = async since => {
    const look = () => drawing.evaluate(from => self.drawn.filter(at => at >= from), since);
    const end = Date.now() + LONG;
    for (let before = -1; ; await pause(60)) {
      const drawn = await look();
      if (drawn.length > 0 && drawn.length === before && (await state('waiting')) === 'false') return drawn.at(-1) - since;
      before = drawn.length;
      // The same picture as before is not drawn again.
      if (drawn.length === 0 && (await state('waiting')) === 'false' && Date.now() > end - LONG + 2000) return null;
      if (Date.now() > end) throw new Error('nothing was drawn');
    }
  };
  const asked = () => page.evaluate(() => window.asked);

  const began = await asked();
  const first = await until('the first picture', () => drawing.evaluate(() => self.drawn[0])) - began;
  if ((await state('playing')) === 'true') await page.keyboard.press('k');
  await until('the pause', async () => (await state('playing')) === 'false');

  const line = await page.getByRole('slider').first().boundingBox();
  const sought = [];
  let random = 1;
  for (let count = 0; count < Number(seeks); count += 1) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    await page.mouse.click(line.x + (line.width - 1) * (random / 2 ** 32), line.y + line.height / 2);
    const took = await picture(await asked());
    if (took !== null) sought.push(took);
  }

  const played = [];
  for (const [speed, seconds] of [['1', 6], ['16', 2]]) {
    await page.keyboard.press('Home');
    await page.getByLabel('Speed').selectOption(speed);
    await player.focus();
    await until('the beginning', async () => (await state('waiting')) === 'false' && (await state('time')) === '0');
    // To where something happens.
    await page.keyboard.press('.');
    const begin = await until('another picture', async () => (await state('waiting')) === 'false' && Number(await state('time')));
    const count = () => drawing.evaluate(() => [self.drawn.length, self.ticks, performance.now()]);
    await page.keyboard.press('k');
    await until('playing', async () => Number(await state('time')) > begin);
    const [from, before] = [Number(await state('time')), await count()];
    await pause(seconds * 1000);
    const [to, after] = [Number(await state('time')), await count()];
    await page.keyboard.press('k');
    await until('the pause', async () => (await state('playing')) === 'false');
    const [drawn, ticks, ms] = after.map((value, index) => value - before[index]);
    played.push({ speed: Number(speed), from, to, seconds: ms / 1000, drawn, ticks });
  }
  console.log(JSON.stringify({ first, sought, played }));
} finally {
  await browser.close();
}
