// Pictures of the pages, for people.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from './browser.mjs';

const SIZES = [{ width: 1400, height: 900 }, { width: 420, height: 900 }];

/** No page is wider than its window. */
async function fits(page, what) {
  const [is, may] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  if (is > may) throw new Error(`${what} is ${is} wide in a window of ${may}`);
}

export async function looks(browser, say, folder) {
  if (folder) await mkdir(folder, { recursive: true });
  for (const size of SIZES) {
    for (const colorScheme of ['light', 'dark']) {
      const shoot = async (page, name) => {
        await fits(page, `${name} at ${size.width}`);
        if (folder) await page.screenshot({ path: join(folder, `${name}-${size.width}-${colorScheme}.png`) });
      };
      const tracker = await browser.open('/', { size, colorScheme });
      const [ada, grace] = ['ada', 'grace'].map((user) => tracker.locator(`.pane[data-user=${user}]`));
      await until('issues', async () => (await grace.locator('.issue').count()) >= 14);
      await ada.locator('.issue[data-id=sample-02] .headline').click();
      await grace.locator('.issue[data-id=sample-09] .mark').click();
      await until('the answer', async () => (await grace.locator('.latency').textContent()) !== '');
      await ada.locator('.issue[data-id=sample-02] input.title').fill(' ');
      await ada.locator('.issue[data-id=sample-02] input.title').press('Enter');
      await until('a refusal', async () => (await ada.locator('.toasts p').count()) > 0);
      await shoot(tracker, 'tracker');
      await until('the end of the notice', async () => (await ada.locator('.toasts p').count()) === 0);
      await shoot(tracker, 'tracker-quiet');
      const page = await browser.open('/inspect', { size, colorScheme });
      await until('a group', async () => (await page.locator('.group').count()) >= 2);
      await page.locator('#query').fill('SELECT number, title, status, assignee FROM issue ORDER BY created DESC LIMIT 8');
      await page.locator('#console .primary').click();
      await until('rows', async () => (await page.locator('#result tbody tr').count()) === 8);
      await page.locator('.query summary').first().click();
      await grace.locator('.issue[data-id=sample-14] .mark').click();
      await until('some points', async () => (await page.locator('.counter path.line').first().getAttribute('d')).split('L').length > 4);
      await shoot(page, 'inspect');
      await tracker.close();
      await page.close();
    }
  }
  say('the pages fit their windows, wide and narrow, light and dark');
}
