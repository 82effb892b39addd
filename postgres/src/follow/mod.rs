//! A database that is followed: set up, copied, and kept by its stream, for as long as it is wanted.
//!
//! A [`Follower`] does everything on a thread of its own: it connects and checks the server, makes the
//! publication and the slot, copies the tables that are not copied yet, applies the stream and tells
//! the server what is durable. It connects again when the connection breaks. When a slot is lost, or
//! the server turns out to be another one or an older state of itself, it says so in its [`Status`]
//! and copies everything anew; what there was stays readable until then.
//!
//! ```no_run
//! use std::time::Duration;
//! use penstock_postgres::connect::Config;
//! use penstock_postgres::follow::{FollowOptions, Follower};
//! use penstock_postgres::replica::ReplicaOptions;
//! use penstock_postgres::setup::Setup;
//!
//! let config = Config::parse("postgres://app@localhost/app")?;
//! let options = FollowOptions::new(config, Setup::default(), ReplicaOptions::new("app.db"));
//! let follower = Follower::start(options)?;
//! follower.wait_until_copied(Duration::from_secs(600))?;
//! let mut open = follower.database().subscribe_sql("SELECT * FROM task WHERE NOT done", ())?;
//! loop {
//!     open.wait(Duration::from_secs(1));
//!     for change in open.changes() {
//!         println!("{change}");
//!     }
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod copies;
mod flow;
mod progress;
mod run;
mod status;
mod tables;
mod verify;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use penstock::Database;

use crate::connect::{Config, ServerError};
use crate::replica::{Replica, ReplicaError, ReplicaOptions};
use crate::setup::{self, Setup};
use crate::stream;

pub use progress::CopyProgress;
use status::SharedStatus;
pub use status::{Commit, Phase, Status, StatusReader};
pub use verify::Verified;
use verify::{Request, Requests};

/// How often somebody who waits looks whether it is time.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// Where the server is.
    pub config: Config,
    /// What is followed there.
    pub setup: Setup,
    /// Where the replica is.
    pub replica: ReplicaOptions,
    /// How the stream behaves.
    pub stream: stream::Options,
    /// Over how many connections tables are copied; 4 unless said otherwise.
    pub connections: usize,
    /// What is done on the server before it is looked at, once; nothing unless said otherwise.
    pub prepare: Option<Prepare>,
    /// How many transactions of the server at most become one of the replica, where it is behind; 1
    /// unless said otherwise, so that each is seen by itself. More keep up with a faster server: live
    /// results are changed once for all of them.
    pub together: u64,
}

/// What is done on the server before anything else: tables that have to be there. It is tried again
/// until it has succeeded, so it must be harmless to do twice.
#[derive(Clone)]
pub struct Prepare(Arc<dyn Fn(Config) -> Preparing + Send + Sync>);

/// A preparation under way.
pub type Preparing = Pin<Box<dyn Future<Output = Result<(), ServerError>> + Send>>;

impl Prepare {
    /// By a function that connects by itself.
    pub fn new(prepare: impl Fn(Config) -> Preparing + Send + Sync + 'static) -> Prepare {
        Prepare(Arc::new(prepare))
    }

    fn run(&self, config: Config) -> Preparing {
        (self.0)(config)
    }
}

impl std::fmt::Debug for Prepare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepare")
    }
}

impl FollowOptions {
    /// With what is usual.
    pub fn new(config: Config, setup: Setup, replica: ReplicaOptions) -> FollowOptions {
        FollowOptions {
            config,
            setup,
            replica,
            stream: stream::Options::default(),
            connections: 4,
            prepare: None,
            together: 1,
        }
    }
}

/// Why a follower cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The replica cannot be opened.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// No thread can be started.
    #[error("no thread to follow the server: {0}")]
    Thread(#[from] std::io::Error),
    /// It has given up.
    #[error("{0}")]
    Failed(String),
    /// It was not done in time.
    #[error("it was not done within {} seconds; {last}", waited.as_secs())]
    NotInTime {
        /// How long was waited.
        waited: Duration,
        /// How it stood then.
        last: Box<Status>,
    },
}

