//! What a prepared read may ask for.

use penstock_operators::schema::TableSchema;
use penstock_operators::source::{ScanShape, SourceError};

/// Checks that a shape can be read: columns that exist, once each, and a total order.
pub(crate) fn check_shape(schema: &TableSchema, shape: &ScanShape) -> Result<(), SourceError> {
    let refuse = |reason: String| {
        Err(SourceError { context: format!("table \"{}\"", schema.name()), reason })
    };
    let name = |column: usize| &*schema.columns()[column].name;
    let order: Vec<usize> = shape.order.iter().map(|(column, _)| *column).collect();
    for (columns, what) in [(&shape.equal, "columns held equal"), (&order, "order")] {
        for (position, column) in columns.iter().enumerate() {
            if *column >= schema.columns().len() {
                return refuse(format!(
                    "the {what} of a read names column {column}, but there are {}",
                    schema.columns().len()
                ));
            }
            if columns[..position].contains(column) {
                return refuse(format!(
                    "the {what} of a read names column \"{}\" twice",
                    name(*column)
                ));
            }
        }
    }
    match schema.primary_key().iter().find(|column| !order.contains(column)) {
        Some(column) => refuse(format!(
            "the order of a read lacks the primary-key column \"{}\", so it is not total",
            name(*column)
        )),
        None => Ok(()),
    }
}
