//! What the results of the workloads must be, evaluated from scratch over the generated data,
//! without any engine. At scale 1 these meet the checksums of the reference (`tests/reference.rs`);
//! at other scales they take the place of the reference.

pub mod shapes;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::check::Check;
use crate::data::{
    Comment, Data, Issue, added_comment_id, comment_adds, comment_id, issue_edits, issue_id,
    label_id, label_toggles, user_id,
};

/// The check of a workload over given data.
pub type Scratch = fn(&Data) -> Check;

/// The tables after some of the changes.
#[derive(Debug)]
pub struct State<'a> {
    data: &'a Data,
    issues: Vec<Issue>,
    labels: BTreeSet<(u32, u32)>,
    added: Vec<Comment>,
}

impl<'a> State<'a> {
    /// Before any change.
    pub fn new(data: &'a Data) -> State<'a> {
        let (issues, labels) = (data.issues.clone(), data.issue_labels.iter().copied().collect());
        State { data, issues, labels, added: Vec::new() }
    }

    /// After the first `count` issue edits.
    pub fn edited(data: &'a Data, count: usize) -> State<'a> {
        let mut state = State::new(data);
        for edit in issue_edits(data, count) {
            let issue = &mut state.issues[edit.issue as usize];
            (issue.modified, issue.open) = (edit.modified, edit.open);
        }
        state
    }

    /// After the first `count` label toggles.
    pub fn toggled(data: &'a Data, count: usize) -> State<'a> {
        let mut state = State::new(data);
        for toggle in label_toggles(data, count) {
            let pair = (toggle.issue, toggle.label);
            let changed =
                if toggle.added { state.labels.insert(pair) } else { state.labels.remove(&pair) };
            assert!(changed, "a toggle adds what is absent and removes what is present");
        }
        state
    }

    /// After the first `count` comment adds.
    pub fn commented(data: &'a Data, count: usize) -> State<'a> {
        let mut state = State::new(data);
        state.added = comment_adds(data, &state.open(100), count);
        state
    }

    /// The issues that satisfy a condition, the last modified first.
    fn issues(&self, limit: usize, condition: impl Fn(u32, &Issue) -> bool) -> Vec<u32> {
        let mut found: Vec<u32> = (0..self.data.sizes.issues)
            .filter(|&i| condition(i, &self.issues[i as usize]))
            .collect();
        found.sort_by_key(|&i| (Reverse(self.issues[i as usize].modified), i));
        found.truncate(limit);
        found
    }

    fn open(&self, limit: usize) -> Vec<u32> {
        self.issues(limit, |_, issue| issue.open)
    }

    fn has_label_7(&self, issue: u32) -> bool {
        self.labels.contains(&(issue, 7))
    }

    /// W1; without its limit W1b.
    pub fn list(&self, limit: usize) -> Check {
        check(&self.open(limit))
    }

    /// W3.
    pub fn with_label(&self) -> Check {
        check(&self.issues(100, |issue, _| self.has_label_7(issue)))
    }

    /// W8: `priority = 0 OR ownerId = u0007 OR EXISTS(label-07)`.
    pub fn any_of_three(&self) -> Check {
        let is_any =
            |i, issue: &Issue| issue.priority == 0 || issue.owner == 7 || self.has_label_7(i);
        check(&self.issues(100, is_any))
    }

    /// W5 with so many queries.
    pub fn of_owners(&self, queries: usize) -> Check {
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); self.data.sizes.users as usize];
        for issue in self.issues(usize::MAX, |_, _| true) {
            let list = &mut lists[self.issues[issue as usize].owner as usize];
            if list.len() < 50 {
                list.push(issue);
            }
        }
        check(lists.iter().cycle().take(queries).flatten())
    }

    /// The comments of each issue as (created, id), the last created first.
    fn comments(&self) -> BTreeMap<u32, Vec<(Reverse<i64>, String)>> {
        let mut by_issue: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        let generated = self.data.comments.iter().enumerate();
        let generated = generated.map(|(i, comment)| (comment, comment_id(i as u32)));
        let added = self.added.iter().enumerate();
        let added = added.map(|(k, comment)| (comment, added_comment_id(k)));
        for (comment, id) in generated.chain(added) {
            by_issue.entry(comment.issue).or_default().push((Reverse(comment.created), id));
        }
        by_issue.values_mut().for_each(|comments| comments.sort());
        by_issue
    }

    /// W2: the tree.
    pub fn tree(&self) -> Check {
        let comments = self.comments();
        let mut check = Check::default();
        for issue in self.open(100) {
            check.entry(&issue_id(issue));
            check.entry(&user_id(self.issues[issue as usize].owner));
            let labels = self.labels.range((issue, 0)..=(issue, u32::MAX));
            let mut labels: Vec<String> = labels.map(|(_, label)| label_id(*label)).collect();
            labels.sort();
            labels.iter().for_each(|label| check.entry(label));
            let of_issue = comments.get(&issue).into_iter().flatten();
            of_issue.take(10).for_each(|(_, id)| check.entry(id));
        }
        check
    }

    /// W7.
    pub fn with_comments(&self) -> Check {
        let comments = self.comments();
        let mut check = Check::default();
        for issue in self.open(usize::MAX) {
            check.entry(&issue_id(issue));
            let of_issue = comments.get(&issue).into_iter().flatten();
            of_issue.for_each(|(_, id)| check.entry(id));
        }
        check
    }

    /// W9: `owner|count|sum` of the open issues by owner.
    pub fn by_owner(&self) -> Check {
        let mut groups = vec![(0, 0); self.data.sizes.users as usize];
        for issue in self.issues.iter().filter(|issue| issue.open) {
            let group = &mut groups[issue.owner as usize];
            *group = (group.0 + 1, group.1 + issue.priority);
        }
        let groups = (0..).zip(groups).filter(|(_, (count, _))| *count > 0);
        let mut lines: Vec<String> = groups
            .map(|(owner, (count, sum))| format!("{}|{count}|{sum}", user_id(owner)))
            .collect();
        // In the order of the owners as text, which from 10 000 on is not that of their numbers.
        lines.sort();
        entries(lines)
    }

    /// W10: the comments, added ones too, of open issues.
    pub fn open_discussion(&self) -> Check {
        let all = self.data.comments.iter().chain(&self.added);
        let open = all.filter(|comment| self.issues[comment.issue as usize].open);
        let count = open.filter(|comment| comment.author < self.data.sizes.users).count();
        entries([count.to_string()])
    }

    /// W11: `id|number` of the issues with most comments.
    pub fn most_discussed(&self) -> Check {
        let mut counts = vec![0; self.issues.len()];
        for comment in self.data.comments.iter().chain(&self.added) {
            counts[comment.issue as usize] += 1;
        }
        let mut order: Vec<u32> = (0..self.data.sizes.issues).collect();
        order.sort_by_key(|&issue| (Reverse(counts[issue as usize]), issue));
        let line = |issue: &u32| format!("{}|{}", issue_id(*issue), counts[*issue as usize]);
        entries(order.iter().take(100).map(line))
    }

    /// W6: W1 so many times.
    pub fn copies(&self, count: usize) -> Check {
        let view = self.open(100);
        check((0..count).flat_map(|_| &view))
    }
}

/// The check of issues by their numbers.
pub fn check<'a>(issues: impl IntoIterator<Item = &'a u32>) -> Check {
    entries(issues.into_iter().map(|issue| issue_id(*issue)))
}

/// The check of entries by their ids, or what stands in their place.
pub fn entries(ids: impl IntoIterator<Item = String>) -> Check {
    let mut check = Check::default();
    ids.into_iter().for_each(|id| check.entry(&id));
    check
}
