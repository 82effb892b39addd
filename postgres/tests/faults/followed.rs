//! A follower in this process, and all that it says.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower, Phase, Status};
use penstock_postgres::replica::{LogLimits, ReplicaOptions};
use penstock_postgres::stream;
use penstock_postgres_harness::{Server, until};

use crate::equal;
use crate::how::How;

/// Longer than anything takes; only a failing test waits so long.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// What tests use: everything is looked at more often than is usual.
pub(crate) fn options(how: How, url: &str, file: &Path) -> FollowOptions {
    let config = Config::parse(url).expect("a URL");
    let replica = ReplicaOptions::new(file).change_log(Some(LogLimits::default()));
    let mut options = FollowOptions::new(config, how.setup(), replica);
    options.stream = stream::Options {
        silence_max: Duration::from_secs(3),
        position_pause: Duration::from_millis(100),
        probe_pause: Duration::from_millis(200),
        poll_pause_max: Duration::from_millis(100),
        backoff: stream::Backoff::new(Duration::from_millis(20), Duration::from_millis(300), 1),
        ..stream::Options::default()
    };
    options
}

/// What went wrong last, in the follower or its stream.
pub(crate) fn errors(status: &Status) -> Vec<String> {
    let failed = match &status.phase {
        Phase::Failed(reason) => Some(reason.clone()),
        _ => None,
    };
    let stream = status.stream.as_ref().and_then(|stream| stream.last_error.clone());
    [status.last_error.clone(), stream, failed].into_iter().flatten().collect()
}

/// A follower, and all that it has said.
pub(crate) struct Followed {
    pub(crate) follower: Arc<Follower>,
    pub(crate) file: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Followed {
    /// Begins to follow what is at a URL.
    pub(crate) fn start(how: How, url: &str, file: &Path) -> Followed {
        Followed::with(options(how, url, file), file)
    }

    pub(crate) fn with(options: FollowOptions, file: &Path) -> Followed {
        let follower = Arc::new(Follower::start(options).expect("a follower"));
        let (said, stopping) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (heard, told, ending) =
            (Arc::clone(&follower), Arc::clone(&said), Arc::clone(&stopping));
        let listener = std::thread::spawn(move || {
            while !ending.load(Ordering::SeqCst) {
                for error in errors(&heard.status()) {
                    let mut said = lock(&told);
                    if !said.contains(&error) {
                        said.push(error);
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Followed { follower, file: file.to_owned(), said, stopping, listener: Some(listener) }
    }

    /// The same, once everything is copied.
    pub(crate) fn copied(how: How, url: &str, file: &Path) -> Followed {
        let followed = Followed::start(how, url, file);
        followed.follower.wait_until_copied(LONG).expect("a copy");
        followed
    }

    pub(crate) fn status(&self) -> Status {
        self.follower.status()
    }

    /// Waits until the status is as it should be.
    pub(crate) fn wait(&self, what: &str, is: impl Fn(&Status) -> bool) {
        until(what, || {
            let status = self.status();
            assert!(!matches!(status.phase, Phase::Failed(_)), "{status}");
            is(&status)
        });
    }

    /// Waits until something that was said has this in it.
    pub(crate) fn hear(&self, what: &str) {
        until(&format!("it says \"{what}\"; it said {:?}", lock(&self.said)), || {
            lock(&self.said).iter().any(|said| said.contains(what))
        });
    }

    /// Checks that the replica gets equal to the server, by the product's own sums too, and that nothing
    /// was found amiss on the way.
    pub(crate) fn check(&self, server: &Server) {
        equal::check(server, &self.file);
        let verified = self.verified();
        assert!(!verified.is_empty());
        for table in verified {
            assert!(table.is_equal(), "{table:?}");
        }
        let status = self.status();
        assert_eq!((status.divergences, &status.refused), (0, &Vec::new()), "{status}");
    }

    fn verified(&self) -> Vec<penstock_postgres::follow::Verified> {
        let mut verified = self.follower.verify(LONG);
        for _ in 0..10 {
            match &verified {
                // A connection may break while the tables are summed up, in these tests of all.
                Err(error) if error.to_string().contains("meanwhile") => {
                    verified = self.follower.verify(LONG);
                }
                _ => break,
            }
        }
        verified.expect("sums")
    }

    /// Checks that nothing was copied again since the first copy of so many tables.
    pub(crate) fn check_one_copy(&self, tables: u64) {
        let status = self.status();
        assert_eq!((status.copies, status.restarts), (tables, 0), "{status}");
    }
}

fn lock(said: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        if std::thread::panicking() {
            eprintln!("{}\nsaid: {:?}", self.status(), lock(&self.said));
        }
    }
}
