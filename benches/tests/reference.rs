//! The reference checksums, met by an evaluation of every workload from scratch: that the data and
//! the change streams are those of the reference, whatever an engine makes of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use penstock_benches::check::Check;
use penstock_benches::data::{
    Comment, Data, Issue, Sizes, added_comment_id, comment_adds, comment_id, issue_edits, issue_id,
    label_id, label_toggles, user_id,
};
use penstock_benches::workloads::named;

struct State {
    data: Data,
    issues: Vec<Issue>,
    labels: BTreeSet<(u32, u32)>,
    added: Vec<Comment>,
}

impl State {
    fn new() -> State {
        let data = Data::generate(Sizes::scaled(1));
        let (issues, labels) = (data.issues.clone(), data.issue_labels.iter().copied().collect());
        State { data, issues, labels, added: Vec::new() }
    }

    fn edited(count: usize) -> State {
        let mut state = State::new();
        for edit in issue_edits(&state.data, count) {
            let issue = &mut state.issues[edit.issue as usize];
            (issue.modified, issue.open) = (edit.modified, edit.open);
        }
        state
    }

    fn toggled(count: usize) -> State {
        let mut state = State::new();
        for toggle in label_toggles(&state.data, count) {
            let pair = (toggle.issue, toggle.label);
            let changed =
                if toggle.added { state.labels.insert(pair) } else { state.labels.remove(&pair) };
            assert!(changed, "a toggle adds what is absent and removes what is present");
        }
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

    /// `priority = 0 OR ownerId = u0007 OR EXISTS(label-07)`.
    fn any_of_three(&self) -> Vec<u32> {
        self.issues(100, |i, issue| issue.priority == 0 || issue.owner == 7 || self.has_label_7(i))
    }

    /// The comments of each issue as (created, id), unordered.
    fn comments(&self) -> BTreeMap<u32, Vec<(i64, String)>> {
        let mut by_issue: BTreeMap<u32, Vec<(i64, String)>> = BTreeMap::new();
        for (i, comment) in self.data.comments.iter().enumerate() {
            let entry = (comment.created, comment_id(i as u32));
            by_issue.entry(comment.issue).or_default().push(entry);
        }
        for (k, comment) in self.added.iter().enumerate() {
            let entry = (comment.created, added_comment_id(k));
            by_issue.entry(comment.issue).or_default().push(entry);
        }
        by_issue
    }

    /// The check of W2's tree.
    fn w2(&self) -> String {
        let mut comments = self.comments();
        let mut check = Check::default();
        for issue in self.open(100) {
            check.entry(&issue_id(issue));
            check.entry(&user_id(self.issues[issue as usize].owner));
            for (_, label) in self.labels.range((issue, 0)..=(issue, u32::MAX)) {
                check.entry(&label_id(*label));
            }
            let mut of_issue = comments.remove(&issue).unwrap_or_default();
            of_issue.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            of_issue.iter().take(10).for_each(|(_, id)| check.entry(id));
        }
        check.to_string()
    }
}

fn check(issues: &[u32]) -> String {
    let mut check = Check::default();
    issues.iter().for_each(|&issue| check.entry(&issue_id(issue)));
    check.to_string()
}

#[test]
fn hydrations() {
    let state = State::new();
    assert_eq!(check(&[]), "0:811c9dc5");
    assert_eq!(check(&state.open(100)), "100:7645f731");
    assert_eq!(check(&state.open(usize::MAX)), "59945:f457ca3e");
    assert_eq!(state.w2(), "703:5d75a93b");
    let with_label = state.issues(100, |issue, _| state.has_label_7(issue));
    assert_eq!(check(&with_label), "100:dddb886e");
}

#[test]
fn open_issues_with_all_their_comments() {
    let state = State::new();
    let mut comments = state.comments();
    let mut check = Check::default();
    for issue in state.open(usize::MAX) {
        check.entry(&issue_id(issue));
        let mut of_issue = comments.remove(&issue).unwrap_or_default();
        of_issue.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        of_issue.iter().for_each(|(_, id)| check.entry(id));
    }
    assert_eq!(check.to_string(), "239409:193a3f4f");
}

#[test]
fn issue_edits_under_the_lists() {
    let state = State::edited(10_000);
    assert_eq!(check(&state.open(100)), "100:4d4e835b");
    assert_eq!(check(&state.open(usize::MAX)), "59394:46d36e64");
    assert_eq!(state.w2(), "683:bf5f16a6");
    assert_eq!(check(&state.any_of_three()), "100:b83c1d61");
}

#[test]
fn comments_under_the_tree() {
    let mut state = State::new();
    state.added = comment_adds(&state.data, &state.open(100), 10_000);
    assert_eq!(state.w2(), "1409:665d6436");
}

#[test]
fn label_toggles_under_the_condition() {
    assert_eq!(check(&State::toggled(5_000).any_of_three()), "100:7161d47d");
}

#[test]
fn many_queries_by_owner() {
    let state = State::edited(1_000);
    let results: Vec<Vec<u32>> = (0..state.data.sizes.users)
        .map(|owner| state.issues(50, |_, issue| issue.owner == owner))
        .collect();
    let expected = [
        (10, "500:4950cb13"),
        (100, "5000:1635d29c"),
        (1_000, "50000:2fb646b9"),
        (10_000, "500000:32c6a8b5"),
    ];
    for (queries, reference) in expected {
        let mut check = Check::default();
        for query in 0..queries {
            let result = &results[query % results.len()];
            result.iter().for_each(|&issue| check.entry(&issue_id(issue)));
        }
        assert_eq!(check.to_string(), reference, "{queries} queries");
    }
}

/// The check of lines, each an entry.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    let mut check = Check::default();
    lines.into_iter().for_each(|line| check.entry(&line));
    check.to_string()
}

