//! Schemas: tables, their columns, keys and relationships.
//!
//! [`Table`] describes one table by names; [`Schema::new`] checks a set of them against each other
//! and turns names into numbers.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::key::{Direction, KeySpec, decode};
use crate::row::Row;
use crate::value::{ColumnType, Value, ValueRef};

/// The number of a table in its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it takes null.
    pub nullable: bool,
}

/// A named way from the rows of one table to those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// Its name, unique in the table and different from its columns.
    pub name: String,
    /// The tables on the way, the last being the one that the relationship leads to.
    pub hops: Vec<Hop>,
    /// Whether it leads to at most one row.
    pub one: bool,
}

/// One hop of a relationship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The table that the hop leads to.
    pub table: TableId,
    /// Columns of the table that the hop starts from.
    pub from: Vec<usize>,
    /// The columns of `table` that are equal to them, in the same order.
    pub to: Vec<usize>,
}

/// A table as described by its author. Chained calls describe it; nothing is checked before
/// [`Schema::new`].
///
/// ```
/// use penstock_operators::schema::{Schema, Table};
/// use penstock_operators::value::ColumnType::{Integer, Text};
///
/// let schema = Schema::new([
///     Table::new("issue")
///         .column("id", Integer)
///         .nullable("title", Text)
///         .primary_key(["id"])
///         .many_through(
///             "labels",
///             [("issueLabel", ["id"], ["issueId"]), ("label", ["labelId"], ["id"])],
///         ),
///     Table::new("label").column("id", Integer).column("name", Text).primary_key(["id"]),
///     Table::new("issueLabel")
///         .column("issueId", Integer)
///         .column("labelId", Integer)
///         .primary_key(["issueId", "labelId"]),
/// ])?;
/// assert_eq!(schema.tables().len(), 3);
/// # Ok::<(), penstock_operators::schema::SchemaError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    primary_key: Vec<String>,
    unique: Vec<Vec<String>>,
    relationships: Vec<NamedRelationship>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedRelationship {
    name: String,
    hops: Vec<NamedHop>,
    one: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedHop {
    table: String,
    from: Vec<String>,
    to: Vec<String>,
}

fn names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

impl Table {
    /// A table without columns yet.
    pub fn new(name: impl Into<String>) -> Table {
        Table {
            name: name.into(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            relationships: Vec::new(),
        }
    }

    /// Adds a column that does not take null.
    #[must_use]
    pub fn column(self, name: impl Into<String>, column_type: ColumnType) -> Table {
        self.with_column(name.into(), column_type, false)
    }

    /// Adds a column that takes null.
    #[must_use]
    pub fn nullable(self, name: impl Into<String>, column_type: ColumnType) -> Table {
        self.with_column(name.into(), column_type, true)
    }

    fn with_column(mut self, name: String, column_type: ColumnType, nullable: bool) -> Table {
        self.columns.push(Column { name, column_type, nullable });
        self
    }

    /// Sets the primary key.
    #[must_use]
    pub fn primary_key<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Table {
        self.primary_key = names(columns);
        self
    }

    /// Adds a unique key: no two rows have the same values in these columns, unless one is null.
    #[must_use]
    pub fn unique<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Table {
        self.unique.push(names(columns));
        self
    }

    /// Adds a relationship to at most one row of `table`: the one whose `to` columns equal this
    /// table's `from` columns.
    #[must_use]
    pub fn one<S: Into<String>>(
        self,
        name: impl Into<String>,
        table: impl Into<String>,
        from: impl IntoIterator<Item = S>,
        to: impl IntoIterator<Item = S>,
    ) -> Table {
        let hop = NamedHop { table: table.into(), from: names(from), to: names(to) };
        self.with_relationship(name.into(), vec![hop], true)
    }

    /// Adds a relationship to any number of rows of `table`.
    #[must_use]
    pub fn many<S: Into<String>>(
        self,
        name: impl Into<String>,
        table: impl Into<String>,
        from: impl IntoIterator<Item = S>,
        to: impl IntoIterator<Item = S>,
    ) -> Table {
        let hop = NamedHop { table: table.into(), from: names(from), to: names(to) };
        self.with_relationship(name.into(), vec![hop], false)
    }

    /// Adds a relationship over several hops, each `(table, from, to)`; the rows of all tables but
    /// the last are not shown.
    #[must_use]
    pub fn many_through<T: Into<String>, S: Into<String>, C: IntoIterator<Item = S>>(
        self,
        name: impl Into<String>,
        hops: impl IntoIterator<Item = (T, C, C)>,
    ) -> Table {
        let hop =
            |(table, from, to): (T, C, C)| NamedHop { table: table.into(), from: names(from), to: names(to) };
        self.with_relationship(name.into(), hops.into_iter().map(hop).collect(), false)
    }

    fn with_relationship(mut self, name: String, hops: Vec<NamedHop>, one: bool) -> Table {
        self.relationships.push(NamedRelationship { name, hops, one });
        self
    }
}

/// A table whose description has been checked.
#[derive(Debug, PartialEq, Eq)]
pub struct TableSchema {
    name: String,
    columns: IndexMap<String, Column, ahash::RandomState>,
    list: Vec<Column>,
    primary_key: Vec<usize>,
    primary_key_spec: KeySpec,
    unique: Vec<Vec<usize>>,
    relationships: Vec<Relationship>,
}

/// A checked set of tables. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(Arc<Tables>);

#[derive(Debug, PartialEq, Eq)]
struct Tables {
    list: Vec<TableSchema>,
    by_name: IndexMap<String, TableId, ahash::RandomState>,
}

/// How a schema contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A table, column or relationship without a name.
    #[error("{what} has an empty name")]
    EmptyName {
        /// `a table`, `a column of table "x"`, …
        what: String,
    },
    /// Two tables of one name.
    #[error("there are two tables named \"{table}\"")]
    DuplicateTable {
        /// The name.
        table: String,
    },
    /// Two columns of one name.
    #[error("table \"{table}\" has two columns named \"{column}\"")]
    DuplicateColumn {
        /// The table.
        table: String,
        /// The name.
        column: String,
    },
    /// A table without columns.
    #[error("table \"{table}\" has no columns")]
    NoColumns {
        /// The table.
        table: String,
    },
    /// A table without a primary key.
    #[error("table \"{table}\" has no primary key; name one with primary_key([…])")]
    NoPrimaryKey {
        /// The table.
        table: String,
    },
    /// A column that the table does not have.
    #[error("table \"{table}\": {used_in} names column \"{column}\", which the table does not have; it has: {known}")]
    UnknownColumn {
        /// The table.
        table: String,
        /// The key or relationship that names it.
        used_in: String,
        /// The name.
        column: String,
        /// The names there are.
        known: String,
    },
    /// A key that names a column twice, or no column.
    #[error("table \"{table}\": {key} {problem}")]
    BadKey {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two relationships of one name, or one with the name of a column.
    #[error("table \"{table}\": relationship \"{relationship}\" has the name of another {other}")]
    DuplicateRelationship {
        /// The table.
        table: String,
        /// The name.
        relationship: String,
        /// `column` or `relationship`.
        other: &'static str,
    },
    /// A relationship to a table that the schema does not have.
    #[error("table \"{table}\": relationship \"{relationship}\" leads to table \"{target}\", which the schema does not have")]
    UnknownTarget {
        /// The table.
        table: String,
        /// The relationship.
        relationship: String,
        /// The table it leads to.
        target: String,
    },
    /// A relationship whose columns do not fit together.
    #[error("table \"{table}\": relationship \"{relationship}\" {problem}")]
    BadRelationship {
        /// The table.
        table: String,
        /// The relationship.
        relationship: String,
        /// What does not fit.
        problem: String,
    },
}

impl Schema {
    /// Checks tables against each other.
    ///
    /// # Errors
    /// The first contradiction, in the order of the tables.
    pub fn new(tables: impl IntoIterator<Item = Table>) -> Result<Schema, SchemaError> {
        let tables: Vec<Table> = tables.into_iter().collect();
        let mut by_name = IndexMap::with_hasher(crate::level::fixed_hasher());
        let mut list = Vec::new();
        for table in &tables {
            if table.name.is_empty() {
                return Err(SchemaError::EmptyName { what: "a table".into() });
            }
            let id = TableId(u32::try_from(list.len()).unwrap_or(u32::MAX));
            if by_name.insert(table.name.clone(), id).is_some() {
                return Err(SchemaError::DuplicateTable { table: table.name.clone() });
            }
            list.push(check_table(table)?);
        }
        for (at, table) in tables.iter().enumerate() {
            let relationships = check_relationships(at, table, &list, &by_name)?;
            list[at].relationships = relationships;
        }
        Ok(Schema(Arc::new(Tables { list, by_name })))
    }

    /// The number of a table.
    pub fn table_id(&self, name: &str) -> Option<TableId> {
        self.0.by_name.get(name).copied()
    }

    /// A table.
    ///
    /// # Panics
    /// For a number from another schema.
    #[inline]
    pub fn table(&self, id: TableId) -> &TableSchema {
        &self.0.list[id.0 as usize]
    }

    /// The tables in order; a table's number is its position.
    pub fn tables(&self) -> &[TableSchema] {
        &self.0.list
    }
}

fn check_table(table: &Table) -> Result<TableSchema, SchemaError> {
    let name = || table.name.clone();
    let mut columns = IndexMap::with_hasher(crate::level::fixed_hasher());
    for column in &table.columns {
        if column.name.is_empty() {
            return Err(SchemaError::EmptyName { what: format!("a column of table {:?}", table.name) });
        }
        if columns.insert(column.name.clone(), column.clone()).is_some() {
            let column = column.name.clone();
            return Err(SchemaError::DuplicateColumn { table: name(), column });
        }
    }
    if columns.is_empty() {
        return Err(SchemaError::NoColumns { table: name() });
    }
    if table.primary_key.is_empty() {
        return Err(SchemaError::NoPrimaryKey { table: name() });
    }
    let mut checked = TableSchema {
        name: name(),
        list: columns.values().cloned().collect(),
        columns,
        primary_key: Vec::new(),
        primary_key_spec: KeySpec::asc(&[]),
        unique: Vec::new(),
        relationships: Vec::new(),
    };
    let bad = |key: &str, problem: String| SchemaError::BadKey {
        table: name(),
        key: key.to_owned(),
        problem,
    };
    let primary_key = checked.key("the primary key", &table.primary_key)?;
    for &at in &primary_key {
        let column = &checked.list[at];
        if column.nullable {
            let problem = format!("names column \"{}\", which takes null", column.name);
            return Err(bad("the primary key", problem));
        }
    }
    checked.primary_key_spec = KeySpec::asc(&primary_key);
    checked.primary_key = primary_key;
    for unique in &table.unique {
        if unique.is_empty() {
            return Err(bad("a unique key", "names no column".into()));
        }
        let key = checked.key("a unique key", unique)?;
        checked.unique.push(key);
    }
    Ok(checked)
}

fn check_relationships(
    at: usize,
    table: &Table,
    list: &[TableSchema],
    by_name: &IndexMap<String, TableId, ahash::RandomState>,
) -> Result<Vec<Relationship>, SchemaError> {
    let mut relationships: Vec<Relationship> = Vec::new();
    for named in &table.relationships {
        let (table, relationship) = (table.name.clone(), named.name.clone());
        if named.name.is_empty() {
            let what = format!("a relationship of table {table:?}");
            return Err(SchemaError::EmptyName { what });
        }
        if list[at].column_index(&named.name).is_some() {
            return Err(SchemaError::DuplicateRelationship { table, relationship, other: "column" });
        }
        if relationships.iter().any(|other| other.name == named.name) {
            let other = "relationship";
            return Err(SchemaError::DuplicateRelationship { table, relationship, other });
        }
        let bad = |problem: String| SchemaError::BadRelationship {
            table: table.clone(),
            relationship: relationship.clone(),
            problem,
        };
        if named.hops.is_empty() {
            return Err(bad("leads nowhere; name at least one table".into()));
        }
        let mut near = &list[at];
        let mut hops = Vec::new();
        for hop in &named.hops {
            let Some(&target) = by_name.get(&hop.table) else {
                let target = hop.table.clone();
                return Err(SchemaError::UnknownTarget { table, relationship, target });
            };
            let far = &list[target.0 as usize];
            if hop.from.is_empty() || hop.from.len() != hop.to.len() {
                return Err(bad(format!(
                    "has {} columns of \"{}\" for {} of \"{}\"; name at least one pair",
                    hop.from.len(),
                    near.name,
                    hop.to.len(),
                    far.name
                )));
            }
            let used_in = format!("relationship \"{relationship}\"");
            let from = near.resolve(&used_in, &hop.from)?;
            let to = far.resolve(&used_in, &hop.to)?;
            for (&from, &to) in from.iter().zip(&to) {
                let (left, right) = (&near.list[from], &far.list[to]);
                let json = left.column_type == ColumnType::Json;
                if json || !left.column_type.comparable(right.column_type) {
                    return Err(bad(format!(
                        "correlates \"{}.{}\" ({}) with \"{}.{}\" ({}), which cannot be equal",
                        near.name, left.name, left.column_type, far.name, right.name, right.column_type
                    )));
                }
            }
            hops.push(Hop { table: target, from, to });
            near = far;
        }
        relationships.push(Relationship { name: relationship, hops, one: named.one });
    }
    Ok(relationships)
}

impl TableSchema {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.list
    }

    /// The position of a column.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.get_index_of(name)
    }

    /// The columns of the primary key, in key order.
    pub fn primary_key(&self) -> &[usize] {
        &self.primary_key
    }

    /// The primary key as an order, all ascending: the encoding of a row's identity.
    pub fn primary_key_spec(&self) -> &KeySpec {
        &self.primary_key_spec
    }

    /// The columns of the unique keys.
    pub fn unique_keys(&self) -> &[Vec<usize>] {
        &self.unique
    }

    /// A relationship by name.
    pub fn relationship(&self, name: &str) -> Option<&Relationship> {
        self.relationships.iter().find(|relationship| relationship.name == name)
    }

    /// The relationships in order.
    pub fn relationships(&self) -> &[Relationship] {
        &self.relationships
    }

    /// Whether a row fits the table: the number of its columns, their types and nulls.
    ///
    /// # Errors
    /// The first misfit, in words that name the column, what was found and what is expected.
    pub fn check_row(&self, row: &Row) -> Result<(), String> {
        if row.len() != self.list.len() {
            return Err(format!("a row has {} columns, found {}", self.list.len(), row.len()));
        }
        for (column, value) in self.list.iter().zip(row.values()) {
            let fits = match value {
                ValueRef::Null => column.nullable,
                value => column.column_type.accepts(value),
            };
            if !fits {
                return Err(match value {
                    ValueRef::Null => format!(
                        "column \"{}\" ({}) does not take null",
                        column.name, column.column_type
                    ),
                    value => format!(
                        "column \"{}\" takes {}, found {} {value}",
                        column.name,
                        column.column_type,
                        value.type_name()
                    ),
                });
            }
        }
        Ok(())
    }

    /// A row's primary key as `column = value` pairs.
    pub fn describe_key(&self, row: &Row) -> String {
        let values = self.primary_key.iter().map(|&column| row.get(column).to_owned());
        self.describe(values)
    }

    /// An encoded primary key as `column = value` pairs.
    pub fn describe_encoded_key(&self, key: &[u8]) -> String {
        match decode(key, &vec![Direction::Asc; self.primary_key.len()]) {
            Ok(values) => self.describe(values.into_iter()),
            Err(error) => format!("an undecodable key ({error})"),
        }
    }

    fn describe(&self, values: impl Iterator<Item = Value>) -> String {
        let pairs: Vec<String> = self
            .primary_key
            .iter()
            .zip(values)
            .map(|(&column, value)| format!("{} = {value}", self.list[column].name))
            .collect();
        pairs.join(", ")
    }

    fn resolve(&self, used_in: &str, columns: &[String]) -> Result<Vec<usize>, SchemaError> {
        let resolve = |column: &String| {
            self.column_index(column).ok_or_else(|| {
                let known: Vec<&str> = self.list.iter().map(|column| &*column.name).collect();
                SchemaError::UnknownColumn {
                    table: self.name.clone(),
                    used_in: used_in.to_owned(),
                    column: column.clone(),
                    known: known.join(", "),
                }
            })
        };
        columns.iter().map(resolve).collect()
    }

    fn key(&self, key: &str, columns: &[String]) -> Result<Vec<usize>, SchemaError> {
        let resolved = self.resolve(key, columns)?;
        let bad = |problem: String| SchemaError::BadKey {
            table: self.name.clone(),
            key: key.to_owned(),
            problem,
        };
        for (at, &column) in resolved.iter().enumerate() {
            let column_name = &self.list[column].name;
            if resolved[..at].contains(&column) {
                return Err(bad(format!("names column \"{column_name}\" twice")));
            }
            if self.list[column].column_type == ColumnType::Json {
                return Err(bad(format!("names column \"{column_name}\", which is json")));
            }
        }
        Ok(resolved)
    }
}
