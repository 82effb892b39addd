//! A table as a plain list of rows: what [`MemorySource`](super::super::MemorySource) must agree
//! with.

use std::cmp::Ordering;

use penstock_operators::key::{Direction, KeyBuffer, KeySpec, encode};
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, Table, TableId};
use penstock_operators::source::ScanShape;
use penstock_operators::value::{ColumnType, Value};

/// The only table of [`schema`].
pub(super) const THING: TableId = TableId(0);
/// The primary key of that table, not in column order.
pub(super) const KEY: [usize; 2] = [1, 0];
/// How many columns that table has.
pub(super) const WIDTH: usize = 5;

/// A table with a compound primary key and columns of several types.
pub(super) fn schema() -> Schema {
    let thing = Table::new("thing")
        .column("p", ColumnType::Integer)
        .column("q", ColumnType::Text)
        .nullable("a", ColumnType::Number)
        .nullable("b", ColumnType::Text)
        .column("c", ColumnType::Boolean)
        .primary_key(["q", "p"]);
    Schema::new([thing]).expect("the schema is right")
}

/// The ascending encodings of some values, one after the other.
pub(super) fn encoded<'a>(values: impl IntoIterator<Item = &'a Value>) -> KeyBuffer {
    let mut buffer = KeyBuffer::new();
    for value in values {
        encode(&mut buffer, value.as_ref(), Direction::Asc);
    }
    buffer
}

/// A cursor of a read: a value for each column of the table, of which those of the order count.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) values: Vec<Value>,
    pub(super) inclusive: bool,
}

impl Start {
    /// The key that a source is given.
    pub(super) fn key(&self, shape: &ScanShape) -> KeyBuffer {
        let mut buffer = KeyBuffer::new();
        for (column, direction) in &shape.order {
            encode(&mut buffer, self.values[*column].as_ref(), *direction);
        }
        buffer
    }
}

/// Rows in no order.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) rows: Vec<Vec<Value>>,
}

impl Model {
    fn position(&self, key: &[Value]) -> Option<usize> {
        self.rows.iter().position(|row| KEY.iter().zip(key).all(|(column, k)| row[*column] == *k))
    }

    /// Whether the insert is right; done if it is.
    pub(super) fn insert(&mut self, row: &[Value]) -> bool {
        let free = self.position(&key_of(row)).is_none();
        if free {
            self.rows.push(row.to_vec());
        }
        free
    }

    /// Whether the update is right; done if it is.
    pub(super) fn update(&mut self, key: &[Value], row: &[Value]) -> bool {
        let Some(position) = self.position(key) else { return false };
        if self.position(&key_of(row)).is_some_and(|other| other != position) {
            return false;
        }
        self.rows[position] = row.to_vec();
        true
    }

    /// Whether the delete is right; done if it is.
    pub(super) fn delete(&mut self, key: &[Value]) -> bool {
        let Some(position) = self.position(key) else { return false };
        self.rows.swap_remove(position);
        true
    }

    /// The row of a primary key.
    pub(super) fn get(&self, key: &[Value]) -> Option<Row> {
        self.position(key).map(|position| Row::new(&self.rows[position]))
    }

    /// What a scan visits.
    pub(super) fn scan(
        &self,
        shape: &ScanShape,
        equal: &[Value],
        from: Option<&Start>,
        reverse: bool,
    ) -> Vec<Row> {
        let compare = |left: &[Value], right: &[Value]| {
            let order = shape.order.iter().map(|(column, direction)| {
                let order = left[*column].cmp(&right[*column]);
                if *direction == Direction::Desc { order.reverse() } else { order }
            });
            let order = order.fold(Ordering::Equal, Ordering::then);
            if reverse { order.reverse() } else { order }
        };
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter(|row| shape.equal.iter().zip(equal).all(|(column, v)| row[*column] == *v))
            .filter(|row| match from {
                None => true,
                Some(start) => match compare(row, &start.values) {
                    Ordering::Less => false,
                    Ordering::Equal => start.inclusive,
                    Ordering::Greater => true,
                },
            })
            .collect();
        rows.sort_by(|left, right| compare(left, right));
        rows.into_iter().map(|row| Row::new(row)).collect()
    }
}

/// The primary key of a row.
pub(super) fn key_of(row: &[Value]) -> Vec<Value> {
    KEY.iter().map(|column| row[*column].clone()).collect()
}

/// The shape of a read of [`THING`].
pub(super) fn shape(equal: &[usize], order: &[(usize, Direction)]) -> ScanShape {
    ScanShape { table: THING, equal: equal.to_vec(), order: order.to_vec() }
}

/// The encoded primary key of a row of [`THING`].
pub(super) fn row_key(row: &Row) -> penstock_operators::key::Key {
    KeySpec::asc(&KEY).key(row)
}
