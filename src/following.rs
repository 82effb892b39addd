//! Following what others write, without being asked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::database::Database;
use crate::error::Error;
use crate::shared::Shared;

/// A thread that brings a database's results up to date with what others write, at intervals; made
/// by [`Database::follow`]. It ends when this is dropped,
/// which waits for it, except on the thread itself and inside a transaction; or with the database.
#[must_use = "following ends when this is dropped"]
pub struct Following {
    database: Weak<Shared>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    stopped: Mutex<bool>,
    stop: Condvar,
    last_error: Mutex<Option<Arc<Error>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Following {
    pub(crate) fn start(database: &Arc<Shared>, interval: Duration) -> std::io::Result<Following> {
        let database = Arc::downgrade(database);
        let state = Arc::<State>::default();
        let (followed, shared) = (Weak::clone(&database), Arc::clone(&state));
        let thread = std::thread::Builder::new()
            .name("penstock-follow".to_owned())
            .spawn(move || shared.run(&followed, interval))?;
        Ok(Following { database, state, thread: Some(thread) })
    }

    /// Why following failed when it last did, if it ever did. It is tried again at every interval,
    /// and may have succeeded since.
    pub fn last_error(&self) -> Option<Arc<Error>> {
        lock(&self.state.last_error).clone()
    }
}

impl State {
    fn run(&self, database: &Weak<Shared>, interval: Duration) {
        loop {
            let Some(shared) = database.upgrade() else { return };
            let database = Database { shared };
            // A callback that panics has been reported as panics are; the others were called.
            let outcome = catch_unwind(AssertUnwindSafe(|| database.sync()));
            if let Ok(Err(error)) = outcome {
                *lock(&self.last_error) = Some(Arc::new(error));
            }
            drop(database);
            let stopped = lock(&self.stopped);
            let (stopped, _) = self
                .stop
                .wait_timeout_while(stopped, interval, |stopped| !*stopped)
                .unwrap_or_else(PoisonError::into_inner);
            if *stopped {
                return;
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        *lock(&self.state.stopped) = true;
        self.state.stop.notify_all();
        // The thread cannot end while a callback on it drops this, nor while a transaction that it
        // waits for does; it then ends afterwards.
        let in_transaction = self.database.upgrade().is_some_and(|shared| shared.in_transaction());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && !in_transaction
        {
            // A panic has been reported by the thread.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("last_error", &self.last_error()).finish_non_exhaustive()
    }
}
