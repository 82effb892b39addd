//! What is counted into a row set, as long as it is not too much.

use crate::row::Row;
use crate::schema::TableId;

/// A row and by how much its count changes.
pub(super) type Step = (TableId, Row, i32);

/// Steps, at most so many and one more.
pub(super) struct Steps {
    pub(super) listed: Vec<Step>,
    pub(super) most: usize,
}

impl Steps {
    pub(super) fn push(&mut self, step: Step) {
        self.listed.push(step);
    }

    pub(super) fn are_too_many(&self) -> bool {
        self.listed.len() > self.most
    }
}
