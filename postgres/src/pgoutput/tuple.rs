//! Rows within messages.

use std::fmt;

use super::reader::{DecodeError, Reader};

/// A row, still in the form of the message that it is borrowed from. It is known to be well-formed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tuple<'a> {
    count: u16,
    columns: &'a [u8],
}

/// A value of a [`Tuple`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Datum<'a> {
    /// Null.
    Null,
    /// What it was: a large value that did not change and is not sent.
    Unchanged,
    /// What the type's output function wrote, in the session's `client_encoding`.
    Text(&'a [u8]),
    /// What the type's send function wrote.
    Binary(&'a [u8]),
}

/// Text as text, the binary form in hexadecimal digits.
impl fmt::Debug for Datum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Null => f.write_str("null"),
            Datum::Unchanged => f.write_str("unchanged"),
            Datum::Text(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Datum::Binary(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl<'a> Tuple<'a> {
    /// How many columns it has.
    pub fn len(self) -> usize {
        self.count.into()
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Its columns in order. Costs nothing before they are asked for, and copies nothing.
    pub fn iter(self) -> impl Iterator<Item = Datum<'a>> {
        let mut reader = Reader::new(self.columns);
        // Every column was read once when the message was, so none is an error.
        (0..self.count).map_while(move |_| datum(&mut reader).ok())
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Tuple<'a>, DecodeError> {
        let count = reader.short_count("number of columns")?;
        let columns = reader.rest();
        for _ in 0..count {
            datum(reader)?;
        }
        Ok(Tuple { count, columns: &columns[..columns.len() - reader.rest().len()] })
    }

    pub(super) fn write(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.count.to_be_bytes());
        bytes.extend(self.columns);
    }
}

impl fmt::Debug for Tuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn datum<'a>(reader: &mut Reader<'a>) -> Result<Datum<'a>, DecodeError> {
    let kind = reader.tag("kind of a value", |byte| b"nutb".contains(&byte).then_some(byte))?;
    match kind {
        b'n' => Ok(Datum::Null),
        b'u' => Ok(Datum::Unchanged),
        kind => {
            let length = reader.count("length of a value")?;
            let bytes = reader.take(length, "bytes of a value")?;
            Ok(if kind == b't' { Datum::Text(bytes) } else { Datum::Binary(bytes) })
        }
    }
}

/// A row that is put together, for messages that are made rather than received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TupleBuffer {
    count: u16,
    columns: Vec<u8>,
}

/// A row beyond what a message can hold: 32 767 columns, 2 GiB per value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message holds at most 32767 columns of at most 2147483647 bytes")]
pub struct TupleTooLarge;

impl TupleBuffer {
    /// A row of these values.
    pub fn new<'d>(
        data: impl IntoIterator<Item = Datum<'d>>,
    ) -> Result<TupleBuffer, TupleTooLarge> {
        let mut tuple = TupleBuffer::default();
        for datum in data {
            tuple.push(datum)?;
        }
        Ok(tuple)
    }

    /// Adds a column.
    pub fn push(&mut self, datum: Datum<'_>) -> Result<(), TupleTooLarge> {
        let (kind, content) = match datum {
            Datum::Null => (b'n', None),
            Datum::Unchanged => (b'u', None),
            Datum::Text(bytes) => (b't', Some(bytes)),
            Datum::Binary(bytes) => (b'b', Some(bytes)),
        };
        let length = i32::try_from(content.map_or(0, <[u8]>::len)).map_err(|_| TupleTooLarge)?;
        if self.count == i16::MAX as u16 {
            return Err(TupleTooLarge);
        }
        self.count += 1;
        self.columns.push(kind);
        if let Some(content) = content {
            self.columns.extend(length.to_be_bytes());
            self.columns.extend(content);
        }
        Ok(())
    }

    /// The row as messages hold it.
    pub fn tuple(&self) -> Tuple<'_> {
        Tuple { count: self.count, columns: &self.columns }
    }
}
