//! Stops a server whose test was killed before it could.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Error;

/// A shell that reads from a pipe which only we hold: a line tells it that all is done, the pipe's
/// end that we are gone.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

const SCRIPT: &str = "read line && exit; kill -QUIT $1 2>/dev/null; \
                      while kill -0 $1 2>/dev/null; do sleep 0.1; done; rm -rf \"$2\"";

impl Watchdog {
    /// Watches over a server's process and its folder.
    pub(crate) fn over(process: u32, folder: &Path) -> Result<Watchdog, Error> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "watchdog"]).arg(process.to_string()).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Watchdog).map_err(|error| Error::new("/bin/sh", error))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
