//! The database: the handle that applications hold.

use std::sync::Arc;
use std::time::Duration;

use penstock_operators::delta::Batch;
use penstock_operators::schema::Schema;
use penstock_operators::source::{Change, Source};

use crate::engine::{Engine, evaluate, evaluate_row_set};
use crate::error::Error;
use crate::feed::Limits;
use crate::following::Following;
use crate::memory_usage::MemoryUsage;
use crate::query::{Params, Query};
use crate::row_input::RowInput;
use crate::shared::{InFlight, Shared};
use crate::source::MemorySource;
use crate::sql::SqlParams;
use crate::subscription::Subscription;
use crate::threads::Threads;
use crate::transaction::{Transaction, find, row_problem};
use crate::tree::{RowView, Tree};

mod delivered;
#[cfg(feature = "sqlite")]
mod sqlite;
mod steps;
mod together;

/// How many patches a subscriber may leave unread before it is told to start over, unless
/// [`DatabaseBuilder::max_pending_patches`] says otherwise.
pub const MAX_PENDING_PATCHES: u64 = 10_000;

/// How many bytes of patches, about and with their rows, are kept for a subscriber before it is
/// told to start over, unless [`DatabaseBuilder::max_pending_bytes`] says otherwise.
pub const MAX_PENDING_BYTES: u64 = 16 << 20;

/// Tables with live queries over them. A cheap handle: clones are the same database.
///
/// ```
/// use penstock::{ColumnType, Database, Query, Schema, Table, col, row};
///
/// let schema = Schema::new([Table::new("task")
///     .column("id", ColumnType::Integer)
///     .column("title", ColumnType::Text)
///     .column("done", ColumnType::Boolean)
///     .primary_key(["id"])])?;
/// let db = Database::in_memory(schema)?;
///
/// let mut open = db.subscribe(Query::table("task").filter(col("done").eq(false)))?;
/// db.transaction(|tx| tx.insert("task", row! { id: 1, title: "water the plants", done: false }))?;
/// assert_eq!(open.rows().len(), 1);
/// for patch in open.changes() {
///     println!("{patch}");
/// }
/// # Ok::<(), penstock::Error>(())
/// ```
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
}

/// Options of a [`Database`].
#[derive(Debug, Clone)]
pub struct DatabaseBuilder {
    verify: bool,
    limits: Limits,
    threads: Threads,
}

impl Default for DatabaseBuilder {
    fn default() -> Self {
        DatabaseBuilder {
            verify: false,
            limits: Limits { patches: MAX_PENDING_PATCHES, bytes: MAX_PENDING_BYTES },
            threads: Threads::ALL,
        }
    }
}

impl DatabaseBuilder {
    /// Before a commit is made permanent, compares every live result with a fresh evaluation; on a
    /// difference the commit fails with [`Error::Diverged`] and nothing has changed. For tests:
    /// costs an evaluation of every live query.
    #[must_use]
    pub fn verify_every_commit(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// How many patches a subscriber may leave unread, roughly: there is a look every 64 patches.
    /// One that falls further behind gets a single [`Patch`](crate::Patch) that holds the whole
    /// current tree instead, and until then nothing is kept for it.
    #[must_use]
    pub fn max_pending_patches(mut self, patches: u64) -> Self {
        self.limits.patches = patches;
        self
    }

    /// How many bytes of patches a subscriber may leave unread, roughly; as
    /// [`max_pending_patches`](DatabaseBuilder::max_pending_patches).
    #[must_use]
    pub fn max_pending_bytes(mut self, bytes: u64) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// A database over empty tables in memory.
    ///
    /// # Errors
    /// None at present; a schema has been checked when it was made.
    pub fn in_memory(self, schema: Schema) -> Result<Database, Error> {
        self.with_source(MemorySource::new(schema))
    }

    /// A database over any source.
    ///
    /// # Errors
    /// None at present.
    pub fn with_source(self, source: impl Source + 'static) -> Result<Database, Error> {
        let engine = Engine::new(self.verify, self.limits, self.threads);
        Ok(Database { shared: Arc::new(Shared::new(Box::new(source), engine)) })
    }
}

impl Database {
    /// A database over empty tables in memory, with default options.
    ///
    /// # Errors
    /// None at present; a schema has been checked when it was made.
    pub fn in_memory(schema: Schema) -> Result<Database, Error> {
        Database::builder().in_memory(schema)
    }

    /// Options for a database.
    pub fn builder() -> DatabaseBuilder {
        DatabaseBuilder::default()
    }

    /// The schema, as it was when the source was last read for results, or followed.
    pub fn schema(&self) -> Schema {
        self.shared.schema()
    }

