//! Keys: values encoded as bytes whose `memcmp` order is the order of the values.
//!
//! Sorting, joining, partitioning and cursors work on keys; no value is decoded to compare.
//!
//! # The encoding
//!
//! A value is a tag byte and a payload:
//!
//! | value | tag | payload |
//! |---|---|---|
//! | null, false, true | 0, 1, 2 | |
//! | number | 3 | the nearest double with its bits arranged to sort (8 bytes, big endian); from magnitude 2^53 on also what remains to the exact number (2 bytes, biased by 2^15) |
//! | text, blob, json | 4, 5, 6 | the bytes, with 0 written as `1 1` and 1 as `1 2`; then 0 |
//!
//! Every encoding is self-delimiting, so concatenations sort like tuples. Descending columns have
//! all their bytes inverted.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::row::Row;
use crate::value::{EXACT_DOUBLE_LIMIT, RawValue, ValueRef};

mod decode;

pub(crate) use decode::inverted;
pub use decode::{DecodeError, decode, encoded_len};

const TAG_NULL: u8 = 0;
const TAG_FALSE: u8 = 1;
const TAG_TRUE: u8 = 2;
const TAG_NUMBER: u8 = 3;
const TAG_TEXT: u8 = 4;
const TAG_BLOB: u8 = 5;
const TAG_JSON: u8 = 6;

const TERMINATOR: u8 = 0;
const ESCAPE: u8 = 1;
const SIGN: u64 = 1 << 63;
const REMAINDER_BIAS: u16 = 1 << 15;

/// The longest key that needs no allocation, in bytes.
const INLINE_BYTES_MAX: usize = 30;
/// The strong and the weak count of an `Arc`.
const COUNTERS_BYTES: usize = 2 * size_of::<usize>();

/// Where keys are built: on the stack, unless they are long.
pub type KeyBuffer = SmallVec<[u8; 64]>;

/// Whether a column sorts from its least value on or from its greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Least first; null before everything.
    #[default]
    Asc,
    /// Greatest first; null after everything.
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

/// Encoded values. Compares, and hashes, as the bytes do.
///
/// 32 bytes; up to 30 bytes of key are kept in place, longer ones are shared on the heap. That is room
/// for two numbers and a short text, as most keys of orders and routes are.
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    /// `bytes` is zero from `len` on.
    Inline {
        len: u8,
        bytes: [u8; INLINE_BYTES_MAX],
    },
    Shared(Arc<[u8]>),
}

const _: () = assert!(size_of::<Key>() == 32);

impl Key {
    /// A key of these bytes. Allocates where there are more than 30.
    #[inline]
    pub fn from_slice(bytes: &[u8]) -> Key {
        if bytes.len() <= INLINE_BYTES_MAX {
            let mut inline = [0; INLINE_BYTES_MAX];
            inline[..bytes.len()].copy_from_slice(bytes);
            Key(Repr::Inline { len: bytes.len() as u8, bytes: inline })
        } else {
            Key(Repr::Shared(Arc::from(bytes)))
        }
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self
    }

    /// The bytes that the key takes on the heap, shared by all its clones.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Shared(bytes) => bytes.len() + COUNTERS_BYTES,
        }
    }
}

impl Default for Key {
    /// The key without bytes.
    fn default() -> Key {
        Key(Repr::Inline { len: 0, bytes: [0; INLINE_BYTES_MAX] })
    }
}

