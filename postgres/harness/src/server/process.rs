//! The processes of a server.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::PATIENCE;
use crate::watchdog::Watchdog;
use crate::{Client, Error};

const PAUSE: Duration = Duration::from_millis(20);

/// How to stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In order: transactions are broken off, receivers of the log get the rest of it, a checkpoint
    /// is written.
    Fast,
    /// At once, without a checkpoint: it recovers from its log at the next start.
    Immediate,
    /// Its first process gets `kill -9`; the others notice and end.
    Kill,
}

/// The first process of a server, and those that it has started.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    data: PathBuf,
    watchdog: Watchdog,
}

impl Process {
    pub(crate) fn start(
        mut command: Command,
        data: &Path,
        folder: &Path,
        log: &Path,
    ) -> Result<Process, Error> {
        let log_named = |error| Error::new(log.display(), error);
        let output: File =
            OpenOptions::new().create(true).append(true).open(log).map_err(log_named)?;
        let errors = output.try_clone().map_err(log_named)?;
        command.arg("-D").arg(data).current_dir(data).env_remove("PGDATA");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = command.spawn().map_err(|error| Error::new("postgres", error))?;
        match Watchdog::over(child.id(), folder) {
            Ok(watchdog) => Ok(Process { child, data: data.to_owned(), watchdog }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it answers.
    pub(crate) fn ready(mut self, url: &str, log: &Path) -> Result<Process, Error> {
        let start = Instant::now();
        loop {
            let error = match Client::connect(url) {
                Ok(_) => return Ok(self),
                Err(error) => error,
            };
            let ended = self.child.try_wait().map_err(|error| Error::new("postgres", error))?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let _ = self.stop(Stop::Immediate);
                let log = std::fs::read_to_string(log).unwrap_or_default();
                return Err(Error(format!("postgres does not start: {error}\n{log}")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Stops it and waits until the last of its processes is gone.
    pub(crate) fn stop(mut self, how: Stop) -> Result<(), Error> {
        let signal = match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
            Stop::Kill => Signal::KILL,
        };
        let ended = || Error("the server does not stop".into());
        // A process that has ended and was not waited for keeps its number, so it is nobody else's.
        if matches!(self.child.try_wait(), Ok(None)) {
            let id =
                i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or_else(ended)?;
            kill_process(id, signal).map_err(|error| Error::new("the signal", error))?;
        }
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) || !processes_in(&self.data).is_empty() {
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(ended());
            }
            std::thread::sleep(PAUSE);
        }
        drop(self.watchdog);
        Ok(())
    }
}

/// The ids of all processes whose current directory this is: every process of a server is in its
/// data directory.
pub fn processes_in(data: &Path) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbered = processes.flatten().filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let current = std::fs::read_link(entry.path().join("cwd")).ok()?;
        (current == data).then_some(id)
    });
    numbered.collect()
}
