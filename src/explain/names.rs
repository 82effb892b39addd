//! The names of the columns that a level or a relation reads, as far as they have names.

use penstock_operators::explain::LevelReport;
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, Relation};
use penstock_operators::schema::Schema;

use crate::query::ViewFormat;

/// A table by the names of its columns.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) name: String,
    columns: Vec<String>,
}

impl Names {
    /// Those of the table that a level reads.
    pub(super) fn of_level(
        schema: &Schema,
        report: &LevelReport,
        view: Option<&ViewFormat>,
    ) -> Names {
        let Some(derived) = &report.derived else {
            // Base tables are known by all schemas alike.
            let table = schema.table(report.plan.table);
            let columns = table.columns().iter().map(|column| column.name.clone()).collect();
            return Names { name: table.name().to_owned(), columns };
        };
        let mut names =
            Names { name: "derived".into(), columns: columns(schema, &derived.relation.relation) };
        let shown = view.map(|view| view.table).filter(|table| table.derived_number().is_some());
        if let Some(table) = shown.map(|table| schema.table(table)) {
            names.name = table.name().to_owned();
            for (at, column) in table.columns().iter().enumerate() {
                if let Some(name) = names.columns.get_mut(table.position(at)) {
                    name.clone_from(&column.name);
                }
            }
        }
        names
    }

    /// The name of a column, or its number where it has none.
    pub(super) fn column(&self, at: usize) -> String {
        self.columns.get(at).cloned().unwrap_or_else(|| format!("#{at}"))
    }
}

/// What the columns of a relation are called, or else how they come about.
pub(super) fn columns(schema: &Schema, relation: &Relation) -> Vec<String> {
    match relation {
        Relation::Scan { table, .. } => {
            schema.table(*table).columns().iter().map(|column| column.name.clone()).collect()
        }
        Relation::Rows(rows) => {
            let width = rows.first().map_or(0, Vec::len);
            (1..=width).map(|at| format!("column{at}")).collect()
        }
        Relation::Map { input, columns: exprs } => {
            let names = columns(schema, input);
            exprs.iter().map(|expr| expr.describe(&|at| name(&names, at))).collect()
        }
        Relation::Filter { input, .. }
        | Relation::Distinct { input }
        | Relation::Top { input, .. } => columns(schema, input),
        Relation::Join { left, left_width, right, .. } => {
            let mut names = columns(schema, left);
            names.truncate(*left_width);
            names.extend(columns(schema, right));
            names
        }
        Relation::Aggregate { input, group, functions } => {
            let names = columns(schema, input);
            let groups = group.iter().map(|column| name(&names, *column));
            groups.chain(functions.iter().map(|call| aggregate(&names, call))).collect()
        }
        Relation::Union { inputs } => {
            inputs.first().map_or(Vec::new(), |input| columns(schema, input))
        }
    }
}

/// The name of a column among those of its relation.
pub(super) fn name(names: &[String], at: usize) -> String {
    names.get(at).cloned().unwrap_or_else(|| format!("#{at}"))
}

fn aggregate(names: &[String], call: &AggregateCall) -> String {
    let function = match call.function {
        AggregateFunction::Count => "count",
        AggregateFunction::Sum => "sum",
        AggregateFunction::Total => "total",
        AggregateFunction::Average => "avg",
        AggregateFunction::Min => "min",
        AggregateFunction::Max => "max",
        AggregateFunction::GroupConcat { .. } => "group_concat",
        AggregateFunction::Any => "any",
    };
    let distinct = if call.distinct { "distinct " } else { "" };
    let argument = call.column.map_or_else(|| "*".to_owned(), |column| name(names, column));
    format!("{function}({distinct}{argument})")
}
