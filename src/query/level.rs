//! Levels: the tree of shapes and the parallel tree of bindings, from a query's subqueries.

use std::sync::Arc;

use penstock_operators::key::{Direction, Key, KeyBuffer, KeySpec, encode};
use penstock_operators::plan::{Binding, Edge, Extent, Input, LevelPlan, Plan, Start};
use penstock_operators::relation::plan::Relation;
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::value::{ColumnType, Value};

use super::draft::{Draft, GateBody, Gates};
use super::error::QueryError;
use super::form::{Body, StartAt};
use super::grouping;
use super::hops::{Route, RouteHop};
use super::limits::NodeCount;
use super::params::Params;
use super::path::{Path, Step};
use super::relation;
use super::resolve::{Planner, literal_type, refuse_nan};
use super::{CompiledQuery, Query, Related, ViewFormat, ViewRelationship};

/// Where a level's rows come from, with what its binding begins with.
#[derive(Debug)]
pub(super) struct Rows {
    table: TableId,
    input: Input,
    constants: Vec<Value>,
    /// The bindings of the gates, or of `near` and `far`.
    children: Vec<Arc<Binding>>,
}

impl Rows {
    pub(super) fn table(&self) -> TableId {
        self.table
    }

    /// The rows of a scan as a relation, with the number of their columns.
    pub(super) fn relation(&self, schema: &Schema) -> (Arc<Relation>, usize) {
        relation::rows(schema, self.table, &self.input, &self.constants, &self.children)
    }

    /// The rows as a level in primary-key order with nothing related.
    pub(super) fn into_level(self, planner: &Planner<'_>) -> (LevelPlan, Arc<Binding>) {
        planner.bare(self, Extent::default())
    }
}

/// A planned level.
#[derive(Debug)]
struct Level {
    plan: LevelPlan,
    binding: Arc<Binding>,
    view: Arc<ViewFormat>,
}

/// Checks and plans a query.
pub(super) fn compile(
    query: &Query,
    schema: &Schema,
    params: &Params,
) -> Result<CompiledQuery, QueryError> {
    let computed = grouping::compute(query, schema, params)?;
    let mut planner = Planner {
        schema: &computed.schema,
        params,
        origin: query.origin,
        nodes: NodeCount::default(),
        computed: Some(&computed),
    };
    let path = Path::root();
    let (table, filters) = match computed.instead(&query.body) {
        Some(instead) => (instead.table, instead.filters),
        None => (planner.table(&query.table, &path.part("table"))?, query.body.filters.as_slice()),
    };
    let filters = planner.filters(table, filters, &path)?;
    let rows = planner.scan(table, &[], filters);
    let level = planner.level(rows, &query.body, false, &path)?;
    let plan = Plan {
        shape: Arc::new(level.plan),
        binding: level.binding,
        derived: computed.derived.clone(),
    };
    Ok(CompiledQuery { plan, view: level.view, schema: computed.schema.clone() })
}

impl<'q> Planner<'q> {
    /// A level with all that a query's body adds to where its rows come from. `one` says that at
    /// most one row is declared to be there.
    fn level(
        &mut self,
        rows: Rows,
        body: &'q Body,
        one: bool,
        path: &Path<'_>,
    ) -> Result<Level, QueryError> {
        let Rows { table, input, constants, mut children } = rows;
        let order = self.complete_order(table, &body.order, path)?;
        let extent = self.extent(table, body, one, &order, path)?;
        let mut view = ViewFormat {
            table,
            singular: one || body.singular,
            expect_one: extent.expect_one,
            relationships: Vec::new(),
        };
        let mut related = Vec::new();
        for (index, (name, subquery)) in body.related.iter().enumerate() {
            if body.related[index + 1..].iter().any(|(later, _)| later == name) {
                continue;
            }
            let (columns, level) = self.relationship(table, name, subquery, path)?;
            related.push(Edge { columns, child: level.plan, private: false });
            children.push(level.binding);
            view.relationships.push(ViewRelationship { name: name.clone(), format: level.view });
        }
        let order = KeySpec::new(order);
        Ok(Level {
            plan: LevelPlan { table, input, order, related },
            binding: Arc::new(Binding { constants, extent, children }),
            view: Arc::new(view),
        })
    }

