use std::cmp::Ordering;

use penstock_operators::delta::ColumnSet;
use penstock_operators::like::LikePattern;
use penstock_operators::plan::Condition;
use penstock_operators::predicate::CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
use penstock_operators::predicate::{CompareOp, Operand, Predicate, ValueSet};
use penstock_operators::row::Row;
use penstock_operators::value::Value;
use proptest::prelude::*;

use crate::strategies::{hash_of, pairs, values};

const OPS: [CompareOp; 6] = [Eq, Ne, Lt, Le, Gt, Ge];

fn x() -> Operand {
    Operand::Column(0)
}

fn literal(value: impl Into<Value>) -> Operand {
    Operand::Literal(value.into())
}

fn compare(op: CompareOp, right: impl Into<Value>) -> Predicate {
    Predicate::Compare { left: x(), op, right: literal(right) }
}

fn is(right: impl Into<Value>, negated: bool) -> Predicate {
    Predicate::Is { left: x(), right: literal(right), negated }
}

fn within(values: impl IntoIterator<Item = Value>, negated: bool) -> Predicate {
    let set = ValueSet::new(values.into_iter().collect());
    Predicate::In { operand: x(), set, negated }
}

fn like(pattern: &str, negated: bool) -> Predicate {
    let pattern = LikePattern::new(pattern, false).expect("a pattern");
    Predicate::Like { operand: x(), pattern, negated }
}

/// Those of the values that pass, each as the only column of a row.
fn passing<T: Into<Value> + Clone>(predicate: &Predicate, values: &[T]) -> Vec<Value> {
    let values = values.iter().map(|value| value.clone().into());
    values.filter(|value| predicate.matches(&Row::from_refs(&[value.as_ref()]))).collect()
}

fn kind(value: &Value) -> &'static str {
    match value.type_name() {
        "integer" | "real" => "number",
        other => other,
    }
}

proptest! {
    #[test]
    fn comparisons_are_false_for_null_and_two_valued_otherwise((a, b) in pairs()) {
        let row = Row::new(&[a.clone(), b.clone()]);
        for op in OPS {
            let expected = match a.cmp(&b) {
                _ if a.is_null() || b.is_null() => false,
                _ if kind(&a) != kind(&b) => op == Ne,
                Ordering::Less => [Ne, Lt, Le].contains(&op),
                Ordering::Equal => [Eq, Le, Ge].contains(&op),
                Ordering::Greater => [Ne, Gt, Ge].contains(&op),
            };
            let sides = [
                (Operand::Column(0), Operand::Column(1)),
                (Operand::Column(0), Operand::Literal(b.clone())),
                (Operand::Literal(a.clone()), Operand::Column(1)),
                (Operand::Literal(a.clone()), Operand::Literal(b.clone())),
            ];
            for (left, right) in sides {
                let predicate = Predicate::Compare { left: left.clone(), op, right: right.clone() };
                prop_assert_eq!(predicate.matches(&row), expected, "{:?}", predicate);
                let exchanged = Predicate::Compare { left: right, op: op.mirrored(), right: left };
                prop_assert_eq!(exchanged.matches(&row), expected, "{:?}", exchanged);
            }
            if kind(&a) == kind(&b) && !a.is_null() {
                let negated = Predicate::Compare {
                    left: Operand::Column(0),
                    op: op.negated(),
                    right: Operand::Column(1),
                };
                prop_assert_eq!(negated.matches(&row), !expected);
            }
        }
    }

    #[test]
    fn is_takes_null_for_a_value((a, b) in pairs()) {
        let row = Row::new(&[a.clone(), b.clone()]);
        for negated in [false, true] {
            let predicate =
                Predicate::Is { left: Operand::Column(0), right: Operand::Column(1), negated };
            prop_assert_eq!(predicate.matches(&row), (a == b) != negated);
        }
    }

    #[test]
    fn membership_is_equality_with_some_member(
        value in values(),
        mut members in prop::collection::vec(values(), 0..6),
        include in any::<bool>(),
    ) {
        if include {
            members.push(value.clone());
        }
        let expected = !value.is_null() && members.contains(&value);
        let row = Row::new(std::slice::from_ref(&value));
        prop_assert_eq!(within(members.clone(), false).matches(&row), expected);
        prop_assert_eq!(within(members.clone(), true).matches(&row), !value.is_null() && !expected);
        prop_assert_eq!(ValueSet::new(members).contains(value.as_ref()), expected);
    }
}

#[test]
fn edge_1_booleans_compare_and_null_does_not() {
    let all = [Some(true), Some(false), None];
    assert_eq!(passing(&compare(Ge, false), &all), [Value::from(true), Value::from(false)]);
    assert_eq!(passing(&compare(Lt, true), &all), [Value::from(false)]);
}

