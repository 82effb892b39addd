//! Notices: telling callbacks and tasks of what was committed.
//!
//! A notice is made and queued under the engine's lock, with everybody who is to be told of it, so
//! that the queue has the order of the commits, a callback that moves to another result still gets
//! what was committed before, and a new one nothing that its result holds already. It is delivered
//! outside of all locks.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::feed::Committed;

type Callback = Box<dyn FnMut(Arc<Committed>) + Send>;

/// A callback that is told of every patch of one subscription.
pub(crate) struct Listener {
    callback: Mutex<Callback>,
    /// Whether the subscription keeps a row set; changed under the engine's lock.
    keeps_rows: Arc<AtomicBool>,
    /// Whether the subscription has been dropped.
    gone: AtomicBool,
}

impl Listener {
    pub(crate) fn new(keeps_rows: Arc<AtomicBool>, callback: Callback) -> Listener {
        Listener { callback: Mutex::new(callback), keeps_rows, gone: AtomicBool::new(false) }
    }

    /// No call begins from now on.
    pub(crate) fn retire(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Called by one delivery at a time.
    fn tell(&self, committed: Arc<Committed>) {
        if !self.gone.load(Ordering::Acquire) {
            (self.callback.lock().unwrap_or_else(PoisonError::into_inner))(committed);
        }
    }
}

/// A patch with those who are to be told of it.
pub(crate) struct Notice {
    committed: Arc<Committed>,
    /// Each with whether it kept a row set at the commit.
    listeners: Vec<(Arc<Listener>, bool)>,
    wakers: Vec<Waker>,
}

/// What a panic carries.
type Panic = Box<dyn Any + Send>;

impl Notice {
    pub(crate) fn new(
        committed: Arc<Committed>,
        listeners: impl Iterator<Item = Arc<Listener>>,
        wakers: Vec<Waker>,
    ) -> Notice {
        let with_rows = |listener: Arc<Listener>| {
            let keeps_rows = listener.keeps_rows.load(Ordering::Acquire);
            (listener, keeps_rows)
        };
        Notice { committed, listeners: listeners.map(with_rows).collect(), wakers }
    }

    /// That a result has ended: only tasks are woken, to see it.
    pub(crate) fn of_end(version: u64, wakers: Vec<Waker>) -> Notice {
        let committed = Arc::new(Committed::new(version, Arc::default(), None));
        Notice { committed, listeners: Vec::new(), wakers }
    }

    /// Tells everybody; returns the first panic.
    fn tell(self) -> Option<Panic> {
        let mut first = None;
        let mut run = |call: &mut dyn FnMut()| {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
                first.get_or_insert(panic);
            }
        };
        for waker in self.wakers {
            let mut waker = Some(waker);
            run(&mut || waker.take().into_iter().for_each(Waker::wake));
        }
        for (listener, keeps_rows) in self.listeners {
            let mut committed = Arc::clone(&self.committed).for_subscriber(keeps_rows);
            run(&mut || committed.take().into_iter().for_each(|patch| listener.tell(patch)));
        }
        first
    }
}

/// The notices that have not been delivered yet.
#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    notices: VecDeque<Notice>,
    delivering: bool,
    /// The version of the notice that is being delivered.
    telling: Option<u64>,
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the first commit of which somebody is yet to be told.
    pub(crate) fn first_version(&self) -> Option<u64> {
        let queue = self.lock();
        queue.telling.or_else(|| queue.notices.front().map(|notice| notice.committed.version))
    }

    /// Queues notices. The caller holds the engine's lock and delivers once it has released it.
    pub(crate) fn queue(&self, notices: impl IntoIterator<Item = Notice>) {
        self.lock().notices.extend(notices);
    }

    /// Delivers what is queued, in order, unless a delivery is under way, which then goes on with
    /// it: on another thread, or further up on this one.
    ///
    /// # Panics
    /// With the first panic of a callback, after everything has been delivered.
    pub(crate) fn deliver(&self) {
        let mut queue = self.lock();
        if queue.notices.is_empty() || std::mem::replace(&mut queue.delivering, true) {
            return;
        }
        drop(queue);
        // Stands down even if dropping a callback panics.
        struct StandDown<'d>(&'d Deliveries);
        impl Drop for StandDown<'_> {
            fn drop(&mut self) {
                let mut queue = self.0.lock();
                (queue.delivering, queue.telling) = (false, None);
            }
        }
        let stand_down = StandDown(self);
        let mut first = None;
        loop {
            let mut queue = self.lock();
            let next = queue.notices.pop_front();
            queue.telling = next.as_ref().map(|notice| notice.committed.version);
            let Some(notice) = next else {
                queue.delivering = false;
                drop(queue);
                std::mem::forget(stand_down);
                break;
            };
            drop(queue);
            let panic = notice.tell();
            first = first.or(panic);
        }
        if let Some(panic) = first {
            resume_unwind(panic);
        }
    }
}
