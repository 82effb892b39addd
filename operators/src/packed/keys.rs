//! Sorted byte strings in one buffer: the keys of a leaf, the separators of an inner node.
//!
//! The buffer holds a head of each key, then `len + 1` offsets, then the keys. Heads are the four
//! bytes after the prefix that all keys share, as numbers that sort like them: a search counts those
//! below, which takes no branches and reads memory in one go, and looks at keys only where heads are
//! equal. Offsets count from the first key and take two bytes.
//!
//! Where the keys together are longer than two bytes can say (*wide*), offsets take eight and there
//! are no heads. Which of the two follows from the length of the buffer. Wide buffers come of single
//! keys that are longer than any node should be; they are copied when they change.

use std::ops::Range;

use super::search::{common_prefix, head};

/// The most bytes of keys that two-byte offsets can say.
const NARROW_BYTES_MAX: usize = u16::MAX as usize;
pub(super) const HEAD: usize = size_of::<i32>();
const NARROW: usize = size_of::<u16>();
const WIDE: usize = size_of::<u64>();

/// Distinct byte strings in ascending order. Empty, it has allocated nothing.
///
/// Cost, with k bytes of keys: a search, O(log len) and one comparison of whole keys; a change,
/// O(k) as a move of memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) bytes: Vec<u8>,
    len: u32,
    /// How many bytes at the beginning all keys share; 0 where there are fewer than two.
    pub(super) prefix: u32,
}

