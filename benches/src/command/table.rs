//! The output for people.

use crate::report::{Origin, Summary, short};
use crate::workloads::Workload;

/// The head of the table.
pub(super) fn head() -> String {
    columns(&[
        "workload", "engine", "metric", "median", "min", "max", "unit", "target", "ZQL", "ZQL/this",
    ])
}

/// One metric.
pub(super) fn line(origin: &Origin<'_>, workload: &Workload, summary: &Summary) -> String {
    let known = workload.figures.iter().find(|figure| figure.metric == summary.metric);
    let known = known.filter(|_| origin.engine == "penstock");
    let (target, zql, ratio) = match known {
        Some(figure) => {
            let verdict = if summary.value <= figure.target { "met" } else { "MISSED" };
            let ratio = figure.zql / summary.value;
            (format!("{} {verdict}", short(figure.target)), short(figure.zql), short(ratio))
        }
        None => Default::default(),
    };
    let [value, min, max] = [summary.value, summary.min, summary.max].map(short);
    columns(&[
        origin.workload,
        origin.engine,
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
    let Origin { workload, engine, .. } = origin;
    format!("{workload:<9} {engine:<8} {:<37} {check} {verdict}", "check").trim_end().to_owned()
}

fn columns(cells: &[&str; 10]) -> String {
    let [workload, engine, metric, value, min, max, unit, target, zql, ratio] = cells;
    format!(
        "{workload:<9} {engine:<8} {metric:<37} {value:>9} {min:>9} {max:>9} {unit:<7} \
         {target:>12} {zql:>8} {ratio:>8}"
    )
    .trim_end()
    .to_owned()
}
