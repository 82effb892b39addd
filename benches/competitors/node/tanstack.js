// TanStack DB: collections written through their sync interface, as an adapter writes what comes
// from a server, and live query collections over them, each with a subscriber. Their automatic
// indexes make hydrations several times cheaper and the changes after them dearer.

import {
  BTreeIndex,
  and,
  coalesce,
  count,
  createCollection,
  createLiveQueryCollection,
  eq,
  isUndefined,
  materialize,
  not,
  or,
  sum,
  toArray,
} from '@tanstack/db';

const KEYS = {
  user: row => row.id,
  label: row => row.id,
  issue: row => row.id,
  comment: row => row.id,
  issueLabel: row => row.issueId + row.labelId,
};

const collections = {};
const writers = {};
let seen = 0;

const openIssues = q => q.from({issue: collections.issue}).where(({issue}) => eq(issue.open, true));

const lastModified = query =>
  query.orderBy(({issue}) => issue.modified, 'desc').orderBy(({issue}) => issue.id);

/** The issues that have the label named label-07, at most once each. */
const labelled = q =>
  q
    .from({pair: collections.issueLabel})
    .innerJoin({label: collections.label}, ({pair, label}) => eq(pair.labelId, label.id))
    .where(({label}) => eq(label.name, 'label-07'))
    .select(({pair}) => ({issueId: pair.issueId}));

const QUERIES = {
  list: q => lastModified(openIssues(q)).limit(100),
  open: q => lastModified(openIssues(q)),
  tree: q =>
    lastModified(openIssues(q))
      .limit(100)
      .select(({issue}) => ({
        ...issue,
        owner: materialize(
          q
            .from({user: collections.user})
            .where(({user}) => eq(user.id, issue.ownerId))
            .findOne(),
        ),
        labels: toArray(
          q
            .from({pair: collections.issueLabel})
            .innerJoin({label: collections.label}, ({pair, label}) => eq(pair.labelId, label.id))
            .where(({pair}) => eq(pair.issueId, issue.id))
            .orderBy(({label}) => label.id)
            .select(({label}) => ({id: label.id, name: label.name})),
        ),
        comments: toArray(
          q
            .from({comment: collections.comment})
            .where(({comment}) => eq(comment.issueId, issue.id))
            .orderBy(({comment}) => comment.created, 'desc')
            .orderBy(({comment}) => comment.id)
            .limit(10),
        ),
      })),
  labelled: q =>
    lastModified(
      q
        .from({issue: collections.issue})
        .innerJoin({found: labelled(q)}, ({issue, found}) => eq(issue.id, found.issueId)),
    )
      .limit(100)
      .select(({issue}) => issue),
  ofOwner: (q, owner) =>
    lastModified(
      q.from({issue: collections.issue}).where(({issue}) => eq(issue.ownerId, owner)),
    ).limit(50),
  discussed: q =>
    lastModified(openIssues(q)).select(({issue}) => ({
      ...issue,
      comments: toArray(
        q
          .from({comment: collections.comment})
          .where(({comment}) => eq(comment.issueId, issue.id))
          .orderBy(({comment}) => comment.created, 'desc')
          .orderBy(({comment}) => comment.id),
      ),
    })),
  anyOfThree: q =>
    lastModified(
      q
        .from({issue: collections.issue})
        .leftJoin({found: labelled(q)}, ({issue, found}) => eq(issue.id, found.issueId))
        .where(({issue, found}) =>
          or(eq(issue.priority, 0), eq(issue.ownerId, 'u0007'), not(isUndefined(found?.issueId))),
        ),
    )
      .limit(100)
      .select(({issue}) => issue),
  byOwner: q =>
    openIssues(q)
      .groupBy(({issue}) => issue.ownerId)
      .select(({issue}) => ({
        ownerId: issue.ownerId,
        issues: count(issue.id),
        effort: sum(issue.priority),
      }))
      .orderBy(({$selected}) => $selected.ownerId),
  openDiscussion: q =>
    q
      .from({comment: collections.comment})
      .innerJoin({issue: collections.issue}, ({comment, issue}) => eq(comment.issueId, issue.id))
      .innerJoin({user: collections.user}, ({comment, user}) => eq(comment.authorId, user.id))
      .where(({issue}) => eq(issue.open, true))
      .select(({comment}) => ({comments: count(comment.id)})),
  mostDiscussed: q => {
    const counts = q
      .from({comment: collections.comment})
      .groupBy(({comment}) => comment.issueId)
      .select(({comment}) => ({issueId: comment.issueId, number: count(comment.id)}));
    return q
      .from({issue: collections.issue})
      .leftJoin({counts}, ({issue, counts}) => eq(issue.id, counts.issueId))
      .orderBy(({counts}) => coalesce(counts?.number, 0), 'desc')
      .orderBy(({issue}) => issue.id)
      .limit(100)
      .select(({issue, counts}) => ({...issue, commentCount: coalesce(counts?.number, 0)}));
  },
};

function write(table, messages) {
  const {begin, write, commit} = writers[table];
  begin();
  for (const message of messages) write(message);
  commit();
}

function message({row, old}) {
  if (!old) return {type: 'insert', value: row};
  return row ? {type: 'update', value: row} : {type: 'delete', value: old};
}

export const engine = {
  fill(data, indexed) {
    for (const [table, getKey] of Object.entries(KEYS)) {
      collections[table] = createCollection({
        id: table,
        getKey,
        autoIndex: indexed ? 'eager' : 'off',
        defaultIndexType: BTreeIndex,
        startSync: true,
        gcTime: 0,
        sync: {
          rowUpdateMode: 'full',
          sync(parameters) {
            writers[table] = parameters;
          },
        },
      });
      write(table, data[table].map(value => ({type: 'insert', value})));
      writers[table].markReady();
    }
  },

  hydrate(name, argument) {
    const live = createLiveQueryCollection({
      query: q => QUERIES[name](q, argument),
      startSync: true,
      gcTime: 0,
    });
    const subscription = live.subscribeChanges(changes => (seen += changes.length));
    if (live.status !== 'ready') throw new Error(`the live query is ${live.status}`);
    return {
      data: () => live.toArray,
      destroy() {
        subscription.unsubscribe();
        live.cleanup();
      },
    };
  },

  commit(changes) {
    // All changes of a transaction are of one table in these workloads.
    write(changes[0].table, changes.map(message));
  },
};

export const cannot = {};
