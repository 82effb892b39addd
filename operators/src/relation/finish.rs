//! What becomes of joined rows: the filters and maps above a join, applied to rows that are still
//! in their parts.
//!
//! Cost: the row out is made from the parts at once; conditions and computed columns see a row of
//! the columns that they read only.

use crate::expr::{Builtin, Expr, Function};
use crate::relation::map::Projection;
use crate::row::{Piece, Row};
use crate::value::{RawValue, Value, ValueRef};

/// A joined row in its parts, as a list. A part that is not there is a row of nulls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joined<'a> {
    /// Which input the last part is of.
    pub(crate) leaf: usize,
    pub(crate) row: &'a Row,
    /// Where the row has the input's columns, if it is not one of the input as it is.
    pub(crate) picked: Option<&'a [usize]>,
    /// The other parts.
    pub(crate) rest: Option<&'a Joined<'a>>,
}

impl<'a> Joined<'a> {
    /// The row and the column of it that hold a column of an input. A table may lack columns that
    /// it has got since, or the reverse: those are null.
    pub(crate) fn stored(&self, (leaf, column): (usize, usize)) -> Option<(&'a Row, usize)> {
        let mut part = *self;
        while part.leaf != leaf {
            part = *part.rest?;
        }
        let column = match part.picked {
            None => column,
            Some(picked) => *picked.get(column)?,
        };
        (column < part.row.len()).then_some((part.row, column))
    }

    fn piece(&self, column: (usize, usize)) -> Piece<'a> {
        match self.stored(column) {
            Some((row, column)) => Piece::Stored(row, column),
            None => Piece::Value(ValueRef::Null),
        }
    }

    fn pick(&self, columns: &[(usize, usize)]) -> Row {
        Row::assemble(columns.len(), |at| self.piece(columns[at]))
    }
}

/// A condition over joined rows.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// What it reads: of which input, which column.
    columns: Vec<(usize, usize)>,
    condition: Expr,
}

impl Test {
    /// A condition over columns numbered as in `all`.
    pub(crate) fn new(condition: &Expr, all: &[(usize, usize)]) -> Test {
        let mut columns = Vec::new();
        let condition = narrowed(condition, all, &mut columns);
        Test { columns, condition }
    }

    /// Whether the condition is true.
    pub(crate) fn holds(&self, joined: &Joined<'_>) -> bool {
        self.condition.holds(&joined.pick(&self.columns))
    }
}

/// The rows out of a join.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    test: Option<Test>,
    output: Output,
}

#[derive(Clone, Debug)]
enum Output {
    /// No columns: every row is this one.
    Empty(Row),
    /// Each column taken from a part.
    Parts(Vec<Part>),
    /// Columns computed from some of the parts' columns.
    Computed(Vec<(usize, usize)>, Projection),
}

#[derive(Clone, Debug)]
enum Part {
    Column((usize, usize)),
    /// The same where it is null.
    Or((usize, usize), Value),
}

impl Finish {
    /// Rows of `columns` for which all `conditions` are true; both are over columns numbered as in
    /// `all`, each of which is a column of an input.
    pub(crate) fn new(all: &[(usize, usize)], conditions: Vec<Expr>, columns: &[Expr]) -> Finish {
        let test = (!conditions.is_empty()).then(|| Test::new(&Expr::And(conditions), all));
        let parts: Option<Vec<Part>> = columns.iter().map(|column| part(column, all)).collect();
        let output = match parts {
            Some(parts) if parts.is_empty() => Output::Empty(Row::new(&[])),
            Some(parts) => Output::Parts(parts),
            None => {
                let mut read = Vec::new();
                let columns = columns.iter().map(|column| narrowed(column, all, &mut read));
                let projection = Projection::new(columns.collect());
                Output::Computed(read, projection)
            }
        };
        Finish { test, output }
    }

    /// The row that a joined row becomes, if it passes.
    pub(crate) fn row(&self, joined: &Joined<'_>) -> Option<Row> {
        if self.test.as_ref().is_some_and(|test| !test.holds(joined)) {
            return None;
        }
        Some(match &self.output {
            Output::Empty(row) => row.clone(),
            Output::Parts(parts) => Row::assemble(parts.len(), |at| match &parts[at] {
                Part::Column(column) => joined.piece(*column),
                Part::Or(column, otherwise) => or(joined.stored(*column), otherwise),
            }),
            Output::Computed(read, projection) => projection.apply(&joined.pick(read)),
        })
    }
}

/// The column of a row, or another value where it is null; as an operand is seen.
fn or<'a>(stored: Option<(&'a Row, usize)>, otherwise: &'a Value) -> Piece<'a> {
    let Some((row, column)) = stored else { return Piece::Value(otherwise.as_ref()) };
    match row.get_raw(column) {
        RawValue::Null => Piece::Value(otherwise.as_ref()),
        RawValue::Bool(value) => Piece::Value(ValueRef::Int(i64::from(value))),
        RawValue::Json(_) => match row.get(column) {
            ValueRef::Json(text) => Piece::Value(ValueRef::Text(text)),
            value => Piece::Value(value),
        },
        _ => Piece::Stored(row, column),
    }
}

/// What can be taken from a part as it is.
fn part(column: &Expr, all: &[(usize, usize)]) -> Option<Part> {
    match column {
        Expr::Column(at) => Some(Part::Column(all[*at])),
        Expr::Call {
            function: Function::Builtin(Builtin::Coalesce | Builtin::IfNull),
            arguments,
        } => match arguments.as_slice() {
            [Expr::Column(at), Expr::Literal(value @ (Value::Int(_) | Value::Text(_)))] => {
                Some(Part::Or(all[*at], value.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// An expression over columns that are put into `read`, where they are not yet.
fn narrowed(expr: &Expr, all: &[(usize, usize)], read: &mut Vec<(usize, usize)>) -> Expr {
    expr.for_each_column(&mut |column| {
        if !read.contains(&all[column]) {
            read.push(all[column]);
        }
    });
    expr.map_columns(&|column| read.iter().position(|known| *known == all[column]).unwrap_or(0))
}
