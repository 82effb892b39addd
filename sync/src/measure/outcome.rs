//! What became of mutations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Exposition, Histogram};

/// Of which kind a mutation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Operations on rows, written by this server.
    Crud,
    /// One of the application's own.
    Custom,
}

/// What became of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Applied,
    /// It had been processed before.
    AlreadyProcessed,
    /// It was refused for good, by rules, constraints or because it makes no sense; counted as done.
    Refused,
    /// Another one must come first.
    OutOfOrder,
    /// The database could not be written to, or the application not be reached; it is sent again.
    Unavailable,
    /// Its user sent too many.
    RateLimited,
    /// The application took it; what became of it there comes back with the rows.
    Forwarded,
    /// The application refused the request, or nobody takes such mutations here.
    Failed,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Crud, Kind::Custom];

    /// Its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Crud => "crud",
            Kind::Custom => "custom",
        }
    }
}

impl Outcome {
    const ALL: [Outcome; 8] = [
        Outcome::Applied,
        Outcome::AlreadyProcessed,
        Outcome::Refused,
        Outcome::OutOfOrder,
        Outcome::Unavailable,
        Outcome::RateLimited,
        Outcome::Forwarded,
        Outcome::Failed,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::AlreadyProcessed => "already_processed",
            Outcome::Refused => "refused",
            Outcome::OutOfOrder => "out_of_order",
            Outcome::Unavailable => "unavailable",
            Outcome::RateLimited => "rate_limited",
            Outcome::Forwarded => "forwarded",
            Outcome::Failed => "failed",
        }
    }

    /// Whether a mutation can have this outcome.
    fn is_of(self, kind: Kind) -> bool {
        match self {
            Outcome::RateLimited | Outcome::Failed => true,
            Outcome::Forwarded => kind == Kind::Custom,
            _ => kind == Kind::Crud,
        }
    }
}

/// How many mutations came to what, and how long it took.
#[derive(Debug, Default)]
pub struct Mutations {
    counts: [[AtomicU64; Outcome::ALL.len()]; Kind::ALL.len()],
    took: Histogram,
}

impl Mutations {
    /// So many mutations came to an outcome.
    pub fn note(&self, kind: Kind, outcome: Outcome, several: u64) {
        self.counts[kind as usize][outcome as usize].fetch_add(several, Ordering::Relaxed);
    }

    /// A request of mutations took so long.
    pub fn took(&self, long: Duration) {
        self.took.observe(long);
    }

    /// How many mutations came to an outcome.
    #[must_use]
    pub fn of(&self, kind: Kind, outcome: Outcome) -> u64 {
        self.counts[kind as usize][outcome as usize].load(Ordering::Relaxed)
    }

    pub(super) fn write(&self, into: &mut Exposition) {
        let help = "Mutations by what became of them.";
        let family = into.family("counter", "penstock_mutations_total", help);
        for kind in Kind::ALL {
            for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_of(kind)) {
                let labels = [("kind", kind.name()), ("outcome", outcome.name())];
                family.sample(&labels, self.of(kind, outcome) as f64);
            }
        }
        into.histogram(
            "penstock_mutation_seconds",
            "How long mutations took that were written here or handed to the application.",
            &self.took,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_a_place_of_its_own() {
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at, "{outcome:?}");
        }
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "{kind:?}");
        }
        let mutations = Mutations::default();
        mutations.note(Kind::Custom, Outcome::Forwarded, 3);
        assert_eq!(mutations.of(Kind::Custom, Outcome::Forwarded), 3);
        let mut all = Exposition::default();
        mutations.write(&mut all);
        let text = all.to_string();
        let line = "penstock_mutations_total{kind=\"custom\",outcome=\"forwarded\"} 3";
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(!text.contains("kind=\"custom\",outcome=\"applied\""), "{text}");
    }
}
