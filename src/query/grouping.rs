//! Computed columns and groups: the derived tables that a query's aggregates are read from.
//!
//! Done before the levels are planned. A body with aggregates gets a derived table, and its level
//! is planned over that table as if it were one of the schema: of groups, its key is the group
//! columns; of rows with computed columns, it begins with the columns of the rows' own table and
//! has its key and relationships.

use std::sync::Arc;

use penstock_operators::expr::{Builtin, Expr, Function};
use penstock_operators::plan::{Binding, Input, LevelPlan};
use penstock_operators::relation::plan::{
    AggregateCall, AggregateFunction, Derived, JoinKind, Relation,
};
use penstock_operators::schema::{Column, Schema, Shown, TableId};
use penstock_operators::value::{ColumnType, Value};

use super::aggregate::{Aggregated, Kind};
use super::error::QueryError;
use super::form::{Body, Node, Origin};
use super::limits::NodeCount;
use super::params::Params;
use super::path::{Path, Step};
use super::relation::{call, correlated, level_rows, scan};
use super::resolve::Planner;
use super::{Query, Related};

/// The derived tables of a query.
#[derive(Debug)]
pub(super) struct Computed<'q> {
    /// The schema with the derived tables.
    pub(super) schema: Schema,
    pub(super) derived: Vec<Arc<Derived>>,
    shown: Vec<Shown>,
    /// The bodies that read a derived table, in the order of their tables.
    bodies: Vec<&'q Body>,
}

/// What a body reads instead of its table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instead<'q> {
    pub(super) table: TableId,
    pub(super) filters: &'q [Node],
    /// Whether the correlated columns come first instead of being where the table has them.
    pub(super) grouped: bool,
}

impl<'q> Computed<'q> {
    /// Nothing computed.
    pub(super) fn none(schema: &Schema) -> Computed<'q> {
        let (derived, shown, bodies) = (Vec::new(), Vec::new(), Vec::new());
        Computed { schema: schema.clone(), derived, shown, bodies }
    }

    /// What a body reads, where that is a derived table.
    pub(super) fn instead(&self, body: &'q Body) -> Option<Instead<'q>> {
        let number = self.bodies.iter().position(|known| std::ptr::eq(*known, body))?;
        let table = TableId::derived(number as u32);
        let grouped = body.is_grouped();
        Some(Instead {
            table,
            filters: if grouped { &body.having } else { &body.filters },
            grouped,
        })
    }

    fn add(&mut self, body: &'q Body, derived: Derived, shown: Shown) {
        self.bodies.push(body);
        self.derived.push(Arc::new(derived));
        self.shown.push(shown);
        self.schema = self.schema.with_shown(self.shown.clone());
    }
}

/// Finds the aggregates of a query and makes their tables.
pub(super) fn compute<'q>(
    query: &'q Query,
    schema: &Schema,
    params: &Params,
) -> Result<Computed<'q>, QueryError> {
    let mut computed = Computed::none(schema);
    let path = Path::root();
    let table = planner(schema, params, query.origin).table(&query.table, &path.part("table"))?;
    visit(&mut computed, &query.body, table, &[], params, query.origin, &path)?;
    Ok(computed)
}

fn planner<'q>(schema: &'q Schema, params: &'q Params, origin: Origin) -> Planner<'q> {
    let nodes = NodeCount::default();
    Planner { schema, params, origin, nodes, computed: None }
}

/// Makes the table of a body and those of the bodies below it. `correlated` are the columns of
/// `table` that lead to it from above.
fn visit<'q>(
    computed: &mut Computed<'q>,
    body: &'q Body,
    table: TableId,
    correlated: &[usize],
    params: &Params,
    origin: Origin,
    path: &Path<'_>,
) -> Result<(), QueryError> {
    let mut own = table;
    if !body.having.is_empty() && !body.is_grouped() {
        return Err(path.error("having applies to groups; without group_by use filter"));
    }
    if !body.is_plain() {
        let schema = computed.schema.clone();
        let mut planner = planner(&schema, params, origin);
        let (derived, shown) = if body.is_grouped() {
            planner.groups(table, correlated, body, path)?
        } else {
            planner.computed_columns(table, body, path)?
        };
        own = TableId::derived(computed.bodies.len() as u32);
        computed.add(body, derived, shown);
    }
    for (name, related) in &body.related {
        if related.body.is_plain() && related.body.related.is_empty() {
            continue;
        }
        let path = path.nested(Step::Named("related", name))?;
        let schema = computed.schema.clone();
        let (table, to) = {
            let planner = planner(&schema, params, origin);
            let route = planner.route(own, related, name, &path)?;
            match route.hops.as_slice() {
                [hop] => (hop.table, hop.to.clone()),
                [_, _, ..] if related.body.is_grouped() => {
                    return Err(path.error(
                        "rows reached by several hops cannot be grouped; use aggregate_related, \
                         or a table that holds both keys",
                    ));
                }
                [.., last] => (last.table, last.to.clone()),
                [] => continue,
            }
        };
        visit(computed, &related.body, table, &to, params, origin, &path)?;
    }
    Ok(())
}

