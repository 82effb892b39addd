//! The server: sockets on one side, the hub on a thread of its own, and what the hub asks for in between.
//!
//! | module | what it does |
//! |---|---|
//! | `listen` | accepts connections, with limits |
//! | `http` | health and metrics, over HTTP |
//! | `metrics`, `process`, `memory` | what is measured, told to Prometheus |
//! | `page` | files that are served as they are |
//! | `inspect` | what is going on, for people, with a console |
//! | `stopping` | the end, in order |
//! | `socket` | a client's socket: frames in, frames out, and signs of life |
//! | `hub_thread` | the hub, fed from all of them |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread::JoinHandle;
use std::time::Duration;

use penstock::Database;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::hub;
use crate::measure::{Exposition, Measures};
use crate::services::Services;

mod clock;
mod files;
mod http;
mod hub_thread;
mod inspect;
mod limits;
mod listen;
mod memory;
mod metrics;
mod page;
mod process;
mod socket;
mod stopping;

pub use clock::now;
pub use http::{AlwaysReady, Health};
use hub_thread::Command;
pub use inspect::Inspect;
pub use limits::Limits;
pub use page::Page;

/// How a server is set up.
pub struct Options {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// The data.
    pub database: Database,
    /// How the hub is set up.
    pub hub: hub::Options,
    /// What it needs others for.
    pub services: Arc<dyn Services>,
    /// Limits of sockets.
    pub limits: Limits,
    /// Whether the data is there to be served, and what is to be told of it.
    pub health: Arc<dyn Health>,
    /// Who may look at `/inspect`.
    pub inspect: Inspect,
    /// Files that are served as they are; not at paths of the server's own.
    pub pages: Vec<Page>,
}

/// What all parts of a server share.
pub(crate) struct Shared {
    pub(crate) commands: std::sync::mpsc::Sender<Command>,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) limits: Limits,
    /// Those of the hub, to be shown.
    pub(crate) hub_limits: hub::Limits,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) inspect: Inspect,
    pub(crate) pages: Vec<Page>,
    pub(crate) watches: inspect::Watches,
    pub(crate) started_ms: u64,
    pub(crate) database: Database,
    pub(crate) next_connection: AtomicU64,
    pub(crate) open: AtomicUsize,
    pub(crate) traffic: Traffic,
    pub(crate) measures: Arc<Measures>,
    pub(crate) memory: memory::Memory,
    pub(crate) is_ending: AtomicBool,
    /// Mutations under way, or waiting for earlier ones of their group.
    pub(crate) jobs: AtomicUsize,
    /// Whether the hub has saved everything at its end.
    pub(crate) is_saved: AtomicBool,
    /// Whether the hub has ended, for whatever reason.
    pub(crate) has_ended: AtomicBool,
}

/// What has gone over sockets.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_out: AtomicU64,
    pub(crate) frames_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) frames_in: AtomicU64,
}

/// A server that runs until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    hub: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
    end: watch::Sender<bool>,
}

/// Why a server cannot start.
#[derive(Debug)]
pub struct StartError(pub String);

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl Server {
    /// Starts to serve.
    ///
    /// # Errors
    /// An address that is taken, or threads that cannot be had.
    pub fn start(options: Options) -> Result<Server, StartError> {
        let failure =
            |what: &str, error: &dyn std::fmt::Display| StartError(format!("{what}: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().min(8)))
            .thread_name("penstock-net")
            .enable_all()
            .build()
            .map_err(|error| failure("cannot start threads", &error))?;
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(options.listen))
            .map_err(|error| failure(&format!("cannot listen on {}", options.listen), &error))?;
        let address = listener.local_addr().map_err(|error| failure("no address", &error))?;
        let (connections, told) = files::allow(options.limits.connections);
        if let Some(told) = told {
            tracing::warn!("{told}");
        }
        let (commands, inbox) = std::sync::mpsc::channel();
        let measures = options.services.measures().unwrap_or_default();
        let shared = Arc::new(Shared {
            commands,
            services: options.services,
            limits: Limits { connections, ..options.limits },
            hub_limits: options.hub.limits,
            health: options.health,
            inspect: options.inspect,
            pages: options.pages,
            watches: inspect::Watches::default(),
            started_ms: now().mono_ms,
            database: options.database.clone(),
            next_connection: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            traffic: Traffic::default(),
            measures,
            memory: memory::Memory::default(),
            is_ending: AtomicBool::new(false),
            jobs: AtomicUsize::new(0),
            is_saved: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        });
        let (end, ended) = watch::channel(false);
        let hub = hub_thread::start(
            options.database,
            options.hub,
            Arc::clone(&shared),
            inbox,
            runtime.handle().clone(),
        )
        .map_err(|error| failure("cannot start a thread", &error))?;
        runtime.spawn(listen::listen(listener, Arc::clone(&shared), ended));
        Ok(Server { address, shared, hub: Some(hub), runtime: Some(runtime), end })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it cannot serve clients any more, though nobody has ended it: the process is to be started
    /// anew.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.has_ended.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Gives the metrics of now; `None` once the server has ended. Not to be called on a thread of its own
    /// runtime.
    pub fn metrics(&self) -> impl Fn() -> Option<Exposition> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let handle = self.runtime.as_ref().map(|runtime| runtime.handle().clone());
        move || handle.as_ref()?.block_on(http::exposition(&shared))
    }

    /// Ends in order: takes no more clients and mutations, finishes the mutations under way and tells of
    /// them, sends all clients away with an error that has them connect again, saves everything, and waits
    /// for frames to be sent; all of it at most for `patience`. Returns whether everything was done.
    pub fn stop(mut self, patience: Duration) -> bool {
        self.end_within(patience)
    }
}
