//! W2, W4b and W4c by hand.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use penstock::Error;

use super::lists::Change;
use super::top::{Place, Top, place};
use super::{Map, edited_rows, hydrate, issue_rows, map, push};
use crate::check::Check;
use crate::data::{
    Comment, Data, Issue, added_comment_id, comment_adds, comment_id, issue_edits, issue_id,
    label_id, user_id,
};
use crate::report::Outcome;

/// Numbers of added comments, which follow all others by id.
const ADDED: u32 = 1 << 31;

/// The tables with the indexes that the tree needs.
struct Tables {
    issues: Map<u32, Arc<Issue>>,
    top: Top,
    labels: Map<u32, BTreeSet<u32>>,
    comments: Map<u32, Arc<Comment>>,
    /// The comments of each issue by created desc, id.
    by_issue: Map<u32, BTreeSet<Place>>,
}

/// An issue with its related rows; users and labels are their numbers.
#[derive(Clone, Debug)]
pub struct Node {
    issue: Arc<Issue>,
    owner: u32,
    labels: Vec<u32>,
    comments: Vec<(Place, Arc<Comment>)>,
}

/// What an edit changed in the tree.
#[derive(Debug)]
pub enum TreeChange {
    /// An issue came, with its related rows.
    Insert(Place, Node),
    /// An issue left.
    Remove(Place),
    /// An issue moved; its related rows are as they were.
    Move(Place, Place, Arc<Issue>),
}

impl Tables {
    fn new(data: &Data) -> Tables {
        let issues = issue_rows(data);
        let top = Top::of_open(&issues, 100);
        let mut labels: Map<u32, BTreeSet<u32>> = map();
        for &(issue, label) in &data.issue_labels {
            labels.entry(issue).or_default().insert(label);
        }
        let mut tables = Tables { issues, top, labels, comments: map(), by_issue: map() };
        for (id, comment) in (0..).zip(&data.comments) {
            tables.add(id, Arc::new(comment.clone()));
        }
        tables
    }

    fn add(&mut self, id: u32, comment: Arc<Comment>) {
        let place = (Reverse(comment.created), id);
        self.by_issue.entry(comment.issue).or_default().insert(place);
        self.comments.insert(id, comment);
    }

    fn node(&self, id: u32) -> Option<Node> {
        let issue = Arc::clone(self.issues.get(&id)?);
        let labels = self.labels.get(&id).into_iter().flatten().copied().collect();
        let comments = self.by_issue.get(&id).into_iter().flatten().take(10);
        let comments = comments
            .filter_map(|place| Some((*place, Arc::clone(self.comments.get(&place.1)?))))
            .collect();
        Some(Node { owner: issue.owner, issue, labels, comments })
    }

    /// The tree, in order.
    fn read(&self) -> Vec<(u32, Node)> {
        self.top.read().filter_map(|(_, id)| Some((*id, self.node(*id)?))).collect()
    }
}

/// W2: the tree out of warm indexes.
///
/// # Errors
/// None.
pub fn w2(data: &Data) -> Result<Outcome, Error> {
    let tables = Tables::new(data);
    let mut outcome = Outcome::default();
    hydrate(50, &mut outcome, || tables.read());
    outcome.check = Some(check(tables.read().iter().map(|(id, node)| (*id, node))));
    Ok(outcome)
}

/// W4b: the tree follows issue edits.
///
/// # Errors
/// None.
pub fn w4b(data: &Data) -> Result<Outcome, Error> {
    let mut tables = Tables::new(data);
    let mut nodes: Map<u32, Node> = map();
    nodes.extend(tables.read());
    let mut outcome = Outcome::default();
    let edits = edited_rows(data, &issue_edits(data, 10_000));
    push(edits, &mut outcome, |(id, row)| {
        let new = row.open.then(|| place(id, &row));
        let old = tables.issues.insert(id, Arc::clone(&row));
        let old = old.filter(|old| old.open).map(|old| place(id, &old));
        let moves = tables.top.change(old, new);
        let mut patch = Vec::new();
        let stays = |id: u32| moves.came.iter().flatten().any(|came| came.1 == id);
        for left in moves.left.iter().flatten().filter(|left| !stays(left.1)) {
            nodes.remove(&left.1);
            patch.push(TreeChange::Remove(*left));
        }
        for came in moves.came.iter().flatten() {
            match nodes.get_mut(&came.1) {
                Some(node) => {
                    node.issue = Arc::clone(&row);
                    let from = old.unwrap_or(*came);
                    patch.push(TreeChange::Move(from, *came, Arc::clone(&row)));
                }
                None => {
                    let Some(node) = tables.node(came.1) else { continue };
                    nodes.insert(came.1, node.clone());
                    patch.push(TreeChange::Insert(*came, node));
                }
            }
        }
        patch
    });
    let window = tables.top.window.iter();
    outcome.check = Some(check(window.filter_map(|(_, id)| Some((*id, nodes.get(id)?)))));
    Ok(outcome)
}

/// W4c: the tree follows added comments.
///
/// # Errors
/// None.
pub fn w4c(data: &Data) -> Result<Outcome, Error> {
    let mut tables = Tables::new(data);
    let in_view: Vec<u32> = tables.top.window.iter().map(|(_, id)| *id).collect();
    let mut nodes: Map<u32, Node> = map();
    nodes.extend(tables.read());
    let mut outcome = Outcome::default();
    let adds = comment_adds(data, &in_view, 10_000);
    let adds = (ADDED..).zip(adds.into_iter().map(Arc::new)).collect();
    push(adds, &mut outcome, |(id, comment): (u32, Arc<Comment>)| {
        tables.add(id, Arc::clone(&comment));
        let node = nodes.get_mut(&comment.issue)?;
        let place = (Reverse(comment.created), id);
        let at = node.comments.partition_point(|(other, _)| *other < place);
        if at == 10 {
            return None;
        }
        node.comments.insert(at, (place, Arc::clone(&comment)));
        let left = (node.comments.len() > 10).then(|| node.comments.pop()).flatten();
        Some((comment.issue, Change::Remove(left.map_or(place, |(left, _)| left)), place, comment))
    });
    let window = tables.top.window.iter();
    outcome.check = Some(check(window.filter_map(|(_, id)| Some((*id, nodes.get(id)?)))));
    Ok(outcome)
}

fn check<'a>(nodes: impl Iterator<Item = (u32, &'a Node)>) -> Check {
    let mut check = Check::default();
    for (id, node) in nodes {
        check.entry(&issue_id(id));
        check.entry(&user_id(node.owner));
        node.labels.iter().for_each(|label| check.entry(&label_id(*label)));
        for ((_, comment), _) in &node.comments {
            check.entry(&match comment.checked_sub(ADDED) {
                Some(k) => added_comment_id(k as usize),
                None => comment_id(*comment),
            });
        }
    }
    check
}
