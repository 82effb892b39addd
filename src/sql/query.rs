//! Queries: WITH, compounds of SELECTs, VALUES, ORDER BY and LIMIT around them.

use std::rc::Rc;

use sqlparser::ast;
use sqlparser::ast::SetExpr;

use super::Context;
use super::compound;
use super::error::{Outcome, Place};
use super::order;
use super::rows::Rows;
use super::scope::same;
use super::select::{self, Form};

/// The error of a table of WITH that reads itself.
pub(super) const RECURSIVE: &str = "recursive CTEs are not supported in live queries; keep a table \
     of ancestors, or join a fixed number of levels";

/// The tables that WITH names, and those of the queries around.
#[derive(Debug, Default)]
pub(super) struct Ctes<'c> {
    /// `None` while the table is being planned.
    tables: Vec<(String, Option<Rc<Rows>>)>,
    outer: Option<&'c Ctes<'c>>,
}

/// A table that WITH names.
pub(super) enum Found {
    Rows(Rc<Rows>),
    /// It is being planned: it would read itself.
    Recursive,
}

impl Ctes<'_> {
    /// The table of a name, the innermost first.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
        let found = self.tables.iter().rev().find(|(table, _)| same(table, name));
        match found {
            Some((_, Some(rows))) => Some(Found::Rows(Rc::clone(rows))),
            Some((_, None)) => Some(Found::Recursive),
            None => self.outer?.find(name),
        }
    }
}

/// Plans a query.
pub(super) fn query(context: Context<'_>, query: &ast::Query, form: Form) -> Outcome<Rows> {
    let at = Place::of(query).or(context.at);
    let context = Context { at, ..context };
    let refused = [
        (!query.locks.is_empty(), "FOR UPDATE"),
        (query.for_clause.is_some(), "FOR"),
        (query.settings.is_some(), "SETTINGS"),
        (query.format_clause.is_some(), "FORMAT"),
        (!query.pipe_operators.is_empty(), "|>"),
    ];
    if let Some((_, what)) = refused.iter().find(|(present, _)| *present) {
        return at.refuse(format!("{what} is not of SQLite"));
    }
    let mut ctes = Ctes { tables: Vec::new(), outer: Some(context.ctes) };
    if let Some(with) = &query.with {
        define(context, with, &mut ctes)?;
    }
    let context = Context { ctes: &ctes, ..context };
    let order_by = order::order_by(query, at)?;
    let page = order::page(context, query, at)?;
    match &*query.body {
        SetExpr::Select(select) => select::select(context, select, order_by, page, form),
        SetExpr::Query(inner) if order_by.is_empty() && page.is_all() => {
            self::query(context, inner, form)
        }
        body => compound::compound(context, body, order_by, page),
    }
}

/// Plans a query that knows no SELECT around it, as a table.
pub(super) fn derived_rows(context: Context<'_>, subquery: &ast::Query) -> Outcome<Rows> {
    Ok(query(context.alone(), subquery, Form::Subquery)?.paged())
}

fn define(context: Context<'_>, with: &ast::With, ctes: &mut Ctes<'_>) -> Outcome<()> {
    let at = Place::start(with.with_token.0.span).or(context.at);
    if with.recursive {
        return at.refuse(RECURSIVE);
    }
    for cte in &with.cte_tables {
        let name = cte.alias.name.value.clone();
        let place = Place::of(&cte.alias).or(at);
        if ctes.tables.iter().any(|(other, _)| same(other, &name)) {
            return place.refuse(format!("WITH defines \"{name}\" twice"));
        }
        ctes.tables.push((name.clone(), None));
        let mut rows = derived_rows(Context { ctes: &*ctes, ..context }, &cte.query)?;
        let names = &cte.alias.columns;
        if !names.is_empty() {
            if names.len() != rows.outputs.len() {
                return place.refuse(format!(
                    "\"{name}\" has {} columns but {} names are given for them",
                    rows.outputs.len(),
                    names.len()
                ));
            }
            for (output, given) in rows.outputs.iter_mut().zip(names) {
                output.name = given.name.value.clone();
            }
        }
        if let Some((_, planned)) = ctes.tables.last_mut() {
            *planned = Some(Rc::new(rows));
        }
    }
    Ok(())
}
