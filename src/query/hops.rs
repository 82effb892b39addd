//! The hops of a subquery, with tables and correlated columns resolved.

use penstock_operators::schema::TableId;
use penstock_operators::value::ColumnType;

use super::Related;
use super::error::{QueryError, suggestion};
use super::form::{Hop, Node, Target};
use super::path::{Path, Step};
use super::resolve::Planner;

/// The way from a row to its related rows: one hop or more.
#[derive(Debug)]
pub(super) struct Route<'q> {
    pub(super) hops: Vec<RouteHop<'q>>,
    /// Whether at most one row is declared to be at the end.
    pub(super) one: bool,
}

/// One hop: the rows of `table` whose `to` columns equal the `from` columns of the row before.
#[derive(Debug)]
pub(super) struct RouteHop<'q> {
    pub(super) table: TableId,
    pub(super) from: Vec<usize>,
    pub(super) to: Vec<usize>,
    /// The conditions on the rows of this hop.
    pub(super) filters: &'q [Node],
}

impl<'q> Planner<'q> {
    /// The way that a subquery called `name` leads from the rows of `parent`.
    pub(super) fn route(
        &self,
        parent: TableId,
        related: &'q Related,
        name: &'q str,
        path: &Path<'_>,
    ) -> Result<Route<'q>, QueryError> {
        if let Some(misuse) = related.misuse {
            return Err(path.error(misuse));
        }
        let mut route = match &related.target {
            Target::Declared(relationship) => {
                self.declared(parent, relationship.as_deref().unwrap_or(name), path)?
            }
            Target::Hops { hops, one } => {
                let mut resolved = Vec::with_capacity(hops.len());
                let mut near = parent;
                for (index, hop) in hops.iter().enumerate() {
                    let hidden = index + 1 < hops.len();
                    let hop_path = path.at(Step::Named("hop", &hop.table));
                    let hop = self.stated(near, hop, if hidden { &hop_path } else { path })?;
                    near = hop.table;
                    resolved.push(hop);
                }
                Route { hops: resolved, one: *one }
            }
        };
        if let Some(last) = route.hops.last_mut() {
            last.filters = &related.body.filters;
            if let Some(instead) = self.computed.and_then(|all| all.instead(&related.body)) {
                (last.table, last.filters) = (instead.table, instead.filters);
                if instead.grouped {
                    // The groups' columns begin with those that lead to them.
                    last.to = (0..last.to.len()).collect();
                }
            }
        }
        Ok(route)
    }

    fn declared(
        &self,
        parent: TableId,
        name: &str,
        path: &Path<'_>,
    ) -> Result<Route<'q>, QueryError> {
        if name.is_empty() {
            return Err(path.error(
                "Related::named() has no name to go by here; use Related::declared(\"…\")",
            ));
        }
        let table = self.table_schema(parent);
        let relationship = table.relationship(name).ok_or_else(|| {
            let known: Vec<&str> =
                table.relationships().iter().map(|relationship| &*relationship.name).collect();
            path.error(format!(
                "table \"{}\" has no relationship \"{name}\"; {}",
                table.name(),
                suggestion(name, known.iter().copied(), "it")
            ))
        })?;
        let hops = relationship.hops.iter().map(|hop| RouteHop {
            table: hop.table,
            from: hop.from.clone(),
            to: hop.to.clone(),
            filters: &[],
        });
        Ok(Route { hops: hops.collect(), one: relationship.one })
    }

    fn stated(
        &self,
        near: TableId,
        hop: &'q Hop,
        path: &Path<'_>,
    ) -> Result<RouteHop<'q>, QueryError> {
        let table = self.table(&hop.table, path)?;
        let path = path.part("on");
        if hop.on.is_empty() {
            return Err(path.error(format!(
                "nothing relates \"{}\" to \"{}\"; add .on(column of \"{1}\", column of \"{0}\")",
                hop.table,
                self.table_schema(near).name()
            )));
        }
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (parent, child) in &hop.on {
            let parent = self.column(near, parent, &path)?;
            let child = self.column(table, child, &path)?;
            self.check_correlation((near, parent), (table, child), &path)?;
            // A pair stated twice says nothing new; a column related to two must equal both.
            if !from.iter().zip(&to).any(|pair| pair == (&parent, &child)) {
                from.push(parent);
                to.push(child);
            }
        }
        Ok(RouteHop { table, from, to, filters: &hop.filters })
    }

    fn check_correlation(
        &self,
        parent: (TableId, usize),
        child: (TableId, usize),
        path: &Path<'_>,
    ) -> Result<(), QueryError> {
        let left = self.column_schema(parent.0, parent.1);
        let right = self.column_schema(child.0, child.1);
        let json = left.column_type == ColumnType::Json || right.column_type == ColumnType::Json;
        if !json && left.column_type.comparable(right.column_type) {
            return Ok(());
        }
        Err(path.error(format!(
            "column \"{}\" of table \"{}\" is {} and column \"{}\" of table \"{}\" is {}; \
             {} cannot be related",
            left.name,
            self.table_schema(parent.0).name(),
            left.column_type,
            right.name,
            self.table_schema(child.0).name(),
            right.column_type,
            if json { "json columns" } else { "columns of different types" },
        )))
    }
}
