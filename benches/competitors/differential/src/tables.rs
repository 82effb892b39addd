//! The tables as the queries read them, and the inputs that fill them.

use std::sync::Arc;

use differential_dataflow::VecCollection;
use differential_dataflow::input::InputSession;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::TraceReader;
use differential_dataflow::trace::implementations::ValSpine;
use differential_dataflow::{ExchangeData, Hashable};
use penstock_benches::data::{Data, label_name};
use penstock_competitors::changes::Change;
use timely::dataflow::operators::Probe;
use timely::dataflow::{ProbeHandle, Scope};
use timely::progress::frontier::AntichainRef;

use crate::model::{Comment, Epoch, Issue, User};

/// A collection of rows.
pub(crate) type Rows<'s, R> = VecCollection<'s, Epoch, R, isize>;
/// Rows kept by a number.
pub(crate) type Trace<V> = TraceAgent<ValSpine<u32, V, Epoch, isize>>;

/// A table by one of its columns.
#[derive(Clone)]
pub(crate) enum Table<'s, V: ExchangeData> {
    /// As it comes in; kept only where an operator needs it.
    Input(Rows<'s, (u32, V)>),
    /// Kept by another dataflow.
    Kept(Arranged<'s, Trace<V>>),
}

impl<'s, V: ExchangeData> Table<'s, V> {
    /// The rows with their column.
    pub(crate) fn rows(&self) -> Rows<'s, (u32, V)> {
        match self {
            Table::Input(rows) => rows.clone(),
            Table::Kept(kept) => kept.clone().as_collection(|key, row| (*key, row.clone())),
        }
    }

    /// The rows kept by their column.
    pub(crate) fn kept(&self) -> Arranged<'s, Trace<V>>
    where
        V: Hashable,
    {
        match self {
            Table::Input(rows) => rows.clone().arrange_by_key(),
            Table::Kept(kept) => kept.clone(),
        }
    }
}

/// All tables, and the live queries as a table of theirs.
#[derive(Clone)]
pub(crate) struct Tables<'s> {
    /// `issue` by id.
    pub(crate) issues: Table<'s, Issue>,
    /// `user` by id.
    pub(crate) users: Table<'s, User>,
    /// `label` by id.
    pub(crate) labels: Table<'s, Arc<str>>,
    /// `comment` by issue.
    pub(crate) comments: Table<'s, Comment>,
    /// The labels of `issueLabel` by issue.
    pub(crate) labels_of_issue: Table<'s, u32>,
    /// The issues of `issueLabel` by label.
    pub(crate) issues_of_label: Table<'s, u32>,
    /// The numbers of live queries by their parameter.
    pub(crate) queries: Table<'s, u32>,
}

/// The traces of the tables, for queries that come later.
pub(crate) struct Traces {
    issues: Trace<Issue>,
    users: Trace<User>,
    labels: Trace<Arc<str>>,
    comments: Trace<Comment>,
    labels_of_issue: Trace<u32>,
    issues_of_label: Trace<u32>,
    queries: Trace<u32>,
}

impl Tables<'_> {
    /// Keeps every table. The probe knows when an epoch is complete.
    pub(crate) fn keep(&self, probe: &ProbeHandle<Epoch>) -> Traces {
        Traces {
            issues: keep(&self.issues, probe),
            users: keep(&self.users, probe),
            labels: keep(&self.labels, probe),
            comments: keep(&self.comments, probe),
            labels_of_issue: keep(&self.labels_of_issue, probe),
            issues_of_label: keep(&self.issues_of_label, probe),
            queries: keep(&self.queries, probe),
        }
    }
}

fn keep<V: ExchangeData + Hashable>(table: &Table<'_, V>, probe: &ProbeHandle<Epoch>) -> Trace<V> {
    let kept = table.kept();
    kept.stream.probe_with(probe);
    kept.trace
}

impl Traces {
    /// Lets go of what only reads as of earlier epochs need.
    pub(crate) fn compact(&mut self, epoch: Epoch) {
        compact(&mut self.issues, epoch);
        compact(&mut self.users, epoch);
        compact(&mut self.labels, epoch);
        compact(&mut self.comments, epoch);
        compact(&mut self.labels_of_issue, epoch);
        compact(&mut self.issues_of_label, epoch);
        compact(&mut self.queries, epoch);
    }

