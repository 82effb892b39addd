// A published Zero client for measurements: says when its queries are complete, and then of each callback
// of the first one when it came and which was the newest write that it showed. A write says its number in
// the column `modified`. When its input ends it says the ids that the first query shows, and ends.
//
// Its argument is {"server": URL, "schema": …, "queries": [{"ast": …, "format": …}, …]}.

import {Zero} from '@rocicorp/zero';
// Queries given as syntax trees: the package does not export the class, so it is taken by its path.
import {newQueryImpl} from './node_modules/@rocicorp/zero/out/zql/src/query/query-impl.js';

/** The `modified` of write 0. */
const EDITS_FROM = 1702000000000;

const {server, schema, queries} = JSON.parse(process.argv[2]);
const say = what => process.stdout.write(`${JSON.stringify(what)}\n`);
/** Microseconds on the clock that all processes of the machine share. */
const now = () => Number(process.hrtime.bigint() / 1000n);

// An error of a client that nobody awaits shows in what is missing.
process.on('unhandledRejection', error => process.stderr.write(`unhandled: ${error}\n`));

const began = now();
const zero = new Zero({server, schema, kvStore: 'mem', logLevel: 'error', userID: 'anon'});
let newest = -1;
let shown = [];
let missing = queries.length;

queries.forEach(({ast, format}, at) => {
  const view = zero.materialize(newQueryImpl(schema, ast.table, ast, format, 'client'));
  let isComplete = false;
  view.addListener((rows, type) => {
    const time = now();
    if (type === 'complete' && !isComplete) {
      isComplete = true;
      missing--;
      if (missing === 0) {
        say({complete_us: now() - began});
      }
    }
    if (at === 0) {
      const write = rows.reduce((most, row) => Math.max(most, row.modified - EDITS_FROM), -1);
      shown = rows.map(row => row.id);
      if (write > newest) {
        newest = write;
        say({write, at_us: time});
      }
    }
  });
});

process.stdin.resume();
process.stdin.on('end', async () => {
  say({shown});
  await zero.close();
  process.exit(0);
});
