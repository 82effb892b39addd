//! Conditions checked and planned: negation carried to the leaves, types compared, constants
//! folded.

use penstock_operators::like::LikePattern;
use penstock_operators::predicate::{CompareOp, Operand, Predicate, ValueSet};
use penstock_operators::row::Row;
use penstock_operators::schema::TableId;
use penstock_operators::value::{ColumnType, Value};

use super::draft::Draft;
use super::error::QueryError;
use super::form::{Node, Op, Origin, Term};
use super::limits::check_list_length;
use super::params::Bound;
use super::path::{Path, Step};
use super::resolve::{Planner, literal_type, refuse_nan};

/// One side of a comparison: a column or a constant.
#[derive(Debug)]
struct Side<'q> {
    operand: Operand,
    /// The column's name; `None` for a constant.
    column: Option<&'q str>,
    /// `None` for null, which has no type.
    value_type: Option<ColumnType>,
}

/// An operator as written, for error texts, and as it is to be tested.
#[derive(Clone, Copy, Debug)]
struct Operator {
    written: Op,
    op: Op,
}

impl<'q> Planner<'q> {
    /// The conjunction of the filters of one level; `path` is the level's place.
    pub(super) fn filters(
        &mut self,
        table: TableId,
        filters: &'q [Node],
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        let path = path.part("where");
        if let [single] = filters {
            return self.condition(table, single, false, &path);
        }
        self.conditions(table, filters, "and", false, &path).map(Draft::all)
    }

