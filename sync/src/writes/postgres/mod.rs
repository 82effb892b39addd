//! Mutations into a Postgres database: operations, number and failure in one serializable transaction.
//!
//! What a user may write is looked at on the replica, on which the operations are tried first and undone
//! again. The replica is behind the server, but never behind the same client's earlier mutations: these
//! are waited for. Against other writers the rules hold as of the moment that the replica shows.
//!
//! | module | what it does |
//! |---|---|
//! | `pool` | sessions that are used again |
//! | `set_up` | the tables that must be there |
//! | `tables` | which tables and columns clients may write, and of what types they are |
//! | `text` | values from JSON to what the server reads |
//! | `statement` | operations as SQL |
//! | `judge` | a mutation against the rules, on the replica |
//! | `attempt` | one transaction |

mod attempt;
mod judge;
mod pool;
mod set_up;
mod statement;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use penstock::Database;
use penstock_postgres::connect::Config;
use penstock_postgres::setup::Setup;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::{Answer, Bookkeeping, Crud, Op, WriteError, Writer, Written, unavailable};
use crate::app::App;
use crate::measure::Measures;
use crate::rules::SharedRules;
use attempt::{Broken, Outcome};
use judge::Judged;
use pool::Pool;
pub use set_up::{bookkeeping_tables, set_up};
use statement::Statement;
use tables::Tables;

/// How many sessions write at once, unless said otherwise.
pub const SESSIONS: usize = 4;

/// How often a transaction is tried that others get in the way of.
const ATTEMPTS: u32 = 12;

/// Whether a table of the replica is not for clients, whatever rules say.
#[must_use]
pub fn is_internal(app: &App, table: &str) -> bool {
    let schema = table.split_once('.').map(|(schema, _)| schema);
    schema.is_some_and(|schema| app.owns_schema(schema) || schema == "penstock")
        || super::sqlite::is_internal(table)
}

/// Writes into a Postgres database. Cheap to clone.
#[derive(Clone)]
pub struct PostgresWriter(Arc<Inner>);

struct Inner {
    app: App,
    setup: Setup,
    pool: Pool,
    replica: Database,
    rules: SharedRules,
    tables: RwLock<Option<Arc<Tables>>>,
    measures: Arc<Measures>,
}

impl PostgresWriter {
    /// A writer over at most so many sessions. `setup` says what is followed, and so what may be
    /// written. Nothing is connected yet; [`set_up`] must have been run.
    #[must_use]
    pub fn new(
        app: App,
        config: Config,
        setup: Setup,
        replica: Database,
        rules: SharedRules,
        sessions: usize,
    ) -> PostgresWriter {
        let pool = Pool::new(config, sessions);
        PostgresWriter(Arc::new(Inner {
            app,
            setup,
            pool,
            replica,
            rules,
            tables: RwLock::default(),
            measures: Arc::default(),
        }))
    }

    /// Counts conflicts together with others. To be said before it is cloned.
    #[must_use]
    pub fn measured(mut self, measures: Arc<Measures>) -> PostgresWriter {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.measures = measures;
        }
        self
    }
}

