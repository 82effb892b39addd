//! Results that are filled in steps, and row sets, within a budget.

use penstock_operators::graph::RootId;
use penstock_operators::row_set::{RowSetPatch, TooLarge};
use penstock_operators::schema::Schema;
use penstock_operators::source::Source;

use super::Engine;
use crate::budget::{Budget, Metered, PLACES};
use crate::error::Error;
use crate::notice::Notice;

/// What a step of filling a result has come to.
pub(crate) struct Grown {
    pub(crate) is_complete: bool,
    /// What to tell of it.
    pub(crate) notices: Vec<Notice>,
    /// What is left of the budget.
    pub(crate) left: Budget,
}

/// What a subscriber has of its result's row set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowSetUse {
    /// It has not asked for it.
    None,
    /// All of it.
    Kept,
    /// It has asked for it, and missed something since.
    Lost,
}

impl Engine {
    /// Fills a result by one step within a budget.
    pub(crate) fn grow(
        &mut self,
        source: &mut dyn Source,
        root: RootId,
        rows: usize,
        budget: Budget,
    ) -> Result<Grown, Error> {
        let mut metered = Metered::new(source, budget);
        self.changing = true;
        let grown = match budget == Budget::default() {
            true => self.graph.grow(metered.unmetered(), root, rows),
            false => self.graph.grow(&mut metered, root, rows),
        };
        match grown {
            // The data has not changed, so the version stays.
            Ok(is_complete) => {
                let notices = self.publish(metered.schema(), self.version);
                Ok(Grown { is_complete, notices, left: metered.left() })
            }
            Err(error) => {
                self.changing = false;
                Err(metered.error(error))
            }
        }
    }

    /// Whether the row set of a result is kept: not any more where it came to have too many places.
    /// Whether a row set is kept, for who asked for it when it had been lost so many times.
    pub(crate) fn keeps_row_set(&self, root: RootId, losses: u32) -> bool {
        self.graph.keeps_row_set(root) && self.graph.row_set_losses(root) == losses
    }

    pub(crate) fn row_set_losses(&self, root: RootId) -> u32 {
        self.graph.row_set_losses(root)
    }

    /// As [`keep_row_set`](Engine::keep_row_set), unless it is larger than a budget allows.
    pub(crate) fn keep_row_set_within(
        &mut self,
        schema: &Schema,
        root: RootId,
        budget: Budget,
    ) -> Result<RowSetPatch, Error> {
        let (rows, places) = (budget.rows, budget.places);
        self.graph.keep_row_set_within(schema, root, rows, places).map_err(|over| match over {
            TooLarge::Rows => Error::TooCostly { what: "rows", most: rows },
            TooLarge::Places => Error::TooCostly { what: PLACES, most: places },
        })
    }
}