/// Keys of a buffer that go into another one.
pub(super) type Part<'a> = (&'a Keys, Range<usize>);

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// One key.
    pub(super) fn single(key: &[u8]) -> Keys {
        Keys::from_ends(key, &[key.len()])
    }

    /// Keys that lie one after the other in `bytes`, each up to its end, in exactly the room they
    /// need.
    pub(super) fn from_ends(bytes: &[u8], ends: &[usize]) -> Keys {
        if ends.is_empty() {
            return Keys::default();
        }
        let mut keys = Keys::with_room(ends.len(), bytes.len());
        let width = width(bytes.len());
        ends.iter().for_each(|end| keys.push_offset(width, *end));
        keys.bytes.extend_from_slice(bytes);
        keys.prefix = keys.shared_prefix();
        keys.refresh_heads();
        keys
    }

    /// The keys of several parts, one after the other, in exactly the room they need.
    pub(super) fn gather(parts: &[Part<'_>]) -> Keys {
        let len = parts.iter().map(|(_, range)| range.len()).sum();
        if len == 0 {
            return Keys::default();
        }
        let total = parts.iter().map(|(keys, range)| keys.span(range).len()).sum();
        let mut gathered = Keys::with_room(len, total);
        let width = width(total);
        let mut start = 0;
        for (keys, range) in parts {
            let first = keys.offset(range.start);
            for at in range.clone() {
                gathered.push_offset(width, start + keys.offset(at + 1) - first);
            }
            start += keys.offset(range.end) - first;
        }
        for (keys, range) in parts {
            gathered.bytes.extend_from_slice(keys.span(range));
        }
        gathered.prefix = gathered.shared_prefix();
        gathered.refresh_heads();
        gathered
    }

    /// Room for keys, with heads yet to be written, and their first offset.
    fn with_room(len: usize, total: usize) -> Keys {
        let width = width(total);
        let heads = if width == NARROW { HEAD * len } else { 0 };
        let mut bytes = Vec::with_capacity(heads + (len + 1) * width + total);
        bytes.resize(heads + width, 0);
        Keys { bytes, len: len as u32, prefix: 0 }
    }

    fn push_offset(&mut self, width: usize, offset: usize) {
        self.bytes.extend_from_slice(&(offset as u64).to_le_bytes()[..width]);
    }

    /// The bytes of all keys together.
    pub(super) fn total(&self) -> usize {
        if self.len == 0 { 0 } else { self.bytes.len() - self.base() }
    }

    /// The bytes allocated.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    pub(super) fn is_wide(&self) -> bool {
        self.bytes.len() > fixed(self.len()) + NARROW_BYTES_MAX
    }

    /// Where the first key begins. There is one.
    #[inline]
    fn base(&self) -> usize {
        if self.is_wide() { WIDE * (self.len() + 1) } else { fixed(self.len()) }
    }

    /// Where a key begins, or behind the last, counted from the first.
    #[inline]
    fn offset(&self, at: usize) -> usize {
        if self.len == 0 {
            0
        } else if self.is_wide() {
            let offset = self.bytes[at * WIDE..].first_chunk().copied();
            offset.map_or(0, u64::from_le_bytes) as usize
        } else {
            self.narrow(at)
        }
    }

    /// Where a key of a narrow buffer begins, or behind the last, counted from the first.
    #[inline]
    fn narrow(&self, at: usize) -> usize {
        let slot = slot(self.len(), at);
        let offset = self.bytes[slot..slot + NARROW].first_chunk().copied();
        offset.map_or(0, u16::from_le_bytes).into()
    }

    #[inline]
    fn set_narrow(&mut self, at: usize, offset: usize) {
        let slot = slot(self.len(), at);
        self.bytes[slot..slot + NARROW].copy_from_slice(&(offset as u16).to_le_bytes());
    }

    /// Writes the head of a key of a narrow buffer.
    fn set_head(&mut self, at: usize) {
        let key = self.get(at);
        let head = head(key.get(self.prefix as usize..).unwrap_or_default());
        self.bytes[HEAD * at..HEAD * (at + 1)].copy_from_slice(&head.to_le_bytes());
    }

    /// The bytes of consecutive keys.
    fn span(&self, range: &Range<usize>) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        let base = self.base();
        &self.bytes[base + self.offset(range.start)..base + self.offset(range.end)]
    }

    /// The key at a rank, which is below `len`.
    #[inline]
    pub(super) fn get(&self, at: usize) -> &[u8] {
        if self.is_wide() { self.span(&(at..at + 1)) } else { self.narrow_key(at) }
    }

    /// The key at a rank of a narrow buffer. Reads where it begins and ends as one number.
    #[inline(always)]
    pub(super) fn narrow_key(&self, at: usize) -> &[u8] {
        let (ends, keys) = self.bytes.split_at(fixed(self.len()));
        let both =
            ends[slot(self.len(), at)..].first_chunk().copied().map_or(0, u32::from_le_bytes);
        &keys[(both & 0xffff) as usize..(both >> 16) as usize]
    }

    pub(super) fn first(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.get(0))
    }

    pub(super) fn last(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.get(self.len() - 1))
    }

    /// Puts a key in at the rank where it belongs.
    pub(super) fn insert(&mut self, at: usize, key: &[u8]) {
        let (len, total) = (self.len(), self.total());
        if total + key.len() > NARROW_BYTES_MAX {
            return self.insert_wide(at, key);
        }
        if len == 0 {
            *self = Keys::single(key);
            return;
        }
        let (old, added) = (self.bytes.len(), HEAD + NARROW + key.len());
        let start = self.narrow(at);
        let (next, place) = (slot(len, at + 1), fixed(len) + start);
        self.make_room(added);
        self.bytes.resize(old + added, 0);
        self.bytes.copy_within(place..old, place + added);
        self.bytes.copy_within(next..place, next + HEAD + NARROW);
        self.bytes.copy_within(HEAD * at..next, HEAD * (at + 1));
        self.bytes[place + HEAD + NARROW..place + added].copy_from_slice(key);
        self.len += 1;
        self.set_narrow(at + 1, start + key.len());
        self.shift(at + 2..len + 2, key.len() as u16);
        self.set_head(at);
        if at == 0 || at == len {
            self.refresh_prefix();
        }
    }

    /// Takes the key at a rank out.
    pub(super) fn remove(&mut self, at: usize) {
        let len = self.len();
        if len == 1 {
            self.bytes.clear();
            (self.len, self.prefix) = (0, 0);
            return;
        }
        if self.is_wide() {
            *self = Keys::gather(&[(self, 0..at), (self, at + 1..len)]);
            return;
        }
        let (start, end) = (self.narrow(at), self.narrow(at + 1));
        let (next, place) = (slot(len, at + 1), fixed(len) + start);
        let (old, removed) = (self.bytes.len(), HEAD + NARROW + end - start);
        self.bytes.copy_within(HEAD * (at + 1)..next, HEAD * at);
        self.bytes.copy_within(next + NARROW..place, next - HEAD);
        self.bytes.copy_within(fixed(len) + end..old, place - HEAD - NARROW);
        self.bytes.truncate(old - removed);
        self.len -= 1;
        self.shift(at + 1..len, (end - start).wrapping_neg() as u16);
        if at == 0 || at == len - 1 {
            self.refresh_prefix();
        }
        self.give_back_room();
    }

    /// Takes the key at a rank out and puts another in at the rank where it would be with the
    /// first still there. Moves what lies between only. Returns its rank, or `None`, with nothing
    /// done, where that cannot be done in place.
    pub(super) fn rekey(&mut self, from: usize, to: usize, key: &[u8]) -> Option<usize> {
        if self.is_wide() || self.get(from).len() != key.len() {
            return None;
        }
        let (base, length) = (fixed(self.len()), key.len());
        let gone = base + self.narrow(from);
        let (at, place) = if to > from {
            let place = base + self.narrow(to) - length;
            self.bytes.copy_within(gone + length..place + length, gone);
            self.bytes.copy_within(HEAD * (from + 1)..HEAD * to, HEAD * from);
            for k in from + 1..to {
                self.set_narrow(k, self.narrow(k + 1) - length);
            }
            (to - 1, place)
        } else {
            let place = base + self.narrow(to);
            self.bytes.copy_within(place..gone, place + length);
            self.bytes.copy_within(HEAD * to..HEAD * from, HEAD * (to + 1));
            for k in (to + 1..=from).rev() {
                self.set_narrow(k, self.narrow(k - 1) + length);
            }
            (to, place)
        };
        self.bytes[place..place + length].copy_from_slice(key);
        self.set_head(at);
        let last = self.len() - 1;
        if [from, at].iter().any(|at| *at == 0 || *at == last) {
            self.refresh_prefix();
        }
        Some(at)
    }

    #[cold]
    fn insert_wide(&mut self, at: usize, key: &[u8]) {
        let single = Keys::single(key);
        *self = Keys::gather(&[(self, 0..at), (&single, 0..1), (self, at..self.len())]);
    }

    /// Adds a difference, modulo 2^16, to some offsets of a narrow buffer.
    #[inline]
    fn shift(&mut self, range: Range<usize>, difference: u16) {
        let (start, end) = (slot(self.len(), range.start), slot(self.len(), range.end));
        let offsets = &mut self.bytes[start..end];
        for offset in offsets.as_chunks_mut().0 {
            *offset = u16::from_le_bytes(*offset).wrapping_add(difference).to_le_bytes();
        }
    }

    /// A quarter more than is needed, so that the room of a node follows what is in it.
    fn make_room(&mut self, added: usize) {
        let needed = self.bytes.len() + added;
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(added + needed / 4);
        }
    }

    fn give_back_room(&mut self) {
        if self.bytes.capacity() > self.bytes.len() * 3 / 2 + 64 {
            self.bytes.shrink_to(self.bytes.len() + self.bytes.len() / 4);
        }
    }

    fn shared_prefix(&self) -> u32 {
        match self.len() {
            0 | 1 => 0,
            len => common_prefix(self.get(0), self.get(len - 1)).min(u32::MAX as usize) as u32,
        }
    }

    /// Finds the prefix anew, and the heads if it has changed.
    fn refresh_prefix(&mut self) {
        let prefix = self.shared_prefix();
        if prefix != self.prefix {
            self.prefix = prefix;
            self.refresh_heads();
        }
    }

    fn refresh_heads(&mut self) {
        if !self.is_wide() {
            (0..self.len()).for_each(|at| self.set_head(at));
        }
    }

    /// How many keys there are before those that lie in the second half of the bytes.
    pub(super) fn middle(&self) -> usize {
        let half = self.total() / 2;
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.offset(middle) < half {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Whether what a search relies on holds.
    #[cfg(test)]
    pub(super) fn check(&self) {
        if self.len == 0 {
            assert!(self.bytes.is_empty());
            return;
        }
        assert_eq!(self.offset(0), 0);
        assert_eq!(self.base() + self.offset(self.len()), self.bytes.len());
        assert_eq!(self.is_wide(), self.total() > NARROW_BYTES_MAX);
        assert!((1..self.len()).all(|at| self.get(at - 1) < self.get(at)));
        let prefix = common_prefix(self.get(0), self.get(self.len() - 1));
        assert_eq!(self.prefix as usize, if self.len == 1 { 0 } else { prefix });
        let heads = (0..self.len()).map(|at| head(&self.get(at)[self.prefix as usize..]));
        let stored = self.bytes.as_chunks().0.iter().map(|stored| i32::from_le_bytes(*stored));
        assert!(self.is_wide() || heads.eq(stored.take(self.len())));
        assert!(self.bytes.capacity() <= self.bytes.len() * 3 / 2 + 64);
    }
}

/// The width of the offsets of so many bytes of keys.
fn width(total: usize) -> usize {
    if total > NARROW_BYTES_MAX { WIDE } else { NARROW }
}

/// The bytes before the first key of a narrow buffer of so many keys.
#[inline]
fn fixed(len: usize) -> usize {
    slot(len, len + 1)
}

/// Where an offset lies in a narrow buffer of so many keys.
#[inline]
fn slot(len: usize, at: usize) -> usize {
    HEAD * len + NARROW * at
}
