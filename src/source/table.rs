//! One table in memory: its rows, its indexes and what the transaction in flight did to it.

use penstock_operators::delta::ColumnSet;
use penstock_operators::key::{Key, KeyBuffer, KeySpec};
use penstock_operators::row::Row;
use penstock_operators::schema::TableSchema;
use penstock_operators::source::{ApplyError, At, Visitor};

use super::pending::Pending;
use super::span::Span;
use super::tree::Tree;
use super::unique::UniqueKey;

/// A stored order of a table, by position; [`PRIMARY`] is that of the primary key.
pub(super) type IndexId = Option<usize>;

/// The order of the primary key.
pub(super) const PRIMARY: IndexId = None;

/// The rows of a table in one more order. Keys hold the primary key, so they are distinct.
#[derive(Debug)]
struct Index {
    spec: KeySpec,
    columns: ColumnSet,
    tree: Tree,
    users: usize,
}

/// The rows of a table in the order of the primary key and in those that reads need.
///
/// A write costs one look-up in each stored order. State: per stored order a key and a handle for
/// each row; the rows themselves once; the touched rows until the transaction ends.
#[derive(Debug)]
pub(super) struct TableStore {
    pub(super) rows: Tree,
    row_bytes: usize,
    indexes: Vec<Option<Index>>,
    pub(super) unique: Vec<UniqueKey>,
    pub(super) pending: Pending,
}

impl TableStore {
    /// An empty table, with an order for each unique key that needs one.
    pub(super) fn new(schema: &TableSchema) -> TableStore {
        let mut store = TableStore {
            rows: Tree::default(),
            row_bytes: 0,
            indexes: Vec::new(),
            unique: Vec::new(),
            pending: Pending::new(),
        };
        for columns in schema.unique_keys() {
            if let Some((unique, spec)) = UniqueKey::new(schema.primary_key(), columns) {
                let index = spec.map_or(PRIMARY, |spec| store.acquire(spec));
                store.unique.push(unique.on(index));
            }
        }
        store
    }