    /// Brings live results up to date with what others have written, and tells their subscribers,
    /// as a commit does. Every operation that reads does this first; this is for when there is
    /// nothing else to do. Returns whether the source tells of a change.
    ///
    /// Cost: where the source knows which rows have changed, that of a transaction of those; where
    /// it does not, that of a first evaluation of everything that is live. Without a change, what
    /// the source needs to see that.
    ///
    /// # Errors
    /// A failing source; results are then as before, and the next operation tries again. What a
    /// change of the schema ends ([`Error::SchemaChanged`]) has ended all the same.
    pub fn sync(&self) -> Result<bool, Error> {
        let _deliver = self.shared.deliver_after();
        let mut source = self.shared.begin_read("Database::sync")?;
        self.shared.follow(&mut *source)
    }

    /// Starts a thread that does [`sync`](Database::sync) now and then whenever so much time has
    /// passed, until what is returned is dropped.
    ///
    /// Callbacks are called on that thread. It does not keep the database alive.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn follow(&self, interval: Duration) -> Result<Following, Error> {
        Following::start(&self.shared, interval).map_err(Error::Thread)
    }

    /// Runs a transaction: all writes of the closure take effect together, and live results have
    /// moved on when this returns; or, if the closure or the commit fails, nothing has changed.
    ///
    /// It starts from what others have written: results are brought up to date with that first.
    ///
    /// Callbacks ([`Subscription::on_change`]) are called before this returns, unless another
    /// call is delivering to callbacks already, on another thread or further up on this one; that
    /// call then goes on with these.
    ///
    /// Cost: follows the changed rows and the results that they appear in, not the number of live
    /// queries or the size of the tables.
    ///
    /// # Errors
    /// The closure's error, a unique key that is violated at the end, a failing source, or a call
    /// from inside a transaction of the same database ([`Error::Reentrant`]).
    ///
    /// # Panics
    /// Where the closure panics: everything is undone. Where a callback panics: the transaction
    /// stays committed, and the panic goes on after all other callbacks have been called.
    pub fn transaction<T>(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _deliver = self.shared.deliver_after();
        let mut source = self.shared.lock_source("Database::transaction")?;
        Ok(self.run(&mut **source, write)?.0)
    }

    /// Runs a transaction up to its commit.
    fn run<T>(
        &self,
        source: &mut dyn Source,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, Batch), Error> {
        source.begin()?;
        let mut in_flight = InFlight::new(&mut *source, &self.shared);
        self.shared.follow(in_flight.source)?;
        // Rolls back if the closure or the checks at the end fail or panic.
        let (value, altered) = in_flight.run(write)?;
        let batch = in_flight.source.finish()?;
        in_flight.done();
        if altered {
            self.shared.commit_altered(source)?;
        } else {
            self.shared.commit(source, &batch)?;
        }
        Ok((value, batch))
    }

    /// Applies a list of encoded changes as one transaction and returns what they amount to. For
    /// adapters and bulk work; applications use [`transaction`](Database::transaction).
    ///
    /// # Errors
    /// The first change that the data or the schema refuses; then nothing has changed. A row that
    /// does not fit is named by its key, or if it has none by its place in the list, from 1.
    pub fn apply(&self, changes: Vec<Change>) -> Result<Batch, Error> {
        let _deliver = self.shared.deliver_after();
        let mut source = self.shared.lock_source("Database::apply")?;
        Ok(self.run(&mut **source, |tx| tx.write_all(changes))?.1)
    }

    /// Inserts many rows into one table as one transaction and returns how many there were.
    ///
    /// # Errors
    /// As [`Transaction::insert`]; then nothing has been inserted. A row that does not fit is named
    /// by its key, or if it has none by its place among the rows, from 1.
    pub fn load(
        &self,
        table: &str,
        rows: impl IntoIterator<Item = RowInput>,
    ) -> Result<usize, Error> {
        let schema = self.schema();
        let (id, table) = find(&schema, table)?;
        let mut changes = Vec::new();
        for (at, input) in rows.into_iter().enumerate() {
            let row = input.to_row(table).map_err(|problem| {
                row_problem(table, input.describe_key(table), Some(at + 1), problem)
            })?;
            changes.push(Change::Insert { table: id, row });
        }
        Ok(self.apply(changes)?.len())
    }

    /// Whether a query is sound: what [`subscribe`](Database::subscribe) would refuse as a query,
    /// this does, without evaluating anything. Cost: O(query).
    ///
    /// # Errors
    /// A query that the schema does not allow.
    pub fn check(&self, query: &Query) -> Result<(), Error> {
        self.check_with(query, &Params::default())
    }

    /// Whether a query is sound with values for its parameters.
    ///
    /// # Errors
    /// As [`check`](Database::check), and a parameter without a value.
    pub fn check_with(&self, query: &Query, params: &Params) -> Result<(), Error> {
        query.compile(&self.schema(), params)?;
        Ok(())
    }

    /// Subscribes to a query: the result is kept exactly right until the subscription is dropped.
    ///
    /// Cost: O(result) to fill it, or to copy it out where the same query is live already.
    ///
    /// # Errors
    /// A query that the schema does not allow, or a failing source.
    pub fn subscribe(&self, query: Query) -> Result<Subscription, Error> {
        self.subscribe_with(query, &Params::default())
    }

