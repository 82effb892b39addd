use penstock_operators::delta::ColumnSet;
use penstock_operators::row::Row;
use penstock_operators::value::{Value, ValueRef};
use proptest::prelude::*;

use crate::strategies::{hash_of, values};

/// What a row keeps of a value: also its form, which equality of values does not see.
fn exact(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Float(float) => format!("{:016x}", float.to_bits()),
        other => format!("{other:?}"),
    }
}

fn check(values: &[Value]) -> Row {
    let row = Row::new(values);
    assert_eq!((row.len(), row.is_empty()), (values.len(), values.is_empty()));
    let expected: Vec<String> = values.iter().map(|value| exact(value.as_ref())).collect();
    let stored: Vec<String> = row.values().map(exact).collect();
    assert_eq!(stored, expected);
    for (column, value) in values.iter().enumerate() {
        assert_eq!(exact(row.get(column)), expected[column]);
        assert_eq!(row.is_null(column), value.is_null());
    }
    let refs: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
    let again = Row::from_refs(&refs);
    assert_eq!(again, row);
    assert_eq!(hash_of(&again), hash_of(&row));
    assert_eq!(Row::new(&row.to_values()), row);
    row
}

proptest! {
    #[test]
    fn rows_keep_their_values(values in prop::collection::vec(values(), 0..12)) {
        check(&values);
    }

    #[test]
    fn a_changed_copy_has_the_last_value_given(
        values in prop::collection::vec(values(), 1..8),
        changes in prop::collection::vec((any::<prop::sample::Index>(), values()), 0..4),
    ) {
        let changes: Vec<(usize, Value)> =
            changes.into_iter().map(|(at, value)| (at.index(values.len()), value)).collect();
        let row = Row::new(&values);
        let copy = row.with(&changes);
        let mut expected = values.clone();
        for (column, value) in &changes {
            expected[*column] = value.clone();
        }
        prop_assert_eq!(&copy, &Row::new(&expected));

        let changed: ColumnSet = (0..values.len())
            .filter(|column| exact(values[*column].as_ref()) != exact(expected[*column].as_ref()))
            .collect();
        prop_assert_eq!(row.changed_columns(&copy), changed);
        prop_assert_eq!(row == copy, changed.is_empty());
    }
}

#[test]
fn rows_of_any_number_of_columns() {
    for columns in [0, 1, 253, 254, 255, 256, 1000, 70_000] {
        let values: Vec<Value> = (0..columns).map(|column| Value::Int(column % 300)).collect();
        check(&values);
    }
}

#[test]
fn rows_of_any_size() {
    // One column takes 3 bytes of head and a tag in narrow form; 65 535 bytes fit.
    for bytes in [65_530, 65_531, 65_532, 65_536, 200_000] {
        let row = check(&[Value::from("x".repeat(bytes))]);
        let head = if bytes <= 65_531 { 3 } else { 9 };
        assert_eq!(row.heap_bytes(), in_words(16 + head + 1 + bytes));
        let row = check(&[Value::Null, Value::from(vec![0u8; bytes]), Value::from(7), Value::Null]);
        let small = row.with(&[(1, Value::from(true))]);
        assert_eq!(small, Row::new(&[Value::Null, true.into(), 7.into(), Value::Null]));
        assert_eq!(small.with(&[(1, row.get(1).to_owned())]), row);
    }
}

#[test]
fn integers_take_as_few_bytes_as_they_need() {
    let cases = [
        (0, 0),
        (1, 1),
        (-1, 1),
        (127, 1),
        (128, 2),
        (-128, 1),
        (-129, 2),
        (1 << 15, 3),
        ((1 << 23) - 1, 3),
        (1 << 23, 4),
        (-(1 << 31), 4),
        (1 << 31, 5),
        (1 << 47, 7),
        (-(1 << 55), 7),
        (1 << 55, 8),
        (i64::MAX, 8),
        (i64::MIN, 8),
    ];
    for (int, bytes) in cases {
        // With texts of eight lengths beside the integer, one of the eight rows is a whole number
        // of words with it, and a word longer with one byte more.
        for text in 0..8 {
            let row = check(&[Value::Int(int), Value::from("x".repeat(text))]);
            assert_eq!(row.heap_bytes(), in_words(16 + 5 + 1 + bytes + 1 + text), "{int}");
        }
    }
}

/// Bytes on the heap, where an allocation is a whole number of words.
fn in_words(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

#[test]
fn rows_are_told_apart_by_form_and_shared_by_clones() {
    let row = Row::new(&[1.into(), "x".into(), Value::Null]);
    assert!(row.ptr_eq(&row.clone()));
    assert!(row.changed_columns(&row.clone()).is_empty());
    let twin = Row::new(&row.to_values());
    assert!(!row.ptr_eq(&twin));
    assert_eq!(row, twin);
    assert_eq!(row.changed_columns(&twin), ColumnSet::EMPTY);

    let other_form = row.with(&[(0, Value::Float(1.0))]);
    assert_ne!(row, other_form);
    assert_eq!(row.get(0), other_form.get(0));
    assert_eq!(row.changed_columns(&other_form), [0].into_iter().collect());
    assert_eq!(row.changed_columns(&Row::new(&[])), ColumnSet::ALL);
    assert_eq!(format!("{row:?}"), r#"Row(1, "x", null)"#);
}

#[test]
#[should_panic(expected = "column 2 of a row with 2 columns")]
fn a_column_that_is_not_there_is_a_bug() {
    Row::new(&[1.into(), 2.into()]).get(2);
}

#[test]
#[should_panic(expected = "column 1 of a row with 1 columns")]
fn so_is_changing_one() {
    let _ = Row::new(&[1.into()]).with(&[(1, Value::Null)]);
}
