//! One table in memory: its rows, its indexes and what the transaction in flight did to it.

use penstock_operators::delta::ColumnSet;
use penstock_operators::key::{Key, KeyBuffer, KeySpec};
use penstock_operators::row::Row;
use penstock_operators::schema::TableSchema;
use penstock_operators::source::{ApplyError, At, Visitor};

use super::pending::Pending;
use super::rows::{Place, Rows};
use super::span::Span;
use super::tree::Tree;
use super::unique::UniqueKey;

/// A stored order of a table, by position; [`PRIMARY`] is that of the primary key.
pub(super) type IndexId = Option<usize>;

/// The order of the primary key.
pub(super) const PRIMARY: IndexId = None;

/// The rows of a table in one order. Keys hold the primary key, so they are distinct.
#[derive(Debug)]
struct Index {
    spec: KeySpec,
    columns: ColumnSet,
    tree: Tree,
    users: usize,
}

impl Index {
    fn new(rows: &Rows, spec: KeySpec) -> Index {
        let columns = spec.columns().iter().map(|(column, _)| *column).collect();
        Index { tree: Tree::of(rows, &spec), spec, columns, users: 1 }
    }
}

/// The rows of a table, and the orders of them that reads need.
///
/// A write costs one look-up, and two in each stored order in which the row moves. State: the rows
/// by primary key; per stored order a key and a place for each row; the touched rows until the
/// transaction ends. The order of the primary key is stored from the first read on that needs it.
#[derive(Debug)]
pub(super) struct TableStore {
    pub(super) rows: Rows,
    primary: Option<Index>,
    indexes: Vec<Option<Index>>,
    pub(super) unique: Vec<UniqueKey>,
    pub(super) pending: Pending,
}

impl TableStore {
    /// An empty table, with an order for each unique key that needs one.
    pub(super) fn new(schema: &TableSchema) -> TableStore {
        let mut store = TableStore {
            rows: Rows::new(schema.primary_key_spec().clone()),
            primary: None,
            indexes: Vec::new(),
            unique: Vec::new(),
            pending: Pending::new(),
        };
        for columns in schema.unique_keys() {
            if let Some((unique, spec)) = UniqueKey::new(schema.primary_key(), columns) {
                let index = store.acquire(schema, spec);
                store.unique.push(unique.on(index));
            }
        }
        store
    }

    /// A stored order with a further user, `None` standing for that of the primary key; builds it
    /// if there is none. Building costs O(n log n).
    pub(super) fn acquire(&mut self, schema: &TableSchema, spec: Option<KeySpec>) -> IndexId {
        let Some(spec) = spec else {
            let rows = &self.rows;
            let spec = || schema.primary_key_spec().clone();
            self.primary.get_or_insert_with(|| Index::new(rows, spec()));
            return PRIMARY;
        };
        let known = self
            .indexes
            .iter()
            .position(|slot| slot.as_ref().is_some_and(|index| index.spec == spec));
        if let Some(position) = known {
            if let Some(index) = &mut self.indexes[position] {
                index.users += 1;
            }
            return Some(position);
        }
        let index = Index::new(&self.rows, spec);
        match self.indexes.iter().position(Option::is_none) {
            Some(free) => {
                self.indexes[free] = Some(index);
                Some(free)
            }
            None => {
                self.indexes.push(Some(index));
                Some(self.indexes.len() - 1)
            }
        }
    }

    /// Gives back a use of a stored order; drops it at zero uses. That of the primary key stays.
    pub(super) fn release(&mut self, index: IndexId) {
        let Some(slot) = index.and_then(|position| self.indexes.get_mut(position)) else { return };
        if let Some(index) = slot {
            index.users -= 1;
            if index.users == 0 {
                *slot = None;
            }
        }
    }

    fn index(&self, index: IndexId) -> Option<&Index> {
        match index {
            PRIMARY => self.primary.as_ref(),
            Some(position) => self.indexes.get(position)?.as_ref(),
        }
    }

    /// The rows whose key in a stored order begins with `prefix`, in that order.
    pub(super) fn with_prefix(&self, index: IndexId, prefix: &[u8]) -> impl Iterator<Item = &Row> {
        let places = self.index(index).into_iter();
        places.flat_map(|index| index.tree.with_prefix(prefix)).map(|place| self.rows.at(place))
    }

    /// The row of a primary key.
    pub(super) fn get(&self, at: At, key: &[u8]) -> Option<&Row> {
        match self.pending.get(key) {
            Some(touched) if at == At::Before => touched.old.as_ref(),
            _ => self.rows.get(key),
        }
    }

    /// Visits the rows in a stretch of a stored order.
    pub(super) fn visit(&self, at: At, index: IndexId, span: &Span, visit: &mut Visitor<'_>) {
        let Some(Index { tree, spec, .. }) = self.index(index) else { return };
        if at == At::After || self.pending.is_empty() {
            tree.visit(&self.rows, span, visit);
        } else {
            tree.visit_before(&self.rows, &self.pending, spec, span, visit);
        }
    }

    /// Adds a row whose key must be free.
    pub(super) fn insert(&mut self, schema: &TableSchema, row: Row) -> Result<(), ApplyError> {
        check(schema, &row)?;
        let key = schema.primary_key_spec().key(&row);
        if !self.add(&key, &row) {
            return Err(duplicate(schema, &row));
        }
        self.pending.record(key, None, Some(row));
        Ok(())
    }

