//! Encoded values back to values.

use super::{
    Direction, ESCAPE, KeyBuffer, REMAINDER_BIAS, SIGN, TAG_BLOB, TAG_FALSE, TAG_JSON, TAG_NULL,
    TAG_NUMBER, TAG_TEXT, TAG_TRUE, TERMINATOR, encode,
};
use crate::value::{EXACT_DOUBLE_LIMIT, Value, integral};

/// Why bytes are not the key that was expected. Positions count values from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end within a value.
    #[error("the key ends within value {position}")]
    Truncated {
        /// Which value.
        position: usize,
    },
    /// A value begins with a byte that is no tag.
    #[error("value {position} of the key has the unknown tag {tag}")]
    UnknownTag {
        /// Which value.
        position: usize,
        /// The byte, inverted back where the column is descending.
        tag: u8,
    },
    /// A number or a text in a form that encoding never yields.
    #[error("value {position} of the key is malformed")]
    Malformed {
        /// Which value.
        position: usize,
    },
    /// There are bytes after the last value.
    #[error("the key has {bytes} bytes after its last value")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
}

/// The values that a key was encoded from, one for each direction.
///
/// Numbers that a 64-bit integer equals come back as integers, which are equal to what they were.
///
/// # Errors
///
/// Where the bytes are not the encoding of so many values in those directions.
pub fn decode(bytes: &[u8], directions: &[Direction]) -> Result<Vec<Value>, DecodeError> {
    let mut rest = bytes;
    let mut values = Vec::with_capacity(directions.len());
    for (position, direction) in directions.iter().enumerate() {
        let mask = mask(*direction);
        let tag = rest.first().ok_or(DecodeError::Truncated { position })? ^ mask;
        if tag > TAG_JSON {
            return Err(DecodeError::UnknownTag { position, tag });
        }
        let (piece, after) = encoded_len(rest, *direction)
            .and_then(|length| rest.split_at_checked(length))
            .ok_or(DecodeError::Truncated { position })?;
        let upright: KeyBuffer = piece.iter().map(|byte| byte ^ mask).collect();
        values.push(value(&upright).ok_or(DecodeError::Malformed { position })?);
        rest = after;
    }
    if rest.is_empty() { Ok(values) } else { Err(DecodeError::TrailingBytes { bytes: rest.len() }) }
}

/// The length in bytes of the first encoded value, or `None` where the bytes do not begin with a
/// whole one. Its payload is not checked.
pub fn encoded_len(bytes: &[u8], direction: Direction) -> Option<usize> {
    let mask = mask(direction);
    let (tag, payload) = bytes.split_first()?;
    let payload_len = match tag ^ mask {
        TAG_NULL | TAG_FALSE | TAG_TRUE => 0,
        TAG_NUMBER => {
            let sortable = payload.first_chunk()?.map(|byte| byte ^ mask);
            if double(sortable).abs() >= EXACT_DOUBLE_LIMIT { 10 } else { 8 }
        }
        TAG_TEXT | TAG_BLOB | TAG_JSON => {
            payload.iter().position(|byte| byte ^ mask == TERMINATOR)? + 1
        }
        _ => return None,
    };
    (payload.len() >= payload_len).then_some(1 + payload_len)
}

/// An encoding in one direction as it is in the other.
pub(crate) fn inverted(bytes: &[u8]) -> KeyBuffer {
    bytes.iter().map(|byte| !byte).collect()
}

fn mask(direction: Direction) -> u8 {
    match direction {
        Direction::Asc => 0,
        Direction::Desc => u8::MAX,
    }
}

/// The double behind the first eight bytes of a number.
fn double(sortable: [u8; 8]) -> f64 {
    let sortable = u64::from_be_bytes(sortable);
    f64::from_bits(if sortable & SIGN == 0 { !sortable } else { sortable ^ SIGN })
}

/// The value of one whole ascending encoding.
fn value(encoding: &[u8]) -> Option<Value> {
    let (tag, payload) = encoding.split_first()?;
    Some(match *tag {
        TAG_NULL => Value::Null,
        TAG_FALSE => Value::Bool(false),
        TAG_TRUE => Value::Bool(true),
        TAG_NUMBER => return number(encoding, payload),
        TAG_TEXT => Value::from(String::from_utf8(unescaped(payload)?).ok()?),
        TAG_BLOB => Value::from(unescaped(payload)?),
        TAG_JSON => Value::Json(String::from_utf8(unescaped(payload)?).ok()?.into()),
        _ => return None,
    })
}

fn number(encoding: &[u8], payload: &[u8]) -> Option<Value> {
    let (sortable, remainder) = payload.split_first_chunk()?;
    let double = double(*sortable);
    let value = match remainder.first_chunk() {
        Some(biased) if double.is_finite() => {
            let remainder = (u16::from_be_bytes(*biased) ^ REMAINDER_BIAS) as i16;
            // A double beyond 128 bits is taken for the last integer that they hold.
            match i64::try_from((double as i128).saturating_add(i128::from(remainder))) {
                Ok(int) => Value::Int(int),
                Err(_) => Value::Float(double),
            }
        }
        _ => integral(double).map_or(Value::Float(double), Value::Int),
    };
    // There is one encoding of each number.
    let mut canonical = KeyBuffer::new();
    encode(&mut canonical, value.as_ref(), Direction::Asc);
    (canonical[..] == *encoding).then_some(value)
}

/// The bytes behind an escaped payload that ends in the terminator.
fn unescaped(payload: &[u8]) -> Option<Vec<u8>> {
    let (_, escaped) = payload.split_last()?;
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match *byte {
            ESCAPE => match rest.next()? {
                1 => 0,
                2 => 1,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(bytes)
}
