// Clocks, and the lines in which a process hands over what it measured.

import {performance} from 'node:perf_hooks';

export const MICROS = 'µs/op';
export const BYTES = 'B';

/** What one process measured. */
export class Outcome {
  #lines = [];

  push(metric, value, unit) {
    this.#lines.push(`${metric}\t${value}\t${unit}`);
  }

  check(check) {
    this.#lines.push(`check\t${check}\trows:fnv1a32`);
  }

  toString() {
    return this.#lines.map(line => line + '\n').join('');
  }
}

/** Microseconds of CPU time of the process, all its threads together, since `start`. */
export function cpu(start = {user: 0, system: 0}) {
  const {user, system} = process.cpuUsage();
  return user - start.user + (system - start.system);
}

/** The CPU time of `work` in microseconds. */
export function timed(work) {
  const start = process.cpuUsage();
  work();
  return cpu(start);
}

/**
 * Hydrates once, then `count` times so that the code is compiled, then `count` times measured.
 * `hydrate` returns what takes the result down again, which is not measured.
 */
export function hydrations(outcome, count, hydrate) {
  let drop;
  const once = () => {
    const micros = timed(() => (drop = hydrate()));
    drop();
    return micros;
  };
  outcome.push('hydrate_cold_cpu', once(), MICROS);
  for (let i = 0; i < count; i++) once();
  let warm = 0;
  for (let i = 0; i < count; i++) warm += once();
  outcome.push('hydrate_warm_cpu', warm / count, MICROS);
}

/** Commits the transactions one by one; figures are per change. */
export function pushes(outcome, transactions, commit) {
  const changes = transactions.reduce((sum, transaction) => sum + transaction.length, 0);
  const perTransaction = changes / transactions.length;
  const laps = new Float64Array(transactions.length);
  const start = process.cpuUsage();
  let last = performance.now();
  for (let i = 0; i < transactions.length; i++) {
    commit(transactions[i]);
    const now = performance.now();
    laps[i] = now - last;
    last = now;
  }
  outcome.push('push_cpu', cpu(start) / changes, MICROS);
  laps.sort();
  for (const [name, share] of [['push_p50', 0.5], ['push_p99', 0.99]]) {
    const lap = laps[Math.round((laps.length - 1) * share)];
    outcome.push(name, (lap * 1000) / perTransaction, MICROS);
  }
}

/** Bytes of the heap in use after a collection; needs `node --expose-gc`. */
export function heapBytes() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
