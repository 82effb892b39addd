//! Values that are likely to collide, to tie and to need care.

use std::hash::{DefaultHasher, Hash, Hasher};

use penstock_operators::key::Direction;
use penstock_operators::value::Value;
use proptest::prelude::*;

const TWO_53: i64 = 1 << 53;

/// The hash of a value under a hasher that is the same in every run.
pub(crate) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn ints() -> impl Strategy<Value = i64> {
    let near = |middle: i64| (-1500i64..=1500).prop_map(move |by| middle.saturating_add(by));
    prop_oneof![
        -3i64..=3,
        near(TWO_53),
        near(-TWO_53),
        near(1 << 60),
        near(i64::MAX),
        near(i64::MIN),
        any::<i64>(),
    ]
}

/// Doubles without NaN, many of them equal to, or next to, an integer of [`ints`].
pub(crate) fn floats() -> impl Strategy<Value = f64> {
    let near_int =
        (ints(), -2i64..=2).prop_map(|(int, steps)| {
            let double = int as f64;
            (0..steps.abs()).fold(double, |double, _| {
                if steps < 0 { double.next_down() } else { double.next_up() }
            })
        });
    prop_oneof![
        near_int,
        prop::sample::select(vec![
            0.0,
            -0.0,
            0.5,
            -0.5,
            f64::MIN_POSITIVE,
            -f64::from_bits(1),
            f64::MAX,
            f64::MIN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_223_372_036_854_775_808.0,
        ]),
        any::<f64>().prop_filter("a number", |double| !double.is_nan()),
    ]
}

/// Texts of few different characters, so that they share beginnings, and some long ones.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    let char = prop::sample::select(vec![
        '\0',
        '\u{1}',
        '\u{2}',
        'a',
        'b',
        'ÿ',
        '\u{7f}',
        '｡',
        '\u{ffff}',
        '😀',
        '\u{10ffff}',
    ]);
    prop_oneof![
        4 => prop::collection::vec(char.clone(), 0..5),
        1 => prop::collection::vec(char, 25..80),
    ]
    .prop_map(|chars| chars.into_iter().collect())
}

pub(crate) fn blobs() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(vec![0u8, 1, 2, 3, 127, 254, 255]);
    prop_oneof![
        4 => prop::collection::vec(byte.clone(), 0..5),
        1 => prop::collection::vec(byte, 25..80),
    ]
}

pub(crate) fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        3 => ints().prop_map(Value::from),
        3 => floats().prop_map(Value::from),
        3 => texts().prop_map(Value::from),
        2 => blobs().prop_map(Value::from),
        1 => texts().prop_map(|text| Value::Json(text.into())),
    ]
}

/// Two values of one kind, or of any.
pub(crate) fn pairs() -> impl Strategy<Value = (Value, Value)> {
    let numbers =
        || prop_oneof![ints().prop_map(Value::from), floats().prop_map(Value::from)].boxed();
    let texts = || texts().prop_map(Value::from);
    let blobs = || blobs().prop_map(Value::from);
    prop_oneof![
        (numbers(), numbers()),
        ints().prop_map(|int| (Value::Int(int), Value::Float(int as f64))),
        (texts(), texts()),
        (blobs(), blobs()),
        (values(), values()),
        values().prop_map(|value| (value.clone(), value)),
    ]
}

pub(crate) fn directions() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![Direction::Asc, Direction::Desc])
}
