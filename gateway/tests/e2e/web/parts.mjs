// Usage: parts.mjs PART URL RECORDING, with E2E_MODULES and E2E_PASSWORD in the environment.
import { existsSync } from 'node:fs';

import { ask, Browser, check, dump, pause, until } from './browser.mjs';

const [part, base, recording] = process.argv.slice(2);
const browser = await Browser.start(base);

async function reason(page, text) {
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  // Nothing is shown to those who do not say why.
  await dialog.getByRole('button', { name: 'Watch' }).click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('Reason').fill(text);
  await dialog.getByRole('button', { name: 'Watch' }).click();
}

/** A supervisor watches the session and ends it. */
async function watch() {
  const page = await browser.page();
  await page.goto(base);
  await browser.accessible(page, 'the log-in');
  browser.expected.push(/401.*login/);
  await page.getByLabel('User name').fill('chief');
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await browser.logIn(page, 'chief');
  await page.getByRole('link', { name: 'Live sessions' }).click();
  await page.getByRole('heading', { name: 'desk' }).waitFor();
  await browser.accessible(page, 'the sessions');
  await page.getByRole('link', { name: 'Watch' }).click();
  await reason(page, 'ticket 17');
  await page.locator('[data-phase=live]').waitFor();
  while (!existsSync('same')) {
    await dump(page, 'live.png');
    await pause(100);
  }
  await page.getByText(/^\d+\.\d s behind$/).waitFor();
  await browser.accessible(page, 'the running session');
  await page.screenshot({ path: 'live-page.png' });
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End session' }).click();
  await page.locator('[data-phase=ended]').waitFor();
  check(!(await page.getByRole('link', { name: 'Play the recording' }).isVisible()), 'a supervisor may not play recordings');
}

/** An auditor finds the recording, plays it and verifies it. */
async function play() {
  const page = await browser.page();
  await browser.logIn(page, 'erin');
  const found = page.getByRole('link', { name: /^Open the recording of alice at desk/ });
  await found.waitFor();
  await browser.accessible(page, 'the list');
  const search = async text => {
    await page.getByRole('searchbox').fill(text);
    await page.keyboard.press('Enter');
  };
  await search('nowhere');
  await page.getByText('No recording matches these filters.').waitFor();
  await search('desk');
  await found.waitFor();
  await page.getByText('Found in').waitFor({ state: 'attached' });
  await found.click();
  await page.getByRole('dialog').waitFor();
  await browser.accessible(page, 'the question why');
  await reason(page, 'ticket 18');

  const player = page.locator('main.viewer');
  const state = name => player.getAttribute(`data-${name}`);
  const number = async name => Number(await state(name));
  await until('the first picture', async () => (await number('shown')) >= 0);
  const chosen = page.getByLabel('Speed');
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  check((await chosen.inputValue()) === '4', 'the speed is not four times');
  await chosen.selectOption('16');
  // To the end, where the picture is the last that the technician saw.
  await until('the end', async () => (await state('playing')) === 'false' && (await state('waiting')) === 'false');
  await dump(page, 'last.png');
  const end = await number('time');
  const last = await number('shown');
  check(last > 0 && end >= last, `${last} of ${end}`);

  // Seeking by keys, by the time line, and picture by picture.
  await page.keyboard.press('Home');
  await until('the beginning', async () => (await number('time')) === 0 && (await number('shown')) < last);
  const first = await number('shown');
  await page.keyboard.press('.');
  await until('the second picture', async () => (await number('shown')) > first);
  await page.keyboard.press(',');
  await until('the first picture again', async () => (await number('shown')) === first);
  const line = await page.getByRole('slider').boundingBox();
  await page.mouse.click(line.x + line.width * 0.5, line.y + line.height / 2);
  await until('the middle', async () => Math.abs((await number('time')) - end / 2) < end / 50);
  await page.keyboard.press('End');
  await until('the end again', async () => (await number('shown')) === last);

  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Play or pause').waitFor();
  await browser.accessible(page, 'the help');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const idle = page.getByRole('button', { name: 'Skip idle time' });
  await page.keyboard.press('i');
  await until('idle time being skipped', async () => (await idle.getAttribute('aria-pressed')) === 'true');
  await page.getByRole('button', { name: /Connected to the machine/ }).click();
  await until('the jump to the event', async () => (await number('time')) < end);
  await page.getByRole('tab', { name: 'Details' }).click();
  await page.getByText('somebody ended it').waitFor();

  await page.getByRole('button', { name: 'Verify' }).click();
  await page.locator('[data-verdict=sealed]').waitFor();
  await page.screenshot({ path: 'player.png' });
  await ask('untouched', 'tampered');
  await page.getByRole('button', { name: 'Verify again' }).click();
  await page.locator('[data-verdict=tampered]').waitFor();
  await browser.accessible(page, 'the player');
  await other();
}