impl<'q> Planner<'q> {
    /// The table of a grouped body: a row per group.
    fn groups(
        &mut self,
        table: TableId,
        correlated: &[usize],
        body: &'q Body,
        path: &Path<'_>,
    ) -> Result<(Derived, Shown), QueryError> {
        let mut group = correlated.to_vec();
        for (index, name) in body.group_by.iter().flatten().enumerate() {
            let path = path.at(Step::Item("groupBy", index));
            let column = self.column(table, name, &path)?;
            if self.column_schema(table, column).column_type == ColumnType::Json {
                return Err(path.error(format!("column \"{name}\" is json, which has no groups")));
            }
            if !group.contains(&column) {
                group.push(column);
            }
        }
        let mut columns: Vec<Column> =
            group.iter().map(|&column| self.column_schema(table, column).clone()).collect();
        let mut functions = Vec::new();
        for computed in &body.aggregates {
            let place = path.at(Step::Named("aggregate", &computed.name));
            if computed.of.is_some() {
                return Err(place.error(
                    "aggregate_related computes from the rows related to one row, and here rows \
                     are grouped; use aggregate",
                ));
            }
            let (function, column) = self.aggregate(table, computed, &place)?;
            functions.push(function);
            add_column(&mut columns, column, &place)?;
        }
        let filters = self.filters(table, &body.filters, path)?;
        let rows = self.scan(table, &[], filters);
        let (input, _) = rows.relation(self.schema);
        let key: Vec<usize> = (0..group.len()).collect();
        let relation = Arc::new(Relation::Aggregate { input, group, functions });
        let name = self.table_schema(table).name().to_owned();
        let shown = Shown { name, columns: placed(columns), key: key.clone(), like: None };
        Ok((Derived { relation, key }, shown))
    }

    /// The table of a body whose rows have computed columns.
    fn computed_columns(
        &mut self,
        table: TableId,
        body: &'q Body,
        path: &Path<'_>,
    ) -> Result<(Derived, Shown), QueryError> {
        let mut columns = self.table_schema(table).columns().to_vec();
        let width = columns.len();
        let mut output: Vec<Expr> = (0..width).map(Expr::Column).collect();
        let mut relation = scan(table, Vec::new(), width);
        let mut reach = width;
        let mut left = body.aggregates.as_slice();
        while let Some(first) = left.first() {
            // Aggregates of the same rows are computed together.
            let same = left.iter().take_while(|other| other.of == first.of).count();
            let (together, rest) = left.split_at(same);
            left = rest;
            let Some(related) = &first.of else { continue };
            let place = path.at(Step::Named("aggregate", &first.name));
            let (from, group, input, far, offset) =
                self.related_rows(table, related, first, &place)?;
            let mut functions = Vec::new();
            for computed in together {
                let place = path.at(Step::Named("aggregate", &computed.name));
                let (mut function, column) = self.aggregate(far, computed, &place)?;
                function.column = function.column.map(|column| column + offset);
                let value = Expr::Column(reach + group.len() + functions.len());
                output.push(if function.function == AggregateFunction::Count {
                    let zero = Expr::Literal(Value::Int(0));
                    let function = Function::Builtin(Builtin::Coalesce);
                    Expr::Call { function, arguments: vec![value, zero] }
                } else {
                    value
                });
                functions.push(function);
                add_column(&mut columns, column, &place)?;
            }
            let right_width = group.len() + functions.len();
            let on = from.into_iter().zip(0..group.len()).collect();
            let right = Arc::new(Relation::Aggregate { input, group, functions });
            relation = Arc::new(Relation::Join {
                kind: JoinKind::Left,
                left: relation,
                left_width: reach,
                right,
                right_width,
                on,
                residual: None,
            });
            reach += right_width;
        }
        let relation = Arc::new(Relation::Map { input: relation, columns: output });
        let schema = self.table_schema(table);
        let key = schema.primary_key().to_vec();
        let name = schema.name().to_owned();
        let shown = Shown { name, columns: placed(columns), key: key.clone(), like: Some(table) };
        Ok((Derived { relation, key }, shown))
    }