    fn conditions(
        &mut self,
        table: TableId,
        nodes: &'q [Node],
        name: &'static str,
        negate: bool,
        path: &Path<'_>,
    ) -> Result<Vec<Draft>, QueryError> {
        nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                self.condition(table, node, negate, &path.nested(Step::Item(name, index))?)
            })
            .collect()
    }

    fn condition(
        &mut self,
        table: TableId,
        node: &'q Node,
        negate: bool,
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        self.nodes.add(path)?;
        match node {
            Node::And(nodes) => {
                let parts = self.conditions(table, nodes, "and", negate, path)?;
                Ok(if negate { Draft::any(parts) } else { Draft::all(parts) })
            }
            Node::Or(nodes) => {
                let parts = self.conditions(table, nodes, "or", negate, path)?;
                Ok(if negate { Draft::all(parts) } else { Draft::any(parts) })
            }
            Node::Not(inner) => {
                self.condition(table, inner, !negate, &path.nested(Step::Part("not"))?)
            }
            Node::Exists { related, name, negated } => {
                self.gate(table, related, name, *negated != negate, path)
            }
            Node::Compare { left, op, right } => {
                let op = Operator { written: *op, op: if negate { op.negated() } else { *op } };
                self.comparison(table, left, op, right, path)
            }
        }
    }

    fn comparison(
        &self,
        table: TableId,
        left: &'q Term,
        operator: Operator,
        right: &'q Term,
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        let name = operator.written.name();
        let left_value = match self.params.bind(left, path)? {
            Some(Bound::List(_)) => {
                return Err(path.error("a list can only be on the right of IN or NOT IN"));
            }
            Some(Bound::One(value)) => Some(value),
            None => None,
        };
        match (left_value, self.params.bind(right, path)?) {
            (None, Some(right)) => {
                self.test(self.column_side(table, left, path)?, operator, right, path)
            }
            (Some(value), Some(right)) => {
                // The condition is the same for every row, so that of a row without columns.
                Ok(match self.test(constant_side(value), operator, right, path)? {
                    Draft::Test(predicate) => Draft::Always(predicate.matches(&Row::new(&[]))),
                    folded => folded,
                })
            }
            (Some(value), None) => match (operator.written.mirrored(), operator.op.mirrored()) {
                (Some(written), Some(op)) => {
                    let side = self.column_side(table, right, path)?;
                    self.test(side, Operator { written, op }, Bound::One(value), path)
                }
                _ => Err(path.error(format!("{name} needs a constant on its right, not a column"))),
            },
            (None, None) => {
                let left = self.column_side(table, left, path)?;
                let right = self.column_side(table, right, path)?;
                let op = operator.op;
                if op.mirrored().is_none() {
                    return Err(
                        path.error(format!("{name} needs a constant on its right, not a column"))
                    );
                }
                check_comparable(&left, name, &right, path)?;
                Ok(Draft::Test(match compare_op(op) {
                    Some(op) => Predicate::Compare { left: left.operand, op, right: right.operand },
                    None => Predicate::Is {
                        left: left.operand,
                        right: right.operand,
                        negated: op == Op::IsNot,
                    },
                }))
            }
        }
    }

    fn column_side(
        &self,
        table: TableId,
        term: &'q Term,
        path: &Path<'_>,
    ) -> Result<Side<'q>, QueryError> {
        let Term::Column(name) = term else {
            return Err(path.error("expected a column"));
        };
        let column = self.column(table, name, path)?;
        Ok(Side {
            operand: Operand::Column(column),
            column: Some(name),
            value_type: Some(self.column_schema(table, column).column_type),
        })
    }

    /// Tests a column, or a constant, against a constant.
    fn test(
        &self,
        left: Side<'q>,
        operator: Operator,
        right: Bound,
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        let Operator { written, op } = operator;
        let name = written.name();
        let value = match right {
            Bound::List(values) if op.takes_list() => {
                return self.membership(left, operator, values, path);
            }
            Bound::List(_) => {
                return Err(path.error(format!("{name} takes a single value, found a list")));
            }
            Bound::One(value) => value,
        };
        let is = matches!(op, Op::Is | Op::IsNot);
        if is && (value.is_null() || left.value_type.is_none()) {
            let right = Operand::Literal(value);
            let negated = op == Op::IsNot;
            return Ok(Draft::Test(Predicate::Is { left: left.operand, right, negated }));
        }
        if value.is_null() || left.value_type.is_none() {
            return Ok(Draft::Always(false));
        }
        if op.takes_list() {
            return Err(path.error(format!("{name} takes a list, found a single value")));
        }
        refuse_nan(&value, path)?;
        let right = constant_side(value);
        if !self.matches_type(&left, written, &right, path)? {
            return Ok(match op {
                Op::Ne => not_null(left.operand),
                other => Draft::Always(other == Op::IsNot),
            });
        }
        let (operand, right) = (left.operand, right.operand);
        Ok(Draft::Test(match (op, right) {
            (Op::Like | Op::NotLike | Op::ILike | Op::NotILike, right) => {
                let negated = matches!(op, Op::NotLike | Op::NotILike);
                let ignore_case = matches!(op, Op::ILike | Op::NotILike);
                let pattern = like_pattern(name, &right, ignore_case, path)?;
                Predicate::Like { operand, pattern, negated }
            }
            (Op::IsNot, right) => Predicate::Is { left: operand, right, negated: true },
            (op, right) => {
                // Without null on its right, IS is the same as equality.
                let op = compare_op(op).unwrap_or(CompareOp::Eq);
                Predicate::Compare { left: operand, op, right }
            }
        }))
    }

    /// Tests a column, or a constant, against a list.
    fn membership(
        &self,
        left: Side<'q>,
        operator: Operator,
        values: Vec<Value>,
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        let Operator { written, op } = operator;
        let negated = op == Op::NotIn;
        check_list_length(path, values.len())?;
        if left.value_type == Some(ColumnType::Json) {
            return Err(json_error(&left, written.name(), "a list", path));
        }
        if left.value_type.is_none() {
            return Ok(Draft::Always(false));
        }
        let mut kept = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            let path = path.at(Step::Item("item", index));
            if value.is_null() {
                return Err(path.error(format!(
                    "{} of a list that holds null; test for null with IS NULL",
                    written.name()
                )));
            }
            refuse_nan(&value, &path)?;
            let right = constant_side(value);
            if self.matches_type(&left, written, &right, &path)?
                && let Operand::Literal(value) = right.operand
            {
                kept.push(value);
            }
        }
        kept.sort_unstable();
        kept.dedup();
        if kept.len() > 1 {
            let set = ValueSet::new(kept);
            return Ok(Draft::Test(Predicate::In { operand: left.operand, set, negated }));
        }
        Ok(match kept.pop() {
            Some(only) => Draft::Test(Predicate::Compare {
                left: left.operand,
                op: if negated { CompareOp::Ne } else { CompareOp::Eq },
                right: Operand::Literal(only),
            }),
            None if negated => not_null(left.operand),
            None => Draft::Always(false),
        })
    }

    /// Whether two sides are of one type. Where they are not, it is an error, except that in an
    /// AST an equality with a constant of another type is only never true.
    fn matches_type(
        &self,
        left: &Side<'_>,
        op: Op,
        right: &Side<'_>,
        path: &Path<'_>,
    ) -> Result<bool, QueryError> {
        match check_comparable(left, op.name(), right, path) {
            Ok(()) => Ok(true),
            Err(error) => {
                let json = left.value_type == Some(ColumnType::Json);
                if op.is_equality() && self.origin == Origin::Ast && !json {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }
}

impl Side<'_> {
    /// The side for an error text, as in `column "id" is integer`.
    fn describe(&self) -> String {
        match (self.column, self.value_type) {
            (Some(name), Some(value_type)) => format!("column \"{name}\" is {value_type}"),
            (_, Some(value_type)) => format!("the value is {value_type}"),
            (_, None) => "the value is null".into(),
        }
    }
}

fn constant_side(value: Value) -> Side<'static> {
    let value_type = literal_type(&value);
    Side { operand: Operand::Literal(value), column: None, value_type }
}

