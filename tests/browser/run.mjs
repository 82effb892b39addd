// node run.mjs SCENARIO BASE CHROMIUM [FOLDER]: drives a browser against a server that runs already.
// Prints a line for each thing that held; ends with an error at the first that does not.

import { Browser } from './browser.mjs';
import { inspect } from './inspect.mjs';
import { looks } from './looks.mjs';
import { tracker } from './tracker.mjs';

const [name, base, executable, folder] = process.argv.slice(2);
const scenario = { inspect, looks, tracker }[name];
// Whatever hangs, ends.
setTimeout(() => { console.error('it takes too long'); process.exit(2); }, 600_000).unref();

const browser = await Browser.start(executable, base);
try {
  await scenario(browser, (line) => console.log(`ok: ${line}`), folder);
} catch (error) {
  console.error(error.stack);
  if (browser.problems.length) console.error(`the console has:\n${browser.problems.join('\n')}`);
  await browser.context.close();
  process.exit(1);
}
await browser.end();
console.log('ok: no faults in the console, no requests to other hosts');
