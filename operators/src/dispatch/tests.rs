//! Levels found through the index against conditions tested one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::readers::Readers;
use super::shown::Shown;
use super::table::{FEW, TableLevels};
use crate::delta::Delta;
use crate::expr::{Affinity, Collation, Expr};
use crate::filter::evaluate;
use crate::key::{Direction, Key, KeyBuffer, KeySpec, encode};
use crate::level::LevelId;
use crate::plan::{Condition, Input, LevelPlan};
use crate::predicate::{CompareOp, Operand, Predicate, ValueSet};
use crate::route::reads;
use crate::row::Row;
use crate::schema::TableId;
use crate::value::Value;

const COLUMNS: usize = 3;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3..4i64).prop_map(Value::Int),
        (-6..7i64).prop_map(|half| Value::Float(half as f64 / 2.0)),
        Just(Value::Float(-0.0)),
        prop_oneof![Just(i64::MAX), Just(i64::MAX - 1), Just(i64::MIN)].prop_map(Value::Int),
        Just(Value::Float(9_223_372_036_854_775_808.0)),
        "[aAb 1]{0,2}".prop_map(|text| Value::Text(text.into())),
        prop_oneof![Just(&[][..]), Just(&[0][..]), Just(&[1, 0][..])]
            .prop_map(|bytes: &[u8]| Value::Blob(bytes.into())),
        Just(Value::Json("1".into())),
    ]
}

fn op() -> impl Strategy<Value = CompareOp> {
    use CompareOp::*;
    prop_oneof![Just(Eq), Just(Ne), Just(Lt), Just(Le), Just(Gt), Just(Ge)]
}

fn collation() -> impl Strategy<Value = Collation> {
    prop_oneof![Just(Collation::Binary), Just(Collation::NoCase), Just(Collation::RightTrim)]
}

