//! Values from Rust types, and as text.

use std::fmt;
use std::sync::Arc;

use super::{Value, ValueRef, integral};

/// Texts are quoted and escaped, blobs are `x'00ff'`, json is its text; equal numbers look the
/// same.
impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ValueRef::Null => f.write_str("null"),
            ValueRef::Bool(value) => write!(f, "{value}"),
            ValueRef::Int(value) => write!(f, "{value}"),
            ValueRef::Float(value) => match integral(value) {
                Some(value) => write!(f, "{value}"),
                None => write!(f, "{value:?}"),
            },
            ValueRef::Text(text) => write!(f, "{text:?}"),
            ValueRef::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
            ValueRef::Json(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        value.to_owned()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Value {
                Value::Int(value.into())
            }
        }
    )*};
}

from_integers!(i8 i16 i32 i64 u8 u16 u32);

impl From<u64> for Value {
    /// Above [`i64::MAX`] there are only floats: the nearest one, as JSON readers do. No integer
    /// column takes it, so it is refused there and never stored as another number.
    fn from(value: u64) -> Value {
        i64::try_from(value).map_or(Value::Float(value as f64), Value::Int)
    }
}

impl From<usize> for Value {
    /// As from `u64`.
    fn from(value: usize) -> Value {
        Value::from(value as u64)
    }
}

impl From<f32> for Value {
    /// The same number; a decimal fraction such as `0.1` is another one in `f64`.
    fn from(value: f32) -> Value {
        Value::Float(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Value {
        Value::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Value {
        Value::Blob(bytes.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
