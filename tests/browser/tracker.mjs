// The issue tracker of the example, on two pages with two panes each.

import { same, until } from './browser.mjs';

const SAMPLES = 14;

export async function tracker(browser, say) {
  const [first, second] = [await browser.open('/'), await browser.open('/')];
  const pane = (page, user) => page.locator(`.pane[data-user=${user}]`);
  const all = [first, second].flatMap((page) => [pane(page, 'ada'), pane(page, 'grace')]);
  const [adaHere, graceHere, adaThere, graceThere] = all;
  for (const each of all) await same('the issues at the start', () => each.locator('.issue').count(), SAMPLES);
  say('four clients show the issues');

  const title = 'Written on the first page';
  const issue = (of) => of.locator('.issue', { has: of.page().locator('.headline', { hasText: title }) });
  await adaHere.locator('.new input').fill(title);
  await adaHere.locator('.new button').click();
  for (const each of all) {
    await same('the new issue with its number', () => issue(each).locator('.number').allTextContents(), [`#${SAMPLES + 1}`]);
  }
  await until('how long the edit took', async () => /^[\d.]+ ms$/.test(await adaHere.locator('.latency').textContent()));
  say('a new issue is everywhere, with the number that the database gave it');

  const status = (of) => issue(of).locator('.mark').getAttribute('data-status');
  await issue(graceThere).locator('.mark').click();
  for (const each of all) await same('the status', () => status(each), 'doing');
  say('an edit on the second page is on the first');

  // What the database refuses is seen by nobody else, and taken back here.
  const headlines = (of) => of.locator('.headline').allTextContents();
  const before = await headlines(graceThere);
  await graceThere.page().evaluate(() => {
    window.sawEmpty = false;
    new MutationObserver(() => {
      window.sawEmpty ||= [...document.querySelectorAll('.headline')].some((each) => each.textContent === '(no title)');
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await adaHere.page().evaluate(() => {
    window.sawEmpty = false;
    new MutationObserver(() => {
      window.sawEmpty ||= [...document.querySelectorAll('.pane[data-user=ada] .headline')].some((each) => each.textContent === '(no title)');
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await issue(adaHere).locator('.headline').click();
  await issue(adaHere).locator('input.title').fill('   ');
  await issue(adaHere).locator('input.title').press('Enter');
  await until('the refusal', async () => (await adaHere.locator('.toasts').textContent()).includes('a title has 1 to 120 characters'));
  await same('the titles as they were', () => headlines(adaHere), before);
  await same('nothing that waits', async () => (await adaHere.locator('footer').textContent()).includes('wait'), false);
  if (!(await adaHere.page().evaluate(() => window.sawEmpty))) throw new Error('the edit was not shown before it was refused');
  if (await graceThere.page().evaluate(() => window.sawEmpty)) throw new Error('others have seen an edit that was refused');
  say('an edit that the database refuses is shown at once and taken back, and seen by nobody else');

  await issue(graceThere).locator('.headline').click();
  await issue(graceThere).locator('.say input').fill('Seen from the other side <b>.');
  await issue(graceThere).locator('.say button').click();
  await same('the comment', () => issue(adaHere).locator('.said p').allTextContents(), ['Grace · nowSeen from the other side <b>.']);
  await issue(graceThere).locator('button.tag[data-label=speed]').click();
  await same('the label', () => issue(adaHere).locator('.tags .tag').allTextContents(), ['speed']);
  await issue(adaHere).getByLabel('Assignee').selectOption('barbara');
  await same('the assignee', () => issue(graceThere).getByLabel('Assignee').inputValue(), 'barbara');
  say('comments, labels and fields go both ways');

  // Offline: edits wait, and others' are missed until it is over.
  await adaHere.locator('.network').click();
  await same('offline', () => adaHere.locator('.status').textContent(), 'offline');
  const renamed = `${title}, while offline`;
  await issue(adaHere).locator('input.title').fill(renamed);
  await issue(adaHere).locator('input.title').press('Enter');
  await until('an edit that waits', async () => (await adaHere.locator('footer').textContent()).includes('1 edit waits'));
  await issue(graceHere).locator('.mark').click();
  await same('the edit of the other pane', () => status(adaThere), 'done');
  await same('the status that the offline pane knows', () => status(adaHere), 'doing');
  await adaHere.locator('.network').click();
  for (const each of all) {
    await same('the title from offline', () => issue(each).locator('.headline').textContent(), renamed);
    await same('the status from meanwhile', () => status(each), 'done');
  }
  say('what was edited offline arrives, and what was missed');

  await graceHere.locator('[data-filter=done]').click();
  await until('only what is done', async () => {
    const marks = await graceHere.locator('.mark').evaluateAll((marks) => marks.map((mark) => mark.dataset.status));
    return (marks.length > 1 && marks.every((mark) => mark === 'done')) || marks;
  });
  await graceHere.locator('[data-filter=all]').click();
  say('a filter is another query');

  // Another program writes as much as is asked for.
  const shown = () => adaThere.locator('.issues').textContent();
  const still = await shown();
  await first.locator('[data-rate="50"]').click();
  await same('the switch on the other page', () => second.locator('[data-rate="50"]').getAttribute('aria-pressed'), 'true');
  await until('what another program writes', async () => (await shown()) !== still);
  await second.locator('[data-rate="0"]').click();
  await same('the switch', () => first.locator('[data-rate="0"]').getAttribute('aria-pressed'), 'true');
  // It may be at the end of one more write.
  const texts = () => Promise.all(all.map((each) => each.locator('.headline').allTextContents()));
  let last = '';
  await until('all the same', async () => {
    const now = await texts();
    const [one, ...others] = now.map((each) => JSON.stringify(each));
    const settled = one === last && others.every((other) => other === one);
    last = one;
    return settled || now;
  });
  say('writes by another program appear everywhere, and end when told to');

  // The trickle may have deleted or buried it: delete the first that there is.
  const victim = await adaHere.locator('.issue').first().getAttribute('data-id');
  const gone = adaHere.locator(`.issue[data-id="${victim}"]`);
  await gone.locator('.headline').click();
  await gone.locator('.remove').click();
  for (const each of all) await same('the deleted issue', () => each.locator(`.issue[data-id="${victim}"]`).count(), 0);
  say('a deleted issue is gone everywhere');
}
