//! Which changes of a schema a live query cannot follow.
//!
//! A plan goes by the numbers of tables and columns, so it goes on as long as the tables that it
//! reads have their columns where they had them; further columns do not matter to it.

use std::collections::BTreeSet;

use penstock_operators::plan::{Input, LevelPlan, Plan};
use penstock_operators::relation::plan::Relation;
use penstock_operators::schema::{Schema, TableId, TableSchema};

/// A change that ends the subscriptions which it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breaking {
    /// The table's name, as it was.
    pub(crate) table: String,
    /// What became of it.
    pub(crate) change: String,
}

/// The first change from one schema to another that a plan made for the first cannot follow.
/// Cost: O(plan and the columns of its tables).
pub(crate) fn breaking(old: &Schema, new: &Schema, plan: &Plan) -> Option<Breaking> {
    let mut tables = BTreeSet::new();
    of_level(&plan.shape, &mut tables);
    plan.derived.iter().for_each(|derived| of_relation(&derived.relation, &mut tables));
    tables.into_iter().filter(|table| table.derived_number().is_none()).find_map(|id| {
        let before = old.table(id);
        let table = before.name().to_owned();
        let change = match new.table_id(before.name()) {
            Some(found) if found == id => of_columns(before, new.table(id))?,
            _ => "there is no such table any more".to_owned(),
        };
        Some(Breaking { table, change })
    })
}

/// What became of a table's columns or key, where it matters.
fn of_columns(before: &TableSchema, after: &TableSchema) -> Option<String> {
    for (at, column) in before.columns().iter().enumerate() {
        let name = &column.name;
        let Some(found) = after.column_index(name) else {
            return Some(format!("there is no column \"{name}\" any more"));
        };
        let now = &after.columns()[found];
        if found != at {
            return Some(format!("column \"{name}\" has moved among the columns"));
        }
        if now.column_type != column.column_type {
            let (was, is) = (column.column_type, now.column_type);
            return Some(format!("column \"{name}\" was {was} and is now {is}"));
        }
        if now != column {
            return Some(format!("column \"{name}\" has been declared anew"));
        }
    }
    (before.primary_key() != after.primary_key()).then(|| "it has another primary key".to_owned())
}

fn of_level(level: &LevelPlan, tables: &mut BTreeSet<TableId>) {
    tables.insert(level.table);
    match &level.input {
        Input::Scan { gates, .. } => gates.iter().for_each(|gate| of_level(&gate.child, tables)),
        Input::Junction { near, far } => {
            of_level(near, tables);
            of_level(&far.child, tables);
        }
    }
    level.related.iter().for_each(|related| of_level(&related.child, tables));
}

fn of_relation(relation: &Relation, tables: &mut BTreeSet<TableId>) {
    match relation {
        Relation::Scan { table, .. } => drop(tables.insert(*table)),
        Relation::Rows(_) => {}
        Relation::Map { input, .. }
        | Relation::Filter { input, .. }
        | Relation::Aggregate { input, .. }
        | Relation::Distinct { input }
        | Relation::Top { input, .. } => of_relation(input, tables),
        Relation::Join { left, right, .. } => {
            of_relation(left, tables);
            of_relation(right, tables);
        }
        Relation::Union { inputs } => inputs.iter().for_each(|each| of_relation(each, tables)),
    }
}
