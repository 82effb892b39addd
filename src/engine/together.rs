//! Results that are subscribed to together.

use std::sync::Arc;

use penstock_operators::plan::Plan;
use penstock_operators::source::Source;
use penstock_operators::workers::Workers;

use super::{Engine, Joined};
use crate::error::Error;
use crate::query::CompiledQuery;

impl Engine {
    /// Subscribes to all queries, or on an error to none, and joins their feeds.
    pub(crate) fn subscribe_all(
        &mut self,
        source: &mut dyn Source,
        queries: &[CompiledQuery],
        workers: &dyn Workers,
    ) -> Result<Vec<Joined>, Error> {
        let plans: Vec<&Plan> = queries.iter().map(|query| &query.plan).collect();
        self.changing = true;
        let roots = self.graph.subscribe_all(source, &plans, workers);
        self.changing = false;
        let roots = roots.map_err(|failed| Error::of_several(failed.plan + 1, failed.error))?;
        let joined = queries.iter().zip(roots).map(|(query, root)| {
            let entry = self.join(&query.schema, query.view.table, root, &query.plan);
            (root, Arc::clone(&entry.feed), Arc::clone(&entry.plan.binding))
        });
        Ok(joined.collect())
    }
}
