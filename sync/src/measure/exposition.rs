//! Metrics, each family once with what it is and of which type; as text they are what Prometheus reads.

use std::fmt::{Display, Formatter, Result, Write as _};
use std::time::Duration;

use super::histogram::{BOUNDS, Histogram, Readings};

/// Metrics, written one family after another.
#[derive(Debug, Default)]
pub struct Exposition(Vec<Family>);

/// A family of metrics.
#[derive(Debug)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its name; that of a counter ends with `_total`, that of a histogram with `_seconds`.
    pub name: String,
    /// What it is.
    pub help: String,
    /// Each with its labels.
    pub samples: Vec<(Vec<(String, String)>, Sample)>,
}

/// What a series is at the moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A number.
    Value(f64),
    /// Durations by their size.
    Durations(Readings),
}

impl Exposition {
    /// Begins a family: a `counter` or `gauge`. One whose name was written before takes its place, as each
    /// name is there once.
    pub fn family(&mut self, kind: &'static str, name: &str, help: &str) -> &mut Family {
        debug_assert!(self.0.iter().all(|family| family.name != name), "{name} is written twice");
        self.0.retain(|family| family.name != name);
        let (name, help) = (name.to_owned(), help.to_owned());
        self.0.push(Family { kind, name, help, samples: Vec::new() });
        self.0.last_mut().expect("invariant: one has just been pushed")
    }

    /// A counter without labels; its name ends with `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family("counter", name, help).sample(&[], value);
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family("gauge", name, help).sample(&[], value);
    }

    /// A histogram without labels; its name ends with `_seconds`.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let family = self.family("histogram", name, help);
        family.samples.push((Vec::new(), Sample::Durations(histogram.read())));
    }

    /// All families, in the order in which they were written.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.0
    }
}

impl Family {
    /// A sample with its labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
        self.samples.push((labels.iter().map(owned).collect(), Sample::Value(value)));
        self
    }
}

/// The text format of Prometheus, version 0.0.4.
impl Display for Exposition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for Family { kind, name, help, samples } in &self.0 {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            for (labels, sample) in samples {
                match sample {
                    Sample::Value(value) => line(f, name, "", labels, None, *value)?,
                    Sample::Durations(Readings { counts, sum }) => {
                        buckets(f, name, labels, counts, *sum)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn buckets(
    f: &mut Formatter<'_>,
    name: &str,
    labels: &[(String, String)],
    counts: &[u64],
    sum: Duration,
) -> Result {
    let mut until = 0;
    for (at, count) in counts.iter().enumerate() {
        until += count;
        let bound = BOUNDS.get(at).map_or_else(|| "+Inf".to_owned(), f64::to_string);
        line(f, name, "_bucket", labels, Some(&bound), until as f64)?;
    }
    line(f, name, "_sum", labels, None, sum.as_secs_f64())?;
    line(f, name, "_count", labels, None, until as f64)
}

fn line(
    f: &mut Formatter<'_>,
    name: &str,
    suffix: &str,
    labels: &[(String, String)],
    bound: Option<&str>,
    value: f64,
) -> Result {
    write!(f, "{name}{suffix}")?;
    let labels = labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
    let mut start = '{';
    for (label, value) in labels.chain(bound.map(|bound| ("le", bound))) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{start}{label}=\"{value}\"")?;
        start = ',';
    }
    if start == ',' {
        f.write_char('}')?;
    }
    writeln!(f, " {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_described_and_values_escaped() {
        let mut all = Exposition::default();
        all.counter("a_total", "Of a.", 3.0);
        all.family("gauge", "b", "Line\nbreak.")
            .sample(&[("x", "say \"\\\n"), ("y", "é")], 0.5)
            .sample(&[("x", ""), ("y", "z")], 1e20);
        let expected = "# HELP a_total Of a.\n# TYPE a_total counter\na_total 3\n\
            # HELP b Line\\nbreak.\n# TYPE b gauge\nb{x=\"say \\\"\\\\\\n\",y=\"é\"} 0.5\n\
            b{x=\"\",y=\"z\"} 100000000000000000000\n";
        assert_eq!(all.to_string(), expected);
    }

    #[test]
    fn buckets_add_up() {
        let histogram = Histogram::default();
        for ms in [0, 1, 3, 3, 700_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut all = Exposition::default();
        all.histogram("h_seconds", "Of h.", &histogram);
        let text = all.to_string();
        for line in [
            "h_seconds_bucket{le=\"0.001\"} 2",
            "h_seconds_bucket{le=\"0.0025\"} 2",
            "h_seconds_bucket{le=\"0.005\"} 4",
            "h_seconds_bucket{le=\"60\"} 4",
            "h_seconds_bucket{le=\"+Inf\"} 5",
            "h_seconds_sum 700.007",
            "h_seconds_count 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
