//! Sorted byte strings in one buffer: the keys of a leaf, the separators of an inner node.
//!
//! The buffer holds `len + 1` offsets and then the keys. Offsets count from the first key and take
//! two bytes (*narrow*), or eight where the keys together are longer than two can say (*wide*).
//! Which of the two follows from the length of the buffer. Wide buffers come of single keys that
//! are longer than any node should be; they are copied when they change.
//!
//! A search first compares the prefix that all keys share, then, without branches, the eight bytes
//! after it as one number, and whole keys only where these are equal.

use std::hint::select_unpredictable;
use std::ops::Range;

/// The most bytes of keys that two-byte offsets can say.
const NARROW_BYTES_MAX: usize = u16::MAX as usize;
const NARROW: usize = size_of::<u16>();
const WIDE: usize = size_of::<u64>();

/// Distinct byte strings in ascending order. Empty, it has allocated nothing.
///
/// Cost, with k bytes of keys: a search, O(log len) and one comparison of whole keys; a change,
/// O(k) as a move of memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    len: u32,
    /// How many bytes at the beginning all keys share; 0 where there are fewer than two.
    prefix: u32,
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
        keys.refresh_prefix();
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
        gathered.refresh_prefix();
        gathered
    }

    /// Room for keys, and their first offset.
    fn with_room(len: usize, total: usize) -> Keys {
        let width = width(total);
        let mut bytes = Vec::with_capacity((len + 1) * width + total);
        bytes.resize(width, 0);
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
    fn is_wide(&self) -> bool {
        self.bytes.len() > NARROW * (self.len() + 1) + NARROW_BYTES_MAX
    }

    /// Where the first key begins. There is one.
    #[inline]
    fn base(&self) -> usize {
        (self.len() + 1) * if self.is_wide() { WIDE } else { NARROW }
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
            narrow(&self.bytes, at)
        }
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
        if self.is_wide() {
            return self.span(&(at..at + 1));
        }
        let keys = &self.bytes[NARROW * (self.len() + 1)..];
        &keys[narrow(&self.bytes, at)..narrow(&self.bytes, at + 1)]
    }

    pub(super) fn first(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.get(0))
    }

    pub(super) fn last(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.get(self.len() - 1))
    }

    /// The rank of a key, or the rank at which it would be.
    #[inline]
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        if self.len == 0 {
            return Err(0);
        }
        if self.is_wide() {
            return self.search_whole(0..self.len(), key);
        }
        let (offsets, keys) = self.bytes.split_at(NARROW * (self.len() + 1));
        let prefix = self.prefix as usize;
        if prefix > 0 {
            let shared = &keys[..prefix];
            if key.get(..prefix) != Some(shared) {
                return Err(if key < shared { 0 } else { self.len() });
            }
        }
        let wanted = head(key, prefix, key.len());
        let head_at = |at| head(keys, narrow(offsets, at) + prefix, narrow(offsets, at + 1));
        // The last key whose head is not above, or the first key.
        let mut low = 0;
        let mut size = self.len();
        while size > 1 {
            let half = size / 2;
            let middle = low + half;
            low = select_unpredictable(head_at(middle) <= wanted, middle, low);
            size -= half;
        }
        let found = head_at(low);
        if found != wanted {
            return Err(if found < wanted { low + 1 } else { 0 });
        }
        match keys[narrow(offsets, low)..narrow(offsets, low + 1)].cmp(key) {
            std::cmp::Ordering::Equal => Ok(low),
            std::cmp::Ordering::Less => Err(low + 1),
            std::cmp::Ordering::Greater => self.search_whole(0..low, key),
        }
    }

    /// Searches some of the keys by comparing them as a whole.
    #[cold]
    fn search_whole(&self, range: Range<usize>, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(key) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
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
        let (old, added) = (self.bytes.len(), NARROW + key.len());
        self.make_room(added);
        self.bytes.resize(old + added, 0);
        let start = narrow(&self.bytes, at);
        let place = NARROW * (len + 1) + start;
        self.bytes.copy_within(place..old, place + added);
        self.bytes.copy_within(NARROW * (at + 1)..place, NARROW * (at + 2));
        self.bytes[place + NARROW..place + added].copy_from_slice(key);
        self.len += 1;
        set_narrow(&mut self.bytes, at + 1, start + key.len());
        self.shift(at + 2..len + 2, key.len() as u16);
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
        let (start, end) = (narrow(&self.bytes, at), narrow(&self.bytes, at + 1));
        let (base, old) = (NARROW * (len + 1), self.bytes.len());
        self.bytes.copy_within(NARROW * (at + 2)..base + start, NARROW * (at + 1));
        self.bytes.copy_within(base + end..old, base - NARROW + start);
        self.bytes.truncate(old - NARROW - (end - start));
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
        let base = NARROW * (self.len() + 1);
        let (gone, length) = (base + narrow(&self.bytes, from), key.len());
        let (at, place) = if to > from {
            let place = base + narrow(&self.bytes, to) - length;
            self.bytes.copy_within(gone + length..place + length, gone);
            for k in from + 1..to {
                let moved = narrow(&self.bytes, k + 1) - length;
                set_narrow(&mut self.bytes, k, moved);
            }
            (to - 1, place)
        } else {
            let place = base + narrow(&self.bytes, to);
            self.bytes.copy_within(place..gone, place + length);
            for k in (to + 1..=from).rev() {
                let moved = narrow(&self.bytes, k - 1) + length;
                set_narrow(&mut self.bytes, k, moved);
            }
            (to, place)
        };
        self.bytes[place..place + length].copy_from_slice(key);
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
        let offsets = &mut self.bytes[NARROW * range.start..NARROW * range.end];
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
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to(self.bytes.len() + self.bytes.len() / 4);
        }
    }

    fn refresh_prefix(&mut self) {
        self.prefix = match self.len() {
            0 | 1 => 0,
            len => common_prefix(self.get(0), self.get(len - 1)).min(u32::MAX as usize) as u32,
        };
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
        assert!(self.bytes.capacity() <= 2 * self.bytes.len() + 64);
    }
}

/// The width of the offsets of so many bytes of keys.
fn width(total: usize) -> usize {
    if total > NARROW_BYTES_MAX { WIDE } else { NARROW }
}

/// An offset of a narrow buffer.
#[inline]
fn narrow(bytes: &[u8], at: usize) -> usize {
    let offset = &bytes[NARROW * at..NARROW * at + NARROW];
    usize::from(u16::from_le_bytes([offset[0], offset[1]]))
}

#[inline]
fn set_narrow(bytes: &mut [u8], at: usize, offset: usize) {
    bytes[NARROW * at..NARROW * at + NARROW].copy_from_slice(&(offset as u16).to_le_bytes());
}

/// The eight bytes from `start` on as a number that sorts like them; zeros stand for those from
/// `end` on.
#[inline]
fn head(bytes: &[u8], start: usize, end: usize) -> u64 {
    match bytes.get(start..start + 8) {
        Some(eight) => {
            let eight = eight.first_chunk().copied().map_or(0, u64::from_be_bytes);
            let length = end - start;
            if length >= 8 { eight } else { eight & !(u64::MAX >> (8 * length)) }
        }
        None => {
            let mut eight = [0; 8];
            let rest = &bytes[start..end];
            eight[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(eight)
        }
    }
}

/// How many bytes at the beginning two byte strings share.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        let differ = u64::from_be_bytes(*a) ^ u64::from_be_bytes(*b);
        if differ != 0 {
            return at + differ.leading_zeros() as usize / 8;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}
