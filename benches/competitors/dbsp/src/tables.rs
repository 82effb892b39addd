//! The tables as streams of changes, and the handles by which they are written.

use dbsp::{IndexedZSetHandle, OrdIndexedZSet, OrdZSet, RootCircuit, Stream, ZSetHandle, ZWeight};
use penstock_benches::data::{Data, label_name};
use penstock_competitors::changes::Change;

use crate::model::{Comment, Issue, Label, User};

/// Changes of rows.
pub(crate) type Rows<R> = Stream<RootCircuit, OrdZSet<R>>;
/// Changes of rows by a key.
pub(crate) type By<K, V> = Stream<RootCircuit, OrdIndexedZSet<K, V>>;

/// All tables, and the live queries as a table of theirs.
pub(crate) struct Tables {
    pub(crate) issues: Rows<Issue>,
    /// `user` by id.
    pub(crate) users: By<u32, User>,
    /// `label` by id.
    pub(crate) labels: By<u32, Label>,
    /// `comment` by issue.
    pub(crate) comments: By<u32, Comment>,
    /// The labels of `issueLabel` by issue.
    pub(crate) pairs: By<u32, u32>,
    /// The numbers of live queries by their parameter.
    pub(crate) queries: By<u32, u32>,
}

/// Where rows are written.
pub(crate) struct Inputs {
    issues: ZSetHandle<Issue>,
    users: IndexedZSetHandle<u32, User>,
    labels: IndexedZSetHandle<u32, Label>,
    comments: IndexedZSetHandle<u32, Comment>,
    pairs: IndexedZSetHandle<u32, u32>,
    queries: IndexedZSetHandle<u32, u32>,
    /// The rows of `issue` as they are: an update takes the old row away.
    current: Vec<Issue>,
}

impl Tables {
    /// Keeps every table, whether or not a query needs it.
    pub(crate) fn keep(&self) {
        self.issues.map_index(|issue| (issue.id, issue.clone())).accumulate_integrate_trace();
        self.users.accumulate_integrate_trace();
        self.labels.accumulate_integrate_trace();
        self.comments.accumulate_integrate_trace();
        self.pairs.accumulate_integrate_trace();
        self.queries.accumulate_integrate_trace();
    }
}

impl Inputs {
    /// The tables and their handles.
    pub(crate) fn new(circuit: &RootCircuit) -> (Inputs, Tables) {
        let (issues, issues_input) = circuit.add_input_zset();
        let (users, users_input) = circuit.add_input_indexed_zset();
        let (labels, labels_input) = circuit.add_input_indexed_zset();
        let (comments, comments_input) = circuit.add_input_indexed_zset();
        let (pairs, pairs_input) = circuit.add_input_indexed_zset();
        let (queries, queries_input) = circuit.add_input_indexed_zset();
        let inputs = Inputs {
            issues: issues_input,
            users: users_input,
            labels: labels_input,
            comments: comments_input,
            pairs: pairs_input,
            queries: queries_input,
            current: Vec::new(),
        };
        (inputs, Tables { issues, users, labels, comments, pairs, queries })
    }

    /// Writes all rows.
    pub(crate) fn fill(&mut self, data: &Data) {
        for id in 0..data.sizes.users {
            let user = User { id, name: format!("User {id}"), crew: id.is_multiple_of(10) };
            self.users.push(id, (user, 1));
        }
        for id in 0..data.sizes.labels {
            self.labels.push(id, (Label { id, name: label_name(id) }, 1));
        }
        self.current = (0..).zip(&data.issues).map(|(i, issue)| Issue::new(i, issue)).collect();
        self.current.iter().for_each(|issue| self.issues.push(issue.clone(), 1));
        for (i, comment) in (0..).zip(&data.comments) {
            self.comments.push(comment.issue, (Comment::new(i, comment), 1));
        }
        data.issue_labels.iter().for_each(|&(issue, label)| self.pairs.push(issue, (label, 1)));
    }

    /// Writes one change.
    pub(crate) fn write(&mut self, change: &Change) {
        match change {
            Change::Edit(edit) => {
                let current = &mut self.current[edit.issue as usize];
                let edited = current.edited(edit);
                let old = std::mem::replace(current, edited.clone());
                self.issues.push(old, -1);
                self.issues.push(edited, 1);
            }
            Change::Comment(id, comment) => {
                self.comments.push(comment.issue, (Comment::new(*id, comment), 1));
            }
            Change::Toggle(toggle) => {
                let weight = if toggle.added { 1 } else { -1 };
                self.pairs.push(toggle.issue, (toggle.label, weight));
            }
        }
    }

    /// Adds or removes a query with a parameter.
    pub(crate) fn query(&self, parameter: u32, query: u32, weight: ZWeight) {
        self.queries.push(parameter, (query, weight));
    }
}
