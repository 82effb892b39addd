//! The database: the handle that applications hold.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use penstock_operators::delta::Batch;
use penstock_operators::graph::RootId;
use penstock_operators::schema::Schema;
use penstock_operators::source::{ApplyError, Change, Source};

use crate::engine::{Engine, Notice, evaluate, evaluate_row_set};
use crate::error::Error;
use crate::query::{Params, Query};
use crate::row_input::RowInput;
use crate::source::MemorySource;
use crate::subscription::Subscription;
use crate::transaction::{Transaction, row_for};
use crate::tree::{RowView, Tree};

/// How many patches a subscriber may leave unread before it is told to start over, unless
/// [`DatabaseBuilder::max_pending_patches`] says otherwise.
pub const MAX_PENDING_PATCHES: u64 = 100_000;

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

/// What all handles, subscriptions and row handles of a database share.
///
/// Two locks, taken in this order: the source, held by a transaction from its first write to its
/// commit, and the engine, held only for moments. So results can be read while somebody writes.
pub(crate) struct Shared {
    source: Mutex<Box<dyn Source>>,
    engine: Mutex<Engine>,
    /// The thread that runs a transaction's closure, or zero.
    in_transaction: AtomicU64,
    pub(crate) schema: Schema,
    deliveries: Mutex<Deliveries>,
    /// Results whose subscriptions were dropped inside a transaction, and whether each kept rows.
    dropped: Mutex<Vec<(RootId, bool)>>,
    has_dropped: AtomicBool,
}

#[derive(Default)]
struct Deliveries {
    queue: std::collections::VecDeque<Notice>,
    delivering: bool,
}

/// Options of a [`Database`].
#[derive(Debug, Clone)]
pub struct DatabaseBuilder {
    verify: bool,
    max_pending: u64,
}

impl Default for DatabaseBuilder {
    fn default() -> Self {
        DatabaseBuilder { verify: false, max_pending: MAX_PENDING_PATCHES }
    }
}