/// A database that is followed. It ends when this is dropped, which waits for the transaction under
/// way; the replica stays as it is then.
pub struct Follower {
    db: Database,
    config: Config,
    setup: Setup,
    shared: SharedStatus,
    requests: Requests,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Opens the replica and begins to follow, on a thread of its own. What goes wrong with the server
    /// is in the [`Status`].
    ///
    /// # Errors
    /// A replica that cannot be opened.
    pub fn start(options: FollowOptions) -> Result<Follower, FollowError> {
        let replica = Replica::open(options.replica.clone())?;
        let (db, shared) = (replica.database(), SharedStatus::default());
        let stopping = Arc::<AtomicBool>::default();
        let (config, setup) = (options.config.clone(), options.setup.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("penstock-ask")
            .enable_all()
            .build()?;
        let run = run::Run::new(options, replica, runtime, shared.clone(), Arc::clone(&stopping));
        let requests = run.requests();
        let watched = Watched(shared.clone());
        let thread = std::thread::Builder::new().name("penstock-replica".to_owned());
        let thread = thread.spawn(move || {
            let _watched = watched;
            run.run();
        })?;
        Ok(Follower { db, config, setup, shared, requests, stopping, thread: Some(thread) })
    }

    /// The database, to subscribe to. Its tables are there once they are copied.
    pub fn database(&self) -> Database {
        self.db.clone()
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.shared.get()
    }

    /// Reads how it stands from elsewhere, for as long as somebody wants to know.
    pub fn status_reader(&self) -> StatusReader {
        StatusReader(self.shared.clone())
    }

    /// Waits until all tables are copied and the stream is applied.
    ///
    /// # Errors
    /// It gives up, or the time is over.
    pub fn wait_until_copied(&self, patience: Duration) -> Result<(), FollowError> {
        let mut waited = Duration::ZERO;
        loop {
            let status = self.status();
            match status.phase {
                Phase::Streaming => return Ok(()),
                Phase::Failed(reason) => return Err(FollowError::Failed(reason)),
                Phase::Stopped => {
                    return Err(FollowError::Failed("following was stopped".to_owned()));
                }
                Phase::Connecting | Phase::Copying if waited >= patience => {
                    return Err(FollowError::NotInTime { waited, last: Box::new(status) });
                }
                Phase::Connecting | Phase::Copying => {}
            }
            std::thread::sleep(LOOK_PAUSE);
            waited += LOOK_PAUSE;
        }
    }

    /// Compares the copied tables with the server's, at one position of both. The stream waits while the
    /// server's tables are read. Costs as much as a copy, and reading the replica.
    ///
    /// # Errors
    /// The server cannot be asked, the connection broke meanwhile, it gives up, or the time is over.
    pub fn verify(&self, patience: Duration) -> Result<Vec<Verified>, FollowError> {
        *self.requests.lock() = Request::Asked;
        let mut waited = Duration::ZERO;
        loop {
            if let Request::Done(answer) = &*self.requests.lock() {
                return answer.clone().map_err(FollowError::Failed);
            }
            let status = self.status();
            match &status.phase {
                Phase::Failed(reason) => return Err(FollowError::Failed(reason.clone())),
                Phase::Stopped => {
                    return Err(FollowError::Failed("following was stopped".to_owned()));
                }
                _ if waited >= patience => {
                    return Err(FollowError::NotInTime { waited, last: Box::new(status) });
                }
                _ => {}
            }
            std::thread::sleep(LOOK_PAUSE);
            waited += LOOK_PAUSE;
        }
    }

    /// Asks it to end, without waiting.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Ends it, and waits for that.
    pub fn join(mut self) {
        self.end();
    }

    /// Ends it, and removes from the server what was made for it: the slot, the publication, event
    /// triggers. Gives what was removed, in words.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub fn tear_down(mut self) -> Result<Vec<String>, FollowError> {
        self.end();
        tear_down(&self.config, &self.setup).map_err(|error| FollowError::Failed(error.to_string()))
    }

    fn end(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread.
            let _ = thread.join();
        }
    }
}

/// Says that following has failed, should its thread panic: nobody shall wait for it.
struct Watched(SharedStatus);

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason =
                "following has ended by a fault in penstock, which was reported where it happened";
            self.0.update(|status| status.phase = Phase::Failed(reason.to_owned()));
        }
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

/// Removes from a server what was made there, from a thread that may wait; see [`setup::tear_down`].
///
/// # Errors
/// The server cannot be asked.
pub fn tear_down(config: &Config, setup: &Setup) -> Result<Vec<String>, ServerError> {
    blocking(setup::tear_down(config, setup))
}

/// Looks at everything that has to be there, from a thread that may wait; see [`setup::doctor`].
///
/// # Errors
/// The server cannot be asked.
pub fn doctor(config: &Config, setup: &Setup) -> Result<setup::Report, ServerError> {
    blocking(setup::doctor(config, setup))
}

fn blocking<T>(future: impl Future<Output = Result<T, ServerError>>) -> Result<T, ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| ServerError::unexpected("connecting", format!("no threads: {error}")))?;
    runtime.block_on(future)
}
