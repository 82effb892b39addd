//! What figures should be.

use penstock_benches::report::{Summary, short};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Which figure.
    pub metric: &'static str,
    /// The most, or the least, that it should be.
    pub value: f64,
    /// Whether more is better.
    pub at_least: bool,
}

impl Target {
    /// Whether a figure is what it should be.
    #[must_use]
    pub fn is_met(&self, value: f64) -> bool {
        if self.at_least { value >= self.value } else { value <= self.value }
    }
}

/// The figure should not be more.
#[must_use]
pub const fn at_most(metric: &'static str, value: f64) -> Target {
    Target { metric, value, at_least: false }
}

/// The figure should not be less.
#[must_use]
pub const fn at_least(metric: &'static str, value: f64) -> Target {
    Target { metric, value, at_least: true }
}

/// A figure for people, with its target if it has one.
#[must_use]
pub fn line(workload: &str, targets: &[Target], summary: &Summary) -> String {
    let [value, min, max] = [summary.value, summary.min, summary.max].map(short);
    let target = targets.iter().find(|target| target.metric == summary.metric);
    let verdict = target.map(|target| {
        let verdict = if target.is_met(summary.value) { "met" } else { "MISSED" };
        format!("{} {verdict}", short(target.value))
    });
    let line = format!(
        "{workload:<10} {:<24} {value:>10} {min:>10} {max:>10} {:<8} {:>14}",
        summary.metric,
        summary.unit,
        verdict.unwrap_or_default()
    );
    line.trim_end().to_owned()
}
