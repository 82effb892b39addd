//! Counts, and the file that stores them.

use std::collections::BTreeMap;
use std::fmt;

/// Functions below this share of a scenario are not stored.
const SHARE_MIN: f64 = 0.01;

const HEAD: &str = "\
# Instructions per operation of the hot paths, and below each scenario the functions that execute
# one in a hundred of them or more; bytes held in memory. Written by
#   cargo run --release -p penstock-benches --bin instructions -- --update
";

/// Counts of one build.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Baseline {
    /// What compiled it, as `rustc -V` says.
    pub(super) toolchain: String,
    /// The counts by name.
    pub(super) counts: BTreeMap<String, Count>,
}

/// What one operation of a scenario costs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Count {
    /// How much.
    pub(super) value: u64,
    /// Of what.
    pub(super) unit: Unit,
    /// The share of functions, without what they call. Of bytes there are none.
    pub(super) functions: BTreeMap<String, u64>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Instructions per operation.
    Instructions,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// How it is written in the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Instructions => "instructions",
            Unit::Bytes => "bytes",
        }
    }
}

impl Count {
    /// The instructions per operation, from those of all operations by function.
    ///
    /// # Errors
    /// No operations.
    pub(super) fn instructions(
        functions: &BTreeMap<String, u64>,
        operations: u64,
    ) -> Result<Count, String> {
        let per_operation = |total: u64| total.checked_add(operations / 2)?.checked_div(operations);
        let total: u64 = functions.values().sum();
        let value = per_operation(total).ok_or("a scenario has no operations")?;
        let is_stored = |count: u64| count as f64 >= total as f64 * SHARE_MIN;
        let stored = functions.iter().filter(|(_, count)| is_stored(**count));
        let functions =
            stored.filter_map(|(name, count)| Some((name.clone(), per_operation(*count)?)));
        Ok(Count { value, unit: Unit::Instructions, functions: functions.collect() })
    }

    /// Bytes, to the nearest.
    pub(super) fn bytes(value: f64) -> Count {
        let value = value.max(0.0).round() as u64;
        Count { value, unit: Unit::Bytes, functions: BTreeMap::new() }
    }
}

impl Baseline {
    /// Reads what [`Baseline`] displays.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub(super) fn parse(text: &str) -> Result<Baseline, String> {
        let mut baseline = Baseline::default();
        let mut last: Option<&mut Count> = None;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let malformed = || format!("the baseline has an unexpected line: {line}");
            if line.starts_with("rustc ") {
                line.clone_into(&mut baseline.toolchain);
            } else if let Some(function) = line.strip_prefix(' ') {
                let (count, name) = function.trim_start().split_once(' ').ok_or_else(malformed)?;
                let count = count.parse().map_err(|_| malformed())?;
                let of = last.as_mut().ok_or_else(malformed)?;
                of.functions.insert(name.to_owned(), count);
            } else {
                let (name, count) = parse_count(line).ok_or_else(malformed)?;
                last = Some(baseline.counts.entry(name).or_insert(count));
            }
        }
        Ok(baseline)
    }

    /// These counts with others in the place of those of the same name.
    ///
    /// # Errors
    /// Counts by different compilers, which do not belong into one file.
    pub(super) fn with(mut self, counted: Baseline) -> Result<Baseline, String> {
        if !self.counts.is_empty() && self.toolchain != counted.toolchain {
            return Err(format!(
                "the other counts are by {}, this is {}: update all",
                self.toolchain, counted.toolchain
            ));
        }
        self.toolchain = counted.toolchain;
        self.counts.extend(counted.counts);
        Ok(self)
    }
}

/// A line `name: value unit`.
fn parse_count(line: &str) -> Option<(String, Count)> {
    let (name, rest) = line.rsplit_once(": ")?;
    let (value, unit) = rest.split_once(' ')?;
    let unit = [Unit::Instructions, Unit::Bytes].into_iter().find(|known| known.name() == unit)?;
    let count = Count { value: value.parse().ok()?, unit, functions: BTreeMap::new() };
    Some((name.to_owned(), count))
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\n{}", self.toolchain)?;
        for (name, count) in &self.counts {
            writeln!(f, "\n{name}: {} {}", count.value, count.unit.name())?;
            let mut functions: Vec<_> = count.functions.iter().collect();
            functions.sort_by_key(|(name, count)| (u64::MAX - **count, *name));
            for (name, count) in functions {
                writeln!(f, "{count:9} {name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Baseline, Count};

    fn baseline() -> Baseline {
        let functions =
            [("<T as a::Insert>::insert", 9_000), ("memcpy", 900), ("rare", 99), ("free", 1)];
        let functions: BTreeMap<String, u64> =
            functions.map(|(name, count)| (name.to_owned(), count)).into();
        let count = Count::instructions(&functions, 10).expect("ten operations");
        let held = Count::bytes(118.6);
        let counts = [("W4".to_owned(), count), ("memory/row".to_owned(), held)];
        Baseline { toolchain: "rustc 1.90.0 (abc 2025-01-01)".to_owned(), counts: counts.into() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = baseline().to_string();
        assert!(
            text.ends_with(
                "\n\
                 rustc 1.90.0 (abc 2025-01-01)\n\
                 \n\
                 W4: 1000 instructions\n      \
                 900 <T as a::Insert>::insert\n       \
                 90 memcpy\n\
                 \n\
                 memory/row: 119 bytes\n"
            ),
            "{text}"
        );
        assert_eq!(Baseline::parse(&text).expect("a baseline"), baseline());
    }

    #[test]
    fn other_lines_are_refused() {
        for text in ["W4 1000", "W4: many instructions", "W4: 1000 cycles", "  900 insert"] {
            let problem = Baseline::parse(text).expect_err(text);
            assert_eq!(problem, format!("the baseline has an unexpected line: {text}"));
        }
    }

    #[test]
    fn some_counts_are_replaced_if_the_compiler_is_the_same() {
        let mut counted = baseline();
        counted.counts.remove("memory/row");
        counted.counts.insert("W1".to_owned(), Count::bytes(1.0));
        let updated = baseline().with(counted.clone()).expect("one compiler");
        assert_eq!(updated.counts.keys().collect::<Vec<_>>(), ["W1", "W4", "memory/row"]);
        counted.toolchain.push('x');
        assert!(baseline().with(counted.clone()).is_err());
        assert_eq!(Baseline::default().with(counted.clone()), Ok(counted));
    }

    #[test]
    fn a_scenario_has_operations() {
        assert!(Count::instructions(&BTreeMap::new(), 0).is_err());
    }
}
