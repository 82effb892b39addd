//! Results as applications read them: trees of rows with names.

use std::sync::Arc;

use penstock_operators::key::Key;
use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId, TableSchema};
use penstock_operators::value::ValueRef;
use penstock_operators::view::Node;
use serde::de::DeserializeOwned;

use crate::de;
use crate::error::Error;
use crate::json::value_to_json;
use crate::patch::Patch;
use crate::query::ViewFormat;

/// An ordered list of rows with their related rows, as it was at one commit. Cheap to clone.
#[derive(Clone)]
pub struct Tree {
    schema: Schema,
    view: Arc<ViewFormat>,
    nodes: Arc<[Node]>,
}

/// One row of a [`Tree`], with its related rows.
#[derive(Clone)]
pub struct Entry {
    tree: Tree,
    at: usize,
}

/// One row of a table.
#[derive(Clone, PartialEq)]
pub struct RowView {
    schema: Schema,
    table: TableId,
    row: Row,
}

impl Tree {
    pub(crate) fn new(schema: Schema, view: Arc<ViewFormat>, nodes: Arc<[Node]>) -> Tree {
        Tree { schema, view, nodes }
    }

    /// The number of rows at this level.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The row at a position.
    pub fn get(&self, at: usize) -> Option<Entry> {
        (at < self.nodes.len()).then(|| Entry { tree: self.clone(), at })
    }

    /// The first row.
    pub fn first(&self) -> Option<Entry> {
        self.get(0)
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.nodes.len()).map(|at| Entry { tree: self.clone(), at })
    }

    /// The only row, where the query or relationship is singular.
    ///
    /// # Errors
    /// [`Error::NotSingular`] where one row was declared and there are two.
    pub fn one(&self) -> Result<Option<Entry>, Error> {
        self.one_of(self.table().name())
    }

    /// The only row of a relationship; its name is for the error.
    pub(crate) fn one_of(&self, relationship: &str) -> Result<Option<Entry>, Error> {
        if self.view.expect_one
            && let [first, second, ..] = &*self.nodes
        {
            let table = self.table();
            return Err(Error::NotSingular {
                path: relationship.to_owned(),
                table: table.name().to_owned(),
                first: table.describe_key(&first.row),
                second: table.describe_key(&second.row),
            });
        }
        Ok(self.first())
    }

    /// All rows, converted; a row's related lists are fields with the relationships' names.
    ///
    /// # Errors
    /// A column that is missing or of another type in `T`; [`Error::NotSingular`].
    pub fn to<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        self.iter().map(|entry| entry.to()).collect()
    }

    /// The tree as JSON: a list of objects, or for a singular one an object or null.
    ///
    /// # Errors
    /// [`Error::NotSingular`] where one row was declared and there are two.
    pub fn to_json(&self) -> Result<serde_json::Value, Error> {
        if self.view.singular {
            return self.one()?.map_or(Ok(serde_json::Value::Null), |entry| entry.to_json());
        }
        self.list_to_json("")
    }

    fn list_to_json(&self, path: &str) -> Result<serde_json::Value, Error> {
        let entries = self.iter().map(|entry| entry.to_json_at(path));
        Ok(serde_json::Value::Array(entries.collect::<Result<_, _>>()?))
    }

    /// Takes the tree through a patch of the subscription that it came from.
    ///
    /// Cost: O(list) for each changed list.
    pub fn apply(&mut self, patch: &Patch) {
        match patch.reset_tree() {
            Some(tree) => *self = tree.clone(),
            None => self.nodes = patch.list().apply(&self.nodes).into(),
        }
    }

    /// The table of the rows.
    pub fn table(&self) -> &TableSchema {
        self.schema.table(self.view.table)
    }

    pub(crate) fn view_handle(&self) -> Arc<ViewFormat> {
        Arc::clone(&self.view)
    }

    pub(crate) fn schema_handle(&self) -> Schema {
        self.schema.clone()
    }

    /// Whether it is one row or none rather than a list.
    pub fn is_singular(&self) -> bool {
        self.view.singular
    }

    /// The rows in their inner form.
    pub fn nodes(&self) -> &Arc<[Node]> {
        &self.nodes
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        self.nodes == other.nodes
    }
}

impl IntoIterator for Tree {
    type Item = Entry;
    type IntoIter = Entries;

    fn into_iter(self) -> Entries {
        Entries { tree: self, at: 0 }
    }
}

impl IntoIterator for &Tree {
    type Item = Entry;
    type IntoIter = Entries;

    fn into_iter(self) -> Entries {
        Entries { tree: self.clone(), at: 0 }
    }
}

/// The rows of a [`Tree`], in order.
pub struct Entries {
    tree: Tree,
    at: usize,
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let entry = self.tree.get(self.at)?;
        self.at += 1;
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.tree.len() - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Entries {}

impl Entry {
    pub(crate) fn node(&self) -> &Node {
        &self.tree.nodes[self.at]
    }

    /// A column's value; `None` for a column that the table does not have.
    pub fn get(&self, column: &str) -> Option<ValueRef<'_>> {
        let table = self.tree.table();
        let column = table.column_index(column)?;
        Some(self.node().row.get(table.position(column)))
    }

