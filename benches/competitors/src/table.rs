//! The output for people: a table in Markdown.

use penstock_benches::report::short;

use crate::engine::Engine;
use crate::run::{Cell, Line, expected};

/// The metrics that are compared, of which a workload has one or two. The others are in the JSON.
const COMPARED: [&str; 6] = [
    "load_cpu",
    "hydrate_warm_cpu",
    "hydrate_per_query_cpu",
    "push_cpu",
    "bytes_per_source_row",
    "bytes_per_view_entry",
];

/// The head of the table.
pub fn head(engines: &[Engine]) -> String {
    let mut text = String::from("| workload | metric |");
    engines.iter().for_each(|engine| text += &format!(" {} |", engine.name()));
    text += " check |\n|---|---|";
    engines.iter().for_each(|_| text += "--:|");
    text += "---|\n";
    text
}

/// The rows of one workload. In brackets, how many times Penstock's figure.
pub fn rows(line: &Line) -> String {
    let mut text = String::new();
    for metric in COMPARED.iter().filter(|metric| has(line, metric)) {
        text += &format!("| {} | {metric} |", line.workload);
        line.cells.iter().for_each(|cell| text += &format!(" {} |", figure(line, metric, cell)));
        text += &format!(" {} |\n", verdict(line));
    }
    text
}

/// Why cells are empty; what stands below the table.
pub fn notes(lines: &[Line]) -> String {
    let mut notes = String::new();
    for line in lines {
        for (engine, cell) in &line.cells {
            let note = match cell {
                Cell::Measured(_) => continue,
                Cell::Cannot(reason) => reason.clone(),
                Cell::NotFinished(seconds) => format!("did not finish in {seconds} s"),
                Cell::Failed(problem) => format!("failed: {problem}"),
            };
            notes += &format!("- {} on {}: {note}\n", line.workload, engine.name());
        }
    }
    match notes.is_empty() {
        true => notes,
        false => format!("\n{notes}"),
    }
}

/// Whether any engine has measured this.
fn has(line: &Line, metric: &str) -> bool {
    line.cells.iter().any(|(_, cell)| value(cell, metric).is_some())
}

fn value(cell: &Cell, metric: &str) -> Option<f64> {
    let Cell::Measured(samples) = cell else { return None };
    samples.summaries().iter().find(|summary| summary.metric == metric).map(|found| found.value)
}

fn figure(line: &Line, metric: &str, (engine, cell): &(Engine, Cell)) -> String {
    let Some(value) = value(cell, metric) else { return "–".to_owned() };
    let ours = line.cells.iter().find(|(engine, _)| *engine == Engine::Penstock);
    match ours.and_then(|(_, ours)| self::value(ours, metric)) {
        Some(ours) if *engine != Engine::Penstock => {
            format!("{} ({}×)", short(value), ratio(value / ours))
        }
        _ => short(value),
    }
}

/// Three digits at most.
fn ratio(times: f64) -> String {
    let digits = match times {
        large if large >= 100.0 => 0,
        medium if medium >= 10.0 => 1,
        _ => 2,
    };
    format!("{times:.digits$}")
}

/// Whether every engine came to the expected result, or which did not.
fn verdict(line: &Line) -> String {
    let Some(expected) = expected(line.workload) else { return String::new() };
    let mut wrong = Vec::new();
    for (engine, cell) in &line.cells {
        let Cell::Measured(samples) = cell else { continue };
        if let Some(check) = samples.checks.iter().find(|check| *check != expected) {
            wrong.push(format!("{} has {check}", engine.name()));
        }
    }
    match wrong.is_empty() {
        true => "equal".to_owned(),
        false => format!("DIFFERS from {expected}: {}", wrong.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use penstock_benches::report::Samples;

    use super::{head, notes, rows};
    use crate::engine::Engine;
    use crate::run::{Cell, Line};

    fn measured(push: f64, check: &str) -> Cell {
        let mut samples = Samples::default();
        let lines = format!("push_cpu\t{push}\tµs/op\ncheck\t{check}\trows:fnv1a32\n");
        samples.add(&lines).expect("well-formed lines");
        Cell::Measured(samples)
    }

    #[test]
    fn figures_ratios_and_reasons_are_shown() {
        let engines = [Engine::Penstock, Engine::Zql, Engine::Dbsp];
        let line = Line {
            workload: "W4",
            cells: vec![
                (Engine::Penstock, measured(2.0, "100:4d4e835b")),
                (Engine::Zql, measured(25.0, "100:4d4e835b")),
                (Engine::Dbsp, Cell::NotFinished(7)),
            ],
        };
        assert_eq!(
            head(&engines) + &rows(&line) + &notes(&[line]),
            "| workload | metric | penstock | zql | dbsp | check |\n|---|---|--:|--:|--:|---|\n\
             | W4 | push_cpu | 2.000 | 25.00 (12.5×) | – | equal |\n\
             \n- W4 on dbsp: did not finish in 7 s\n"
        );
    }

    #[test]
    fn another_result_is_named() {
        let cells = vec![(Engine::Zql, measured(25.0, "99:00000000"))];
        let table = rows(&Line { workload: "W4", cells });
        assert!(table.contains("DIFFERS from 100:4d4e835b: zql has 99:00000000"), "{table}");
    }
}