impl Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Key {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Key {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        match (&self.0, &other.0) {
            (Repr::Inline { len: a_len, bytes: a }, Repr::Inline { len: b_len, bytes: b }) => {
                a_len == b_len && a == b
            }
            (Repr::Shared(a), Repr::Shared(b)) => Arc::ptr_eq(a, b) || a == b,
            // The lengths differ.
            _ => false,
        }
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
        match (&self.0, &other.0) {
            // The zeros behind a shorter key sort it before every longer key that it begins,
            // except where the longer one continues with zeros only; then the lengths decide.
            (Repr::Inline { len: a_len, bytes: a }, Repr::Inline { len: b_len, bytes: b }) => {
                a.cmp(b).then(a_len.cmp(b_len))
            }
            _ => (**self).cmp(&**other),
        }
    }
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Hexadecimal digits, two per byte.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(")?;
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Appends the encoding of a value. O(length).
#[inline]
pub fn encode(buf: &mut KeyBuffer, value: ValueRef<'_>, direction: Direction) {
    encode_raw(buf, value.raw(), direction);
}

#[inline]
pub(crate) fn encode_raw(buf: &mut KeyBuffer, value: RawValue<'_>, direction: Direction) {
    let start = buf.len();
    match value {
        RawValue::Null => buf.push(TAG_NULL),
        RawValue::Bool(false) => buf.push(TAG_FALSE),
        RawValue::Bool(true) => buf.push(TAG_TRUE),
        RawValue::Int(value) => push_int(buf, value),
        RawValue::Float(value) => push_number(buf, value, 0),
        RawValue::Text(bytes) => push_bytes(buf, TAG_TEXT, bytes),
        RawValue::Blob(bytes) => push_bytes(buf, TAG_BLOB, bytes),
        RawValue::Json(bytes) => push_bytes(buf, TAG_JSON, bytes),
    }
    if direction == Direction::Desc {
        buf[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// No value but null is encoded with a first byte below this.
pub(crate) const FIRST_NON_NULL: u8 = TAG_FALSE;
/// No value is encoded with this first byte or a greater one.
pub(crate) const BEHIND_ALL: u8 = TAG_JSON + 1;

/// Whether an ascending encoding is that of null.
pub(crate) fn is_null(encoded: &[u8]) -> bool {
    encoded.first() == Some(&TAG_NULL)
}

/// The first bytes with which values of the kind of an encoded one are encoded ascending: from the
/// first of the two up to, but not including, the second.
pub(crate) fn kind_bounds(encoded: &[u8]) -> (u8, u8) {
    match encoded.first() {
        Some(&(TAG_FALSE | TAG_TRUE)) => (TAG_FALSE, TAG_TRUE + 1),
        Some(&tag) => (tag, tag + 1),
        None => (TAG_NULL, BEHIND_ALL),
    }
}

#[inline]
fn push_int(buf: &mut KeyBuffer, value: i64) {
    let double = value as f64;
    let remainder = if double.abs() < EXACT_DOUBLE_LIMIT {
        0
    } else {
        // At most 512: half the distance of neighbouring doubles below 2^63.
        (i128::from(value) - double as i128) as i16
    };
    push_number(buf, double, remainder);
}

#[inline]
fn push_number(buf: &mut KeyBuffer, double: f64, remainder: i16) {
    let bits = match double {
        // Both zeros are one number.
        0.0 => 0,
        nan if nan.is_nan() => f64::NAN.to_bits() & !SIGN,
        other => other.to_bits(),
    };
    let sortable = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    let mut bytes = [TAG_NUMBER; 11];
    bytes[1..9].copy_from_slice(&sortable.to_be_bytes());
    if double.abs() >= EXACT_DOUBLE_LIMIT {
        bytes[9..].copy_from_slice(&(remainder as u16 ^ REMAINDER_BIAS).to_be_bytes());
        buf.extend_from_slice(&bytes);
    } else {
        buf.extend_from_slice(&bytes[..9]);
    }
}

/// Texts up to this length are put together on the stack and appended at once.
const SHORT_BYTES_MAX: usize = 30;

#[inline]
fn push_bytes(buf: &mut KeyBuffer, tag: u8, bytes: &[u8]) {
    if bytes.len() > SHORT_BYTES_MAX || has_escaped(bytes) {
        return push_long_bytes(buf, tag, bytes);
    }
    let mut encoded = [TERMINATOR; SHORT_BYTES_MAX + 2];
    encoded[0] = tag;
    encoded[1..=bytes.len()].copy_from_slice(bytes);
    buf.extend_from_slice(&encoded[..bytes.len() + 2]);
}

/// Whether some byte has to be escaped. Without an early exit, so that the compiler can test many
/// bytes at once.
#[inline]
fn has_escaped(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | (*byte <= ESCAPE))
}

fn push_long_bytes(buf: &mut KeyBuffer, tag: u8, bytes: &[u8]) {
    buf.reserve(bytes.len() + 2);
    buf.push(tag);
    for chunk in bytes.chunks(32) {
        if has_escaped(chunk) {
            for byte in chunk {
                if *byte <= ESCAPE {
                    buf.extend_from_slice(&[ESCAPE, byte + 1]);
                } else {
                    buf.push(*byte);
                }
            }
        } else {
            buf.extend_from_slice(chunk);
        }
    }
    buf.push(TERMINATOR);
}

/// Which columns make a key, and in which directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySpec {
    columns: Box<[(usize, Direction)]>,
}

impl KeySpec {
    /// A key of these columns.
    pub fn new(columns: Vec<(usize, Direction)>) -> KeySpec {
        KeySpec { columns: columns.into() }
    }

    /// A key of these columns, all ascending.
    pub fn asc(columns: &[usize]) -> KeySpec {
        KeySpec { columns: columns.iter().map(|column| (*column, Direction::Asc)).collect() }
    }

    /// The columns with their directions.
    pub fn columns(&self) -> &[(usize, Direction)] {
        &self.columns
    }

    /// Appends the key of a row.
    #[inline]
    pub fn write(&self, row: &Row, buf: &mut KeyBuffer) {
        for (column, direction) in &self.columns {
            encode_raw(buf, row.get_raw(*column), *direction);
        }
    }

    /// Whether these bytes are the key of a row.
    #[inline]
    pub fn is_key_of(&self, key: &[u8], row: &Row) -> bool {
        let mut buf = KeyBuffer::new();
        self.write(row, &mut buf);
        buf[..] == *key
    }

    /// The key of a row. Allocates only where it is longer than 30 bytes.
    #[inline]
    pub fn key(&self, row: &Row) -> Key {
        let mut buf = KeyBuffer::new();
        self.write(row, &mut buf);
        Key::from_slice(&buf)
    }
}

/// Appends the ascending encodings of some columns.
#[inline]
pub fn write_columns(row: &Row, columns: &[usize], buf: &mut KeyBuffer) {
    for column in columns {
        encode_raw(buf, row.get_raw(*column), Direction::Asc);
    }
}

/// Appends the ascending encodings of all columns.
pub(crate) fn write_row(row: &Row, buf: &mut KeyBuffer) {
    for column in 0..row.len() {
        encode_raw(buf, row.get_raw(column), Direction::Asc);
    }
}

/// Appends the ascending encodings of some columns, of which none may be null. Returns false at
/// the first null; what was appended by then stays.
#[inline]
#[must_use]
pub fn write_columns_non_null(row: &Row, columns: &[usize], buf: &mut KeyBuffer) -> bool {
    for column in columns {
        let value = row.get_raw(*column);
        if matches!(value, RawValue::Null) {
            return false;
        }
        encode_raw(buf, value, Direction::Asc);
    }
    true
}
