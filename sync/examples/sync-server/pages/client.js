// A small client of the sync protocol: it holds the rows that the server sends, shows its own edits before
// the server has them, and takes them back if the server refuses them.

const PING_AFTER = 5000;
const PONG_WITHIN = 5000;
const CONNECT_WITHIN = 10000;

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, '0')).join('');

/** Text as base64 of its UTF-8. */
function base64(text) {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}

/** A short name for a query: two FNV-1a hashes of its text. */
function hashOf(ast) {
  const text = JSON.stringify(ast);
  const fnv = (start) => {
    let hash = start;
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    return (hash >>> 0).toString(36);
  };
  return `q${fnv(0x811c9dc5)}${fnv(0x9747b28c)}`;
}

export class SyncClient {
  /**
   * `keys`: the primary key of each table, by name. `on`: what to call when something happens:
   * `change(keys, isOwn)` rows have changed, `status(text)`, `settled(ms)` an edit has come back,
   * `refused(message)` an edit was taken back, `failed(message)`.
   */
  constructor({ user, keys, on }) {
    Object.assign(this, { user, keys, on });
    this.clientID = random();
    this.groupID = random();
    this.tables = new Map(Object.keys(keys).map((table) => [table, new Map()]));
    this.shown = new Map();
    this.cookie = null;
    this.desired = new Map();
    this.told = new Map();
    this.got = new Set();
    this.pending = [];
    this.nextID = 1;
    this.lastID = 0;
    this.wanted = false;
    this.status = 'offline';
    this.attempts = 0;
  }

  // Reading

  /** A table's rows by key, with this client's own edits. */
  rows(table) {
    let rows = this.shown.get(table);
    if (!rows) {
      rows = this.tables.get(table);
      const ops = this.pending.flatMap((mutation) => mutation.ops).filter((op) => op.tableName === table);
      if (ops.length) rows = ops.reduce((map, op) => this.#apply(map, op), new Map(rows));
      this.shown.set(table, rows);
    }
    return rows;
  }

  /** How many rows the server has sent. */
  get size() {
    let size = 0;
    for (const rows of this.tables.values()) size += rows.size;
    return size;
  }

  /** Whether all queries that are wanted have their rows. */
  get isComplete() {
    return [...this.desired.keys()].every((hash) => this.got.has(hash));
  }

  #key(table, row) {
    return this.keys[table].map((column) => JSON.stringify(row[column])).join();
  }

