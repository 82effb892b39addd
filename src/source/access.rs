//! How the reads of a shape are made: from which stored order, and how the caller's encoded values
//! and cursors become keys of that order.
//!
//! Let E be the columns held equal and O the order of a shape. The stored order is, in this order
//! of preference:
//!
//! 1. none, where E covers the primary key: at most one row matches, and it is looked up;
//! 2. the primary key, where its first columns are E and the others are O without E;
//! 3. O, where its first columns are E;
//! 4. E, ascending and in column order, then O without E.
//!
//! An order whose O part begins with a descending column is stored with that part reversed and
//! read backwards, so two opposite orders share one index.

use std::cmp::Ordering;

use penstock_operators::key::{Direction, KeyBuffer, KeySpec, write_columns};
use penstock_operators::row::Row;
use penstock_operators::source::{Cursor, ScanShape};

use super::pieces::{Malformed, split};
use super::span::{Position, Span};

/// The way to the rows of one shape.
#[derive(Debug)]
pub(super) enum Access {
    /// At most one row, by primary key.
    Point(Point),
    /// A stretch of a stored order.
    Ordered(Ordered),
}

impl Access {
    /// The way for a shape, and the order that must be stored for it. `None` as the order stands
    /// for the primary key. The shape has been checked against the table.
    pub(super) fn new(primary_key: &[usize], shape: &ScanShape) -> (Access, Option<KeySpec>) {
        if primary_key.iter().all(|column| shape.equal.contains(column)) {
            return (Access::Point(Point::new(primary_key, shape)), None);
        }
        let (columns, flipped) = stored_order(primary_key, shape);
        let access = Access::Ordered(Ordered::new(&columns, flipped, shape));
        let is_primary = columns.len() == primary_key.len() && begins(&columns, primary_key);
        (access, (!is_primary).then(|| KeySpec::new(columns)))
    }
}

/// The columns of the order to store, and whether its O part is the reverse of that asked for.
fn stored_order(primary_key: &[usize], shape: &ScanShape) -> (Vec<(usize, Direction)>, bool) {
    let ScanShape { equal, order, .. } = shape;
    let held = equal.len();
    let mut rest: Vec<_> =
        order.iter().copied().filter(|(column, _)| !equal.contains(column)).collect();
    let flipped = flip(&mut rest);
    let is_held = |column: &usize| equal.contains(column);

    if held < primary_key.len()
        && primary_key[..held].iter().all(is_held)
        && rest.len() == primary_key.len() - held
        && begins(&rest, &primary_key[held..])
    {
        return (primary_key.iter().map(|column| (*column, Direction::Asc)).collect(), flipped);
    }
    if held <= order.len() && order[..held].iter().all(|(column, _)| is_held(column)) {
        let mut columns = order.clone();
        let flipped = flip(&mut columns);
        return (columns, flipped);
    }
    let mut columns: Vec<_> = equal.iter().map(|column| (*column, Direction::Asc)).collect();
    columns.sort_unstable_by_key(|(column, _)| *column);
    columns.append(&mut rest);
    (columns, flipped)
}

/// Reverses the directions of an order that begins with a descending column; says whether it did.
fn flip(order: &mut [(usize, Direction)]) -> bool {
    let flipped = order.first().is_some_and(|(_, direction)| *direction == Direction::Desc);
    if flipped {
        for (_, direction) in order {
            *direction = direction.reversed();
        }
    }
    flipped
}

/// Whether an order begins with these columns, all ascending.
fn begins(order: &[(usize, Direction)], columns: &[usize]) -> bool {
    order.len() >= columns.len()
        && order.iter().zip(columns).all(|(left, right)| *left == (*right, Direction::Asc))
}

/// How the encodings of the values held equal, ascending and in the caller's order, become the
/// bytes that a stored key begins with.
#[derive(Debug)]
struct Arrangement {
    /// The directions of the values that the caller gives: all ascending.
    given: Box<[Direction]>,
    /// For each stored column the position of its value and whether its bytes are inverted;
    /// `None` where the caller's bytes serve as they are.
    moves: Option<Box<[(usize, bool)]>>,
}

impl Arrangement {
    fn new(equal: &[usize], stored: impl Iterator<Item = (usize, Direction)>) -> Arrangement {
        let moves: Box<[_]> = stored
            .filter_map(|(column, direction)| {
                let position = equal.iter().position(|held| *held == column)?;
                Some((position, direction == Direction::Desc))
            })
            .collect();
        let identity = moves.len() == equal.len()
            && moves.iter().enumerate().all(|(index, (from, invert))| index == *from && !invert);
        Arrangement {
            given: vec![Direction::Asc; equal.len()].into(),
            moves: (!identity).then_some(moves),
        }
    }

    fn apply(&self, equal: &[u8]) -> Result<KeyBuffer, Malformed> {
        let Some(moves) = &self.moves else {
            return Ok(KeyBuffer::from_slice(equal));
        };
        let pieces = split(equal, &self.given)?;
        let mut arranged = KeyBuffer::new();
        for (from, invert) in moves {
            match invert {
                true => arranged.extend(pieces[*from].iter().map(|byte| !byte)),
                false => arranged.extend_from_slice(&pieces[*from]),
            }
        }
        Ok(arranged)
    }
}

