//! The hub, on a thread of its own, fed from all sockets.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use penstock::Database;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::Shared;
use super::clock::now;
use super::socket::Frame;
use crate::hub::{self, Hub, Input, Output, Report, Totals};
use crate::protocol::ConnectionId;
use crate::services::{Caller, PushJob};

/// How often time passes for the hub.
const TICK: Duration = Duration::from_millis(100);
/// How many inputs are taken before their outputs are handed on.
const AT_ONCE: usize = 256;
/// How long to wait for what is about to come: callbacks of a commit, or frames on their way.
const SETTLING: Duration = Duration::from_micros(200);
/// While more sockets than these have frames to send, what is committed meanwhile is told together…
const CROWD: usize = 16;
/// …but none waits longer for it than this, in milliseconds.
const CROWD_MS: u64 = 20;

/// What the thread is asked.
pub(crate) enum Command {
    /// Something happens.
    Input(Input),
    /// A client's message, and the room that it takes until it is dealt with.
    Message(Input, Room),
    /// A client connects; where its frames go.
    Open(Input, ConnectionId, UnboundedSender<Frame>),
    /// What is there?
    Report { with_operators: bool, answer: oneshot::Sender<Report> },
    /// How much is there?
    Totals { answer: oneshot::Sender<Totals> },
    /// End.
    End,
}

/// Room among what has come from a client and is not dealt with.
pub(crate) type Room = Arc<tokio::sync::OwnedSemaphorePermit>;

/// Mutations of a group, or what is to be cleaned up after them, one after another.
enum Job {
    Push(ConnectionId, Box<PushJob>, Option<Room>),
    CleanUp { connection: ConnectionId, group: String, client: String, id: u64, caller: Caller },
}

struct HubThread {
    hub: Hub,
    /// That of the message that is dealt with.
    room: Option<Room>,
    shared: Arc<Shared>,
    runtime: Handle,
    sockets: HashMap<ConnectionId, UnboundedSender<Frame>, ahash::RandomState>,
    /// By group.
    jobs: HashMap<String, UnboundedSender<Job>, ahash::RandomState>,
    woken: Arc<AtomicBool>,
    /// When what is committed was last told.
    told_ms: u64,
}

pub(super) fn start(
    database: Database,
    options: hub::Options,
    shared: Arc<Shared>,
    inbox: Receiver<Command>,
    runtime: Handle,
) -> std::io::Result<JoinHandle<()>> {
    let woken = Arc::new(AtomicBool::new(false));
    let (flag, commands) = (Arc::clone(&woken), shared.commands.clone());
    let wake: hub::Wake = Arc::new(move || {
        if !flag.swap(true, Ordering::AcqRel) {
            // A thread that is gone need not be woken.
            let _ = commands.send(Command::Input(Input::Data));
        }
    });
    std::thread::Builder::new().name("penstock-hub".to_owned()).spawn(move || {
        let _ended = Ended(Arc::clone(&shared));
        let hasher = || ahash::RandomState::with_seeds(31, 37, 41, 43);
        let health = Arc::clone(&shared.health);
        let hub = Hub::new(database, options, wake)
            .measured(Arc::clone(&shared.measures))
            .committing(Arc::new(move || health.committing()));
        let (sockets, jobs) = (HashMap::with_hasher(hasher()), HashMap::with_hasher(hasher()));
        HubThread { hub, room: None, shared, runtime, sockets, jobs, woken, told_ms: 0 }
            .run(&inbox);
    })
}

/// Says that the hub has ended when it is dropped, by a panic as well.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Release);
        self.0.is_ending.store(true, Ordering::Release);
    }
}

impl HubThread {
    fn run(mut self, inbox: &Receiver<Command>) {
        let mut ticked = now().mono_ms;
        loop {
            let first = match inbox.recv_timeout(self.pause()) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut inputs: Vec<Command> = first.into_iter().collect();
            inputs.extend(inbox.try_iter().take(AT_ONCE));
            for command in inputs {
                if matches!(command, Command::Input(Input::Data)) {
                    self.woken.store(false, Ordering::Release);
                } else if !self.command(command) {
                    return;
                }
            }
            if self.is_due() {
                self.told_ms = now().mono_ms;
                if !self.input(Input::Data) {
                    return;
                }
            }
            if now().mono_ms.saturating_sub(ticked) >= TICK.as_millis() as u64 {
                ticked = now().mono_ms;
                if !self.input(Input::Tick) {
                    return;
                }
            }
        }
    }

    /// Whether there is something to tell, and it would not only make a crowd larger.
    fn is_due(&self) -> bool {
        let crowd = || self.hub.waiting(CROWD + 1) > CROWD;
        let lately = now().mono_ms.saturating_sub(self.told_ms) < CROWD_MS;
        self.hub.is_filling() || (self.hub.can_advance() && !(lately && crowd()))
    }

    /// How long to wait for a command.
    fn pause(&self) -> Duration {
        match self.hub.is_dirty() {
            true if self.is_due() => Duration::ZERO,
            true => SETTLING,
            false => TICK,
        }
    }