  #apply(rows, op) {
    const key = this.#key(op.tableName, op.value);
    if (op.op === 'delete') rows.delete(key);
    else if (op.op === 'insert') { if (!rows.has(key)) rows.set(key, op.value); }
    else if (op.op === 'upsert') rows.set(key, { ...rows.get(key), ...op.value });
    else if (rows.has(key)) rows.set(key, { ...rows.get(key), ...op.value });
    return rows;
  }

  // Writing

  /** Carries out operations (`{op, tableName, value}`) at once here, and then at the server. */
  mutate(ops) {
    const full = ops.map((op) => ({ ...op, primaryKey: this.keys[op.tableName] }));
    const mutation = { id: this.nextID, ops: full, since: performance.now() };
    this.nextID += 1;
    this.pending.push(mutation);
    this.#changed(full.map((op) => `${op.tableName} ${this.#key(op.tableName, op.value)}`), true);
    if (this.status === 'online') this.#push(mutation);
    return mutation.id;
  }

  #push({ id, ops }) {
    this.#send('push', {
      clientGroupID: this.groupID,
      mutations: [{ type: 'crud', id, clientID: this.clientID, name: '_zero_crud', args: [{ ops }], timestamp: performance.now() }],
      pushVersion: 1,
      timestamp: performance.now(),
      requestID: `${this.clientID}-${id}`,
    });
  }

  #changed(keys, isOwn = false) {
    this.shown.clear();
    this.on.change(new Set(keys), isOwn);
  }

  // Queries

  /** Says which queries are wanted from now on, as ASTs. */
  want(asts) {
    this.desired = new Map(asts.map((ast) => [hashOf(ast), ast]));
    if (this.status === 'online') {
      const patch = this.#desiredPatch();
      if (patch.length) this.#send('changeDesiredQueries', { desiredQueriesPatch: patch });
    }
  }

  /** What has changed of what is wanted since the server was told. */
  #desiredPatch() {
    const patch = [];
    for (const hash of this.told.keys()) if (!this.desired.has(hash)) patch.push({ op: 'del', hash });
    for (const [hash, ast] of this.desired) if (!this.told.has(hash)) patch.push({ op: 'put', hash, ast, ttl: 1000 });
    this.told = new Map(this.desired);
    return patch;
  }

  // The connection

  connect() {
    this.wanted = true;
    clearTimeout(this.retry);
    this.#status('connecting');
    this.told = new Map();
    const init = { desiredQueriesPatch: this.#desiredPatch(), activeClients: [this.clientID] };
    const header = encodeURIComponent(base64(JSON.stringify({ initConnectionMessage: ['initConnection', init] })));
    const wsid = random();
    const query = new URLSearchParams({
      clientID: this.clientID, clientGroupID: this.groupID, userID: this.user,
      baseCookie: this.cookie ?? '', ts: String(performance.now()), lmid: String(this.lastID), wsid,
    });
    const socket = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/sync/v51/connect?${query}`, header);
    this.socket = socket;
    this.poke = null;
    this.timer = setTimeout(() => this.#drop(socket), CONNECT_WITHIN);
    socket.addEventListener('message', (event) => {
      if (this.socket === socket) this.#message(socket, JSON.parse(event.data));
    });
    socket.addEventListener('close', () => this.#drop(socket));
  }

  disconnect() {
    this.wanted = false;
    clearTimeout(this.retry);
    this.#drop(this.socket);
    this.#status('offline');
  }

  #drop(socket) {
    if (!socket || this.socket !== socket) return;
    this.socket = null;
    clearTimeout(this.timer);
    socket.close();
    if (!this.wanted) return;
    this.attempts += 1;
    this.#status('connecting');
    // At once after the first failure, then more and more slowly.
    this.retry = setTimeout(() => this.connect(), this.attempts === 1 ? 0 : Math.min(5000, 250 * 2 ** this.attempts));
  }

  #status(status) {
    if (this.status === status) return;
    this.status = status;
    this.on.status(status);
  }

  #send(type, body) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify([type, body]));
  }

  /** Nothing was heard for a while: is anybody there? */
  #heard(socket) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.#send('ping', {});
      this.timer = setTimeout(() => this.#drop(socket), PONG_WITHIN);
    }, PING_AFTER);
  }

  #message(socket, [type, body]) {
    this.#heard(socket);
    switch (type) {
      case 'connected':
        this.attempts = 0;
        this.#status('online');
        this.want([...this.desired.values()]);
        // What has arrived already is known to the server by its number.
        for (const mutation of this.pending) this.#push(mutation);
        break;
      case 'pokeStart':
        if ((body.baseCookie ?? null) !== this.cookie) this.#drop(socket);
        else this.poke = { id: body.pokeID, parts: [] };
        break;
      case 'pokePart':
        if (this.poke?.id === body.pokeID) this.poke.parts.push(body);
        break;
      case 'pokeEnd': {
        const { poke } = this;
        this.poke = null;
        if (poke?.id === body.pokeID && !body.cancel) this.#take(poke.parts, body.cookie);
        break;
      }
      case 'transformError':
        for (const error of body) this.on.failed(error.message ?? 'a query cannot be answered');
        break;
      case 'error':
        this.on.failed(body.message ?? body.kind);
        this.#drop(socket);
        break;
      default: // Signs of life need no answer.
    }
  }

  /** Takes a poke, all of it at once. */
  #take(parts, cookie) {
    const changed = [];
    this.cookie = cookie;
    for (const part of parts) {
      for (const op of part.rowsPatch ?? []) {
        if (op.op === 'clear') {
          for (const [table, rows] of this.tables) {
            for (const key of rows.keys()) changed.push(`${table} ${key}`);
            rows.clear();
          }
          this.got.clear();
          continue;
        }
        const rows = this.tables.get(op.tableName);
        if (!rows) continue;
        const key = this.#key(op.tableName, op.value ?? op.id);
        changed.push(`${op.tableName} ${key}`);
        if (op.op === 'put') rows.set(key, op.value);
        else if (op.op === 'update') rows.set(key, { ...rows.get(key), ...op.merge });
        else rows.delete(key);
      }
      for (const op of part.gotQueriesPatch ?? []) {
        if (op.op === 'put') this.got.add(op.hash);
        else this.got.delete(op.hash);
      }
    }
    const refused = new Map();
    for (const op of parts.flatMap((part) => part.mutationsPatch ?? [])) {
      if (op.op !== 'put' || op.mutation.id.clientID !== this.clientID) continue;
      refused.set(op.mutation.id.id, (op.mutation.result?.message ?? 'refused').replace(/^.*CHECK constraint "(.*)" does not hold$/s, '$1'));
      this.#send('ackMutationResponses', op.mutation.id);
    }
    for (const part of parts) this.lastID = Math.max(this.lastID, part.lastMutationIDChanges?.[this.clientID] ?? 0);
    const settled = this.pending.filter((mutation) => mutation.id <= this.lastID);
    this.pending = this.pending.filter((mutation) => mutation.id > this.lastID);
    for (const mutation of settled) {
      if (refused.has(mutation.id)) {
        changed.push(...mutation.ops.map((op) => `${op.tableName} ${this.#key(op.tableName, op.value)}`));
      }
    }
    this.#changed(changed);
    for (const mutation of settled) {
      if (refused.has(mutation.id)) this.on.refused(refused.get(mutation.id));
      else this.on.settled(performance.now() - mutation.since);
    }
  }
}
