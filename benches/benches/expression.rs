//! Expressions of SQL over one row, beside the same tests as predicates.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock::operators::expr::{BinaryOp, Builtin, Collation, Expr, Function, MatchKind};
use penstock::operators::predicate::{CompareOp, Operand, Predicate};
use penstock::{Row, Value};
use penstock_benches::data::{Data, Sizes};
use penstock_benches::tables::issue_row;

/// Columns of `issue`.
const TITLE: usize = 1;
const MODIFIED: usize = 3;
const CREATED: usize = 4;
const OWNER: usize = 5;
const PRIORITY: usize = 6;

fn rows() -> Vec<Row> {
    let sizes = Sizes { issues: 1_000, comments: 1, issue_labels: 1, ..Sizes::scaled(1) };
    let data = Data::generate(sizes);
    (0..).zip(&data.issues).map(|(number, issue)| issue_row(number, issue)).collect()
}

fn literal(value: impl Into<Value>) -> Expr {
    Expr::Literal(value.into())
}

fn compare(left: Expr, op: CompareOp, right: Expr) -> Expr {
    let (left, right) = (Box::new(left), Box::new(right));
    Expr::Compare { left, op, right, collation: Collation::Binary }
}

fn binary(left: Expr, op: BinaryOp, right: Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

fn call(function: Builtin, arguments: Vec<Expr>) -> Expr {
    Expr::Call { function: Function::Builtin(function), arguments }
}

/// Conditions, as WHERE has them.
fn conditions() -> [(&'static str, Expr); 5] {
    let less = |bound: i64| compare(Expr::Column(PRIORITY), CompareOp::Lt, literal(bound));
    let owners = ["u0001", "u0500", "u0999"].map(literal);
    [
        ("expression/priority < 5", less(5)),
        (
            "expression/priority < 5 AND modified > created",
            Expr::And(vec![
                less(5),
                compare(Expr::Column(MODIFIED), CompareOp::Gt, Expr::Column(CREATED)),
            ]),
        ),
        (
            "expression/owner IN three",
            Expr::In {
                operand: Box::new(Expr::Column(OWNER)),
                list: owners.into(),
                negated: false,
                collation: Collation::Binary,
            },
        ),
        (
            "expression/title LIKE %bravo%",
            Expr::Match {
                kind: MatchKind::Like,
                operand: Box::new(Expr::Column(TITLE)),
                pattern: Box::new(literal("%bravo%")),
                escape: None,
                negated: false,
            },
        ),
        (
            "expression/title = text NOCASE",
            Expr::Compare {
                left: Box::new(Expr::Column(TITLE)),
                op: CompareOp::Eq,
                right: Box::new(literal("ALPHA BRAVO 7")),
                collation: Collation::NoCase,
            },
        ),
    ]
}

/// Values, as a SELECT list has them.
fn values() -> [(&'static str, Expr); 4] {
    let age = binary(Expr::Column(MODIFIED), BinaryOp::Subtract, Expr::Column(CREATED));
    let kind = Expr::Case {
        whens: vec![(
            compare(Expr::Column(PRIORITY), CompareOp::Ge, literal(8)),
            literal("urgent"),
        )],
        otherwise: Some(Box::new(literal("other"))),
    };
    [
        ("expression/(modified - created) / 1000", binary(age, BinaryOp::Divide, literal(1_000))),
        ("expression/CASE", kind),
        ("expression/upper(title)", call(Builtin::Upper, vec![Expr::Column(TITLE)])),
        (
            "expression/title || priority",
            binary(Expr::Column(TITLE), BinaryOp::Concat, Expr::Column(PRIORITY)),
        ),
    ]
}

fn expression(c: &mut Criterion) {
    let rows = rows();
    let mut at = 0;
    let mut row = || {
        at = (at + 1) % rows.len();
        &rows[at]
    };
    let predicate = Predicate::Compare {
        left: Operand::Column(PRIORITY),
        op: CompareOp::Lt,
        right: Operand::Literal(Value::Int(5)),
    };
    c.bench_function("expression/priority < 5, as a predicate", |b| {
        b.iter(|| predicate.matches(black_box(row())));
    });
    for (name, condition) in conditions() {
        c.bench_function(name, |b| b.iter(|| condition.holds(black_box(row()))));
    }
    for (name, value) in values() {
        c.bench_function(name, |b| b.iter(|| value.eval(black_box(row()))));
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = expression
}
criterion_main!(benches);
