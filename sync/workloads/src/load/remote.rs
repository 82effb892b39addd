//! The driver's side of the load generator: a process of its own, or a thread where counts are what
//! matters.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::options::Options;
use super::{Lags, Wants, obey};
use crate::oracle::Held;
use crate::process::Process;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a generator lives at most.
const LIFE: Duration = Duration::from_secs(3600);

/// What came since it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Complete pokes.
    pub pokes: u64,
    /// Frames.
    pub frames: u64,
    /// Bytes of their text.
    pub bytes: u64,
}

enum Way {
    Process { process: Process, input: std::process::ChildStdin },
    Thread { input: UnixStream, output: BufReader<UnixStream> },
}

/// A running load generator. It ends when dropped.
pub struct Generator(Way);

impl Generator {
    /// Starts one as a process.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn process(
        program: &Path,
        server: &str,
        groups: usize,
        wants: Wants,
    ) -> Result<Generator, String> {
        let mut arguments = vec!["--server".to_owned(), server.to_owned()];
        arguments.extend(["--groups".to_owned(), groups.to_string(), "--control".to_owned()]);
        arguments.extend(["--seconds".to_owned(), LIFE.as_secs().to_string()]);
        match wants {
            Wants::Person { first } => arguments.extend(["--first".to_owned(), first.to_string()]),
            Wants::Owners { count } => arguments.extend(["--owners".to_owned(), count.to_string()]),
        }
        let mut process = Process::start(program, &arguments)?;
        let input = process.input().ok_or("a process without input")?;
        Ok(Generator(Way::Process { process, input }))
    }

    /// Starts one as a thread.
    ///
    /// # Errors
    /// Threads or sockets that cannot be had.
    pub fn thread(server: &str, groups: usize, wants: Wants) -> Result<Generator, String> {
        let text = |error: std::io::Error| error.to_string();
        let (ours, theirs) = UnixStream::pair().map_err(text)?;
        let read = BufReader::new(theirs.try_clone().map_err(text)?);
        let (server, time) = (server.to_owned(), LIFE);
        std::thread::spawn(move || {
            let options =
                Options { server, groups, groups_max: groups, time, wants, control: true };
            // Whoever asked sees that no answer comes.
            let _ = serve(options, read, theirs);
        });
        let output = BufReader::new(ours.try_clone().map_err(text)?);
        Ok(Generator(Way::Thread { input: ours, output }))
    }

    fn ask(&mut self, command: &Json) -> Result<Json, String> {
        let text = |error: std::io::Error| format!("the load generator: {error}");
        let line = match &mut self.0 {
            Way::Process { process, input } => {
                writeln!(input, "{command}").map_err(text)?;
                process.line(PATIENCE)?
            }
            Way::Thread { input, output } => {
                writeln!(input, "{command}").map_err(text)?;
                let mut line = String::new();
                output.read_line(&mut line).map_err(text)?;
                line
            }
        };
        let answer: Json = serde_json::from_str(&line)
            .map_err(|error| format!("the load generator answered {line:?}: {error}"))?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("the load generator: {error}")),
            None => Ok(answer),
        }
    }

    /// Has so many further clients connect, one after another. Returns for each the microseconds until
    /// all its queries were complete.
    ///
    /// # Errors
    /// A client that is refused; so for all that follow.
    pub fn open(&mut self, groups: usize) -> Result<Vec<f64>, String> {
        self.ask(&json!({"do": "open", "groups": groups})).map(|answer| times(&answer))
    }

    /// Has all close and connect again with their cookies.
    ///
    /// # Errors
    /// As above.
    pub fn reconnect(&mut self) -> Result<Vec<f64>, String> {
        self.ask(&json!({"do": "reconnect"})).map(|answer| times(&answer))
    }

    /// Waits until a write has arrived at all; returns at how many it has not.
    ///
    /// # Errors
    /// As above.
    pub fn until(&mut self, write: u64, within: Duration) -> Result<u64, String> {
        let command = json!({"do": "until", "write": write, "within_s": within.as_secs()});
        Ok(self.ask(&command)?["missing"].as_u64().unwrap_or(u64::MAX))
    }

    /// How long the writes `first…` took that were sent at these times.
    ///
    /// # Errors
    /// As above.
    pub fn lags(&mut self, first: u64, sent: &[u64]) -> Result<Lags, String> {
        let answer = self.ask(&json!({"do": "lags", "first": first, "sent_us": sent}))?;
        Lags::from_json(&answer).ok_or_else(|| format!("no lags: {answer}"))
    }

    /// What each client holds.
    ///
    /// # Errors
    /// As above.
    pub fn held(&mut self) -> Result<Vec<Held>, String> {
        let answer = self.ask(&json!({"do": "held"}))?;
        let one = |held: &Json| Some(Held { rows: held[0].as_u64()?, sum: held[1].as_u64()? });
        let held = answer["held"].as_array().into_iter().flatten().map(one);
        held.collect::<Option<_>>().ok_or_else(|| format!("no rows: {answer}"))
    }

    /// What came since it was last asked.
    ///
    /// # Errors
    /// As above.
    pub fn received(&mut self) -> Result<Received, String> {
        let answer = self.ask(&json!({"do": "counts"}))?;
        let number = |name: &str| answer[name].as_u64().unwrap_or(0);
        Ok(Received { pokes: number("pokes"), frames: number("frames"), bytes: number("bytes") })
    }

    /// Microseconds of processor time, where it is a process.
    #[must_use]
    pub fn cpu_us(&self) -> f64 {
        match &self.0 {
            Way::Process { process, .. } => process.cpu_us(),
            Way::Thread { .. } => 0.0,
        }
    }
}

fn times(answer: &Json) -> Vec<f64> {
    answer["complete_us"].as_array().into_iter().flatten().filter_map(Json::as_f64).collect()
}

/// Obeys the lines of a reader, on this thread alone.
///
/// # Errors
/// Nobody reads the answers, or threads cannot be had.
pub fn serve(
    options: Options,
    commands: impl BufRead + Send + 'static,
    answers: impl Write,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in commands.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, obey(options, receiver, answers))
}
