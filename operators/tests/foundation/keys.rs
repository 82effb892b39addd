use std::borrow::Borrow;

use penstock_operators::key::Direction::{Asc, Desc};
use penstock_operators::key::{
    DecodeError, Direction, Key, KeyBuffer, KeySpec, decode, encode, encoded_len, write_columns,
    write_columns_non_null,
};
use penstock_operators::row::Row;
use penstock_operators::value::Value;
use proptest::prelude::*;

use crate::strategies::{blobs, directions, hash_of, pairs, values};

fn encoded(value: &Value, direction: Direction) -> KeyBuffer {
    let mut buf = KeyBuffer::new();
    encode(&mut buf, value.as_ref(), direction);
    buf
}

fn tuple<'a>(values: impl IntoIterator<Item = (&'a Value, Direction)>) -> KeyBuffer {
    let mut buf = KeyBuffer::new();
    for (value, direction) in values {
        encode(&mut buf, value.as_ref(), direction);
    }
    buf
}

/// Two tuples that often agree in their first values, with the directions of their columns.
fn tuples() -> impl Strategy<Value = Vec<(Value, Value, Direction)>> {
    let column = prop_oneof![values().prop_map(|value| (value.clone(), value)), pairs()];
    prop::collection::vec(
        (column, directions()).prop_map(|((a, b), direction)| (a, b, direction)),
        0..4,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn bytes_sort_as_values_do((a, b) in pairs()) {
        prop_assert_eq!(encoded(&a, Asc).cmp(&encoded(&b, Asc)), a.cmp(&b));
        prop_assert_eq!(encoded(&a, Desc).cmp(&encoded(&b, Desc)), b.cmp(&a));
    }

    #[test]
    fn bytes_of_tuples_sort_as_tuples_do(columns in tuples()) {
        let expected = columns.iter().fold(std::cmp::Ordering::Equal, |order, (a, b, direction)| {
            order.then(match direction {
                Asc => a.cmp(b),
                Desc => b.cmp(a),
            })
        });
        let left = tuple(columns.iter().map(|(a, _, direction)| (a, *direction)));
        let right = tuple(columns.iter().map(|(_, b, direction)| (b, *direction)));
        prop_assert_eq!(left.cmp(&right), expected);
    }

    #[test]
    fn no_encoding_begins_another((a, b) in pairs(), direction in directions()) {
        let (a_bytes, b_bytes) = (encoded(&a, direction), encoded(&b, direction));
        prop_assert_eq!(a_bytes.starts_with(&b_bytes), a == b);
    }

    #[test]
    fn decoding_gives_the_values_back(columns in prop::collection::vec((values(), directions()), 0..5)) {
        let bytes = tuple(columns.iter().map(|(value, direction)| (value, *direction)));
        let (values, directions): (Vec<Value>, Vec<Direction>) = columns.into_iter().unzip();
        let decoded = decode(&bytes, &directions);
        prop_assert_eq!(decoded.as_ref(), Ok(&values));
        let integral = decoded.iter().flatten().filter(|value| value.as_i64().is_some());
        for value in integral {
            prop_assert!(matches!(value, Value::Int(_)), "{:?}", value);
        }
    }

    #[test]
    fn the_length_of_a_value_is_known_whatever_follows(
        value in values(),
        rest in blobs(),
        direction in directions(),
    ) {
        let mut bytes = encoded(&value, direction);
        let length = bytes.len();
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(encoded_len(&bytes, direction), Some(length));
        for cut in 0..length {
            prop_assert_eq!(encoded_len(&bytes[..cut], direction), None);
        }
    }

    #[test]
    fn any_bytes_decode_to_what_encodes_to_them_or_not_at_all(
        tag in 0u8..8,
        payload in prop_oneof![blobs(), prop::collection::vec(any::<u8>(), 0..14)],
        direction in directions(),
    ) {
        let mut bytes = vec![if direction == Desc { !tag } else { tag }];
        bytes.extend(payload);
        if let Ok(values) = decode(&bytes, &[direction]) {
            prop_assert_eq!(&encoded(&values[0], direction)[..], &bytes[..]);
        }
    }

    #[test]
    fn keys_are_their_bytes(
        a in prop::collection::vec(0u8..3, 0..30),
        b in prop::collection::vec(0u8..3, 0..30),
        shared in 0usize..30,
    ) {
        let b: Vec<u8> = a.iter().take(shared).chain(&b).copied().collect();
        let (a_key, b_key) = (Key::from_slice(&a), Key::from_slice(&b));
        prop_assert_eq!(&*a_key, &a[..]);
        prop_assert_eq!(a_key.cmp(&b_key), a.cmp(&b));
        prop_assert_eq!(a_key == b_key, a == b);
        prop_assert_eq!(hash_of(&a_key), hash_of(&a[..]));
        prop_assert_eq!(a_key.heap_bytes(), if a.len() > 22 { a.len() + 16 } else { 0 });
    }

    #[test]
    fn rows_are_encoded_as_their_values_are(
        columns in prop::collection::vec((values(), directions()), 1..5),
    ) {
        let (values, directions): (Vec<Value>, Vec<Direction>) = columns.iter().cloned().unzip();
        let row = Row::new(&values);
        let expected = tuple(values.iter().zip(directions.iter().copied()));
        let spec = KeySpec::new(directions.into_iter().enumerate().collect());
        prop_assert_eq!(&*spec.key(&row), &expected[..]);

        let positions: Vec<usize> = (0..values.len()).collect();
        let ascending = tuple(values.iter().map(|value| (value, Asc)));
        let mut written = KeyBuffer::new();
        write_columns(&row, &positions, &mut written);
        prop_assert_eq!(&written, &ascending);
        prop_assert_eq!(&*KeySpec::asc(&positions).key(&row), &ascending[..]);

        let mut written = KeyBuffer::new();
        let whole = write_columns_non_null(&row, &positions, &mut written);
        let until_null = values.iter().take_while(|value| !value.is_null());
        prop_assert_eq!(whole, values.iter().all(|value| !value.is_null()));
        prop_assert_eq!(written, tuple(until_null.map(|value| (value, Asc))));
    }
}

#[test]
fn the_encoding_is_as_documented() {
    let cases: [(Value, &[u8]); 10] = [
        (Value::Null, &[0]),
        (Value::from(false), &[1]),
        (Value::from(true), &[2]),
        (Value::from(1), &[3, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0]),
        (Value::from(-0.0), &[3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (Value::from((1i64 << 53) + 1), &[3, 0xc3, 0x40, 0, 0, 0, 0, 0, 0, 0x80, 1]),
        (Value::from(i64::MAX), &[3, 0xc3, 0xe0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff]),
        (Value::from("a\0\u{1}"), &[4, b'a', 1, 1, 1, 2, 0]),
        (Value::from(vec![0u8, 2]), &[5, 1, 1, 2, 0]),
        (Value::Json("{}".into()), &[6, b'{', b'}', 0]),
    ];
    for (value, expected) in cases {
        assert_eq!(&encoded(&value, Asc)[..], expected, "{value}");
        let inverted: Vec<u8> = expected.iter().map(|byte| !byte).collect();
        assert_eq!(&encoded(&value, Desc)[..], &inverted[..], "{value}");
    }
}

#[test]
fn edge_2_texts_sort_by_code_point() {
    assert!(encoded(&Value::from("｡"), Asc) < encoded(&Value::from("😀"), Asc));
}

#[test]
fn nan_sorts_after_every_number_and_comes_back() {
    let nan = encoded(&Value::Float(f64::NAN), Asc);
    assert!(nan > encoded(&Value::Float(f64::INFINITY), Asc));
    assert!(nan < encoded(&Value::from(""), Asc));
    assert_eq!(nan, encoded(&Value::Float(-f64::NAN), Asc));
    assert_eq!(decode(&nan, &[Asc]), Ok(vec![Value::Float(f64::NAN)]));
}

#[test]
fn what_is_no_key_is_refused() {
    let number = encoded(&Value::from(7), Asc);
    let cases: [(&[u8], DecodeError, &str); 7] = [
        (&[], DecodeError::Truncated { position: 0 }, "the key ends within value 0"),
        (&number[..5], DecodeError::Truncated { position: 0 }, "the key ends within value 0"),
        (
            &[9],
            DecodeError::UnknownTag { position: 0, tag: 9 },
            "value 0 of the key has the unknown tag 9",
        ),
        (&[4, 0xff, 0], DecodeError::Malformed { position: 0 }, "value 0 of the key is malformed"),
        (
            &[3, 0x7f, 255, 255, 255, 255, 255, 255, 255],
            DecodeError::Malformed { position: 0 },
            "value 0 of the key is malformed",
        ),
        // A double beyond 128 bits with a remainder.
        (
            &[3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            DecodeError::Malformed { position: 0 },
            "value 0 of the key is malformed",
        ),
        (
            &[0, 0, 0],
            DecodeError::TrailingBytes { bytes: 2 },
            "the key has 2 bytes after its last value",
        ),
    ];
    for (bytes, expected, text) in cases {
        assert_eq!(decode(bytes, &[Asc]), Err(expected), "{bytes:?}");
        assert_eq!(expected.to_string(), text);
    }
}

#[test]
fn keys_show_their_bytes() {
    assert_eq!(size_of::<Key>(), 32);
    let key = Key::from_slice(&[0, 0xab]);
    assert_eq!(format!("{key:?}"), "Key(00ab)");
    assert_eq!((key.as_ref(), Borrow::<[u8]>::borrow(&key)), (key.as_slice(), &[0, 0xab][..]));
    assert_eq!(Key::default(), Key::from_slice(&[]));
    assert_eq!((Asc.reversed(), Desc.reversed()), (Desc, Asc));
}
