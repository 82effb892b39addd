//! Subscriptions that are filled in steps.

use std::sync::Arc;

use super::Database;
use crate::budget::Budget;
use crate::error::Error;
use crate::query::{Params, Query};
use crate::subscription::Subscription;

impl Database {
    /// Subscribes to a query whose result is filled in steps: at first it is empty, and each
    /// [`Subscription::grow`] reads on. In between, transactions go on; at every moment the result is
    /// the first rows of the complete one, and in the end it is complete. For results so large that
    /// filling them at once would keep others waiting.
    ///
    /// Where rows can only be read at once (an order over SQLite without an index), it is filled by
    /// this call. It shares what hangs below its rows with other live results, but not its own list.
    ///
    /// ```
    /// # use penstock::{ColumnType::*, Database, Params, Query, Schema, Table};
    /// # let schema =
    /// #     Schema::new([Table::new("task").column("id", Integer).primary_key(["id"])])?;
    /// # let db = Database::in_memory(schema)?;
    /// let mut all = db.subscribe_in_steps(Query::table("task"), &Params::default())?;
    /// while !all.grow(1000)? {
    ///     // Others have their turn here.
    /// }
    /// # Ok::<(), penstock::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`subscribe_with`](Database::subscribe_with).
    pub fn subscribe_in_steps(&self, query: Query, params: &Params) -> Result<Subscription, Error> {
        self.subscribe_in_steps_within(query, params, Budget::default())
    }

    /// As [`subscribe_in_steps`](Database::subscribe_in_steps), as long as what is filled by this call
    /// costs no more than a budget allows. Steps have theirs ([`Subscription::grow_within`]).
    ///
    /// # Errors
    /// As `subscribe_in_steps`, and [`Error::TooCostly`]; then nothing is kept.
    pub fn subscribe_in_steps_within(
        &self,
        query: Query,
        params: &Params,
        budget: Budget,
    ) -> Result<Subscription, Error> {
        Subscription::in_steps(Arc::clone(&self.shared), query, params.clone(), budget)
    }
}
