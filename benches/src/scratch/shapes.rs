//! The shapes of many queries over the generated tables, their change streams, and their results
//! from scratch.

use std::cmp::Reverse;

use super::{check, entries};
use crate::check::Check;
use crate::data::{
    Comment, Data, Draws, EDITS_FROM, IssueEdit, T0, added_comment_id, comment_adds, comment_id,
    issue_id,
};

/// How long the span is over which `modified` is drawn, in milliseconds.
const SPAN: i64 = 1_000_000_000;
/// The limit of the lists of comments.
pub const LIST: usize = 10;
/// The limit of the lists of issues modified after an instant.
pub const AFTER: usize = 10;
/// The length of the IN lists.
pub const PINNED: usize = 5;
/// The number of changes.
pub const CHANGES: usize = 10_000;

/// A shape of Tr.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// The lowest priority, 0 to 2.
    pub priority: u32,
    /// The beginning of the interval, in milliseconds; belongs to it.
    pub from: i64,
    /// The end of the interval, which does not.
    pub to: i64,
}

/// `count` intervals that cover the span twice, whatever their number.
pub fn calendars(count: usize) -> impl Iterator<Item = Calendar> {
    let length = SPAN / count as i64;
    (0_u32..).take(count).map(move |i| {
        let from = T0 + i64::from(i) * length;
        Calendar { priority: i % 3, from, to: from + 2 * length }
    })
}

/// `count` instants evenly spread over the span.
pub fn instants(count: usize) -> impl Iterator<Item = i64> {
    let step = SPAN / count as i64;
    (0..).take(count).map(move |i| T0 + i * step)
}

/// `count` lists of issues, together all of them in turn.
pub fn lists(data: &Data, count: usize) -> impl Iterator<Item = Vec<u32>> {
    let mut issues = (0..data.sizes.issues).cycle();
    (0..count).map(move |_| issues.by_ref().take(PINNED).collect())
}

/// Edits that move an issue to an instant drawn from the span (seed 9): per edit draws the issue and
/// the instant as the generated ones are drawn.
pub fn reschedules(data: &Data) -> Vec<IssueEdit> {
    let mut draws = Draws::new(9);
    let edit = |_| {
        let issue = draws.below(data.sizes.issues);
        let modified = T0 + i64::from(draws.below(10_000_000)) * 100;
        IssueEdit { issue, modified, open: data.issues[issue as usize].open }
    };
    (0..CHANGES).map(edit).collect()
}

/// The first issues, as many as are watched; there may be fewer.
fn first(data: &Data, watched: usize) -> u32 {
    data.sizes.issues.min(u32::try_from(watched).unwrap_or(u32::MAX))
}

/// The changes of W5c and Te: added comments of which half go to the issues watched, so that a change
/// is seen by about as many queries however many there are.
pub fn discussion_adds(data: &Data, queries: usize) -> Vec<Comment> {
    comment_adds(data, &(0..first(data, queries)).collect::<Vec<u32>>(), CHANGES)
}

/// The changes of Ti: edits as the *issue edits*, of which half go to the issues watched (seed 9;
/// per edit draws whether, and which issue).
pub fn pinned_edits(data: &Data, queries: usize) -> Vec<IssueEdit> {
    let watched = first(data, queries * PINNED);
    let mut draws = Draws::new(9);
    let edit = |k| {
        let from = if draws.below(2) == 0 { watched } else { data.sizes.issues };
        let issue = draws.below(from);
        IssueEdit { issue, modified: EDITS_FROM + k, open: data.issues[issue as usize].open }
    };
    (0..).take(CHANGES).map(edit).collect()
}

/// The comments of each issue as (created, id), the last created first.
fn comments(data: &Data, added: &[Comment]) -> Vec<Vec<(Reverse<i64>, String)>> {
    let mut by_issue = vec![Vec::new(); data.sizes.issues as usize];
    let generated = (0..).zip(&data.comments).map(|(i, comment)| (comment, comment_id(i)));
    let added = added.iter().enumerate().map(|(k, comment)| (comment, added_comment_id(k)));
    for (comment, id) in generated.chain(added) {
        by_issue[comment.issue as usize].push((Reverse(comment.created), id));
    }
    by_issue.iter_mut().for_each(|comments| comments.sort());
    by_issue
}

/// W5c and Te: the results of so many queries.
pub fn discussions(data: &Data, queries: usize) -> Check {
    let comments = comments(data, &discussion_adds(data, queries));
    let mut check = Check::default();
    for comments in comments.iter().cycle().take(queries) {
        comments.iter().take(LIST).for_each(|(_, id)| check.entry(id));
    }
    check
}

/// Ti: the results of so many queries.
pub fn pinned(data: &Data, queries: usize) -> Check {
    let modified = after_edits(data, &pinned_edits(data, queries));
    let mut found = Vec::new();
    for mut list in lists(data, queries) {
        list.sort_by_key(|issue| (Reverse(modified[*issue as usize]), *issue));
        // A list over few issues may name one of them twice.
        list.dedup();
        found.extend(list);
    }
    check(&found)
}

/// When each issue was modified last, after some edits.
fn after_edits(data: &Data, edits: &[IssueEdit]) -> Vec<i64> {
    let mut modified: Vec<i64> = data.issues.iter().map(|issue| issue.modified).collect();
    for edit in edits {
        modified[edit.issue as usize] = edit.modified;
    }
    modified
}

/// Every issue as (modified, number) after the reschedules, the first modified first.
fn scheduled(data: &Data) -> Vec<(i64, Reverse<u32>)> {
    let modified = after_edits(data, &reschedules(data));
    let mut order: Vec<_> = modified.into_iter().zip((0..).map(Reverse)).collect();
    order.sort();
    order
}

/// Tr: the results of so many queries.
pub fn calendar(data: &Data, queries: usize) -> Check {
    let order = scheduled(data);
    let mut found = Vec::new();
    for shape in calendars(queries) {
        let [from, to] = [shape.from, shape.to]
            .map(|instant| order.partition_point(|(modified, _)| *modified < instant));
        let issues = order[from..to].iter().rev().map(|(_, Reverse(issue))| *issue);
        found.extend(issues.filter(|i| data.issues[*i as usize].priority >= shape.priority));
    }
    check(&found)
}

/// To: the results of so many queries.
pub fn after(data: &Data, queries: usize) -> Check {
    let mut order = scheduled(data);
    order.sort_by_key(|(modified, Reverse(issue))| (*modified, *issue));
    let list = |instant| {
        let from = order.partition_point(|(modified, _)| *modified <= instant);
        order[from..].iter().take(AFTER).map(|(_, Reverse(issue))| issue_id(*issue))
    };
    entries(instants(queries).flat_map(list))
}