/** The same for others: dark, in French and on a phone; and those who may not. */
async function other() {
  const phone = await browser.page({ locale: 'fr-FR', colorScheme: 'dark', viewport: { width: 360, height: 740 } });
  await phone.goto(base);
  await phone.getByLabel('Nom d’utilisateur').fill('carol');
  await phone.getByLabel('Mot de passe', { exact: true }).fill(process.env.E2E_PASSWORD);
  await phone.keyboard.press('Enter');
  await phone.getByText('Vous ne pouvez pas consulter les enregistrements.').waitFor();
  await browser.accessible(phone, 'the refusal');
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  check(!wide, 'the page is wider than the phone');
  check((await phone.evaluate(() => document.documentElement.lang)) === 'fr', 'the page does not say that it is French');
  // Nor by going there directly.
  browser.expected.push(/40[34]/);
  await phone.goto(`${base}/recordings/${recording}`);
  await phone.getByRole('alert').waitFor();
  await phone.screenshot({ path: 'refused.png' });
  await phone.getByRole('button', { name: 'Se déconnecter' }).click();
  await phone.getByText('Vous êtes déconnecté.').waitFor();
  const kept = await phone.evaluate(() => `${JSON.stringify(sessionStorage)} ${JSON.stringify(localStorage)} ${document.cookie}`);
  check(!kept.includes('pat_'), `the token is still there: ${kept}`);
}

/** An auditor plays a copy on their own machine: nobody logs in, and nobody is asked why. */
async function open() {
  const page = await browser.page();
  await page.goto(`${base}/recordings/${recording}#token=${process.env.E2E_PASSWORD}`);
  const player = page.locator('main.viewer');
  await until('the first picture', async () => Number(await player.getAttribute('data-shown')) >= 0);
  check(!page.url().includes('token'), 'the token stays in the address');
  await page.getByText('Intact and sealed, signer unproven').waitFor();
  await until('all of it', async () => (await player.getAttribute('data-state')) === 'ready');
  await page.keyboard.press('End');
  while (!existsSync('same')) {
    await dump(page, 'opened.png');
    await pause(100);
  }
  await browser.accessible(page, 'the player');
  await page.screenshot({ path: 'opened-page.png' });
  await page.reload();
  await until('the first picture after a reload', async () => Number(await player.getAttribute('data-shown')) >= 0);
  await page.getByRole('navigation').getByRole('link', { name: 'Recordings' }).click();
  await page.getByRole('link', { name: /^Open the recording of alice at desk/ }).waitFor();
  await page.getByText('signer unproven').waitFor();
  await page.screenshot({ path: 'opened-list.png' });
  // What was printed before is no good.
  browser.expected.push(/401/);
  const late = await browser.page();
  await late.goto(`${base}/#token=AAAA`);
  await late.getByRole('heading', { name: 'This player is closed.' }).waitFor();
}

try {
  await { watch, play, open }[part]();
  await browser.finish();
} catch (error) {
  console.error(String(error.stack ?? error));
  console.error(browser.wrong.join('\n'));
  await browser.browser.close();
  process.exit(1);
}
