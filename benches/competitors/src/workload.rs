//! The workloads that engines of relational operators can do.

use crate::changes::Stream;

/// What is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// Nothing; the tables are kept.
    Nothing,
    /// W1: the 100 open issues modified last.
    List,
    /// W1 without its limit.
    Open,
    /// W2: W1 with owner, labels and the last 10 comments of each.
    Tree,
    /// W3: the 100 issues with the label label-07 modified last.
    Labelled,
    /// W5: so many queries, each the 50 issues of one owner modified last.
    Owners(u32),
    /// W6: so many subscribers of W1.
    Copies(u32),
    /// W8: the 100 issues modified last for which one of three conditions holds.
    AnyOfThree,
    /// W9: the open issues of each owner, counted, and their priorities summed.
    ByOwner,
    /// W10: the number of comments of known users to open issues.
    OpenDiscussion,
    /// W11: the 100 issues with most comments.
    MostDiscussed,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The tables are filled.
    Load,
    /// The query is made live over filled tables, so many times.
    Hydrate(usize),
    /// The query is live under changes, so many in a transaction.
    Push(Stream, usize),
}

/// A workload by its name, or why there is none.
///
/// # Errors
/// The reason for which no engine of this kind has such a workload.
pub fn named(name: &str) -> Result<(Query, Kind), String> {
    const EDITS: Kind = Kind::Push(Stream::Edits(10_000), 1);
    const FEW_EDITS: Kind = Kind::Push(Stream::Edits(1_000), 1);
    const COMMENTS: Kind = Kind::Push(Stream::Comments(10_000), 1);
    Ok(match name {
        "load" => (Query::Nothing, Kind::Load),
        "W0" => (Query::Nothing, EDITS),
        "W1" => (Query::List, Kind::Hydrate(10)),
        "W1b" => (Query::Open, Kind::Hydrate(5)),
        "W2" => (Query::Tree, Kind::Hydrate(5)),
        "W3" => (Query::Labelled, Kind::Hydrate(5)),
        "W4" => (Query::List, EDITS),
        "W4b" => (Query::Tree, EDITS),
        "W4c" => (Query::Tree, COMMENTS),
        "W4d" => (Query::Open, EDITS),
        "W4d100" => (Query::Open, Kind::Push(Stream::Edits(10_000), 100)),
        "W5q10" => (Query::Owners(10), FEW_EDITS),
        "W5q100" => (Query::Owners(100), FEW_EDITS),
        "W5q1000" => (Query::Owners(1_000), FEW_EDITS),
        "W5q10000" => (Query::Owners(10_000), FEW_EDITS),
        "W6" => (Query::Copies(1_000), FEW_EDITS),
        "W7" => return Err("its memory is not measured: the tables are not the engine's".into()),
        "W8" => (Query::AnyOfThree, EDITS),
        "W8b" => (Query::AnyOfThree, Kind::Push(Stream::Toggles(5_000), 1)),
        "W9" => (Query::ByOwner, EDITS),
        "W10" => (Query::OpenDiscussion, EDITS),
        "W10c" => (Query::OpenDiscussion, COMMENTS),
        "W11" => (Query::MostDiscussed, COMMENTS),
        other => return Err(format!("there is no workload {other}")),
    })
}
