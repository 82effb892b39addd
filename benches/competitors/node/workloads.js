// What each workload does, for any engine that keeps tables and live results.
//
// An engine is `{fill(data, indexed), hydrate(query, argument), commit(changes)}`:
// - `fill` makes its tables and puts the rows in; `indexed` says that what follows are hydrations,
//   for an engine that has a choice;
// - `hydrate` makes a query live and returns `{data(), destroy()}`;
// - `commit` is one transaction, after which every live result has been updated.
// Beside it stands `cannot`, a map from workloads to why the engine has no such thing.

import {commentAdds, issueEdits, labelToggles, userId} from './data.js';
import {Check} from './check.js';
import {BYTES, MICROS, Outcome, heapBytes, hydrations, pushes, timed} from './measure.js';

const EDITS = 10_000;
const ADDS = 10_000;
const TOGGLES = 5_000;
const FEW_EDITS = 1_000;
const COPIES = 1_000;

const hydrated = (query, count) => ({query, count, run: hydrate});
const live = (query, changes, extra) => ({query, changes, run: push, ...extra});
const edits = count => data => issueEdits(data, count);
const adds = data => commentAdds(data, ADDS);
const owners = queries => ({queries, run: pushOwners});

export const WORKLOADS = {
  load: {run: load},
  W0: {changes: edits(EDITS), run: push},
  W1: hydrated('list', 200),
  W1b: hydrated('open', 5),
  W2: hydrated('tree', 50),
  W3: hydrated('labelled', 10),
  W4: live('list', edits(EDITS)),
  W4b: live('tree', edits(EDITS)),
  W4c: live('tree', adds),
  W4d: live('open', edits(EDITS)),
  W4d100: live('open', edits(EDITS), {batch: 100}),
  W5q10: owners(10),
  W5q100: owners(100),
  W5q1000: owners(1_000),
  W5q10000: owners(10_000),
  W6: live('list', edits(FEW_EDITS), {copies: COPIES}),
  W7: {query: 'discussed', run: bytes},
  W8: live('anyOfThree', edits(EDITS)),
  W8b: live('anyOfThree', data => labelToggles(data, TOGGLES)),
  W9: live('byOwner', edits(EDITS), {columns: ['ownerId', 'issues', 'effort']}),
  W10: live('openDiscussion', edits(EDITS), {columns: ['comments']}),
  W10c: live('openDiscussion', adds, {columns: ['comments']}),
  W11: live('mostDiscussed', adds, {columns: ['id', 'commentCount']}),
};

function checked(views, columns) {
  const check = new Check();
  for (const view of views) {
    if (columns) {
      for (const row of view.data()) check.entry(columns.map(name => row[name]).join('|'));
    } else {
      check.tree(view.data());
    }
  }
  return check;
}

function load(engine, data) {
  const outcome = new Outcome();
  const rows = ['user', 'label', 'issue', 'comment', 'issueLabel'];
  const count = rows.reduce((sum, table) => sum + data[table].length, 0);
  outcome.push('load_cpu', timed(() => engine.fill(data)) / count, 'µs/row');
  return outcome;
}

function hydrate(engine, data, {query, count}) {
  engine.fill(data, true);
  const outcome = new Outcome();
  hydrations(outcome, count, () => {
    const view = engine.hydrate(query);
    view.data();
    return () => view.destroy();
  });
  outcome.check(checked([engine.hydrate(query)]));
  return outcome;
}

function push(engine, data, {query, changes, batch = 1, copies = 1, columns}) {
  engine.fill(data);
  const outcome = new Outcome();
  const stream = changes(data);
  const transactions = [];
  for (let i = 0; i < stream.length; i += batch) transactions.push(stream.slice(i, i + batch));
  const count = query ? copies : 0;
  const views = Array.from({length: count}, () => engine.hydrate(query));
  pushes(outcome, transactions, transaction => engine.commit(transaction));
  outcome.check(checked(views, columns));
  return outcome;
}

function pushOwners(engine, data, {queries}) {
  engine.fill(data);
  const outcome = new Outcome();
  const views = [];
  const micros = timed(() => {
    for (let q = 0; q < queries; q++) {
      views.push(engine.hydrate('ofOwner', userId(q % data.sizes.users)));
    }
  });
  outcome.push('hydrate_per_query_cpu', micros / queries, MICROS);
  const transactions = issueEdits(data, FEW_EDITS).map(change => [change]);
  pushes(outcome, transactions, transaction => engine.commit(transaction));
  outcome.check(checked(views));
  return outcome;
}

function bytes(engine, data, {query}) {
  const outcome = new Outcome();
  const rows = ['user', 'label', 'issue', 'comment', 'issueLabel'];
  const count = rows.reduce((sum, table) => sum + data[table].length, 0);
  // The rows themselves are counted: the tables get copies.
  const start = heapBytes();
  const copies = {sizes: data.sizes};
  for (const table of rows) copies[table] = data[table].map(row => structuredClone(row));
  engine.fill(copies, true);
  for (const table of rows) copies[table] = null;
  outcome.push('bytes_per_source_row', (heapBytes() - start) / count, BYTES);
  // Leaves the indexes behind, so that they do not count as the view's.
  engine.hydrate(query).destroy();
  const before = heapBytes();
  const view = engine.hydrate(query);
  const after = heapBytes();
  const check = checked([view]);
  const entries = Number(String(check).split(':')[0]);
  outcome.push('bytes_per_view_entry', (after - before) / entries, BYTES);
  outcome.check(check);
  return outcome;
}