impl Inner {
    async fn write(self: Arc<Self>, crud: Crud) -> Result<Written, WriteError> {
        let made = match &crud.ops {
            Err(malformed) => Err(malformed.clone()),
            Ok(ops) => self.statements(ops, false).await?,
        };
        let (statements, mut problem) = match made {
            Ok(made) => (made, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let rules = self.rules.get();
        if problem.is_none() && !rules.allows_all() {
            match self.judge(&crud, rules).await? {
                Judged::Allowed => {}
                Judged::Decided(written) => return Ok(written),
                Judged::Refused(message) => problem = Some(message),
            }
        }
        self.run(&crud, statements, problem).await
    }

    /// Runs transactions until one has decided.
    async fn run(
        &self,
        crud: &Crud,
        mut statements: Vec<Statement>,
        mut problem: Option<String>,
    ) -> Result<Written, WriteError> {
        let (mut read_again, mut connected_again) = (false, false);
        let schema = self.app.schema();
        for number in 0..ATTEMPTS {
            let mut session = self.pool.take().await.map_err(unavailable)?;
            let failed = problem.as_deref();
            let all = self.rules.get().allows_all();
            let tried = attempt::attempt(&session, &schema, crud, &statements, failed, all).await;
            if tried.is_ok() {
                session.give_back();
            }
            drop(session);
            match tried {
                Ok(Outcome::Done(written)) => return Ok(written),
                Ok(Outcome::Conflict) => {
                    self.measures.conflicts.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(1 << number.min(7))).await;
                }
                Ok(Outcome::Failed { message, of_schema }) => match &crud.ops {
                    Ok(ops) if of_schema && !read_again => {
                        // A table may have been altered since its description was read.
                        read_again = true;
                        match self.statements(ops, true).await? {
                            Ok(made) => statements = made,
                            Err(refused) => problem = Some(refused),
                        }
                    }
                    _ => problem = Some(message),
                },
                // A session that waited may have lost its server. Whether it committed, the number tells.
                Err(Broken { lost: true, .. }) if !connected_again => connected_again = true,
                Ok(Outcome::OtherUser) => return Err(WriteError::OtherUser),
                Err(broken) => return Err(unavailable(broken.reason)),
            }
        }
        Err(unavailable("other transactions got in the way each time"))
    }

    /// Operations as SQL, or why they cannot be. What is not known is looked for again, with `anew` even
    /// if all is known.
    async fn statements(
        &self,
        ops: &[Op],
        anew: bool,
    ) -> Result<Result<Vec<Statement>, String>, WriteError> {
        let known = self.tables.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(tables) = known
            && !anew
            && let Ok(made) = statement::statements(&tables, ops)
        {
            return Ok(Ok(made));
        }
        let mut session = self.pool.take().await.map_err(unavailable)?;
        let tables = tables::read(&session, &self.setup, &self.app).await.map_err(unavailable)?;
        session.give_back();
        let tables = Arc::new(tables);
        let mut held = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Arc::clone(&tables));
        drop(held);
        Ok(statement::statements(&tables, ops))
    }

    /// The number of the client's last mutation on the server.
    async fn last(&self, crud: &Crud) -> Result<i64, WriteError> {
        let mut session = self.pool.take().await.map_err(unavailable)?;
        let last = attempt::last(&session, &self.app.schema(), crud).await;
        let last = last.map_err(|error| unavailable(attempt::in_words(&error)))?;
        session.give_back();
        Ok(last)
    }

    async fn forget(
        self: Arc<Self>,
        group: String,
        client: String,
        up_to: i64,
    ) -> Result<(), WriteError> {
        let sql = format!(
            "DELETE FROM \"{}\".mutations \
             WHERE \"clientGroupID\" = $1 AND \"clientID\" = $2 AND \"mutationID\" <= $3",
            self.app.schema()
        );
        let mut session = self.pool.take().await.map_err(unavailable)?;
        session
            .query_typed(&sql, &[(&group, Type::TEXT), (&client, Type::TEXT), (&up_to, Type::INT8)])
            .await
            .map_err(|error| unavailable(attempt::in_words(&error)))?;
        session.give_back();
        Ok(())
    }

    fn bookkeeping(&self) -> Bookkeeping {
        let schema = self.app.schema();
        Bookkeeping {
            clients_table: format!("{schema}.clients"),
            mutations_table: format!("{schema}.mutations"),
        }
    }
}

impl Writer for PostgresWriter {
    fn crud(&self, crud: Crud) -> Answer<'_, Written> {
        Box::pin(Arc::clone(&self.0).write(crud))
    }

    fn forget(&self, group: String, client: String, up_to: i64) -> Answer<'_, ()> {
        Box::pin(Arc::clone(&self.0).forget(group, client, up_to))
    }

    fn is_internal(&self, table: &str) -> bool {
        is_internal(&self.0.app, table)
    }

    fn bookkeeping(&self) -> Bookkeeping {
        self.0.bookkeeping()
    }
}
