//! Paging: the parts of a query that a live subscription may change.

use super::Query;
use super::form::StartAt;
use crate::row_input::RowInput;

impl Query {
    /// The query with another limit.
    pub(crate) fn with_limit(mut self, limit: Option<usize>) -> Query {
        if self.is_sql() {
            self.limit_statement(limit);
        } else {
            self.body.limit = limit;
        }
        self
    }

    /// The query with another start, after the given position.
    pub(crate) fn with_start(mut self, after: Option<RowInput>) -> Query {
        self.body.start = after
            .map(|position| StartAt { values: position.into_iter().collect(), exclusive: true });
        self
    }
}
