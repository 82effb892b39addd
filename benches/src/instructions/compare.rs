//! Counts against the baseline, and what is said about the difference.

use std::fmt;

use super::baseline::{Baseline, Count};

/// By what share a count may differ from the baseline.
const TOLERANCE: f64 = 0.05;
/// How many functions are named.
const NAMED_MAX: usize = 5;
const UPDATE: &str = "cargo run --release -p penstock-benches --bin instructions -- --update";

/// How the counts compare, count by count.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    stored: &'a Baseline,
    counted: &'a Baseline,
    findings: Vec<(&'a str, Finding<'a>)>,
}

/// How one count compares.
#[derive(Debug, PartialEq)]
enum Finding<'a> {
    Same(&'a Count, &'a Count),
    Better(&'a Count, &'a Count),
    Worse(&'a Count, &'a Count),
    /// Counted, but not in the baseline.
    New(&'a Count),
    /// In the baseline, but not counted.
    Gone,
}

/// Compares the counts asked for.
pub(super) fn compare<'a>(
    stored: &'a Baseline,
    counted: &'a Baseline,
    is_meant: impl Fn(&str) -> bool,
) -> Comparison<'a> {
    let of_counted = counted.counts.iter().map(|(name, new)| {
        let finding = stored.counts.get(name).map_or(Finding::New(new), |old| classify(old, new));
        (name.as_str(), finding)
    });
    let gone = stored.counts.keys().filter(|name| !counted.counts.contains_key(*name));
    let gone = gone.map(|name| (name.as_str(), Finding::Gone));
    let findings = of_counted.chain(gone).filter(|(name, _)| is_meant(name)).collect();
    Comparison { stored, counted, findings }
}

fn classify<'a>(old: &'a Count, new: &'a Count) -> Finding<'a> {
    match change(old, new) {
        change if change > TOLERANCE => Finding::Worse(old, new),
        change if change < -TOLERANCE => Finding::Better(old, new),
        _ => Finding::Same(old, new),
    }
}

/// By what share a count grew.
fn change(old: &Count, new: &Count) -> f64 {
    (new.value as f64 - old.value as f64) / old.value.max(1) as f64
}

impl Comparison<'_> {
    /// Whether the gate lets this pass: nothing grew, and all is in the baseline.
    pub(super) fn passed(&self) -> bool {
        let passes =
            |finding: &Finding<'_>| matches!(finding, Finding::Same(..) | Finding::Better(..));
        self.findings.iter().all(|(_, finding)| passes(finding))
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, finding) in &self.findings {
            match finding {
                Finding::Same(old, new) => write_change(f, "     ", name, old, new)?,
                Finding::Better(old, new) => write_change(f, "less ", name, old, new)?,
                Finding::Worse(old, new) => {
                    write_change(f, "MORE ", name, old, new)?;
                    write_grown(f, old, new)?;
                }
                Finding::New(new) => {
                    writeln!(f, "NEW  {name}: {} {}", new.value, new.unit.name())?;
                }
                Finding::Gone => writeln!(f, "GONE {name}: in the baseline, but not counted")?,
            }
        }
        self.write_advice(f)
    }
}

impl Comparison<'_> {
    fn write_advice(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |test: fn(&Finding<'_>) -> bool| self.findings.iter().any(|(_, it)| test(it));
        let worse = any(|finding| matches!(finding, Finding::Worse(..)));
        if worse {
            writeln!(f, "\nSome counts grew by more than {:.0} %.", TOLERANCE * 100.0)?;
            writeln!(
                f,
                "If that is the price of something, record it with the reason:\n  {UPDATE}"
            )?;
        }
        if any(|finding| matches!(finding, Finding::Better(..))) && !worse {
            writeln!(f, "\nSome counts shrank. Update the baseline:\n  {UPDATE}")?;
        }
        if any(|finding| matches!(finding, Finding::New(_) | Finding::Gone)) {
            writeln!(f, "\nThe baseline has not the same counts. Update it:\n  {UPDATE}")?;
        }
        let [stored, counted] = [&self.stored.toolchain, &self.counted.toolchain];
        if stored != counted {
            writeln!(f, "\nThe baseline is by {stored}, this is {counted}: counts may differ for")?;
            writeln!(
                f,
                "that alone. Compare two builds by one compiler, then update the baseline."
            )?;
        }
        Ok(())
    }
}

