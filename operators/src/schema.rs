//! Tables, their columns, keys and relationships.
//!
//! Tables are declared by name with [`Table`] and become a [`Schema`], in which all names have
//! been resolved and checked. Names are for the edges; everything within goes by [`TableId`] and
//! column number.

use std::sync::Arc;

use crate::expr::{Affinity, Collation};
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

/// The bit that derived tables' ids have.
const DERIVED: u32 = 1 << 31;

impl TableId {
    /// The id of a derived table: in a plan that of its position in
    /// [`Plan::derived`](crate::plan::Plan::derived), in a graph that of its place there.
    pub fn derived(number: u32) -> TableId {
        TableId(DERIVED | number)
    }

    /// The number of a derived table; `None` for a base table.
    #[inline]
    pub fn derived_number(self) -> Option<u32> {
        (self.0 & DERIVED != 0).then_some(self.0 & !DERIVED)
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name, unique in the table.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it does, in SQL, to values that it is compared with.
    pub affinity: Affinity,
    /// How its texts compare in SQL where nothing else is said. Keys and the orders of builder
    /// queries are binary whatever it is.
    pub collation: Collation,
}

impl Column {
    /// A column with the affinity that its type has in SQLite, and binary collation.
    pub fn new(name: impl Into<String>, column_type: ColumnType, nullable: bool) -> Column {
        let affinity = match column_type {
            ColumnType::Boolean | ColumnType::Number => Affinity::Numeric,
            ColumnType::Integer => Affinity::Integer,
            ColumnType::Real => Affinity::Real,
            ColumnType::Text | ColumnType::Json => Affinity::Text,
            ColumnType::Blob | ColumnType::Any => Affinity::Blob,
        };
        let collation = Collation::Binary;
        Column { name: name.into(), column_type, nullable, affinity, collation }
    }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    name: String,
    columns: Vec<Column>,
    /// Column numbers sorted by name.
    by_name: Vec<usize>,
    primary_key: Vec<usize>,
    primary_key_spec: KeySpec,
    unique_keys: Vec<Vec<usize>>,
    relationships: Vec<Relationship>,
    /// Where a row has the value of each column; absent where that is the column's own number.
    positions: Option<Box<[usize]>>,
}

/// How the rows of a result are shown: as those of a table whose columns are some of the values of
/// a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The name.
    pub name: String,
    /// The columns, each with the position of its value in a row.
    pub columns: Vec<(Column, usize)>,
    /// The positions of the values that tell rows apart.
    pub key: Vec<usize>,
    /// The table whose relationships the rows have; its columns are at their own positions.
    pub like: Option<TableId>,
}

/// The tables of a source. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    tables: Vec<TableSchema>,
    /// Tables sorted by name.
    by_name: Vec<TableId>,
    /// By the number of a [`TableId::derived`]; without names to be found by.
    shown: Vec<TableSchema>,
    /// Tables that cannot be queried, with why.
    refused: Vec<(String, String)>,
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
        match id.derived_number() {
            None => &self.0.tables[id.0 as usize],
            Some(number) => &self.0.shown[number as usize],
        }
    }

    /// This schema with further tables, which have no names to be found by: the first is
    /// `TableId::derived(0)`, and so on. O(schema).
    #[must_use]
    pub fn with_shown(&self, shown: Vec<Shown>) -> Schema {
        let relationships = |shown: &Shown| {
            let like = shown.like.map(|like| self.table(like).relationships.clone());
            like.unwrap_or_default()
        };
        let shown = shown
            .into_iter()
            .map(|shown| {
                let relationships = relationships(&shown);
                TableSchema { relationships, ..TableSchema::shown(shown) }
            })
            .collect();
        let Inner { tables, by_name, refused, .. } = &*self.0;
        let (tables, by_name, refused) = (tables.clone(), by_name.clone(), refused.clone());
        Schema(Arc::new(Inner { tables, by_name, shown, refused }))
    }

    /// This schema with the names of tables that are there but cannot be queried, and why.
    #[must_use]
    pub fn with_refused(&self, refused: Vec<(String, String)>) -> Schema {
        let Inner { tables, by_name, shown, .. } = &*self.0;
        let (tables, by_name, shown) = (tables.clone(), by_name.clone(), shown.clone());
        Schema(Arc::new(Inner { tables, by_name, shown, refused }))
    }

    /// Why a table that is there cannot be queried. O(refused tables).
    pub fn refused(&self, name: &str) -> Option<&str> {
        let mut refused = self.0.refused.iter();
        refused.find(|(table, _)| table == name).map(|(_, reason)| reason.as_str())
    }

    /// The tables that are there but cannot be queried, each with why.
    pub fn refused_tables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.refused.iter().map(|(name, reason)| (name.as_str(), reason.as_str()))
    }

    /// All tables, in the order of their ids.
    pub fn tables(&self) -> &[TableSchema] {
        &self.0.tables
    }

    /// The names of the tables that there are; a source keeps the place of one that is gone under a
    /// name that begins with a NUL.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.tables.iter().map(TableSchema::name).filter(|name| !name.starts_with('\0'))
    }
}