fn operand() -> impl Strategy<Value = Expr> {
    let column = (0..COLUMNS).prop_map(Expr::Column);
    prop_oneof![
        3 => column.clone(),
        1 => column.prop_map(|column| Expr::Affinity {
            operand: Box::new(column),
            affinity: Affinity::Numeric,
        }),
        2 => value().prop_map(Expr::Literal),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let boxed = || operand().prop_map(Box::new);
    let leaf = prop_oneof![
        (op(), boxed(), boxed(), collation()).prop_map(|(op, left, right, collation)| {
            Expr::Compare { op, left, right, collation }
        }),
        (boxed(), boxed(), any::<bool>(), collation()).prop_map(
            |(left, right, negated, collation)| Expr::Is { left, right, negated, collation }
        ),
        (boxed(), prop::collection::vec(operand(), 0..3), any::<bool>(), collation()).prop_map(
            |(operand, list, negated, collation)| Expr::In { operand, list, negated, collation }
        ),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            parts.clone().prop_map(Expr::And),
            parts.prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let side = || {
        prop_oneof![
            2 => (0..COLUMNS).prop_map(Operand::Column),
            1 => value().prop_map(Operand::Literal),
        ]
    };
    let values = prop::collection::vec(value(), 0..4).prop_map(ValueSet::new);
    prop_oneof![
        (side(), op(), side()).prop_map(|(left, op, right)| Predicate::Compare { left, op, right }),
        (side(), side(), any::<bool>()).prop_map(|(left, right, negated)| Predicate::Is {
            left,
            right,
            negated
        }),
        (side(), values, any::<bool>()).prop_map(|(operand, set, negated)| Predicate::In {
            operand,
            set,
            negated
        }),
        expr().prop_map(|expr| Predicate::Expr(Arc::new(expr))),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        8 => predicate().prop_map(Condition::Test),
        1 => any::<bool>().prop_map(Condition::Always),
        1 => any::<bool>().prop_map(|negated| Condition::Gate { gate: 0, negated }),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let parts = prop::collection::vec(inner, 0..4);
        prop_oneof![parts.clone().prop_map(Condition::All), parts.prop_map(Condition::Any)]
    })
}

fn row() -> impl Strategy<Value = Row> {
    prop::collection::vec(value(), COLUMNS).prop_map(|values| numbered(&values))
}

/// A row of these values and a number.
fn numbered(values: &[Value]) -> Row {
    Row::new(&[values, &[Value::Int(1)]].concat())
}

fn plan(condition: Condition) -> Arc<LevelPlan> {
    lifting(&[], condition)
}

fn lifting(lifted: &[usize], condition: Condition) -> Arc<LevelPlan> {
    let partition = lifted.to_vec();
    let input = Input::Scan { partition, correlated: 0, condition, gates: Vec::new() };
    Arc::new(LevelPlan {
        table: TableId(0),
        input,
        order: KeySpec::asc(&[COLUMNS]),
        related: Vec::new(),
    })
}

/// Rows are told apart by a column that no level reads for anything else.
fn identity() -> KeySpec {
    KeySpec::asc(&[COLUMNS])
}

fn visited(index: &Readers, delta: &Delta) -> Vec<LevelId> {
    let mut levels = Vec::new();
    index.concerned(delta, &mut |level| levels.push(level));
    levels.sort_unstable();
    levels.dedup();
    levels
}

/// Whether a row may pass, whichever gates are open.
fn may_pass(condition: &Condition, row: &Row) -> bool {
    [false, true].into_iter().any(|open| {
        evaluate(condition, row, &mut |_| Ok::<_, std::convert::Infallible>(open))
            .unwrap_or_else(|never| match never {})
    })
}

fn compare(column: usize, op: CompareOp, value: impl Into<Value>) -> Condition {
    let (left, right) = (Operand::Column(column), Operand::Literal(value.into()));
    Condition::Test(Predicate::Compare { left, op, right })
}

proptest! {
    #[test]
    fn every_level_that_a_row_may_pass_is_found(
        conditions in prop::collection::vec(condition(), FEW + 1..40),
        rows in prop::collection::vec(row(), 1..8),
    ) {
        let mut levels = TableLevels::default();
        for (id, condition) in (0u32..).zip(&conditions) {
            levels.add(LevelId(id), plan(condition.clone()), &identity());
        }
        let index = levels.index.as_ref().expect("many levels");
        for delta in changes(&rows) {
            let found = visited(index, &delta);
            for (id, condition) in (0u32..).zip(&conditions) {
                let sides = delta.old.iter().chain(&delta.new);
                let read = delta.changed.intersects(reads(&plan(condition.clone())));
                if read && sides.into_iter().any(|row| may_pass(condition, row)) {
                    prop_assert!(
                        found.contains(&LevelId(id)), "{:?}\n{:?}", condition, delta
                    );
                }
            }
        }
        for id in 0..conditions.len() as u32 {
            levels.remove(LevelId(id));
        }
        prop_assert!(levels.index.is_none() && levels.len() == 0);
    }
}

/// The insertion and the deletion of each row, and every update of one into another.
fn changes(rows: &[Row]) -> Vec<Delta> {
    let pairs = rows.iter().flat_map(|old| rows.iter().map(move |new| (old.clone(), new.clone())));
    let updates = pairs.filter_map(|(old, new)| Delta::update(old, new));
    let singly =
        rows.iter().cloned().flat_map(|row| [Delta::insert(row.clone()), Delta::delete(row)]);
    singly.chain(updates).collect()
}

fn key_of(values: &[Value]) -> Key {
    let mut key = KeyBuffer::new();
    values.iter().for_each(|value| encode(&mut key, value.as_ref(), Direction::Asc));
    Key::from_slice(&key)
}

/// A level with the constants of a lifted column that come into use, and how many of them go.
fn lifted_level() -> impl Strategy<Value = (Condition, usize, Vec<Value>, usize)> {
    let constants = prop_oneof![
        9 => prop::collection::vec(value(), 0..5),
        1 => prop::collection::vec(any::<i8>().prop_map(|n| Value::Int(n.into())), 15..25),
    ];
    (condition(), 0..COLUMNS, constants, 0..5usize)
}

proptest! {
    #[test]
    fn every_level_with_constants_in_use_is_found(
        specs in prop::collection::vec(lifted_level(), FEW..30),
        late in 0..30usize,
        rows in prop::collection::vec(row(), 1..8),
    ) {
        let mut levels = TableLevels::default();
        let mut in_use: Vec<Vec<Value>> = Vec::new();
        let late = late.min(specs.len());
        for (at, (condition, column, constants, gone)) in specs.iter().enumerate() {
            let id = LevelId(at as u32);
            levels.add(id, lifting(&[*column], condition.clone()), &identity());
            constants.iter().for_each(|value| levels.learn(id, &key_of(std::slice::from_ref(value))));
            let gone = (*gone).min(constants.len());
            for value in &constants[..gone] {
                levels.forget(id, &key_of(std::slice::from_ref(value)));
            }
            in_use.push(constants[gone..].to_vec());
            if at == late {
                // The index is made while constants are in use.
                let none = Condition::Always(false);
                for id in 1000..1000 + FEW as u32 {
                    levels.add(LevelId(id), plan(none.clone()), &identity());
                }
            }
        }
        let Some(index) = &levels.index else { return Ok(()) };
        for delta in changes(&rows) {
            let found = visited(index, &delta);
            for (at, (condition, column, ..)) in specs.iter().enumerate() {
                let passes = |row: &Row| {
                    let held = row.get(*column).to_owned();
                    in_use[at].contains(&held) && may_pass(condition, row)
                };
                let plan = lifting(&[*column], condition.clone());
                let read = delta.changed.intersects(reads(&plan));
                if read && delta.old.iter().chain(&delta.new).any(passes) {
                    prop_assert!(found.contains(&LevelId(at as u32)), "{:?}", delta);
                }
            }
        }
    }
}

#[test]
fn a_level_is_found_by_the_columns_that_it_reads_or_the_rows_that_it_holds() {
    let mut levels = TableLevels::default();
    for id in 0..30u32 {
        let condition = compare(id as usize % COLUMNS, CompareOp::Gt, 0);
        levels.add(LevelId(id), plan(condition), &identity());
    }
    let row = |a: i64, b: i64| numbered(&[Value::Int(a), Value::Int(b), Value::Int(5)]);
    let found = |levels: &TableLevels, old: Row, new: Row| {
        let index = levels.index.as_ref().expect("many levels");
        let levels = visited(index, &Delta::update(old, new).expect("a change"));
        levels.into_iter().map(|level| level.0).collect::<Vec<u32>>()
    };
    let of = |column: u32| (0..30).filter(move |id| id % 3 == column).collect::<Vec<u32>>();
    assert_eq!(found(&levels, row(1, 1), row(2, 1)), of(0));
    assert_eq!(found(&levels, row(1, 1), row(1, 2)), of(1));
    assert_eq!(found(&levels, row(1, 1), row(1, -2)), of(1));
    assert_eq!(found(&levels, row(-1, -1), row(-2, -2)), []);
    let index = levels.index.as_mut().expect("many levels");
    index.shown.add(&row(1, 1), LevelId(8));
    assert_eq!(found(&levels, row(-1, 7), row(-2, 7)), [8]);
    assert_eq!(visited(levels.index.as_ref().expect("many"), &Delta::insert(row(-1, -1))), {
        of(2).into_iter().map(LevelId).collect::<Vec<_>>()
    });
}

proptest! {
    #[test]
    fn rows_are_counted_for_each_window(
        steps in prop::collection::vec((0..6i64, 0..40u32, any::<bool>()), 0..200),
    ) {
        let row = |n: i64| Row::new(&[Value::Null, Value::Int(n)]);
        let mut shown = Shown::new(KeySpec::asc(&[1]));
        let mut model: BTreeMap<(i64, u32), u32> = BTreeMap::new();
        for (n, level, comes) in steps {
            let count = model.entry((n, level)).or_default();
            match comes {
                true => *count += 1,
                false if *count == 0 => {}
                false => *count -= 1,
            }
            match comes {
                true => shown.add(&row(n), LevelId(level)),
                false => shown.remove(&row(n), LevelId(level)),
            }
        }
        model.retain(|_, count| *count > 0);
        for n in 0..6 {
            let mut found = Vec::new();
            shown.visit(&row(n), &mut |level| found.push(level.0));
            let expected: Vec<u32> = model.range((n, 0)..=(n, u32::MAX)).map(|(key, _)| key.1).collect();
            prop_assert_eq!(found, expected);
        }
        for ((n, level), count) in model {
            (0..count).for_each(|_| shown.remove(&row(n), LevelId(level)));
        }
        prop_assert!(shown.is_empty());
    }
}

#[test]
fn constants_and_conditions_are_looked_up_together() {
    let mut levels = TableLevels::default();
    for id in 0..100u32 {
        let above = compare(1, CompareOp::Gt, i64::from(id % 10));
        levels.add(LevelId(id), lifting(&[0], above), &identity());
        levels.learn(LevelId(id), &key_of(&[Value::Int(i64::from(id / 10))]));
    }
    let row = |owner, n| numbered(&[Value::Int(owner), Value::Int(n), Value::Null]);
    let count = |levels: &TableLevels, delta: &Delta| {
        levels.index.as_ref().map(|index| visited(index, delta).len())
    };
    assert_eq!(count(&levels, &Delta::insert(row(4, 3))), Some(3));
    let moved = Delta::update(row(4, 3), row(5, 2)).expect("a change");
    assert_eq!(count(&levels, &moved), Some(5));
    let elsewhere = Delta::update(row(4, 3), row(44, 3)).expect("a change");
    assert_eq!(count(&levels, &elsewhere), Some(3));
    // With more constants than are worth telling apart, the condition alone decides.
    (100..130).for_each(|n| levels.learn(LevelId(99), &key_of(&[Value::Int(n)])));
    assert_eq!(count(&levels, &Delta::insert(row(200, 10))), Some(1));
    assert_eq!(count(&levels, &Delta::insert(row(200, 9))), Some(0));
    levels.forget(LevelId(0), &key_of(&[Value::Int(0)]));
    assert_eq!(count(&levels, &Delta::insert(row(0, 2))), Some(1));
}

/// How many of the levels a row of one number is routed to.
fn found(conditions: impl IntoIterator<Item = Condition>, number: i64) -> usize {
    let mut levels = TableLevels::default();
    for (id, condition) in (0u32..).zip(conditions) {
        levels.add(LevelId(id), plan(condition), &identity());
    }
    let row = numbered(&[Value::Int(number), Value::Null, Value::Null]);
    visited(levels.index.as_ref().expect("many levels"), &Delta::insert(row)).len()
}

#[test]
fn only_levels_whose_bounds_hold_a_row_are_found() {
    use CompareOp::{Ge, Gt, Le, Lt};
    assert_eq!(found((0..100).map(|n| compare(0, Gt, n)), 7), 7);
    assert_eq!(found((0..100).map(|n| compare(0, Le, n)), 7), 93);
    let between = |n: i64| Condition::All(vec![compare(0, Ge, n), compare(0, Lt, n + 2)]);
    assert_eq!(found((0..100).map(between), 7), 2);
    // A null lies in no range, and no row in an empty one.
    assert_eq!(found((0..100).map(|n| compare(1, Lt, n)), 7), 0);
    let nowhere = |n: i64| Condition::All(vec![compare(0, Gt, n), compare(0, Lt, n)]);
    assert_eq!(found((0..100).map(nowhere), 7), 0);
}

#[test]
fn the_narrowest_of_several_conditions_is_looked_up() {
    use CompareOp::{Eq, Gt, Ne};
    let all =
        |n: i64| Condition::All(vec![compare(0, Gt, 0), compare(0, Eq, n), compare(2, Ne, n)]);
    assert_eq!(found((0..100).map(all), 7), 1);
    let any = |n: i64| Condition::Any(vec![compare(0, Eq, n), compare(0, Eq, n + 1)]);
    assert_eq!(found((0..100).map(any), 7), 2);
    let in_list = |n: i64| {
        let set = ValueSet::new(vec![Value::Int(n), Value::Float(n as f64 + 50.0)]);
        Condition::Test(Predicate::In { operand: Operand::Column(0), set, negated: false })
    };
    assert_eq!(found((0..100).map(in_list), 57), 2);
    // Any row may pass an inequality.
    assert_eq!(found((0..100).map(|n| compare(0, Ne, n)), 7), 100);
}

#[test]
fn levels_come_and_go_around_the_threshold() {
    let mut levels = TableLevels::default();
    let add = |levels: &mut TableLevels, id: u32| {
        levels.add(LevelId(id), plan(compare(0, CompareOp::Gt, i64::from(id))), &identity());
    };
    (0..FEW as u32).for_each(|id| add(&mut levels, id));
    assert!(levels.index.is_none());
    (FEW as u32..2 * FEW as u32).for_each(|id| add(&mut levels, id));
    assert!(levels.index.is_some());
    (0..FEW as u32).for_each(|id| levels.remove(LevelId(id)));
    let row = numbered(&[Value::Int(FEW as i64 + 2), Value::Null, Value::Null]);
    let delta = Delta::insert(row);
    let index = levels.index.as_ref().expect("kept for a while");
    assert_eq!(visited(index, &delta), [LevelId(FEW as u32), LevelId(FEW as u32 + 1)]);
    (FEW as u32..2 * FEW as u32).for_each(|id| levels.remove(LevelId(id)));
    assert!(levels.index.is_none());
}
