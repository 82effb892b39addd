//! Figures: what a run measured, and how it is printed.

use std::fmt::{self, Write as _};

use crate::check::Check;

/// The unit of times.
pub const MICROS: &str = "µs/op";
/// The unit of sizes.
pub const BYTES: &str = "B";
/// The unit of ratios: how many times as much.
pub const RATIO: &str = "times";
/// The name of the checksum among the metrics.
pub const CHECK: &str = "check";
const CHECK_UNIT: &str = "rows:fnv1a32";

/// What one process measured for one workload.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The metrics, in the order of measurement.
    pub metrics: Vec<Metric>,
    /// The checksum of the results at the end.
    pub check: Option<Check>,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Metric {
    /// What is measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// The unit of the value.
    pub unit: String,
}

impl Outcome {
    /// Adds a figure.
    pub fn push(&mut self, name: &str, value: f64, unit: &str) {
        self.metrics.push(Metric { name: name.to_owned(), value, unit: unit.to_owned() });
    }

    /// The value of a figure.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// The lines by which a child process hands the outcome to its parent.
    pub fn to_lines(&self) -> String {
        let mut lines = String::new();
        for metric in &self.metrics {
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{}\t{}\t{}", metric.name, metric.value, metric.unit);
        }
        if let Some(check) = &self.check {
            let _ = writeln!(lines, "{CHECK}\t{check}\t{CHECK_UNIT}");
        }
        lines
    }
}

/// All figures of one workload by one engine, from several processes.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    series: Vec<Series>,
    /// The checksums, one per process that gave one.
    pub checks: Vec<String>,
}

#[derive(Clone, Debug)]
struct Series {
    name: String,
    unit: String,
    values: Vec<f64>,
}

/// One metric over several processes.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What is measured.
    pub metric: String,
    /// The unit of the values.
    pub unit: String,
    /// The median.
    pub value: f64,
    /// The number of processes.
    pub n: usize,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Samples {
    /// Adds the lines of one child process.
    ///
    /// # Errors
    /// A line that [`Outcome::to_lines`] does not write.
    pub fn add(&mut self, lines: &str) -> Result<(), String> {
        for line in lines.lines() {
            let malformed = || format!("a child process printed an unexpected line: {line}");
            let mut fields = line.split('\t');
            let (Some(name), Some(value), Some(unit), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(malformed());
            };
            if name == CHECK {
                self.checks.push(value.to_owned());
                continue;
            }
            let value: f64 = value.parse().map_err(|_| malformed())?;
            match self.series.iter_mut().find(|series| series.name == name) {
                Some(series) => series.values.push(value),
                None => self.series.push(Series {
                    name: name.to_owned(),
                    unit: unit.to_owned(),
                    values: vec![value],
                }),
            }
        }
        Ok(())
    }

    /// The medians, metric by metric.
    pub fn summaries(&self) -> Vec<Summary> {
        self.series.iter().map(Series::summary).collect()
    }
}

impl Series {
    fn summary(&self) -> Summary {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let at = |position: usize| sorted.get(position).copied().unwrap_or(0.0);
        Summary {
            metric: self.name.clone(),
            unit: self.unit.clone(),
            value: (at((n.max(1) - 1) / 2) + at(n / 2)) / 2.0,
            n,
            min: at(0),
            max: at(n.max(1) - 1),
        }
    }
}

/// Who measured what: the constant part of the lines of one workload.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// `penstock` or `hand`.
    pub engine: &'a str,
    /// Where the rows live.
    pub source: &'a str,
    /// The workload's name.
    pub workload: &'a str,
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {} over {}", self.workload, self.engine, self.source)
    }
}

impl Origin<'_> {
    /// A metric as one line of JSON.
    pub fn json(&self, summary: &Summary) -> String {
        let [value, min, max] = [summary.value, summary.min, summary.max].map(short);
        self.line(&summary.metric, &value, &summary.unit, summary.n, &min, &max)
    }

    /// A checksum as one line of JSON.
    pub fn json_check(&self, check: &str, n: usize) -> String {
        let check = quoted(check);
        self.line(CHECK, &check, CHECK_UNIT, n, &check, &check)
    }

    fn line(
        &self,
        metric: &str,
        value: &str,
        unit: &str,
        n: usize,
        min: &str,
        max: &str,
    ) -> String {
        format!(
            "{{\"engine\":{},\"source\":{},\"workload\":{},\"metric\":{},\"value\":{value},\
             \"unit\":{},\"n\":{n},\"min\":{min},\"max\":{max}}}",
            quoted(self.engine),
            quoted(self.source),
            quoted(self.workload),
            quoted(metric),
            quoted(unit),
        )
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Prints text, and ends the process where nobody reads it any more.
pub fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// A number with four significant digits, or all digits before the point.
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1000.0 || size == 0.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::{Origin, Outcome, Samples, short};
    use crate::check::Check;

    #[test]
    fn the_median_of_several_processes_is_reported() {
        let mut samples = Samples::default();
        for value in [3.0, 1.0, 10.0, 2.0] {
            let mut outcome = Outcome { check: Some(Check::default()), ..Outcome::default() };
            outcome.push("push_cpu", value, "µs/op");
            samples.add(&outcome.to_lines()).expect("well-formed lines");
        }
        assert_eq!(samples.checks, vec!["0:811c9dc5"; 4]);
        let summaries = samples.summaries();
        assert_eq!(summaries.len(), 1);
        let origin = Origin { engine: "penstock", source: "memory", workload: "W4" };
        assert_eq!(
            origin.json(&summaries[0]),
            "{\"engine\":\"penstock\",\"source\":\"memory\",\"workload\":\"W4\",\
             \"metric\":\"push_cpu\",\"value\":2.500,\"unit\":\"µs/op\",\"n\":4,\"min\":1.000,\
             \"max\":10.00}"
        );
    }

    #[test]
    fn other_lines_are_refused() {
        assert!(Samples::default().add("push_cpu 3").is_err());
        assert!(Samples::default().add("push_cpu\tmany\tµs").is_err());
    }

    #[test]
    fn numbers_keep_four_digits() {
        let texts = [0.0, 0.12345, 1.5, 23.456, 234.56, 123_456.7].map(short);
        assert_eq!(texts, ["0", "0.123", "1.500", "23.46", "234.6", "123457"]);
    }
}
