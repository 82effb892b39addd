//! Names to numbers: tables, columns and types, with errors that say what would have been right.

use penstock_operators::schema::{Column, Schema, TableId, TableSchema};
use penstock_operators::value::{ColumnType, Value};

use super::error::{QueryError, suggestion};
use super::form::Origin;
use super::grouping::Computed;
use super::limits::NodeCount;
use super::params::Params;
use super::path::Path;

/// What planning a query needs to know throughout.
#[derive(Debug)]
pub(super) struct Planner<'q> {
    pub(super) schema: &'q Schema,
    pub(super) params: &'q Params,
    pub(super) origin: Origin,
    pub(super) nodes: NodeCount,
    /// Absent while the derived tables are being made.
    pub(super) computed: Option<&'q Computed<'q>>,
}

impl<'q> Planner<'q> {
    pub(super) fn table(&self, name: &str, path: &Path<'_>) -> Result<TableId, QueryError> {
        self.schema.table_id(name).ok_or_else(|| {
            if let Some(reason) = self.schema.refused(name) {
                return path.error(format!("table \"{name}\" cannot be queried: {reason}"));
            }
            let tables: Vec<&str> = self.schema.names().collect();
            path.error(format!(
                "there is no table \"{name}\"; {}",
                suggestion(name, tables.iter().copied(), "the schema")
            ))
        })
    }

    pub(super) fn table_schema(&self, table: TableId) -> &'q TableSchema {
        self.schema.table(table)
    }

    pub(super) fn column(
        &self,
        table: TableId,
        name: &str,
        path: &Path<'_>,
    ) -> Result<usize, QueryError> {
        let table = self.table_schema(table);
        table.column_index(name).ok_or_else(|| {
            let names = table.columns().iter().map(|column| &*column.name);
            path.error(format!(
                "column \"{name}\" is not in table \"{}\"; {}",
                table.name(),
                suggestion(name, names, "it")
            ))
        })
    }

    pub(super) fn column_schema(&self, table: TableId, column: usize) -> &'q Column {
        &self.table_schema(table).columns()[column]
    }
}

/// The type of a literal as error texts name it, and as it compares with columns: integers and
/// doubles are one type. `None` for null, which has no type.
pub(super) fn literal_type(value: &Value) -> Option<ColumnType> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(ColumnType::Boolean),
        Value::Int(_) | Value::Float(_) => Some(ColumnType::Number),
        Value::Text(_) => Some(ColumnType::Text),
        Value::Blob(_) => Some(ColumnType::Blob),
        Value::Json(_) => Some(ColumnType::Json),
    }
}

/// Refuses a literal that is not a number, which has no place in the order of values.
pub(super) fn refuse_nan(value: &Value, path: &Path<'_>) -> Result<(), QueryError> {
    match value {
        Value::Float(float) if float.is_nan() => {
            Err(path.error("NaN cannot be compared with anything"))
        }
        _ => Ok(()),
    }
}
