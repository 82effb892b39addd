//! The queries as dataflows.

use differential_dataflow::operators::CountTotal;
use penstock_competitors::workload::Query;
use timely::dataflow::ProbeHandle;

use crate::model::{Discussed, Epoch, Issue};
use crate::tables::{Rows, Tables};
use crate::top::top;
use crate::view::{Held, View};

/// Into how many parts issues are cut before the first of all are taken.
const CUTS: &[u32] = &[256, 64, 16, 4];
/// The groups of W5 and the comments of an issue are small enough as they are.
const WHOLE: &[u32] = &[];

/// The dataflow of a query, with what its consumer holds.
pub(crate) fn build(query: Query, tables: &Tables<'_>, probe: &ProbeHandle<Epoch>) -> View {
    match query {
        Query::Nothing => View::Nothing,
        Query::List => View::Issues(Held::of(newest(open(tables)), probe)),
        Query::Open => View::Issues(Held::of(open(tables), probe)),
        Query::Tree => tree(tables, probe),
        Query::Labelled => View::Issues(Held::of(newest(labelled(tables)), probe)),
        Query::Owners(_) => View::Queries(Held::of(of_owners(tables), probe)),
        Query::Copies(_) => View::Queries(Held::of(copies(tables), probe)),
        Query::AnyOfThree => View::Issues(Held::of(newest(any_of_three(tables)), probe)),
        Query::ByOwner => View::Owners(Held::of(by_owner(tables), probe)),
        Query::OpenDiscussion => View::Number(Held::of(open_discussion(tables), probe)),
        Query::MostDiscussed => View::Discussed(Held::of(most_discussed(tables), probe)),
    }
}

fn issues<'s>(tables: &Tables<'s>) -> Rows<'s, Issue> {
    tables.issues.rows().map(|(_, issue)| issue)
}

fn open<'s>(tables: &Tables<'s>) -> Rows<'s, Issue> {
    issues(tables).filter(|issue| issue.open)
}

/// The 100 issues modified last.
fn newest<'s>(issues: Rows<'s, Issue>) -> Rows<'s, Issue> {
    let issues = issues.map(|issue| ((), issue));
    top(issues, 100, CUTS, |issue| issue.id).map(|((), issue)| issue)
}

/// Related rows are looked up by keys alone: an edit that changes neither passes them by.
fn tree(tables: &Tables<'_>, probe: &ProbeHandle<Epoch>) -> View {
    let listed = newest(open(tables));
    let ids = listed.clone().map(|issue| (issue.id, ())).arrange_by_key();
    let owners = listed
        .clone()
        .map(|issue| (issue.owner, issue.id))
        .join_core(tables.users.kept(), |owner, issue, user| {
            Some((*issue, (*owner, user.clone())))
        });
    let labels = tables
        .labels_of_issue
        .kept()
        .join_core(ids.clone(), |issue, label, ()| Some((*label, *issue)))
        .join_core(tables.labels.kept(), |label, issue, name| {
            Some((*issue, (*label, name.clone())))
        });
    let comments =
        tables.comments.kept().join_core(ids, |issue, comment, ()| Some((*issue, comment.clone())));
    View::Tree {
        issues: Held::of(listed, probe),
        owners: Held::of(owners, probe),
        labels: Held::of(labels, probe),
        comments: Held::of(top(comments, 10, WHOLE, |comment| comment.id), probe),
    }
}

/// The ids of issues with the label named label-07.
fn labelled_ids<'s>(tables: &Tables<'s>) -> Rows<'s, u32> {
    let named = tables.labels.rows().filter(|(_, name)| &**name == "label-07");
    named.join_core(tables.issues_of_label.kept(), |_, _, issue| Some(*issue)).distinct()
}

fn labelled<'s>(tables: &Tables<'s>) -> Rows<'s, Issue> {
    let ids = labelled_ids(tables).map(|id| (id, ()));
    ids.join_core(tables.issues.kept(), |_, (), issue| Some(issue.clone()))
}

/// Issues that pass on their own, and of the others those with the label.
fn any_of_three<'s>(tables: &Tables<'s>) -> Rows<'s, Issue> {
    let passes = |issue: &Issue| issue.priority == 0 || issue.owner == 7;
    let others = issues(tables).filter(move |issue| !passes(issue));
    let ids = labelled_ids(tables).map(|id| (id, ()));
    let labelled =
        others.map(|issue| (issue.id, issue)).join_map(ids, |_, issue, ()| issue.clone());
    issues(tables).filter(move |issue| passes(issue)).concat(labelled)
}

/// The lists of those owners that queries ask for, each made once and given to all its queries.
fn of_owners<'s>(tables: &Tables<'s>) -> Rows<'s, (u32, Issue)> {
    let asked = tables.queries.rows().map(|(owner, _)| owner).distinct().map(|owner| (owner, ()));
    let issues = issues(tables).map(|issue| (issue.owner, issue));
    let issues = issues.join_map(asked, |owner, issue, ()| (*owner, issue.clone()));
    top(issues, 50, WHOLE, |issue| issue.id)
        .join_core(tables.queries.kept(), |_, issue, query| Some((*query, issue.clone())))
}

/// One list, given to all its subscribers.
fn copies<'s>(tables: &Tables<'s>) -> Rows<'s, (u32, Issue)> {
    newest(open(tables))
        .map(|issue| (0, issue))
        .join_core(tables.queries.kept(), |_, issue, query| Some((*query, issue.clone())))
}

/// Count and sum are the weight of an owner.
fn by_owner<'s>(tables: &Tables<'s>) -> Rows<'s, (u32, (i64, i64))> {
    open(tables)
        .explode(|issue| Some((issue.owner, (1, issue.priority as isize))))
        .count_total()
        .map(|(owner, (count, sum))| (owner, (count as i64, sum as i64)))
}

/// Comments of known users are the weight of their issue, so that an issue that opens or closes
/// meets one row.
fn open_discussion<'s>(tables: &Tables<'s>) -> Rows<'s, i64> {
    let users = tables.users.rows().map(|(id, _)| (id, ()));
    let comments = tables
        .comments
        .rows()
        .map(|(issue, comment)| (comment.author, issue))
        .join_map(users, |_, issue, ()| (*issue, ()));
    let open = open(tables).map(|issue| (issue.id, ()));
    comments.join_map(open, |_, (), ()| ()).count_total().map(|((), count)| count as i64)
}

/// An issue counts beside its comments, so that those without any are there too.
fn most_discussed<'s>(tables: &Tables<'s>) -> Rows<'s, Discussed> {
    let counts = tables
        .comments
        .rows()
        .map(|(issue, _)| issue)
        .concat(tables.issues.rows().map(|(id, _)| id))
        .count_total();
    let discussed = counts.join_core(tables.issues.kept(), |id, count, issue| {
        let most = 1 - *count as i64;
        Some(((), Discussed { most, id: *id, issue: issue.clone() }))
    });
    top(discussed, 100, CUTS, |discussed| discussed.id).map(|((), discussed)| discussed)
}