    /// The level of a subquery, with the columns of `parent` that lead to it.
    fn relationship(
        &mut self,
        parent: TableId,
        name: &'q str,
        subquery: &'q Related,
        path: &Path<'_>,
    ) -> Result<(Vec<usize>, Level), QueryError> {
        let place = path.at(Step::Named("related", name));
        if name.is_empty() {
            return Err(place.error("a relationship needs a name"));
        }
        let table = self.table_schema(parent);
        if table.column_index(name).is_some() {
            return Err(place.error(format!(
                "a relationship cannot have the name of a column of table \"{}\"",
                table.name()
            )));
        }
        let route = self.route(parent, subquery, name, &place)?;
        let path = path.nested_by(route.hops.len(), Step::Named("related", name))?;
        let columns = route.hops.first().map(|hop| hop.from.clone()).unwrap_or_default();
        let rows = self.route_rows(&route, &path)?;
        Ok((columns, self.level(rows, &subquery.body, route.one, &path)?))
    }

    /// The rows at the end of a route: a scan, or for several hops a junction whose near side is
    /// what the hops before the last lead to.
    pub(super) fn route_rows(
        &mut self,
        route: &Route<'q>,
        path: &Path<'_>,
    ) -> Result<Rows, QueryError> {
        let mut reached: Option<Rows> = None;
        for (index, hop) in route.hops.iter().enumerate() {
            self.nodes.add(path)?;
            let scan = if index + 1 < route.hops.len() {
                let name = self.table_schema(hop.table).name();
                self.hop_scan(hop, &path.at(Step::Named("hop", name)))?
            } else {
                self.hop_scan(hop, path)?
            };
            reached = Some(match reached {
                None => scan,
                Some(near) => self.junction(near, hop, scan),
            });
        }
        reached.ok_or_else(|| path.error("a relationship needs at least one hop"))
    }

    fn hop_scan(&mut self, hop: &RouteHop<'q>, path: &Path<'_>) -> Result<Rows, QueryError> {
        let filters = self.filters(hop.table, hop.filters, path)?;
        Ok(self.scan(hop.table, &hop.to, filters))
    }

    fn junction(&self, near: Rows, hop: &RouteHop<'_>, far: Rows) -> Rows {
        let table = far.table;
        let (near, near_binding) = self.bare(near, Extent::default());
        let (child, far_binding) = self.bare(far, Extent::default());
        let far = Box::new(Edge { columns: hop.from.clone(), child, private: false });
        Rows {
            table,
            input: Input::Junction { near: Box::new(near), far },
            constants: Vec::new(),
            children: vec![near_binding, far_binding],
        }
    }

    /// A level in primary-key order with nothing related.
    fn bare(&self, rows: Rows, extent: Extent) -> (LevelPlan, Arc<Binding>) {
        let Rows { table, input, constants, children } = rows;
        let order = self.table_schema(table).primary_key_spec().clone();
        let plan = LevelPlan { table, input, order, related: Vec::new() };
        (plan, Arc::new(Binding { constants, extent, children }))
    }

    /// The rows of a table that satisfy a condition, partitioned by the correlated columns and by
    /// the columns of the equalities lifted from the condition.
    pub(super) fn scan(&self, table: TableId, correlated: &[usize], condition: Draft) -> Rows {
        let lifted = condition.lift(correlated, self.table_schema(table));
        let mut partition = correlated.to_vec();
        let mut constants = Vec::with_capacity(lifted.equalities.len());
        for (column, value) in lifted.equalities {
            partition.push(column);
            constants.push(value);
        }
        let mut gates = Gates::new();
        let condition = lifted.rest.number(&mut gates);
        let (gates, children) = gates.into_parts();
        let input = Input::Scan { partition, correlated: correlated.len(), condition, gates };
        Rows { table, input, constants, children }
    }

    /// An EXISTS or NOT EXISTS over the rows of `table`.
    pub(super) fn gate(
        &mut self,
        table: TableId,
        related: &'q Related,
        name: &'q str,
        negated: bool,
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        let place = path.at(Step::Named("exists", name));
        let body = &related.body;
        let meaningless = [
            (body.start.is_some(), "a start position"),
            (body.offset > 0, "an offset"),
            (!body.related.is_empty(), "a related subquery"),
            (!body.is_plain(), "an aggregate"),
        ];
        if let Some((_, what)) = meaningless.into_iter().find(|(present, _)| *present) {
            return Err(place.error(format!("{what} has no meaning within EXISTS")));
        }
        let route = self.route(table, related, name, &place)?;
        let path = path.nested_by(route.hops.len(), Step::Named("exists", name))?;
        let draft = self.gate_hops(&route.hops, negated, related.private, &path)?;
        Ok(if body.limit == Some(0) { Draft::Always(negated) } else { draft })
    }

