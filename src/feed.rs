//! Feeds: how committed patches reach subscribers.
//!
//! A feed is a chain of links, one per patch, that only the engine appends to. Each subscriber
//! holds the last link that it has seen, so a patch costs the same for one subscriber as for a
//! thousand, and links that everybody has seen free themselves. A subscriber that falls too far
//! behind is moved to the end and told to start over from the current tree.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use penstock_operators::row_set::RowSetPatch;
use penstock_operators::view::ListPatch;

use smallvec::SmallVec;

use crate::engine::WeakPosition;

/// How many appends pass between two looks for subscribers that are too far behind.
const CHECK_EVERY: u64 = 64;

/// What one transaction changed in one result.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) version: u64,
    pub(crate) tree: Arc<ListPatch>,
    pub(crate) rows: Option<Arc<RowSetPatch>>,
}

impl Committed {
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.is_empty() && self.rows.as_ref().is_none_or(|rows| rows.is_empty())
    }

    /// Whether a subscriber has to be told.
    fn concerns(&self, keeps_rows: bool) -> bool {
        keeps_rows || !self.tree.is_empty()
    }

    /// What a subscriber is told, if anything: another one may keep the row set that this one
    /// does not.
    pub(crate) fn for_subscriber(self: &Arc<Self>, keeps_rows: bool) -> Option<Arc<Committed>> {
        if !self.concerns(keeps_rows) {
            return None;
        }
        if keeps_rows || self.rows.is_none() {
            return Some(Arc::clone(self));
        }
        let (version, tree) = (self.version, Arc::clone(&self.tree));
        Some(Arc::new(Committed { version, tree, rows: None }))
    }
}

/// One link of the chain.
#[derive(Debug)]
struct Link {
    number: u64,
    /// Absent in the first link.
    committed: Option<Arc<Committed>>,
    next: OnceLock<Arc<Link>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        // A long chain is taken apart link by link, not by recursion.
        let mut next = self.next.take();
        while let Some(link) = next {
            next = Arc::into_inner(link).and_then(|mut link| link.next.take());
        }
    }
}

/// A callback that is told of every patch.
pub(crate) type Listener = Arc<Mutex<dyn FnMut(&Arc<Committed>) + Send>>;

/// The patches of one result.
pub(crate) struct Feed {
    last: Mutex<Arc<Link>>,
    positions: Mutex<Vec<WeakPosition>>,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// How many listeners, wakers and waiting threads there are.
    interested: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    listeners: Vec<(u64, Listener)>,
    wakers: Vec<std::task::Waker>,
    next_listener: u64,
}

/// Where a subscriber is in a feed.
#[derive(Debug)]
pub(crate) struct Position(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    link: Arc<Link>,
    /// Whether patches were lost and the subscriber has to start over.
    lost: bool,
}

/// What a subscriber has not seen yet.
pub(crate) enum Pending {
    /// The patches, oldest first.
    Patches(SmallVec<[Arc<Committed>; 1]>),
    /// Too many: start over from the current tree.
    Lost,
}

