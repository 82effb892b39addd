//! The output for people.

use crate::report::{Origin, Summary, short};
use crate::workloads::Figure;

/// The head of the table.
pub(super) fn head() -> String {
    columns(&[
        "workload", "engine", "source", "metric", "median", "min", "max", "unit", "target", "ZQL",
        "ZQL/this",
    ])
}

/// One metric.
pub(super) fn line(origin: &Origin<'_>, known: Option<&Figure>, summary: &Summary) -> String {
    let target = known.and_then(|figure| figure.target).map(|target| {
        let verdict = if summary.value <= target { "met" } else { "MISSED" };
        format!("{} {verdict}", short(target))
    });
    let zql = known.and_then(|figure| figure.zql);
    let ratio = zql.map(|zql| short(zql / summary.value)).unwrap_or_default();
    let (target, zql) = (target.unwrap_or_default(), zql.map(short).unwrap_or_default());
    let [value, min, max] = [summary.value, summary.min, summary.max].map(short);
    columns(&[
        origin.workload,
        origin.engine,
        origin.source,
        &summary.metric,
        &value,
        &min,
        &max,
        &summary.unit,
        &target,
        &zql,
        &ratio,
    ])
}

/// The checksum.
pub(super) fn check(origin: &Origin<'_>, check: &str, reference: Option<&str>) -> String {
    let verdict = match reference {
        Some(reference) if reference == check => "as the reference",
        Some(_) => "DIFFERS from the reference",
        None => "",
    };
    let Origin { workload, engine, source } = origin;
    let name = "check";
    format!("{workload:<9} {engine:<8} {source:<13} {name:<37} {check} {verdict}")
        .trim_end()
        .to_owned()
}

fn columns(cells: &[&str; 11]) -> String {
    let [workload, engine, source, metric, value, min, max, unit, target, zql, ratio] = cells;
    format!(
        "{workload:<9} {engine:<8} {source:<13} {metric:<37} {value:>9} {min:>9} {max:>9} {unit:<7} \
         {target:>12} {zql:>8} {ratio:>8}"
    )
    .trim_end()
    .to_owned()
}
