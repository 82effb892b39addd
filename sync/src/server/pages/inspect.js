// What is going on in a sync server: polled once a second; and a console whose query stays live.

const POINTS = 60;

const $ = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text, so nothing is ever taken for markup. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat());
  return element;
}

// Figures

function number(value) {
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return Math.round(value).toLocaleString('en');
}

function bytes(value) {
  if (value < 1024) return [String(Math.round(value)), 'B/s'];
  if (value < 1024 ** 2) return [(value / 1024).toFixed(1), 'KiB/s'];
  return [(value / 1024 ** 2).toFixed(1), 'MiB/s'];
}

function micros(value) {
  if (value < 1000) return `${value < 10 ? value.toFixed(1) : Math.round(value)} µs`;
  if (value < 1e6) return `${(value / 1000).toFixed(1)} ms`;
  return `${(value / 1e6).toFixed(1)} s`;
}

function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const plural = (count, what) => `${number(count)} ${what}${count === 1 ? '' : 's'}`;

// Counters, each with its last minute

const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
const gauges = [
  ['Connections', (r) => r.connections.length],
  ['Client groups', (r) => r.groups.length],
  ['Live queries', (r) => r.live_queries],
  ['Rows held', (r) => sum(r.groups, (group) => group.rows)],
  ['Row changes', (r) => r.counters.row_changes, '/s'],
  ['Pokes', (r) => r.counters.pokes, '/s'],
  ['Mutations', (r) => r.counters.mutations, '/s'],
  ['Sent', (r) => r.traffic.bytesOut, 'bytes'],
].map(([name, read, rate]) => {
  const value = el('div', { class: 'value' }, '–');
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', `0 0 ${POINTS - 1} 30`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const paths = ['area', 'line'].map((kind) => {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('class', kind);
    svg.append(path);
    return path;
  });
  $('counters').append(el('div', { class: 'counter' }, el('div', { class: 'name' }, name), value, svg));
  return { name, read, rate, value, paths, points: [], last: null };
});

function drawCounters(report) {
  for (const gauge of gauges) {
    const now = gauge.read(report);
    let shown = now;
    if (gauge.rate) {
      const passed = gauge.last ? (report.nowMs - gauge.last.at) / 1000 : 0;
      shown = passed > 0 ? Math.max(0, now - gauge.last.value) / passed : 0;
      gauge.last = { at: report.nowMs, value: now };
    }
    gauge.points.push(shown);
    if (gauge.points.length > POINTS) gauge.points.shift();
    const [text, unit] = gauge.rate === 'bytes' ? bytes(shown) : [number(shown), gauge.rate ?? ''];
    gauge.value.replaceChildren(text, el('small', {}, unit));
    const top = Math.max(1, ...gauge.points);
    const start = POINTS - gauge.points.length;
    const line = gauge.points.map((point, at) => `${start + at},${(28 - (point / top) * 26).toFixed(2)}`);
    gauge.paths[1].setAttribute('d', line.length > 1 ? `M${line.join('L')}` : '');
    gauge.paths[0].setAttribute('d', line.length > 1 ? `M${start},30L${line.join('L')}L${POINTS - 1},30Z` : '');
  }
}

// Operators: the text of `explain`, level by level

function drawTree(text) {
  const root = el('div', { class: 'level' });
  const stack = [{ indent: -1, element: null }];
  for (const line of text.split('\n').filter((line) => line.trim())) {
    const operator = /^\s*│ ?(.*)$/.exec(line);
    const level = stack.at(-1);
    if (operator && level.element) {
      const [, word, rest] = /^(\s*\S+)\s*(.*)$/.exec(operator[1]) ?? [null, operator[1], ''];
      const cost = ['hydrate', 'maintain'].includes(word.trim()) ? 'cost' : undefined;
      level.list.append(el('dt', { class: cost }, word), el('dd', { class: cost }, rest));
      continue;
    }
    const indent = line.search(/\S/);
    while (stack.length > 1 && stack.at(-1).indent >= indent) stack.pop();
    const [, name, figures] = /^\s*(.*?)(?:\s{2}\((.*)\))?$/.exec(line);
    const element = stack.length === 1 && !root.hasChildNodes() ? root : el('div', { class: 'level' });
    const list = el('dl');
    element.append(el('div', { class: 'head' }, name, el('span', {}, figures ?? '')), list);
    if (element !== root) (stack.at(-1).element ?? root).append(element);
    stack.push({ indent, element, list });
  }
  return root;
}

// Client groups and their queries

const queries = new Map();
const short = (id) => (id.length > 14 ? `${id.slice(0, 12)}…` : id);

