//! The limits on a query's size, in one place. Exceeding one is a [`QueryError`], never a crash.

use super::error::QueryError;
use super::path::Path;

/// How deeply conditions and subqueries may be nested in one another, counted together. It bounds
/// the recursion of everything that walks a query.
pub const MAX_DEPTH: usize = 64;

/// How many conditions and subqueries a query may have in total.
pub const MAX_NODES: usize = 10_000;

/// How many values one IN list may have.
pub const MAX_LITERALS: usize = 100_000;

/// Counts the nodes of one query against [`MAX_NODES`].
#[derive(Debug, Default)]
pub(super) struct NodeCount(usize);

impl NodeCount {
    /// Counts one more condition or subquery.
    pub(super) fn add(&mut self, path: &Path<'_>) -> Result<(), QueryError> {
        self.0 += 1;
        if self.0 > MAX_NODES {
            return Err(path
                .error(format!("the query has more than {MAX_NODES} conditions and subqueries")));
        }
        Ok(())
    }
}

/// Checks the length of an IN list against [`MAX_LITERALS`].
pub(super) fn check_list_length(path: &Path<'_>, length: usize) -> Result<(), QueryError> {
    list_length(length).map_err(|problem| path.error(problem))
}

/// What is wrong with an IN list of that length, if anything.
pub(crate) fn list_length(length: usize) -> Result<(), String> {
    if length > MAX_LITERALS {
        return Err(format!("the IN list has {length} values; at most {MAX_LITERALS} are allowed"));
    }
    Ok(())
}