    /// Returns whether to go on.
    fn command(&mut self, command: Command) -> bool {
        match command {
            Command::Input(input) => self.input(input),
            Command::Message(input, room) => {
                self.room = Some(room);
                let goes_on = self.input(input);
                self.room = None;
                goes_on
            }
            Command::Open(input, connection, socket) => {
                self.sockets.insert(connection, socket);
                self.input(input)
            }
            Command::Report { with_operators, answer } => {
                // Who asked may have gone.
                let _ = answer.send(self.hub.report(with_operators));
                true
            }
            Command::Totals { answer } => {
                // Who asked may have gone.
                let _ = answer.send(self.hub.totals());
                true
            }
            Command::End => {
                // What is committed is told before.
                while self.hub.has_untold() && self.input(Input::Data) {}
                let errors = self.hub.counters().store_errors;
                let went_well = self.input(Input::Shutdown);
                let is_saved = went_well && self.hub.counters().store_errors == errors;
                self.shared.is_saved.store(is_saved, Ordering::Release);
                false
            }
        }
    }

    fn input(&mut self, input: Input) -> bool {
        let closed = match &input {
            Input::Closed { connection } => Some(*connection),
            _ => None,
        };
        let mut outputs = Vec::new();
        let outcome = self.hub.handle(now(), input, &mut outputs);
        for output in outputs {
            self.output(output);
        }
        if let Some(connection) = closed {
            self.sockets.remove(&connection);
        }
        if let Err(error) = outcome {
            tracing::error!(%error, "the database cannot be used any more");
            // Sockets close as their senders go; clients connect again, and find another process.
            return false;
        }
        true
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send { connection, frame } => {
                if let Some(socket) = self.sockets.get(&connection) {
                    // A socket that is gone says so by itself.
                    let _ = socket.send(Frame::Text(frame));
                }
            }
            Output::Told { connection, commit } => {
                if let Some(socket) = self.sockets.get(&connection) {
                    let _ = socket.send(Frame::Told(commit));
                }
            }
            Output::Close { connection, code, reason } => {
                if let Some(socket) = self.sockets.remove(&connection) {
                    let _ = socket.send(Frame::Close(code, reason));
                }
            }
            Output::Verify { connection, token, user } => {
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(async move {
                    let outcome = shared.services.verify(token.as_deref(), user.as_deref()).await;
                    tell(&shared.commands, Input::Verified { connection, token, outcome });
                });
            }
            Output::Transform(ask) => {
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(async move {
                    let outcome = shared.services.transform(&ask).await;
                    tell(&shared.commands, Input::Transformed { request: ask.request, outcome });
                });
            }
            // It is sent again to the next server, as it is not acknowledged here.
            Output::Push { .. } if self.shared.is_ending.load(Ordering::Acquire) => {}
            Output::Push { connection, caller, claims, push } => {
                let group = push.group_id.clone();
                let job = PushJob { caller, claims, push };
                let room = self.room.clone();
                self.job(group, Job::Push(connection, Box::new(job), room));
            }
            Output::CleanUpResults { connection, group, client, id, caller } => {
                let of = group.clone();
                self.job(of, Job::CleanUp { connection, group, client, id, caller });
            }
        }
    }

    /// Has a job done after the earlier ones of its group.
    fn job(&mut self, group: String, job: Job) {
        self.shared.jobs.fetch_add(1, Ordering::AcqRel);
        let open = self.jobs.get(&group).filter(|jobs| !jobs.is_closed()).cloned();
        let jobs = open.unwrap_or_else(|| self.start_jobs(&group));
        if let Err(refused) = jobs.send(job) {
            // The task has ended for want of jobs, just now.
            if self.start_jobs(&group).send(refused.0).is_err() {
                self.shared.jobs.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    fn start_jobs(&mut self, group: &str) -> UnboundedSender<Job> {
        let (sender, mut jobs) = unbounded_channel::<Job>();
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move {
            let idle = Duration::from_secs(30);
            while let Ok(Some(job)) = tokio::time::timeout(idle, jobs.recv()).await {
                do_job(&shared, job).await;
            }
            jobs.close();
            while let Some(job) = jobs.recv().await {
                do_job(&shared, job).await;
            }
        });
        self.jobs.retain(|_, jobs| !jobs.is_closed());
        self.jobs.insert(group.to_owned(), sender.clone());
        sender
    }
}

async fn do_job(shared: &Shared, job: Job) {
    do_it(shared, job).await;
    shared.jobs.fetch_sub(1, Ordering::AcqRel);
}

async fn do_it(shared: &Shared, job: Job) {
    let (connection, outcome) = match job {
        Job::Push(connection, job, _room) => {
            let group = job.push.group_id.as_str();
            let span = tracing::debug_span!("push", connection = connection.0, group);
            (connection, shared.services.push(&job).instrument(span).await)
        }
        Job::CleanUp { connection, group, client, id, caller } => {
            let done = shared.services.clean_up(&group, &client, id, &caller).await;
            (connection, done)
        }
    };
    if let Err(error) = outcome {
        tell(&shared.commands, Input::MutationFailed { connection, error });
    }
}

fn tell(commands: &Sender<Command>, input: Input) {
    // A thread that is gone has ended, and everything with it.
    let _ = commands.send(Command::Input(input));
}