    /// The position of a stored order with a further user; builds it if there is none.
    /// Building costs O(n log n).
    pub(super) fn acquire(&mut self, spec: KeySpec) -> IndexId {
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
        let mut entries: Vec<_> =
            self.rows.rows().map(|row| (spec.key(row), row.clone())).collect();
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let columns = spec.columns().iter().map(|(column, _)| *column).collect();
        let index = Index { spec, columns, tree: Tree::from_sorted(entries), users: 1 };
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

    /// Gives back a use of a stored order; drops it at zero uses.
    pub(super) fn release(&mut self, index: IndexId) {
        let Some(slot) = index.and_then(|position| self.indexes.get_mut(position)) else { return };
        if let Some(index) = slot {
            index.users -= 1;
            if index.users == 0 {
                *slot = None;
            }
        }
    }

    /// The tree of a stored order; `None` if nothing is stored at that position.
    pub(super) fn tree(&self, index: IndexId) -> Option<&Tree> {
        match index {
            PRIMARY => Some(&self.rows),
            Some(position) => Some(&self.indexes.get(position)?.as_ref()?.tree),
        }
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
        let (tree, spec) = match index {
            PRIMARY => (&self.rows, None),
            Some(position) => match &self.indexes[position] {
                Some(index) => (&index.tree, Some(&index.spec)),
                None => return,
            },
        };
        if at == At::After || self.pending.is_empty() {
            tree.visit(span, visit);
        } else {
            tree.visit_before(&self.pending, spec, span, visit);
        }
    }

    /// Adds a row whose key must be free.
    pub(super) fn insert(&mut self, schema: &TableSchema, row: Row) -> Result<(), ApplyError> {
        check(schema, &row)?;
        let key = schema.primary_key_spec().key(&row);
        if !self.rows.insert_new(&key, row.clone()) {
            return Err(duplicate(schema, &row));
        }
        self.row_bytes += row.heap_bytes();
        self.reindex(None, Some(&row));
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
        let mut new_key = KeyBuffer::new();
        schema.primary_key_spec().write(&row, &mut new_key);
        let missing = || missing(schema, &key, "update");
        if *new_key == *key {
            let stored = self.rows.get_mut(&key).ok_or_else(missing)?;
            let old = std::mem::replace(stored, row.clone());
            self.row_bytes = self.row_bytes + row.heap_bytes() - old.heap_bytes();
            self.reindex(Some(&old), Some(&row));
            self.pending.record(key, Some(old), Some(row));
            return Ok(());
        }
        if self.rows.get(&key).is_none() {
            return Err(missing());
        }
        let new_key = Key::from_slice(&new_key);
        if self.rows.get(&new_key).is_some() {
            return Err(duplicate(schema, &row));
        }
        let old = self.set(key.clone(), None);
        self.set(new_key.clone(), Some(row.clone()));
        self.pending.record(key, old, None);
        self.pending.record(new_key, None, Some(row));
        Ok(())
    }

    /// Removes the row of a key, which must be there.
    pub(super) fn delete(&mut self, schema: &TableSchema, key: Key) -> Result<(), ApplyError> {
        let Some(old) = self.rows.remove(&key) else {
            return Err(missing(schema, &key, "delete"));
        };
        self.row_bytes -= old.heap_bytes();
        self.reindex(Some(&old), None);
        self.pending.record(key, Some(old), None);
        Ok(())
    }

    /// Makes the pending changes the state.
    pub(super) fn commit(&mut self) {
        self.pending.clear();
        self.forget_before();
    }

    /// Undoes the pending changes.
    pub(super) fn rollback(&mut self) {
        for (key, touched) in self.pending.take() {
            self.set(key, touched.old);
        }
        self.forget_before();
    }

    /// Makes `row` the row of a key, in every stored order; returns the row it replaces.
    pub(super) fn set(&mut self, key: Key, row: Option<Row>) -> Option<Row> {
        let old = match &row {
            Some(row) => {
                self.row_bytes += row.heap_bytes();
                self.rows.insert(&key, row.clone())
            }
            None => self.rows.remove(&key),
        };
        self.row_bytes -= old.as_ref().map_or(0, Row::heap_bytes);
        self.reindex(old.as_ref(), row.as_ref());
        old
    }

    /// Makes these the rows of the table; their keys are distinct and ascend. Costs O(n) for each
    /// stored order in which they are sorted, O(n log n) for the others.
    pub(super) fn replace_all(&mut self, entries: Vec<(Key, Row)>) {
        self.row_bytes = entries.iter().map(|(_, row)| row.heap_bytes()).sum();
        self.rows = Tree::from_sorted(entries);
        for index in self.indexes.iter_mut().flatten() {
            let mut entries: Vec<_> =
                self.rows.rows().map(|row| (index.spec.key(row), row.clone())).collect();
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            index.tree = Tree::from_sorted(entries);
        }
    }

    /// Follows a change of one row in every index.
    fn reindex(&mut self, old: Option<&Row>, new: Option<&Row>) {
        self.rows.forget_before();
        if self.indexes.is_empty() {
            return;
        }
        let changed = match (old, new) {
            (Some(old), Some(new)) => old.changed_columns(new),
            _ => ColumnSet::ALL,
        };
        let (mut key, mut new_key) = (KeyBuffer::new(), KeyBuffer::new());
        for index in self.indexes.iter_mut().flatten() {
            index.tree.forget_before();
            key.clear();
            new_key.clear();
            if let Some(new) = new {
                index.spec.write(new, &mut new_key);
                if !changed.intersects(index.columns) {
                    if let Some(stored) = index.tree.get_mut(&new_key) {
                        *stored = new.clone();
                    }
                    continue;
                }
            }
            if let Some(old) = old {
                index.spec.write(old, &mut key);
            }
            match (old, new) {
                (Some(_), Some(new)) => index.tree.rekey(&key, &new_key, new.clone()),
                (Some(_), None) => drop(index.tree.remove(&key)),
                (None, Some(new)) => drop(index.tree.insert(&new_key, new.clone())),
                (None, None) => {}
            }
        }
    }

    fn forget_before(&mut self) {
        self.rows.forget_before();
        for index in self.indexes.iter_mut().flatten() {
            index.tree.forget_before();
        }
    }

    /// Estimated bytes: of the rows with their primary key, and of each index, named.
    /// Costs what [`Tree::bytes`] does.
    pub(super) fn memory(&self, schema: &TableSchema, report: &mut Vec<(String, usize)>) {
        report.push((schema.name().to_owned(), self.rows.bytes() + self.row_bytes));
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