/** A query's AST in a few words. */
function words(what) {
  if (!what.startsWith('{')) return what;
  try {
    const ast = JSON.parse(what);
    const parts = [ast.table];
    if (ast.where) parts.push('where …');
    if (ast.related?.length) parts.push(`with ${ast.related.map((r) => r.subquery.alias ?? r.subquery.table).join(', ')}`);
    if (ast.orderBy?.length) parts.push(`by ${ast.orderBy.map(([column, way]) => (way === 'desc' ? `${column} ↓` : column)).join(', ')}`);
    if (ast.limit !== undefined) parts.push(`limit ${ast.limit}`);
    return parts.join(' ');
  } catch {
    return what;
  }
}

function drawQuery(group, query) {
  const key = `${group.id} ${query.hash}`;
  let known = queries.get(key);
  if (!known) {
    const summary = el('summary');
    const body = el('div', { class: 'body' });
    const element = el('details', { class: 'query' }, summary, body);
    element.addEventListener('toggle', () => drawBody(known));
    known = { element, summary, body, updates: query.updates };
    queries.set(key, known);
  }
  if (query.updates !== known.updates) {
    known.element.classList.remove('changed');
    void known.element.offsetWidth;
    known.element.classList.add('changed');
  }
  known.updates = query.updates;
  known.query = query;
  const figure = (value, unit) => el('span', { class: 'figure' }, el('b', {}, value), ` ${unit}`);
  const each = query.transactions ? micros(query.maintain_us / query.transactions) : '–';
  known.summary.replaceChildren(
    el('span', { class: 'what', title: query.what }, words(query.what)),
    el('span', { class: 'figures' },
      query.state === 'live' ? figure(number(query.rows), query.rows === 1 ? 'row' : 'rows')
        : el('span', { class: `badge ${query.state}` }, query.state),
      figure(micros(query.hydrated_us), 'hydrated'),
      figure(each, 'an update'),
      figure(number(query.updates), query.updates === 1 ? 'change' : 'changes')),
  );
  drawBody(known);
  return known.element;
}

function drawBody(known) {
  if (!known.element.open) return;
  const { query, body } = known;
  let pretty = query.what;
  try { pretty = JSON.stringify(JSON.parse(query.what), null, 1).replace(/\n\s*/g, ' '); } catch { /* a name */ }
  const top = body.querySelector('pre')?.scrollTop ?? 0;
  body.replaceChildren(
    el('p', { class: 'quiet' }, `${query.hash} · wanted by ${plural(query.wanted_by, 'client')}`),
    el('div', { class: 'tree' }, query.operators ? drawTree(query.operators) : 'no operators'),
    el('pre', {}, pretty),
  );
  body.querySelector('pre').scrollTop = top;
}

function drawGroups(report) {
  const drawn = report.groups.map((group) => {
    const clients = report.connections.filter((connection) => connection.group === group.id);
    const element = el('article', { class: 'group' },
      el('h3', {}, el('code', { title: group.id }, group.user ?? 'nobody'),
        el('span', { class: 'quiet' }, `group ${short(group.id)} · ${plural(group.rows, 'row')} · ${plural(group.version, 'poke')}`)),
      el('ul', { class: 'clients' }, clients.map((client) => el('li', { class: client.is_behind ? 'behind' : '' },
        'client ', el('code', { title: client.client }, short(client.client)),
        ` for ${span(report.nowMs - client.since_ms)}${client.queued_bytes ? `, ${number(client.queued_bytes)} B wait` : ''}`))),
      group.queries.map((query) => drawQuery(group, query)));
    return element;
  });
  const wanted = new Set(report.groups.flatMap((group) => group.queries.map((query) => `${group.id} ${query.hash}`)));
  for (const key of queries.keys()) if (!wanted.has(key)) queries.delete(key);
  $('groups').replaceChildren(...(drawn.length ? drawn : [el('p', { class: 'empty' }, 'Nobody is connected.')]));
}

// Tables, to begin a query with

let tablesDrawn = '';
function drawTables(tables) {
  const text = JSON.stringify(tables);
  if (text === tablesDrawn) return;
  tablesDrawn = text;
  $('tables').replaceChildren(...tables.map((table) => {
    const columns = table.columns.map((column) => `${column.name} ${column.type}`).join('\n');
    const button = el('button', { type: 'button', title: columns }, table.name);
    button.addEventListener('click', () => {
      $('query').value = `SELECT * FROM ${/^\w+$/.test(table.name) ? table.name : `"${table.name.replaceAll('"', '""')}"`} LIMIT 50`;
      subscribe();
    });
    return button;
  }));
  if (!$('query').value && tables.length) $('query').value = `SELECT count(*) AS rows FROM ${tables[0].name}`;
}

