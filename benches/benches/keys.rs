//! Rows, keys and predicates: what every change goes through.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::operators::key::{Direction, Key, KeySpec};
use penstock::operators::predicate::{CompareOp, Operand, Predicate};
use penstock::{Row, Value};
use penstock_benches::data::{Data, Sizes};
use penstock_benches::tables::issue_row;

/// Columns of `issue`.
const OPEN: usize = 2;
const MODIFIED: usize = 3;
const PRIORITY: usize = 6;

fn rows() -> Vec<Row> {
    let data =
        Data::generate(Sizes { issues: 1_000, comments: 1, issue_labels: 1, ..Sizes::scaled(1) });
    (0..).zip(&data.issues).map(|(number, issue)| issue_row(number, issue)).collect()
}

fn compare(column: usize, op: CompareOp, value: Value) -> Predicate {
    Predicate::Compare { left: Operand::Column(column), op, right: Operand::Literal(value) }
}

fn keys(c: &mut Criterion) {
    let rows = rows();
    let mut next = rows.iter().cycle();
    let mut row = move || next.next().cloned().unwrap_or_else(|| Row::new(&[]));
    let order = KeySpec::new(vec![(MODIFIED, Direction::Desc), (0, Direction::Asc)]);
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
    for (name, predicate) in [
        ("predicate/open = true", compare(OPEN, CompareOp::Eq, Value::Bool(true))),
        ("predicate/priority < 5", compare(PRIORITY, CompareOp::Lt, Value::Int(5))),
        ("predicate/title = text", compare(1, CompareOp::Eq, Value::from("alpha bravo 7"))),
    ] {
        c.bench_function(name, |b| b.iter(|| predicate.matches(black_box(shared()))));
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = keys
}
criterion_main!(benches);
