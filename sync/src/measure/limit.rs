//! Limits by name, and how often each was hit.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit at which something is refused, or waits. Options of the same names set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Client groups that are live.
    Groups,
    /// Clients that a group remembers.
    Clients,
    /// Queries of a client group.
    Queries,
    /// Rows of a client group.
    Rows,
    /// Bytes of a query's text.
    QueryBytes,
    /// Bytes of all queries of a client group.
    GroupQueryBytes,
    /// How deeply a query is nested.
    QueryDepth,
    /// Related lists and EXISTS of a query.
    QuerySubqueries,
    /// What a query reads when it is hydrated.
    HydrationReads,
    /// How long a query is hydrated.
    HydrationTime,
    /// Bytes of a name.
    NameBytes,
    /// Bytes of what a client says of itself.
    InitialBytes,
    /// Open questions of a connection to the application.
    Questions,
    /// Bytes that wait for one socket.
    QueuedBytes,
    /// How long a client may be behind.
    BehindTime,
    /// How long a client may be connected without saying what it wants.
    InitialiseTime,
    /// Connections at the same time.
    Connections,
    /// Bytes of a request's head.
    HeaderBytes,
    /// How long the head of a request may take.
    HeaderTime,
    /// Bytes of a client's frame.
    FrameBytes,
    /// Bytes of frames that have come and are not dealt with.
    UnhandledBytes,
    /// How long a client is told nothing. Its hits are signs of life, which are not counted.
    Quiet,
    /// How long a client may be silent.
    Silence,
    /// How long a frame may take to be written.
    WriteTime,
    /// Mutations of a user in a while.
    MutationRate,
}

impl Limit {
    /// All there are, in the order of their numbers.
    pub const ALL: [Limit; 25] = [
        Limit::Groups,
        Limit::Clients,
        Limit::Queries,
        Limit::Rows,
        Limit::QueryBytes,
        Limit::GroupQueryBytes,
        Limit::QueryDepth,
        Limit::QuerySubqueries,
        Limit::HydrationReads,
        Limit::HydrationTime,
        Limit::NameBytes,
        Limit::InitialBytes,
        Limit::Questions,
        Limit::QueuedBytes,
        Limit::BehindTime,
        Limit::InitialiseTime,
        Limit::Connections,
        Limit::HeaderBytes,
        Limit::HeaderTime,
        Limit::FrameBytes,
        Limit::UnhandledBytes,
        Limit::Quiet,
        Limit::Silence,
        Limit::WriteTime,
        Limit::MutationRate,
    ];

    /// Its name in metrics, reports and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Limit::Groups => "groups",
            Limit::Clients => "clients",
            Limit::Queries => "queries",
            Limit::Rows => "rows",
            Limit::QueryBytes => "query_bytes",
            Limit::GroupQueryBytes => "group_query_bytes",
            Limit::QueryDepth => "query_depth",
            Limit::QuerySubqueries => "query_subqueries",
            Limit::HydrationReads => "hydration_reads",
            Limit::HydrationTime => "hydration_ms",
            Limit::NameBytes => "name_bytes",
            Limit::InitialBytes => "initial_bytes",
            Limit::Questions => "questions",
            Limit::QueuedBytes => "queued_bytes",
            Limit::BehindTime => "behind_ms",
            Limit::InitialiseTime => "initialise_ms",
            Limit::Connections => "connections",
            Limit::HeaderBytes => "header_bytes",
            Limit::HeaderTime => "header_ms",
            Limit::FrameBytes => "frame_bytes",
            Limit::UnhandledBytes => "unhandled_bytes",
            Limit::Quiet => "quiet_ms",
            Limit::Silence => "silent_ms",
            Limit::WriteTime => "write_ms",
            Limit::MutationRate => "mutation_rate",
        }
    }
}

/// How often each limit was hit.
#[derive(Debug, Default)]
pub struct Hits([AtomicU64; Limit::ALL.len()]);

impl Hits {
    /// A limit was hit.
    pub fn note(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_a_place_of_its_own() {
        let hits = Hits::default();
        for (at, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, at, "{limit:?}");
            for _ in 0..=at {
                hits.note(limit);
            }
        }
        for (at, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(hits.of(limit), at as u64 + 1, "{limit:?}");
        }
    }
}
