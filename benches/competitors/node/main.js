// One workload by one engine, in this process: node main.js --engine zql --workload W4
// --sizes users,issues,comments,labels,issueLabels. Prints what it measured, a line a figure.

import {parseArgs} from 'node:util';
import {generate} from './data.js';
import {WORKLOADS} from './workloads.js';

const {values} = parseArgs({
  options: {
    engine: {type: 'string'},
    workload: {type: 'string'},
    sizes: {type: 'string'},
  },
});

const [users, issues, comments, labels, issueLabels] = values.sizes.split(',').map(Number);
const module = {zql: './zql.js', 'tanstack-db': './tanstack.js'}[values.engine];
const {engine, cannot} = await import(module);
const reason = cannot[values.workload];
if (reason) {
  process.stdout.write(`cannot\t${reason}\t\n`);
} else {
  const workload = WORKLOADS[values.workload];
  const data = generate({users, issues, comments, labels, issueLabels});
  process.stdout.write(String(workload.run(engine, data, workload)));
}
