//! Feeds: how committed patches reach subscribers.
//!
//! A feed is a chain of links, one per patch, that only the engine appends to. Each subscriber
//! holds the last link that it has seen, so a patch costs the same for one subscriber as for a
//! thousand, and links that everybody has seen free themselves. A subscriber that falls too far
//! behind lets go of the chain and is told to start over from the current tree.
//!
//! Everything that decides who is told of what (appending, listening, leaving) happens under the
//! engine's lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use penstock_operators::explain::LevelReport;
use penstock_operators::row_set::RowSetPatch;
use penstock_operators::view::{ListPatch, Node};
use smallvec::SmallVec;

use crate::error::Error;
use crate::memory_usage::Sizes;
use crate::notice::{Listener, Notice};
use crate::schema_change::Breaking;

/// How many appends pass between two looks for subscribers that are too far behind.
const CHECK_EVERY: u64 = 64;
/// Into how many parts the limit in bytes is divided; there is a look at the end of each too.
const BYTE_CHECKS: u64 = 16;
/// Below this many positions nobody looks for dead ones.
const PRUNE_FROM: usize = 16;

/// What one transaction changed in one result.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) version: u64,
    pub(crate) tree: Arc<ListPatch>,
    pub(crate) rows: Option<Arc<RowSetPatch>>,
    /// Bytes that keeping it takes, about.
    pub(crate) bytes: u64,
}

impl Committed {
    pub(crate) fn new(
        version: u64,
        tree: Arc<ListPatch>,
        rows: Option<Arc<RowSetPatch>>,
    ) -> Committed {
        let bytes = Sizes::new().patch(&tree, rows.as_deref()) as u64;
        Committed { version, tree, rows, bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tree.is_empty() && self.rows.as_ref().is_none_or(|rows| rows.is_empty())
    }

    /// What a subscriber is told, if anything: another one may keep the row set that this one
    /// does not.
    pub(crate) fn for_subscriber(self: Arc<Self>, keeps_rows: bool) -> Option<Arc<Committed>> {
        if !keeps_rows && self.tree.is_empty() {
            return None;
        }
        if keeps_rows || self.rows.is_none() {
            return Some(self);
        }
        let (version, tree, bytes) = (self.version, Arc::clone(&self.tree), self.bytes);
        Some(Arc::new(Committed { version, tree, rows: None, bytes }))
    }
}

/// How much a subscriber may leave unread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) patches: u64,
    pub(crate) bytes: u64,
}

/// How much has been appended to a feed.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    patches: u64,
    /// Those that change the tree.
    trees: u64,
    bytes: u64,
}

impl Count {
    /// Whether a subscriber that has seen `self` has to be told of something until `end`.
    fn is_behind(&self, end: &Count, keeps_rows: bool) -> bool {
        if keeps_rows { end.patches > self.patches } else { end.trees > self.trees }
    }
}

