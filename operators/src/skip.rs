//! `skip`: where a partition's visible rows begin.
//!
//! Two forms. A *start* cursor is a position in the order: rows before it are never admitted to
//! the window. An *offset* counts rows: the window holds the skipped rows too, since any change
//! among them shifts the visible ones, and a boundary key marks the first visible row.
//!
//! Cost: a start cursor is one comparison per candidate. An offset costs O(offset) per
//! transaction that changes the window. State: O(offset) rows.

use crate::key::Key;
use crate::order_by::OrderedRows;
use crate::plan::{Extent, Start};

impl Start {
    /// Whether a row at this order key lies at or after the cursor.
    #[inline]
    pub(crate) fn admits(&self, key: &[u8]) -> bool {
        match key.cmp(&self.key[..]) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => !self.exclusive,
            std::cmp::Ordering::Greater => true,
        }
    }
}

/// The first visible position of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// Every row is visible.
    Start,
    /// Rows from this key on are visible.
    At(Key),
    /// No row is visible: there are no more rows than are skipped.
    End,
}

impl Boundary {
    /// The boundary of rows under an extent.
    pub(crate) fn of(rows: &OrderedRows, extent: &Extent) -> Boundary {
        if extent.offset == 0 {
            return Boundary::Start;
        }
        rows.key_at(extent.offset).map_or(Boundary::End, Boundary::At)
    }

    /// Whether a row at this key is visible.
    #[inline]
    pub(crate) fn shows(&self, key: &[u8]) -> bool {
        match self {
            Boundary::Start => true,
            Boundary::At(first) => key >= &first[..],
            Boundary::End => false,
        }
    }
}
