//! Transactions: writes that take effect together or not at all.

use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId, TableSchema};
use penstock_operators::source::{ApplyError, At, Change, Source};

use crate::engine::evaluate;
use crate::error::Error;
use crate::query::{Params, Query};
use crate::row_input::RowInput;
use crate::sql::SqlParams;
use crate::tree::{RowView, Tree};

mod statements;

/// A transaction in flight, handed to the closure of
/// [`Database::transaction`](crate::Database::transaction).
///
/// Reads see the writes made so far. A write that fails has no effect and leaves the transaction
/// usable; returning its error from the closure gives the whole transaction up.
pub struct Transaction<'db> {
    source: &'db mut dyn Source,
    schema: Schema,
    /// Whether it has changed the schema.
    pub(crate) altered: bool,
}

impl<'db> Transaction<'db> {
    pub(crate) fn new(source: &'db mut dyn Source) -> Transaction<'db> {
        let schema = source.schema().clone();
        Transaction { source, schema, altered: false }
    }

    /// Inserts a row. Columns that are left out are null.
    ///
    /// # Errors
    /// An unknown table or column, a value of the wrong type, a null in a column that does not
    /// take it, or a primary key that is already there.
    pub fn insert(&mut self, table: &str, row: impl Into<RowInput>) -> Result<(), Error> {
        let (id, table) = find(&self.schema, table)?;
        let row = row.into();
        let row = row.to_row(table).map_err(|problem| bad_row(table, &row, problem))?;
        Ok(self.source.write(Change::Insert { table: id, row })?)
    }

    /// Changes the given columns of the row with the given primary key; `row` holds both.
    ///
    /// # Errors
    /// As [`insert`](Transaction::insert), and a row that is not there.
    pub fn update(&mut self, table: &str, row: impl Into<RowInput>) -> Result<(), Error> {
        let row = row.into();
        self.update_at(table, row.clone(), row)
    }

    /// Changes columns of the row with primary key `key`; `changes` may change the key too.
    ///
    /// # Errors
    /// As [`update`](Transaction::update), and a new key that is already there.
    pub fn update_at(
        &mut self,
        table: &str,
        key: impl Into<RowInput>,
        changes: impl Into<RowInput>,
    ) -> Result<(), Error> {
        let (id, table) = find(&self.schema, table)?;
        let input = key.into();
        let key = input.primary_key(table).map_err(|problem| bad_row(table, &input, problem))?;
        let Some(old) = self.source.get(At::After, id, &key)? else {
            let (table, key) = (table.name().to_owned(), table.describe_encoded_key(&key));
            return Err(ApplyError::MissingRow { table, key, operation: "update" }.into());
        };
        let changed = changes.into().apply_to(table, &old);
        let row = changed.map_err(|problem| bad_row(table, &input, problem))?;
        Ok(self.source.write(Change::Update { table: id, key, row })?)
    }

    /// Inserts a row, or changes the given columns of the row with that primary key. Returns
    /// whether it was inserted.
    ///
    /// # Errors
    /// As [`insert`](Transaction::insert).
    pub fn upsert(&mut self, table: &str, row: impl Into<RowInput>) -> Result<bool, Error> {
        let row = row.into();
        let (id, schema) = find(&self.schema, table)?;
        let key = row.primary_key(schema).map_err(|problem| bad_row(schema, &row, problem))?;
        if self.source.get(At::After, id, &key)?.is_some() {
            self.update(table, row).map(|()| false)
        } else {
            self.insert(table, row).map(|()| true)
        }
    }

    /// Deletes the row with the given primary key; other columns of `key` are ignored.
    ///
    /// # Errors
    /// An unknown table or column, an incomplete key, or a row that is not there.
    pub fn delete(&mut self, table: &str, key: impl Into<RowInput>) -> Result<(), Error> {
        let (id, table) = find(&self.schema, table)?;
        let input = key.into();
        let key = input.primary_key(table).map_err(|problem| bad_row(table, &input, problem))?;
        Ok(self.source.write(Change::Delete { table: id, key })?)
    }

    /// The row with the given primary key, with the writes made so far.
    ///
    /// # Errors
    /// An unknown table or column, or an incomplete key.
    pub fn get(&self, table: &str, key: impl Into<RowInput>) -> Result<Option<RowView>, Error> {
        let (id, table) = find(&self.schema, table)?;
        let input = key.into();
        let key = input.primary_key(table).map_err(|problem| bad_row(table, &input, problem))?;
        let row = self.source.get(At::After, id, &key)?;
        Ok(row.map(|row| RowView::new(self.schema.clone(), id, row)))
    }

    /// A row input from anything that serialises to the columns of a table.
    ///
    /// # Errors
    /// An unknown table or column, or a value of the wrong type.
    pub fn row_from<T: serde::Serialize + ?Sized>(
        &self,
        table: &str,
        row: &T,
    ) -> Result<RowInput, Error> {
        let (_, table) = find(&self.schema, table)?;
        let bad = |key, problem| row_problem(table, key, None, problem);
        let json = serde_json::to_value(row).map_err(|error| bad(None, error.to_string()))?;
        RowInput::from_json(table, &json).map_err(|problem| {
            bad(RowInput::key_from_json(table, &json).describe_key(table), problem)
        })
    }

    /// Evaluates a query, with the writes made so far.
    ///
    /// Cost: that of a first evaluation, which for orders that no live query uses builds an index.
    ///
    /// # Errors
    /// A query that the schema does not allow, or a failing source.
    pub fn query(&mut self, query: &Query) -> Result<Tree, Error> {
        self.query_with(query, &Params::default())
    }

    /// Evaluates a SELECT statement, with the writes made so far; see
    /// [`Query::sql`](crate::Query::sql).
    ///
    /// # Errors
    /// As [`query`](Transaction::query).
    pub fn query_sql(&mut self, sql: &str, params: impl Into<SqlParams>) -> Result<Tree, Error> {
        self.query(&Query::sql(sql).bind(params))
    }

    /// Evaluates a query with values for its parameters, with the writes made so far.
    ///
    /// # Errors
    /// As [`query`](Transaction::query), and a parameter without a value.
    pub fn query_with(&mut self, query: &Query, params: &Params) -> Result<Tree, Error> {
        let compiled = query.compile(&self.schema, params)?;
        let nodes = evaluate(&mut *self.source, &compiled.plan)?;
        Ok(Tree::new(compiled.schema, compiled.view, nodes))
    }

    /// Makes one change in its encoded form, for adapters that have rows already.
    ///
    /// # Errors
    /// As the named methods.
    pub fn write(&mut self, change: Change) -> Result<(), Error> {
        self.write_at(change, None)
    }

    /// Makes changes in their encoded form, up to the first that fails.
    pub(crate) fn write_all(&mut self, changes: Vec<Change>) -> Result<(), Error> {
        let mut changes = changes.into_iter().enumerate();
        changes.try_for_each(|(at, change)| self.write_at(change, Some(at + 1)))
    }

    fn write_at(&mut self, change: Change, place: Option<usize>) -> Result<(), Error> {
        let row = match &change {
            Change::Insert { table, row } | Change::Update { table, row, .. } => {
                Some((*table, row.clone()))
            }
            Change::Delete { .. } => None,
        };
        self.source.write(change).map_err(|mut error| {
            let problem = match &mut error {
                ApplyError::BadRow { problem, .. } | ApplyError::Refused { problem, .. } => problem,
                _ => return error.into(),
            };
            if let Some((id, row)) = row {
                // A row of a table that the schema does not have has no key.
                let table = self.schema.tables().get(id.0 as usize);
                let key = table.and_then(|table| encoded_key(table, &row));
                *problem = name_row(key, place, std::mem::take(problem));
            }
            error.into()
        })
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

/// A table by name.
pub(crate) fn find<'s>(
    schema: &'s Schema,
    name: &str,
) -> Result<(TableId, &'s TableSchema), Error> {
    match schema.table_id(name) {
        Some(id) => Ok((id, schema.table(id))),
        None => {
            let known: Vec<&str> = schema.names().collect();
            Err(Error::UnknownTable { name: name.to_owned(), known: known.join(", ") })
        }
    }
}

/// The error of a row that does not fit, named by its key if it has one.
fn bad_row(table: &TableSchema, row: &RowInput, problem: String) -> Error {
    row_problem(table, row.describe_key(table), None, problem)
}

/// The error of a row that does not fit, named by its key if it has one, and else by its place in
/// a batch if it is in one.
pub(crate) fn row_problem(
    table: &TableSchema,
    key: Option<String>,
    place: Option<usize>,
    problem: String,
) -> Error {
    Error::BadRow { table: table.name().to_owned(), problem: name_row(key, place, problem) }
}

fn name_row(key: Option<String>, place: Option<usize>, problem: String) -> String {
    match (key, place) {
        (Some(key), _) => format!("row {key}: {problem}"),
        (None, Some(place)) => format!("row {place} of the batch: {problem}"),
        (None, None) => problem,
    }
}

/// The primary key of a row that may not fit its table, if it has one.
fn encoded_key(table: &TableSchema, row: &Row) -> Option<String> {
    let fits = |column: &usize| {
        *column < row.len()
            && !row.get(*column).is_null()
            && table.columns()[*column].column_type.accepts(row.get(*column))
    };
    table.primary_key().iter().all(fits).then(|| table.describe_key(row))
}
