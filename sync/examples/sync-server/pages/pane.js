// A pane: what one client sees and edits.

import { SyncClient } from '/client.js';

const KEYS = {
  user: ['id'], label: ['id'], issue: ['id'], issue_label: ['issue_id', 'label_id'], comment: ['id'], trickle: ['id'],
};
const STATUSES = [['todo', 'To do'], ['doing', 'Doing'], ['done', 'Done']];
const PRIORITIES = ['none', 'low', 'high', 'urgent'];
const PAGE = 25;

/** An element with attributes and children; strings become text, so nothing is ever taken for markup. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined || value === null) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat());
  return element;
}

const id = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

function ago(time) {
  const minutes = Math.floor((Date.now() - time) / 60000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  return minutes < 1440 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}

export class Pane {
  constructor(user, name) {
    Object.assign(this, { user, name, filter: null, limit: PAGE, open: null, items: new Map(), toFlash: new Set(), onDraw: () => {} });
    this.element = document.getElementById('pane').content.firstElementChild.cloneNode(true);
    this.element.dataset.user = user;
    const find = (selector) => this.element.querySelector(selector);
    this.list = find('.issues');
    find('.name').textContent = name;
    find('.avatar').textContent = name[0];
    find('.avatar').dataset.user = user;
    this.client = new SyncClient({
      user,
      keys: KEYS,
      on: {
        change: (keys, isOwn) => this.changed(keys, isOwn),
        status: () => this.drawStatus(),
        settled: (ms) => { find('.latency').textContent = `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`; },
        refused: (message) => this.toast('Taken back', message),
        failed: (message) => this.toast('The server says', message),
      },
    });
    find('.network').addEventListener('click', () => {
      if (this.client.wanted) this.client.disconnect();
      else this.client.connect();
    });
    find('.new').addEventListener('submit', (event) => {
      event.preventDefault();
      this.add(event.target.elements.title.value);
      event.target.reset();
    });
    find('.more button').addEventListener('click', () => { this.limit += PAGE; this.want(); this.draw(); });
    this.filters = [[null, 'All'], ...STATUSES].map(([status, text]) => {
      const button = el('button', { type: 'button', 'data-filter': status ?? 'all' }, text);
      button.addEventListener('click', () => { this.filter = status; this.limit = PAGE; this.want(); this.draw(); });
      return button;
    });
    find('.filters').append(...this.filters);
    this.want();
    this.drawStatus();
    this.draw();
  }

  /** Asks for what the pane shows. */
  want() {
    const child = (table, column) => ({
      correlation: { parentField: ['id'], childField: [column] },
      subquery: { table, alias: table, orderBy: KEYS[table].map((key) => [key, 'asc']) },
    });
    const issues = {
      table: 'issue',
      orderBy: [['created', 'desc'], ['id', 'asc']],
      // One more than is shown, to know whether there are more.
      limit: this.limit + 1,
      related: [child('issue_label', 'issue_id'), child('comment', 'issue_id')],
    };
    if (this.filter) {
      issues.where = { type: 'simple', op: '=', left: { type: 'column', name: 'status' }, right: { type: 'literal', value: this.filter } };
    }
    const all = (table) => ({ table, orderBy: [['id', 'asc']] });
    this.client.want([issues, all('user'), all('label'), all('trickle')]);
  }

  // Edits

  add(title) {
    // The number is given by the database.
    const value = { id: id(), number: 0, title, status: this.filter ?? 'todo', priority: 0, assignee: this.user, created: Date.now() };
    this.client.mutate([{ op: 'insert', tableName: 'issue', value }]);
  }

  edit(issue, change) {
    this.client.mutate([{ op: 'update', tableName: 'issue', value: { id: issue.id, ...change } }]);
  }

  toggleLabel(issue, label, has) {
    const value = { issue_id: issue.id, label_id: label.id };
    this.client.mutate([{ op: has ? 'delete' : 'insert', tableName: 'issue_label', value }]);
  }

  comment(issue, body) {
    const value = { id: id(), issue_id: issue.id, author: this.user, body, created: Date.now() };
    this.client.mutate([{ op: 'insert', tableName: 'comment', value }]);
  }

  // Drawing

  changed(keys, isOwn) {
    // Rows of an issue count as the issue.
    const issues = new Set();
    for (const key of keys) {
      const at = key.indexOf(' ');
      const table = key.slice(0, at);
      if (table === 'issue') issues.add(JSON.parse(key.slice(at + 1)));
      if (table === 'issue_label') issues.add(JSON.parse(`[${key.slice(at + 1)}]`)[0]);
      if (table === 'comment') {
        const comment = this.client.rows('comment').get(key.slice(at + 1));
        if (comment) issues.add(comment.issue_id);
      }
    }
    if (this.drawn) for (const issue of issues) this.toFlash.add(issue);
    // Own edits are shown at once; what the server sends, once a frame.
    if (isOwn) this.draw();
    else this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  draw() {
    const { client } = this;
    const issues = [...client.rows('issue').values()]
      .filter((issue) => !this.filter || issue.status === this.filter)
      .sort((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1));
    const by = (rows) => Map.groupBy ? Map.groupBy(rows.values(), (row) => row.issue_id) : group(rows);
    const labels = by(client.rows('issue_label'));
    const comments = by(client.rows('comment'));
    const shown = issues.slice(0, this.limit);
    const isNew = this.drawn;
    const kept = new Set(shown.map((issue) => issue.id));
    for (const [key, item] of this.items) {
      if (!kept.has(key)) { item.element.remove(); this.items.delete(key); }
    }
    shown.forEach((issue, at) => {
      let item = this.items.get(issue.id);
      if (!item) {
        item = this.item(issue);
        this.items.set(issue.id, item);
        if (isNew) this.toFlash.add(issue.id);
      }
      this.fill(item, issue, labels.get(issue.id) ?? [], comments.get(issue.id) ?? []);
      if (this.list.children[at] !== item.element) this.list.insertBefore(item.element, this.list.children[at] ?? null);
      if (this.toFlash.has(issue.id)) {
        item.element.classList.remove('flash');
        void item.element.offsetWidth;
        item.element.classList.add('flash');
      }
    });
    this.toFlash.clear();
    this.drawn ||= client.isComplete && client.cookie !== null;
    this.element.querySelector('.more').hidden = issues.length <= this.limit;
    for (const button of this.filters) button.setAttribute('aria-pressed', String(button.dataset.filter === (this.filter ?? 'all')));
    const waiting = client.pending.length;
    this.element.querySelector('footer').textContent =
      `holds ${client.size} rows${waiting ? ` · ${waiting} ${waiting === 1 ? 'edit waits' : 'edits wait'} for the server` : ''}`;
    this.onDraw();
  }

  drawStatus() {
    const { status } = this.client;
    const element = this.element.querySelector('.status');
    element.textContent = { online: 'live', offline: 'offline', connecting: 'connecting…' }[status];
    element.className = `status ${status}`;
    const button = this.element.querySelector('.network');
    button.textContent = this.client.wanted || status !== 'offline' ? 'Go offline' : 'Go online';
    button.setAttribute('aria-pressed', String(status === 'offline'));
  }

  /** The elements of an issue; what they show is filled in later. */
  item(issue) {
    const status = el('button', { class: 'mark', type: 'button' });
    const title = el('button', { class: 'headline', type: 'button', 'aria-expanded': 'false' });
    const more = el('div', { class: 'more-of-it', hidden: true });
    const item = { status, title, more, number: el('span', { class: 'number' }), tags: el('span', { class: 'tags' }), facts: el('span', { class: 'facts' }) };
    item.element = el('li', { class: 'issue', 'data-id': issue.id },
      el('div', { class: 'line' }, status, item.number, title, item.tags, item.facts), more);
    status.addEventListener('click', () => {
      const at = STATUSES.findIndex(([name]) => name === item.issue.status);
      this.edit(item.issue, { status: STATUSES[(at + 1) % STATUSES.length][0] });
    });
    title.addEventListener('click', () => { this.open = this.open === item.issue.id ? null : item.issue.id; this.draw(); });
    return item;
  }

  fill(item, issue, labels, comments) {
    const text = JSON.stringify([issue, labels, comments, this.open === issue.id, this.client.rows('label').size, Math.floor(Date.now() / 60000)]);
    if (item.text === text) return;
    item.text = text;
    item.issue = issue;
    const name = STATUSES.find(([status]) => status === issue.status)?.[1];
    item.status.dataset.status = issue.status;
    item.status.title = item.status.ariaLabel = `${name}; click for the next`;
    item.number.textContent = issue.number ? `#${issue.number}` : '#…';
    item.title.textContent = issue.title.trim() || '(no title)';
    item.element.classList.toggle('done', issue.status === 'done');
    item.tags.replaceChildren(...labels.map((label) => el('span', { class: 'tag', 'data-label': label.label_id }, label.label_id)));
    item.facts.replaceChildren(
      comments.length ? el('span', { class: 'comments', title: `${comments.length} comments` }, String(comments.length)) : '',
      issue.priority ? el('span', { class: 'priority', 'data-priority': issue.priority, title: `priority: ${PRIORITIES[issue.priority]}` }, '!'.repeat(issue.priority)) : '',
      issue.assignee ? el('span', { class: 'avatar', 'data-user': issue.assignee, title: this.userName(issue.assignee) }, this.userName(issue.assignee)[0]) : el('span', { class: 'avatar nobody', title: 'nobody' }));
    const isOpen = this.open === issue.id;
    item.title.setAttribute('aria-expanded', String(isOpen));
    item.more.hidden = !isOpen;
    if (isOpen) this.fillMore(item, issue, labels, comments);
    else item.parts = null;
  }

  userName(user) {
    return this.client.rows('user').get(JSON.stringify(user))?.name ?? user;
  }

  /** The part of an issue that is shown when it is open. */
  fillMore(item, issue, labels, comments) {
    item.parts ??= this.parts(item);
    const { title, status, priority, assignee, chips, said } = item.parts;
    if (document.activeElement !== title) title.value = issue.title;
    const options = (select, entries, value) => {
      const texts = JSON.stringify(entries);
      if (select.dataset.texts !== texts) {
        select.dataset.texts = texts;
        select.replaceChildren(...entries.map(([key, name]) => el('option', { value: key }, name)));
      }
      select.value = value;
    };
    options(status, STATUSES, issue.status);
    options(priority, PRIORITIES.map((name, at) => [String(at), name]), String(issue.priority));
    const users = [...this.client.rows('user').values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    options(assignee, [['', 'nobody'], ...users.map((user) => [user.id, user.name])], issue.assignee ?? '');
    const has = new Set(labels.map((label) => label.label_id));
    const all = [...this.client.rows('label').values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    chips.replaceChildren(...all.map((label) => {
      const chip = el('button', { type: 'button', class: 'tag', 'data-label': label.id, 'aria-pressed': String(has.has(label.id)) }, label.name);
      chip.addEventListener('click', () => this.toggleLabel(item.issue, label, has.has(label.id)));
      return chip;
    }));
    said.replaceChildren(...comments
      .sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))
      .map((comment) => el('li', {}, el('span', { class: 'avatar', 'data-user': comment.author }, this.userName(comment.author)[0]),
        el('p', {}, el('span', { class: 'who' }, `${this.userName(comment.author)} · ${ago(comment.created)}`), comment.body))));
  }

  parts(item) {
    const title = el('input', { class: 'title', 'aria-label': 'Title', autocomplete: 'off' });
    const select = (label, column, convert) => {
      const element = el('select', { 'aria-label': label });
      element.addEventListener('change', () => this.edit(item.issue, { [column]: convert(element.value) }));
      return element;
    };
    const parts = {
      title,
      status: select('Status', 'status', String),
      priority: select('Priority', 'priority', Number),
      assignee: select('Assignee', 'assignee', (value) => value || null),
      chips: el('div', { class: 'chips', role: 'group', 'aria-label': 'Labels' }),
      said: el('ol', { class: 'said' }),
    };
    const save = () => { if (title.value !== item.issue.title) this.edit(item.issue, { title: title.value }); };
    title.addEventListener('change', save);
    title.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') title.blur();
      if (event.key === 'Escape') { title.value = item.issue.title; title.blur(); }
    });
    const form = el('form', { class: 'say' },
      el('input', { name: 'body', placeholder: 'A comment…', 'aria-label': 'A comment', autocomplete: 'off' }), el('button', { type: 'submit' }, 'Send'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.comment(item.issue, form.elements.body.value);
      form.reset();
    });
    const remove = el('button', { type: 'button', class: 'remove' }, 'Delete');
    remove.addEventListener('click', () => this.client.mutate([{ op: 'delete', tableName: 'issue', value: { id: item.issue.id } }]));
    item.more.replaceChildren(title,
      el('div', { class: 'fields' }, parts.status, parts.priority, parts.assignee, remove), parts.chips, parts.said, form);
    return parts;
  }

  toast(title, text) {
    const toast = el('p', {}, el('b', {}, title), ` ${text}`);
    this.element.querySelector('.toasts').append(toast);
    setTimeout(() => toast.remove(), 6000);
  }
}

/** Rows by their issue, where the browser has no function for it. */
function group(rows) {
  const groups = new Map();
  for (const row of rows.values()) groups.set(row.issue_id, [...(groups.get(row.issue_id) ?? []), row]);
  return groups;
}
