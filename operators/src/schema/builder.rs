//! Declarations of tables by name.

use super::Column;
use crate::value::ColumnType;

/// The declaration of a table. Nothing is checked before
/// [`Schema::new`](super::Schema::new), so relationships may name tables declared later.
///
/// ```
/// use penstock_operators::schema::{Schema, Table};
/// use penstock_operators::value::ColumnType::{Integer, Text};
///
/// let schema = Schema::new([
///     Table::new("issue")
///         .column("id", Integer)
///         .column("title", Text)
///         .nullable("ownerId", Integer)
///         .primary_key(["id"])
///         .one("owner", "user", ["ownerId"], ["id"])
///         .many_through(
///             "labels",
///             [("issueLabel", ["id"], ["issueId"]), ("label", ["labelId"], ["id"])],
///         ),
///     Table::new("user").column("id", Integer).column("name", Text).primary_key(["id"]),
///     Table::new("label").column("id", Integer).column("name", Text).primary_key(["id"]),
///     Table::new("issueLabel")
///         .column("issueId", Integer)
///         .column("labelId", Integer)
///         .primary_key(["issueId", "labelId"]),
/// ])?;
/// assert!(schema.table_id("issue").is_some());
/// # Ok::<(), penstock_operators::schema::SchemaError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) primary_key: Vec<String>,
    pub(super) unique_keys: Vec<Vec<String>>,
    pub(super) relationships: Vec<RelationshipNames>,
}

/// One hop of a relationship by names: a table, columns of the table before it, and as many
/// columns of the table. Made from a tuple of the three; use [`HopNames::new`] where hops of one
/// list have different numbers of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopNames {
    pub(super) table: String,
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RelationshipNames {
    pub(super) name: String,
    pub(super) hops: Vec<HopNames>,
    pub(super) one: bool,
}

impl HopNames {
    /// The hop to the rows of `table` whose `to` columns equal the `from` columns of the row
    /// before.
    pub fn new<F, T>(table: impl Into<String>, from: F, to: T) -> HopNames
    where
        F: IntoIterator<Item: Into<String>>,
        T: IntoIterator<Item: Into<String>>,
    {
        HopNames { table: table.into(), from: names(from), to: names(to) }
    }
}

impl<N, F, T> From<(N, F, T)> for HopNames
where
    N: Into<String>,
    F: IntoIterator<Item: Into<String>>,
    T: IntoIterator<Item: Into<String>>,
{
    fn from((table, from, to): (N, F, T)) -> HopNames {
        HopNames::new(table, from, to)
    }
}

impl Table {
    /// A table without columns yet.
    pub fn new(name: impl Into<String>) -> Table {
        Table {
            name: name.into(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique_keys: Vec::new(),
            relationships: Vec::new(),
        }
    }

    /// Adds a column that is never null.
    #[must_use]
    pub fn column(self, name: impl Into<String>, column_type: ColumnType) -> Table {
        self.with_column(name.into(), column_type, false)
    }

    /// Adds a column that may be null.
    #[must_use]
    pub fn nullable(self, name: impl Into<String>, column_type: ColumnType) -> Table {
        self.with_column(name.into(), column_type, true)
    }

    /// Says which columns identify a row. Every table needs this; said again, the last counts.
    #[must_use]
    pub fn primary_key(mut self, columns: impl IntoIterator<Item: Into<String>>) -> Table {
        self.primary_key = names(columns);
        self
    }

    /// Adds a unique key: at the end of a transaction no two rows have the same values in these
    /// columns, unless one of the values is null.
    #[must_use]
    pub fn unique(mut self, columns: impl IntoIterator<Item: Into<String>>) -> Table {
        self.unique_keys.push(names(columns));
        self
    }

    /// Adds a relationship that leads to one row of `table` at most: that whose `to` columns
    /// equal the `from` columns of this table.
    #[must_use]
    pub fn one<F, T>(
        self,
        name: impl Into<String>,
        table: impl Into<String>,
        from: F,
        to: T,
    ) -> Table
    where
        F: IntoIterator<Item: Into<String>>,
        T: IntoIterator<Item: Into<String>>,
    {
        self.with_relationship(name.into(), vec![HopNames::new(table, from, to)], true)
    }

    /// Adds a relationship that leads to the rows of `table` whose `to` columns equal the `from`
    /// columns of this table.
    #[must_use]
    pub fn many<F, T>(
        self,
        name: impl Into<String>,
        table: impl Into<String>,
        from: F,
        to: T,
    ) -> Table
    where
        F: IntoIterator<Item: Into<String>>,
        T: IntoIterator<Item: Into<String>>,
    {
        self.with_relationship(name.into(), vec![HopNames::new(table, from, to)], false)
    }

    /// Adds a relationship of several hops, each from the table before (this one, for the first):
    /// `[("issueLabel", ["id"], ["issueId"]), ("label", ["labelId"], ["id"])]`.
    #[must_use]
    pub fn many_through(
        self,
        name: impl Into<String>,
        hops: impl IntoIterator<Item: Into<HopNames>>,
    ) -> Table {
        self.with_relationship(name.into(), hops.into_iter().map(Into::into).collect(), false)
    }

    fn with_column(self, name: String, column_type: ColumnType, nullable: bool) -> Table {
        self.with_declared(Column::new(name, column_type, nullable))
    }

    /// Adds a column, with the affinity and the collation that it has in SQL.
    #[must_use]
    pub fn with_declared(mut self, column: Column) -> Table {
        self.columns.push(column);
        self
    }

    fn with_relationship(mut self, name: String, hops: Vec<HopNames>, one: bool) -> Table {
        self.relationships.push(RelationshipNames { name, hops, one });
        self
    }
}

fn names(names: impl IntoIterator<Item: Into<String>>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}
