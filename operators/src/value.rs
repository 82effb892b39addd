//! Typed scalars: [`Value`], its borrowed form [`ValueRef`], and the types that columns have.
//!
//! Values have one total order, which is that of query results and of encoded
//! [keys](crate::key): null, then booleans (false before true), numbers, texts by their UTF-8
//! bytes, blobs by their bytes, json by its text. Integers and doubles are one kind: they compare
//! by the exact number they stand for, so `Int(1) == Float(1.0)` and, beyond 2^53, no rounding
//! makes different numbers equal. NaN, which no edge of the engine lets in, is placed above all
//! numbers so that the order stays total.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

mod convert;

/// From this magnitude on a double is always integral, and integers may fall between two doubles.
pub(crate) const EXACT_DOUBLE_LIMIT: f64 = 9_007_199_254_740_992.0;

/// The type of a column. Whether it may be null is a matter of the column, not of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnType {
    /// `true` or `false`.
    Boolean,
    /// A 64-bit signed integer.
    Integer,
    /// A double: finite or infinite, and integers that a double holds exactly.
    Real,
    /// A finite number: a 64-bit signed integer or a double.
    Number,
    /// Unicode text.
    Text,
    /// Bytes.
    Blob,
    /// JSON, carried as its serialised text. Not comparable in queries.
    Json,
    /// Any value, as a column without a type in SQLite holds it.
    Any,
}

impl ColumnType {
    /// Whether a column of this type can hold a value. Null is never accepted here.
    pub fn accepts(self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (ColumnType::Boolean, ValueRef::Bool(_))
            | (ColumnType::Integer | ColumnType::Number, ValueRef::Int(_))
            | (ColumnType::Text, ValueRef::Text(_))
            | (ColumnType::Blob, ValueRef::Blob(_))
            | (ColumnType::Json, ValueRef::Json(_)) => true,
            (ColumnType::Any, value) => {
                !value.is_null() && !matches!(value, ValueRef::Float(float) if float.is_nan())
            }
            (ColumnType::Real, ValueRef::Int(value)) => compare_mixed(value, value as f64).is_eq(),
            (ColumnType::Real, ValueRef::Float(value)) => !value.is_nan(),
            (ColumnType::Number, ValueRef::Float(value)) => value.is_finite(),
            _ => false,
        }
    }

    /// Whether the type holds numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, ColumnType::Integer | ColumnType::Real | ColumnType::Number)
    }

    /// Whether values of the two types can be equal or ordered among each other: numeric types
    /// among themselves, any other type with itself, [`ColumnType::Any`] with all.
    pub fn comparable(self, other: ColumnType) -> bool {
        self == other
            || self == ColumnType::Any
            || other == ColumnType::Any
            || (self.is_numeric() && other.is_numeric())
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
            ColumnType::Any => "any",
        })
    }
}

/// A typed scalar. Cloning is cheap: texts and blobs are shared.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Unicode text.
    Text(Arc<str>),
    /// Bytes.
    Blob(Arc<[u8]>),
    /// JSON as its serialised text, which is not interpreted here.
    Json(Arc<str>),
}

/// A [`Value`] whose text or bytes are borrowed.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Unicode text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// JSON as its serialised text.
    Json(&'a str),
}

/// A [`ValueRef`] whose text is seen as its UTF-8 bytes, which is all that order and equality
/// need.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RawValue<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
    Json(&'a [u8]),
}

impl Value {
    /// Bytes on the heap, which clones share, with the two counts that sharing takes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
            Value::Text(text) | Value::Json(text) => 16 + text.len(),
            Value::Blob(bytes) => 16 + bytes.len(),
        }
    }

    /// The value, borrowed.
    // The name is that of the operation; the trait cannot express the returned type.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Bool(*value),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Float(value) => ValueRef::Float(*value),
            Value::Text(text) => ValueRef::Text(text),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Json(text) => ValueRef::Json(text),
        }
    }

    /// What kind of value it is, as error texts name it: the name of the [`ColumnType`] that
    /// holds it (`real` for doubles), or `null`.
    pub fn type_name(&self) -> &'static str {
        self.as_ref().type_name()
    }

    /// Whether it is null.
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        self.as_ref().as_bool()
    }

    /// The number, if it is one and a 64-bit integer equals it.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_ref().as_i64()
    }

    /// The number, if it is one; an integer is rounded to the nearest double.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_ref().as_f64()
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        self.as_ref().as_str()
    }

    /// The bytes, if it is a blob.
    pub fn as_blob(&self) -> Option<&[u8]> {
        self.as_ref().as_blob()
    }
}

