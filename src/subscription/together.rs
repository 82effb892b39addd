//! Making many subscriptions together.

use std::sync::Arc;

use penstock_operators::schema::Schema;
use penstock_operators::workers::{Workers, gather};

use super::Subscription;
use super::making::Made;
use crate::error::Error;
use crate::query::{CompiledQuery, Params, Query, QueryError};
use crate::shared::Shared;

/// How many queries a thread plans in one go.
const CHUNK: usize = if cfg!(debug_assertions) { 2 } else { 32 };

impl Subscription {
    /// Subscribes to all queries at one state of the data, or on an error to none.
    pub(crate) fn several(
        shared: &Arc<Shared>,
        mut queries: Vec<(Query, Params)>,
    ) -> Result<Vec<Subscription>, Error> {
        queries.iter_mut().for_each(|(query, _)| query.shrink());
        let _deliver = shared.deliver_after();
        let (mut source, mut engine) = shared.read_results("Database::subscribe_all")?;
        let threads = engine.threads();
        let compiled = compile(&queries, source.schema(), &threads)?;
        let roots = engine.subscribe_all(&mut *source, &compiled, &threads)?;
        let made = roots.into_iter().map(|(root, feed, binding)| {
            let position = feed.position();
            Made { root, feed, binding, position }
        });
        let made: Vec<Made> = made.collect();
        drop((engine, source));
        let all = queries.into_iter().zip(compiled).zip(made);
        let subscription = |(((query, params), compiled), made)| {
            Subscription::of(Arc::clone(shared), query, params, compiled, made)
        };
        Ok(all.map(subscription).collect())
    }
}

/// Plans all queries, or says which is the first that cannot be.
fn compile(
    queries: &[(Query, Params)],
    schema: &Schema,
    workers: &dyn Workers,
) -> Result<Vec<CompiledQuery>, Error> {
    let chunks: Vec<&[(Query, Params)]> = queries.chunks(CHUNK).collect();
    let planned: Vec<Vec<Result<CompiledQuery, QueryError>>> =
        gather(workers, chunks.len(), |at| {
            chunks[at].iter().map(|(query, params)| query.compile(schema, params)).collect()
        });
    let numbered = (1..).zip(planned.into_iter().flatten());
    numbered
        .map(|(number, planned)| planned.map_err(|error| Error::of_several(number, error)))
        .collect()
}
