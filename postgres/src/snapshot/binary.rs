//! The binary format of COPY.

/// What every copy begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Bytes that are not a copy in binary form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the copy cannot be read: {0}")]
pub struct BadCopy(&'static str);

/// Cuts a copy, which comes in pieces of any size, into rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    /// How much of the bytes is read.
    read: usize,
    began: bool,
    ended: bool,
}

impl Rows {
    /// The next piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// Reads the next row that is there in full: its fields, `None` for null. None if more must
    /// come.
    pub(super) fn next_row(&mut self) -> Result<Option<Vec<Option<&[u8]>>>, BadCopy> {
        if !self.began && !self.begin()? {
            return Ok(None);
        }
        let mut reader = Reader { bytes: &self.bytes[self.read..], read: 0 };
        let Some(count) = reader.i16() else { return Ok(None) };
        if self.ended {
            return Err(BadCopy("something follows its end"));
        }
        if count == -1 {
            self.ended = true;
            self.read += reader.read;
            return Ok(None);
        }
        let count = usize::try_from(count).map_err(|_| BadCopy("a row has less than no fields"))?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(length) = reader.i32() else { return Ok(None) };
            fields.push(match length {
                -1 => None,
                _ => {
                    let length = usize::try_from(length)
                        .map_err(|_| BadCopy("a field is shorter than nothing"))?;
                    let Some(field) = reader.take(length) else { return Ok(None) };
                    Some(field)
                }
            });
        }
        self.read += reader.read;
        Ok(Some(fields))
    }

    /// Whether the end has come.
    pub(super) fn finish(&self) -> Result<(), BadCopy> {
        match self.ended && self.read == self.bytes.len() {
            true => Ok(()),
            false => Err(BadCopy("it breaks off")),
        }
    }

    fn begin(&mut self) -> Result<bool, BadCopy> {
        let mut reader = Reader { bytes: &self.bytes[self.read..], read: 0 };
        let Some(signature) = reader.take(SIGNATURE.len()) else { return Ok(false) };
        if signature != SIGNATURE {
            return Err(BadCopy("it does not begin as one"));
        }
        let (Some(_flags), Some(length)) = (reader.i32(), reader.i32()) else { return Ok(false) };
        let length = usize::try_from(length).map_err(|_| BadCopy("its head has no length"))?;
        if reader.take(length).is_none() {
            return Ok(false);
        }
        self.read += reader.read;
        self.began = true;
        Ok(true)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.read..)?.get(..count)?;
        self.read += count;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2).and_then(|bytes| Some(i16::from_be_bytes(bytes.try_into().ok()?)))
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4).and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 2, 9, 9]);
        bytes.extend([0, 2, 0, 0, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff]);
        bytes.extend([0, 1, 0, 0, 0, 0]);
        bytes.extend([0xff, 0xff]);
        bytes
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Vec<Option<Vec<u8>>>>, BadCopy> {
        let (mut rows, mut found) = (Rows::default(), Vec::new());
        for piece in pieces {
            rows.push(piece);
            while let Some(row) = rows.next_row()? {
                found.push(row.into_iter().map(|field| field.map(<[u8]>::to_vec)).collect());
            }
        }
        rows.finish().map(|()| found)
    }

    #[test]
    fn rows_come_out_however_the_copy_is_cut() {
        let (bytes, expected) =
            (copy(), vec![vec![Some(b"a".to_vec()), None], vec![Some(Vec::new())]]);
        for size in 1..=bytes.len() {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(read(&pieces), Ok(expected.clone()), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_copy_is_refused() {
        let bytes = copy();
        for end in 0..bytes.len() {
            assert_eq!(read(&[&bytes[..end]]), Err(BadCopy("it breaks off")));
        }
        assert!(read(&[b"PGCOPY\n\xff\r\n\x01"]).is_err());
        assert!(read(&[&bytes, &[0, 0]]).is_err());
        let mut negative = SIGNATURE.to_vec();
        negative.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe]);
        assert!(read(&[&negative]).is_err());
    }
}