/// A lock whose data is valid even if a holder panicked: every change under it is one assignment.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    pub(crate) fn new() -> Feed {
        Feed {
            last: Mutex::new(Arc::new(Link { number: 0, committed: None, next: OnceLock::new() })),
            positions: Mutex::default(),
            waiting: Mutex::default(),
            changed: Condvar::new(),
            interested: AtomicUsize::new(0),
        }
    }

    /// A position at the end.
    pub(crate) fn position(&self) -> Arc<Position> {
        let link = Arc::clone(&lock(&self.last));
        let position = Arc::new(Position(Mutex::new(Seen { link, lost: false })));
        let mut positions = lock(&self.positions);
        positions.retain(|position| position.strong_count() > 0);
        positions.push(Arc::downgrade(&position));
        position
    }

    /// Moves a position to the end.
    pub(crate) fn skip(&self, position: &Position) {
        *lock(&position.0) = Seen { link: Arc::clone(&lock(&self.last)), lost: false };
    }

    /// Appends a patch; subscribers more than `max_pending` patches behind lose what they missed.
    pub(crate) fn append(&self, committed: Arc<Committed>, max_pending: u64) {
        let mut last = lock(&self.last);
        let number = last.number + 1;
        let link = Arc::new(Link { number, committed: Some(committed), next: OnceLock::new() });
        // Only this method sets `next`, once per link, under the lock of `last`.
        let _ = last.next.set(Arc::clone(&link));
        *last = link;
        if number.is_multiple_of(CHECK_EVERY) {
            let end = Arc::clone(&last);
            drop(last);
            for position in lock(&self.positions).iter().filter_map(std::sync::Weak::upgrade) {
                let mut seen = lock(&position.0);
                if end.number - seen.link.number > max_pending {
                    *seen = Seen { link: Arc::clone(&end), lost: true };
                }
            }
        }
    }

    /// Whether anybody wants to be told of patches as they come.
    pub(crate) fn has_listeners(&self) -> bool {
        self.interested.load(Ordering::Acquire) > 0
    }

    /// Tells listeners and those who wait. Called without the database's lock.
    pub(crate) fn tell(&self, committed: &Arc<Committed>) {
        let (listeners, wakers) = {
            let mut waiting = lock(&self.waiting);
            let wakers = std::mem::take(&mut waiting.wakers);
            self.interested.fetch_sub(wakers.len(), Ordering::AcqRel);
            (waiting.listeners.clone(), wakers)
        };
        self.changed.notify_all();
        wakers.into_iter().for_each(std::task::Waker::wake);
        for (_, listener) in listeners {
            self::tell(&listener, committed);
        }
    }

    /// Waits until a position is behind, or the time is over. Returns whether it is behind.
    pub(crate) fn wait(&self, position: &Position, keeps_rows: bool, timeout: Duration) -> bool {
        self.interested.fetch_add(1, Ordering::AcqRel);
        let waiting = lock(&self.waiting);
        let outcome = self
            .changed
            .wait_timeout_while(waiting, timeout, |_| !position.is_behind(keeps_rows))
            .unwrap_or_else(PoisonError::into_inner);
        drop(outcome);
        self.interested.fetch_sub(1, Ordering::AcqRel);
        position.is_behind(keeps_rows)
    }

    /// Wakes a task at the next patch.
    #[cfg(feature = "stream")]
    pub(crate) fn wake(&self, waker: &std::task::Waker) {
        let mut waiting = lock(&self.waiting);
        if !waiting.wakers.iter().any(|other| other.will_wake(waker)) {
            waiting.wakers.push(waker.clone());
            self.interested.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Adds a listener and returns its number.
    pub(crate) fn listen(&self, listener: Listener) -> u64 {
        let mut waiting = lock(&self.waiting);
        let number = waiting.next_listener;
        waiting.next_listener += 1;
        waiting.listeners.push((number, listener));
        self.interested.fetch_add(1, Ordering::AcqRel);
        number
    }

    /// Removes a listener and hands it back.
    pub(crate) fn unlisten(&self, number: u64) -> Option<Listener> {
        let mut waiting = lock(&self.waiting);
        let at = waiting.listeners.iter().position(|(other, _)| *other == number)?;
        self.interested.fetch_sub(1, Ordering::AcqRel);
        Some(waiting.listeners.remove(at).1)
    }
}

/// Tells one listener.
pub(crate) fn tell(listener: &Listener, committed: &Arc<Committed>) {
    (lock(listener))(committed);
}

impl Position {
    /// Whether there is something that has not been seen.
    pub(crate) fn is_behind(&self, keeps_rows: bool) -> bool {
        let seen = lock(&self.0);
        let mut next = seen.link.next.get();
        while let Some(link) = next {
            if link.committed.as_ref().is_some_and(|committed| committed.concerns(keeps_rows)) {
                return true;
            }
            next = link.next.get();
        }
        seen.lost
    }

    /// Makes the subscriber start over.
    pub(crate) fn lose(&self) {
        lock(&self.0).lost = true;
    }

    /// Takes what has not been seen.
    pub(crate) fn take(&self) -> Pending {
        let mut seen = lock(&self.0);
        if std::mem::take(&mut seen.lost) {
            return Pending::Lost;
        }
        let mut patches = SmallVec::new();
        while let Some(next) = seen.link.next.get().cloned() {
            patches.extend(next.committed.clone());
            seen.link = next;
        }
        Pending::Patches(patches)
    }
}
