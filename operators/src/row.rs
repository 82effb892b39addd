//! Rows: immutable, packed tuples of values in schema column order.
//!
//! A row is one allocation. Narrow form, for up to 254 columns and 65 535 bytes: the number of
//! columns (1 byte), the end of each value (2 bytes, counted from the start of the row), the
//! values. Wide form, for the rest: 255, then the same with 4 bytes for the count and for each
//! end. A value is a tag byte and its payload; integers take as few bytes as they need.

use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;
use triomphe::ThinArc;

use crate::delta::ColumnSet;
use crate::value::{RawValue, Value, ValueRef};

/// The largest row in bytes, overhead included.
pub const ROW_BYTES_MAX: usize = u32::MAX as usize;

/// The first byte of a row in wide form, and so one more than the columns of a narrow row.
const WIDE: u8 = u8::MAX;
/// The reference count and the length that stand before a row's bytes.
const HEAD_BYTES: usize = 2 * size_of::<usize>();

const TAG_NULL: u8 = 0;
const TAG_FALSE: u8 = 1;
const TAG_TRUE: u8 = 2;
const TAG_INT: u8 = 3;
const TAG_FLOAT: u8 = 4;
const TAG_TEXT: u8 = 5;
const TAG_BLOB: u8 = 6;
const TAG_JSON: u8 = 7;

const UTF8: &str = "invariant: texts in rows were written from `str`";
const TAGGED: &str = "invariant: every value in a row begins with a known tag";
const ENDS: &str = "invariant: a row has an end for each of its columns";

type Scratch = SmallVec<[u8; 256]>;

/// An immutable row. One word; cloning shares the bytes.
///
/// Equality and hashes are those of the stored bytes: rows are equal if every value was given in
/// the same form, so that `Int(1)` and `Float(1.0)`, though equal as values, make different rows.
#[derive(Clone)]
pub struct Row(ThinArc<(), u8>);

const _: () = assert!(size_of::<Option<Row>>() == size_of::<usize>());

impl Row {
    /// Packs values into a row. One allocation.
    ///
    /// # Panics
    ///
    /// If the row is larger than [`ROW_BYTES_MAX`].
    pub fn new(values: &[Value]) -> Row {
        build(values.len(), |column, out| push_value(out, values[column].as_ref()))
    }

    /// Packs borrowed values into a row. One allocation.
    ///
    /// # Panics
    ///
    /// If the row is larger than [`ROW_BYTES_MAX`].
    pub fn from_refs(values: &[ValueRef<'_>]) -> Row {
        build(values.len(), |column, out| push_value(out, values[column]))
    }

    /// The number of columns.
    #[inline]
    pub fn len(&self) -> usize {
        match self.bytes()[0] {
            WIDE => self.wide(0),
            count => usize::from(count),
        }
    }

    /// Whether the row has no columns.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a column, in O(1) (and O(length) for text, whose UTF-8 is checked).
    ///
    /// # Panics
    ///
    /// If there is no such column.
    #[inline]
    pub fn get(&self, column: usize) -> ValueRef<'_> {
        match self.get_raw(column) {
            RawValue::Null => ValueRef::Null,
            RawValue::Bool(value) => ValueRef::Bool(value),
            RawValue::Int(value) => ValueRef::Int(value),
            RawValue::Float(value) => ValueRef::Float(value),
            RawValue::Text(bytes) => ValueRef::Text(str::from_utf8(bytes).expect(UTF8)),
            RawValue::Blob(bytes) => ValueRef::Blob(bytes),
            RawValue::Json(bytes) => ValueRef::Json(str::from_utf8(bytes).expect(UTF8)),
        }
    }

