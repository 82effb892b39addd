//! `explain`: the operator tree of a live query, with what each part has read, kept and emitted.

use std::fmt;
use std::sync::Arc;

use penstock_operators::explain::{LevelReport, Role};
use penstock_operators::key::Direction;
use penstock_operators::plan::{Binding, Condition, Input, LevelPlan};
use penstock_operators::predicate::{CompareOp, Operand, Predicate};
use penstock_operators::schema::Schema;

use crate::query::ViewFormat;
use names::Names;

mod names;
mod relation;

/// The operator tree of a live query. `Display` renders it as text; [`report`](Explain::report)
/// has the figures.
///
/// Levels are shared between queries, so their counts include what other queries have them do.
#[derive(Clone, Debug)]
pub struct Explain {
    schema: Schema,
    view: Arc<ViewFormat>,
    binding: Arc<Binding>,
    report: LevelReport,
}

impl Explain {
    pub(crate) fn new(
        schema: Schema,
        view: Arc<ViewFormat>,
        binding: Arc<Binding>,
        report: LevelReport,
    ) -> Explain {
        Explain { schema, view, binding, report }
    }

    /// The figures, level by level.
    pub fn report(&self) -> &LevelReport {
        &self.report
    }

    fn write_level(
        &self,
        f: &mut fmt::Formatter<'_>,
        report: &LevelReport,
        binding: &Binding,
        view: Option<&ViewFormat>,
        name: &str,
        indent: usize,
    ) -> fmt::Result {
        let table = Names::of_level(&self.schema, report, view);
        let margin = " ".repeat(indent);
        writeln!(
            f,
            "{margin}{name} {}  ({}, {}, {})",
            table.name,
            count(report.partitions, "partition"),
            count(report.rows, "row"),
            bytes(report.state_bytes)
        )?;
        self.write_operators(f, report, binding, &table, &format!("{margin}  │ "))?;
        if let Some(derived) = &report.derived {
            relation::write(f, &self.schema, derived, &format!("{margin}  │ "))?;
        }
        let related = report.children.len() - report.plan.related.len();
        for (slot, (child, binding)) in report.children.iter().zip(&binding.children).enumerate() {
            let relationship = slot.checked_sub(related).and_then(|at| view?.relationships.get(at));
            let view = relationship.map(|relationship| &*relationship.format);
            let name = match child.role {
                Role::Root => "root".to_owned(),
                Role::Gate => format!("exists[{slot}]"),
                Role::Near => "through".to_owned(),
                Role::Far => "to".to_owned(),
                Role::Related(_) => {
                    let name = relationship.map_or("?", |relationship| &relationship.name);
                    format!("related {name:?}:")
                }
            };
            self.write_level(f, child, binding, view, &name, indent + 4)?;
        }
        Ok(())
    }

    fn write_operators(
        &self,
        f: &mut fmt::Formatter<'_>,
        report: &LevelReport,
        binding: &Binding,
        table: &Names,
        margin: &str,
    ) -> fmt::Result {
        let extent = &binding.extent;
        if let Some(limit) = extent.limit {
            writeln!(f, "{margin}take {limit}")?;
        }
        if extent.offset > 0 {
            writeln!(f, "{margin}skip {}", extent.offset)?;
        }
        if let Some(start) = &extent.start {
            let word = if start.exclusive { "after" } else { "at" };
            writeln!(f, "{margin}start {word} a cursor")?;
        }
        writeln!(f, "{margin}order_by {}", order(table, &report.plan))?;
        match &report.plan.input {
            Input::Scan { partition, correlated, condition, .. } => {
                if !matches!(condition, Condition::Always(true)) {
                    writeln!(f, "{margin}filter {}", self.condition(table, condition))?;
                }
                let key: Vec<String> = partition
                    .iter()
                    .enumerate()
                    .map(|(at, &column)| {
                        let name = table.column(column);
                        match at.checked_sub(*correlated).and_then(|at| binding.constants.get(at)) {
                            Some(constant) => format!("{name} = {constant}"),
                            None => name,
                        }
                    })
                    .collect();
                if !key.is_empty() {
                    writeln!(f, "{margin}partition by ({})", key.join(", "))?;
                }
            }
            Input::Junction { .. } => writeln!(f, "{margin}distinct")?,
        }
        let stats = &report.stats;
        writeln!(
            f,
            "{margin}hydrate   {} filled, rows in {}, out {}, {}",
            stats.partitions_hydrated,
            stats.hydrate_rows_in,
            stats.hydrate_rows_out,
            time(stats.hydrate_nanos)
        )?;
        writeln!(
            f,
            "{margin}maintain  {}, deltas in {}, candidates {}, changes out {}, refills {} (rows in {}), probes {}, {}",
            count(usize::try_from(stats.batches).unwrap_or(usize::MAX), "transaction"),
            stats.deltas_in,
            stats.candidates,
            stats.changes_out,
            stats.refills,
            stats.refill_rows_in,
            stats.probes,
            time(stats.maintain_nanos)
        )
    }

