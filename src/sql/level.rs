//! Levels: what a statement and its nested lists are for the dataflow, and how they are shown.

use std::sync::Arc;

use penstock_operators::expr::{Affinity, Expr};
use penstock_operators::key::KeySpec;
use penstock_operators::plan::{Binding, Condition, Edge, Extent, Input, LevelPlan};
use penstock_operators::relation::plan::Derived;
use penstock_operators::schema::{Column, Shown, TableId};
use penstock_operators::value::Value;
use sqlparser::ast;

use super::Context;
use super::error::Outcome;
use super::query;
use super::rows::{Nested, Output, Page, Rows, unique};
use super::select::Form;
use super::work::map;
use crate::query::{ViewFormat, ViewRelationship};

/// A planned level.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) plan: LevelPlan,
    pub(super) binding: Arc<Binding>,
    pub(super) view: Arc<ViewFormat>,
    /// The expressions of the row around that lead to its rows.
    leads: Vec<Expr>,
}

/// The parts of a level that are the same over tables and derived tables.
pub(super) struct Parts {
    pub(super) plan: LevelPlan,
    pub(super) constants: Vec<Value>,
    /// The bindings of its gates.
    pub(super) gates: Vec<Arc<Binding>>,
    pub(super) page: Page,
    pub(super) showing: Showing,
    pub(super) nested: Vec<Nested>,
    pub(super) leads: Vec<Expr>,
}

/// How the rows of a level are shown.
pub(super) enum Showing {
    /// As rows of a table.
    Table(TableId),
    As(Shown),
}

/// Plans a query whose rows are a result, or a nested list of one.
pub(super) fn level(context: Context<'_>, query: &ast::Query, one: bool) -> Outcome<Level> {
    if let Some(parts) = super::direct::direct(context, query)? {
        return Ok(parts.level(context, one));
    }
    let rows = query::query(context, query, Form::Result)?;
    if !rows.outer.is_empty() {
        return context.at.refuse(
            "a condition of a nested list has to be about its own rows; put what is about the row \
             around into a CASE there, or into the WHERE around",
        );
    }
    Ok(over_derived(context, rows).level(context, one))
}

impl Level {
    /// The expressions of the row around that lead to its rows.
    pub(super) fn leads(&self) -> Vec<Expr> {
        self.leads.clone()
    }
}

/// The level that reads rows from a derived table.
fn over_derived(context: Context<'_>, mut rows: Rows) -> Parts {
    if rows.key.is_empty() {
        // The one row there may be is told by a constant.
        let columns = (0..rows.width).map(Expr::Column);
        let columns = columns.chain([super::bound::integer(0)]).collect();
        rows.relation = map(&rows.relation, rows.width, columns);
        rows.key.push(rows.width);
        rows.width += 1;
    }
    let order = rows.total_order();
    let (leads, partition): (Vec<Expr>, Vec<usize>) =
        std::mem::take(&mut rows.correlation).into_iter().unzip();
    let shown = Shown {
        name: "result".into(),
        columns: shown_columns(&rows.outputs),
        key: rows.key.clone(),
        like: None,
    };
    let table = context.planner.derive(Derived { relation: rows.relation, key: rows.key });
    Parts {
        plan: LevelPlan {
            table,
            input: Input::Scan {
                correlated: partition.len(),
                partition,
                condition: Condition::Always(true),
                gates: Vec::new(),
            },
            order: KeySpec::new(order),
            related: Vec::new(),
        },
        constants: Vec::new(),
        gates: Vec::new(),
        page: rows.page,
        showing: Showing::As(shown),
        nested: rows.nested,
        leads,
    }
}

impl Parts {
    /// The level of the parts. `one` shows the first row or none instead of a list.
    pub(super) fn level(self, context: Context<'_>, one: bool) -> Level {
        let Parts { mut plan, constants, gates: mut children, page, showing, nested, leads } = self;
        let table = match showing {
            Showing::Table(table) => table,
            Showing::As(shown) => context.planner.show(shown),
        };
        let mut relationships = Vec::with_capacity(nested.len());
        for Nested { name, level, columns } in nested {
            plan.related.push(Edge { columns, child: level.plan, private: false });
            children.push(level.binding);
            relationships.push(ViewRelationship { name, format: level.view });
        }
        let limit = if one { Some(page.limit.unwrap_or(1).min(1)) } else { page.limit };
        let extent = Extent { offset: page.offset, limit, ..Extent::default() };
        Level {
            plan,
            binding: Arc::new(Binding { constants, extent, children }),
            view: Arc::new(ViewFormat { table, singular: one, expect_one: false, relationships }),
            leads,
        }
    }
}

/// The columns of a result as they are shown.
pub(super) fn shown_columns(outputs: &[Output]) -> Vec<(Column, usize)> {
    let mut names: Vec<String> = Vec::new();
    outputs
        .iter()
        .map(|output| {
            let name = unique(&output.name, &names);
            names.push(name.clone());
            let traits = output.traits;
            let column = Column {
                name,
                column_type: traits.column_type,
                nullable: traits.nullable,
                affinity: traits.affinity.unwrap_or(Affinity::Blob),
                collation: traits.collation(),
            };
            (column, output.position)
        })
        .collect()
}