    /// Replaces the row of a key, which must be there; a new key must be free.
    pub(super) fn update(
        &mut self,
        schema: &TableSchema,
        key: Key,
        row: Row,
    ) -> Result<(), ApplyError> {
        check(schema, &row)?;
        let Some(place) = self.rows.place(&key) else {
            return Err(missing(schema, &key, "update"));
        };
        if schema.primary_key_spec().is_key_of(&key, &row) {
            let (old, changed) = self.replace(place, row.clone());
            self.pending.record_update(key, old, row, changed);
            return Ok(());
        }
        let new_key = schema.primary_key_spec().key(&row);
        if self.rows.get(&new_key).is_some() {
            return Err(duplicate(schema, &row));
        }
        let old = self.remove(&key);
        self.add(&new_key, &row);
        self.pending.record(key, old, None);
        self.pending.record(new_key, None, Some(row));
        Ok(())
    }

    /// Removes the row of a key, which must be there.
    pub(super) fn delete(&mut self, schema: &TableSchema, key: Key) -> Result<(), ApplyError> {
        let Some(old) = self.remove(&key) else {
            return Err(missing(schema, &key, "delete"));
        };
        self.pending.record(key, Some(old), None);
        Ok(())
    }

    /// Makes the pending changes the state.
    pub(super) fn commit(&mut self) {
        self.pending.clear();
        self.indexes_mut().for_each(|index| index.tree.forget_before());
    }

    /// Undoes the pending changes.
    pub(super) fn rollback(&mut self) {
        for (key, touched) in self.pending.take() {
            match (self.rows.place(&key), touched.old) {
                (Some(place), Some(old)) => drop(self.replace(place, old)),
                (Some(_), None) => drop(self.remove(&key)),
                (None, Some(old)) => drop(self.add(&key, &old)),
                (None, None) => {}
            }
        }
        self.indexes_mut().for_each(|index| index.tree.forget_before());
    }

    /// Adds a row under its key, in every stored order; does nothing and says `false` if the key is
    /// taken.
    pub(super) fn add(&mut self, key: &[u8], row: &Row) -> bool {
        let Some(place) = self.rows.insert(key, row.clone()) else { return false };
        let mut key = KeyBuffer::new();
        for index in self.indexes_mut() {
            key.clear();
            index.spec.write(row, &mut key);
            index.tree.forget_before();
            index.tree.insert(&key, place);
        }
        true
    }

    /// Removes the row of a key from every stored order; returns it.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Row> {
        let (_, old) = self.rows.remove(key)?;
        let mut key = KeyBuffer::new();
        for index in self.indexes_mut() {
            key.clear();
            index.spec.write(&old, &mut key);
            index.tree.forget_before();
            index.tree.remove(&key);
        }
        Some(old)
    }

    /// Puts another row with the same primary key at a place, in every stored order; returns the
    /// one that was there, and the columns in which they differ.
    fn replace(&mut self, place: Place, row: Row) -> (Row, ColumnSet) {
        let new = row.clone();
        let old = self.rows.replace(place, row);
        let changed = old.changed_columns(&new);
        let (mut from, mut to) = (KeyBuffer::new(), KeyBuffer::new());
        for index in self.indexes_mut() {
            index.tree.forget_before();
            if changed.intersects(index.columns) {
                from.clear();
                to.clear();
                index.spec.write(&old, &mut from);
                index.spec.write(&new, &mut to);
                index.tree.rekey(&from, &to, place);
            }
        }
        (old, changed)
    }

    /// Builds every stored order anew. Costs O(n log n) for each.
    pub(super) fn reindex(&mut self) {
        let rows = &self.rows;
        for index in self.indexes.iter_mut().flatten().chain(&mut self.primary) {
            index.tree = Tree::of(rows, &index.spec);
        }
    }

    fn indexes_mut(&mut self) -> impl Iterator<Item = &mut Index> {
        self.indexes.iter_mut().flatten().chain(&mut self.primary)
    }

    /// Bytes: of the rows with what finds them by primary key and the order of that, and of each
    /// index, named. Costs O(rows) for each index, a small part of a step for each row.
    pub(super) fn memory(&self, schema: &TableSchema, report: &mut Vec<(String, usize)>) {
        let primary = self.primary.as_ref().map_or(0, |index| index.tree.bytes());
        report.push((schema.name().to_owned(), self.rows.bytes() + primary));
        for index in self.indexes.iter().flatten() {
            let columns: Vec<&str> = index
                .spec
                .columns()
                .iter()
                .map(|(column, _)| &*schema.columns()[*column].name)
                .collect();
            report.push((format!("{}({})", schema.name(), columns.join(", ")), index.tree.bytes()));
        }
    }
}

/// Whether a row fits its table, as an error if not.
pub(super) fn check(schema: &TableSchema, row: &Row) -> Result<(), ApplyError> {
    schema
        .check_row(row)
        .map_err(|problem| ApplyError::BadRow { table: schema.name().to_owned(), problem })
}

/// The error of a row whose primary key is taken.
pub(super) fn duplicate(schema: &TableSchema, row: &Row) -> ApplyError {
    ApplyError::DuplicateKey { table: schema.name().to_owned(), key: schema.describe_key(row) }
}

fn missing(schema: &TableSchema, key: &[u8], operation: &'static str) -> ApplyError {
    ApplyError::MissingRow {
        table: schema.name().to_owned(),
        key: schema.describe_encoded_key(key),
        operation,
    }
}