impl<'a> ValueRef<'a> {
    /// The value with text and bytes of its own. Copies them.
    // `ToOwned` cannot be implemented for it: the owned form does not borrow as this one.
    #[allow(clippy::wrong_self_convention, clippy::should_implement_trait)]
    pub fn to_owned(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(value) => Value::Bool(value),
            ValueRef::Int(value) => Value::Int(value),
            ValueRef::Float(value) => Value::Float(value),
            ValueRef::Text(text) => Value::Text(text.into()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
            ValueRef::Json(text) => Value::Json(text.into()),
        }
    }

    /// See [`Value::type_name`].
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

    /// Whether it is null.
    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// See [`Value::as_bool`].
    pub fn as_bool(self) -> Option<bool> {
        match self {
            ValueRef::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// See [`Value::as_i64`].
    pub fn as_i64(self) -> Option<i64> {
        match self {
            ValueRef::Int(value) => Some(value),
            ValueRef::Float(value) => integral(value),
            _ => None,
        }
    }

    /// See [`Value::as_f64`].
    pub fn as_f64(self) -> Option<f64> {
        match self {
            ValueRef::Int(value) => Some(value as f64),
            ValueRef::Float(value) => Some(value),
            _ => None,
        }
    }

    /// See [`Value::as_str`].
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }

    /// See [`Value::as_blob`].
    pub fn as_blob(self) -> Option<&'a [u8]> {
        match self {
            ValueRef::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn raw(self) -> RawValue<'a> {
        match self {
            ValueRef::Null => RawValue::Null,
            ValueRef::Bool(value) => RawValue::Bool(value),
            ValueRef::Int(value) => RawValue::Int(value),
            ValueRef::Float(value) => RawValue::Float(value),
            ValueRef::Text(text) => RawValue::Text(text.as_bytes()),
            ValueRef::Blob(bytes) => RawValue::Blob(bytes),
            ValueRef::Json(text) => RawValue::Json(text.as_bytes()),
        }
    }
}

impl RawValue<'_> {
    /// The order of two values of one kind, or `None` where they are of different kinds or null.
    #[inline]
    pub(crate) fn compare(self, other: RawValue<'_>) -> Option<Ordering> {
        match (self, other) {
            (RawValue::Bool(a), RawValue::Bool(b)) => Some(a.cmp(&b)),
            (RawValue::Int(a), RawValue::Int(b)) => Some(a.cmp(&b)),
            (RawValue::Float(a), RawValue::Float(b)) => Some(compare_floats(a, b)),
            (RawValue::Int(a), RawValue::Float(b)) => Some(compare_mixed(a, b)),
            (RawValue::Float(a), RawValue::Int(b)) => Some(compare_mixed(b, a).reverse()),
            (RawValue::Text(a), RawValue::Text(b))
            | (RawValue::Blob(a), RawValue::Blob(b))
            | (RawValue::Json(a), RawValue::Json(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The order of any two values.
    #[inline]
    pub(crate) fn total_order(self, other: RawValue<'_>) -> Ordering {
        self.compare(other).unwrap_or_else(|| self.rank().cmp(&other.rank()))
    }

    #[inline]
    fn rank(self) -> u8 {
        match self {
            RawValue::Null => 0,
            RawValue::Bool(_) => 1,
            RawValue::Int(_) | RawValue::Float(_) => 2,
            RawValue::Text(_) => 3,
            RawValue::Blob(_) => 4,
            RawValue::Json(_) => 5,
        }
    }
}

/// The integer that a double equals, if 64 bits hold it.
#[inline]
pub(crate) fn integral(value: f64) -> Option<i64> {
    let limit = 9_223_372_036_854_775_808.0;
    (value >= -limit && value < limit && value.fract() == 0.0).then_some(value as i64)
}

#[inline]
fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Compares an integer and a double exactly.
#[inline]
fn compare_mixed(int: i64, float: f64) -> Ordering {
    // Rounding to a double keeps the order, so where the rounded integer differs from the double
    // so does the integer, in the same direction. Where it is the same the double is integral.
    match (int as f64).partial_cmp(&float) {
        None => Ordering::Less,
        Some(Ordering::Equal) if float.abs() < EXACT_DOUBLE_LIMIT => Ordering::Equal,
        Some(Ordering::Equal) => i128::from(int).cmp(&(float as i128)),
        Some(order) => order,
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ValueRef<'_> {}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValueRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.raw().total_order(other.raw())
    }
}

impl Hash for ValueRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.raw().rank());
        match *self {
            ValueRef::Null => {}
            ValueRef::Bool(value) => value.hash(state),
            ValueRef::Int(value) => value.hash(state),
            ValueRef::Float(value) => match integral(value) {
                Some(value) => value.hash(state),
                None if value.is_nan() => f64::NAN.to_bits().hash(state),
                None => value.to_bits().hash(state),
            },
            ValueRef::Text(text) | ValueRef::Json(text) => text.hash(state),
            ValueRef::Blob(bytes) => bytes.hash(state),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}
