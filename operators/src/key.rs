//! Keys: order-preserving byte encodings of values.
//!
//! Comparing two encodings with `memcmp` compares the values. The encoding of one value is never
//! a prefix of that of another, so encodings can be concatenated: tuples compare column by
//! column. A descending column has all its bytes inverted.
//!
//! | value | bytes |
//! |---|---|
//! | null | `10` |
//! | false, true | `20`, `21` |
//! | number | `30`, 8 bytes of the nearest float, and from 2^53 on 2 bytes of the exact rest |
//! | text, blob, JSON | `40`, `50`, `60`, the bytes with `00` as `01 01` and `01` as `01 02`, `00` |
//!
//! The float's bits are made to sort as unsigned numbers by flipping the sign bit of positive
//! floats and all bits of negative ones. Rounding an integer to its nearest float is monotone, so
//! the rest only decides between integers of one nearest float, and a float has no rest.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::row::Row;
use crate::value::{Value, ValueRef};

const NULL: u8 = 0x10;
const FALSE: u8 = 0x20;
const TRUE: u8 = 0x21;
const NUMBER: u8 = 0x30;
pub(crate) const TEXT: u8 = 0x40;
pub(crate) const BLOB: u8 = 0x50;
pub(crate) const JSON: u8 = 0x60;

const END: u8 = 0x00;
const ESCAPE: u8 = 0x01;

/// From this float on, integers may differ from their nearest float: 2^53.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// Moves the rest of an integer into the unsigned range. Rests are within ±512.
const REST_BIAS: i128 = 0x8000;

/// How many bytes a key holds without an allocation.
const INLINE: usize = 22;

/// The direction of one column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

impl Direction {
    /// The other direction.
    #[must_use]
    pub fn reversed(self) -> Direction {
        match self {
            Direction::Asc => Direction::Desc,
            Direction::Desc => Direction::Asc,
        }
    }
}

/// A scratch buffer for keys.
pub type KeyBuffer = SmallVec<[u8; 64]>;

/// An immutable byte string: 24 bytes, short ones held inline. Ordered, compared and hashed as
/// its bytes.
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Arc<[u8]>),
}

impl Key {
    /// A key of these bytes.
    #[inline]
    pub fn from_slice(slice: &[u8]) -> Key {
        if slice.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..slice.len()].copy_from_slice(slice);
            Key(Repr::Inline { len: slice.len() as u8, bytes })
        } else {
            Key(Repr::Heap(Arc::from(slice)))
        }
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }

    /// Bytes allocated for the key, its reference counts included.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Heap(bytes) => bytes.len() + 2 * size_of::<usize>(),
        }
    }
}

impl Default for Key {
    fn default() -> Key {
        Key::from_slice(&[])
    }
}

