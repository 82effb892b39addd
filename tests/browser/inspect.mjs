// The page for operators.

import { same, until } from './browser.mjs';

export async function inspect(browser, say) {
  const tracker = await browser.open('/');
  await until('issues', async () => (await tracker.locator('.pane[data-user=grace] .issue').count()) === 14);
  const page = await browser.open('/inspect');
  await same('the state', () => page.locator('#state').textContent(), 'live');
  await same('the client groups', () => page.locator('.group h3 code').allTextContents().then((all) => all.sort()), ['ada', 'grace']);
  await same('the number of connections', () => page.locator('.counter .value').first().textContent(), '2');
  const issues = page.locator('.group').first().locator('.query', { hasText: 'issue with' });
  await until('the rows of a query', async () => Number(await issues.locator('.figure b').first().textContent()) >= 14);
  await issues.locator('summary').click();
  await until('operators', async () => (await issues.locator('.tree .head').first().textContent()).includes('root issue'));
  await same('the order', () => issues.locator('.tree dd').first().textContent(), '26');
  say('groups, queries and operators are shown');

  const ask = async (text) => {
    await page.locator('#query').fill(text);
    await page.locator('#console .primary').click();
  };
  const rows = () => page.locator('#result tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  await ask("SELECT status, count(*) AS n FROM issue GROUP BY status ORDER BY status");
  await same('the result', rows, [['doing', '4'], ['done', '3'], ['todo', '7']]);
  // The sample with the number 2 is to do; now somebody does it.
  const issue = tracker.locator('.pane[data-user=ada] .issue[data-id=sample-02] .mark');
  await same('the status', () => issue.getAttribute('data-status'), 'todo');
  await issue.click();
  await same('the changed result', rows, [['doing', '5'], ['done', '3'], ['todo', '6']]);
  await same('the rows that flash', () => page.locator('#result tr.flash').count(), 2);
  await until('how often it has changed', async () => (await page.locator('#watching').textContent()).includes('1 change'));
  await page.locator('#plan summary').click();
  await until('the operators of the query', async () => (await page.locator('#plan .tree').textContent()).includes('issue'));
  say('the console shows a result in SQL and its change');

  await ask(JSON.stringify({ table: 'user', orderBy: [['name', 'desc']], limit: 2 }));
  await same('the result of an AST', rows, [['grace', 'Grace'], ['edsger', 'Edsger']]);
  await ask("SELECT id, ARRAY(SELECT body FROM comment WHERE comment.issue_id = issue.id ORDER BY created) AS said FROM issue WHERE number = 2");
  await until('a nested list', async () => (await page.locator('#result td table tr').allTextContents()).length === 2);
  await ask('SELECT nothing FROM nowhere');
  await until('what is wrong', async () => /nowhere/.test(await page.locator('#failure').textContent()));
  await same('no result', () => page.locator('#result').isVisible(), false);
  await page.locator('#tables button', { hasText: /^label$/ }).click();
  await until('the rows of a table', async () => (await rows()).length === 5);
  await page.locator('#stop').click();
  await same('the end', () => page.locator('#watching').textContent(), 'stopped');
  say('ASTs, nested lists, faults and tables are shown');

  await tracker.close();
  await until('that nobody is connected', async () => (await page.locator('.counter .value').first().textContent()) === '0');
  say('who goes is not shown any more');
}
