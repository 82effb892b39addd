//! What all handles of a database share: its locks, and the notices to its callbacks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use penstock_operators::delta::Batch;
use penstock_operators::graph::RootId;
use penstock_operators::schema::Schema;
use penstock_operators::source::Source;

use crate::engine::Engine;
use crate::error::Error;
use crate::notice::Deliveries;
use crate::transaction::Transaction;

/// What all handles, subscriptions and row handles of a database share.
///
/// Two locks, taken in this order: the source, held by a transaction from its first write to its
/// commit, and the engine, held only for moments. So results can be read while somebody writes.
/// Callbacks run under neither.
pub(crate) struct Shared {
    source: Mutex<Box<dyn Source>>,
    engine: Mutex<Engine>,
    /// The thread that runs a transaction's closure, or zero.
    in_transaction: AtomicU64,
    pub(crate) schema: Schema,
    pub(crate) deliveries: Deliveries,
    /// Results whose subscriptions were dropped inside a transaction, and whether each kept rows.
    dropped: Mutex<Vec<(RootId, bool)>>,
    has_dropped: AtomicBool,
}

type SourceGuard<'s> = MutexGuard<'s, Box<dyn Source>>;
type EngineGuard<'s> = MutexGuard<'s, Engine>;

impl Shared {
    pub(crate) fn new(source: Box<dyn Source>, engine: Engine) -> Shared {
        let schema = source.schema().clone();
        Shared {
            source: Mutex::new(source),
            engine: Mutex::new(engine),
            in_transaction: AtomicU64::new(0),
            schema,
            deliveries: Deliveries::default(),
            dropped: Mutex::default(),
            has_dropped: AtomicBool::new(false),
        }
    }

    /// The source, for one operation.
    pub(crate) fn lock_source(&self, operation: &'static str) -> Result<SourceGuard<'_>, Error> {
        if self.in_transaction.load(Ordering::Acquire) == thread_number() {
            return Err(Error::Reentrant { operation });
        }
        // A panic while it was held has been rolled back by `InFlight`, or broke the engine.
        Ok(self.source.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The engine, for what needs no source: reading results.
    pub(crate) fn lock_engine(&self) -> Result<EngineGuard<'_>, Error> {
        let engine = self.lock_any_engine();
        if engine.is_broken() {
            return Err(Error::Broken);
        }
        Ok(engine)
    }

    /// The engine, broken or not, for what does not look at results.
    pub(crate) fn lock_any_engine(&self) -> EngineGuard<'_> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Takes a finished transaction of the source to the results, makes it permanent and queues
    /// its notices; the caller delivers them once it has released the source.
    pub(crate) fn commit(&self, source: &mut dyn Source, batch: &Batch) -> Result<(), Error> {
        let mut engine = self.lock_engine().inspect_err(|_| source.rollback())?;
        let outcome = engine.commit(source, batch);
        self.release_dropped(source, &mut engine);
        outcome.map(|notices| self.deliveries.queue(notices))
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
}

/// A transaction that is not finished yet; rolled back unless it is `done`.
pub(crate) struct InFlight<'e> {
    pub(crate) source: &'e mut dyn Source,
    shared: &'e Shared,
}

impl<'e> InFlight<'e> {
    /// Takes over a transaction that the source has begun.
    pub(crate) fn new(source: &'e mut dyn Source, shared: &'e Shared) -> InFlight<'e> {
        InFlight { source, shared }
    }

    /// Runs a transaction's closure.
    pub(crate) fn run<T>(
        &mut self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.shared.in_transaction.store(thread_number(), Ordering::Release);
        write(&mut Transaction::new(&mut *self.source))
    }

    /// Leaves the transaction to be committed.
    pub(crate) fn done(self) {
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

/// A number of this thread that no other living thread has; never zero.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