impl Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Key {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Key) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `[u8]` hashes itself, which `Borrow` asks for.
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(")?;
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Appends the encoding of a value.
#[inline]
pub fn encode(buffer: &mut KeyBuffer, value: ValueRef<'_>, direction: Direction) {
    let start = buffer.len();
    match value {
        ValueRef::Null => buffer.push(NULL),
        ValueRef::Bool(value) => buffer.push(if value { TRUE } else { FALSE }),
        ValueRef::Int(value) => {
            let nearest = value as f64;
            // Exact: every float of this size is a whole number.
            let rest = i128::from(value) - nearest as i128;
            encode_number(buffer, nearest, rest);
        }
        ValueRef::Float(value) => encode_number(buffer, value, 0),
        ValueRef::Text(value) => encode_bytes(buffer, TEXT, value.as_bytes()),
        ValueRef::Blob(value) => encode_bytes(buffer, BLOB, value),
        ValueRef::Json(value) => encode_bytes(buffer, JSON, value.as_bytes()),
    }
    if direction == Direction::Desc {
        invert(&mut buffer[start..]);
    }
}

/// Turns the encoding of one direction into that of the other.
#[inline]
pub(crate) fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

#[inline]
fn encode_number(buffer: &mut KeyBuffer, nearest: f64, rest: i128) {
    let bits = match nearest {
        // -0.0 equals 0.0; every NaN is one value above infinity.
        float if float == 0.0 => 0.0f64.to_bits(),
        float if float.is_nan() => f64::NAN.to_bits() & (u64::MAX >> 1),
        float => float.to_bits(),
    };
    let sortable = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    let mut bytes = [NUMBER; 9];
    bytes[1..].copy_from_slice(&sortable.to_be_bytes());
    buffer.extend_from_slice(&bytes);
    if nearest.abs() >= INEXACT {
        buffer.extend_from_slice(&((rest + REST_BIAS) as u16).to_be_bytes());
    }
}

#[inline]
pub(crate) fn encode_bytes(buffer: &mut KeyBuffer, tag: u8, bytes: &[u8]) {
    buffer.push(tag);
    if bytes.iter().all(|byte| *byte > ESCAPE) {
        buffer.extend_from_slice(bytes);
    } else {
        for &byte in bytes {
            if byte <= ESCAPE {
                buffer.push(ESCAPE);
                buffer.push(byte + 1);
            } else {
                buffer.push(byte);
            }
        }
    }
    buffer.push(END);
}

/// Bytes that are not the encoding of values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of a key: {problem}")]
pub struct DecodeError {
    /// The offset of the byte at fault.
    pub at: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Decodes as many values as there are directions. Whole numbers within 64 bits come out as
/// integers.
///
/// # Errors
/// Bytes that no value encodes to, too few of them, or too many.
pub fn decode(bytes: &[u8], directions: &[Direction]) -> Result<Vec<Value>, DecodeError> {
    let mut at = 0;
    let mut values = Vec::with_capacity(directions.len());
    for &direction in directions {
        values.push(decode_one(bytes, &mut at, direction)?);
    }
    if at < bytes.len() {
        return Err(DecodeError { at, problem: "more bytes than values" });
    }
    Ok(values)
}

fn decode_one(bytes: &[u8], at: &mut usize, direction: Direction) -> Result<Value, DecodeError> {
    let mask = if direction == Direction::Desc { 0xff } else { 0 };
    let start = *at;
    let next = |at: &mut usize| {
        let byte = bytes.get(*at).ok_or(DecodeError { at: *at, problem: "the key ends early" })?;
        *at += 1;
        Ok::<u8, DecodeError>(byte ^ mask)
    };
    let tag = next(at)?;
    Ok(match tag {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        NUMBER => {
            let mut sortable = 0u64;
            for _ in 0..8 {
                sortable = sortable << 8 | u64::from(next(at)?);
            }
            let bits = if sortable >> 63 == 1 { sortable & !(1 << 63) } else { !sortable };
            let nearest = f64::from_bits(bits);
            let mut rest = 0;
            if nearest.abs() >= INEXACT {
                let biased = u16::from_be_bytes([next(at)?, next(at)?]);
                rest = i128::from(biased) - REST_BIAS;
            }
            if nearest.fract() != 0.0 || !nearest.is_finite() {
                return Ok(Value::Float(nearest));
            }
            match i64::try_from((nearest as i128).saturating_add(rest)) {
                Ok(int) => Value::Int(int),
                Err(_) => Value::Float(nearest),
            }
        }
        TEXT | BLOB | JSON => {
            let mut content = Vec::new();
            loop {
                match next(at)? {
                    END => break,
                    ESCAPE => match next(at)? {
                        escaped @ (1 | 2) => content.push(escaped - 1),
                        _ => return Err(DecodeError { at: *at - 1, problem: "a bad escape" }),
                    },
                    byte => content.push(byte),
                }
            }
            if tag == BLOB {
                return Ok(Value::Blob(content.into()));
            }
            let text = String::from_utf8(content)
                .map_err(|_| DecodeError { at: start, problem: "text that is not UTF-8" })?;
            if tag == TEXT { Value::Text(text.into()) } else { Value::Json(text.into()) }
        }
        _ => return Err(DecodeError { at: start, problem: "no value begins like this" }),
    })
}

/// An order: columns with directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySpec {
    columns: Box<[(usize, Direction)]>,
}

impl KeySpec {
    /// An order by these columns.
    pub fn new(columns: Vec<(usize, Direction)>) -> KeySpec {
        KeySpec { columns: columns.into() }
    }

    /// An order by these columns, all ascending.
    pub fn asc(columns: &[usize]) -> KeySpec {
        KeySpec { columns: columns.iter().map(|&column| (column, Direction::Asc)).collect() }
    }

    /// The columns with their directions.
    pub fn columns(&self) -> &[(usize, Direction)] {
        &self.columns
    }

    /// Appends the key of a row.
    #[inline]
    pub fn write(&self, row: &Row, buffer: &mut KeyBuffer) {
        for &(column, direction) in &self.columns {
            row.encode(column, direction, buffer);
        }
    }

    /// The key of a row.
    #[inline]
    pub fn key(&self, row: &Row) -> Key {
        let mut buffer = KeyBuffer::new();
        self.write(row, &mut buffer);
        Key::from_slice(&buffer)
    }
}

/// Appends the ascending encodings of columns of a row.
#[inline]
pub fn write_columns(row: &Row, columns: &[usize], buffer: &mut KeyBuffer) {
    for &column in columns {
        row.encode(column, Direction::Asc, buffer);
    }
}

/// Appends the ascending encodings of columns of a row, up to the first null. Returns whether
/// there was none.
#[inline]
pub fn write_columns_non_null(row: &Row, columns: &[usize], buffer: &mut KeyBuffer) -> bool {
    for &column in columns {
        if row.is_null(column) {
            return false;
        }
        row.encode(column, Direction::Asc, buffer);
    }
    true
}
