//! The end, in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Server;
use super::hub_thread::Command;

/// How often it is looked how far things are.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// How long threads may take that are not waited for any more.
const LAST_PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Ends within a time; returns whether everything was done by then.
    pub(super) fn end_within(&mut self, patience: Duration) -> bool {
        let Some(runtime) = self.runtime.take() else { return true };
        self.shared.is_ending.store(true, Ordering::Release);
        tracing::info!(connections = self.shared.open.load(Ordering::Relaxed), "ending");
        let (shared, hub) = (Arc::clone(&self.shared), self.hub.take());
        let (jobs_done, hub_done, sockets_done) = runtime.block_on(async {
            let begun = Instant::now();
            let until = begun + patience;
            // Half of the time is left for telling clients.
            let jobs = async {
                while shared.jobs.load(Ordering::Acquire) > 0 {
                    sleep(LOOK_PAUSE).await;
                }
            };
            let jobs_done = timeout_at(begun + patience / 2, jobs).await.is_ok();
            // A thread that is gone has ended.
            let _ = shared.commands.send(Command::End);
            let ended = async {
                while hub.as_ref().is_some_and(|hub| !hub.is_finished()) {
                    sleep(LOOK_PAUSE).await;
                }
            };
            let hub_done = timeout_at(until, ended).await.is_ok();
            let _ = self.end.send(true);
            let closed = async {
                while shared.open.load(Ordering::Acquire) > 0 {
                    sleep(LOOK_PAUSE).await;
                }
            };
            // What is not sent by then is not sent.
            let sockets_done = timeout_at(until, closed).await.is_ok();
            (jobs_done, hub_done, sockets_done)
        });
        if hub_done && let Some(hub) = hub {
            // A panic has been reported by the thread.
            let _ = hub.join();
        }
        runtime.shutdown_timeout(LAST_PAUSE);
        let is_saved = self.shared.is_saved.load(Ordering::Acquire);
        let left = self.shared.open.load(Ordering::Relaxed);
        tracing::info!(jobs_done, is_saved, left, "ended");
        // Who does not read what is sent may be cut off.
        let _ = sockets_done;
        hub_done && is_saved
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_within(Duration::from_secs(1));
    }
}