// Polling

let paused = false;
$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').textContent = paused ? 'Go on' : 'Pause';
  $('pause').setAttribute('aria-pressed', String(paused));
});

async function poll() {
  if (!paused && !document.hidden) {
    try {
      const answer = await fetch('/inspect.json', { cache: 'no-store' });
      if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
      const report = await answer.json();
      $('state').textContent = 'live';
      $('state').className = 'state good';
      $('facts').textContent = `up ${span(report.nowMs - report.startedMs)} · database at version ${number(report.databaseVersion ?? 0)} · ${plural(report.counters.errors, 'error')} told to clients`;
      drawCounters(report);
      drawGroups(report);
      drawTables(report.tables);
    } catch (error) {
      $('state').textContent = `not reachable: ${error.message}`;
      $('state').className = 'state bad';
    }
  }
  setTimeout(poll, 1000);
}
poll();

// The console

let events = null;
let shown = new Map();

function stop(text = '') {
  events?.close();
  events = null;
  $('stop').disabled = true;
  $('watching').textContent = text;
}

function fail(text) {
  stop();
  $('failure').textContent = text;
  $('failure').hidden = false;
}

function subscribe() {
  const text = $('query').value.trim();
  stop('…');
  shown = new Map();
  $('failure').hidden = true;
  $('result').hidden = $('plan').hidden = true;
  if (!text) return stop('nothing to subscribe to');
  const kind = text.startsWith('{') ? 'ast' : 'sql';
  const address = `/inspect/watch?${kind}=${encodeURIComponent(text)}`;
  const source = new EventSource(address);
  events = source;
  $('stop').disabled = false;
  let heard = false;
  source.addEventListener('result', (event) => {
    if (events !== source) return;
    drawResult(JSON.parse(event.data), heard);
    heard = true;
  });
  source.addEventListener('failed', (event) => {
    if (events === source) fail(JSON.parse(event.data).message);
  });
  source.addEventListener('error', async () => {
    if (events !== source) return;
    // The browser tries again by itself, unless the server has refused.
    if (source.readyState !== EventSource.CLOSED) { $('watching').textContent = 'connecting again…'; return; }
    const answer = await fetch(address).catch((error) => ({ text: () => error.message }));
    if (events !== source) return;
    if (answer.ok) { answer.body.cancel(); fail('the connection was lost'); } else fail((await answer.text()).trim());
  });
}

function cell(value) {
  if (value === null || value === undefined) return el('td', { class: 'null' }, 'NULL');
  if (typeof value === 'number') return el('td', { class: 'number' }, String(value));
  if (Array.isArray(value) && value.every((each) => each && typeof each === 'object' && !Array.isArray(each))) {
    if (!value.length) return el('td', { class: 'null' }, 'none');
    return el('td', {}, el('table', {}, el('tbody', {}, value.map((row) => el('tr', {}, Object.values(row).map(cell))))));
  }
  return el('td', {}, typeof value === 'object' ? JSON.stringify(value) : String(value));
}

function drawResult(result, isChange) {
  const columns = [...result.columns, ...result.lists];
  const before = shown;
  shown = new Map();
  const body = result.rows.map((row) => {
    const text = JSON.stringify(row);
    shown.set(text, true);
    return el('tr', { class: isChange && !before.has(text) ? 'flash' : false }, columns.map((column) => cell(row[column])));
  });
  const isNumber = (column) => result.rows.length > 0 && result.rows.every((row) => typeof row[column] === 'number');
  const head = columns.map((column) => el('th', { class: isNumber(column) ? 'number' : false, scope: 'col' }, column));
  const { scrollTop, scrollLeft } = $('result');
  $('result').replaceChildren(
    el('table', {}, el('thead', {}, el('tr', {}, head)), el('tbody', {}, body)),
    ...(result.rows.length ? [] : [el('p', { class: 'empty' }, 'No rows.')]));
  Object.assign($('result'), { hidden: false, scrollTop, scrollLeft });
  const more = result.total > result.rows.length ? ` (the first ${result.rows.length} shown)` : '';
  $('watching').textContent = `live · ${plural(result.total, 'row')}${more} · hydrated in ${micros(result.hydratedUs)} · ${plural(result.changes, 'change')}`;
  $('plan').hidden = !result.operators;
  if (result.operators) $('plan').querySelector('.tree').replaceChildren(drawTree(result.operators));
}

$('console').addEventListener('submit', (event) => { event.preventDefault(); subscribe(); });
$('stop').addEventListener('click', () => stop('stopped'));
$('query').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); subscribe(); }
});
