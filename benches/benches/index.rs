//! The memory source: reads and writes below any query.

use std::cmp::Reverse;
use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::operators::key::{Direction, Key};
use penstock::operators::source::{At, Change, ScanShape, Source};
use penstock::{Error, MemorySource, Schema};
use penstock_benches::data::{Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::tables::{edit_changes, load, table};

/// Columns of `issue`.
const OPEN: usize = 2;
const MODIFIED: usize = 3;

fn data() -> Data {
    Data::generate(Sizes { comments: 1, issue_labels: 1, ..Sizes::scaled(1) })
}

/// The k-th edit of an endless stream that goes over the issues in no order.
fn edit(schema: &Schema, data: &Data, k: i64) -> Vec<Change> {
    let edit =
        IssueEdit { issue: (k * 7_919 % 100_000) as u32, modified: EDITS_FROM + k, open: true };
    edit_changes(schema, data, &[edit]).unwrap_or_default()
}

/// Applies and commits edits, one per transaction.
fn edits(c: &mut Criterion, name: &str, source: &mut MemorySource, data: &Data, k: &mut i64) {
    let schema = source.schema().clone();
    c.bench_function(name, |b| {
        b.iter_batched(
            || {
                *k += 1;
                edit(&schema, data, *k)
            },
            |changes| {
                if let Err(error) = source.apply(changes) {
                    panic!("an edit of a row that is there: {error}");
                }
                source.commit()
            },
            BatchSize::SmallInput,
        );
    });
}

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let data = data();
    let mut source = load(&data)?;
    let issue = table(source.schema(), "issue")?;
    let mut k = 0;
    edits(c, "source/edit, primary index only", &mut source, &data, &mut k);
    let shape = ScanShape {
        table: issue,
        equal: vec![OPEN],
        order: vec![(MODIFIED, Direction::Desc), (0, Direction::Asc)],
    };
    let scan = source.prepare(&shape)?;
    edits(c, "source/edit, one more index", &mut source, &data, &mut k);
    let keys: Vec<Key> = (0..1_000)
        .flat_map(|k| edit(source.schema(), &data, k))
        .filter_map(|change| match change {
            Change::Update { key, .. } => Some(key),
            _ => None,
        })
        .collect();
    for key in &keys {
        assert!(source.get(At::After, issue, key)?.is_some(), "the row of an edit is there");
    }
    let mut at = 0;
    c.bench_function("source/get by primary key", |b| {
        b.iter(|| {
            at = (at + 1) % keys.len();
            black_box(source.get(At::After, issue, &keys[at]))
        });
    });
    let open = penstock_benches::tables::encoded(true);
    let mut found = Vec::new();
    source.scan(At::After, scan, &open, None, false, &mut |row| {
        found.push((Reverse(row.get(MODIFIED).as_i64()), row.get(OPEN).as_bool()));
        if found.len() == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    assert!(found.len() == 100 && found.is_sorted(), "the last modified come first");
    assert!(found.iter().all(|(_, open)| *open == Some(true)), "only open ones come");
    c.bench_function("source/scan 100 of an index", |b| {
        b.iter(|| {
            let mut left = 100;
            source.scan(At::After, scan, &open, None, false, &mut |row| {
                black_box(row);
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
    });
    let again = ScanShape { equal: Vec::new(), ..shape };
    c.bench_function("source/build an index of 100 000 rows", |b| {
        b.iter(|| {
            let scan = source.prepare(&again);
            scan.map(|scan| source.release(scan))
        });
    });
    Ok(())
}

fn index(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = index
}
criterion_main!(benches);
