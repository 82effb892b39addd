//! A process that we have started, and what it has used.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end once it is told to.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// A running process. It is told to end when dropped, and killed if it does not.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    name: String,
}

impl Process {
    /// Starts a program without the variables of the environment that would change what it does. What it
    /// writes to its standard error is ours.
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn start(program: &Path, arguments: &[String]) -> Result<Process, String> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, _) in std::env::vars() {
            if ["ZERO_", "PENSTOCK_", "DATABASE_URL"].iter().any(|start| name.starts_with(start)) {
                command.env_remove(name);
            }
        }
        let name = program.display().to_string();
        let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let (sender, lines) = channel();
        let out = child.stdout.take().ok_or("a process without output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Process { child, lines, name })
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// None comes in time, or the process has ended.
    pub fn line(&self, within: Duration) -> Result<String, String> {
        self.lines.recv_timeout(within).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                format!("{} said nothing for {} s", self.name, within.as_secs())
            }
            RecvTimeoutError::Disconnected => format!("{} has ended", self.name),
        })
    }

    /// Its standard input, which is there to be taken once.
    pub fn input(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Microseconds of processor time that it has used, of all threads. The system counts in hundredths of
    /// a second.
    #[must_use]
    pub fn cpu_us(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        cpu_us(&stat.unwrap_or_default())
    }

    /// Bytes of memory that it has, pages shared with others counted in part.
    #[must_use]
    pub fn pss(&self) -> f64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()));
        pss(&rollup.unwrap_or_default())
    }
}

fn cpu_us(stat: &str) -> f64 {
    // The name of the program, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let number = |at: usize| fields.split_whitespace().nth(at).and_then(|n| n.parse::<f64>().ok());
    (number(11).unwrap_or(0.0) + number(12).unwrap_or(0.0)) * 10_000.0
}

fn pss(rollup: &str) -> f64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    number.unwrap_or(0.0) * 1024.0
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // One that has ended already is found below.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let told = Instant::now();
        while told.elapsed() < END_PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_system_says_is_read() {
        let stat = "17 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(super::cpu_us(stat), 2e6);
        assert_eq!(super::pss("Rss:  9 kB\nPss:                 2 kB\nPss_Dirty: 1 kB\n"), 2048.0);
        assert_eq!((super::cpu_us(""), super::pss("")), (0.0, 0.0));
    }
}
