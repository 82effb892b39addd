//! Rows: immutable, packed tuples of values in schema column order.
//!
//! A row is one allocation. It begins with the column count and the end offset of each column,
//! then come the columns, each a tag byte and its content: nothing for null and booleans, as few
//! bytes as hold it for an integer, 8 for a float, the bytes themselves for text, blobs and JSON.
//! Offsets take 2 bytes, or 4 in rows beyond 64 KiB.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::delta::ColumnSet;
use crate::key::{BLOB, Direction, JSON, KeyBuffer, TEXT, encode, encode_bytes, invert};
use crate::value::{Value, ValueRef};

/// What a column holds, as its tag byte in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    Null,
    False,
    True,
    Int,
    Float,
    Text,
    Blob,
    Json,
}

const TAGS: [Tag; 8] = [
    Tag::Null,
    Tag::False,
    Tag::True,
    Tag::Int,
    Tag::Float,
    Tag::Text,
    Tag::Blob,
    Tag::Json,
];

/// Set in the first byte of a row whose offsets take 4 bytes.
const WIDE: u8 = 1;

/// Bytes before the offsets: the width flag and the column count.
const HEADER: usize = 3;

/// An immutable row. Clones share the allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Row(Arc<[u8]>);

impl Row {
    /// A row of these values.
    ///
    /// # Panics
    /// Beyond 65 535 columns or 4 GiB.
    pub fn new(values: &[Value]) -> Row {
        Row::pack(values.len(), values.iter().map(Value::as_ref))
    }

    /// A row of these values.
    ///
    /// # Panics
    /// As [`Row::new`].
    pub fn from_refs(values: &[ValueRef<'_>]) -> Row {
        Row::pack(values.len(), values.iter().copied())
    }

    fn pack<'a>(count: usize, values: impl Iterator<Item = ValueRef<'a>> + Clone) -> Row {
        let columns = u16::try_from(count).expect("a row has at most 65 535 columns");
        let content: usize = values.clone().map(packed_len).sum();
        let wide = content > usize::from(u16::MAX);
        let width = if wide { 4 } else { 2 };
        let mut bytes: SmallVec<[u8; 256]> =
            SmallVec::with_capacity(HEADER + width * count + content);
        bytes.push(if wide { WIDE } else { 0 });
        bytes.extend_from_slice(&columns.to_le_bytes());
        let mut end = 0usize;
        for value in values.clone() {
            end += packed_len(value);
            if wide {
                let end = u32::try_from(end).expect("a row is at most 4 GiB long");
                bytes.extend_from_slice(&end.to_le_bytes());
            } else {
                bytes.extend_from_slice(&(end as u16).to_le_bytes());
            }
        }
        for value in values {
            pack_value(&mut bytes, value);
        }
        Row(Arc::from(&bytes[..]))
    }