    /// Whether a column is null.
    ///
    /// # Panics
    ///
    /// If there is no such column.
    #[inline]
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.get_raw(column), RawValue::Null)
    }

    /// The value of a column without looking into its text.
    #[inline]
    pub(crate) fn get_raw(&self, column: usize) -> RawValue<'_> {
        let (tag, payload) = self.stored(column).split_first().expect(TAGGED);
        match *tag {
            TAG_NULL => RawValue::Null,
            TAG_FALSE => RawValue::Bool(false),
            TAG_TRUE => RawValue::Bool(true),
            TAG_INT => RawValue::Int(read_int(payload)),
            TAG_FLOAT => RawValue::Float(f64::from_le_bytes(*payload.first_chunk().expect(TAGGED))),
            TAG_TEXT => RawValue::Text(payload),
            TAG_BLOB => RawValue::Blob(payload),
            TAG_JSON => RawValue::Json(payload),
            tag => unreachable!("{TAGGED}, found {tag}"),
        }
    }

    /// The values in column order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = ValueRef<'_>> + Clone {
        (0..self.len()).map(|column| self.get(column))
    }

    /// The values in column order, with texts and bytes of their own.
    pub fn to_values(&self) -> Vec<Value> {
        self.values().map(ValueRef::to_owned).collect()
    }

    /// A copy in which some columns have other values. Of several values for one column the last
    /// counts. One allocation; the other columns are copied as bytes.
    ///
    /// # Panics
    ///
    /// If there is no such column, or the row gets larger than [`ROW_BYTES_MAX`].
    #[must_use]
    pub fn with(&self, changes: &[(usize, Value)]) -> Row {
        let columns = self.len();
        for (column, _) in changes {
            assert!(*column < columns, "column {column} of a row with {columns} columns");
        }
        build(columns, |column, out| {
            match changes.iter().rev().find(|(changed, _)| *changed == column) {
                Some((_, value)) => push_value(out, value.as_ref()),
                None => out.extend_from_slice(self.stored(column)),
            }
        })
    }

    /// A row of values taken from rows or given. One allocation.
    ///
    /// # Panics
    ///
    /// If the row is larger than [`ROW_BYTES_MAX`].
    pub(crate) fn assemble<'a>(columns: usize, piece: impl Fn(usize) -> Piece<'a>) -> Row {
        build(columns, |column, out| match piece(column) {
            Piece::Stored(row, column) => out.extend_from_slice(row.stored(column)),
            Piece::Value(value) => push_value(out, value),
        })
    }

    /// The row of these columns.
    pub(crate) fn project(&self, columns: &[usize]) -> Row {
        Row::assemble(columns.len(), |column| Piece::Stored(self, columns[column]))
    }

    /// The first values of a row, then the first of another, or nulls where there is none.
    /// Columns that a row lacks are null.
    pub(crate) fn pair((left, left_width): (&Row, usize), right: (Option<&Row>, usize)) -> Row {
        let (right, right_width) = right;
        let stored = |row: &'_ Row, column: usize| column < row.len();
        Row::assemble(left_width + right_width, |column| {
            match (column.checked_sub(left_width), right) {
                (None, _) if stored(left, column) => Piece::Stored(left, column),
                (Some(column), Some(right)) if stored(right, column) => {
                    Piece::Stored(right, column)
                }
                _ => Piece::Value(ValueRef::Null),
            }
        })
    }

    /// Whether a column is stored as a column of another row is.
    #[inline]
    pub(crate) fn same_stored(&self, column: usize, other: &Row, other_column: usize) -> bool {
        self.stored(column) == other.stored(other_column)
    }

    /// The bytes of the row. Their order has no meaning beyond being total.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// The columns that are stored differently in the two rows; [`ColumnSet::ALL`] where the
    /// numbers of columns differ.
    pub fn changed_columns(&self, other: &Row) -> ColumnSet {
        if self.ptr_eq(other) {
            return ColumnSet::EMPTY;
        }
        let columns = self.len();
        if columns != other.len() {
            return ColumnSet::ALL;
        }
        let (ours, theirs) = (self.bytes(), other.bytes());
        if ours[0] == WIDE || theirs[0] == WIDE {
            let differs = |column: &usize| self.stored(*column) != other.stored(*column);
            return (0..columns).filter(differs).collect();
        }
        let head = 1 + 2 * columns;
        let mut changed = ColumnSet::EMPTY;
        let (mut our_start, mut their_start) = (head, head);
        let ends = ours[1..head].chunks_exact(2).zip(theirs[1..head].chunks_exact(2));
        for (column, (our_end, their_end)) in ends.enumerate() {
            let our_end = usize::from(u16::from_le_bytes([our_end[0], our_end[1]]));
            let their_end = usize::from(u16::from_le_bytes([their_end[0], their_end[1]]));
            if ours[our_start..our_end] != theirs[their_start..their_end] {
                changed.insert(column);
            }
            (our_start, their_start) = (our_end, their_end);
        }
        changed
    }

    /// Whether the two are the same allocation.
    #[inline]
    pub fn ptr_eq(&self, other: &Row) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }

    /// The bytes that the row takes on the heap, shared by all its clones.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        (HEAD_BYTES + self.bytes().len()).next_multiple_of(size_of::<usize>())
    }

    /// The tag and payload of a column.
    #[inline]
    fn stored(&self, column: usize) -> &[u8] {
        let bytes = self.bytes();
        let columns = self.len();
        assert!(column < columns, "column {column} of a row with {columns} columns");
        if bytes[0] == WIDE {
            let start = if column == 0 { 5 + 4 * columns } else { self.wide(column) };
            &bytes[start..self.wide(column + 1)]
        } else {
            let start = if column == 0 { 1 + 2 * columns } else { self.narrow_end(column - 1) };
            &bytes[start..self.narrow_end(column)]
        }
    }

    #[inline]
    fn narrow_end(&self, column: usize) -> usize {
        let end = self.bytes()[1 + 2 * column..].first_chunk().expect(ENDS);
        usize::from(u16::from_le_bytes(*end))
    }

    /// The n-th number of the head of a wide row: the count of columns, then their ends.
    #[inline]
    fn wide(&self, position: usize) -> usize {
        let number = self.bytes()[1 + 4 * position..].first_chunk().expect(ENDS);
        u32::from_le_bytes(*number) as usize
    }
}

