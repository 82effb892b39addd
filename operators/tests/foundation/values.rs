use std::cmp::Ordering;

use penstock_operators::value::ColumnType::{Blob, Boolean, Integer, Json, Number, Real, Text};
use penstock_operators::value::{ColumnType, Value};
use proptest::prelude::*;

use crate::strategies::{hash_of, pairs, values};

const TWO_53: i64 = 1 << 53;

/// The order of an integer and a double by whole parts and fractions, without rounding.
fn int_against_float(int: i64, float: f64) -> Ordering {
    if float.is_infinite() {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    if float >= 1e19 || float <= -1e19 {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let whole = float.floor();
    i128::from(int).cmp(&(whole as i128)).then(if float > whole {
        Ordering::Less
    } else {
        Ordering::Equal
    })
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Text(_) => 3,
        Value::Blob(_) => 4,
        Value::Json(_) => 5,
    }
}

/// The order that values should have; there is no NaN.
fn expected_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Int(a), Value::Float(b)) => int_against_float(*a, *b),
        (Value::Float(a), Value::Int(b)) => int_against_float(*b, *a).reverse(),
        (Value::Float(a), Value::Float(b)) if a < b => Ordering::Less,
        (Value::Float(a), Value::Float(b)) if a > b => Ordering::Greater,
        // By code points, which is the order of UTF-8 bytes.
        (Value::Text(a), Value::Text(b)) | (Value::Json(a), Value::Json(b)) => {
            a.chars().cmp(b.chars())
        }
        (Value::Blob(a), Value::Blob(b)) => a.iter().cmp(b.iter()),
        (a, b) => kind(a).cmp(&kind(b)),
    }
}

proptest! {
    #[test]
    fn the_order_is_that_of_kinds_then_exact_numbers_or_bytes((a, b) in pairs()) {
        prop_assert_eq!(a.cmp(&b), expected_order(&a, &b));
        prop_assert_eq!(a.as_ref().cmp(&b.as_ref()), expected_order(&a, &b));
        prop_assert_eq!(a == b, expected_order(&a, &b).is_eq());
    }

    #[test]
    fn equal_values_hash_and_print_the_same((a, b) in pairs()) {
        prop_assert_eq!(hash_of(&a), hash_of(&a.as_ref()));
        if a == b {
            prop_assert_eq!(hash_of(&a), hash_of(&b));
            prop_assert_eq!(a.to_string(), b.to_string());
        }
    }

    #[test]
    fn borrowing_and_owning_keep_the_value(value in values()) {
        let copy = value.as_ref().to_owned();
        prop_assert_eq!(format!("{copy:?}"), format!("{value:?}"));
    }
}

#[test]
fn numbers_compare_exactly_beyond_2_to_the_53() {
    let sorted = [
        Value::Float(f64::NEG_INFINITY),
        Value::Float(-9_223_372_036_854_777_856.0),
        Value::Int(i64::MIN),
        Value::Int(i64::MIN + 1),
        Value::Int(-TWO_53 - 1),
        Value::Float(-9_007_199_254_740_992.0),
        Value::Int(-1),
        Value::Float(-0.5),
        Value::Int(0),
        Value::Float(0.5),
        Value::Int(TWO_53 - 1),
        Value::Float(9_007_199_254_740_992.0),
        Value::Int(TWO_53 + 1),
        Value::Float(9_007_199_254_740_994.0),
        Value::Int(i64::MAX - 1),
        Value::Int(i64::MAX),
        Value::Float(9_223_372_036_854_775_808.0),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NAN),
        Value::from(""),
    ];
    for (at, a) in sorted.iter().enumerate() {
        for (other, b) in sorted.iter().enumerate() {
            assert_eq!(a.cmp(b), at.cmp(&other), "{a} against {b}");
        }
    }
}

#[test]
fn zeros_are_equal_and_so_are_nans() {
    assert_eq!(Value::Float(-0.0), Value::Float(0.0));
    assert_eq!(Value::Float(-0.0), Value::Int(0));
    assert_eq!(hash_of(&Value::Float(-0.0)), hash_of(&Value::Int(0)));
    let negative = Value::Float(-f64::NAN);
    assert_eq!(negative, Value::Float(f64::NAN));
    assert_eq!(hash_of(&negative), hash_of(&Value::Float(f64::NAN)));
}

