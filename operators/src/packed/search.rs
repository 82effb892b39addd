//! Finding a key among sorted ones.

use std::cmp::Ordering;
use std::ops::Range;

use super::keys::{HEAD, Keys};

impl Keys {
    /// The rank of a key, or the rank at which it would be.
    #[inline]
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        if self.len() == 0 {
            return Err(0);
        }
        if self.is_wide() {
            return self.search_wide(key);
        }
        let (prefix, len) = (self.prefix as usize, self.len());
        let wanted = head(key.get(prefix..).unwrap_or_default());
        let (mut below, mut above) = (0_i32, 0_i32);
        for stored in self.bytes[..HEAD * len].as_chunks().0 {
            let stored = i32::from_le_bytes(*stored);
            below += i32::from(stored < wanted);
            above += i32::from(stored > wanted);
        }
        let (below, equal_end) = (below as usize, len - above as usize);
        let candidate = self.narrow_key(below.min(len - 1));
        if prefix > 0 && key.get(..prefix) != Some(&candidate[..prefix]) {
            return Err(if key < candidate { 0 } else { len });
        }
        match equal_end - below {
            0 => Err(below),
            1 => match candidate[prefix..].cmp(&key[prefix..]) {
                Ordering::Equal => Ok(below),
                Ordering::Less => Err(equal_end),
                Ordering::Greater => Err(below),
            },
            _ => self.search_alike(below..equal_end, key),
        }
    }

    /// Searches among keys of a narrow buffer that have the head that the key has, by the eight
    /// bytes after it.
    fn search_alike(&self, range: Range<usize>, key: &[u8]) -> Result<usize, usize> {
        let from = self.prefix as usize + HEAD;
        let wanted = eight(key, from);
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let stored = self.narrow_key(middle);
            match eight(stored, from).cmp(&wanted).then_with(|| stored.cmp(key)) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Searches by comparing whole keys.
    #[cold]
    fn search_wide(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(key) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }
}

/// The first four bytes as a number that sorts like them; zeros stand for those that are not there.
#[inline]
pub(super) fn head(bytes: &[u8]) -> i32 {
    let four = bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut four = [0; HEAD];
        four[..bytes.len()].copy_from_slice(bytes);
        four
    });
    // Signed, since that is what vector instructions compare.
    i32::from_be_bytes(four) ^ i32::MIN
}

/// The eight bytes from a place on, as [`head`] does with four.
#[inline]
fn eight(bytes: &[u8], from: usize) -> u64 {
    let rest = bytes.get(from..).unwrap_or_default();
    u64::from_be_bytes(rest.first_chunk().copied().unwrap_or_else(|| {
        let mut eight = [0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        eight
    }))
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
