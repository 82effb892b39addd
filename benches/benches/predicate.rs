//! Predicates: one test of one row.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock::operators::like::{LikeError, LikePattern};
use penstock::operators::predicate::{CompareOp, Operand, Predicate, ValueSet};
use penstock::{Row, Value};
use penstock_benches::data::{Data, Issue, Sizes};
use penstock_benches::tables::issue_row;

/// Columns of `issue`.
const TITLE: usize = 1;
const OPEN: usize = 2;
const MODIFIED: usize = 3;
const CREATED: usize = 4;
const OWNER: usize = 5;
const PRIORITY: usize = 6;

fn compare(column: usize, op: CompareOp, right: Operand) -> Predicate {
    Predicate::Compare { left: Operand::Column(column), op, right }
}

fn literal(value: impl Into<Value>) -> Operand {
    Operand::Literal(value.into())
}

/// A test, and the same of a generated issue.
type Case = (&'static str, Predicate, fn(&Issue) -> bool);

fn cases() -> Result<[Case; 6], LikeError> {
    let owners = ["u0001", "u0500", "u0999"].map(Value::from);
    let later = compare(MODIFIED, CompareOp::Gt, Operand::Column(CREATED));
    Ok([
        ("open = true", compare(OPEN, CompareOp::Eq, literal(true)), |issue| issue.open),
        ("priority < 5", compare(PRIORITY, CompareOp::Lt, literal(5)), |issue| issue.priority < 5),
        ("modified > created", later, |issue| issue.modified > issue.created),
        ("title = text", compare(TITLE, CompareOp::Eq, literal("alpha bravo 7")), |issue| {
            issue.title == "alpha bravo 7"
        }),
        (
            "owner IN three",
            Predicate::In {
                operand: Operand::Column(OWNER),
                set: ValueSet::new(owners.into()),
                negated: false,
            },
            |issue| matches!(issue.owner, 1 | 500 | 999),
        ),
        (
            "title LIKE %bravo%",
            Predicate::Like {
                operand: Operand::Column(TITLE),
                pattern: LikePattern::new("%bravo%", true)?,
                negated: false,
            },
            |issue| issue.title.contains("bravo"),
        ),
    ])
}

fn predicate(c: &mut Criterion) {
    let sizes = Sizes { issues: 1_000, comments: 0, issue_labels: 0, ..Sizes::scaled(1) };
    let data = Data::generate(sizes);
    let rows: Vec<Row> =
        (0..).zip(&data.issues).map(|(number, issue)| issue_row(number, issue)).collect();
    let cases = match cases() {
        Ok(cases) => cases,
        Err(error) => panic!("{error}"),
    };
    let mut at = 0;
    let mut next = || {
        at = (at + 1) % rows.len();
        &rows[at]
    };
    for (name, predicate, expected) in cases {
        for (row, issue) in rows.iter().zip(&data.issues) {
            assert_eq!(predicate.matches(row), expected(issue), "{name}: {issue:?}");
        }
        let name = format!("predicate/{name}");
        c.bench_function(&name, |b| b.iter(|| predicate.matches(black_box(next()))));
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = predicate
}
criterion_main!(benches);
