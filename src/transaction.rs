//! Transactions: writes that take effect together or not at all.

use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId, TableSchema};
use penstock_operators::source::{At, Change, Source};

use crate::error::Error;
use crate::row_input::RowInput;
use crate::tree::RowView;

/// A transaction in flight, handed to the closure of
/// [`Database::transaction`](crate::Database::transaction).
///
/// Reads see the writes made so far. A write that fails has no effect and leaves the transaction
/// usable; returning its error from the closure gives the whole transaction up.
pub struct Transaction<'db> {
    source: &'db mut dyn Source,
    schema: Schema,
}

impl<'db> Transaction<'db> {
    pub(crate) fn new(source: &'db mut dyn Source) -> Transaction<'db> {
        let schema = source.schema().clone();
        Transaction { source, schema }
    }

    /// Inserts a row. Columns that are left out are null.
    ///
    /// # Errors
    /// An unknown table or column, a value of the wrong type, a null in a column that does not
    /// take it, or a primary key that is already there.
    pub fn insert(&mut self, table: &str, row: impl Into<RowInput>) -> Result<(), Error> {
        let (id, table) = find(&self.schema, table)?;
        let row = row.into().to_row(table).map_err(bad_row(table))?;
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
        let key = key.into().primary_key(table).map_err(bad_row(table))?;
        let Some(old) = self.source.get(At::After, id, &key)? else {
            // The source words this error, as for any absent row.
            return Ok(self.source.write(Change::Delete { table: id, key }).map_err(|error| {
                match error {
                    penstock_operators::source::ApplyError::MissingRow { table, key, .. } => {
                        penstock_operators::source::ApplyError::MissingRow {
                            table,
                            key,
                            operation: "update",
                        }
                    }
                    other => other,
                }
            })?);
        };
        let row = changes.into().apply_to(table, &old).map_err(bad_row(table))?;
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
        let key = row.primary_key(schema).map_err(bad_row(schema))?;
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
        let key = key.into().primary_key(table).map_err(bad_row(table))?;
        Ok(self.source.write(Change::Delete { table: id, key })?)
    }

    /// The row with the given primary key, with the writes made so far.
    ///
    /// # Errors
    /// An unknown table or column, or an incomplete key.
    pub fn get(&self, table: &str, key: impl Into<RowInput>) -> Result<Option<RowView>, Error> {
        let (id, table) = find(&self.schema, table)?;
        let key = key.into().primary_key(table).map_err(bad_row(table))?;
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
        RowInput::from_serialize(table, row).map_err(bad_row(table))
    }

    /// Makes one change in its encoded form, for adapters that have rows already.
    ///
    /// # Errors
    /// As the named methods.
    pub fn write(&mut self, change: Change) -> Result<(), Error> {
        Ok(self.source.write(change)?)
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
            let known: Vec<&str> = schema.tables().iter().map(|table| table.name()).collect();
            Err(Error::UnknownTable { name: name.to_owned(), known: known.join(", ") })
        }
    }
}

pub(crate) fn bad_row(table: &TableSchema) -> impl FnOnce(String) -> Error + use<> {
    let table = table.name().to_owned();
    move |problem| Error::BadRow { table, problem }
}

/// A whole row in column order, for callers that build rows once.
pub(crate) fn row_for(
    schema: &Schema,
    table: &str,
    row: RowInput,
) -> Result<(TableId, Row), Error> {
    let (id, table) = find(schema, table)?;
    Ok((id, row.to_row(table).map_err(bad_row(table))?))
}