/// Checks that neither side is json and that the operator applies to their types. Neither side
/// is null.
fn check_comparable(
    left: &Side<'_>,
    op: &str,
    right: &Side<'_>,
    path: &Path<'_>,
) -> Result<(), QueryError> {
    let (Some(left_type), Some(right_type)) = (left.value_type, right.value_type) else {
        return Ok(());
    };
    if left_type == ColumnType::Json {
        return Err(json_error(left, op, &right_type.to_string(), path));
    }
    if right.column.is_some() && right_type == ColumnType::Json {
        return Err(json_error(right, op, &left_type.to_string(), path));
    }
    let (fits, needs) = if op.ends_with("LIKE") {
        (left_type == ColumnType::Text && right_type == ColumnType::Text, "text on both sides")
    } else {
        (left_type.comparable(right_type), "both sides of one type")
    };
    if fits {
        return Ok(());
    }
    Err(path.error(format!("{op} needs {needs}, but {} and {}", left.describe(), right.describe())))
}

fn json_error(side: &Side<'_>, op: &str, other: &str, path: &Path<'_>) -> QueryError {
    path.error(format!(
        "{}, which cannot be compared by {op} with {other}; only IS NULL and IS NOT NULL apply \
         to it",
        side.describe()
    ))
}

fn like_pattern(
    op: &str,
    pattern: &Operand,
    ignore_case: bool,
    path: &Path<'_>,
) -> Result<LikePattern, QueryError> {
    let Operand::Literal(Value::Text(text)) = pattern else {
        return Err(path.error(format!("{op} needs a pattern of text")));
    };
    LikePattern::new(text, ignore_case)
        .map_err(|error| path.error(format!("LIKE pattern {text:?}: {error}")))
}

fn not_null(operand: Operand) -> Draft {
    let right = Operand::Literal(Value::Null);
    Draft::Test(Predicate::Is { left: operand, right, negated: true })
}

/// The comparison that an operator is, if it is one of the six.
fn compare_op(op: Op) -> Option<CompareOp> {
    match op {
        Op::Eq => Some(CompareOp::Eq),
        Op::Ne => Some(CompareOp::Ne),
        Op::Lt => Some(CompareOp::Lt),
        Op::Le => Some(CompareOp::Le),
        Op::Gt => Some(CompareOp::Gt),
        Op::Ge => Some(CompareOp::Ge),
        _ => None,
    }
}
