//! The shapes of many queries over the generated tables, their change streams, and their results
//! from scratch.

use std::cmp::Reverse;

use super::{check, entries};
use crate::check::Check;
use crate::data::{
    Comment, Data, Draws, IssueEdit, T0, added_comment_id, comment_adds, comment_id, issue_id,
};

/// How long the span is over which `modified` is drawn, in milliseconds.
const SPAN: i64 = 1_000_000_000;
/// The limit of the lists of comments.
pub const LIST: usize = 10;
/// The limit of the lists of issues modified after an instant.
pub const AFTER: usize = 10;
/// The length of the IN lists.
pub const FOLLOWED: usize = 5;
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
    (0..count).map(move |_| issues.by_ref().take(FOLLOWED).collect())
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

/// Added comments of which half go to the first `watched` issues, so that a change is seen by about
/// as many queries however many there are.
fn adds(data: &Data, watched: usize) -> Vec<Comment> {
    let watched = data.sizes.issues.min(u32::try_from(watched).unwrap_or(u32::MAX));
    comment_adds(data, &(0..watched).collect::<Vec<u32>>(), CHANGES)
}

/// The changes of W5c and Te.
pub fn discussion_adds(data: &Data, queries: usize) -> Vec<Comment> {
    adds(data, queries)
}

/// The changes of Ti.
pub fn followed_adds(data: &Data, queries: usize) -> Vec<Comment> {
    adds(data, queries * FOLLOWED)
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
pub fn followed(data: &Data, queries: usize) -> Check {
    let comments = comments(data, &followed_adds(data, queries));
    let mut check = Check::default();
    for list in lists(data, queries) {
        let mut list: Vec<_> = list.iter().flat_map(|issue| &comments[*issue as usize]).collect();
        list.sort();
        // A list over few issues may name one of them twice.
        list.dedup();
        list.iter().take(LIST).for_each(|(_, id)| check.entry(id));
    }
    check
}

/// Every issue as (modified, number) after the reschedules, the first modified first.
fn scheduled(data: &Data) -> Vec<(i64, Reverse<u32>)> {
    let mut modified: Vec<i64> = data.issues.iter().map(|issue| issue.modified).collect();
    for edit in reschedules(data) {
        modified[edit.issue as usize] = edit.modified;
    }
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
