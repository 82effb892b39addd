//! Statements whose rows are rows of one table, tested one by one: levels over the table itself,
//! as those of queries made in Rust are. They share levels, windows and indexes with them.

use std::sync::Arc;

use penstock_operators::expr::Expr;
use penstock_operators::key::{Direction, KeySpec};
use penstock_operators::plan::{Binding, Input, LevelPlan};
use penstock_operators::relation::plan::{Derived, Relation};
use penstock_operators::schema::{Shown, TableId};
use penstock_operators::value::Value;
use sqlparser::ast::{self, SetExpr};

use super::Context;
use super::bind::{Binder, Pending};
use super::error::{Outcome, Place};
use super::from;
use super::gate::Tests;
use super::level::{Parts, Showing, shown_columns};
use super::list;
use super::order;
use super::rows::{Nested, Output};
use super::scope::Env;
use super::select::{Form, refuse_clauses};
use super::slot::{Slot, rewrite};
use crate::query::draft::{Draft, Gates};

/// The level of a query over a table, if it is one.
pub(super) fn direct(context: Context<'_>, query: &ast::Query) -> Outcome<Option<Parts>> {
    let Some((select, table)) = simple(context, query) else { return Ok(None) };
    let at = Place::start(select.select_token.0.span);
    let context = Context { at, ..context };
    refuse_clauses(select, at)?;
    let from = from::read(context, &select.from, at)?;
    let env = Env { scope: &from.scope, outer: context.outer };
    let list = list::read(context, env, select, at)?;
    let order_by = order::order_by(query, at)?;
    let page = order::page(context, query, at)?;

    // The columns and the order first, without the nested lists, which are dear to plan.
    let mut scratch = Pending::default();
    let mut binder = binder(context, env, &mut scratch, at);
    let flat = list::bind(&mut binder, &list.items, Form::Flat)?;
    let keys = order::terms(&mut binder, order_by, &list.aliases, &flat)?;
    let is_plain = |expr: &Expr| matches!(expr, Expr::Column(slot) if is_own(*slot));
    let outward = flat.outputs.iter().any(|(_, output)| super::slot::Uses::of(&output.expr).outer);
    if !scratch.applies.is_empty()
        || !scratch.aggregates.is_empty()
        || outward
        || !keys.iter().all(|(key, _)| is_plain(key))
    {
        return Ok(None);
    }
    let mut pending = Pending::default();
    let mut tests = Tests::new(context, env, &list.aliases, context.outer.is_some());
    let draft = match &select.selection {
        Some(condition) => match tests.draft(condition)? {
            Some(draft) => draft,
            None => return Ok(None),
        },
        None => Draft::Always(true),
    };
    let (partition, leads) = std::mem::take(&mut tests.correlation).into_iter().unzip();

    let mut binder = self::binder(context, env, &mut pending, at);
    let bound = list::bind(&mut binder, &list.items, Form::Result)?;
    let mut computed = Computed { width: from.scope.width(), exprs: Vec::new() };
    let outputs: Vec<Output> = bound
        .outputs
        .into_iter()
        .map(|(name, bound)| {
            let position = computed.position(bound.expr);
            Output { name, traits: bound.traits, position }
        })
        .collect();
    let nested = bound.nested.into_iter().map(|nested| {
        let columns = nested.level.leads().into_iter().map(|lead| computed.position(lead));
        Nested { columns: columns.collect(), name: nested.name, level: nested.level }
    });
    let nested = nested.collect();

    let schema = context.planner.schema.table(table);
    let mut order: Vec<(usize, Direction)> = Vec::new();
    let completing = schema.primary_key().iter().map(|column| (*column, Direction::Asc));
    let keys = keys.into_iter().filter_map(|(key, direction)| match key {
        Expr::Column(slot) => Some((slot, direction)),
        _ => None,
    });
    for (column, direction) in keys.chain(completing) {
        if order.iter().all(|(ordered, _)| *ordered != column) {
            order.push((column, direction));
        }
    }
    let showing = shown(context, table, &outputs, &computed);
    let (input, constants, gates) = scan(context, table, partition, draft);
    let plan = LevelPlan {
        table: computed.table(context, table),
        input,
        order: KeySpec::new(order),
        related: Vec::new(),
    };
    Ok(Some(Parts { plan, constants, gates, page, showing, nested, leads }))
}

