//! What the driver asks, and the answers: a line of JSON each.
//!
//! | `do` | what is done | the answer |
//! |---|---|---|
//! | `open` | `groups` further clients connect, one after another | `complete_us`: for each, until all was complete |
//! | `reconnect` | all close, and connect again with their cookies | the same |
//! | `until` | waits until a write has arrived at all, at most `within_s` | `missing`: where it has not |
//! | `lags` | of the writes `first…`, `sent_us` | see [`Lags`]; arrivals are forgotten |
//! | `held` | | `held`: of each client, the number of rows and their sum |
//! | `counts` | | pokes, frames and bytes received since the last time |

use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{Client, Counts, Shared};
use super::lags::Lags;
use super::options::Options;
use super::rows::Ops;

/// How often it is looked whether a write has arrived.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// The clients.
struct Load {
    options: Options,
    shared: Rc<Shared>,
    clients: Vec<Client>,
}

impl Load {
    fn new(options: Options) -> Load {
        let shared = Shared { ops: Ops::new().into(), counts: Counts::default().into() };
        Load { options, shared: Rc::new(shared), clients: Vec::new() }
    }

    async fn open(&mut self, groups: usize) -> Result<Vec<u64>, String> {
        let mut times = Vec::with_capacity(groups);
        for _ in 0..groups {
            let number = u32::try_from(self.clients.len()).map_err(|error| error.to_string())?;
            let (name, queries) = (format!("load-{number}"), self.options.wants.queries(number));
            let shared = Rc::clone(&self.shared);
            let mut client = Client::new(&self.options.server, name, queries, shared);
            times.push(client.connect().await?);
            self.clients.push(client);
        }
        Ok(times)
    }

    async fn reconnect(&mut self) -> Result<Vec<u64>, String> {
        let mut times = Vec::with_capacity(self.clients.len());
        for client in &mut self.clients {
            client.close().await;
            times.push(client.connect().await?);
        }
        Ok(times)
    }

    /// Where a write has not arrived in time.
    async fn until(&self, write: u64, within: Duration) -> Result<usize, String> {
        let began = Instant::now();
        loop {
            self.is_well()?;
            let misses = |client: &&Client| client.state.borrow().newest < Some(write);
            let missing = self.clients.iter().filter(misses).count();
            if missing == 0 || began.elapsed() > within {
                return Ok(missing);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    fn lags(&self, first: u64, sent: &[u64]) -> Lags {
        let arrivals: Vec<Vec<(u64, u64)>> = self
            .clients
            .iter()
            .map(|client| std::mem::take(&mut client.state.borrow_mut().arrivals))
            .collect();
        Lags::of(first, sent, arrivals.iter().map(Vec::as_slice))
    }

    fn held(&self) -> Vec<[u64; 2]> {
        let held = self.clients.iter().map(|client| client.state.borrow().store.held());
        held.map(|held| [held.rows, held.sum]).collect()
    }

    /// Fails if a client has been closed that was not told to.
    fn is_well(&self) -> Result<(), String> {
        let failed = |client: &Client| client.state.borrow().failure.clone();
        match self.clients.iter().find_map(failed) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    async fn answer(&mut self, command: &Json) -> Result<Json, String> {
        self.is_well()?;
        let number = |name: &str| command[name].as_u64().ok_or_else(|| format!("no {name}"));
        Ok(match command["do"].as_str() {
            Some("open") => {
                let groups = usize::try_from(number("groups")?).unwrap_or(usize::MAX);
                if self.clients.len().saturating_add(groups) > self.options.groups_max {
                    return Err(format!("{} groups at most", self.options.groups_max));
                }
                json!({"complete_us": self.open(groups).await?})
            }
            Some("reconnect") => json!({"complete_us": self.reconnect().await?}),
            Some("until") => {
                let within = Duration::from_secs(number("within_s")?);
                json!({"missing": self.until(number("write")?, within).await?})
            }
            Some("lags") => {
                let sent = command["sent_us"].as_array().into_iter().flatten();
                let sent: Vec<u64> = sent.filter_map(Json::as_u64).collect();
                self.lags(number("first")?, &sent).to_json()
            }
            Some("held") => json!({"held": self.held()}),
            Some("counts") => {
                let counts = self.shared.counts.take();
                json!({"pokes": counts.pokes, "frames": counts.frames, "bytes": counts.bytes})
            }
            _ => return Err(format!("no such command: {command}")),
        })
    }
}

/// Obeys commands until there are no more, or the time that the options give is over. An answer is the
/// command's, or `{"error": …}`.
///
/// # Errors
/// Nobody reads the answers.
pub async fn obey(
    options: Options,
    mut commands: UnboundedReceiver<String>,
    mut answers: impl Write,
) -> Result<(), String> {
    let end = tokio::time::Instant::now() + options.time;
    let mut load = Load::new(options);
    while let Ok(Some(line)) = tokio::time::timeout_at(end, commands.recv()).await {
        let answered = match serde_json::from_str::<Json>(&line) {
            Ok(command) => tokio::time::timeout_at(end, load.answer(&command))
                .await
                .unwrap_or_else(|_| Err("the load generator's time is over".to_owned())),
            Err(error) => Err(error.to_string()),
        };
        let answer = answered.unwrap_or_else(|error| json!({ "error": error }));
        let written = writeln!(answers, "{answer}").and_then(|()| answers.flush());
        written.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Opens all groups and receives until the time is over; prints what it sees, and its progress to
/// standard error.
///
/// # Errors
/// A client that is refused, or sent away.
pub async fn run_alone(options: Options) -> Result<Vec<(&'static str, f64, &'static str)>, String> {
    let (time, groups) = (options.time, options.groups);
    let mut load = Load::new(options);
    let began = Instant::now();
    let mut complete = Vec::new();
    while complete.len() < groups {
        complete.extend(load.open(1).await?);
        if began.elapsed() > time {
            return Err(format!("{} of {groups} groups in time", complete.len()));
        }
        if complete.len().is_multiple_of(100) {
            eprintln!("{} of {groups} groups are connected", complete.len());
        }
    }
    let rows: u64 = load.held().iter().map(|[rows, _]| rows).sum();
    load.shared.counts.take();
    let (start, mut all) = (Instant::now(), Counts::default());
    while began.elapsed() < time {
        let second = Duration::from_secs(1).min(time.saturating_sub(began.elapsed()));
        tokio::time::sleep(second).await;
        load.is_well()?;
        let counts = load.shared.counts.take();
        all.pokes += counts.pokes;
        all.frames += counts.frames;
        all.bytes += counts.bytes;
        let newest = load.clients.iter().filter_map(|client| client.state.borrow().newest).min();
        let write = newest.map_or(String::new(), |write| format!(", all have write {write}"));
        eprintln!("{:.0} s: {} pokes{write}", began.elapsed().as_secs_f64(), counts.pokes);
    }
    let seconds = start.elapsed().as_secs_f64();
    complete.sort_unstable();
    let at =
        |share: f64| complete.get(((groups - 1) as f64 * share) as usize).copied().unwrap_or(0);
    Ok(vec![
        ("complete_p50", at(0.5) as f64, "µs"),
        ("complete_p99", at(0.99) as f64, "µs"),
        ("rows", rows as f64, "rows"),
        ("pokes", all.pokes as f64 / seconds, "pokes/s"),
        ("frames", all.frames as f64 / seconds, "frames/s"),
        ("bytes", all.bytes as f64 / seconds, "B/s"),
    ])
}