    /// The number of columns.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(u16::from_le_bytes([self.0[1], self.0[2]]))
    }

    /// Whether the row has no columns.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A column's value. Cost: O(1), and for text the check that it is UTF-8.
    ///
    /// # Panics
    /// For a column that the row does not have.
    #[inline]
    pub fn get(&self, column: usize) -> ValueRef<'_> {
        let (tag, content) = self.raw(column);
        match tag {
            Tag::Null => ValueRef::Null,
            Tag::False => ValueRef::Bool(false),
            Tag::True => ValueRef::Bool(true),
            Tag::Int => ValueRef::Int(unpack_int(content)),
            Tag::Float => ValueRef::Float(unpack_float(content)),
            Tag::Text => ValueRef::Text(text(content)),
            Tag::Blob => ValueRef::Blob(content),
            Tag::Json => ValueRef::Json(text(content)),
        }
    }

    /// The bytes of a text column, without checking them; `None` for any other kind of value.
    #[inline]
    pub(crate) fn text_bytes(&self, column: usize) -> Option<&[u8]> {
        let (tag, content) = self.raw(column);
        (tag == Tag::Text).then_some(content)
    }

    /// Whether a column is null.
    #[inline]
    pub fn is_null(&self, column: usize) -> bool {
        self.raw(column).0 == Tag::Null
    }

    /// Appends the key encoding of a column.
    #[inline]
    pub(crate) fn encode(&self, column: usize, direction: Direction, buffer: &mut KeyBuffer) {
        let (tag, content) = self.raw(column);
        let kind = match tag {
            Tag::Text => TEXT,
            Tag::Blob => BLOB,
            Tag::Json => JSON,
            _ => return encode(buffer, self.get(column), direction),
        };
        let start = buffer.len();
        encode_bytes(buffer, kind, content);
        if direction == Direction::Desc {
            invert(&mut buffer[start..]);
        }
    }

    #[inline]
    fn raw(&self, column: usize) -> (Tag, &[u8]) {
        let bytes = &*self.0;
        let count = self.len();
        assert!(column < count, "column {column} of a row with {count} columns");
        let (start, end, content) = if bytes[0] & WIDE == 0 {
            let end = |column: usize| {
                let at = HEADER + 2 * column;
                usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
            };
            (if column == 0 { 0 } else { end(column - 1) }, end(column), HEADER + 2 * count)
        } else {
            let end = |column: usize| {
                let at = HEADER + 4 * column;
                let end = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
                u32::from_le_bytes(end) as usize
            };
            (if column == 0 { 0 } else { end(column - 1) }, end(column), HEADER + 4 * count)
        };
        let packed = &bytes[content + start..content + end];
        // A packed column has at least its tag, which `pack_value` wrote.
        (TAGS[usize::from(packed[0])], &packed[1..])
    }

    /// The values in column order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = ValueRef<'_>> + Clone {
        (0..self.len()).map(|column| self.get(column))
    }

    /// Owned copies of the values.
    pub fn to_values(&self) -> Vec<Value> {
        self.values().map(ValueRef::to_owned).collect()
    }

    /// A copy with some columns replaced; of several values for one column the last counts.
    #[must_use]
    pub fn with(&self, changes: &[(usize, Value)]) -> Row {
        let mut values: SmallVec<[ValueRef<'_>; 16]> = self.values().collect();
        for (column, value) in changes {
            values[*column] = value.as_ref();
        }
        Row::from_refs(&values)
    }

    /// The columns in which two rows of one table differ.
    pub fn changed_columns(&self, other: &Row) -> ColumnSet {
        if Arc::ptr_eq(&self.0, &other.0) {
            return ColumnSet::EMPTY;
        }
        (0..self.len()).filter(|&column| self.raw(column) != other.raw(column)).collect()
    }

    /// Bytes allocated for the row, its reference counts included.
    pub fn heap_bytes(&self) -> usize {
        self.0.len() + 2 * size_of::<usize>()
    }

    /// Whether two handles share one allocation.
    pub fn ptr_eq(&self, other: &Row) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (column, value) in self.values().enumerate() {
            let separator = if column == 0 { "" } else { ", " };
            write!(f, "{separator}{value}")?;
        }
        f.write_str(")")
    }
}

fn text(content: &[u8]) -> &str {
    std::str::from_utf8(content).expect("text was UTF-8 when the row was packed")
}

/// How many bytes an integer takes: none for zero, else as many as hold its two's complement.
fn int_len(int: i64) -> usize {
    if int == 0 {
        return 0;
    }
    let magnitude = if int < 0 { !int } else { int };
    (64 - magnitude.leading_zeros() as usize) / 8 + 1
}

fn unpack_int(content: &[u8]) -> i64 {
    let Some(last) = content.last() else { return 0 };
    let sign = if last & 0x80 == 0 { 0 } else { 0xff };
    let mut bytes = [sign; 8];
    bytes[..content.len()].copy_from_slice(content);
    i64::from_le_bytes(bytes)
}

fn unpack_float(content: &[u8]) -> f64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(content);
    f64::from_le_bytes(bytes)
}

fn packed_len(value: ValueRef<'_>) -> usize {
    1 + match value {
        ValueRef::Null | ValueRef::Bool(_) => 0,
        ValueRef::Int(int) => int_len(int),
        ValueRef::Float(_) => 8,
        ValueRef::Text(text) | ValueRef::Json(text) => text.len(),
        ValueRef::Blob(bytes) => bytes.len(),
    }
}

fn pack_value(bytes: &mut SmallVec<[u8; 256]>, value: ValueRef<'_>) {
    let (tag, content): (Tag, &[u8]) = match &value {
        ValueRef::Null => (Tag::Null, &[]),
        ValueRef::Bool(false) => (Tag::False, &[]),
        ValueRef::Bool(true) => (Tag::True, &[]),
        ValueRef::Int(int) => {
            bytes.push(Tag::Int as u8);
            bytes.extend_from_slice(&int.to_le_bytes()[..int_len(*int)]);
            return;
        }
        ValueRef::Float(float) => {
            bytes.push(Tag::Float as u8);
            bytes.extend_from_slice(&float.to_le_bytes());
            return;
        }
        ValueRef::Text(text) => (Tag::Text, text.as_bytes()),
        ValueRef::Blob(blob) => (Tag::Blob, blob),
        ValueRef::Json(json) => (Tag::Json, json.as_bytes()),
    };
    bytes.push(tag as u8);
    bytes.extend_from_slice(content);
}
