//! Aggregates: one transaction under one live query, by what it does to groups and counts.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::operators::source::Change;
use penstock::query::{count, max, sum};
use penstock::{Asc, Database, Desc, Error, Query, Related, Schema, col};
use penstock_benches::data::{Comment, Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::tables::{comment_change, database, edit_changes};

const ISSUES: u32 = 10_000;

/// Makes the k-th transaction of an endless stream.
type Stream = fn(&Schema, &Data, usize) -> Result<Vec<Change>, Error>;

/// Runs a stream of transactions under a live query.
fn under(
    c: &mut Criterion,
    name: &str,
    query: Query,
    data: &Data,
    stream: Stream,
) -> Result<(), Error> {
    let db: Database = database(data)?;
    let mut subscription = db.subscribe(query)?;
    let schema = db.schema();
    let mut k = 0;
    let mut next = || {
        k += 1;
        stream(&schema, data, k).unwrap_or_default()
    };
    c.bench_function(name, |b| {
        b.iter_batched(
            &mut next,
            |changes| {
                if let Err(error) = db.apply(changes) {
                    panic!("a change that the tables allow: {error}");
                }
                subscription.changes().for_each(|patch| drop(black_box(patch)));
            },
            BatchSize::SmallInput,
        );
    });
    db.verify()
}

/// Per owner the number of open issues, the sum of their priorities and the last change.
fn groups() -> Query {
    Query::table("issue")
        .filter(col("open").eq(true))
        .group_by(["ownerId"])
        .aggregate("issues", count())
        .aggregate("effort", sum("priority"))
        .aggregate("last", max("modified"))
        .order_by("ownerId", Asc)
}

/// The 100 issues with most comments.
fn top_of_counts() -> Query {
    Query::table("issue")
        .aggregate_related("comments", Related::many("comment").on("id", "issueId"), count())
        .order_by("comments", Desc)
        .limit(100)
}

fn edit(schema: &Schema, data: &Data, k: usize, open: bool) -> Result<Vec<Change>, Error> {
    let issue = (k as u32).wrapping_mul(7_919) % ISSUES;
    edit_changes(schema, data, &[IssueEdit { issue, modified: EDITS_FROM + k as i64, open }])
}

/// Rows enter and leave their groups.
fn open_and_close(schema: &Schema, data: &Data, k: usize) -> Result<Vec<Change>, Error> {
    edit(schema, data, k, (k / ISSUES as usize).is_multiple_of(2))
}

/// Rows stay in their groups and become the greatest of them.
fn keep_open(schema: &Schema, data: &Data, k: usize) -> Result<Vec<Change>, Error> {
    edit(schema, data, k, true)
}

fn comment(k: usize, issue: u32) -> Comment {
    let body = format!("comment {k}");
    Comment { issue, author: 1, created: EDITS_FROM + k as i64, body }
}

/// Counts far from the head grow.
fn few_each(schema: &Schema, _: &Data, k: usize) -> Result<Vec<Change>, Error> {
    Ok(vec![comment_change(schema, k, &comment(k, (k as u32).wrapping_mul(7_919) % ISSUES))?])
}

/// Counts at the head grow, in turn.
fn many_to_few(schema: &Schema, _: &Data, k: usize) -> Result<Vec<Change>, Error> {
    Ok(vec![comment_change(schema, k, &comment(k, k as u32 % 50))?])
}

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let sizes = Sizes { issues: ISSUES, comments: 30_000, issue_labels: 1, ..Sizes::scaled(1) };
    let data = Data::generate(sizes);
    under(c, "aggregate/a row enters or leaves its group", groups(), &data, open_and_close)?;
    under(c, "aggregate/a row of a group changes", groups(), &data, keep_open)?;
    under(c, "aggregate/top of counts, outside", top_of_counts(), &data, few_each)?;
    under(c, "aggregate/top of counts, at the head", top_of_counts(), &data, many_to_few)
}

fn aggregate(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = aggregate
}
criterion_main!(benches);
