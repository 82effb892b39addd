//! Values: the typed scalars that rows are made of.
//!
//! Values have one total order: null, then booleans (`false` first), numbers, text, blobs, JSON.
//! Integers and floats are one kind: they compare by exact numeric value, without rounding.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnType {
    /// `true` and `false`.
    Boolean,
    /// 64-bit signed integers.
    Integer,
    /// 64-bit floats, and the integers that one represents exactly.
    Real,
    /// 64-bit integers and finite 64-bit floats.
    Number,
    /// UTF-8 text, ordered by its bytes (so by code point).
    Text,
    /// Bytes.
    Blob,
    /// Serialised JSON, carried through and never compared by queries.
    Json,
}

impl ColumnType {
    /// Whether a column of this type holds the value. Null is a matter of the column, not of its
    /// type, and is not accepted here; neither is NaN anywhere, nor an infinity as a `Number`.
    pub fn accepts(self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (ColumnType::Boolean, ValueRef::Bool(_))
            | (ColumnType::Integer | ColumnType::Number, ValueRef::Int(_))
            | (ColumnType::Text, ValueRef::Text(_))
            | (ColumnType::Blob, ValueRef::Blob(_))
            | (ColumnType::Json, ValueRef::Json(_)) => true,
            (ColumnType::Real, ValueRef::Int(int)) => {
                compare_int_float(int, int as f64) == Ordering::Equal
            }
            (ColumnType::Real, ValueRef::Float(float)) => !float.is_nan(),
            (ColumnType::Number, ValueRef::Float(float)) => float.is_finite(),
            _ => false,
        }
    }

    /// Whether the type is one of numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, ColumnType::Integer | ColumnType::Real | ColumnType::Number)
    }

    /// Whether values of the two types can be compared: numbers with numbers, others with their own.
    pub fn comparable(self, other: ColumnType) -> bool {
        self == other || (self.is_numeric() && other.is_numeric())
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnType::Boolean => "boolean",
            ColumnType::Integer => "integer",
            ColumnType::Real => "real",
            ColumnType::Number => "number",
            ColumnType::Text => "text",
            ColumnType::Blob => "blob",
            ColumnType::Json => "json",
        })
    }
}

/// An owned value. Clones share text, blobs and JSON.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float. NaN is refused wherever values come in.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Blob(Arc<[u8]>),
    /// Serialised JSON.
    Json(Arc<str>),
}

/// A borrowed value.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// Serialised JSON.
    Json(&'a str),
}

impl Value {
    /// The value, borrowed.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Float(value) => ValueRef::Float(*value),
            Value::Text(value) => ValueRef::Text(value),
            Value::Blob(value) => ValueRef::Blob(value),
            Value::Json(value) => ValueRef::Json(value),
        }
    }

    /// Whether this is null.
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        self.as_ref().as_bool()
    }

    /// The integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_ref().as_i64()
    }

    /// The number as a float (rounded beyond 2^53), if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_ref().as_f64()
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        self.as_ref().as_str()
    }

    /// The bytes, if it is a blob.
    pub fn as_blob(&self) -> Option<&[u8]> {
        self.as_ref().as_blob()
    }

    /// `null`, `boolean`, `integer`, `real`, `text`, `blob` or `json`.
    pub fn type_name(&self) -> &'static str {
        self.as_ref().type_name()
    }
}

impl<'a> ValueRef<'a> {
    /// An owned copy.
    pub fn to_owned(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(value) => Value::Bool(value),
            ValueRef::Int(value) => Value::Int(value),
            ValueRef::Float(value) => Value::Float(value),
            ValueRef::Text(value) => Value::Text(value.into()),
            ValueRef::Blob(value) => Value::Blob(value.into()),
            ValueRef::Json(value) => Value::Json(value.into()),
        }
    }

    /// Whether this is null.
    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            ValueRef::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            ValueRef::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The number as a float (rounded beyond 2^53), if it is one.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            ValueRef::Int(value) => Some(value as f64),
            ValueRef::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            ValueRef::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes, if it is a blob.
    pub fn as_blob(self) -> Option<&'a [u8]> {
        match self {
            ValueRef::Blob(value) => Some(value),
            _ => None,
        }
    }

    /// `null`, `boolean`, `integer`, `real`, `text`, `blob` or `json`.
    pub fn type_name(self) -> &'static str {
        match self {
            ValueRef::Null => "null",
            ValueRef::Bool(_) => "boolean",
            ValueRef::Int(_) => "integer",
            ValueRef::Float(_) => "real",
            ValueRef::Text(_) => "text",
            ValueRef::Blob(_) => "blob",
            ValueRef::Json(_) => "json",
        }
    }

    /// The place of the value's kind in the order.
    #[inline]
    pub(crate) fn kind(self) -> u8 {
        match self {
            ValueRef::Null => 0,
            ValueRef::Bool(_) => 1,
            ValueRef::Int(_) | ValueRef::Float(_) => 2,
            ValueRef::Text(_) => 3,
            ValueRef::Blob(_) => 4,
            ValueRef::Json(_) => 5,
        }
    }
}

/// Compares an integer with a float by exact value; NaN is above every number.
pub(crate) fn compare_int_float(int: i64, float: f64) -> Ordering {
    // 2^63, the first float above every i64.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() || float >= ABOVE {
        return Ordering::Less;
    }
    if float < -ABOVE {
        return Ordering::Greater;
    }
    // In range, so truncation is exact; the fraction breaks the tie.
    let whole = float.trunc();
    int.cmp(&(whole as i64)).then_with(|| {
        0.0f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Less)
    })
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl Ord for ValueRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a.cmp(&b),
            (ValueRef::Int(a), ValueRef::Int(b)) => a.cmp(&b),
            (ValueRef::Int(a), ValueRef::Float(b)) => compare_int_float(a, b),
            (ValueRef::Float(a), ValueRef::Int(b)) => compare_int_float(b, a).reverse(),
            (ValueRef::Float(a), ValueRef::Float(b)) => compare_floats(a, b),
            (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Json(a), ValueRef::Json(b)) => {
                a.as_bytes().cmp(b.as_bytes())
            }
            (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
            (a, b) => a.kind().cmp(&b.kind()),
        }
    }
}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ValueRef<'_> {}

impl Hash for ValueRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        match *self {
            ValueRef::Null => {}
            ValueRef::Bool(value) => value.hash(state),
            // Equal numbers have equal nearest floats.
            ValueRef::Int(value) => hash_float(value as f64, state),
            ValueRef::Float(value) => hash_float(value, state),
            ValueRef::Text(value) | ValueRef::Json(value) => value.hash(state),
            ValueRef::Blob(value) => value.hash(state),
        }
    }
}

fn hash_float<H: Hasher>(float: f64, state: &mut H) {
    let canonical = match float {
        float if float.is_nan() => f64::NAN,
        float if float == 0.0 => 0.0,
        float => float,
    };
    canonical.to_bits().hash(state);
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ValueRef::Null => f.write_str("null"),
            ValueRef::Bool(value) => value.fmt(f),
            ValueRef::Int(value) => value.fmt(f),
            ValueRef::Float(value) => value.fmt(f),
            ValueRef::Text(value) => write!(f, "{value:?}"),
            ValueRef::Blob(value) => {
                f.write_str("x'")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
            ValueRef::Json(value) => f.write_str(value),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Value {
        Value::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Value {
        Value::Blob(value.into())
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        value.to_owned()
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