#[test]
fn edge_1_null_then_false_then_true() {
    let mut values = [Value::from(true), Value::Null, Value::from(false)];
    values.sort();
    assert_eq!(values, [Value::Null, Value::from(false), Value::from(true)]);
    values.sort_by(|a, b| b.cmp(a));
    assert_eq!(values, [Value::from(true), Value::from(false), Value::Null]);
}

#[test]
fn values_print_readably() {
    let cases = [
        (Value::Null, "null"),
        (Value::from(true), "true"),
        (Value::from(-7), "-7"),
        (Value::from(7.0), "7"),
        (Value::from(-0.0), "0"),
        (Value::from(2.5), "2.5"),
        (Value::from(1e21), "1e21"),
        (Value::from(f64::INFINITY), "inf"),
        (Value::from("a \"b\"\n"), r#""a \"b\"\n""#),
        (Value::from(vec![0u8, 255]), "x'00ff'"),
        (Value::Json("{\"a\":1}".into()), "{\"a\":1}"),
    ];
    for (value, expected) in cases {
        assert_eq!(value.to_string(), expected);
    }
}

#[test]
fn values_are_made_from_and_read_as_rust_types() {
    assert_eq!(Value::from(3u32).as_i64(), Some(3));
    assert_eq!(Value::from(3.0).as_i64(), Some(3));
    assert_eq!(Value::from(3.5).as_i64(), None);
    assert_eq!(Value::from(9_223_372_036_854_775_808.0).as_i64(), None);
    assert_eq!(Value::from(-9_223_372_036_854_775_808.0).as_i64(), Some(i64::MIN));
    assert_eq!(Value::from(3i64).as_f64(), Some(3.0));
    assert_eq!(Value::from(true).as_bool(), Some(true));
    assert_eq!(Value::from(String::from("x")).as_str(), Some("x"));
    assert_eq!(Value::Json("1".into()).as_str(), None);
    assert_eq!(Value::from(vec![1u8]).as_blob(), Some(&[1u8][..]));
    assert_eq!(Value::from(Some(1)).as_i64(), Some(1));
    assert!(Value::from(None::<&str>).is_null());
    assert_eq!(Value::default().type_name(), "null");
    assert_eq!(Value::from(1.0).type_name(), "real");
}

const TYPES: [(ColumnType, &str); 7] = [
    (Boolean, "boolean"),
    (Integer, "integer"),
    (Real, "real"),
    (Number, "number"),
    (Text, "text"),
    (Blob, "blob"),
    (Json, "json"),
];

#[test]
fn column_types_accept_what_they_hold_exactly() {
    let cases: [(Value, &[ColumnType]); 11] = [
        (Value::Null, &[]),
        (Value::from(true), &[Boolean]),
        (Value::from(1), &[Integer, Real, Number]),
        (Value::from(TWO_53), &[Integer, Real, Number]),
        (Value::from(TWO_53 + 1), &[Integer, Number]),
        (Value::from(i64::MAX), &[Integer, Number]),
        (Value::from(1.0), &[Real, Number]),
        (Value::from(f64::INFINITY), &[Real]),
        (Value::from(f64::NAN), &[]),
        (Value::from("1"), &[Text]),
        (Value::Json("1".into()), &[Json]),
    ];
    for (value, accepting) in cases {
        for (column_type, _) in TYPES {
            let accepts = column_type.accepts(value.as_ref());
            assert_eq!(accepts, accepting.contains(&column_type), "{column_type} and {value:?}");
        }
    }
}

#[test]
fn numeric_types_are_comparable_and_others_only_with_themselves() {
    for (a, name) in TYPES {
        assert_eq!(a.to_string(), name);
        let numeric = [Integer, Real, Number].contains(&a);
        assert_eq!(a.is_numeric(), numeric);
        for (b, _) in TYPES {
            let expected = a == b || (numeric && [Integer, Real, Number].contains(&b));
            assert_eq!(a.comparable(b), expected, "{a} and {b}");
        }
    }
}
