//! W9, W10 and W11 by hand.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::Error;

use super::lists::patch;
use super::top::{Place, Top};
use super::{Map, edited_rows, issue_rows, map, push};
use crate::check::Check;
use crate::data::{Comment, Data, Issue, comment_adds, issue_edits, issue_id, user_id};
use crate::report::Outcome;

/// How many open issues an owner has, and the sum of their priorities.
type Group = (u32, u64);

/// Adds a row to its group, or takes it out.
fn change(groups: &mut BTreeMap<u32, Group>, issue: &Issue, came: bool) {
    let group = groups.entry(issue.owner).or_default();
    let priority = u64::from(issue.priority);
    *group = match came {
        true => (group.0 + 1, group.1 + priority),
        false => (group.0 - 1, group.1 - priority),
    };
    if group.0 == 0 {
        groups.remove(&issue.owner);
    }
}

/// W9: a count and a sum per owner follow each edit.
///
/// # Errors
/// None.
pub fn w9(data: &Data) -> Result<Outcome, Error> {
    let mut rows = issue_rows(data);
    let mut groups = BTreeMap::new();
    for issue in data.issues.iter().filter(|issue| issue.open) {
        change(&mut groups, issue, true);
    }
    let mut outcome = Outcome::default();
    let edits = edited_rows(data, &issue_edits(data, 10_000));
    push(edits, &mut outcome, |(id, row)| {
        let (owner, open) = (row.owner, row.open);
        let old = rows.insert(id, Arc::clone(&row));
        // An edit changes neither owner nor priority.
        if old.as_ref().is_some_and(|old| old.open == open) {
            return None;
        }
        if let Some(old) = old.filter(|old| old.open) {
            change(&mut groups, &old, false);
        }
        if open {
            change(&mut groups, &row, true);
        }
        Some((owner, groups.get(&owner).copied()))
    });
    let mut check = Check::default();
    for (owner, (count, sum)) in &groups {
        check.entry(&format!("{}|{count}|{sum}", user_id(*owner)));
    }
    outcome.check = Some(check);
    Ok(outcome)
}

/// What W10 and W11 need of the tables.
struct Discussion {
    issues: Map<u32, Arc<Issue>>,
    /// The comments of each issue whose author is known.
    comments: Map<u32, Vec<Arc<Comment>>>,
    users: u32,
    /// The comments of open issues.
    total: u64,
}

impl Discussion {
    fn new(data: &Data) -> Discussion {
        let (issues, users) = (issue_rows(data), data.sizes.users);
        let mut all = Discussion { issues, comments: map(), users, total: 0 };
        for comment in &data.comments {
            all.add(&Arc::new(comment.clone()));
        }
        all
    }

    /// Adds a comment; returns the new total where it is another.
    fn add(&mut self, comment: &Arc<Comment>) -> Option<u64> {
        if comment.author >= self.users {
            return None;
        }
        self.comments.entry(comment.issue).or_default().push(Arc::clone(comment));
        let open = self.issues.get(&comment.issue).is_some_and(|issue| issue.open);
        self.total += u64::from(open);
        open.then_some(self.total)
    }

    /// Replaces an issue; returns the new total where it is another.
    fn edit(&mut self, id: u32, issue: Arc<Issue>) -> Option<u64> {
        let open = issue.open;
        let was = self.issues.insert(id, issue).is_some_and(|old| old.open);
        let comments = self.comments.get(&id).map_or(0, |comments| comments.len() as u64);
        match (was, open) {
            (false, true) => self.total += comments,
            (true, false) => self.total -= comments,
            _ => return None,
        }
        (comments > 0).then_some(self.total)
    }

    fn check(&self) -> Check {
        let mut check = Check::default();
        check.entry(&self.total.to_string());
        check
    }
}

/// W10: the number follows issue edits.
///
/// # Errors
/// None.
pub fn w10(data: &Data) -> Result<Outcome, Error> {
    let mut discussion = Discussion::new(data);
    let mut outcome = Outcome::default();
    let edits = edited_rows(data, &issue_edits(data, 10_000));
    push(edits, &mut outcome, |(id, row)| discussion.edit(id, row));
    outcome.check = Some(discussion.check());
    Ok(outcome)
}

/// The *comment adds* as shared rows.
fn adds(data: &Data, issues: &Map<u32, Arc<Issue>>) -> Vec<Arc<Comment>> {
    let in_view: Vec<u32> = Top::of_open(issues, 100).window.iter().map(|(_, id)| *id).collect();
    comment_adds(data, &in_view, 10_000).into_iter().map(Arc::new).collect()
}

/// W10c: the number follows added comments.
///
/// # Errors
/// None.
pub fn w10c(data: &Data) -> Result<Outcome, Error> {
    let mut discussion = Discussion::new(data);
    let mut outcome = Outcome::default();
    let adds = adds(data, &discussion.issues);
    push(adds, &mut outcome, |comment| discussion.add(&comment));
    outcome.check = Some(discussion.check());
    Ok(outcome)
}

/// W11: the issues stand in order by the number of their comments.
///
/// # Errors
/// None.
pub fn w11(data: &Data) -> Result<Outcome, Error> {
    let issues = issue_rows(data);
    let mut counts: Map<u32, i64> = map();
    let mut comments: Vec<Arc<Comment>> = data.comments.iter().cloned().map(Arc::new).collect();
    for comment in &comments {
        *counts.entry(comment.issue).or_default() += 1;
    }
    let place = |id: u32, count: i64| -> Place { (Reverse(count), id) };
    let places = issues.keys().map(|id| place(*id, counts.get(id).copied().unwrap_or(0)));
    let mut top = Top::new(places, 100);
    let mut outcome = Outcome::default();
    push(adds(data, &issues), &mut outcome, |comment| {
        let count = counts.entry(comment.issue).or_default();
        let (old, new) = (place(comment.issue, *count), place(comment.issue, *count + 1));
        *count += 1;
        comments.push(comment);
        patch(&issues, &top.change(Some(old), Some(new)))
    });
    let mut check = Check::default();
    for (Reverse(count), id) in &top.window {
        check.entry(&format!("{}|{count}", issue_id(*id)));
    }
    outcome.check = Some(check);
    Ok(outcome)
}
