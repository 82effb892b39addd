//! UNION, UNION ALL, EXCEPT, INTERSECT and VALUES.

use std::sync::Arc;

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::key::Direction;
use penstock_operators::predicate::CompareOp;
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, Relation};
use penstock_operators::value::{ColumnType, Value};
use sqlparser::ast::{self, SetExpr, SetOperator, SetQuantifier};

use super::Context;
use super::aggregate::sort_keys;
use super::bind::{Binder, Pending, collation, common_type, ordinal};
use super::bound::{Bound, Traits, all, integer, null, plain};
use super::constant;
use super::error::{Outcome, Place};
use super::order::without_collation;
use super::rows::{Output, Page, Rows};
use super::scope::{Env, Scope, same};
use super::select::{self, Form};
use super::work::map;

/// How a SELECT of a compound is put together with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    UnionAll,
    Union,
    Except,
    Intersect,
}

/// Plans a compound of SELECTs.
pub(super) fn compound(
    context: Context<'_>,
    body: &SetExpr,
    order_by: &[ast::OrderByExpr],
    page: Page,
) -> Outcome<Rows> {
    let mut operands = Vec::new();
    flatten(body, None, context.at, &mut operands)?;
    let mut rows: Option<Rows> = None;
    let mut together: Vec<Rows> = Vec::new();
    for (operator, operand) in operands {
        let place = Place::of(operand).or(context.at);
        let next = branch(Context { at: place, ..context }, operand)?;
        let Some(before) = rows.take() else {
            rows = Some(next);
            continue;
        };
        if before.outputs.len() != next.outputs.len() {
            return place.refuse(format!(
                "the SELECTs of a compound have {} and {} columns; they need as many",
                before.outputs.len(),
                next.outputs.len()
            ));
        }
        match operator {
            // Several in a row are one.
            Some(Operator::UnionAll) | None => {
                together.push(before);
                rows = Some(next);
                continue;
            }
            Some(operator) => {
                together.push(before);
                let before = union_all(std::mem::take(&mut together));
                rows = Some(combine(operator, before, next));
            }
        }
    }
    let Some(last) = rows else { return context.at.refuse("there is no SELECT here") };
    together.push(last);
    let mut rows = union_all(together);
    rows.order = terms(context, order_by, &mut rows)?;
    rows.page = page;
    Ok(rows)
}

/// The operands of a compound in the order written: in SQLite all operators bind alike.
fn flatten<'a>(
    body: &'a SetExpr,
    operator: Option<Operator>,
    at: Place,
    into: &mut Vec<(Option<Operator>, &'a SetExpr)>,
) -> Outcome<()> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else {
        into.push((operator, body));
        return Ok(());
    };
    let own = match (op, set_quantifier) {
        (SetOperator::Union, SetQuantifier::All) => Operator::UnionAll,
        (SetOperator::Union, SetQuantifier::None) => Operator::Union,
        (SetOperator::Except, SetQuantifier::None) => Operator::Except,
        (SetOperator::Intersect, SetQuantifier::None) => Operator::Intersect,
        _ => return at.refuse(format!("{op} {set_quantifier} is not of SQLite")),
    };
    flatten(left, operator, at, into)?;
    flatten(right, Some(own), at, into)
}

fn branch(context: Context<'_>, body: &SetExpr) -> Outcome<Rows> {
    let rows = match body {
        SetExpr::Select(select) => {
            select::select(context, select, &[], Page::default(), Form::Subquery)?
        }
        SetExpr::Query(query) => super::query::query(context, query, Form::Subquery)?.paged(),
        SetExpr::Values(values) => self::values(context, values)?,
        other => return context.at.refuse(format!("{other} is not a SELECT")),
    };
    if !rows.correlation.is_empty() || !rows.outer.is_empty() {
        return context.at.refuse(
            "a compound of SELECTs in a subquery cannot refer to the SELECT around it; write one \
             subquery for each",
        );
    }
    Ok(rows)
}

