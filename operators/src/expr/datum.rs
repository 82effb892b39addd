//! The values that expressions are made of: the five storage classes of SQLite, borrowed where
//! they can be.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::decimal::{self, Extent, Integer};
use super::{Affinity, Collation};
use crate::value::{RawValue, Value};

/// A value in the course of an evaluation. A text may be one that is not UTF-8 (of a cast blob,
/// say); only as a result must it be.
#[derive(Clone, Debug)]
pub(super) enum Datum<'a> {
    Null,
    Int(i64),
    Float(f64),
    Text(Cow<'a, [u8]>),
    Blob(Cow<'a, [u8]>),
}

impl<'a> From<RawValue<'a>> for Datum<'a> {
    /// Booleans become integers, JSON becomes text, NaN becomes null.
    #[inline]
    fn from(value: RawValue<'a>) -> Datum<'a> {
        match value {
            RawValue::Null => Datum::Null,
            RawValue::Bool(value) => Datum::Int(value.into()),
            RawValue::Int(value) => Datum::Int(value),
            RawValue::Float(value) => Datum::float(value),
            RawValue::Text(text) | RawValue::Json(text) => Datum::Text(Cow::Borrowed(text)),
            RawValue::Blob(bytes) => Datum::Blob(Cow::Borrowed(bytes)),
        }
    }
}

impl From<Option<bool>> for Datum<'_> {
    /// A truth as 1, 0 or null.
    #[inline]
    fn from(truth: Option<bool>) -> Self {
        truth.map_or(Datum::Null, |truth| Datum::Int(truth.into()))
    }
}

impl<'a> Datum<'a> {
    /// A double, or null for NaN.
    #[inline]
    pub(super) fn float(value: f64) -> Datum<'a> {
        if value.is_nan() { Datum::Null } else { Datum::Float(value) }
    }

    /// A text of one's own.
    pub(super) fn text(text: impl Into<Vec<u8>>) -> Datum<'a> {
        Datum::Text(Cow::Owned(text.into()))
    }

    #[inline]
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    pub(super) fn is_blob(&self) -> bool {
        matches!(self, Datum::Blob(_))
    }

    /// The value as a row would hold it.
    #[inline]
    pub(super) fn raw(&self) -> RawValue<'_> {
        match self {
            Datum::Null => RawValue::Null,
            Datum::Int(value) => RawValue::Int(*value),
            Datum::Float(value) => RawValue::Float(*value),
            Datum::Text(text) => RawValue::Text(text),
            Datum::Blob(bytes) => RawValue::Blob(bytes),
        }
    }

    /// The value as a result. Null for text that is not UTF-8.
    pub(super) fn into_value(self) -> Value {
        match self {
            Datum::Null => Value::Null,
            Datum::Int(value) => Value::Int(value),
            Datum::Float(value) => Value::Float(value),
            Datum::Text(text) => {
                std::str::from_utf8(&text).map_or(Value::Null, |text| Value::Text(text.into()))
            }
            Datum::Blob(bytes) => Value::Blob(bytes.as_ref().into()),
        }
    }

    /// The order of two values, or `None` where one is null: numbers, then texts, then blobs.
    #[inline]
    pub(super) fn compare(&self, other: &Datum<'_>, collation: Collation) -> Option<Ordering> {
        Some(match (self, other) {
            (Datum::Null, _) | (_, Datum::Null) => return None,
            (Datum::Text(a), Datum::Text(b)) => collation.compare(a, b),
            (Datum::Blob(a), Datum::Blob(b)) => a.cmp(b),
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.total_order(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => self.is_blob().cmp(&other.is_blob()),
            },
        })
    }

    #[inline]
    fn number(&self) -> Option<RawValue<'static>> {
        match self {
            Datum::Int(value) => Some(RawValue::Int(*value)),
            Datum::Float(value) => Some(RawValue::Float(*value)),
            _ => None,
        }
    }

    /// Whether it is true as a condition: a number other than 0. `None` for null.
    #[inline]
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Datum::Null => None,
            Datum::Int(value) => Some(*value != 0),
            other => Some(other.to_double() != 0.0),
        }
    }

    /// The best double for it; 0 for null and what is no number.
    pub(super) fn to_double(&self) -> f64 {
        match self {
            Datum::Null => 0.0,
            Datum::Int(value) => *value as f64,
            Datum::Float(value) => *value,
            Datum::Text(bytes) | Datum::Blob(bytes) => decimal::parse_double(bytes).value,
        }
    }

    /// The best integer for it; 0 for null and what is no number.
    pub(super) fn to_integer(&self) -> i64 {
        match self {
            Datum::Null => 0,
            Datum::Int(value) => *value,
            Datum::Float(value) => truncate(*value),
            Datum::Text(bytes) | Datum::Blob(bytes) => decimal::parse_integer(bytes).value(),
        }
    }

    /// It as an operand of arithmetic: null, an integer or a double.
    pub(super) fn to_number(&self) -> Datum<'static> {
        let bytes = match self {
            Datum::Null => return Datum::Null,
            Datum::Int(value) => return Datum::Int(*value),
            Datum::Float(value) => return Datum::Float(*value),
            Datum::Text(bytes) | Datum::Blob(bytes) => bytes,
        };
        let prefix = decimal::parse_double(bytes);
        let whole = prefix.extent == Extent::Whole;
        if !prefix.real {
            match decimal::parse_integer(bytes) {
                Integer::Whole(value) => return Datum::Int(value),
                Integer::Part(value) if !whole => return Datum::Int(value),
                _ => {}
            }
        }
        Datum::Float(prefix.value)
    }

    /// It as text; `None` for null. Blobs are taken for text as they are.
    pub(super) fn to_text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Datum::Null => None,
            Datum::Int(value) => Some(value.to_string().into_bytes().into()),
            Datum::Float(value) => Some(decimal::format_double(*value).into_bytes().into()),
            Datum::Text(bytes) | Datum::Blob(bytes) => Some(Cow::Borrowed(bytes)),
        }
    }

    /// As [`to_text`](Datum::to_text), of a value that is not needed any more.
    pub(super) fn into_text(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Datum::Null => None,
            Datum::Int(value) => Some(value.to_string().into_bytes().into()),
            Datum::Float(value) => Some(decimal::format_double(value).into_bytes().into()),
            Datum::Text(bytes) | Datum::Blob(bytes) => Some(bytes),
        }
    }

    /// Converted as a column of that affinity stores it.
    pub(super) fn with_affinity(self, affinity: Affinity) -> Datum<'a> {
        match affinity {
            Affinity::Blob => self,
            Affinity::Text => match self {
                Datum::Int(_) | Datum::Float(_) => self.cast(Affinity::Text),
                other => other,
            },
            Affinity::Numeric | Affinity::Integer => match self {
                Datum::Float(value) => shrink(value),
                Datum::Text(text) => match recognise(&text) {
                    Some(Datum::Float(value)) => shrink(value),
                    Some(number) => number,
                    None => Datum::Text(text),
                },
                other => other,
            },
            Affinity::Real => match self.with_affinity(Affinity::Numeric) {
                Datum::Int(value) => Datum::Float(value as f64),
                other => other,
            },
        }
    }

    /// A text that looks like a number as that number; any other value as it is. Unlike with an
    /// affinity a double stays one.
    pub(super) fn numeric_text(self) -> Datum<'a> {
        match self {
            Datum::Text(text) => recognise(&text).unwrap_or(Datum::Text(text)),
            other => other,
        }
    }

    /// `CAST(… AS …)`.
    pub(super) fn cast(self, to: Affinity) -> Datum<'a> {
        if self.is_null() {
            return Datum::Null;
        }
        match to {
            Affinity::Blob => self.into_text().map_or(Datum::Null, Datum::Blob),
            Affinity::Text => self.into_text().map_or(Datum::Null, Datum::Text),
            Affinity::Integer => Datum::Int(self.to_integer()),
            Affinity::Real => Datum::Float(self.to_double()),
            Affinity::Numeric => match self {
                Datum::Text(bytes) | Datum::Blob(bytes) => numerify(&bytes),
                other => other,
            },
        }
    }
}

