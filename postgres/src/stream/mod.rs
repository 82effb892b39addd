//! The stream of changes of a server, from a position on, for as long as it lasts.
//!
//! A [`Stream`] connects, checks that the server is the one it knows and that nothing is missing,
//! reads, and connects again when the connection breaks. What cannot be mended is [`Lost`]: then
//! only a new copy helps.
//!
//! **Nothing is missed.** Reading starts where the slot stands, which is at or before what the
//! consumer has made durable. So transactions that it has are sent again, and are left out here, if
//! they are what they were: the last one that the consumer has must be among them, with its
//! position and number ([`Lost::Diverged`]). That recognises a server that was put back to an older
//! state and has been written to since, which neither its identifier nor its timeline tells.
//!
//! **Nothing is confirmed too early.** The server is told of a position only after
//! [`Stream::acknowledge`], and the consumer acknowledges only what it has written down,
//! transactions and [positions](Delivery::Position) alike; a slot that is ahead of what the
//! consumer knows is [`Lost::SlotAhead`].
//!
//! **A connection that is dead is noticed.** The server is asked to ping an idle connection
//! (through its setting `wal_sender_timeout`, for this session); one that is silent for longer than
//! [`Options::silence_max`] is given up and made anew.

mod backoff;
mod clock;
mod continuity;
mod driver;
mod fault;
mod polling;
mod probe;
mod recognise;
mod replication;
mod room;
mod status;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, watch};

pub use crate::assemble::PieceLimits;
pub use backoff::Backoff;
pub use clock::WallClock;
pub use continuity::{LastTransaction, Resume};
pub use fault::{Lost, StreamError};
pub use status::{State, Status};

use crate::connect::Config;
use crate::event::Step;
use crate::lsn::Lsn;
use crate::setup::Setup;
use crate::table::Relation;
use status::Shared;

/// How much may wait for the consumer, by [weight](room::weight): small transactions by the hundred, but
/// few large pieces.
const WAITING_MAX: u32 = 1024;

/// How a stream behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How large the pieces of a transaction may become.
    pub pieces: PieceLimits,
    /// How long a connection may be silent before it is made anew.
    pub silence_max: Duration,
    /// How often a position without a transaction is delivered at most.
    pub position_pause: Duration,
    /// How often the slot is looked at through SQL, for its state and the log that it retains, and
    /// whether there are other tables.
    pub probe_pause: Duration,
    /// The longest pause between polls of an idle slot
    /// ([`Plugin::Wal2json`](crate::setup::Plugin::Wal2json)).
    pub poll_pause_max: Duration,
    /// The pauses between attempts to connect.
    pub backoff: Backoff,
    /// By which the lag in milliseconds is measured.
    pub wall_clock: WallClock,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            pieces: PieceLimits::default(),
            silence_max: Duration::from_secs(30),
            position_pause: Duration::from_secs(5),
            probe_pause: Duration::from_secs(10),
            poll_pause_max: Duration::from_secs(1),
            backoff: Backoff::default(),
            wall_clock: WallClock::default(),
        }
    }
}

/// What a stream gives its consumer.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// A connection was made. The transaction under way, if there is one, is void: it comes again
    /// from its beginning.
    Connected {
        /// The timeline of the server, to be written down with the next position.
        timeline: u32,
    },
    /// The next piece of the stream.
    Step(Step),
    /// Everything before this position was delivered, and no transaction is under way. To be
    /// written down and acknowledged like a transaction, so that the server need not keep log in
    /// which nothing of interest was written.
    Position(Lsn),
    /// The stream is over.
    Ended(StreamError),
}

/// The stream of changes of a server.
#[derive(Debug)]
pub struct Stream {
    deliveries: mpsc::Receiver<Delivery>,
    room: Arc<Semaphore>,
    acknowledged: watch::Sender<Lsn>,
    shared: Arc<Shared>,
    // None only while it is dropped.
    runtime: Option<Runtime>,
}

/// No threads could be started for the stream.
#[derive(Debug, thiserror::Error)]
#[error("the threads of the stream cannot be started: {0}")]
pub struct NoThreads(#[from] std::io::Error);

impl Stream {
    /// Starts to read in threads of its own. `known` are tables as the consumer knows them, so that
    /// only what differs is delivered as a change of the schema. What goes wrong comes as a
    /// [`Delivery`].
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn start(
        config: Config,
        setup: Setup,
        resume: Resume,
        known: Vec<Relation>,
        options: Options,
    ) -> Result<Stream, NoThreads> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("penstock-stream")
            .enable_all()
            .build()?;
        let (sender, deliveries) = mpsc::channel(WAITING_MAX as usize);
        let room = Arc::new(Semaphore::new(WAITING_MAX as usize));
        let (acknowledged, acknowledgements) = watch::channel(resume.position);
        let shared = Arc::new(Shared::new(resume.position, options.wall_clock));
        runtime.spawn(probe::run(
            config.clone(),
            setup.clone(),
            options.probe_pause,
            Arc::clone(&shared),
        ));
        let reader = driver::Driver {
            config,
            setup,
            known,
            options,
            deliveries: sender,
            room: Arc::clone(&room),
            acknowledged: acknowledgements,
            shared: Arc::clone(&shared),
        };
        runtime.spawn(reader.run(resume));
        Ok(Stream { deliveries, room, acknowledged, shared, runtime: Some(runtime) })
    }

    /// Waits for the next delivery; none after [`Delivery::Ended`]. Not to be called from within a
    /// runtime: see [`Stream::wait_async`].
    pub fn wait(&mut self) -> Option<Delivery> {
        self.deliveries.blocking_recv().map(|delivery| self.taken(delivery))
    }

    /// Waits for the next delivery, but no longer than this. The outer value is none if nothing
    /// came in time.
    pub fn wait_for(&mut self, patience: Duration) -> Option<Option<Delivery>> {
        let runtime = self.runtime.as_ref()?;
        let deliveries = &mut self.deliveries;
        let received = runtime
            .block_on(async { tokio::time::timeout(patience, deliveries.recv()).await.ok() });
        received.map(|delivery| delivery.map(|delivery| self.taken(delivery)))
    }

    /// The next delivery, if it is there already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.deliveries.try_recv().ok().map(|delivery| self.taken(delivery))
    }

    /// Gives the room of a delivery back.
    fn taken(&self, delivery: Delivery) -> Delivery {
        self.room.add_permits(room::weight(&delivery) as usize);
        delivery
    }

    /// Waits for the next delivery; none after [`Delivery::Ended`].
    pub async fn wait_async(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.recv().await;
        delivery.map(|delivery| self.taken(delivery))
    }

    /// Tells the server, soon, that everything before this position is durable at the consumer, and
    /// that the consumer will say so when it resumes. Positions below an earlier one change
    /// nothing.
    pub fn acknowledge(&self, position: Lsn) {
        let raised = self.acknowledged.send_if_modified(|held| {
            let raised = position > *held;
            *held = position.max(*held);
            raised
        });
        if raised {
            self.shared.acknowledged(position);
        }
    }

    /// How the stream stands.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Reads how it stands from elsewhere; also after it has ended.
    pub fn status_reader(&self) -> StatusReader {
        StatusReader(Arc::clone(&self.shared))
    }
}

/// Reads how a stream stands, from any thread.
#[derive(Clone, Debug)]
pub struct StatusReader(Arc<Shared>);

impl StatusReader {
    /// How it stands now.
    pub fn get(&self) -> Status {
        self.0.status()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
