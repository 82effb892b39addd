//! The relations of derived tables as text.

use std::fmt::{Formatter, Result};

use penstock_operators::key::Direction;
use penstock_operators::relation::plan::{JoinKind, Relation};
use penstock_operators::relation::report::{DerivedReport, RelationReport};
use penstock_operators::schema::Schema;

use super::names::{columns, name};
use super::{bytes, count};

/// Writes a derived table and, further in, the relation that it is made of.
pub(super) fn write(
    f: &mut Formatter<'_>,
    schema: &Schema,
    derived: &DerivedReport,
    margin: &str,
) -> Result {
    if derived.stored {
        let (rows, state) = (count(derived.rows, "row"), bytes(derived.state_bytes));
        writeln!(f, "{margin}derived  keeps {rows}, {state}")?;
    } else {
        writeln!(f, "{margin}derived  read from its table")?;
    }
    write_node(f, schema, &derived.relation, &format!("{margin}  "))
}

fn write_node(
    f: &mut Formatter<'_>,
    schema: &Schema,
    node: &RelationReport,
    margin: &str,
) -> Result {
    write!(f, "{margin}{}", describe(schema, &node.relation))?;
    if let Some([left, right]) = node.reads_source {
        let side = |read: bool| if read { "read" } else { "kept" };
        write!(f, "  (left {}, right {})", side(left), side(right))?;
    }
    if node.rows > 0 || node.state_bytes > 0 {
        write!(f, "  keeps {}, {}", count(node.rows, "row"), bytes(node.state_bytes))?;
    }
    if node.users > 1 {
        write!(f, "  shared by {}", node.users)?;
    }
    let stats = &node.stats;
    if stats.batches > 0 {
        write!(f, "  changes in {}, out {}", stats.changes_in, stats.changes_out)?;
    }
    writeln!(f)?;
    let margin = format!("{margin}  ");
    node.inputs.iter().try_for_each(|input| write_node(f, schema, input, &margin))
}

/// The operator alone.
fn describe(schema: &Schema, relation: &Relation) -> String {
    let listed = |input: &Relation, at: &[usize]| {
        let names = columns(schema, input);
        let listed: Vec<String> = at.iter().map(|at| name(&names, *at)).collect();
        listed.join(", ")
    };
    match relation {
        Relation::Scan { table, equal } => {
            let table = schema.table(*table);
            let held: Vec<String> = equal
                .iter()
                .map(|(column, value)| format!("{} = {value}", table.columns()[*column].name))
                .collect();
            match held.is_empty() {
                true => format!("scan {}", table.name()),
                false => format!("scan {} where {}", table.name(), held.join(" and ")),
            }
        }
        Relation::Rows(rows) => format!("rows ({})", rows.len()),
        Relation::Map { .. } => format!("map ({})", columns(schema, relation).join(", ")),
        Relation::Filter { input, condition } => {
            let names = columns(schema, input);
            format!("filter {}", condition.describe(&|at| name(&names, at)))
        }
        Relation::Join { kind, left, right, on, residual, .. } => {
            let word = if *kind == JoinKind::Left { "left join" } else { "join" };
            let (of_left, of_right) = (columns(schema, left), columns(schema, right));
            let mut conditions: Vec<String> = on
                .iter()
                .map(|(l, r)| format!("{} = {}", name(&of_left, *l), name(&of_right, *r)))
                .collect();
            let names = columns(schema, relation);
            conditions.extend(residual.iter().map(|test| test.describe(&|at| name(&names, at))));
            match conditions.is_empty() {
                true => format!("{word} all pairs"),
                false => format!("{word} on {}", conditions.join(" and ")),
            }
        }
        Relation::Aggregate { input, group, functions } => {
            let names = columns(schema, relation);
            let functions = names[names.len() - functions.len()..].join(", ");
            match group.is_empty() {
                true => format!("aggregate ({functions})"),
                false => format!("aggregate ({functions}) by ({})", listed(input, group)),
            }
        }
        Relation::Distinct { .. } => "distinct".into(),
        Relation::Union { .. } => "union all".into(),
        Relation::Top { input, group, order, offset, limit } => {
            let names = columns(schema, input);
            let order: Vec<String> = order
                .iter()
                .map(|(column, direction)| {
                    let word = if *direction == Direction::Asc { "asc" } else { "desc" };
                    format!("{} {word}", name(&names, *column))
                })
                .collect();
            let mut text = match limit {
                Some(limit) => format!("first {limit} by {}", order.join(", ")),
                None => format!("all by {}", order.join(", ")),
            };
            if *offset > 0 {
                text.push_str(&format!(" after {offset}"));
            }
            if !group.is_empty() {
                text.push_str(&format!(" of each ({})", listed(input, group)));
            }
            text
        }
    }
}
