//! Tables, their columns, keys and relationships.
//!
//! Tables are declared by name with [`Table`] and become a [`Schema`], in which all names have
//! been resolved and checked. Names are for the edges; everything within goes by [`TableId`] and
//! column number.

use std::sync::Arc;

use crate::key::{Direction, KeySpec, decode};
use crate::row::Row;
use crate::value::{ColumnType, RawValue, Value, ValueRef};

mod builder;
mod error;
mod resolve;

pub use builder::{HopNames, Table};
pub use error::SchemaError;

/// The longest text of a value, in characters, that an error about a row quotes.
const QUOTED_CHARS_MAX: usize = 60;

/// A table of a schema: its position in the order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name, unique in the table.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
}

/// One hop of a relationship: to the rows of `table` whose `to` columns equal the `from` columns
/// of the row before. A null equals nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The table that the hop leads to.
    pub table: TableId,
    /// Columns of the table before; at least one.
    pub from: Vec<usize>,
    /// As many columns of `table`, without repeats.
    pub to: Vec<usize>,
}

/// A declared way from the rows of a table to related rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// The name, unique among the relationships and columns of the table.
    pub name: String,
    /// The hops; at least one. Rows of all but the last are hidden.
    pub hops: Vec<Hop>,
    /// Whether it is declared to lead to one row at most.
    pub one: bool,
}

/// A checked table of a [`Schema`].
#[derive(Debug, PartialEq, Eq)]
pub struct TableSchema {
    name: String,
    columns: Vec<Column>,
    /// Column numbers sorted by name.
    by_name: Vec<usize>,
    primary_key: Vec<usize>,
    primary_key_spec: KeySpec,
    unique_keys: Vec<Vec<usize>>,
    relationships: Vec<Relationship>,
}

/// The tables of a source. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    tables: Vec<TableSchema>,
    /// Tables sorted by name.
    by_name: Vec<TableId>,
}

impl Schema {
    /// Resolves and checks declarations. The order of the tables is that of their ids.
    ///
    /// # Errors
    ///
    /// The first declaration that is wrong, by table and column.
    pub fn new(tables: impl IntoIterator<Item = Table>) -> Result<Schema, SchemaError> {
        resolve::schema(tables.into_iter().collect())
    }

    /// The table of a name. O(log tables).
    pub fn table_id(&self, name: &str) -> Option<TableId> {
        let at =
            self.0.by_name.binary_search_by(|id| self.table(*id).name.as_str().cmp(name)).ok()?;
        Some(self.0.by_name[at])
    }

    /// A table.
    ///
    /// # Panics
    ///
    /// If the id is not of this schema.
    #[inline]
    pub fn table(&self, id: TableId) -> &TableSchema {
        &self.0.tables[id.0 as usize]
    }

    /// All tables, in the order of their ids.
    pub fn tables(&self) -> &[TableSchema] {
        &self.0.tables
    }
}

impl TableSchema {
    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns in the order of the values of a row.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of a name. O(log columns).
    pub fn column_index(&self, name: &str) -> Option<usize> {
        let at = self
            .by_name
            .binary_search_by(|column| self.columns[*column].name.as_str().cmp(name))
            .ok()?;
        Some(self.by_name[at])
    }

    /// The primary key's columns in the order declared.
    pub fn primary_key(&self) -> &[usize] {
        &self.primary_key
    }

    /// How primary keys are encoded: all columns ascending, in the order declared.
    #[inline]
    pub fn primary_key_spec(&self) -> &KeySpec {
        &self.primary_key_spec
    }

    /// The columns of each further unique key.
    pub fn unique_keys(&self) -> &[Vec<usize>] {
        &self.unique_keys
    }

    /// The relationship of a name.
    pub fn relationship(&self, name: &str) -> Option<&Relationship> {
        self.relationships.iter().find(|relationship| relationship.name == name)
    }

    /// The declared relationships.
    pub fn relationships(&self) -> &[Relationship] {
        &self.relationships
    }

    /// Checks that a row has a value of the right type for every column. O(columns).
    ///
    /// # Errors
    ///
    /// Names the first column at fault with what it expects and what was found.
    pub fn check_row(&self, row: &Row) -> Result<(), String> {
        if row.len() != self.columns.len() {
            return Err(format!("expected {} columns, found {}", self.columns.len(), row.len()));
        }
        for (at, column) in self.columns.iter().enumerate() {
            // Text in a row is UTF-8 already; looking at it again would be most of the work.
            match (column.column_type, row.get_raw(at)) {
                (ColumnType::Text, RawValue::Text(_)) | (ColumnType::Json, RawValue::Json(_)) => {
                    continue;
                }
                _ => {}
            }
            let value = row.get(at);
            let fits =
                if value.is_null() { column.nullable } else { column.column_type.accepts(value) };
            if !fits {
                return Err(mismatch(column, value));
            }
        }
        Ok(())
    }

    /// A row's primary key for error texts, as in `id = 7` or `a = 1, b = "x"`.
    pub fn describe_key(&self, row: &Row) -> String {
        self.pairs(self.primary_key.iter().map(|column| row.get(*column)))
    }

    /// An encoded primary key for error texts, like [`describe_key`](TableSchema::describe_key);
    /// the bytes in hexadecimal where they are no primary key.
    pub fn describe_encoded_key(&self, key: &[u8]) -> String {
        let directions = vec![Direction::Asc; self.primary_key.len()];
        match decode(key, &directions) {
            Ok(values) => self.pairs(values.iter().map(Value::as_ref)),
            Err(_) => {
                let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("the malformed key 0x{digits}")
            }
        }
    }

    fn pairs<'a>(&self, values: impl Iterator<Item = ValueRef<'a>>) -> String {
        let pairs: Vec<String> = self
            .primary_key
            .iter()
            .zip(values)
            .map(|(column, value)| format!("{} = {value}", self.columns[*column].name))
            .collect();
        pairs.join(", ")
    }
}

fn mismatch(column: &Column, value: ValueRef<'_>) -> String {
    let found = match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Float(float) if float.is_nan() => "NaN".to_owned(),
        value => format!("{} {}", value.type_name(), quoted(value)),
    };
    let column_type = column.column_type;
    let reason = match value {
        ValueRef::Int(_) if column_type == ColumnType::Real => ", which no double equals",
        _ => "",
    };
    format!("column \"{}\": expected {column_type}, found {found}{reason}", column.name)
}

/// The value as text, cut where it is long.
fn quoted(value: ValueRef<'_>) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