impl DatabaseBuilder {
    /// After every commit, compares every live result with a fresh evaluation and fails with
    /// [`Error::Diverged`] on a difference. For tests: costs an evaluation of every live query.
    #[must_use]
    pub fn verify_every_commit(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// How many patches a subscriber may leave unread. One that falls further behind gets a single
    /// [`Patch`](crate::Patch) that holds the whole current tree instead.
    #[must_use]
    pub fn max_pending_patches(mut self, patches: u64) -> Self {
        self.max_pending = patches;
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
        let schema = source.schema().clone();
        let engine = Engine::new(self.verify, self.max_pending);
        Ok(Database {
            shared: Arc::new(Shared {
                source: Mutex::new(Box::new(source)),
                engine: Mutex::new(engine),
                in_transaction: AtomicU64::new(0),
                schema,
                deliveries: Mutex::default(),
                dropped: Mutex::default(),
                has_dropped: AtomicBool::new(false),
            }),
        })
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

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.shared.schema
    }

    /// Runs a transaction: all writes of the closure take effect together, and live results have
    /// moved on when this returns; or, if the closure or the commit fails, nothing has changed.
    ///
    /// Cost: follows the changed rows and the results that they appear in, not the number of live
    /// queries or the size of the tables.
    ///
    /// # Errors
    /// The closure's error, a unique key that is violated at the end, or a failing source.
    pub fn transaction<T>(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (value, notices) = {
            let mut source = self.shared.lock_source("Database::transaction")?;
            source.begin()?;
            let mut in_flight = InFlight { source: &mut **source, shared: &self.shared };
            // Rolls back if the closure or the checks at the end fail or panic.
            let value = in_flight.run(write)?;
            let batch = in_flight.source.finish()?;
            in_flight.done();
            (value, self.shared.commit(&mut **source, &batch)?)
        };
        self.shared.deliver(notices);
        Ok(value)
    }

    /// Applies a list of encoded changes as one transaction and returns what they amount to. For
    /// adapters and bulk work; applications use [`transaction`](Database::transaction).
    ///
    /// # Errors
    /// The first change that the data or the schema refuses; then nothing has changed.
    pub fn apply(&self, changes: Vec<Change>) -> Result<Batch, Error> {
        let (batch, notices) = {
            let mut source = self.shared.lock_source("Database::apply")?;
            let batch = source.apply(changes).map_err(apply_error)?;
            let notices = self.shared.commit(&mut **source, &batch)?;
            (batch, notices)
        };
        self.shared.deliver(notices);
        Ok(batch)
    }

    /// Inserts many rows into one table as one transaction and returns how many there were.
    ///
    /// # Errors
    /// As [`Transaction::insert`]; then nothing has been inserted.
    pub fn load(
        &self,
        table: &str,
        rows: impl IntoIterator<Item = RowInput>,
    ) -> Result<usize, Error> {
        let mut changes = Vec::new();
        for row in rows {
            let (table, row) = row_for(self.schema(), table, row)?;
            changes.push(Change::Insert { table, row });
        }
        Ok(self.apply(changes)?.len())
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
        let compiled = query.compile(self.schema(), params)?;
        Subscription::new(Arc::clone(&self.shared), query, params.clone(), compiled)
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
        let compiled = query.compile(self.schema(), params)?;
        let mut source = self.shared.lock_source("Database::query")?;
        let nodes = evaluate(&mut **source, &compiled.plan)?;
        Ok(Tree::new(self.schema().clone(), compiled.view, nodes))
    }

    /// The base rows that make up a query's result, evaluated once; see
    /// [`Subscription::row_set`].
    ///
    /// # Errors
    /// As [`subscribe_with`](Database::subscribe_with).
    pub fn query_row_set(&self, query: &Query, params: &Params) -> Result<Vec<RowView>, Error> {
        let compiled = query.compile(self.schema(), params)?;
        let mut source = self.shared.lock_source("Database::query_row_set")?;
        let rows = evaluate_row_set(&mut **source, &compiled.plan)?;
        let view = |((table, _), row)| RowView::new(self.schema().clone(), table, row);
        Ok(rows.puts.into_iter().map(view).collect())
    }

    /// The row with the given primary key.
    ///
    /// # Errors
    /// An unknown table or column, or an incomplete key.
    pub fn get(&self, table: &str, key: impl Into<RowInput>) -> Result<Option<RowView>, Error> {
        let mut source = self.shared.lock_source("Database::get")?;
        Transaction::new(&mut **source).get(table, key)
    }

    /// How many transactions have changed something.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn version(&self) -> Result<u64, Error> {
        Ok(self.shared.lock_engine()?.version())
    }

    /// Bytes held, by owner: tables and indexes of the source, and the state of live queries.
    ///
    /// # Errors
    /// A call from inside a transaction.
    pub fn memory_usage(&self) -> Result<MemoryUsage, Error> {
        let (source, engine) = self.shared.lock("Database::memory_usage")?;
        let (levels, partitions) = engine.graph().size();
        Ok(MemoryUsage {
            source: source.memory(),
            queries: engine.graph().state_bytes(),
            levels,
            partitions,
        })
    }

    /// Compares every live result with a fresh evaluation.
    ///
    /// # Errors
    /// [`Error::Diverged`] on a difference.
    pub fn verify(&self) -> Result<(), Error> {
        let (mut source, engine) = self.shared.lock("Database::verify")?;
        engine.verify(&mut **source)
    }
}

/// Bytes held by a database; see [`Database::memory_usage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Of each table and index of the source.
    pub source: Vec<(String, usize)>,
    /// Of all live queries, without the rows, which they share with the source.
    pub queries: usize,
    /// How many distinct query levels are live.
    pub levels: usize,
    /// How many partitions those have.
    pub partitions: usize,
}

/// A transaction that is not finished yet; rolled back unless it is `done`.
struct InFlight<'e> {
    source: &'e mut dyn Source,
    shared: &'e Shared,
}