    /// A related list; `None` for a name that the query did not ask for.
    pub fn related(&self, name: &str) -> Option<Tree> {
        let names = &self.tree.view.relationships;
        self.related_at(names.iter().position(|relationship| relationship.name == name)?)
    }

    pub(crate) fn related_at(&self, position: usize) -> Option<Tree> {
        let relationship = self.tree.view.relationships.get(position)?;
        Some(Tree {
            schema: self.tree.schema.clone(),
            view: Arc::clone(&relationship.format),
            nodes: Arc::clone(self.node().related.get(position)?),
        })
    }

    /// The only row of a related list.
    ///
    /// # Errors
    /// [`Error::NotSingular`] where one row was declared and there are two.
    pub fn one(&self, name: &str) -> Result<Option<Entry>, Error> {
        match self.related(name) {
            Some(tree) => tree.one_of(name),
            None => Ok(None),
        }
    }

    /// The row without its related rows.
    pub fn row(&self) -> RowView {
        RowView::new(self.tree.schema.clone(), self.tree.view.table, self.node().row.clone())
    }

    /// The row's place in its list: lists are sorted by it, bytewise.
    pub fn key(&self) -> &Key {
        &self.node().key
    }

    /// The names of the relationships, in order.
    pub fn relationships(&self) -> impl Iterator<Item = &str> {
        self.tree.view.relationships.iter().map(|relationship| relationship.name.as_str())
    }

    /// The row and its related rows, converted.
    ///
    /// # Errors
    /// A column that is missing or of another type in `T`; [`Error::NotSingular`].
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Error> {
        de::entry(self)
    }

    /// The row and its related rows as a JSON object.
    ///
    /// # Errors
    /// [`Error::NotSingular`] where one row was declared and there are two.
    pub fn to_json(&self) -> Result<serde_json::Value, Error> {
        self.to_json_at("")
    }

    /// `path` leads here, for errors: the names of relationships, separated by dots.
    fn to_json_at(&self, path: &str) -> Result<serde_json::Value, Error> {
        let mut object = row_to_json(self.tree.table(), &self.node().row);
        for (position, name) in self.relationships().enumerate() {
            let Some(tree) = self.related_at(position) else { continue };
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let json = if !tree.is_singular() {
                tree.list_to_json(&path)?
            } else if let Some(entry) = tree.one_of(&path)? {
                entry.to_json_at(&path)?
            } else {
                serde_json::Value::Null
            };
            object.insert(name.to_owned(), json);
        }
        Ok(serde_json::Value::Object(object))
    }

    pub(crate) fn table(&self) -> &TableSchema {
        self.tree.table()
    }
}

impl RowView {
    pub(crate) fn new(schema: Schema, table: TableId, row: Row) -> RowView {
        RowView { schema, table, row }
    }

    /// A column's value; `None` for a column that the table does not have.
    pub fn get(&self, column: &str) -> Option<ValueRef<'_>> {
        let table = self.table();
        Some(self.row.get(table.position(table.column_index(column)?)))
    }

    /// The row's table.
    pub fn table(&self) -> &TableSchema {
        self.schema.table(self.table)
    }

    /// The row's table by number.
    pub fn table_id(&self) -> TableId {
        self.table
    }

    /// The values in column order.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// The row converted.
    ///
    /// # Errors
    /// A column that is missing or of another type in `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Error> {
        de::row(self.table(), &self.row)
    }

    /// The row as a JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Object(row_to_json(self.table(), &self.row))
    }

    /// The primary key, as `column = value` pairs.
    pub fn describe_key(&self) -> String {
        self.table().describe_key(&self.row)
    }
}

fn row_to_json(table: &TableSchema, row: &Row) -> serde_json::Map<String, serde_json::Value> {
    table
        .values(row)
        .map(|(column, value)| (column.name.to_string(), value_to_json(value, column.column_type)))
        .collect()
}

impl std::fmt::Display for RowView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (column, value)) in self.table().values(&self.row).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{}: {value}", column.name)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for RowView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {{ {self} }}", self.table().name())
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        fn write_tree(
            tree: &Tree,
            depth: usize,
            f: &mut std::fmt::Formatter<'_>,
        ) -> std::fmt::Result {
            for entry in tree {
                writeln!(f, "{:indent$}{}", "", entry.row(), indent = depth * 2)?;
                for (position, name) in entry.relationships().enumerate() {
                    let Some(related) = entry.related_at(position) else { continue };
                    writeln!(f, "{:indent$}{name}:", "", indent = depth * 2 + 2)?;
                    write_tree(&related, depth + 2, f)?;
                }
            }
            Ok(())
        }
        write_tree(self, 0, f)
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = self.row();
        let mut entry = f.debug_struct(row.table().name());
        for (column, value) in row.table().values(row.row()) {
            entry.field(&column.name, &format_args!("{value}"));
        }
        for (position, name) in self.relationships().enumerate() {
            if let Some(tree) = self.related_at(position) {
                entry.field(name, &tree);
            }
        }
        entry.finish()
    }
}
