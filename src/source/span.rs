//! A contiguous stretch of an ordered map, as bounds on its keys.

use std::ops::Bound;

use penstock_operators::key::{Key, KeyBuffer};

/// Keys between two bounds, and the direction in which they are visited. Never inverted: the lower
/// bound does not lie above the upper one, so an ordered map accepts it as a range.
#[derive(Debug)]
pub(super) struct Span {
    lower: Bound<KeyBuffer>,
    upper: Bound<KeyBuffer>,
    /// Whether the greatest key is visited first.
    pub(super) descending: bool,
}

/// Where a cursor stands in the order of stored keys.
pub(super) enum Position {
    /// At a whole key; `inclusive` if a row exactly there is visited.
    At { key: KeyBuffer, inclusive: bool },
    /// Just below every key that begins with these bytes.
    Below(KeyBuffer),
    /// Just above every key that begins with these bytes.
    Above(KeyBuffer),
}

impl Span {
    /// The keys that begin with `prefix`, from `from` on in the direction; `None` if that leaves
    /// no possible key.
    pub(super) fn new(prefix: KeyBuffer, from: Option<Position>, descending: bool) -> Option<Span> {
        let mut lower = Bound::Included(prefix.clone());
        let mut upper = match successor(prefix) {
            Some(next) => Bound::Excluded(next),
            None => Bound::Unbounded,
        };
        match from {
            None => return Some(Span { lower, upper, descending }),
            Some(position) if descending => {
                let bound = match position {
                    Position::At { key, inclusive: true } => Bound::Included(key),
                    Position::At { key, inclusive: false } | Position::Below(key) => {
                        Bound::Excluded(key)
                    }
                    Position::Above(key) => match successor(key) {
                        Some(next) => Bound::Excluded(next),
                        None => Bound::Unbounded,
                    },
                };
                let tighter = match (bytes(&bound), bytes(&upper)) {
                    (Some(new), Some(current)) => new < current,
                    (new, _) => new.is_some(),
                };
                if tighter {
                    upper = bound;
                }
            }
            Some(position) => {
                let bound = match position {
                    Position::At { key, inclusive: false } => Bound::Excluded(key),
                    Position::At { key, inclusive: true } | Position::Below(key) => {
                        Bound::Included(key)
                    }
                    Position::Above(key) => Bound::Included(successor(key)?),
                };
                if bytes(&bound) >= bytes(&lower) {
                    lower = bound;
                }
            }
        }
        let possible = match (&lower, &upper) {
            (Bound::Included(low), Bound::Included(high)) => low <= high,
            (
                Bound::Included(low) | Bound::Excluded(low),
                Bound::Included(high) | Bound::Excluded(high),
            ) => low < high,
            _ => true,
        };
        possible.then_some(Span { lower, upper, descending })
    }

    /// The bounds, as ordered maps take them.
    pub(super) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (slice(&self.lower), slice(&self.upper))
    }

    /// The part of a slice that is sorted by key that lies in the span.
    pub(super) fn cut<'a, T>(&self, entries: &'a [(Key, T)]) -> &'a [(Key, T)] {
        let start = match slice(&self.lower) {
            Bound::Included(low) => entries.partition_point(|(key, _)| key.as_ref() < low),
            Bound::Excluded(low) => entries.partition_point(|(key, _)| key.as_ref() <= low),
            Bound::Unbounded => 0,
        };
        let end = match slice(&self.upper) {
            Bound::Included(high) => entries.partition_point(|(key, _)| key.as_ref() <= high),
            Bound::Excluded(high) => entries.partition_point(|(key, _)| key.as_ref() < high),
            Bound::Unbounded => entries.len(),
        };
        &entries[start..end]
    }
}

fn bytes(bound: &Bound<KeyBuffer>) -> Option<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

fn slice(bound: &Bound<KeyBuffer>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// The least byte string above every string that begins with `prefix`; `None` if there is none,
/// that is if `prefix` is empty or has only bytes of 255.
fn successor(mut prefix: KeyBuffer) -> Option<KeyBuffer> {
    while let Some(last) = prefix.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return Some(prefix);
        }
        prefix.pop();
    }
    None
}