    /// Subscribes to a query with values for its parameters.
    ///
    /// # Errors
    /// As [`subscribe`](Database::subscribe), and a parameter without a value.
    pub fn subscribe_with(&self, query: Query, params: &Params) -> Result<Subscription, Error> {
        Subscription::new(Arc::clone(&self.shared), query, params.clone())
    }

    /// Subscribes to a SELECT statement; see [`Query::sql`].
    ///
    /// ```
    /// # use penstock::{ColumnType::*, Database, Schema, Table};
    /// # let schema = Schema::new([Table::new("task")
    /// #     .column("id", Integer)
    /// #     .column("project", Integer)
    /// #     .column("done", Boolean)
    /// #     .primary_key(["id"])])?;
    /// # let db = Database::in_memory(schema)?;
    /// let open = db.subscribe_sql(
    ///     "SELECT project, count(*) AS open FROM task WHERE NOT done GROUP BY project
    ///      ORDER BY open DESC LIMIT ?",
    ///     [10],
    /// )?;
    /// # assert!(open.rows().is_empty());
    /// # Ok::<(), penstock::Error>(())
    /// ```
    ///
    /// # Errors
    /// A statement that is not supported or does not fit the schema, with the place in its text;
    /// parameters without a value; or a failing source.
    pub fn subscribe_sql(
        &self,
        sql: &str,
        params: impl Into<SqlParams>,
    ) -> Result<Subscription, Error> {
        self.subscribe(Query::sql(sql).bind(params))
    }

    /// Evaluates a SELECT statement once.
    ///
    /// # Errors
    /// As [`subscribe_sql`](Database::subscribe_sql).
    pub fn query_sql(&self, sql: &str, params: impl Into<SqlParams>) -> Result<Tree, Error> {
        self.query(&Query::sql(sql).bind(params))
    }

    /// Evaluates a query once.
    ///
    /// # Errors
    /// As [`subscribe`](Database::subscribe).
    pub fn query(&self, query: &Query) -> Result<Tree, Error> {
        self.query_with(query, &Params::default())
    }

    /// Evaluates a query once, with values for its parameters.
    ///
    /// # Errors
    /// As [`subscribe_with`](Database::subscribe_with).
    pub fn query_with(&self, query: &Query, params: &Params) -> Result<Tree, Error> {
        let _deliver = self.shared.deliver_after();
        let mut source = self.shared.read("Database::query")?;
        let compiled = query.compile(source.schema(), params)?;
        let nodes = evaluate(&mut *source, &compiled.plan)?;
        Ok(Tree::new(compiled.schema, compiled.view, nodes))
    }

    /// The base rows that make up a query's result, evaluated once; see
    /// [`Subscription::row_set`].
    ///
    /// # Errors
    /// As [`subscribe_with`](Database::subscribe_with).
    pub fn query_row_set(&self, query: &Query, params: &Params) -> Result<Vec<RowView>, Error> {
        let _deliver = self.shared.deliver_after();
        let mut source = self.shared.read("Database::query_row_set")?;
        let compiled = query.compile(source.schema(), params)?;
        let rows = evaluate_row_set(&mut *source, &compiled.plan)?;
        let view = |((table, _), row)| RowView::new(compiled.schema.clone(), table, row);
        Ok(rows.puts.into_iter().map(view).collect())
    }

    /// The row with the given primary key.
    ///
    /// # Errors
    /// An unknown table or column, or an incomplete key.
    pub fn get(&self, table: &str, key: impl Into<RowInput>) -> Result<Option<RowView>, Error> {
        let _deliver = self.shared.deliver_after();
        let mut source = self.shared.read("Database::get")?;
        Transaction::new(&mut *source).get(table, key)
    }

    /// How many transactions have changed something; what others wrote counts once whenever
    /// results are brought up to date with it.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn version(&self) -> Result<u64, Error> {
        Ok(self.shared.lock_engine()?.version())
    }

    /// Bytes held, by owner: tables and indexes of the source, the state of live queries, and what
    /// is kept for subscribers. Cost: O(levels, subscriptions and trees kept).
    ///
    /// # Errors
    /// A call from inside a transaction.
    pub fn memory_usage(&self) -> Result<MemoryUsage, Error> {
        let (source, engine) = self.shared.lock("Database::memory_usage")?;
        let (levels, partitions) = engine.graph().size();
        Ok(MemoryUsage {
            source: source.memory(),
            queries: engine.graph().state_bytes(),
            subscriptions: self.shared.subscription_bytes() + engine.subscribed_bytes(),
            feeds: engine.feed_bytes(),
            levels,
            partitions,
            relations: engine.graph().relations_size().0,
        })
    }

    /// Compares every live result with a fresh evaluation.
    ///
    /// # Errors
    /// [`Error::Diverged`] on a difference.
    pub fn verify(&self) -> Result<(), Error> {
        let _deliver = self.shared.deliver_after();
        let (mut source, engine) = self.shared.read_results("Database::verify")?;
        let version = engine.version();
        engine.verify(&mut *source, version)
    }
}