/// The way to at most one row: its primary key is among the values held equal.
#[derive(Debug)]
pub(super) struct Point {
    key: Arrangement,
    equal: Box<[usize]>,
    order: KeySpec,
}

impl Point {
    fn new(primary_key: &[usize], shape: &ScanShape) -> Point {
        let stored = primary_key.iter().map(|column| (*column, Direction::Asc));
        Point {
            key: Arrangement::new(&shape.equal, stored),
            equal: shape.equal.as_slice().into(),
            order: KeySpec::new(shape.order.clone()),
        }
    }

    /// The encoded primary key.
    pub(super) fn key(&self, equal: &[u8]) -> Result<KeyBuffer, Malformed> {
        self.key.apply(equal)
    }

    /// Whether the row with that key has the other values too and is not before the cursor.
    pub(super) fn admits(
        &self,
        row: &Row,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
    ) -> bool {
        let mut encoded = KeyBuffer::new();
        write_columns(row, &self.equal, &mut encoded);
        if *encoded != *equal {
            return false;
        }
        let Some(cursor) = from else { return true };
        encoded.clear();
        self.order.write(row, &mut encoded);
        match (*encoded).cmp(cursor.key) {
            Ordering::Equal => cursor.inclusive,
            Ordering::Greater => !reverse,
            Ordering::Less => reverse,
        }
    }
}

/// The way to a stretch of a stored order.
#[derive(Debug)]
pub(super) struct Ordered {
    equal: Arrangement,
    cursor: CursorForm,
    /// Whether the stored order is the reverse of that asked for.
    flipped: bool,
}

/// How a cursor's key, reversed where the order is, relates to the stored keys.
#[derive(Debug)]
enum CursorForm {
    /// It is a stored key.
    Whole,
    /// It is what follows the values held equal.
    Suffix,
    /// It is what follows them, once the columns that are held equal are taken out.
    Woven {
        /// The directions of its columns.
        directions: Box<[Direction]>,
        /// For each of its columns the position among those held equal, if it is.
        held_at: Box<[Option<usize>]>,
    },
}

impl Ordered {
    fn new(stored: &[(usize, Direction)], flipped: bool, shape: &ScanShape) -> Ordered {
        let mut order = shape.order.clone();
        if flipped {
            order.iter_mut().for_each(|(_, direction)| *direction = direction.reversed());
        }
        let held_at: Box<[_]> = order
            .iter()
            .map(|(column, _)| shape.equal.iter().position(|held| held == column))
            .collect();
        let cursor = if order == stored {
            CursorForm::Whole
        } else if held_at.iter().all(Option::is_none) {
            CursorForm::Suffix
        } else {
            let directions = order.iter().map(|(_, direction)| *direction).collect();
            CursorForm::Woven { directions, held_at }
        };
        let held = stored[..shape.equal.len()].iter().copied();
        Ordered { equal: Arrangement::new(&shape.equal, held), cursor, flipped }
    }

    /// The stretch of stored keys that a read visits; `None` if it can hold none.
    pub(super) fn span(
        &self,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
    ) -> Result<Option<Span>, Malformed> {
        let prefix = self.equal.apply(equal)?;
        let from = match from {
            Some(cursor) => Some(self.position(&prefix, equal, cursor)?),
            None => None,
        };
        Ok(Span::new(prefix, from, reverse != self.flipped))
    }

    fn position(
        &self,
        prefix: &KeyBuffer,
        equal: &[u8],
        cursor: Cursor<'_>,
    ) -> Result<Position, Malformed> {
        let inverted: KeyBuffer;
        let wanted: &[u8] = if self.flipped {
            inverted = cursor.key.iter().map(|byte| !byte).collect();
            &inverted
        } else {
            cursor.key
        };
        let mut key = KeyBuffer::new();
        match &self.cursor {
            CursorForm::Whole => key.extend_from_slice(wanted),
            CursorForm::Suffix => {
                key.extend_from_slice(prefix);
                key.extend_from_slice(wanted);
            }
            CursorForm::Woven { directions, held_at } => {
                let held = split(equal, &self.equal.given)?;
                let pieces = split(wanted, directions)?;
                key.extend_from_slice(prefix);
                for ((position, direction), piece) in held_at.iter().zip(directions).zip(&pieces) {
                    let Some(position) = position else {
                        key.extend_from_slice(piece);
                        continue;
                    };
                    // Every row visited has the held value here. Where the cursor has another, it
                    // stands before or after all rows that agree with it so far.
                    let value = held[*position].iter();
                    let order = match direction {
                        Direction::Asc => piece.iter().cmp(value),
                        Direction::Desc => piece.iter().copied().cmp(value.map(|byte| !byte)),
                    };
                    match order {
                        Ordering::Less => return Ok(Position::Below(key)),
                        Ordering::Greater => return Ok(Position::Above(key)),
                        Ordering::Equal => {}
                    }
                }
            }
        }
        Ok(Position::At { key, inclusive: cursor.inclusive })
    }
}
