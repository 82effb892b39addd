//! What all handles of a database share: its locks, and the notices to its callbacks.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use penstock_operators::delta::Batch;
use penstock_operators::graph::RootId;
use penstock_operators::schema::Schema;
use penstock_operators::source::{Foreign, Source};

use crate::engine::Engine;
use crate::error::Error;
use crate::feed::Feed;
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
    /// As it was when the source was last followed.
    schema: Mutex<Schema>,
    pub(crate) deliveries: Deliveries,
    /// Results whose subscriptions were dropped inside a transaction, and whether each kept rows.
    dropped: Mutex<Vec<(RootId, Arc<Feed>, bool)>>,
    has_dropped: AtomicBool,
    /// Bytes of all subscriptions.
    subscriptions: AtomicUsize,
}

type SourceGuard<'s> = MutexGuard<'s, Box<dyn Source>>;
pub(crate) type EngineGuard<'s> = MutexGuard<'s, Engine>;

impl Shared {
    pub(crate) fn new(source: Box<dyn Source>, engine: Engine) -> Shared {
        let schema = source.schema().clone();
        Shared {
            source: Mutex::new(source),
            engine: Mutex::new(engine),
            in_transaction: AtomicU64::new(0),
            schema: Mutex::new(schema),
            deliveries: Deliveries::default(),
            dropped: Mutex::default(),
            has_dropped: AtomicBool::new(false),
            subscriptions: AtomicUsize::new(0),
        }
    }

    /// Counts what a subscription holds, in place of what it held before.
    pub(crate) fn count_subscription(&self, before: usize, now: usize) {
        self.subscriptions.fetch_add(now, Ordering::Relaxed);
        self.subscriptions.fetch_sub(before, Ordering::Relaxed);
    }

    pub(crate) fn subscription_bytes(&self) -> usize {
        self.subscriptions.load(Ordering::Relaxed)
    }

    /// The schema, as it was when the source was last followed.
    pub(crate) fn schema(&self) -> Schema {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this thread is inside a transaction's closure.
    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction.load(Ordering::Acquire) == thread_number()
    }

    /// The source, for one operation.
    pub(crate) fn lock_source(&self, operation: &'static str) -> Result<SourceGuard<'_>, Error> {
        if self.in_transaction() {
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

    /// Source and engine, for what reads no rows.
    pub(crate) fn lock(
        &self,
        operation: &'static str,
    ) -> Result<(SourceGuard<'_>, EngineGuard<'_>), Error> {
        let mut source = self.lock_source(operation)?;
        let mut engine = self.lock_engine()?;
        self.release_dropped(&mut **source, &mut engine);
        Ok((source, engine))
    }

    /// The source at one state of the data, with the results brought to it. The caller delivers
    /// the notices once it has released the source.
    pub(crate) fn read(&self, operation: &'static str) -> Result<Reading<'_>, Error> {
        let mut reading = self.begin_read(operation)?;
        self.follow(&mut *reading)?;
        Ok(reading)
    }

    /// The source at one state of the data, which may not be that of the results.
    pub(crate) fn begin_read(&self, operation: &'static str) -> Result<Reading<'_>, Error> {
        let mut source = self.lock_source(operation)?;
        source.begin_read()?;
        Ok(Reading(source))
    }

    /// As [`Shared::read`], with the engine: for what fills results.
    pub(crate) fn read_results(
        &self,
        operation: &'static str,
    ) -> Result<(Reading<'_>, EngineGuard<'_>), Error> {
        let mut source = self.read(operation)?;
        let mut engine = self.lock_engine()?;
        self.release_dropped(&mut *source, &mut engine);
        Ok((source, engine))
    }

    /// Takes what others have changed to the results and queues the notices. The source is in a
    /// read, or at the start of a transaction. Returns whether the source tells of a change.
    ///
    /// A change of the schema ends the subscriptions that cannot go on before the others are
    /// brought up to date, so that what is gone is not read.
    pub(crate) fn follow(&self, source: &mut dyn Source) -> Result<bool, Error> {
        let foreign = source.foreign()?;
        match &foreign {
            Foreign::Nothing => return Ok(false),
            Foreign::Batch(batch) if batch.is_empty() => return Ok(false),
            Foreign::Batch(_) | Foreign::Unknown | Foreign::Schema => {}
        }
        let mut engine = self.lock_engine().inspect_err(|_| source.unfollowed())?;
        self.release_dropped(source, &mut engine);
        if !matches!(foreign, Foreign::Batch(_)) && self.schema() != *source.schema() {
            self.deliveries.queue(engine.end_broken(source));
            let mut schema = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
            *schema = source.schema().clone();
        }
        let notices = engine.follow(source, &foreign).inspect_err(|_| source.unfollowed())?;
        self.deliveries.queue(notices);
        Ok(true)
    }

    /// Makes a finished transaction permanent that has changed the schema, and follows that.
    pub(crate) fn commit_altered(&self, source: &mut dyn Source) -> Result<(), Error> {
        source.commit().inspect_err(|_| source.rollback())?;
        // It is committed; should following it fail, the next operation tries again and says so.
        if source.begin_read().is_ok() {
            let _ = self.follow(source);
            source.end_read();
        }
        Ok(())
    }

    /// Delivers notices when it is dropped. To be made before the locks are taken.
    pub(crate) fn deliver_after(&self) -> DeliverAfter<'_> {
        DeliverAfter(&self.deliveries)
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
            for (root, feed, keeps_rows) in dropped.drain(..) {
                engine.unsubscribe(source, root, &feed, keeps_rows);
            }
        }
    }

    /// Releases the result of a dropped subscription: now, or if somebody is writing, before the
    /// next operation that needs both locks.
    pub(crate) fn release(&self, root: RootId, feed: &Arc<Feed>, keeps_rows: bool) {
        if let Ok(mut source) = self.source.try_lock()
            && let Ok(mut engine) = self.lock_engine()
        {
            return engine.unsubscribe(&mut **source, root, feed, keeps_rows);
        }
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.push((root, Arc::clone(feed), keeps_rows));
        self.has_dropped.store(true, Ordering::Release);
    }
}

/// The source within a read, which ends when this is dropped.
pub(crate) struct Reading<'s>(SourceGuard<'s>);

impl Deref for Reading<'_> {
    type Target = dyn Source;

    fn deref(&self) -> &(dyn Source + 'static) {
        &**self.0
    }
}

impl DerefMut for Reading<'_> {
    fn deref_mut(&mut self) -> &mut (dyn Source + 'static) {
        &mut **self.0
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.end_read();
    }
}

/// See [`Shared::deliver_after`].
pub(crate) struct DeliverAfter<'s>(&'s Deliveries);

impl Drop for DeliverAfter<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What was followed before the panic stays; a second panic must not leave this one.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.deliver()));
        } else {
            self.0.deliver();
        }
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

    /// Runs a transaction's closure; returns also whether it has changed the schema.
    pub(crate) fn run<T>(
        &mut self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, bool), Error> {
        self.shared.in_transaction.store(thread_number(), Ordering::Release);
        let mut transaction = Transaction::new(&mut *self.source);
        let value = write(&mut transaction)?;
        Ok((value, transaction.altered))
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