    /// The gate of the first hop, with that of the further hops within it.
    fn gate_hops(
        &mut self,
        hops: &[RouteHop<'q>],
        negated: bool,
        private: bool,
        path: &Path<'_>,
    ) -> Result<Draft, QueryError> {
        let Some((hop, further)) = hops.split_first() else {
            return Ok(Draft::Always(!negated));
        };
        self.nodes.add(path)?;
        let condition = if further.is_empty() {
            self.filters(hop.table, hop.filters, path)?
        } else {
            let name = self.table_schema(hop.table).name();
            let own = self.filters(hop.table, hop.filters, &path.at(Step::Named("hop", name)))?;
            Draft::all([own, self.gate_hops(further, false, private, path)?])
        };
        if matches!(condition, Draft::Always(false)) {
            return Ok(Draft::Always(negated));
        }
        let rows = self.scan(hop.table, &hop.to, condition);
        let extent = Extent { limit: Some(1), ..Extent::default() };
        let (child, binding) = self.bare(rows, extent);
        let edge = Edge { columns: hop.from.clone(), child, private };
        Ok(Draft::Gate { body: Box::new(GateBody { edge, binding }), negated })
    }

    /// The requested order completed by the primary key, without repeats. Columns after the one
    /// that completes the primary key stay: they do not decide how two rows are ordered, but how
    /// a row is ordered against a start position with the same primary key.
    fn complete_order(
        &self,
        table: TableId,
        requested: &[(String, Direction)],
        path: &Path<'_>,
    ) -> Result<Vec<(usize, Direction)>, QueryError> {
        let primary_key = self.table_schema(table).primary_key();
        let mut order: Vec<(usize, Direction)> = Vec::new();
        for (index, (name, direction)) in requested.iter().enumerate() {
            let path = path.at(Step::Item("orderBy", index));
            let column = self.column(table, name, &path)?;
            if self.column_schema(table, column).column_type == ColumnType::Json {
                return Err(path.error(format!("column \"{name}\" is json, which has no order")));
            }
            if order.iter().all(|(ordered, _)| *ordered != column) {
                order.push((column, *direction));
            }
        }
        for column in primary_key {
            if order.iter().all(|(ordered, _)| ordered != column) {
                order.push((*column, Direction::Asc));
            }
        }
        Ok(order)
    }

    fn extent(
        &self,
        table: TableId,
        body: &Body,
        one: bool,
        order: &[(usize, Direction)],
        path: &Path<'_>,
    ) -> Result<Extent, QueryError> {
        let start = match &body.start {
            Some(start) => Some(self.start(table, start, order, &path.part("start"))?),
            None => None,
        };
        let limit = match body.limit {
            limit if body.singular => Some(limit.unwrap_or(1).min(1)),
            limit => limit,
        };
        let expect_one = one && limit.is_none_or(|limit| limit > 1);
        // A second row is asked for only to be seen as a violation.
        let limit = if expect_one { Some(2) } else { limit };
        Ok(Extent { start, offset: body.offset, limit, expect_one, in_steps: None })
    }

    fn start(
        &self,
        table: TableId,
        start: &StartAt,
        order: &[(usize, Direction)],
        path: &Path<'_>,
    ) -> Result<Start, QueryError> {
        let mut given: Vec<(usize, &Value)> = Vec::with_capacity(start.values.len());
        for (name, value) in &start.values {
            given.push((self.column(table, name, path)?, value));
        }
        let mut key = KeyBuffer::new();
        for (column, direction) in order {
            let value = given.iter().rev().find(|(named, _)| named == column);
            let value = value.map_or(&Value::Null, |(_, value)| value);
            refuse_nan(value, path)?;
            let column = self.column_schema(table, *column);
            if let Some(found) = literal_type(value)
                && !column.column_type.comparable(found)
            {
                return Err(path.error(format!(
                    "column \"{}\" is {} but its value in the start position is {found}",
                    column.name, column.column_type
                )));
            }
            encode(&mut key, value.as_ref(), *direction);
        }
        Ok(Start { key: Key::from_slice(&key), exclusive: start.exclusive })
    }
}