/// A value of a row that is put together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    /// That of a column of a row, as it is stored there.
    Stored(&'a Row, usize),
    /// This one.
    Value(ValueRef<'a>),
}

impl PartialEq for Row {
    #[inline]
    fn eq(&self, other: &Row) -> bool {
        self.ptr_eq(other) || self.bytes() == other.bytes()
    }
}

impl Eq for Row {}

impl Hash for Row {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row(")?;
        for (column, value) in self.values().enumerate() {
            let separator = if column == 0 { "" } else { ", " };
            write!(f, "{separator}{value}")?;
        }
        f.write_str(")")
    }
}

/// Makes a row of so many columns, of which `push` writes each as tag and payload.
fn build(columns: usize, push: impl Fn(usize, &mut Scratch)) -> Row {
    let mut row = Scratch::new();
    if columns < usize::from(WIDE) {
        row.push(columns as u8);
        row.resize(1 + 2 * columns, 0);
        for column in 0..columns {
            push(column, &mut row);
            let end = row.len() as u16;
            row[1 + 2 * column..][..2].copy_from_slice(&end.to_le_bytes());
        }
        if row.len() <= usize::from(u16::MAX) {
            return packed(&row);
        }
        row.clear();
    }
    row.push(WIDE);
    row.resize(5 + 4 * columns, 0);
    row[1..5].copy_from_slice(&(columns as u32).to_le_bytes());
    for column in 0..columns {
        push(column, &mut row);
        let end = row.len() as u32;
        row[5 + 4 * column..][..4].copy_from_slice(&end.to_le_bytes());
    }
    assert!(row.len() <= ROW_BYTES_MAX, "a row of {} bytes, more than fit in one", row.len());
    packed(&row)
}

fn packed(bytes: &[u8]) -> Row {
    Row(ThinArc::from_header_and_slice((), bytes))
}

fn push_value(out: &mut Scratch, value: ValueRef<'_>) {
    let (tag, payload): (u8, &[u8]) = match value {
        ValueRef::Null => (TAG_NULL, &[]),
        ValueRef::Bool(false) => (TAG_FALSE, &[]),
        ValueRef::Bool(true) => (TAG_TRUE, &[]),
        ValueRef::Int(value) => {
            out.push(TAG_INT);
            out.extend_from_slice(&value.to_le_bytes()[..int_bytes(value)]);
            return;
        }
        ValueRef::Float(value) => {
            out.push(TAG_FLOAT);
            out.extend_from_slice(&value.to_le_bytes());
            return;
        }
        ValueRef::Text(text) => (TAG_TEXT, text.as_bytes()),
        ValueRef::Blob(bytes) => (TAG_BLOB, bytes),
        ValueRef::Json(text) => (TAG_JSON, text.as_bytes()),
    };
    out.push(tag);
    out.extend_from_slice(payload);
}

/// How many low bytes of an integer determine it, given that the last one's sign is extended;
/// none for zero.
#[inline]
fn int_bytes(value: i64) -> usize {
    if value == 0 {
        return 0;
    }
    let magnitude = if value < 0 { !value } else { value };
    // One bit more than the magnitude has, for the sign.
    (64 - magnitude.leading_zeros() as usize) / 8 + 1
}

#[inline]
fn read_int(bytes: &[u8]) -> i64 {
    match *bytes {
        [] => 0,
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c] => i64::from(i32::from_le_bytes([0, a, b, c]) >> 8),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => {
            let mut whole = [0; 8];
            // Placed at the top, so that the shift extends the sign.
            let start = 8 - bytes.len();
            whole[start..].copy_from_slice(bytes);
            i64::from_le_bytes(whole) >> (8 * start)
        }
    }
}