impl State {
    /// `owner|count|sum` of the open issues by owner: W9.
    fn by_owner(&self) -> Vec<String> {
        let group = |owner: u32| {
            let open = self.issues.iter().filter(|issue| issue.open && issue.owner == owner);
            let priorities: Vec<u32> = open.map(|issue| issue.priority).collect();
            let (count, sum) = (priorities.len(), priorities.iter().sum::<u32>());
            (count > 0).then(|| format!("{}|{count}|{sum}", user_id(owner)))
        };
        (0..self.data.sizes.users).filter_map(group).collect()
    }

    /// The comments, added ones too, of open issues: W10.
    fn open_discussion(&self) -> String {
        let all = self.data.comments.iter().chain(&self.added);
        let open = all.filter(|comment| self.issues[comment.issue as usize].open);
        open.filter(|comment| comment.author < self.data.sizes.users).count().to_string()
    }

    /// `id|number` of the issues with most comments: W11.
    fn most_discussed(&self) -> Vec<String> {
        let mut counts = vec![0; self.issues.len()];
        for comment in self.data.comments.iter().chain(&self.added) {
            counts[comment.issue as usize] += 1;
        }
        let mut order: Vec<u32> = (0..self.data.sizes.issues).collect();
        order.sort_by_key(|&issue| (Reverse(counts[issue as usize]), issue));
        let line = |issue: &u32| format!("{}|{}", issue_id(*issue), counts[*issue as usize]);
        order.iter().take(100).map(line).collect()
    }
}

/// The reference has no checks for aggregates. These are ours; the hand-written baseline and, where
/// the source is SQLite, SQLite meet them too.
fn expected(workload: &str) -> &'static str {
    let [workload] = named(workload)[..] else { panic!("{workload} is one workload") };
    workload.check.expect("the workload has a check")
}

#[test]
fn aggregates_under_issue_edits() {
    let state = State::edited(10_000);
    assert_eq!(lines(state.by_owner()), expected("W9"));
    assert_eq!(lines([state.open_discussion()]), expected("W10"));
}

#[test]
fn aggregates_under_added_comments() {
    let mut state = State::new();
    state.added = comment_adds(&state.data, &state.open(100), 10_000);
    assert_eq!(lines([state.open_discussion()]), expected("W10c"));
    assert_eq!(lines(state.most_discussed()), expected("W11"));
}

#[test]
fn copies_of_one_list() {
    let view = State::edited(1_000).open(100);
    let mut check = Check::default();
    (0..1_000).for_each(|_| view.iter().for_each(|&issue| check.entry(&issue_id(issue))));
    assert_eq!(check.to_string(), "100000:635a2c45");
}
