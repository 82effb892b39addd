//! What the cases have exercised.

use std::collections::BTreeMap;

use super::case::Case;
use super::live::Outcome;

/// How many of a hundred queries may be refused.
const REFUSED_MAX: usize = 6;

/// A reason without its place, which differs, and without what is far into it.
fn general(reason: &str) -> String {
    let reason = reason.split_once(": ").map_or(reason, |(_, reason)| reason);
    reason.chars().take(90).collect()
}

#[derive(Default)]
pub(crate) struct Tally {
    /// By feature, how many queries that use it were accepted and refused.
    features: BTreeMap<&'static str, (usize, usize)>,
    /// How often queries were refused, by reason, and one of them.
    refusals: BTreeMap<String, (usize, String)>,
    queries: usize,
    refused: usize,
    compared: usize,
    with_rows: usize,
    failed_in_sqlite: usize,
    patches: usize,
    nested: usize,
    nested_patches: usize,
    nested_refused: BTreeMap<String, usize>,
}

impl Tally {
    pub(crate) fn add(&mut self, case: &Case, outcome: &Outcome) {
        for (number, refused) in &outcome.queries {
            let query = &case.queries[*number];
            self.queries += 1;
            for feature in &query.features {
                let (yes, no) = self.features.entry(feature).or_default();
                *(if refused.is_some() { no } else { yes }) += 1;
            }
            if let Some(reason) = refused {
                self.refused += 1;
                let entry = self.refusals.entry(general(reason));
                entry.or_insert_with(|| (0, query.statement().sql)).0 += 1;
            }
        }
        self.compared += outcome.compared;
        self.with_rows += outcome.with_rows;
        self.failed_in_sqlite += outcome.failed_in_sqlite;
        self.patches += outcome.patches;
        self.nested += outcome.nested;
        self.nested_patches += outcome.nested_patches;
        for reason in &outcome.nested_refused {
            *self.nested_refused.entry(general(reason)).or_default() += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: Tally) {
        for (feature, (yes, no)) in other.features {
            let entry = self.features.entry(feature).or_default();
            *entry = (entry.0 + yes, entry.1 + no);
        }
        for (reason, (count, sql)) in other.refusals {
            self.refusals.entry(reason).or_insert((0, sql)).0 += count;
        }
        self.queries += other.queries;
        self.refused += other.refused;
        self.compared += other.compared;
        self.with_rows += other.with_rows;
        self.failed_in_sqlite += other.failed_in_sqlite;
        self.patches += other.patches;
        self.nested += other.nested;
        self.nested_patches += other.nested_patches;
        for (reason, count) in other.nested_refused {
            *self.nested_refused.entry(reason).or_default() += count;
        }
    }

    /// Whether so many cases have exercised what they should.
    pub(crate) fn check(&self, cases: u64) {
        let cases = cases as usize;
        if cases < 1_000 {
            return;
        }
        assert!(self.refused * 100 <= self.queries * REFUSED_MAX, "too many are refused");
        assert!(self.compared > cases * 4, "{} comparisons", self.compared);
        assert!(self.with_rows * 2 > self.compared, "{} with rows", self.with_rows);
        assert!(self.patches > cases, "{} patches", self.patches);
        assert!(self.nested > cases / 2, "{} comparisons of lists", self.nested);
        assert!(self.nested_patches > cases / 10, "{} patches of lists", self.nested_patches);
        let refused: usize = self.nested_refused.values().sum();
        assert!(refused * 100 < cases * 3, "{refused} queries with lists are refused");
        assert!(self.features.len() > 85, "{} features", self.features.len());
        for (feature, (accepted, _)) in &self.features {
            let optional = matches!(*feature, "RIGHT JOIN" | "FULL JOIN");
            assert!(optional || *accepted * 500 >= cases, "{feature}: accepted {accepted} times");
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} queries, {} refused", self.queries, self.refused)?;
        writeln!(f, "{} results compared, {} with rows", self.compared, self.with_rows)?;
        writeln!(f, "{} not, as SQLite failed at them", self.failed_in_sqlite)?;
        writeln!(f, "{} patches", self.patches)?;
        writeln!(f, "{} results with lists, {} patches", self.nested, self.nested_patches)?;
        for (reason, count) in &self.nested_refused {
            writeln!(f, "with lists, {count} times {reason}")?;
        }
        for (reason, (count, sql)) in &self.refusals {
            writeln!(f, "{count} times {reason}\n    {sql}")?;
        }
        for (feature, (yes, no)) in &self.features {
            write!(f, "{feature}: {yes}")?;
            if *no > 0 {
                write!(f, " (refused {no})")?;
            }
            f.write_str(", ")?;
        }
        Ok(())
    }
}