impl TableSchema {
    fn shown(shown: Shown) -> TableSchema {
        let (columns, positions): (Vec<Column>, Vec<usize>) = shown.columns.into_iter().unzip();
        let mut by_name: Vec<usize> = (0..columns.len()).collect();
        by_name.sort_by(|a, b| columns[*a].name.cmp(&columns[*b].name));
        let within = |key: &usize| positions.iter().position(|position| position == key);
        TableSchema {
            name: shown.name,
            by_name,
            // Keys are described by what of them is shown.
            primary_key: shown.key.iter().filter_map(within).collect(),
            primary_key_spec: KeySpec::asc(&shown.key),
            unique_keys: Vec::new(),
            relationships: Vec::new(),
            positions: Some(positions.into()),
            columns,
        }
    }

    /// Where a row has the value of a column.
    #[inline]
    pub fn position(&self, column: usize) -> usize {
        self.positions.as_ref().map_or(column, |positions| positions[column])
    }

    /// The columns with their values in a row of the table.
    pub fn values<'a>(
        &'a self,
        row: &'a Row,
    ) -> impl Iterator<Item = (&'a Column, ValueRef<'a>)> + 'a {
        let columns = self.columns.iter().enumerate();
        columns.map(|(at, column)| (column, row.get(self.position(at))))
    }

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
                (ColumnType::Text, RawValue::Text(_))
                | (ColumnType::Json, RawValue::Json(_))
                | (ColumnType::Integer | ColumnType::Number, RawValue::Int(_))
                | (ColumnType::Boolean, RawValue::Bool(_)) => continue,
                _ => {}
            }
            self.check_value(at, row.get(at))?;
        }
        Ok(())
    }

    /// Checks that a value is of the right type for a column.
    ///
    /// # Errors
    ///
    /// As [`check_row`](TableSchema::check_row).
    pub fn check_value(&self, column: usize, value: ValueRef<'_>) -> Result<(), String> {
        let column = &self.columns[column];
        let fits =
            if value.is_null() { column.nullable } else { column.column_type.accepts(value) };
        if fits { Ok(()) } else { Err(mismatch(column, value)) }
    }

    /// A row's primary key for error texts, as in `id = 7` or `a = 1, b = "x"`.
    pub fn describe_key(&self, row: &Row) -> String {
        if self.positions.is_some()
            && self.primary_key.len() < self.primary_key_spec.columns().len()
        {
            let all: Vec<String> = self
                .values(row)
                .map(|(column, value)| format!("{} = {value}", column.name))
                .collect();
            return all.join(", ");
        }
        self.pairs(self.primary_key.iter().map(|column| row.get(self.position(*column))))
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
