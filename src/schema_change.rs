//! Which changes of a schema a live query cannot follow.
//!
//! A plan goes by the numbers of tables and columns, so it goes on as long as the tables that it
//! reads have their columns where they had them. Further columns do not matter to it, unless a
//! relation takes whole rows of a table where their width counts: a planner that picks the columns
//! it needs from every table avoids that.

use std::collections::BTreeMap;

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
    let mut tables = Tables::new();
    of_level(&plan.shape, &mut tables);
    plan.derived.iter().for_each(|derived| of_relation(&derived.relation, false, &mut tables));
    let mut base = tables.into_iter().filter(|(table, _)| table.derived_number().is_none());
    base.find_map(|(id, fixed)| {
        let before = old.table(id);
        let table = before.name().to_owned();
        let change = match new.table_id(before.name()) {
            Some(found) if found == id => of_columns(before, new.table(id), fixed)?,
            _ => "there is no such table any more".to_owned(),
        };
        Some(Breaking { table, change })
    })
}

/// The tables of a plan, each with whether the width of its rows counts.
type Tables = BTreeMap<TableId, bool>;

/// What became of a table's columns or key, where it matters.
fn of_columns(before: &TableSchema, after: &TableSchema, fixed: bool) -> Option<String> {
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
    if before.primary_key() != after.primary_key() {
        return Some("it has another primary key".to_owned());
    }
    (fixed && after.columns().len() > before.columns().len())
        .then(|| "it has further columns, and the query takes its rows whole".to_owned())
}

fn of_level(level: &LevelPlan, tables: &mut Tables) {
    tables.entry(level.table).or_insert(false);
    match &level.input {
        Input::Scan { gates, .. } => gates.iter().for_each(|gate| of_level(&gate.child, tables)),
        Input::Junction { near, far } => {
            of_level(near, tables);
            of_level(&far.child, tables);
        }
    }
    level.related.iter().for_each(|related| of_level(&related.child, tables));
}

/// `fixed` says whether the width of the relation's rows counts for what is made of them.
fn of_relation(relation: &Relation, fixed: bool, tables: &mut Tables) {
    match relation {
        Relation::Scan { table, .. } => *tables.entry(*table).or_insert(false) |= fixed,
        Relation::Rows(_) => {}
        // These go by the numbers of columns.
        Relation::Map { input, .. } | Relation::Aggregate { input, .. } => {
            of_relation(input, false, tables);
        }
        Relation::Filter { input, .. } => of_relation(input, fixed, tables),
        // These compare whole rows.
        Relation::Distinct { input } | Relation::Top { input, .. } => {
            of_relation(input, true, tables);
        }
        // The columns of the right side come after all of the left.
        Relation::Join { left, right, .. } => {
            of_relation(left, true, tables);
            of_relation(right, true, tables);
        }
        Relation::Union { inputs } => {
            inputs.iter().for_each(|each| of_relation(each, true, tables));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use penstock_operators::expr::Expr;
    use penstock_operators::key::{Direction, KeySpec};
    use penstock_operators::plan::{Binding, Condition, Extent};
    use penstock_operators::relation::plan::{Derived, JoinKind};
    use penstock_operators::value::ColumnType;

    use super::*;
    use crate::Table;

    fn schema(further: bool) -> Schema {
        let table = |name: &str| {
            let table = Table::new(name).column("id", ColumnType::Integer).primary_key(["id"]);
            if further { table.nullable("more", ColumnType::Text) } else { table }
        };
        Schema::new([table("a"), table("b")]).expect("sound")
    }

    fn over(relation: Relation) -> Plan {
        let input = Input::Scan {
            partition: Vec::new(),
            correlated: 0,
            condition: Condition::Always(true),
            gates: Vec::new(),
        };
        let order = KeySpec::new(vec![(0, Direction::Asc)]);
        let shape = LevelPlan { table: TableId::derived(0), input, order, related: Vec::new() };
        let shape = Arc::new(shape);
        let binding =
            Binding { constants: Vec::new(), extent: Extent::default(), children: Vec::new() };
        let derived = Derived { relation: Arc::new(relation), key: vec![0] };
        Plan { shape, binding: Arc::new(binding), derived: vec![Arc::new(derived)] }
    }

    fn scan(table: u32) -> Arc<Relation> {
        Arc::new(Relation::Scan { table: TableId(table), equal: Vec::new() })
    }

    fn picked(table: u32) -> Arc<Relation> {
        Arc::new(Relation::Map { input: scan(table), columns: vec![Expr::Column(0)] })
    }

    fn joined(left: Arc<Relation>, right: Arc<Relation>) -> Relation {
        Relation::Join {
            kind: JoinKind::Inner,
            left,
            left_width: 1,
            right,
            right_width: 1,
            on: vec![(0, 0)],
            residual: None,
        }
    }

    #[test]
    fn further_columns_matter_where_whole_rows_are_taken() {
        let (old, new) = (schema(false), schema(true));
        let change = |relation| breaking(&old, &new, &over(relation));
        assert_eq!(change(joined(picked(0), picked(1))), None);
        assert_eq!(change(Relation::Distinct { input: picked(0) }), None);
        let whole = |table: &str| {
            let change = "it has further columns, and the query takes its rows whole".to_owned();
            Some(Breaking { table: table.to_owned(), change })
        };
        assert_eq!(change(joined(scan(0), picked(1))), whole("a"));
        assert_eq!(change(joined(picked(0), scan(1))), whole("b"));
        assert_eq!(change(Relation::Distinct { input: scan(0) }), whole("a"));
        assert_eq!(change(Relation::Union { inputs: vec![picked(0), scan(1)] }), whole("b"));
    }

    #[test]
    fn tables_are_found_wherever_a_relation_reads_them() {
        let old = schema(false);
        let only_a = Table::new("a").column("id", ColumnType::Integer).primary_key(["id"]);
        let new = Schema::new([only_a]).expect("sound");
        let change = "there is no such table any more".to_owned();
        let gone = Breaking { table: "b".to_owned(), change };
        let of_b = [
            joined(picked(0), picked(1)),
            joined(picked(1), picked(0)),
            Relation::Union { inputs: vec![picked(0), picked(1)] },
            Relation::Aggregate { input: scan(1), group: vec![0], functions: Vec::new() },
        ];
        for relation in of_b {
            assert_eq!(breaking(&old, &new, &over(relation)), Some(gone.clone()));
        }
        let of_a = Relation::Filter { input: scan(0), condition: Expr::Column(0) };
        assert_eq!(breaking(&old, &new, &over(of_a)), None);
    }
}
