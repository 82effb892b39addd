// The data and the change streams of the workloads, drawn as `benches/src/data.rs` draws them.

export const T0 = 1_700_000_000_000;
export const EDITS_FROM = 1_702_000_000_000;

const WORDS = [
  'alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel',
  'india', 'juliet', 'kilo', 'lima', 'mike', 'november', 'oscar', 'papa',
];

/** The generator of all draws: `next(n)` is a number below n. */
function draws(seed) {
  let state = seed >>> 0;
  return n => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % n;
  };
}

const padded = (prefix, digits) => number => prefix + String(number).padStart(digits, '0');

export const userId = padded('u', 4);
export const issueId = padded('i', 6);
export const commentId = padded('c', 6);
export const addedCommentId = padded('n', 6);
export const labelId = padded('l', 2);
export const labelName = padded('label-', 2);

const range = (count, make) => Array.from({length: count}, (_, i) => make(i));

/**
 * The five tables.
 * @param sizes `{users, issues, comments, labels, issueLabels}`
 */
export function generate(sizes) {
  return {
    sizes,
    user: range(sizes.users, i => ({
      id: userId(i),
      name: `User ${i}`,
      role: i % 10 === 0 ? 'crew' : 'user',
    })),
    label: range(sizes.labels, i => ({id: labelId(i), name: labelName(i)})),
    issue: issues(sizes),
    comment: comments(sizes),
    issueLabel: issueLabels(sizes),
  };
}

function issues(sizes) {
  const next = draws(2);
  return range(sizes.issues, i => {
    const ownerId = userId(next(sizes.users));
    const open = next(10) < 6;
    const modified = T0 + next(10_000_000) * 100;
    const created = modified - next(10_000_000) * 50;
    const priority = next(10);
    const title = `${WORDS[next(16)]} ${WORDS[next(16)]} ${i}`;
    return {id: issueId(i), title, open, modified, created, ownerId, priority};
  });
}

function comments(sizes) {
  const next = draws(3);
  return range(sizes.comments, i => {
    const issue = issueId(next(sizes.issues));
    const authorId = userId(next(sizes.users));
    const created = T0 + next(10_000_000) * 100;
    const body = `${WORDS[next(16)]} ${WORDS[next(16)]} ${WORDS[next(16)]} ${i}`;
    return {id: commentId(i), issueId: issue, authorId, created, body};
  });
}

function issueLabels(sizes) {
  const next = draws(5);
  const count = Math.min(sizes.issueLabels, sizes.issues * sizes.labels);
  const present = new Set();
  const rows = [];
  while (rows.length < count) {
    const issue = next(sizes.issues);
    const label = next(sizes.labels);
    const pair = issue * sizes.labels + label;
    if (present.has(pair)) continue;
    present.add(pair);
    rows.push({issueId: issueId(issue), labelId: labelId(label)});
  }
  return rows;
}

// A change is `{table, row, old}`: an insertion has no `old`, a removal no `row`.

/** The first `count` issue edits. */
export function issueEdits(data, count) {
  const next = draws(6);
  const current = data.issue.slice();
  return range(count, k => {
    const i = next(data.sizes.issues);
    const toggle = next(4) === 0;
    const old = current[i];
    const row = {...old, open: old.open !== toggle, modified: EDITS_FROM + k};
    current[i] = row;
    return {table: 'issue', row, old};
  });
}

/** The first `count` added comments. */
export function commentAdds(data, count) {
  const next = draws(7);
  const view = inView(data);
  return range(count, k => {
    const issue = next(2) === 0 ? view[next(view.length)] : issueId(next(data.sizes.issues));
    const authorId = userId(next(data.sizes.users));
    const [id, created, body] = [addedCommentId(k), EDITS_FROM + k, `new comment ${k}`];
    return {table: 'comment', row: {id, issueId: issue, authorId, created, body}};
  });
}

/** The first `count` label toggles. */
export function labelToggles(data, count) {
  const next = draws(8);
  const key = row => row.issueId + row.labelId;
  const present = new Map(data.issueLabel.map(row => [key(row), row]));
  return range(count, () => {
    const label = next(4) === 0 ? 7 : next(data.sizes.labels);
    const row = {issueId: issueId(next(data.sizes.issues)), labelId: labelId(label)};
    const old = present.get(key(row));
    if (old) {
      present.delete(key(row));
      return {table: 'issueLabel', old};
    }
    present.set(key(row), row);
    return {table: 'issueLabel', row};
  });
}

/** The ids of the issues of W2 before any change: the 100 open ones modified last. */
function inView(data) {
  const open = data.issue.filter(row => row.open);
  open.sort((a, b) => b.modified - a.modified || (a.id < b.id ? -1 : 1));
  return open.slice(0, 100).map(row => row.id);
}
