//! `map`: for each row one of other values.
//!
//! Cost: one row made per row. State: none.

use smallvec::SmallVec;

use crate::expr::Expr;
use crate::row::{Piece, Row};
use crate::value::Value;

/// The columns of a map. Columns that are taken over are copied as they are stored.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    columns: Vec<Expr>,
    /// Whether every column is taken over.
    plain: Option<Vec<usize>>,
}

impl Projection {
    pub(crate) fn new(columns: Vec<Expr>) -> Projection {
        let plain = columns.iter().map(plain_column).collect();
        Projection { columns, plain }
    }

    /// Where the input has a column, if it is taken over.
    pub(crate) fn input_of(&self, column: usize) -> Option<usize> {
        self.columns.get(column).and_then(plain_column)
    }

    /// The columns out.
    pub(crate) fn columns(&self) -> &[Expr] {
        &self.columns
    }

    /// The columns of the input that are those out, if none is computed.
    pub(crate) fn plain(&self) -> Option<&[usize]> {
        self.plain.as_deref()
    }

    /// The row out.
    pub(crate) fn apply(&self, row: &Row) -> Row {
        if let Some(plain) = &self.plain {
            return row.project(plain);
        }
        let values: SmallVec<[Value; 8]> = self
            .columns
            .iter()
            .map(|column| match column {
                Expr::Column(_) => Value::Null,
                computed => computed.eval(row),
            })
            .collect();
        Row::assemble(values.len(), |at| match &self.columns[at] {
            Expr::Column(column) => Piece::Stored(row, *column),
            _ => Piece::Value(values[at].as_ref()),
        })
    }
}

fn plain_column(column: &Expr) -> Option<usize> {
    match column {
        Expr::Column(column) => Some(*column),
        _ => None,
    }
}
