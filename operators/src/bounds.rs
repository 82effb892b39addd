//! Where in a level's order its rows can be, as far as its condition bounds the first column.
//!
//! A range over the column that a query is ordered by need not be searched for: reading begins at
//! its first value, and ends with the first row behind its last.
//!
//! Cost: encoding a value for each row read that does not pass. State: two keys per level.

use crate::dispatch::{Interval, bounds};
use crate::key::{Direction, Key, KeyBuffer, KeySpec, encode, encoded_len, inverted};
use crate::plan::Condition;
use crate::row::Row;
use crate::value::ValueRef;

/// The values of the first column of an order among which those of a level's rows are.
#[derive(Debug)]
pub(crate) struct OrderBounds {
    column: usize,
    direction: Direction,
    /// Ascending encodings.
    values: Interval,
    /// No row before this position passes; none where the order has no such position.
    first: Option<Key>,
}

impl OrderBounds {
    /// The bounds that a condition sets to the first column of an order.
    pub(crate) fn of(condition: &Condition, order: &KeySpec) -> Option<OrderBounds> {
        let (column, direction) = *order.columns().first()?;
        let values = bounds(condition, column)?;
        let (_, rest) = order.columns().split_first()?;
        let value = match direction {
            Direction::Asc => value_of(&values.lower).map(KeyBuffer::from_slice),
            Direction::Desc => value_of(&values.upper).map(inverted),
        };
        // Null comes before any other value, where the order ascends.
        let ascends = rest.iter().all(|(_, direction)| *direction == Direction::Asc);
        let first = value.filter(|_| ascends).map(|mut first| {
            rest.iter().for_each(|_| encode(&mut first, ValueRef::Null, Direction::Asc));
            Key::from_slice(&first)
        });
        Some(OrderBounds { column, direction, values, first })
    }

    /// A position in the order before which no row passes. Rows at it may be outside the bounds.
    pub(crate) fn first(&self) -> Option<&Key> {
        self.first.as_ref()
    }

    /// Whether a row comes behind all that are within the bounds.
    pub(crate) fn is_behind(&self, row: &Row) -> bool {
        let mut value = KeyBuffer::new();
        encode(&mut value, row.get(self.column), Direction::Asc);
        match self.direction {
            Direction::Asc => value[..] >= self.values.upper[..],
            Direction::Desc => value[..] < self.values.lower[..],
        }
    }
}

/// The value at a bound, whether or not the bound includes it; `None` where it is no value.
fn value_of(bound: &[u8]) -> Option<&[u8]> {
    bound.get(..encoded_len(bound, Direction::Asc)?)
}
