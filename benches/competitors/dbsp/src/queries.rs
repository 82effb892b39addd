//! The queries as circuits.

use dbsp::utils::Tup2;
use penstock_competitors::workload::Query;

use crate::model::{Discussed, Issue};
use crate::tables::{By, Rows, Tables};
use crate::view::{Held, View};

/// The part of a query over tables that may be hydrated again and again: what it reads passes only
/// while the table of queries has a row.
struct Gate<'a> {
    tables: &'a Tables,
    gated: bool,
}

/// The circuit of a query, with what its consumer holds. If it is `gated`, its result is there only
/// while the table of queries has a row with parameter 0.
pub(crate) fn build(query: Query, tables: &Tables, gated: bool) -> View {
    let gate = Gate { tables, gated };
    match query {
        Query::Nothing => {
            tables.keep();
            View::Nothing
        }
        Query::List => View::Issues(Held::of(&newest(&gate.open()))),
        Query::Open => View::Issues(Held::of(&gate.open())),
        Query::Tree => tree(tables, &newest(&gate.open())),
        Query::Labelled => View::Issues(Held::of(&newest(&gate.pass(labelled(tables))))),
        Query::Owners(_) => View::Queries(Held::of(&of_owners(tables))),
        Query::Copies(_) => View::Queries(Held::of(&copies(tables, &newest(&gate.open())))),
        Query::AnyOfThree => View::Issues(Held::of(&newest(&any_of_three(tables)))),
        Query::ByOwner => View::Owners(Held::of(&by_owner(tables))),
        Query::OpenDiscussion => View::Number(Held::of(&open_discussion(tables))),
        Query::MostDiscussed => View::Discussed(Held::of(&most_discussed(tables))),
    }
}

impl Gate<'_> {
    /// The open issues.
    fn open(&self) -> By<(), Issue> {
        self.pass(open(self.tables))
    }

    fn pass(&self, issues: Rows<Issue>) -> By<(), Issue> {
        if !self.gated {
            return issues.map_index(|issue| ((), issue.clone()));
        }
        let queries = &self.tables.queries;
        issues
            .map_index(|issue| (0, issue.clone()))
            .join_index(queries, |_, issue, _| Some(((), issue.clone())))
    }
}

fn open(tables: &Tables) -> Rows<Issue> {
    tables.issues.filter(|issue| issue.open)
}

/// The 100 issues modified last.
fn newest(issues: &By<(), Issue>) -> By<(), Issue> {
    issues.topk_asc(100)
}

/// Related rows are looked up by keys alone: an edit that changes neither passes them by.
fn tree(tables: &Tables, listed: &By<(), Issue>) -> View {
    let ids = listed.map_index(|((), issue)| (issue.id, ()));
    let owners = listed
        .map_index(|((), issue)| (issue.owner, issue.id))
        .join_index(&tables.users, |_, issue, user| Some((*issue, user.clone())));
    let labels = ids
        .join_index(&tables.pairs, |issue, (), label| Some((*label, *issue)))
        .join_index(&tables.labels, |_, issue, label| Some((*issue, label.clone())));
    let comments = ids
        .join_index(&tables.comments, |issue, (), comment| Some((*issue, comment.clone())))
        .topk_asc(10);
    View::Tree {
        issues: Held::of(listed),
        owners: Held::of(&owners),
        labels: Held::of(&labels),
        comments: Held::of(&comments),
    }
}

/// The ids of issues with the label named label-07.
fn labelled_ids(tables: &Tables) -> By<u32, ()> {
    let named = tables.labels.filter(|(_, label)| label.name == "label-07");
    tables
        .pairs
        .map_index(|(issue, label)| (*label, *issue))
        .join(&named, |_, issue, _| *issue)
        .distinct()
        .map_index(|issue| (*issue, ()))
}

fn labelled(tables: &Tables) -> Rows<Issue> {
    let issues = tables.issues.map_index(|issue| (issue.id, issue.clone()));
    issues.join(&labelled_ids(tables), |_, issue, ()| issue.clone())
}

/// Issues that pass on their own, and of the others those with the label.
fn any_of_three(tables: &Tables) -> By<(), Issue> {
    let passes = |issue: &Issue| issue.priority == 0 || issue.owner == 7;
    let labelled = tables
        .issues
        .filter(move |issue| !passes(issue))
        .map_index(|issue| (issue.id, issue.clone()))
        .join(&labelled_ids(tables), |_, issue, ()| issue.clone());
    let passed = tables.issues.filter(move |issue| passes(issue));
    passed.plus(&labelled).map_index(|issue| ((), issue.clone()))
}

/// The lists of those owners that queries ask for, each made once and given to all its queries.
fn of_owners(tables: &Tables) -> By<u32, Issue> {
    let asked = tables.queries.map(|(owner, _)| *owner).distinct().map_index(|owner| (*owner, ()));
    tables
        .issues
        .map_index(|issue| (issue.owner, issue.clone()))
        .join_index(&asked, |owner, issue, ()| Some((*owner, issue.clone())))
        .topk_asc(50)
        .join_index(&tables.queries, |_, issue, query| Some((*query, issue.clone())))
}

/// One list, given to all its subscribers.
fn copies(tables: &Tables, listed: &By<(), Issue>) -> By<u32, Issue> {
    listed
        .map_index(|((), issue)| (0, issue.clone()))
        .join_index(&tables.queries, |_, issue, query| Some((*query, issue.clone())))
}

/// Count and sum are one linear aggregate.
fn by_owner(tables: &Tables) -> By<u32, Tup2<i64, i64>> {
    open(tables)
        .map_index(|issue| (issue.owner, i64::from(issue.priority)))
        .aggregate_linear(|priority| Tup2(1, *priority))
}

/// Comments of known users are the weight of their issue, so that an issue that opens or closes
/// meets one row.
fn open_discussion(tables: &Tables) -> By<(), i64> {
    let comments = tables
        .comments
        .map_index(|(issue, comment)| (comment.author, *issue))
        .join_index(&tables.users, |_, issue, _| Some((*issue, ())));
    let open = open(tables).map_index(|issue| (issue.id, ()));
    comments.join_index(&open, |_, (), ()| Some(((), ()))).weighted_count()
}

/// An issue counts beside its comments, so that those without any are there too.
fn most_discussed(tables: &Tables) -> By<(), Discussed> {
    let issues = tables.issues.map_index(|issue| (issue.id, issue.clone()));
    let comments = tables.comments.map_index(|(issue, _)| (*issue, ()));
    let counts = comments.plus(&issues.map_index(|(id, _)| (*id, ()))).weighted_count();
    counts
        .join_index(&issues, |id, count, issue| {
            Some(((), Discussed { most: 1 - count, id: *id, issue: issue.clone() }))
        })
        .topk_asc(100)
}
