//! Levels as relations: what a planned level reads, said with relational operators, so that it can
//! be aggregated.

use std::sync::Arc;

use penstock_operators::expr::{Collation, Expr, Function, HostFunction};
use penstock_operators::plan::{Binding, Condition, Edge, Input, LevelPlan};
use penstock_operators::predicate::{Operand, Predicate};
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, JoinKind, Relation};
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::value::Value;

/// The rows of a level whatever their order, all columns of its table, with how many there are.
///
/// Of a level below another these are the rows for any parent; its correlated columns are columns
/// of the table.
pub(super) fn level_rows(
    schema: &Schema,
    plan: &LevelPlan,
    binding: &Binding,
) -> (Arc<Relation>, usize) {
    rows(schema, plan.table, &plan.input, &binding.constants, &binding.children)
}

/// As [`level_rows`], from the parts of a level.
pub(super) fn rows(
    schema: &Schema,
    table: TableId,
    input: &Input,
    constants: &[Value],
    children: &[Arc<Binding>],
) -> (Arc<Relation>, usize) {
    let width = schema.table(table).columns().len();
    match input {
        Input::Scan { partition, correlated, condition, gates } => {
            let lifted = partition[*correlated..].iter().copied();
            let equal = lifted.zip(constants.iter().cloned()).collect();
            let scan = scan(table, equal, width);
            (filtered(schema, scan, width, condition, gates, children), width)
        }
        // Read with its correlation, by `correlated_rows`; alone it has no rows of its own.
        Input::Junction { .. } => (Arc::new(Relation::Rows(Vec::new())), width),
    }
}

/// The rows of a table with the columns that it has now: one that is added later stays out.
pub(super) fn scan(table: TableId, equal: Vec<(usize, Value)>, width: usize) -> Arc<Relation> {
    let input = Arc::new(Relation::Scan { table, equal });
    Arc::new(Relation::Map { input, columns: (0..width).map(Expr::Column).collect() })
}

/// The child side of a level's correlation.
pub(super) fn correlated(plan: &LevelPlan) -> &[usize] {
    match &plan.input {
        Input::Scan { partition, correlated, .. } => &partition[..*correlated],
        Input::Junction { near, .. } => correlated(near),
    }
}

/// The rows for which a condition holds.
fn filtered(
    schema: &Schema,
    scan: Arc<Relation>,
    width: usize,
    condition: &Condition,
    gates: &[Edge],
    children: &[Arc<Binding>],
) -> Arc<Relation> {
    if matches!(condition, Condition::Always(true)) {
        return scan;
    }
    // Beside each row, for each gate, how many rows its body has; null for none.
    let (mut input, mut marks, mut reach) = (scan, Vec::new(), width);
    for (gate, binding) in gates.iter().zip(children) {
        let (body, _) = level_rows(schema, &gate.child, binding);
        let group = correlated(&gate.child).to_vec();
        let right_width = group.len() + 1;
        let on = gate.columns.iter().copied().zip(0..group.len()).collect();
        let functions = vec![call(AggregateFunction::Count, None, false)];
        let counted = Arc::new(Relation::Aggregate { input: body, group, functions });
        input = Arc::new(Relation::Join {
            kind: JoinKind::Left,
            left: input,
            left_width: reach,
            right: counted,
            right_width,
            on,
            residual: None,
        });
        reach += right_width;
        marks.push(reach - 1);
    }
    let condition = holds(condition, &marks);
    let passing = Arc::new(Relation::Filter { input, condition });
    if gates.is_empty() {
        return passing;
    }
    let columns = (0..width).map(Expr::Column).collect();
    Arc::new(Relation::Map { input: passing, columns })
}

/// A condition as an expression; `marks` are the columns that are null where a gate's body is
/// empty.
fn holds(condition: &Condition, marks: &[usize]) -> Expr {
    match condition {
        Condition::Always(constant) => Expr::Literal(Value::Int(i64::from(*constant))),
        Condition::Test(predicate) => test(predicate),
        Condition::Gate { gate, negated } => Expr::Is {
            left: Box::new(Expr::Column(marks[*gate])),
            right: Box::new(Expr::Literal(Value::Null)),
            negated: !negated,
            collation: Collation::Binary,
        },
        Condition::All(parts) => Expr::And(parts.iter().map(|part| holds(part, marks)).collect()),
        Condition::Any(parts) => Expr::Or(parts.iter().map(|part| holds(part, marks)).collect()),
    }
}

/// A test of the row as an expression: true for the same rows.
fn test(predicate: &Predicate) -> Expr {
    let side = |operand: &Operand| {
        Box::new(match operand {
            Operand::Column(column) => Expr::Column(*column),
            Operand::Literal(value) => Expr::Literal(value.clone()),
        })
    };
    let collation = Collation::Binary;
    match predicate {
        Predicate::Compare { left, op, right } => {
            Expr::Compare { op: *op, left: side(left), right: side(right), collation }
        }
        Predicate::Is { left, right, negated } => {
            Expr::Is { left: side(left), right: side(right), negated: *negated, collation }
        }
        Predicate::In { operand, set, negated } => {
            let list = set.values().iter().cloned().map(Expr::Literal).collect();
            Expr::In { operand: side(operand), list, negated: *negated, collation }
        }
        Predicate::Like { operand, .. } => {
            // SQL's LIKE is another: the pattern match of builder queries knows case.
            let (name, predicate) = (format!("{predicate:?}"), predicate.clone());
            let function = Function::Host(HostFunction::new(name, move |arguments: &[Value]| {
                let Predicate::Like { pattern, negated, .. } = &predicate else {
                    return Value::Null;
                };
                let matches = |text| pattern.matches(text) != *negated;
                let text = arguments.first().and_then(Value::as_str);
                text.map_or(Value::Null, |text| Value::Int(i64::from(matches(text))))
            }));
            Expr::Call { function, arguments: vec![*side(operand)] }
        }
        Predicate::Expr(expr) => (**expr).clone(),
    }
}

/// A call of an aggregate function.
pub(super) fn call(
    function: AggregateFunction,
    column: Option<usize>,
    distinct: bool,
) -> AggregateCall {
    AggregateCall { function, distinct, column, collation: Collation::Binary, filter: None }
}
