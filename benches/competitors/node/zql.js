// ZQL, the engine of Zero: its memory source, pipelines and array views, as a client of Zero uses
// them. The package does not export them, so they are imported by path; the version is pinned.

import {buildPipeline} from './node_modules/@rocicorp/zero/out/zql/src/builder/builder.js';
import {ArrayView} from './node_modules/@rocicorp/zero/out/zql/src/ivm/array-view.js';
import {MemorySource} from './node_modules/@rocicorp/zero/out/zql/src/ivm/memory-source.js';
import {MemoryStorage} from './node_modules/@rocicorp/zero/out/zql/src/ivm/memory-storage.js';
import {
  makeSourceChangeAdd,
  makeSourceChangeEdit,
  makeSourceChangeRemove,
} from './node_modules/@rocicorp/zero/out/zql/src/ivm/source.js';
import {newQuery} from './node_modules/@rocicorp/zero/out/zql/src/query/query-impl.js';

const string = {type: 'string'};
const number = {type: 'number'};
const boolean = {type: 'boolean'};

const TABLES = {
  user: {columns: {id: string, name: string, role: string}, primaryKey: ['id']},
  label: {columns: {id: string, name: string}, primaryKey: ['id']},
  issue: {
    columns: {
      id: string,
      title: string,
      open: boolean,
      modified: number,
      created: number,
      ownerId: string,
      priority: number,
    },
    primaryKey: ['id'],
  },
  comment: {
    columns: {id: string, issueId: string, authorId: string, created: number, body: string},
    primaryKey: ['id'],
  },
  issueLabel: {columns: {issueId: string, labelId: string}, primaryKey: ['issueId', 'labelId']},
};

const hop = (sourceField, destSchema, destField, cardinality = 'many') => ({
  sourceField: [sourceField],
  destSchema,
  destField: [destField],
  cardinality,
});

const SCHEMA = {
  tables: TABLES,
  relationships: {
    issue: {
      owner: [hop('ownerId', 'user', 'id', 'one')],
      labels: [hop('id', 'issueLabel', 'issueId'), hop('labelId', 'label', 'id')],
      comments: [hop('id', 'comment', 'issueId')],
    },
  },
};

const issues = () => newQuery(SCHEMA, 'issue').orderBy('modified', 'desc');
const open = () => issues().where('open', true);
const labelled = label => label.where('name', 'label-07');

const QUERIES = {
  list: () => open().limit(100),
  open,
  tree: () =>
    open()
      .limit(100)
      .related('owner')
      .related('labels')
      .related('comments', comment => comment.orderBy('created', 'desc').limit(10)),
  labelled: () => issues().whereExists('labels', labelled).limit(100),
  ofOwner: owner => issues().where('ownerId', owner).limit(50),
  discussed: () => open().related('comments', comment => comment.orderBy('created', 'desc')),
  anyOfThree: () =>
    issues()
      .where(({or, cmp, exists}) =>
        or(cmp('priority', 0), cmp('ownerId', 'u0007'), exists('labels', labelled)),
      )
      .limit(100),
};

const sources = new Map();
const views = new Set();
let seen = 0;

const delegate = {
  getSource: name => sources.get(name),
  createStorage: () => new MemoryStorage(),
  decorateInput: input => input,
  decorateSourceInput: input => input,
  decorateFilterInput: input => input,
  addEdge() {},
};

function run(stream) {
  for (const _ of stream) {
    // Sources push as they are drawn from.
  }
}

function sourceChange({row, old}) {
  if (!old) return makeSourceChangeAdd(row);
  return row ? makeSourceChangeEdit(row, old) : makeSourceChangeRemove(old);
}

export const engine = {
  fill(data) {
    for (const [name, {columns, primaryKey}] of Object.entries(TABLES)) {
      const source = new MemorySource(name, columns, primaryKey);
      sources.set(name, source);
      for (const row of data[name]) run(source.push(makeSourceChangeAdd(row)));
    }
  },

  hydrate(name, argument) {
    const query = QUERIES[name](argument);
    const input = buildPipeline(query.ast, delegate, name);
    const view = new ArrayView(input, query.format, true, () => {});
    view.onDestroy = () => input.destroy();
    // Called with the whole result after each transaction that changed it.
    view.addListener(() => seen++);
    views.add(view);
    return {
      data: () => view.data,
      destroy() {
        views.delete(view);
        view.destroy();
      },
    };
  },

  commit(changes) {
    for (const change of changes) run(sources.get(change.table).push(sourceChange(change)));
    for (const view of views) view.flush();
  },
};

const noAggregates = 'ZQL has no aggregates';

export const cannot = {
  W9: noAggregates,
  W10: noAggregates,
  W10c: noAggregates,
  W11: noAggregates,
};
