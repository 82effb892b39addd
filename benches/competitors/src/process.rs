//! Processes that may not take for ever.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a process ended.
#[derive(Debug, PartialEq)]
pub enum Ended {
    /// With success, and what it printed.
    Printed(String),
    /// It was ended after its time.
    TimedOut,
    /// Without success.
    Failed(String),
}

/// Runs a command to its end, or ends it after `limit`. Its standard error goes to ours.
pub fn run(command: &mut Command, limit: Duration) -> Ended {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Ended::Failed(format!("cannot start {command:?}: {error}")),
    };
    let Some(mut output) = child.stdout.take() else {
        return Ended::Failed("the process has no output".to_owned());
    };
    let reader = thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                // It may have ended just now; either way it is gone after the wait.
                let _ = child.kill();
                let _ = child.wait();
                return Ended::TimedOut;
            }
            Err(error) => return Ended::Failed(error.to_string()),
        }
    };
    match reader.join() {
        Ok(Ok(text)) if status.success() => Ended::Printed(text),
        Ok(Err(error)) => Ended::Failed(error.to_string()),
        _ => Ended::Failed(format!("the process failed: {status}")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Ended, run};

    #[test]
    fn a_process_prints_fails_or_is_ended() {
        let long = Duration::from_secs(60);
        let shell = |script| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        assert_eq!(run(&mut shell("echo done"), long), Ended::Printed("done\n".to_owned()));
        assert!(matches!(run(&mut shell("exit 3"), long), Ended::Failed(_)));
        assert_eq!(run(Command::new("sleep").arg("600"), Duration::ZERO), Ended::TimedOut);
        let missing = run(&mut Command::new("no-such-program-anywhere"), long);
        assert!(matches!(missing, Ended::Failed(problem) if problem.starts_with("cannot start")));
    }
}
