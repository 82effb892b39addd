// A browser that is watched: what goes wrong in its pages, and with whom they talk.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-default-apps', '--disable-dev-shm-usage',
];

/** Longer than anything takes; only a failure waits so long. */
export const LONG = 120_000;

export class Browser {
  static async start(executable, base) {
    const folder = await mkdtemp(join(tmpdir(), 'penstock-browser-'));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: executable, headless: true, args: ARGUMENTS, viewport: { width: 1400, height: 900 }, timeout: LONG,
    });
    return Object.assign(new Browser(), { folder, context, base, problems: [], hosts: new Set(), requests: 0 });
  }

  /** Opens a page of the server. */
  async open(path, options = {}) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(LONG);
    if (options.size) await page.setViewportSize(options.size);
    if (options.colorScheme) await page.emulateMedia({ colorScheme: options.colorScheme });
    page.on('console', (message) => {
      // A client gives up a connection that takes too long, and makes another.
      if (message.text().includes('closed before the connection is established')) return;
      if (['error', 'warning'].includes(message.type())) this.problems.push(`${path}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.problems.push(`${path}: ${error.stack}`));
    const note = (url) => {
      this.requests += 1;
      const { host, protocol } = new URL(url);
      if (protocol !== 'data:') this.hosts.add(host);
    };
    page.on('request', (request) => note(request.url()));
    page.on('requestfailed', (request) => {
      // A stream of events that the page has closed, or left, has not failed.
      if (!request.url().includes('/inspect/watch')) this.problems.push(`${request.url()}: ${request.failure()?.errorText}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`${response.url()}: status ${response.status()}`);
    });
    page.on('websocket', (socket) => note(socket.url()));
    await page.goto(this.base + path);
    return page;
  }

  /** Ends, and says what was wrong. */
  async end() {
    await this.context.close();
    await rm(this.folder, { recursive: true, force: true });
    const others = [...this.hosts].filter((host) => host !== new URL(this.base).host);
    if (others.length) throw new Error(`pages have asked other hosts: ${others.join(', ')}`);
    if (this.problems.length) throw new Error(`the console has:\n${this.problems.join('\n')}`);
    if (this.requests < 5) throw new Error(`only ${this.requests} requests were seen`);
  }
}

/** Waits until a condition on a page holds, asking again and again. */
export async function until(what, is) {
  const end = Date.now() + LONG;
  let last;
  while (Date.now() < end) {
    last = await is();
    if (last === true) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new Error(`${what} does not come; the last is ${JSON.stringify(last)}`);
}

/** Waits until a value is as expected. */
export const same = (what, get, expected) =>
  until(what, async () => {
    const value = await get();
    return JSON.stringify(value) === JSON.stringify(expected) || value;
  });