fn values(context: Context<'_>, values: &ast::Values) -> Outcome<Rows> {
    let scope = Scope::default();
    let mut pending = Pending::default();
    let mut binder = Binder {
        context: context.alone(),
        env: Env { scope: &scope, outer: None },
        pending: &mut pending,
        no_aggregates: Some("VALUES"),
        aliases: &[],
        at: context.at,
    };
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(values.rows.len());
    let mut types: Vec<Vec<ColumnType>> = Vec::new();
    for (number, row) in values.rows.iter().enumerate() {
        let mut values = Vec::new();
        for (at, expr) in row.content.iter().enumerate() {
            let bound = binder.bind(expr)?;
            let Some(value) = constant::value(&bound.expr) else {
                return Place::of(expr).or(context.at).refuse("VALUES takes constants");
            };
            if types.len() <= at {
                types.push(Vec::new());
            }
            types[at].push(bound.traits.column_type);
            values.push(value);
        }
        if rows.first().is_some_and(|first| first.len() != values.len() + 1) {
            return context.at.refuse("the rows of VALUES need as many columns");
        }
        // A number tells equal rows apart.
        values.push(Value::Int(number as i64));
        rows.push(values);
    }
    let outputs = types
        .into_iter()
        .enumerate()
        .map(|(at, types)| Output {
            name: format!("column{}", at + 1),
            traits: Traits::of(common_type(types), true),
            position: at,
        })
        .collect::<Vec<_>>();
    let width = outputs.len();
    Ok(Rows::of(Arc::new(Relation::Rows(rows)), width + 1, outputs, vec![width]))
}

impl Rows {
    /// Rows without an order and not related to others.
    fn of(relation: Arc<Relation>, width: usize, outputs: Vec<Output>, key: Vec<usize>) -> Rows {
        Rows {
            relation,
            width,
            outputs,
            key,
            order: Vec::new(),
            page: Page::default(),
            correlation: Vec::new(),
            outer: Vec::new(),
            of_nothing: None,
            nested: Vec::new(),
        }
    }
}

/// The outputs of a compound: named and collated by the first SELECT.
fn outputs(parts: &[Rows]) -> Vec<Output> {
    let first = parts.first().map_or(&[][..], |rows| &rows.outputs);
    let column = |at: usize| parts.iter().map(move |rows| rows.outputs[at].traits);
    first
        .iter()
        .enumerate()
        .map(|(at, output)| {
            let own = output.traits.column_type;
            let same_type = column(at).all(|traits| traits.column_type == own);
            let traits = Traits {
                column_type: if same_type {
                    own
                } else {
                    common_type(column(at).map(|t| t.column_type))
                },
                nullable: column(at).any(|traits| traits.nullable),
                affinity: column(at).find_map(|traits| traits.affinity),
                collation: column(at).find_map(|traits| traits.collation),
                explicit: false,
            };
            Output { name: output.name.clone(), traits, position: at }
        })
        .collect()
}

/// The outputs of one SELECT of a compound: values of one kind are alike in all of them.
fn values_of(rows: &Rows, outputs: &[Output]) -> Vec<Expr> {
    let columns = rows.outputs.iter().zip(outputs);
    columns
        .map(|(own, common)| {
            let column = Expr::Column(own.position);
            let special = matches!(own.traits.column_type, ColumnType::Boolean | ColumnType::Json);
            let differs = own.traits.column_type != common.traits.column_type;
            if special && differs { plain(column) } else { column }
        })
        .collect()
}

fn union_all(mut parts: Vec<Rows>) -> Rows {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let outputs = outputs(&parts);
    let keys = parts.iter().map(|rows| rows.key.len()).max().unwrap_or(0);
    let inputs = parts
        .iter()
        .enumerate()
        .map(|(branch, rows)| {
            let mut columns = values_of(rows, &outputs);
            columns.push(integer(branch as i64));
            columns.extend(rows.key.iter().map(|key| Expr::Column(*key)));
            columns.resize(outputs.len() + 1 + keys, null());
            map(&rows.relation, rows.width, columns)
        })
        .collect();
    let (first, width) = (outputs.len(), outputs.len() + 1 + keys);
    Rows::of(Arc::new(Relation::Union { inputs }), width, outputs, (first..width).collect())
}

