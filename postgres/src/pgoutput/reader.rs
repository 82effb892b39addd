//! Reading fields from the front of a message.

use crate::lsn::Lsn;

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of pgoutput cannot be read at byte {offset}, {field}: {fault}")]
pub struct DecodeError {
    /// Where, from the beginning of the message.
    pub offset: usize,
    /// Of which field.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The message ends within it.
    #[error("the message ends here")]
    Ends,
    /// The message should have ended.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// A text that is not UTF-8.
    #[error("it is not UTF-8; the session needs client_encoding UTF8")]
    NotUtf8,
    /// A byte that says what follows and is none of those that are known.
    #[error("the byte {0:#04x} is not known here")]
    Unknown(u8),
    /// A number that cannot be a length.
    #[error("{0} is not a length")]
    NotALength(i32),
}

/// The rest of a message.
pub(super) struct Reader<'a> {
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { whole: bytes.len(), rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn offset(&self) -> usize {
        self.whole - self.rest.len()
    }

    pub(super) fn error(&self, field: &'static str, fault: Fault) -> DecodeError {
        DecodeError { offset: self.offset(), field, fault }
    }

    pub(super) fn take(
        &mut self,
        count: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.error(field, Fault::Ends));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    /// A byte that `read` knows; the error stands at the byte.
    pub(super) fn tag<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(u8) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let Some(byte) = self.rest.first() else {
            return Err(self.error(field, Fault::Ends));
        };
        let read = read(*byte).ok_or_else(|| self.error(field, Fault::Unknown(*byte)))?;
        self.rest = &self.rest[1..];
        Ok(read)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.tag(field, Some)
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        self.tag(field, |byte| (byte < 2).then_some(byte == 1))
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        self.array(field).map(i32::from_be_bytes)
    }

    pub(super) fn time(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        self.array(field).map(i64::from_be_bytes)
    }

    pub(super) fn lsn(&mut self, field: &'static str) -> Result<Lsn, DecodeError> {
        self.array(field).map(|bytes| Lsn(u64::from_be_bytes(bytes)))
    }

    /// A number that is not negative, of 16 bits.
    pub(super) fn short_count(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let before = self.error(field, Fault::Ends);
        let count = i16::from_be_bytes(self.array(field)?);
        let fault = Fault::NotALength(count.into());
        u16::try_from(count).map_err(|_| DecodeError { fault, ..before })
    }

    /// A number that is not negative, of 32 bits.
    pub(super) fn count(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let before = self.error(field, Fault::Ends);
        let count = self.i32(field)?;
        let fault = Fault::NotALength(count);
        usize::try_from(count).map_err(|_| DecodeError { fault, ..before })
    }

    pub(super) fn string(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let Some(length) = self.rest.iter().position(|byte| *byte == 0) else {
            return Err(self.error(field, Fault::Ends));
        };
        let Ok(text) = str::from_utf8(&self.rest[..length]) else {
            return Err(self.error(field, Fault::NotUtf8));
        };
        self.rest = &self.rest[length + 1..];
        Ok(text)
    }

    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.error("end", Fault::LeftOver(left))),
        }
    }
}