    /// The rows related to those of a table: the columns that lead to them, where the same columns
    /// are in them, the rows, their table, and where its columns begin.
    #[allow(clippy::type_complexity)] // Named at its one use.
    fn related_rows(
        &mut self,
        table: TableId,
        related: &'q Related,
        computed: &'q Aggregated,
        path: &Path<'_>,
    ) -> Result<(Vec<usize>, Vec<usize>, Arc<Relation>, TableId, usize), QueryError> {
        let body = &related.body;
        let only_filters = Body { filters: body.filters.clone(), ..Body::default() };
        if *body != only_filters {
            return Err(path.error("of the rows that are aggregated, only filters have a meaning"));
        }
        let route = self.route(table, related, &computed.name, path)?;
        let from = route.hops.first().map(|hop| hop.from.clone()).unwrap_or_default();
        let rows = self.route_rows(&route, path)?;
        let far = rows.table();
        let (plan, binding) = rows.into_level(self);
        let (input, group, offset) = correlated_rows(self.schema, &plan, &binding);
        Ok((from, group, input, far, offset))
    }

    /// An aggregate with the column that it yields.
    fn aggregate(
        &self,
        table: TableId,
        computed: &Aggregated,
        path: &Path<'_>,
    ) -> Result<(AggregateCall, Column), QueryError> {
        let aggregate = &computed.aggregate;
        let column = match &aggregate.column {
            Some(name) => Some(self.column(table, name, path)?),
            None => None,
        };
        let of = column.map(|column| self.column_schema(table, column));
        let of_type = of.map_or(ColumnType::Integer, |column| column.column_type);
        let describe =
            || of.map_or_else(String::new, |of| format!("column \"{}\" is {of_type}", of.name));
        let numeric = of_type.is_numeric() || of_type == ColumnType::Any;
        let (function, distinct, column_type, nullable) = match aggregate.function {
            Kind::Count => (AggregateFunction::Count, false, ColumnType::Integer, false),
            Kind::CountDistinct => (AggregateFunction::Count, true, ColumnType::Integer, false),
            Kind::Sum | Kind::Average if !numeric => {
                return Err(path.error(format!("{}; a sum or mean needs numbers", describe())));
            }
            Kind::Sum if of_type == ColumnType::Number => {
                (AggregateFunction::Sum, false, ColumnType::Any, true)
            }
            Kind::Sum => (AggregateFunction::Sum, false, of_type, true),
            Kind::Average => (AggregateFunction::Average, false, ColumnType::Real, true),
            Kind::Min | Kind::Max if of_type == ColumnType::Json => {
                return Err(path.error(format!("{}, which has no order", describe())));
            }
            Kind::Min => (AggregateFunction::Min, false, of_type, true),
            Kind::Max => (AggregateFunction::Max, false, of_type, true),
        };
        let column_schema = Column::new(computed.name.clone(), column_type, nullable);
        Ok((call(function, column, distinct), column_schema))
    }
}

/// Adds a computed column, whose name must be new.
fn add_column(
    columns: &mut Vec<Column>,
    column: Column,
    path: &Path<'_>,
) -> Result<(), QueryError> {
    if column.name.is_empty() {
        return Err(path.error("a computed column needs a name"));
    }
    if columns.iter().any(|known| known.name == column.name) {
        return Err(path.error(format!("there is a column \"{}\" already", column.name)));
    }
    columns.push(column);
    Ok(())
}

fn placed(columns: Vec<Column>) -> Vec<(Column, usize)> {
    columns.into_iter().enumerate().map(|(at, column)| (column, at)).collect()
}

/// The rows of a level with their correlated columns: the rows, where the correlated columns are,
/// and where those of the level's table begin.
fn correlated_rows(
    schema: &Schema,
    plan: &LevelPlan,
    binding: &Binding,
) -> (Arc<Relation>, Vec<usize>, usize) {
    let Input::Junction { near, far } = &plan.input else {
        let (rows, _) = level_rows(schema, plan, binding);
        return (rows, correlated(plan).to_vec(), 0);
    };
    let width = |table: TableId| schema.table(table).columns().len();
    let (left, keys, near_at) = correlated_rows(schema, near, &binding.children[0]);
    let left_width = near_at + width(near.table);
    let (right, right_width) = level_rows(schema, &far.child, &binding.children[1]);
    let from = far.columns.iter().map(|column| near_at + column);
    let on = from.zip(correlated(&far.child).iter().copied()).collect();
    let kind = JoinKind::Inner;
    let input =
        Arc::new(Relation::Join { kind, left, left_width, right, right_width, on, residual: None });
    // A far row counts once for each key, whatever the number of ways to it.
    let columns = keys.iter().copied().chain(left_width..left_width + right_width);
    let map = Relation::Map { input, columns: columns.map(Expr::Column).collect() };
    let rows = Arc::new(Relation::Distinct { input: Arc::new(map) });
    (rows, (0..keys.len()).collect(), keys.len())
}