fn combine(operator: Operator, before: Rows, next: Rows) -> Rows {
    let parts = [before, next];
    let outputs = outputs(&parts);
    let count = outputs.len();
    let keys: Vec<Expr> = outputs
        .iter()
        .map(|output| Bound { expr: Expr::Column(output.position), traits: output.traits }.key())
        .collect();
    let binary = keys.iter().enumerate().all(|(at, key)| *key == Expr::Column(at));
    // Beside the values, one column for each side that says of which a row is.
    let inputs: Vec<Arc<Relation>> = parts
        .iter()
        .enumerate()
        .map(|(side, rows)| {
            let mut columns = values_of(rows, &outputs);
            if operator != Operator::Union {
                columns.extend((0..2).map(|at| if at == side { integer(1) } else { null() }));
            }
            map(&rows.relation, rows.width, columns)
        })
        .collect();
    let union = Arc::new(Relation::Union { inputs });
    if operator == Operator::Union && binary {
        let relation = Arc::new(Relation::Distinct { input: union });
        return Rows::of(relation, count, outputs, (0..count).collect());
    }
    let marks = if operator == Operator::Union { 0 } else { 2 };
    let width = count + marks;
    let columns = (0..width).map(Expr::Column).chain(keys).collect();
    let input = map(&union, width, columns);
    let call = |function: AggregateFunction, column: usize| AggregateCall {
        function,
        distinct: false,
        column: Some(column),
        collation: Collation::Binary,
        filter: None,
    };
    let mut functions: Vec<AggregateCall> =
        (0..count).map(|at| call(AggregateFunction::Any, at)).collect();
    functions.extend((count..width).map(|at| call(AggregateFunction::Count, at)));
    let group = (width..width + count).collect();
    let mut relation = Arc::new(Relation::Aggregate { input, group, functions });
    if marks > 0 {
        let test = |op: CompareOp, at: usize| Expr::Compare {
            op,
            left: Box::new(Expr::Column(at)),
            right: Box::new(integer(0)),
            collation: Collation::Binary,
        };
        let other = if operator == Operator::Except { CompareOp::Eq } else { CompareOp::Gt };
        let condition = all(vec![test(CompareOp::Gt, 2 * count), test(other, 2 * count + 1)]);
        relation = Arc::new(Relation::Filter { input: relation, condition });
    }
    let outputs = outputs
        .into_iter()
        .map(|output| Output { position: count + output.position, ..output })
        .collect();
    Rows::of(relation, 2 * count + marks, outputs, (0..count).collect())
}

/// The ORDER BY of a compound: numbers and names of its columns.
fn terms(
    context: Context<'_>,
    order_by: &[ast::OrderByExpr],
    rows: &mut Rows,
) -> Outcome<Vec<(usize, Direction)>> {
    let mut keys: Vec<(Expr, Direction)> = Vec::new();
    for (index, term) in order_by.iter().enumerate() {
        let place = Place::of(term).or(context.at);
        let (expr, stated) = without_collation(&term.expr);
        let at = match (ordinal(expr), expr) {
            (Some(number), _) => {
                let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
                at.filter(|at| *at < rows.outputs.len())
            }
            (None, ast::Expr::Identifier(name)) => {
                rows.outputs.iter().position(|output| same(&output.name, &name.value))
            }
            _ => None,
        };
        let Some(at) = at else {
            return place.refuse(format!(
                "term {} of ORDER BY is not a column of the compound; use the name or the number \
                 of one, or select from the compound in a subquery",
                index + 1
            ));
        };
        let output = &rows.outputs[at];
        let mut bound = Bound { expr: Expr::Column(output.position), traits: output.traits };
        if let Some(name) = stated {
            bound.traits.collation = Some(collation(name, place)?);
        }
        keys.extend(sort_keys(bound, &term.options, place)?);
    }
    let mut columns: Vec<Expr> = (0..rows.width).map(Expr::Column).collect();
    let mut order = Vec::with_capacity(keys.len());
    for (key, direction) in keys {
        let at = columns.iter().position(|column| *column == key);
        order.push((at.unwrap_or(columns.len()), direction));
        if at.is_none() {
            columns.push(key);
        }
    }
    if columns.len() > rows.width {
        let width = columns.len();
        rows.relation = map(&rows.relation, rows.width, columns);
        rows.width = width;
    }
    Ok(order)
}
