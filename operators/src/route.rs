//! Routes: the keys by which rows find partitions.
//!
//! A route is the encoded values of a level's partition columns: first the correlation key, then
//! the values of the lifted columns. A parent row and a binding's constants give the route to a
//! child partition; a row of the child level gives the route of the partition that it is in.

use std::borrow::Cow;

use crate::delta::ColumnSet;
use crate::filter::Filter;
use crate::key::{Direction, Key, KeyBuffer, decode, encode, write_columns_non_null};
use crate::level::ScanInput;
use crate::plan::{Binding, Input, LevelPlan};
use crate::row::Row;

impl ScanInput {
    /// Writes the route of a row and returns the length of its correlation key, or `None` where a
    /// null keeps the row out of every partition.
    #[inline]
    pub(crate) fn route(&self, row: &Row, route: &mut KeyBuffer) -> Option<usize> {
        route.clear();
        let (correlated, lifted) = self.partition.split_at(self.correlated);
        if !write_columns_non_null(row, correlated, route) {
            return None;
        }
        let correlation = route.len();
        for &column in lifted {
            encode(route, row.get(column), Direction::Asc);
        }
        Some(correlation)
    }
}

/// The encoded constants of a binding.
pub(crate) fn constants(binding: &Binding) -> Key {
    let mut buffer = KeyBuffer::new();
    write_constants(binding, &mut buffer);
    Key::from_slice(&buffer)
}

/// Appends the encoded constants of a binding.
#[inline]
pub(crate) fn write_constants(binding: &Binding, buffer: &mut KeyBuffer) {
    for value in &binding.constants {
        encode(buffer, value.as_ref(), Direction::Asc);
    }
}

/// Writes the route to which an edge leads from a row; false where a null leads nowhere.
#[inline]
pub(crate) fn child_route(
    columns: &[usize],
    row: &Row,
    child: &Binding,
    route: &mut KeyBuffer,
) -> bool {
    route.clear();
    if !write_columns_non_null(row, columns, route) {
        return false;
    }
    write_constants(child, route);
    true
}

/// The columns by which a level's rows are divided and placed.
pub(crate) fn reads(plan: &LevelPlan) -> ColumnSet {
    let mut set: ColumnSet = plan.order.columns().iter().map(|(column, _)| *column).collect();
    let mut add = |columns: &[usize]| columns.iter().for_each(|column| set.insert(*column));
    plan.related.iter().for_each(|edge| add(&edge.columns));
    if let Input::Scan { partition, condition, gates, .. } = &plan.input {
        add(partition);
        gates.iter().for_each(|edge| add(&edge.columns));
        set = set.union(Filter::new(condition).columns());
    }
    set
}

/// The columns without repeats, for a read that holds them equal.
pub(crate) fn distinct_columns(columns: &[usize]) -> Vec<usize> {
    let mut distinct = Vec::with_capacity(columns.len());
    for &column in columns {
        if !distinct.contains(&column) {
            distinct.push(column);
        }
    }
    distinct
}

/// The part of an encoded tuple that belongs to [`distinct_columns`], or `None` where one column
/// would have to equal two different values.
pub(crate) fn distinct_values<'a>(columns: &[usize], encoded: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let distinct = distinct_columns(columns);
    if distinct.len() == columns.len() {
        return Some(Cow::Borrowed(encoded));
    }
    let values = decode(encoded, &vec![Direction::Asc; columns.len()]).ok()?;
    let mut buffer = KeyBuffer::new();
    for column in distinct {
        let mut held = columns.iter().zip(&values).filter(|(c, _)| **c == column).map(|(_, v)| v);
        let first = held.next()?;
        if held.any(|other| other != first) {
            return None;
        }
        encode(&mut buffer, first.as_ref(), Direction::Asc);
    }
    Some(Cow::Owned(buffer.to_vec()))
}
