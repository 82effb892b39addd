//! A store on a thread of its own: saving waits for no disk, and loading for what was told before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::hub::{GroupChanges, GroupStore, StoredGroup, monotonic_us};
use crate::measure::Measures;

/// How many calls may wait before further changes had better be gathered.
const WAITING_MAX: usize = 2;

enum Ask {
    Save(Vec<GroupChanges>),
    Load(String, SyncSender<Result<Option<StoredGroup>, String>>),
    LetGo(String),
    Flush(SyncSender<()>),
}

/// A store on a thread of its own. It ends, with everything kept, when this is dropped.
pub struct StoreThread {
    // None only while it is dropped.
    asks: Option<Sender<Ask>>,
    waiting: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<(String, String)>>>,
    thread: Option<JoinHandle<()>>,
}

impl StoreThread {
    /// Moves a store to a thread.
    ///
    /// # Errors
    /// No thread can be had, for people.
    pub fn start(
        store: impl GroupStore + 'static,
        measures: Arc<Measures>,
    ) -> Result<StoreThread, String> {
        let (asks, inbox) = channel();
        let (waiting, failures) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<_>>>::default());
        let keeper = Keeper {
            store,
            waiting: Arc::clone(&waiting),
            failures: Arc::clone(&failures),
            behind: BTreeSet::new(),
            measures,
        };
        let thread = std::thread::Builder::new().name("penstock-store".to_owned());
        let thread = thread
            .spawn(move || keeper.run(&inbox))
            .map_err(|error| format!("no thread for the store of client groups: {error}"))?;
        Ok(StoreThread { asks: Some(asks), waiting, failures, thread: Some(thread) })
    }

    fn ask(&self, ask: Ask) -> Result<(), String> {
        let asks = self.asks.as_ref().ok_or(GONE)?;
        asks.send(ask).map_err(|_| GONE.to_owned())
    }
}

/// The thread has ended by a fault, which was reported where it happened.
const GONE: &str = "the thread that keeps client groups is gone";

impl GroupStore for StoreThread {
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
        let (answer, loaded) = sync_channel(1);
        self.ask(Ask::Load(id.to_owned(), answer))?;
        loaded.recv().map_err(|_| GONE.to_owned())?
    }

    fn save(&mut self, changes: Vec<GroupChanges>) -> Result<(), String> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.ask(Ask::Save(changes))
    }

    fn let_go(&mut self, id: &str) {
        // A thread that is gone keeps nothing.
        let _ = self.ask(Ask::LetGo(id.to_owned()));
    }

    fn failures(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.failures.lock())
    }

    fn is_busy(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= WAITING_MAX
    }

    fn flush(&mut self) {
        let (answer, flushed) = sync_channel(1);
        if self.ask(Ask::Flush(answer)).is_ok() {
            // A thread that is gone has nothing more to keep.
            let _ = flushed.recv();
        }
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        drop(self.asks.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread.
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Keeper<S> {
    store: S,
    waiting: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<(String, String)>>>,
    /// Groups of which changes could not be kept: further ones make no sense without them.
    behind: BTreeSet<String>,
    measures: Arc<Measures>,
}

impl<S: GroupStore> Keeper<S> {
    fn run(mut self, inbox: &Receiver<Ask>) {
        while let Ok(ask) = inbox.recv() {
            match ask {
                Ask::Save(changes) => {
                    self.save(changes);
                    self.waiting.fetch_sub(1, Ordering::AcqRel);
                }
                Ask::Load(id, answer) => {
                    // Whatever comes of it now, comes after what is there.
                    self.behind.remove(&id);
                    let _ = answer.send(self.store.load(&id));
                }
                Ask::LetGo(id) => self.store.let_go(&id),
                Ask::Flush(answer) => {
                    self.store.flush();
                    let _ = answer.send(());
                }
            }
        }
    }

    fn save(&mut self, mut changes: Vec<GroupChanges>) {
        changes.retain(|changes| changes.is_whole || !self.behind.contains(&changes.id));
        if changes.is_empty() {
            return;
        }
        let ids: Vec<String> = changes.iter().map(|changes| changes.id.clone()).collect();
        let rows: usize = changes.iter().map(|changes| changes.rows.len()).sum();
        let started = monotonic_us();
        match self.store.save(changes) {
            Ok(()) => {
                let took = monotonic_us().saturating_sub(started);
                self.measures.save.observe(Duration::from_micros(took));
                self.measures.saved_rows.fetch_add(rows as u64, Ordering::Relaxed);
                self.behind.retain(|id| !ids.contains(id));
            }
            Err(problem) => {
                let mut failures = self.failures.lock();
                failures.extend(ids.iter().map(|id| (id.clone(), problem.clone())));
                self.behind.extend(ids);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::hub::{StoredClient, StoredHead};

    /// Keeps in memory, and fails where a version says so.
    #[derive(Default)]
    struct Fallible(BTreeMap<String, StoredGroup>);

    impl GroupStore for Fallible {
        fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
            Ok(self.0.get(id).cloned())
        }

        fn save(&mut self, changes: Vec<GroupChanges>) -> Result<(), String> {
            if changes.iter().any(|changes| changes.head.version == 1013) {
                return Err("bad luck".to_owned());
            }
            for changes in changes {
                let id = changes.id.clone();
                let group = StoredGroup::with(self.0.remove(&id), changes);
                self.0.insert(id, group);
            }
            Ok(())
        }
    }

    fn changes(version: u64, is_whole: bool) -> Vec<GroupChanges> {
        let client = Some(StoredClient::default());
        vec![GroupChanges {
            id: "g".to_owned(),
            is_whole,
            head: StoredHead { version, ..StoredHead::default() },
            schema: None,
            is_pruned: false,
            clients: BTreeMap::from([(format!("c{version}"), client)]),
            queries: BTreeMap::new(),
            gone: BTreeMap::new(),
            rows: Vec::new(),
        }]
    }

    fn kept(store: &mut StoreThread) -> (u64, Vec<String>) {
        let group = store.load("g").expect("a load").expect("a group");
        (group.head.version, group.clients.into_keys().collect())
    }

    #[test]
    fn what_was_told_before_is_loaded() {
        let mut store = StoreThread::start(Fallible::default(), Arc::default()).expect("a thread");
        assert_eq!(store.load("g"), Ok(None));
        for version in 1..=100 {
            store.save(changes(version, version == 1)).expect("told");
        }
        let (version, clients) = kept(&mut store);
        assert_eq!((version, clients.len()), (100, 100));
        assert!(!store.is_busy() && store.failures().is_empty());
    }

    #[test]
    fn after_a_failure_nothing_is_kept_until_everything_is_told() {
        let mut store = StoreThread::start(Fallible::default(), Arc::default()).expect("a thread");
        for version in 1012..=1015 {
            store.save(changes(version, version == 1012)).expect("told");
        }
        store.flush();
        let failed = store.failures();
        assert_eq!(failed, [("g".to_owned(), "bad luck".to_owned())]);
        assert!(store.failures().is_empty());
        store.save(changes(1016, true)).expect("told");
        store.save(changes(1017, false)).expect("told");
        assert_eq!(kept(&mut store), (1017, vec!["c1016".to_owned(), "c1017".to_owned()]));
        // Who loads what there is goes on from there.
        store.save(changes(1013, false)).expect("told");
        assert_eq!(kept(&mut store).0, 1017);
        store.save(changes(1018, false)).expect("told");
        assert_eq!(kept(&mut store).0, 1018);
    }
}