impl InFlight<'_> {
    fn run<T>(
        &mut self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.shared.in_transaction.store(thread_number(), Ordering::Release);
        write(&mut Transaction::new(&mut *self.source))
    }

    fn done(self) {
        self.shared.in_transaction.store(0, Ordering::Release);
        std::mem::forget(self);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.source.rollback();
        self.shared.in_transaction.store(0, Ordering::Release);
    }
}

fn apply_error(error: ApplyError) -> Error {
    match error {
        ApplyError::Source(error) => Error::Source(error),
        error => Error::Apply(error),
    }
}

type SourceGuard<'s> = MutexGuard<'s, Box<dyn Source>>;
type EngineGuard<'s> = MutexGuard<'s, Engine>;

impl Shared {
    /// The source, for one operation.
    fn lock_source(&self, operation: &'static str) -> Result<SourceGuard<'_>, Error> {
        if self.in_transaction.load(Ordering::Acquire) == thread_number() {
            return Err(Error::Reentrant { operation });
        }
        // A panic while it was held has been rolled back by `InFlight`, or broke the engine.
        Ok(self.source.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The engine, for what needs no source: reading results.
    pub(crate) fn lock_engine(&self) -> Result<EngineGuard<'_>, Error> {
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if engine.is_broken() {
            return Err(Error::Broken);
        }
        Ok(engine)
    }

    /// Source and engine, for what fills or releases results.
    pub(crate) fn lock(
        &self,
        operation: &'static str,
    ) -> Result<(SourceGuard<'_>, EngineGuard<'_>), Error> {
        let mut source = self.lock_source(operation)?;
        let mut engine = self.lock_engine()?;
        self.release_dropped(&mut **source, &mut engine);
        Ok((source, engine))
    }

    /// Takes a finished transaction of the source to the results and makes it permanent.
    fn commit(&self, source: &mut dyn Source, batch: &Batch) -> Result<Vec<Notice>, Error> {
        let mut engine = self.lock_engine().inspect_err(|_| source.rollback())?;
        let outcome = engine.commit(source, batch);
        self.release_dropped(source, &mut engine);
        outcome
    }

    fn release_dropped(&self, source: &mut dyn Source, engine: &mut Engine) {
        if self.has_dropped.swap(false, Ordering::AcqRel) {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            for (root, keeps_rows) in dropped.drain(..) {
                engine.unsubscribe(source, root, keeps_rows);
            }
        }
    }

    /// Releases the result of a dropped subscription: now, or if somebody is writing, before the
    /// next operation that needs both locks.
    pub(crate) fn release(&self, root: RootId, keeps_rows: bool) {
        if let Ok(mut source) = self.source.try_lock()
            && let Ok(mut engine) = self.lock_engine()
        {
            return engine.unsubscribe(&mut **source, root, keeps_rows);
        }
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.push((root, keeps_rows));
        self.has_dropped.store(true, Ordering::Release);
    }

    /// Tells listeners of what was committed, in commit order, without the engine's lock. A
    /// commit made by a listener is delivered by the delivery that is under way.
    pub(crate) fn deliver(&self, notices: Vec<Notice>) {
        if notices.is_empty() {
            return;
        }
        let deliveries = || self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = deliveries();
        state.queue.extend(notices);
        if std::mem::replace(&mut state.delivering, true) {
            return;
        }
        drop(state);
        // Stands down even if a listener panics.
        struct StandDown<'d>(&'d Mutex<Deliveries>);
        impl Drop for StandDown<'_> {
            fn drop(&mut self) {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).delivering = false;
            }
        }
        let stand_down = StandDown(&self.deliveries);
        loop {
            let mut state = deliveries();
            let Some((feed, committed)) = state.queue.pop_front() else {
                state.delivering = false;
                drop(state);
                std::mem::forget(stand_down);
                return;
            };
            drop(state);
            feed.tell(&committed);
        }
    }
}

/// A number of this thread that no other living thread has; never zero.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