    /// The tables in another dataflow.
    pub(crate) fn import<'s>(&mut self, scope: Scope<'s, Epoch>) -> Tables<'s> {
        Tables {
            issues: Table::Kept(self.issues.import(scope.clone())),
            users: Table::Kept(self.users.import(scope.clone())),
            labels: Table::Kept(self.labels.import(scope.clone())),
            comments: Table::Kept(self.comments.import(scope.clone())),
            labels_of_issue: Table::Kept(self.labels_of_issue.import(scope.clone())),
            issues_of_label: Table::Kept(self.issues_of_label.import(scope.clone())),
            queries: Table::Kept(self.queries.import(scope)),
        }
    }
}

type Input<V> = InputSession<Epoch, (u32, V), isize>;

/// Where rows are written.
pub(crate) struct Inputs {
    issues: Input<Issue>,
    users: Input<User>,
    labels: Input<Arc<str>>,
    comments: Input<Comment>,
    pairs: Input<u32>,
    pub(crate) queries: Input<u32>,
    /// The rows of `issue` as they are: an update takes the old row away.
    current: Vec<Issue>,
}

impl Inputs {
    pub(crate) fn new() -> Inputs {
        Inputs {
            issues: InputSession::new(),
            users: InputSession::new(),
            labels: InputSession::new(),
            comments: InputSession::new(),
            pairs: InputSession::new(),
            queries: InputSession::new(),
            current: Vec::new(),
        }
    }

    /// The tables that the inputs fill.
    pub(crate) fn tables<'s>(&mut self, scope: Scope<'s, Epoch>) -> Tables<'s> {
        let pairs = self.pairs.to_collection(scope.clone());
        Tables {
            issues: Table::Input(self.issues.to_collection(scope.clone())),
            users: Table::Input(self.users.to_collection(scope.clone())),
            labels: Table::Input(self.labels.to_collection(scope.clone())),
            comments: Table::Input(self.comments.to_collection(scope.clone())),
            labels_of_issue: Table::Input(pairs.clone()),
            issues_of_label: Table::Input(pairs.map(|(issue, label)| (label, issue))),
            queries: Table::Input(self.queries.to_collection(scope)),
        }
    }

    /// Writes all rows.
    pub(crate) fn fill(&mut self, data: &Data) {
        (0..data.sizes.users).for_each(|i| self.users.insert((i, User::new(i))));
        (0..data.sizes.labels).for_each(|i| self.labels.insert((i, label_name(i).into())));
        self.current = (0..).zip(&data.issues).map(|(i, issue)| Issue::new(i, issue)).collect();
        self.current.iter().for_each(|issue| self.issues.insert((issue.id, issue.clone())));
        for (i, comment) in (0..).zip(&data.comments) {
            self.comments.insert((comment.issue, Comment::new(i, comment)));
        }
        data.issue_labels.iter().for_each(|pair| self.pairs.insert(*pair));
    }

    /// Writes one change.
    pub(crate) fn write(&mut self, change: &Change) {
        match change {
            Change::Edit(edit) => {
                let current = &mut self.current[edit.issue as usize];
                let edited = current.edited(edit);
                let old = std::mem::replace(current, edited.clone());
                self.issues.remove((edit.issue, old));
                self.issues.insert((edit.issue, edited));
            }
            Change::Comment(id, comment) => {
                self.comments.insert((comment.issue, Comment::new(*id, comment)));
            }
            Change::Toggle(toggle) => {
                let diff = if toggle.added { 1 } else { -1 };
                self.pairs.update((toggle.issue, toggle.label), diff);
            }
        }
    }

    /// Ends the transaction in flight.
    pub(crate) fn advance_to(&mut self, epoch: Epoch) {
        advance(&mut self.issues, epoch);
        advance(&mut self.users, epoch);
        advance(&mut self.labels, epoch);
        advance(&mut self.comments, epoch);
        advance(&mut self.pairs, epoch);
        advance(&mut self.queries, epoch);
    }
}

fn advance<V: ExchangeData>(input: &mut Input<V>, epoch: Epoch) {
    input.advance_to(epoch);
    input.flush();
}

fn compact<V: ExchangeData>(trace: &mut Trace<V>, epoch: Epoch) {
    trace.set_logical_compaction(AntichainRef::new(&[epoch]));
    trace.set_physical_compaction(AntichainRef::new(&[epoch]));
}