/// A text that is a number, spaces around it aside, as that number.
fn recognise(text: &[u8]) -> Option<Datum<'static>> {
    let prefix = decimal::parse_double(text);
    if prefix.extent != Extent::Whole {
        return None;
    }
    if !prefix.real {
        if let Some(value) = same_integer(prefix.value) {
            return Some(Datum::Int(value));
        }
        if let Integer::Whole(value) = decimal::parse_integer(text) {
            return Some(Datum::Int(value));
        }
    }
    Some(Datum::Float(prefix.value))
}

/// The number that a text begins with, as an integer if it is one.
fn numerify(text: &[u8]) -> Datum<'static> {
    let prefix = decimal::parse_double(text);
    if !prefix.real
        && let Integer::Whole(value) | Integer::Part(value) = decimal::parse_integer(text)
    {
        return Datum::Int(value);
    }
    same_integer(prefix.value).map_or(Datum::Float(prefix.value), Datum::Int)
}

/// An integer for a double that equals one other than the least and the greatest.
fn shrink(value: f64) -> Datum<'static> {
    let integer = truncate(value);
    if value == integer as f64 && integer > i64::MIN && integer < i64::MAX {
        Datum::Int(integer)
    } else {
        Datum::Float(value)
    }
}

/// The integer that a double of up to 52 bits equals.
fn same_integer(value: f64) -> Option<i64> {
    const LIMIT: i64 = 1 << 51;
    if value == 0.0 {
        return Some(0);
    }
    let integer = truncate(value);
    (value == integer as f64 && (-LIMIT..LIMIT).contains(&integer)).then_some(integer)
}

/// The integer part of a double; the nearest integer where it is beyond them.
fn truncate(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_774_784.0;
    if value < -LIMIT {
        i64::MIN
    } else if value > LIMIT {
        i64::MAX
    } else {
        value as i64
    }
}