#[test]
fn edge_2_texts_compare_by_code_point() {
    assert_eq!(passing(&compare(Lt, "😀"), &["｡", "😀"]), [Value::from("｡")]);
}

#[test]
fn edge_3_null_is_unequal_to_nothing_but_by_is() {
    let all = [None, Some("y"), Some("z")];
    let z = [Value::from("z")];
    assert_eq!(passing(&compare(Ne, "y"), &all), z);
    assert_eq!(passing(&compare(Eq.negated(), "y"), &all), z);
    assert_eq!(passing(&within(["y".into()], true), &all), z);
    assert_eq!(passing(&is("y", true), &all), [Value::Null, "z".into()]);
    assert_eq!(passing(&is(Value::Null, false), &all), [Value::Null]);
}

#[test]
fn edge_4_the_empty_set() {
    let all = [None, Some("y")];
    assert!(passing(&within([], false), &all).is_empty());
    assert_eq!(passing(&within([], true), &all), [Value::from("y")]);
    let empty = ValueSet::default();
    assert_eq!((empty.len(), empty.is_empty()), (0, true));
}

#[test]
fn edge_5_an_empty_or_is_not_an_empty_and() {
    let (all, any) = (Condition::All(vec![]), Condition::Any(vec![]));
    assert_ne!(any, all);
    assert_ne!(hash_of(&any), hash_of(&all));
    assert_ne!(hash_of(&Condition::Always(false)), hash_of(&Condition::Always(true)));
}

#[test]
fn edges_6_and_7_patterns_are_for_texts() {
    let texts = [Some("a\nb"), Some("z\nab"), None];
    assert_eq!(passing(&like("a%b", false), &texts), [Value::from("a\nb")]);
    assert_eq!(passing(&like("a%b", true), &texts), [Value::from("z\nab")]);
    let pattern = LikePattern::new("MÜLLER", true).expect("a pattern");
    let ilike = Predicate::Like { operand: x(), pattern, negated: false };
    assert_eq!(passing(&ilike, &["müller", "muller"]), [Value::from("müller")]);
    let others = [Value::from(1), Value::from(vec![b'a', b'b']), Value::Json("ab".into())];
    for negated in [false, true] {
        assert!(passing(&like("a%b", negated), &others).is_empty());
    }
}

#[test]
fn edge_8_values_of_other_kinds_are_unequal_and_unordered() {
    let one = [Value::from("1")];
    for predicate in [compare(Eq, 1), is(1, false), within([1.into()], false)] {
        assert!(passing(&predicate, &one).is_empty(), "{predicate:?}");
    }
    for op in [Lt, Le, Gt, Ge] {
        assert!(passing(&compare(op, 1), &one).is_empty(), "{op:?}");
    }
    for predicate in [compare(Ne, 1), is(1, true), within([1.into()], true)] {
        assert_eq!(passing(&predicate, &one), one, "{predicate:?}");
    }
}

#[test]
fn edge_9_nothing_compares_with_null() {
    let all = [Some(1), None];
    for op in OPS {
        assert!(passing(&compare(op, Value::Null), &all).is_empty(), "{op:?}");
    }
    assert!(passing(&within([Value::Null], false), &all).is_empty());
}

#[test]
fn numbers_compare_across_their_forms() {
    let all = [Value::Int(1), Value::Float(1.0), Value::Float(1.5), Value::Int((1 << 53) + 1)];
    assert_eq!(passing(&compare(Eq, 1.0), &all).len(), 2);
    assert_eq!(passing(&compare(Gt, 9_007_199_254_740_992.0), &all), [all[3].clone()]);
    assert_eq!(passing(&within([Value::Float(1.0)], false), &all).len(), 2);
}

#[test]
fn value_sets_are_sorted_without_repeats_or_null() {
    let set = ValueSet::new(vec![2.into(), "a".into(), Value::Null, 1.into(), 2.0.into()]);
    assert_eq!(set.values(), [Value::Int(1), Value::Int(2), Value::from("a")]);
    assert_eq!(set.len(), 3);
}

#[test]
fn predicates_name_the_columns_they_read() {
    let columns = |columns: &[usize]| columns.iter().copied().collect::<ColumnSet>();
    let both = Predicate::Compare { left: Operand::Column(2), op: Eq, right: Operand::Column(5) };
    assert_eq!(both.columns(), columns(&[2, 5]));
    assert_eq!(compare(Eq, 1).columns(), columns(&[0]));
    assert_eq!(is(1, true).columns(), columns(&[0]));
    assert_eq!(within([], true).columns(), columns(&[0]));
    assert_eq!(like("a", false).columns(), columns(&[0]));
    let constant = Predicate::Compare { left: literal(1), op: Eq, right: literal(1) };
    assert!(constant.columns().is_empty());
}
