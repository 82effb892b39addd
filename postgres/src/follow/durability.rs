//! Syncing what was applied, beside the thread that applies.
//!
//! A sync may take longer than many transactions, and nobody who looks at a live result waits for it:
//! only what the server is told does.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use crate::lsn::Lsn;
use crate::replica::{Durable, ReplicaError};

/// A thread that syncs.
#[derive(Debug)]
pub(super) struct Syncing {
    // None only while it is dropped.
    asked: Option<SyncSender<()>>,
    done: Receiver<Result<(), ReplicaError>>,
    /// Everything before this position will be durable once the sync under way is done.
    under_way: Option<Lsn>,
    thread: Option<JoinHandle<()>>,
}

impl Syncing {
    /// Starts a thread that syncs a replica.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn start(durable: Durable) -> std::io::Result<Syncing> {
        let (asked, asking) = sync_channel(1);
        let (answer, done) = sync_channel(1);
        let thread =
            std::thread::Builder::new().name("penstock-sync".to_owned()).spawn(move || {
                while asking.recv().is_ok() {
                    if answer.send(durable.make()).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Syncing { asked: Some(asked), done, under_way: None, thread: Some(thread) })
    }

    /// Begins to make everything before a position durable, unless a sync is under way.
    pub(super) fn begin(&mut self, position: Lsn) {
        if self.under_way.is_none()
            && let Some(asked) = &self.asked
            && asked.try_send(()).is_ok()
        {
            self.under_way = Some(position);
        }
    }

    /// Whether a sync is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Up to where everything has become durable since it was last asked.
    ///
    /// # Errors
    /// A failing disk.
    pub(super) fn done(&mut self) -> Result<Option<Lsn>, ReplicaError> {
        match self.done.try_recv() {
            Ok(synced) => synced.map(|()| self.under_way.take()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and there would be nothing to do about it.
            let _ = thread.join();
        }
    }
}
