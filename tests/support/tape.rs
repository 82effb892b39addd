//! Random choices read from bytes.
//!
//! A choice of zero is always the simplest one, and a tape that has run out gives zeros, so that
//! shortening a tape or lowering its bytes makes what is read from it simpler.

/// Bytes that choices are read from.
pub(crate) struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Tape<'a> {
        Tape(bytes)
    }

    fn byte(&mut self) -> u8 {
        match self.0 {
            [] => 0,
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
        }
    }

    /// A number below `n`, which is at most 256; zero for an `n` of zero.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) * n / 256
    }

    /// Whether something happens that does so this often, in percent. Never once the tape is over.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        usize::from(self.byte()) * 100 >= 256 * (100 - percent.min(99))
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }
}