fn write_change(
    f: &mut fmt::Formatter<'_>,
    mark: &str,
    name: &str,
    old: &Count,
    new: &Count,
) -> fmt::Result {
    let (unit, percent) = (new.unit.name(), change(old, new) * 100.0);
    writeln!(f, "{mark}{name}: {} → {} {unit} ({percent:+.1} %)", old.value, new.value)
}

/// The functions that grew most. One that the baseline does not list was below its threshold, and
/// is counted as if it had not been there.
fn write_grown(f: &mut fmt::Formatter<'_>, old: &Count, new: &Count) -> fmt::Result {
    let mut grown: Vec<(u64, &str)> = Vec::new();
    for (name, now) in &new.functions {
        let growth = now.saturating_sub(old.functions.get(name).copied().unwrap_or(0));
        if growth > 0 {
            grown.push((growth, name));
        }
    }
    grown.sort_by_key(|(growth, name)| (u64::MAX - growth, *name));
    for (growth, name) in grown.into_iter().take(NAMED_MAX) {
        match old.functions.get(name) {
            Some(before) => writeln!(f, "       +{growth} {name}: {before} → {}", before + growth)?,
            None => writeln!(f, "       +{growth} {name}: new, or little before")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::instructions::baseline::Baseline;

    const STORED: &str = "\
rustc 1.90.0

W4: 1000 instructions
  400 take
  300 insert
  200 memcpy

memory/row: 100 bytes
";

    fn baseline(text: &str) -> Baseline {
        Baseline::parse(text).expect("a baseline")
    }

    /// Whether the gate passes when one part of the stored counts reads otherwise, and what is said.
    fn gate(changes: &[(&str, &str)]) -> (bool, String) {
        let counted = changes.iter().fold(STORED.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let (stored, counted) = (baseline(STORED), baseline(&counted));
        let comparison = compare(&stored, &counted, |_| true);
        (comparison.passed(), comparison.to_string())
    }

    #[test]
    fn a_regression_fails_and_names_the_functions_that_grew_most() {
        let (passed, said) = gate(&[
            ("1000 instructions", "1060 instructions"),
            ("300 insert", "310 insert"),
            ("400 take", "390 take"),
            ("200 memcpy", "240 memcpy\n  20 clone"),
        ]);
        assert!(!passed);
        let expected = "\
MORE W4: 1000 → 1060 instructions (+6.0 %)
       +40 memcpy: 200 → 240
       +20 clone: new, or little before
       +10 insert: 300 → 310
     memory/row: 100 → 100 bytes (+0.0 %)

Some counts grew by more than 5 %.";
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn memory_that_grew_fails() {
        let (passed, said) = gate(&[("100 bytes", "106 bytes")]);
        assert!(!passed);
        assert!(said.contains("MORE memory/row: 100 → 106 bytes (+6.0 %)\n"), "{said}");
    }

    #[test]
    fn five_percent_either_way_pass_without_a_word() {
        for same in ["1050 instructions", "950 instructions"] {
            let (passed, said) = gate(&[("1000 instructions", same)]);
            assert!(passed);
            assert_eq!(said.lines().count(), 2, "{said}");
        }
    }

    #[test]
    fn an_improvement_passes_and_asks_for_an_update() {
        let (passed, said) = gate(&[("1000 instructions", "940 instructions")]);
        assert!(passed);
        assert!(said.starts_with("less W4: 1000 → 940 instructions (-6.0 %)\n"), "{said}");
        assert!(said.contains("Update the baseline:\n  cargo run "), "{said}");
    }

    #[test]
    fn scenarios_without_a_baseline_and_baselines_without_a_scenario_fail() {
        let (passed, said) = gate(&[("W4:", "W5:")]);
        assert!(!passed);
        assert!(said.contains("NEW  W5: 1000 instructions\n"), "{said}");
        assert!(said.contains("GONE W4: in the baseline, but not counted\n"), "{said}");
        let (stored, counted) = (baseline(STORED), baseline("rustc 1.90.0\nmemory/row: 99 bytes"));
        assert!(compare(&stored, &counted, |name| name == "memory/row").passed());
    }

    #[test]
    fn another_compiler_is_named() {
        let (passed, said) = gate(&[("rustc 1.90.0", "rustc 1.91.0")]);
        assert!(passed);
        assert!(said.contains("The baseline is by rustc 1.90.0, this is rustc 1.91.0"), "{said}");
    }
}
