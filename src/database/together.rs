//! Subscribing to many queries together.

use crate::database::Database;
#[cfg(feature = "parallel")]
use crate::database::DatabaseBuilder;
use crate::error::Error;
use crate::query::{Params, Query};
use crate::subscription::Subscription;

impl Database {
    /// Subscribes to several queries, with values for their parameters: all of them at one state of
    /// the data, or on an error none. The subscriptions are in the order of the queries.
    ///
    /// Over tables in memory and with the feature `parallel`, several threads fill the results.
    /// Results, and everything that `explain` counts, are the same however many there are. What is
    /// made of joins and aggregates is read by the caller's thread, and so is everything in other
    /// sources.
    ///
    /// Each is filled at once and without a [`Budget`](crate::Budget):
    /// [`subscribe_in_steps`](Database::subscribe_in_steps) and
    /// [`subscribe_within`](Database::subscribe_within) are for one query each.
    ///
    /// ```
    /// # use penstock::{ColumnType::*, Database, Params, Query, Schema, Table, col, param};
    /// # let schema = Schema::new([Table::new("task")
    /// #     .column("id", Integer)
    /// #     .column("project", Integer)
    /// #     .primary_key(["id"])])?;
    /// # let db = Database::in_memory(schema)?;
    /// let tasks = Query::table("task").filter(col("project").eq(param("project")));
    /// let queries = [3, 5, 8].map(|project| (tasks.clone(), Params::new().set("project", project)));
    /// let projects = db.subscribe_all(queries)?;
    /// assert_eq!(projects.len(), 3);
    /// # Ok::<(), penstock::Error>(())
    /// ```
    ///
    /// Cost: as of subscribing one by one; what many of them share is filled once. Meanwhile the
    /// keys of the rows that some hundreds of them have found are kept.
    ///
    /// # Errors
    /// [`Error::OfSeveral`] with the first query that the schema does not allow, that lacks a value
    /// of a parameter or for which the source failed.
    pub fn subscribe_all(
        &self,
        queries: impl IntoIterator<Item = (Query, Params)>,
    ) -> Result<Vec<Subscription>, Error> {
        Subscription::several(&self.shared, queries.into_iter().collect())
    }
}

#[cfg(feature = "parallel")]
impl DatabaseBuilder {
    /// How many threads fill the results of [`Database::subscribe_all`], the caller's being one of
    /// them; without this, or with 0, as many as the machine runs at once. Nothing but time depends
    /// on it.
    #[must_use]
    pub fn threads(mut self, count: usize) -> Self {
        self.threads.count = std::num::NonZero::new(count);
        self
    }
}