/// One link of the chain.
#[derive(Debug)]
struct Link {
    /// With this link.
    count: Count,
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

/// The patches of one result.
///
/// Its locks are taken in the order waiting, last, a position's; none while another lock of the
/// database is taken.
pub(crate) struct Feed {
    last: Mutex<Arc<Link>>,
    positions: Mutex<Positions>,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Set under the engine's lock.
    ended: OnceLock<Ended>,
}

/// What is left of a result that does not go on.
pub(crate) struct Ended {
    pub(crate) why: Breaking,
    pub(crate) nodes: Arc<[Node]>,
    pub(crate) report: LevelReport,
}

#[derive(Default)]
struct Positions {
    all: Vec<Weak<Position>>,
    made: u64,
    /// At how many positions to look for dead ones again.
    prune_at: usize,
}

/// Who wants to be told of patches as they come.
#[derive(Default)]
struct Waiting {
    /// By number, so in the order in which they came.
    listeners: BTreeMap<u64, Arc<Listener>>,
    next_listener: u64,
    /// By the number of their position: one per subscription.
    wakers: BTreeMap<u64, Waker>,
    threads: usize,
}

/// Where a subscriber is in a feed.
#[derive(Debug)]
pub(crate) struct Position {
    /// Among the positions of its feed.
    number: u64,
    seen: Mutex<Seen>,
    /// Bytes of the patches that the subscriber has taken out of other feeds and keeps.
    earlier: std::sync::atomic::AtomicU64,
}

#[derive(Debug)]
enum Seen {
    /// Everything up to this link; what follows is kept for the subscriber.
    Following(Arc<Link>),
    /// More was left unread than is kept: the subscriber has to start over.
    Lost,
}

impl Seen {
    fn is_behind(&self, end: &Link, keeps_rows: bool) -> bool {
        match self {
            Seen::Following(link) => link.count.is_behind(&end.count, keeps_rows),
            Seen::Lost => true,
        }
    }
}

/// What a subscriber has not seen yet.
pub(crate) enum Pending {
    /// The patches, oldest first.
    Patches(SmallVec<[Arc<Committed>; 1]>),
    /// They have not been kept: start over from the current tree.
    Lost,
}

/// A lock whose data is valid even if a holder panicked: every change under it is one assignment.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    pub(crate) fn new() -> Feed {
        let first = Link { count: Count::default(), committed: None, next: OnceLock::new() };
        Feed {
            last: Mutex::new(Arc::new(first)),
            positions: Mutex::default(),
            waiting: Mutex::default(),
            changed: Condvar::new(),
            ended: OnceLock::new(),
        }
    }

    /// Bytes of the feed, without patches and callbacks.
    pub(crate) fn bytes(&self) -> usize {
        let counts = 2 * size_of::<usize>();
        let positions = lock(&self.positions).all.capacity() * size_of::<Weak<Position>>();
        counts + size_of::<Feed>() + counts + size_of::<Link>() + positions
    }

    /// Ends the feed: nothing is appended from now on, and nobody waits. Returns the notice for
    /// tasks.
    pub(crate) fn end(&self, ended: Ended, version: u64) -> Notice {
        let _ = self.ended.set(ended);
        let mut waiting = lock(&self.waiting);
        self.changed.notify_all();
        Notice::of_end(version, std::mem::take(&mut waiting.wakers).into_values().collect())
    }

    /// What is left, if the result does not go on.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        self.ended.get()
    }

    /// An error if the result does not go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(Ended { why, .. }) = self.ended() else { return Ok(()) };
        let Breaking { table, change } = why.clone();
        Err(Error::SchemaChanged { table, change })
    }

    /// A position at the end.
    pub(crate) fn position(&self) -> Arc<Position> {
        let seen = Mutex::new(Seen::Following(Arc::clone(&lock(&self.last))));
        let mut positions = lock(&self.positions);
        let number = positions.made;
        positions.made += 1;
        let position = Arc::new(Position { number, seen, earlier: Default::default() });
        if positions.all.len() >= positions.prune_at.max(PRUNE_FROM) {
            positions.all.retain(|position| position.strong_count() > 0);
            positions.prune_at = 2 * positions.all.len();
        }
        positions.all.push(Arc::downgrade(&position));
        position
    }

    /// Moves a position to the end.
    pub(crate) fn skip(&self, position: &Position) {
        let last = lock(&self.last);
        *lock(&position.seen) = Seen::Following(Arc::clone(&last));
    }

    /// Appends a patch; subscribers that are too far behind lose what they missed. Returns the
    /// notice for those who want to be told, if there are any.
    pub(crate) fn append(&self, committed: &Arc<Committed>, limits: Limits) -> Option<Notice> {
        let (before, end) = {
            let mut last = lock(&self.last);
            let before = last.count;
            let count = Count {
                patches: before.patches + 1,
                trees: before.trees + u64::from(!committed.tree.is_empty()),
                bytes: before.bytes + committed.bytes,
            };
            let committed = Some(Arc::clone(committed));
            let link = Arc::new(Link { count, committed, next: OnceLock::new() });
            // Only this method sets `next`, once per link, under the lock of `last`.
            let _ = last.next.set(Arc::clone(&link));
            *last = link;
            (before, last.count)
        };
        let step = (limits.bytes / BYTE_CHECKS).max(1);
        if end.patches.is_multiple_of(CHECK_EVERY) || before.bytes / step != end.bytes / step {
            self.lose_beyond(limits, end);
        }
        // Whoever registers after this lock was released sees the link.
        let mut waiting = lock(&self.waiting);
        if waiting.threads > 0 {
            self.changed.notify_all();
        }
        let wakers: Vec<Waker> = std::mem::take(&mut waiting.wakers).into_values().collect();
        if waiting.listeners.is_empty() && wakers.is_empty() {
            return None;
        }
        let listeners = waiting.listeners.values();
        Some(Notice::new(Arc::clone(committed), listeners.cloned(), wakers))
    }

    fn lose_beyond(&self, limits: Limits, end: Count) {
        lock(&self.positions).all.retain(|position| {
            let Some(position) = position.upgrade() else { return false };
            let mut seen = lock(&position.seen);
            if let Seen::Following(link) = &*seen {
                let count = link.count;
                // A subscriber may have taken patches since, and be past this end.
                if end.patches.saturating_sub(count.patches) > limits.patches
                    || end.bytes.saturating_sub(count.bytes) > limits.bytes
                {
                    *seen = Seen::Lost;
                }
            }
            true
        });
    }

    /// Whether there is something that a position has not seen.
    pub(crate) fn is_behind(&self, position: &Position, keeps_rows: bool) -> bool {
        let last = lock(&self.last);
        lock(&position.seen).is_behind(&last, keeps_rows)
    }

    /// Takes what a position has not seen.
    pub(crate) fn take(&self, position: &Position) -> Pending {
        let mut seen = lock(&position.seen);
        let Seen::Following(link) = &mut *seen else { return Pending::Lost };
        let mut patches = SmallVec::new();
        while let Some(next) = link.next.get() {
            let next = Arc::clone(next);
            if let Some(committed) = &next.committed {
                patches.push(Arc::clone(committed));
            }
            *link = next;
        }
        Pending::Patches(patches)
    }

    /// Makes a position keep nothing until its subscriber starts over.
    pub(crate) fn lose(&self, position: &Position) {
        *lock(&position.seen) = Seen::Lost;
    }

    /// Waits until a position is behind, the feed ends, or the time is over. Returns whether it is behind.
    pub(crate) fn wait(&self, position: &Position, keeps_rows: bool, timeout: Duration) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.threads += 1;
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, timeout, |_| {
                !self.is_behind(position, keeps_rows) && self.ended().is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        waiting.threads -= 1;
        drop(waiting);
        self.is_behind(position, keeps_rows)
    }

    /// Wakes a task at the next patch, in place of the one set for this position before.
    #[cfg(feature = "stream")]
    pub(crate) fn wake(&self, position: &Position, waker: &Waker) {
        use std::collections::btree_map::Entry;
        let replaced = match lock(&self.waiting).wakers.entry(position.number) {
            Entry::Occupied(known) if known.get().will_wake(waker) => None,
            Entry::Occupied(mut known) => Some(known.insert(waker.clone())),
            Entry::Vacant(free) => {
                free.insert(waker.clone());
                None
            }
        };
        // Outside of the lock: it may be the last handle of a task.
        drop(replaced);
    }

    /// Takes the task out that is to be woken for a position.
    pub(crate) fn take_waker(&self, position: &Position) -> Option<Waker> {
        lock(&self.waiting).wakers.remove(&position.number)
    }

    /// How many tasks are to be woken.
    #[cfg(all(test, feature = "stream"))]
    pub(crate) fn wakers(&self) -> usize {
        lock(&self.waiting).wakers.len()
    }

    /// Adds a listener and returns its number.
    pub(crate) fn listen(&self, listener: Arc<Listener>) -> u64 {
        let mut waiting = lock(&self.waiting);
        let number = waiting.next_listener;
        waiting.next_listener += 1;
        waiting.listeners.insert(number, listener);
        number
    }

    /// Removes a listener and hands it back.
    pub(crate) fn unlisten(&self, number: u64) -> Option<Arc<Listener>> {
        lock(&self.waiting).listeners.remove(&number)
    }

    /// Bytes of the patches that are kept for subscribers. Cost: O(subscribers).
    pub(crate) fn retained_bytes(&self) -> u64 {
        let end = lock(&self.last).count.bytes;
        let positions: Vec<Arc<Position>> =
            lock(&self.positions).all.iter().filter_map(Weak::upgrade).collect();
        let mut from = end;
        let mut earlier = 0;
        for position in positions {
            earlier += position.earlier.load(std::sync::atomic::Ordering::Relaxed);
            if let Seen::Following(link) = &*lock(&position.seen) {
                from = from.min(link.count.bytes);
            }
        }
        end - from + earlier
    }
}

impl Position {
    /// Sets how many bytes of patches from other feeds the subscriber keeps.
    pub(crate) fn set_earlier(&self, bytes: u64) {
        self.earlier.store(bytes, std::sync::atomic::Ordering::Relaxed);
    }
}
