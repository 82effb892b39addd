//! Starting, telling, hearing and killing a child.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};

/// Tells a child what it is.
pub(crate) const ROLE: &str = "PENSTOCK_TEST_ROLE";
/// Tells a child which file to open.
pub(crate) const FILE: &str = "PENSTOCK_TEST_FILE";
/// What lines for the parent start with; the test harness prints lines of its own.
pub(crate) const MARK: &str = "child: ";

/// A child process. Dropping it kills it.
pub(crate) struct Child {
    process: Process,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// The command that starts this program as a child.
pub(crate) fn command(program: &Path, role: &str, file: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "roles::a_child_does_what_its_role_says", "--nocapture"])
        .env(ROLE, role)
        .env(FILE, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

impl Child {
    pub(crate) fn start(role: &str, file: &Path) -> Child {
        let program = std::env::current_exe().expect("this program has a path");
        Child::spawn(command(&program, role, file))
    }

    pub(crate) fn spawn(mut command: Command) -> Child {
        let mut process = command.spawn().expect("the child starts");
        let to = process.stdin.take();
        let from = BufReader::new(process.stdout.take().expect("its output"));
        Child { process, to, from }
    }

    /// Says a line to it.
    pub(crate) fn tell(&mut self, line: &str) {
        let to = self.to.as_mut().expect("it listens");
        writeln!(to, "{line}").and_then(|()| to.flush()).expect("it listens");
    }

    /// The next line that it says; none when it has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).expect("its output is text") == 0 {
                return None;
            }
            // The harness leaves its own line open before the first of ours. A line without its
            // end was cut by a kill.
            if let Some(at) = line.find(MARK)
                && line.ends_with('\n')
            {
                return Some(line[at + MARK.len()..].trim_end().to_owned());
            }
        }
    }

    /// Hears exactly this.
    pub(crate) fn expect(&mut self, expected: &str) {
        assert_eq!(self.hear().as_deref(), Some(expected));
    }

    /// Kills it where it stands (SIGKILL), and returns what it had still said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.process.kill().expect("it is there to be killed");
        self.process.wait().expect("it ends");
        std::iter::from_fn(|| self.hear()).collect()
    }

    /// Lets it end, which it must do well.
    pub(crate) fn end(mut self) {
        drop(self.to.take());
        while self.hear().is_some() {}
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "the child failed: {status}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
