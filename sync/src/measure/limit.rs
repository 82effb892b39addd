//! What was refused, by which limit.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Exposition;

/// A limit at which something is refused. Each has an option or a default of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Connections at the same time.
    Connections,
    /// Bytes of a request's head.
    HeaderBytes,
    /// How long the head of a request may take.
    HeaderTime,
    /// Bytes of a client's frame.
    FrameBytes,
    /// How long a client may be silent.
    Silence,
    /// How long a frame may take to be written.
    WriteTime,
    /// How long a client may be connected without saying what it wants.
    InitialiseTime,
    /// How long a client may be behind.
    BehindTime,
    /// Queries of a client group.
    Queries,
    /// Rows of a client group.
    Rows,
    /// Bytes of a query's text.
    QueryBytes,
    /// Mutations of a user in a while.
    MutationRate,
}

impl Limit {
    /// All there are, in the order of their numbers.
    pub const ALL: [Limit; 12] = [
        Limit::Connections,
        Limit::HeaderBytes,
        Limit::HeaderTime,
        Limit::FrameBytes,
        Limit::Silence,
        Limit::WriteTime,
        Limit::InitialiseTime,
        Limit::BehindTime,
        Limit::Queries,
        Limit::Rows,
        Limit::QueryBytes,
        Limit::MutationRate,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::HeaderBytes => "header_bytes",
            Limit::HeaderTime => "header_time",
            Limit::FrameBytes => "frame_bytes",
            Limit::Silence => "silence",
            Limit::WriteTime => "write_time",
            Limit::InitialiseTime => "initialise_time",
            Limit::BehindTime => "behind_time",
            Limit::Queries => "queries",
            Limit::Rows => "rows",
            Limit::QueryBytes => "query_bytes",
            Limit::MutationRate => "mutation_rate",
        }
    }
}

/// How often each limit refused something.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; Limit::ALL.len()]);

impl Refusals {
    /// A limit has refused something.
    pub fn note(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }

    pub(super) fn write(&self, into: &mut Exposition) {
        let help = "What was refused, by the limit that was reached.";
        let family = into.family("counter", "penstock_refused_total", help);
        for limit in Limit::ALL {
            family.sample(&[("limit", limit.name())], self.of(limit) as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_a_place_of_its_own() {
        let refusals = Refusals::default();
        for (at, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, at, "{limit:?}");
            for _ in 0..=at {
                refusals.note(limit);
            }
        }
        for (at, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(refusals.of(limit), at as u64 + 1, "{limit:?}");
        }
    }
}
