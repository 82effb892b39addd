//! Rows and keys: what every change goes through.

use std::cmp::Reverse;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::Row;
use penstock::operators::key::{Direction, Key, KeySpec};
use penstock_benches::data::{Data, Sizes};
use penstock_benches::tables::issue_row;

/// A column of `issue`.
const MODIFIED: usize = 3;

fn rows() -> Vec<Row> {
    let data =
        Data::generate(Sizes { issues: 1_000, comments: 1, issue_labels: 1, ..Sizes::scaled(1) });
    (0..).zip(&data.issues).map(|(number, issue)| issue_row(number, issue)).collect()
}

/// Keys order rows as comparing the columns does: the last modified first, then by id.
fn check(rows: &[Row], order: &KeySpec) {
    let mut by_key: Vec<&Row> = rows.iter().collect();
    by_key.sort_by_key(|row| order.key(row));
    let mut by_value: Vec<&Row> = rows.iter().collect();
    by_value.sort_by_key(|row| (Reverse(row.get(MODIFIED).as_i64()), row.get(0).as_str()));
    assert!(by_key == by_value, "the orders differ");
    let (changed, same) = (rows[0].changed_columns(&rows[1]), rows[0].changed_columns(&rows[0]));
    assert!(changed.contains(MODIFIED) && same.is_empty());
    assert!(rows.iter().all(|row| Row::new(&row.to_values()) == *row), "packing loses something");
}

fn keys(c: &mut Criterion) {
    let rows = rows();
    let mut next = rows.iter().cycle();
    let mut row = move || next.next().cloned().unwrap_or_else(|| Row::new(&[]));
    let order = KeySpec::new(vec![(MODIFIED, Direction::Desc), (0, Direction::Asc)]);
    check(&rows, &order);
    let sorted: Vec<Key> = {
        let mut keys: Vec<Key> = rows.iter().map(|row| order.key(row)).collect();
        keys.sort();
        keys
    };

    c.bench_function("row/pack seven values", |b| {
        b.iter_batched(
            || row().to_values(),
            |values| Row::new(black_box(&values)),
            BatchSize::SmallInput,
        );
    });
    let mut at = 0;
    let mut shared = || {
        at = (at + 1) % rows.len();
        &rows[at]
    };
    c.bench_function("key/primary", |b| {
        let primary = KeySpec::asc(&[0]);
        b.iter(|| primary.key(black_box(shared())));
    });
    c.bench_function("key/modified desc, id", |b| b.iter(|| order.key(black_box(shared()))));
    c.bench_function("key/binary search among 1000", |b| {
        b.iter(|| {
            let key = order.key(shared());
            black_box(sorted.binary_search(&key))
        });
    });
    c.bench_function("row/changed columns", |b| {
        let other = rows[0].clone();
        b.iter(|| black_box(shared()).changed_columns(black_box(&other)));
    });
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = keys
}
criterion_main!(benches);
