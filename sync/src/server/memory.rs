//! How much memory the database holds, asked without waiting for long.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use penstock::{Database, MemoryUsage};
use tokio::sync::Semaphore;

/// How long an answer may take before an older one is given.
const PATIENCE: Duration = Duration::from_millis(500);

/// The last answer. A long transaction keeps new ones waiting, at most one at a time.
#[derive(Debug)]
pub(crate) struct Memory {
    last: Arc<Mutex<Option<Arc<MemoryUsage>>>>,
    asking: Arc<Semaphore>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { last: Arc::default(), asking: Arc::new(Semaphore::new(1)) }
    }
}

impl Memory {
    /// What is held now, or when it was last known; `None` if it never was.
    pub(crate) async fn usage(&self, database: &Database) -> Option<Arc<MemoryUsage>> {
        if let Ok(permit) = Arc::clone(&self.asking).try_acquire_owned() {
            let (database, last) = (database.clone(), Arc::clone(&self.last));
            let asked = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                if let Ok(usage) = database.memory_usage() {
                    *last.lock() = Some(Arc::new(usage));
                }
            });
            // What comes later is for the next who asks.
            let _ = tokio::time::timeout(PATIENCE, asked).await;
        }
        self.last.lock().clone()
    }
}
