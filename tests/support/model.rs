//! Schemas and tables as plain lists.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use penstock::{ColumnType, Database, Error, RowInput, Schema, Table, Transaction, Value};

use super::values::order;

pub(crate) type Row = Vec<Value>;

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ColumnType,
    pub(crate) nullable: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TableModel {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Vec<usize>,
    pub(crate) unique: Vec<Vec<usize>>,
}

/// The tables and their rows, in no particular order.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) tables: Rc<Vec<TableModel>>,
    pub(crate) rows: Vec<Vec<Row>>,
}

/// One write of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Insert {
        table: usize,
        row: Row,
    },
    /// Changes the row that has the key among `changes`.
    Update {
        table: usize,
        changes: Vec<(usize, Value)>,
    },
    /// Changes the row with a key, perhaps the key too.
    UpdateAt {
        table: usize,
        key: Row,
        changes: Vec<(usize, Value)>,
    },
    Upsert {
        table: usize,
        row: Row,
    },
    Delete {
        table: usize,
        key: Row,
    },
}

/// A write that the data refuses.
#[derive(Debug)]
pub(crate) struct Refused;

impl TableModel {
    pub(crate) fn key_of(&self, row: &[Value]) -> Row {
        self.key.iter().map(|column| row[*column].clone()).collect()
    }

    pub(crate) fn compare_keys(&self, a: &[Value], b: &[Value]) -> Ordering {
        self.key
            .iter()
            .map(|column| order(&a[*column], &b[*column]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    pub(crate) fn input(&self, columns: impl IntoIterator<Item = (usize, Value)>) -> RowInput {
        columns.into_iter().map(|(at, value)| (self.columns[at].name.clone(), value)).collect()
    }

    fn whole(&self, row: &[Value]) -> RowInput {
        self.input(row.iter().cloned().enumerate())
    }

    fn key_input(&self, key: &[Value]) -> RowInput {
        self.input(self.key.iter().copied().zip(key.iter().cloned()))
    }

    fn build(&self) -> Table {
        let mut table = Table::new(&self.name);
        for Column { name, kind, nullable } in &self.columns {
            table = match nullable {
                true => table.nullable(name, *kind),
                false => table.column(name, *kind),
            };
        }
        let names = |columns: &[usize]| -> Vec<&str> {
            columns.iter().map(|column| self.columns[*column].name.as_str()).collect()
        };
        table = table.primary_key(names(&self.key));
        self.unique.iter().fold(table, |table, unique| table.unique(names(unique)))
    }
}

impl Model {
    pub(crate) fn new(tables: Vec<TableModel>) -> Model {
        let rows = tables.iter().map(|_| Vec::new()).collect();
        Model { tables: Rc::new(tables), rows }
    }

    pub(crate) fn schema(&self) -> Result<Schema, String> {
        Schema::new(self.tables.iter().map(TableModel::build)).map_err(|error| error.to_string())
    }

    fn position(&self, table: usize, key: &[Value]) -> Option<usize> {
        let columns = &self.tables[table].key;
        self.rows[table].iter().position(|row| {
            columns.iter().zip(key).all(|(column, value)| order(&row[*column], value).is_eq())
        })
    }

    pub(crate) fn write(&mut self, write: &Write) -> Result<(), Refused> {
        match write {
            Write::Insert { table, row } => {
                let key = self.tables[*table].key_of(row);
                if self.position(*table, &key).is_some() {
                    return Err(Refused);
                }
                self.rows[*table].push(row.clone());
            }
            Write::Update { table, changes } => {
                let find = |column: &usize| changes.iter().rev().find(|(at, _)| at == column);
                let key: Option<Row> = self.tables[*table]
                    .key
                    .iter()
                    .map(|column| Some(find(column)?.1.clone()))
                    .collect();
                return self.change(*table, &key.ok_or(Refused)?, changes);
            }
            Write::UpdateAt { table, key, changes } => return self.change(*table, key, changes),
            Write::Upsert { table, row } => {
                let key = self.tables[*table].key_of(row);
                match self.position(*table, &key) {
                    Some(at) => self.rows[*table][at] = row.clone(),
                    None => self.rows[*table].push(row.clone()),
                }
            }
            Write::Delete { table, key } => {
                let at = self.position(*table, key).ok_or(Refused)?;
                self.rows[*table].remove(at);
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        table: usize,
        key: &[Value],
        changes: &[(usize, Value)],
    ) -> Result<(), Refused> {
        let at = self.position(table, key).ok_or(Refused)?;
        let mut row = self.rows[table][at].clone();
        for (column, value) in changes {
            row[*column] = value.clone();
        }
        let taken = self.position(table, &self.tables[table].key_of(&row));
        if taken.is_some_and(|taken| taken != at) {
            return Err(Refused);
        }
        self.rows[table][at] = row;
        Ok(())
    }

    /// Whether no two rows share the values of a unique key. Rows with a null there do not.
    pub(crate) fn unique_keys_hold(&self) -> bool {
        self.tables.iter().zip(&self.rows).all(|(table, rows)| {
            table.unique.iter().all(|columns| {
                let same = |a: &Row, b: &Row| {
                    let equal = |column: &usize| order(&a[*column], &b[*column]).is_eq();
                    columns.iter().all(|column| !a[*column].is_null() && equal(column))
                };
                let repeated =
                    |at: usize| rows[at + 1..].iter().any(|other| same(&rows[at], other));
                !(0..rows.len()).any(repeated)
            })
        })
    }

    /// Inserts all rows into a database.
    pub(crate) fn load(&self, db: &Database) -> Result<(), String> {
        for (table, rows) in self.tables.iter().zip(&self.rows) {
            db.load(&table.name, rows.iter().map(|row| table.whole(row)))
                .map_err(|error| format!("loading {}: {error}", table.name))?;
        }
        Ok(())
    }
}

impl Write {
    /// Makes the write in a transaction of the engine.
    pub(crate) fn make(
        &self,
        tables: &[TableModel],
        tx: &mut Transaction<'_>,
    ) -> Result<(), Error> {
        let table = &tables[self.table()];
        let name = &table.name;
        match self {
            Write::Insert { row, .. } => tx.insert(name, table.whole(row)),
            Write::Update { changes, .. } => tx.update(name, table.input(changes.clone())),
            Write::UpdateAt { key, changes, .. } => {
                tx.update_at(name, table.key_input(key), table.input(changes.clone()))
            }
            Write::Upsert { row, .. } => tx.upsert(name, table.whole(row)).map(drop),
            Write::Delete { key, .. } => tx.delete(name, table.key_input(key)),
        }
    }

    pub(crate) fn table(&self) -> usize {
        match self {
            Write::Insert { table, .. }
            | Write::Update { table, .. }
            | Write::UpdateAt { table, .. }
            | Write::Upsert { table, .. }
            | Write::Delete { table, .. } => *table,
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, rows) in self.tables.iter().zip(&self.rows) {
            write!(f, "{}(", table.name)?;
            for (at, column) in table.columns.iter().enumerate() {
                let key = if table.key.contains(&at) { "*" } else { "" };
                let null = if column.nullable { "?" } else { "" };
                let separator = if at == 0 { "" } else { ", " };
                write!(f, "{separator}{}{key} {}{null}", column.name, column.kind)?;
            }
            write!(f, ")")?;
            for unique in &table.unique {
                write!(f, " unique {unique:?}")?;
            }
            writeln!(f)?;
            for row in rows {
                writeln!(f, "  {row:?}")?;
            }
        }
        Ok(())
    }
}
