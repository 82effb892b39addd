// Runs published Zero clients on behalf of a test: commands come as JSON lines on standard input,
// answers go as JSON lines to standard output. It ends when its input ends.
//
// A command is {"id": n, "do": name, "client": name, …}; its answer {"id": n, "ok": …} or
// {"id": n, "error": text}. Commands run side by side; those that wait say for how long at most.

import {createInterface} from 'node:readline';

import {defineMutator, defineMutators, Zero} from '@rocicorp/zero';
// Queries given as syntax trees: the package does not export the class, so it is taken by its path.
import {newQueryImpl} from './node_modules/@rocicorp/zero/out/zql/src/query/query-impl.js';

/** The clients by the names that the test gave them. */
const clients = new Map();

/** The one custom mutator: it does what its arguments list, here as at the application's endpoint. */
const mutators = defineMutators({
  apply: defineMutator(async ({tx, args}) => {
    for (const {op, table, value} of args.ops ?? []) {
      await tx.mutate[table][op](value);
    }
    if (args.throwHere) {
      throw new Error(args.throwHere);
    }
  }),
});

/** Something that changes, and that commands wait for. */
class Changing {
  version = 0;
  #waiting = new Set();

  changed() {
    this.version++;
    for (const wake of [...this.#waiting]) {
      wake();
    }
  }

  /** Resolves once `done()` holds, or after `within` milliseconds; says whether it holds. */
  until(done, within) {
    if (done() || !within) {
      return Promise.resolve(done());
    }
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(done());
      };
      const wake = () => done() && end();
      const timer = setTimeout(end, within);
      this.#waiting.add(wake);
    });
  }
}

/** A view's data as plain JSON. What is undefined where a column should be stays visible. */
function shaped(data, format) {
  if (format.singular) {
    return data === undefined ? null : entry(data, format);
  }
  return data.map(row => entry(row, format));
}

function entry(row, format) {
  const plain = {};
  for (const [name, value] of Object.entries(row)) {
    const related = format.relationships[name];
    if (!related) {
      plain[name] = value === undefined ? {undefined: true} : value;
    }
  }
  for (const [name, related] of Object.entries(format.relationships)) {
    plain[name] = shaped(row[name], related);
  }
  return plain;
}

/** A materialised query with everything that it has shown. */
class View extends Changing {
  constructor(zero, query, format, ttl) {
    super();
    this.shown = [];
    this.view = zero.materialize(query, ttl === undefined ? undefined : {ttl});
    this.view.addListener((data, type, error) => {
      const state = JSON.stringify({data: shaped(data, format), type, error: described(error)});
      if (this.shown.at(-1) !== state) {
        this.shown.push(state);
        this.changed();
      }
    });
  }

  get state() {
    return {...JSON.parse(this.shown.at(-1)), version: this.version};
  }
}

function described(error) {
  if (error === undefined || error === null) {
    return null;
  }
  return error instanceof Error ? {message: error.message, name: error.name} : error;
}

class Client extends Changing {
  views = new Map();
  mutations = new Map();
  states = [];
  logs = [];
  updateNeeded = [];
  stateNotFound = 0;

  constructor({custom, ...options}) {
    super();
    this.schema = options.schema;
    this.zero = new Zero({
      kvStore: 'mem',
      logLevel: 'warn',
      ...options,
      ...(custom ? {mutators} : {}),
      logSink: {
        log: (level, _context, ...args) => {
          this.logs.push(`${level}: ${args.map(textOf).join(' ')}`);
        },
      },
      onUpdateNeeded: reason => {
        this.updateNeeded.push(reason);
        this.changed();
      },
      onClientStateNotFound: () => {
        this.stateNotFound++;
        this.changed();
      },
    });
    const {state} = this.zero.connection;
    this.states.push(state.current);
    state.subscribe(now => {
      this.states.push(now);
      this.changed();
    });
  }

  get state() {
    return this.states.at(-1);
  }

  view(name) {
    const view = this.views.get(name);
    if (!view) {
      throw new Error(`no view is named ${name}`);
    }
    return view;
  }

  /** Keeps what becomes of a mutation under a name. */
  track(name, {client, server}) {
    const mutation = {client: null, server: null};
    const settle = (side, promise) =>
      promise?.then(
        result => this.#settle(mutation, side, result ?? {type: 'success'}),
        error => this.#settle(mutation, side, {type: 'thrown', error: described(error)}),
      );
    settle('client', client);
    settle('server', server);
    this.mutations.set(name, mutation);
  }

