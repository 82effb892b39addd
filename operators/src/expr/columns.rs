//! The columns that an expression reads.

use super::Expr;
use crate::delta::ColumnSet;

impl Expr {
    /// The columns that the expression reads.
    pub fn columns(&self) -> ColumnSet {
        let mut columns = ColumnSet::EMPTY;
        self.for_each_column(&mut |column| columns.insert(column));
        columns
    }

    /// Calls `visit` for each place that reads a column, in the order of the text.
    pub fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        if let Expr::Column(column) = self {
            visit(*column);
        }
        self.for_each_operand(&mut |operand| operand.for_each_column(visit));
    }

    /// Calls `visit` for each operand of the outermost operator.
    pub fn for_each_operand<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Expr::Column(_) | Expr::Literal(_) => {}
            Expr::Unary { operand, .. }
            | Expr::Not(operand)
            | Expr::Cast { operand, .. }
            | Expr::Affinity { operand, .. }
            | Expr::Fold { operand, .. } => visit(operand),
            Expr::Binary { left, right, .. }
            | Expr::Compare { left, right, .. }
            | Expr::Is { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Expr::And(parts) | Expr::Or(parts) | Expr::Call { arguments: parts, .. } => {
                parts.iter().for_each(visit);
            }
            Expr::In { operand, list, .. } => {
                visit(operand);
                list.iter().for_each(visit);
            }
            Expr::Match { operand, pattern, escape, .. } => {
                visit(operand);
                visit(pattern);
                escape.iter().for_each(|escape| visit(escape));
            }
            Expr::Case { whens, otherwise } => {
                for (condition, value) in whens {
                    visit(condition);
                    visit(value);
                }
                otherwise.iter().for_each(|otherwise| visit(otherwise));
            }
        }
    }

    /// The same expression over rows whose columns are elsewhere.
    #[must_use]
    pub fn map_columns(&self, to: &dyn Fn(usize) -> usize) -> Expr {
        self.replace_columns(&|column| Expr::Column(to(column)))
    }

    /// The same expression with every column `by` further right.
    #[must_use]
    pub fn shift(&self, by: usize) -> Expr {
        self.map_columns(&|column| column + by)
    }

    /// The same expression with another in the place of each column.
    #[must_use]
    pub fn replace_columns(&self, with: &dyn Fn(usize) -> Expr) -> Expr {
        let one = |expr: &Expr| Box::new(expr.replace_columns(with));
        let all = |exprs: &[Expr]| exprs.iter().map(|each| each.replace_columns(with)).collect();
        match self {
            Expr::Column(column) => with(*column),
            Expr::Literal(value) => Expr::Literal(value.clone()),
            Expr::Unary { op, operand } => Expr::Unary { op: *op, operand: one(operand) },
            Expr::Binary { op, left, right } => {
                Expr::Binary { op: *op, left: one(left), right: one(right) }
            }
            Expr::Compare { op, left, right, collation } => {
                Expr::Compare { op: *op, left: one(left), right: one(right), collation: *collation }
            }
            Expr::Is { left, right, negated, collation } => Expr::Is {
                left: one(left),
                right: one(right),
                negated: *negated,
                collation: *collation,
            },
            Expr::And(parts) => Expr::And(all(parts)),
            Expr::Or(parts) => Expr::Or(all(parts)),
            Expr::Not(operand) => Expr::Not(one(operand)),
            Expr::In { operand, list, negated, collation } => Expr::In {
                operand: one(operand),
                list: all(list),
                negated: *negated,
                collation: *collation,
            },
            Expr::Match { kind, operand, pattern, escape, negated } => Expr::Match {
                kind: *kind,
                operand: one(operand),
                pattern: one(pattern),
                escape: escape.as_deref().map(one),
                negated: *negated,
            },
            Expr::Case { whens, otherwise } => Expr::Case {
                whens: whens
                    .iter()
                    .map(|(when, then)| (when.replace_columns(with), then.replace_columns(with)))
                    .collect(),
                otherwise: otherwise.as_deref().map(one),
            },
            Expr::Cast { operand, to } => Expr::Cast { operand: one(operand), to: *to },
            Expr::Affinity { operand, affinity } => {
                Expr::Affinity { operand: one(operand), affinity: *affinity }
            }
            Expr::Fold { operand, collation } => {
                Expr::Fold { operand: one(operand), collation: *collation }
            }
            Expr::Call { function, arguments } => {
                Expr::Call { function: function.clone(), arguments: all(arguments) }
            }
        }
    }
}
