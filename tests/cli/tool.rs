//! Running the tool over a file of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;
use serde_json::Value as Json;

const TABLES: &str = "
PRAGMA journal_mode = WAL;
CREATE TABLE task (
  id INTEGER PRIMARY KEY, title TEXT, owner INTEGER, done BOOLEAN NOT NULL DEFAULT 0, cost REAL
);
CREATE TABLE note (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE log (line TEXT);
INSERT INTO task (id, title, owner, cost) VALUES
  (1, 'water the plants', 7, 1.5), (2, 'fix the tap', 8, 20), (3, NULL, 7, NULL);
INSERT INTO note (task, text) VALUES (1, 'not the cactus'), (1, 'twice');
";

/// A file of its own, removed at the end.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new() -> File {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("penstock-cli-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).expect("a directory of its own");
        let file = File(directory.join("app.db"));
        file.connect().execute_batch(TABLES).expect("the tables");
        file
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("a path that is text")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.parent().expect("a directory")
    }

    /// Another connection to it.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.0).expect("the file")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.directory());
    }
}

pub(crate) fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end; returns the exit code and what it printed.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = tool(arguments).output().expect("the tool runs");
    let text = |bytes| String::from_utf8(bytes).expect("the tool prints text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub(crate) fn once(file: &File, sql: &str, more: &[&str]) -> String {
    let arguments = [&["watch", file.path(), sql, "--once"], more].concat();
    let (code, out, err) = run(&arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{sql}");
    out
}

/// A watch that goes on until it is told to end.
pub(crate) struct Watch {
    pub(crate) process: Child,
    pub(crate) out: BufReader<ChildStdout>,
}

impl Watch {
    pub(crate) fn start(file: &File, sql: &str, more: &[&str]) -> Watch {
        let arguments = [&["watch", file.path(), sql, "--interval", "5ms"], more].concat();
        let mut process = tool(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool runs");
        let out = BufReader::new(process.stdout.take().expect("its output"));
        Watch { process, out }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("text");
        line.trim_end_matches('\n').to_owned()
    }

    pub(crate) fn json(&mut self) -> Json {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// Waits for its end; returns the exit code, the rest of its output, and its errors.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).expect("text");
        let mut errors = self.process.stderr.take().expect("its errors");
        errors.read_to_string(&mut err).expect("text");
        (self.process.wait().expect("it ends").code(), out, err)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
