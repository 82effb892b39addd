//! What is known of a table of the file, and the statements that follow from it.

use penstock_operators::expr::{Affinity, Collation};
use penstock_operators::key::{Direction, KeySpec};
use penstock_operators::row::Row;
use penstock_operators::value::{Value, ValueRef};

use super::value::{Comparable, Kind, comparable};

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) affinity: Affinity,
    pub(super) collation: Collation,
    /// Computed by SQLite; not written.
    pub(super) generated: bool,
}

/// A unique index: the rows that a new row would meet in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UniqueIndex {
    /// The columns, each with its collation there. Expressions are left out.
    pub(super) columns: Vec<(usize, String)>,
    /// Whether an expression was left out.
    pub(super) has_expressions: bool,
}

/// A table of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TableInfo {
    pub(super) name: String,
    pub(super) columns: Vec<ColumnInfo>,
    /// The columns that identify a row.
    pub(super) key: Vec<usize>,
    pub(super) key_spec: KeySpec,
    pub(super) key_directions: Vec<Direction>,
    /// All unique indexes but the table's rowid.
    pub(super) unique: Vec<UniqueIndex>,
    /// A name of the rowid that no column hides, where the table has one and the key is not it.
    pub(super) rowid: Option<&'static str>,
    /// Whether a write of a row does just that: no trigger of the table, no foreign key, nothing
    /// computed.
    pub(super) is_plain: bool,
    /// Whether it is still in the file.
    pub(super) present: bool,
    /// `SELECT … FROM …`
    pub(super) select: String,
    /// The row of a key, all of whose values are compared natively.
    pub(super) get: String,
    pub(super) insert: String,
    pub(super) delete: String,
    /// The columns that `insert` takes.
    pub(super) written: Vec<usize>,
}

impl TableInfo {
    pub(super) fn new(
        name: String,
        columns: Vec<ColumnInfo>,
        key: Vec<usize>,
        unique: Vec<UniqueIndex>,
        rowid: Option<&'static str>,
    ) -> TableInfo {
        let written: Vec<usize> = (0..columns.len()).filter(|at| !columns[*at].generated).collect();
        let mut info = TableInfo {
            key_spec: KeySpec::asc(&key),
            key_directions: vec![Direction::Asc; key.len()],
            name,
            columns,
            key,
            unique,
            rowid,
            is_plain: false,
            present: true,
            select: String::new(),
            get: String::new(),
            insert: String::new(),
            delete: String::new(),
            written,
        };
        let table = info.path();
        info.select = format!("SELECT {} FROM {table}", info.list("", 0..info.columns.len()));
        let key = info.key_condition(1);
        info.get = format!("{} WHERE {key}", info.select);
        info.delete = format!("DELETE FROM {table} WHERE {key}");
        let names = info.list("", info.written.iter().copied());
        let places: Vec<String> = (1..=info.written.len()).map(|at| format!("?{at}")).collect();
        info.insert = format!("INSERT INTO {table}({names}) VALUES({})", places.join(","));
        info
    }

    /// Whether SQLite compares these values of the key as keys do.
    pub(super) fn is_native(&self, key: &[Value]) -> bool {
        self.key.iter().zip(key).all(|(column, value)| {
            let info = &self.columns[*column];
            comparable(value.as_ref(), info.kind, info.affinity) == Comparable::Native
        })
    }

    /// Whether SQLite stores a row's values as they are.
    pub(super) fn stores(&self, row: Option<&Row>) -> bool {
        let keeps = |(column, value): (&ColumnInfo, ValueRef<'_>)| {
            matches!(
                (column.kind, column.affinity, value),
                (_, _, ValueRef::Null | ValueRef::Blob(_))
                    | (Kind::Plain, Affinity::Integer, ValueRef::Int(_))
                    | (Kind::Plain, Affinity::Text, ValueRef::Text(_))
                    | (Kind::Plain, Affinity::Blob, ValueRef::Int(_) | ValueRef::Text(_))
                    | (Kind::Boolean, _, ValueRef::Bool(_))
            ) || match (column.affinity, value) {
                // Zero may lose its sign.
                (Affinity::Real | Affinity::Blob, ValueRef::Float(value)) => value != 0.0,
                _ => false,
            }
        };
        row.is_none_or(|row| self.columns.iter().zip(row.values()).all(keeps))
    }

    /// The table's name with the database that it is in.
    pub(super) fn path(&self) -> String {
        format!("main.{}", quoted(&self.name))
    }

    /// A column's name as SQL writes it.
    pub(super) fn column(&self, at: usize) -> String {
        quoted(&self.columns[at].name)
    }

    /// Columns, each after a prefix, separated by commas.
    pub(super) fn list(&self, prefix: &str, columns: impl IntoIterator<Item = usize>) -> String {
        let names: Vec<String> =
            columns.into_iter().map(|at| format!("{prefix}{}", self.column(at))).collect();
        names.join(",")
    }

    /// An update of the row of a key: of these columns, then the key's values.
    pub(super) fn update(&self, columns: &[usize]) -> String {
        let sets: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{}=?{}", self.column(*column), at + 1))
            .collect();
        let key = self.key_condition(columns.len() + 1);
        format!("UPDATE {} SET {} WHERE {key}", self.path(), sets.join(","))
    }

    /// That the key has the values of parameters from a number on.
    fn key_condition(&self, first: usize) -> String {
        let terms: Vec<String> = self
            .key
            .iter()
            .enumerate()
            .map(|(at, column)| self.equals(*column, first + at))
            .collect();
        terms.join(" AND ")
    }

    /// That a column equals a parameter byte by byte, in a way that an index of the column's own
    /// collation can serve.
    pub(super) fn equals(&self, column: usize, parameter: usize) -> String {
        let name = self.column(column);
        match self.columns[column].collation {
            Collation::Binary => format!("{name}=?{parameter}"),
            _ => format!("({name}=?{parameter} AND {name}=?{parameter} COLLATE BINARY)"),
        }
    }
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
