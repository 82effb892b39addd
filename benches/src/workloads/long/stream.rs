//! Mixed transactions without end, over tables whose sizes stay.

use std::cmp::Reverse;
use std::collections::VecDeque;

use penstock::operators::key::Key;
use penstock::operators::source::Change;
use penstock::{Error, Row, Schema, TableId};

use crate::check::Check;
use crate::data::{Comment, Data, Draws, EDITS_FROM, Issue, T0};
use crate::scratch;
use crate::tables::{comment_change, issue_label_row, issue_row, table};

/// How many rows of each kind are added before the oldest of them goes again.
const POOL: usize = 1_000;
/// How many edits a wide transaction has.
const WIDE: usize = 10;

/// Draws the transactions (seed 14) and knows the issues as they are after them.
pub(super) struct Stream {
    schema: Schema,
    issue: TableId,
    comment: TableId,
    issue_label: TableId,
    draws: Draws,
    users: u32,
    labels: u32,
    /// The generated issues by number, and how many there are.
    issues: Vec<Issue>,
    generated: u32,
    added_issues: VecDeque<(u32, Issue)>,
    added_comments: VecDeque<Key>,
    added_labels: VecDeque<Key>,
    issues_made: u32,
    comments_made: usize,
    labels_made: u32,
    now: i64,
}

impl Stream {
    pub(super) fn new(data: &Data, schema: Schema) -> Result<Stream, Error> {
        Ok(Stream {
            issue: table(&schema, "issue")?,
            comment: table(&schema, "comment")?,
            issue_label: table(&schema, "issueLabel")?,
            schema,
            draws: Draws::new(14),
            users: data.sizes.users,
            labels: data.sizes.labels,
            issues: data.issues.clone(),
            generated: data.sizes.issues,
            added_issues: VecDeque::new(),
            added_comments: VecDeque::new(),
            added_labels: VecDeque::new(),
            issues_made: 0,
            comments_made: 0,
            labels_made: 0,
            now: EDITS_FROM,
        })
    }

    /// One transaction that adds as many rows as there will be.
    pub(super) fn fill(&mut self) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::with_capacity(3 * POOL);
        for _ in 0..POOL {
            changes.push(self.add_issue());
            changes.push(self.add_comment()?);
            changes.push(self.add_label());
        }
        Ok(changes)
    }

    /// The next transaction: five in ten edit an issue, two replace a comment, one an issue, one a
    /// label of an issue, and one edits ten issues.
    pub(super) fn next(&mut self) -> Result<Vec<Change>, Error> {
        Ok(match self.draws.below(10) {
            0..=4 => vec![self.edit()],
            5..=6 => {
                let oldest = self.added_comments.pop_front();
                let removed = oldest.map(|key| Change::Delete { table: self.comment, key });
                removed.into_iter().chain([self.add_comment()?]).collect()
            }
            7 => {
                let oldest = self.added_issues.pop_front();
                let removed = oldest.map(|(number, issue)| self.delete_issue(number, &issue));
                removed.into_iter().chain([self.add_issue()]).collect()
            }
            8 => {
                let oldest = self.added_labels.pop_front();
                let removed = oldest.map(|key| Change::Delete { table: self.issue_label, key });
                removed.into_iter().chain([self.add_label()]).collect()
            }
            _ => (0..WIDE).map(|_| self.edit()).collect(),
        })
    }

    fn now(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    fn key(&self, table: TableId, row: &Row) -> Key {
        self.schema.table(table).primary_key_spec().key(row)
    }

    fn edit(&mut self) -> Change {
        let number = self.draws.below(self.generated);
        let toggle = self.draws.below(4) == 0;
        let modified = self.now();
        let issue = &mut self.issues[number as usize];
        (issue.modified, issue.open) = (modified, issue.open ^ toggle);
        let row = issue_row(number, issue);
        Change::Update { table: self.issue, key: self.key(self.issue, &row), row }
    }

    fn add_issue(&mut self) -> Change {
        let (owner, open) = (self.draws.below(self.users), self.draws.below(10) < 6);
        let (modified, priority) = (self.now(), self.draws.below(10));
        let title = "added".to_owned();
        let issue = Issue { title, open, modified, created: T0, owner, priority };
        // Numbers come again after the pool has turned over a few times, so that ids stay as long.
        let number = self.generated + self.issues_made % (4 * POOL as u32);
        self.issues_made += 1;
        let row = issue_row(number, &issue);
        self.added_issues.push_back((number, issue));
        Change::Insert { table: self.issue, row }
    }

    fn delete_issue(&self, number: u32, issue: &Issue) -> Change {
        let key = self.key(self.issue, &issue_row(number, issue));
        Change::Delete { table: self.issue, key }
    }

    fn add_comment(&mut self) -> Result<Change, Error> {
        let (issue, author) = (self.draws.below(self.generated), self.draws.below(self.users));
        let (created, body) = (self.now(), "added".to_owned());
        let number = self.comments_made % (4 * POOL);
        self.comments_made += 1;
        let comment = Comment { issue, author, created, body };
        let change = comment_change(&self.schema, number, &comment)?;
        if let Change::Insert { row, .. } = &change {
            self.added_comments.push_back(self.key(self.comment, row));
        }
        Ok(change)
    }

    /// The labels in turn, each to the issue added last: so no pair is there already.
    fn add_label(&mut self) -> Change {
        let issue = self.added_issues.back().map_or(0, |(number, _)| *number);
        let row = issue_label_row((issue, self.labels_made % self.labels));
        self.labels_made += 1;
        self.added_labels.push_back(self.key(self.issue_label, &row));
        Change::Insert { table: self.issue_label, row }
    }

    /// The check of the list (W1) from scratch.
    pub(super) fn list(&self) -> Check {
        let generated = (0..).zip(&self.issues);
        let added = self.added_issues.iter().map(|(number, issue)| (*number, issue));
        let mut open: Vec<(u32, &Issue)> =
            generated.chain(added).filter(|(_, issue)| issue.open).collect();
        // No two have the same time, as far as the list reaches.
        open.sort_by_key(|(number, issue)| (Reverse(issue.modified), *number));
        scratch::check(open.iter().take(100).map(|(number, _)| number))
    }
}