fn binder<'b>(
    context: Context<'b>,
    env: Env<'b>,
    pending: &'b mut Pending,
    at: Place,
) -> Binder<'b> {
    Binder { context, env, pending, no_aggregates: None, aliases: &[], at }
}

/// Whether a slot is one of a column of FROM.
fn is_own(slot: usize) -> bool {
    matches!(Slot::of(slot), Slot::From(_))
}

/// The SELECT of a query over one base table without groups, with the table.
pub(super) fn simple<'q>(
    context: Context<'_>,
    query: &'q ast::Query,
) -> Option<(&'q ast::Select, TableId)> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [tables] = select.from.as_slice() else { return None };
    let ast::TableFactor::Table { name, args: None, .. } = &tables.relation else { return None };
    let grouped = match &select.group_by {
        ast::GroupByExpr::Expressions(terms, _) => !terms.is_empty(),
        ast::GroupByExpr::All(_) => true,
    };
    let distinct = !matches!(select.distinct, None | Some(ast::Distinct::All));
    let other = query.with.is_some()
        || !tables.joins.is_empty()
        || select.having.is_some()
        || !query.locks.is_empty()
        || !query.pipe_operators.is_empty();
    if grouped || distinct || other {
        return None;
    }
    let name = name.0.last()?.as_ident()?;
    if context.ctes.find(&name.value).is_some() {
        return None;
    }
    let table = from::base_table(context, &name.value, context.at).ok()?;
    Some((select, table))
}

/// A scan of a table: its input, the constants of the lifted columns, the bindings of its gates.
pub(super) fn scan(
    context: Context<'_>,
    table: TableId,
    mut partition: Vec<usize>,
    draft: Draft,
) -> (Input, Vec<Value>, Vec<Arc<Binding>>) {
    let correlated = partition.len();
    let lifted = draft.lift(&partition, context.planner.schema.table(table));
    let mut constants = Vec::with_capacity(lifted.equalities.len());
    for (column, value) in lifted.equalities {
        partition.push(column);
        constants.push(value);
    }
    let mut gates = Gates::new();
    let condition = lifted.rest.number(&mut gates);
    let (gates, bindings) = gates.into_parts();
    (Input::Scan { partition, correlated, condition, gates }, constants, bindings)
}

/// The columns that a statement computes from the rows of its table.
struct Computed {
    /// How many columns the table has.
    width: usize,
    exprs: Vec<Expr>,
}

impl Computed {
    /// The position of an expression over the table's columns.
    fn position(&mut self, expr: Expr) -> usize {
        if let Expr::Column(column) = expr {
            return column;
        }
        let at = self.exprs.iter().position(|other| *other == expr).unwrap_or_else(|| {
            self.exprs.push(expr);
            self.exprs.len() - 1
        });
        self.width + at
    }

    /// The table with the computed columns after its own.
    fn table(&self, context: Context<'_>, table: TableId) -> TableId {
        if self.exprs.is_empty() {
            return table;
        }
        let columns = (0..self.width).map(Expr::Column);
        let computed = self.exprs.iter().map(|expr| rewrite(expr, &mut |_| None));
        let relation = Relation::Map {
            input: Arc::new(Relation::Scan { table, equal: Vec::new() }),
            columns: columns.chain(computed).collect(),
        };
        let key = context.planner.schema.table(table).primary_key().to_vec();
        context.planner.derive(Derived { relation: Arc::new(relation), key })
    }
}

/// How the rows are shown: as they are, where all columns of the table are selected.
fn shown(context: Context<'_>, table: TableId, outputs: &[Output], computed: &Computed) -> Showing {
    let schema = context.planner.schema.table(table);
    let whole = computed.exprs.is_empty()
        && outputs.len() == schema.columns().len()
        && outputs
            .iter()
            .zip(schema.columns())
            .enumerate()
            .all(|(at, (output, column))| output.position == at && output.name == column.name);
    if whole {
        return Showing::Table(table);
    }
    Showing::As(Shown {
        name: schema.name().to_owned(),
        columns: shown_columns(outputs),
        key: schema.primary_key().to_vec(),
        like: None,
    })
}