  #settle(mutation, side, result) {
    mutation[side] = result;
    this.changed();
  }
}

function textOf(value) {
  if (value instanceof Error) {
    return value.message;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function client({client}) {
  const found = clients.get(client);
  if (!found) {
    throw new Error(`no client is named ${client}`);
  }
  return found;
}

const commands = {
  /** Makes a client: `options` are those of `Zero`; `custom` gives it the custom mutator. */
  async open({client, options}) {
    const opened = new Client(options);
    clients.set(client, opened);
    return {clientID: opened.zero.clientID, clientGroupID: await opened.zero.clientGroupID};
  },

  /** Materialises a query: `ast` and `format`, and `named` with its name and arguments if it is one. */
  view(command) {
    const {view, ast, format, ttl, named} = command;
    const {zero, schema, views} = client(command);
    let query = newQueryImpl(schema, ast.table, ast, format, 'client');
    if (named) {
      query = query.nameAndArgs(named.name, named.args);
    }
    views.set(view, new View(zero, query, format, ttl));
    return views.get(view).state;
  },

  /** What a view shows, once its version is beyond `after`. */
  async read(command) {
    const view = client(command).view(command.view);
    await view.until(() => view.version > (command.after ?? 0), command.within);
    return view.state;
  },

  /** Everything that a view has shown. */
  shown: command => client(command).view(command.view).shown.map(state => JSON.parse(state)),

  destroy(command) {
    const of = client(command);
    of.view(command.view).view.destroy();
    of.views.delete(command.view);
    return null;
  },

  ttl: command => client(command).view(command.view).view.updateTTL(command.ttl) ?? null,

  /** Writes rows: one operation by itself, several as a batch. */
  crud(command) {
    const of = client(command);
    const [first, ...more] = command.ops;
    let result;
    if (more.length === 0) {
      result = of.zero.mutate[first.table][first.op](first.value);
    } else {
      result = of.zero.mutateBatch(async tx => {
        for (const {op, table, value} of command.ops) {
          await tx[table][op](value);
        }
      });
    }
    of.track(command.mutation, {client: result?.client ?? result, server: result?.server});
    return null;
  },

  /** Calls the custom mutator. */
  custom(command) {
    const of = client(command);
    of.track(command.mutation, of.zero.mutate(mutators.apply(command.args)));
    return null;
  },

  /** What became of a mutation, once `side` (or nothing) is settled. */
  async mutation(command) {
    const of = client(command);
    const mutation = of.mutations.get(command.mutation);
    await of.until(() => !command.side || mutation[command.side] !== null, command.within);
    return mutation;
  },

  /** The connection's state, once it is one of `until`. */
  async state(command) {
    const of = client(command);
    const {until, within} = command;
    await of.until(() => !until || until.includes(of.state.name), within);
    return {now: of.state, all: of.states};
  },

  async connect(command) {
    const {zero} = client(command);
    await zero.connection.connect('auth' in command ? {auth: command.auth} : undefined);
    return null;
  },

  /** What the client told its application, and logged as warnings and errors. */
  async told(command) {
    const of = client(command);
    const told = () => of.updateNeeded.length + of.stateNotFound;
    await of.until(() => told() > 0, command.within);
    const {updateNeeded, stateNotFound, logs} = of;
    return {updateNeeded, stateNotFound, logs};
  },

  async close(command) {
    const of = client(command);
    for (const {view} of of.views.values()) {
      view.destroy();
    }
    await of.zero.close();
    clients.delete(command.client);
    return null;
  },
};

async function answer(line) {
  const command = JSON.parse(line);
  let answer;
  try {
    const run = commands[command.do];
    if (!run) {
      throw new Error(`no command is named ${command.do}`);
    }
    answer = {id: command.id, ok: (await run(command)) ?? null};
  } catch (error) {
    answer = {id: command.id, error: error?.message ?? String(error)};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

// An error that nobody awaits is one of a client: it must not end the others.
// Errors of queries, which views show, are no news here.
process.on('unhandledRejection', error => {
  if (error instanceof Error) {
    process.stderr.write(`unhandled: ${error.stack}\n`);
  }
});
console.warn = (...args) => process.stderr.write(`${args.map(textOf).join(' ')}\n`);

const lines = createInterface({input: process.stdin});
lines.on('line', line => void answer(line));
lines.on('close', () => process.exit(0));
