//! A follower in a process of its own: this test program, told by its environment whom to follow.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use penstock_postgres::follow::{Follower, Phase};
use penstock_postgres_harness::until;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::followed::{LONG, errors, options};
use crate::how::How;

const URL: &str = "PENSTOCK_TEST_URL";
const FILE: &str = "PENSTOCK_TEST_FILE";
/// In which way it follows.
const HOW: &str = "PENSTOCK_TEST_HOW";
/// Whether the change log is kept.
const LOG: &str = "PENSTOCK_TEST_LOG";
/// What lines for the parent start with; the test harness prints lines of its own.
const MARK: &str = "child: ";

/// Does nothing but say so, unless this process is a child.
#[test]
fn a_child_follows_the_server_that_it_is_given() {
    let (url, file) = (std::env::var(URL), std::env::var_os(FILE));
    let (Ok(url), Some(file)) = (&url, &file) else {
        assert!(url.is_err() && file.is_none(), "a child has a server and a file");
        return;
    };
    let how = How::of_name(&std::env::var(HOW).expect("a child is told how to follow"));
    let mut options = options(how, url, Path::new(file));
    if std::env::var_os(LOG).is_none() {
        options.replica = options.replica.change_log(None);
    }
    let follower = Follower::start(options).expect("a follower");
    let (told, tells) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(Result::ok);
        for line in lines {
            let _ = told.send(line);
        }
    });
    let mut said = Vec::new();
    let mut phase = Phase::Stopped;
    loop {
        let status = follower.status();
        for error in
            errors(&status).into_iter().filter(|error| !said.contains(error)).collect::<Vec<_>>()
        {
            say(&format!("error {error}"));
            said.push(error);
        }
        if status.phase != phase {
            say(&format!("phase {:?}", status.phase));
            phase = status.phase.clone();
        }
        match tells.recv_timeout(Duration::from_millis(5)) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            // The parent is gone, or has had enough.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Ok(line) => match line.as_str() {
                "status" => say(&format!("status {status}")),
                "verify" => match follower.verify(LONG) {
                    Ok(verified) => {
                        let equal = verified.iter().all(|table| table.is_equal());
                        say(&format!("verified {equal} of {}", verified.len()));
                    }
                    Err(error) => say(&format!("not verified {error}")),
                },
                other => panic!("what is {other}?"),
            },
        }
    }
}

/// Says a line to the parent, in one write, so that a kill leaves a whole line or none.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let line = format!("{MARK}{}\n", line.replace('\n', " "));
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// A child process. Dropping it kills it.
pub(crate) struct Child {
    process: Process,
    to: Option<ChildStdin>,
    from: mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Child {
    /// Starts one, with the change log.
    pub(crate) fn start(how: How, url: &str, file: &Path) -> Child {
        let program = std::env::current_exe().expect("this program has a path");
        Child::spawn(&mut Command::new(program), how, url, file, true)
    }

    /// Starts one without the change log.
    pub(crate) fn plain(how: How, url: &str, file: &Path) -> Child {
        let program = std::env::current_exe().expect("this program has a path");
        Child::spawn(&mut Command::new(program), how, url, file, false)
    }

    /// Starts one to which the system says that a file has become too large, and does not end it.
    pub(crate) fn limited(how: How, url: &str, file: &Path) -> Child {
        let program = std::env::current_exe().expect("this program has a path");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
        Child::spawn(&mut shell, how, url, file, true)
    }

    fn spawn(command: &mut Command, how: How, url: &str, file: &Path, log: bool) -> Child {
        command
            .args(["--exact", "child::a_child_follows_the_server_that_it_is_given", "--nocapture"])
            .env(URL, url)
            .env(FILE, file)
            .env(HOW, how.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if log {
            command.env(LOG, "1");
        }
        let mut process = command.spawn().expect("the child starts");
        let to = process.stdin.take();
        let out = BufReader::new(process.stdout.take().expect("its output"));
        let (sender, from) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // The harness leaves its own line open before the first of ours.
                if let Some(at) = line.find(MARK) {
                    let _ = sender.send(line[at + MARK.len()..].to_owned());
                }
            }
        });
        Child { process, to, from, said: Vec::new() }
    }

    /// All that it has said so far.
    pub(crate) fn said(&mut self) -> &[String] {
        self.said.extend(self.from.try_iter());
        &self.said
    }

    /// Waits until it says something with this in it, now or before, and gives that.
    pub(crate) fn hear(&mut self, what: &str) -> String {
        let mut found = None;
        until(&format!("the child says \"{what}\"; it said {:?}", self.said()), || {
            let ended = self.process.try_wait().expect("its state");
            found = self.said().iter().find(|line| line.contains(what)).cloned();
            assert!(found.is_some() || ended.is_none(), "it ended: {:?}", self.said);
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// Forgets what it has said.
    pub(crate) fn forget(&mut self) {
        self.said();
        self.said.clear();
    }

    fn ask(&mut self, question: &str, answer: &str) -> String {
        self.said();
        self.said.retain(|line| !line.contains(answer));
        let to = self.to.as_mut().expect("it listens");
        writeln!(to, "{question}").and_then(|()| to.flush()).expect("it listens");
        self.hear(answer)
    }

    /// Its status, as it prints it.
    pub(crate) fn status(&mut self) -> String {
        self.ask("status", "status ")
    }

    /// How many connections its stream has made.
    pub(crate) fn connections(&mut self) -> u64 {
        let status = self.status();
        let count = status.split(" connections=").nth(1).and_then(|rest| rest.split(' ').next());
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Has it compare so many tables with the server.
    pub(crate) fn check_sums(&mut self, tables: usize) {
        let mut answer = self.ask("verify", "verified ");
        for _ in 0..10 {
            if !answer.contains("meanwhile") {
                break;
            }
            answer = self.ask("verify", "verified ");
        }
        assert_eq!(answer, format!("verified true of {tables}"), "{:?}", self.said());
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Kills it where it stands (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it is there to be killed");
        self.process.wait().expect("it ends");
    }

    /// Stops it for a while (SIGSTOP), or has it go on.
    pub(crate) fn halt(&self, halt: bool) {
        let signal = if halt { Signal::STOP } else { Signal::CONT };
        kill_process(self.id(), signal).expect("it is there");
    }

    /// No file may become larger than this, or any may.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.id()), Resource::Fsize, limit).expect("a limit");
    }

    /// The most memory that it has had so far, in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        let file = format!("/proc/{}/status", self.process.id());
        let text = std::fs::read_to_string(file).expect("it is there");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes * 1024
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the child said {:?}", self.said());
        }
        // It may have ended, or be halted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
