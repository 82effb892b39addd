//! Windows: one transaction under one live list, by what it does to the list.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::operators::source::Change;
use penstock::{Database, Error, Query, Subscription};
use penstock_benches::data::{Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::tables::{database, edit_changes};
use penstock_benches::workloads::queries;

/// Makes the k-th edit of an endless stream.
type Stream = fn(i64) -> IssueEdit;

fn apply(db: &Database, changes: Vec<Change>, subscription: &mut Subscription) {
    if let Err(error) = db.apply(changes) {
        panic!("an edit of a row that is there: {error}");
    }
    subscription.changes().for_each(|patch| drop(black_box(patch)));
}

/// Runs a stream of edits under a live query.
fn under(
    c: &mut Criterion,
    name: &str,
    query: Query,
    data: &Data,
    stream: Stream,
) -> Result<(), Error> {
    let db = database(data)?;
    let mut subscription = db.subscribe(query)?;
    let schema = db.schema();
    let mut k = 0;
    let mut next = || {
        k += 1;
        edit_changes(&schema, data, &[stream(k)]).unwrap_or_default()
    };
    c.bench_function(name, |b| {
        b.iter_batched(
            &mut next,
            |changes| apply(&db, changes, &mut subscription),
            BatchSize::SmallInput,
        );
    });
    db.verify()
}

/// Past the end of the list: rows that were modified long ago, closed and opened.
fn outside(k: i64) -> IssueEdit {
    IssueEdit { issue: (k % 1_000) as u32, modified: k, open: k / 1_000 % 2 == 0 }
}

/// Each edit brings its row to the head and pushes another off the end.
fn to_the_head(k: i64) -> IssueEdit {
    IssueEdit { issue: (k % 100_000) as u32, modified: EDITS_FROM + k, open: true }
}

/// The head row leaves, and the next of the index comes in at the end; then back.
fn leave_and_refill(k: i64) -> IssueEdit {
    IssueEdit { issue: 7, modified: EDITS_FROM + k, open: k % 2 == 0 }
}

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let data = Data::generate(Sizes { comments: 1, issue_labels: 1, ..Sizes::scaled(1) });
    under(c, "window/edit outside", queries::list(), &data, outside)?;
    under(c, "window/edit to the head", queries::list(), &data, to_the_head)?;
    under(c, "window/leave and refill", queries::list(), &data, leave_and_refill)?;
    under(c, "window/no limit, 60 000 rows", queries::open(), &data, to_the_head)
}

fn window(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = window
}
criterion_main!(benches);