    fn condition(&self, table: &Names, condition: &Condition) -> String {
        let join = |conditions: &[Condition], word: &str| {
            let parts: Vec<String> =
                conditions.iter().map(|each| self.condition(table, each)).collect();
            format!("({})", parts.join(word))
        };
        match condition {
            Condition::Always(constant) => constant.to_string(),
            Condition::Test(predicate) => describe(table, predicate),
            Condition::Gate { gate, negated: false } => format!("exists[{gate}]"),
            Condition::Gate { gate, negated: true } => format!("not exists[{gate}]"),
            Condition::All(conditions) => join(conditions, " and "),
            Condition::Any(conditions) => join(conditions, " or "),
        }
    }
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_level(f, &self.report, &self.binding, Some(&self.view), "root", 0)
    }
}

fn order(table: &Names, plan: &LevelPlan) -> String {
    let parts: Vec<String> = plan
        .order
        .columns()
        .iter()
        .map(|(column, direction)| {
            let word = match direction {
                Direction::Asc => "asc",
                Direction::Desc => "desc",
            };
            format!("{} {word}", table.column(*column))
        })
        .collect();
    parts.join(", ")
}

fn operand(table: &Names, operand: &Operand) -> String {
    match operand {
        Operand::Column(column) => table.column(*column),
        Operand::Literal(value) => value.to_string(),
    }
}

fn describe(table: &Names, predicate: &Predicate) -> String {
    let not = |negated: &bool| if *negated { "not " } else { "" };
    match predicate {
        Predicate::Compare { left, op, right } => {
            let sign = match op {
                CompareOp::Eq => "=",
                CompareOp::Ne => "!=",
                CompareOp::Lt => "<",
                CompareOp::Le => "<=",
                CompareOp::Gt => ">",
                CompareOp::Ge => ">=",
            };
            format!("{} {sign} {}", operand(table, left), operand(table, right))
        }
        Predicate::Is { left, right, negated } => {
            format!("{} is {}{}", operand(table, left), not(negated), operand(table, right))
        }
        Predicate::In { operand: left, set, negated } => {
            format!("{} {}in ({} values)", operand(table, left), not(negated), set.values().len())
        }
        Predicate::Like { operand: left, pattern, negated } => {
            let word = if pattern.is_case_insensitive() { "ilike" } else { "like" };
            format!("{} {}{word} {:?}", operand(table, left), not(negated), pattern.pattern())
        }
        Predicate::Expr(expr) => expr.describe(&|column| table.column(column)),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn bytes(number: usize) -> String {
    match number {
        0..1024 => format!("{number} B"),
        1024..1_048_576 => format!("{:.1} KiB", number as f64 / 1024.0),
        _ => format!("{:.1} MiB", number as f64 / 1_048_576.0),
    }
}

fn time(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        _ => format!("{:.1} ms", nanos as f64 / 1e6),
    }
}
