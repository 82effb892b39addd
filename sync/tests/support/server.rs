//! The server as a process of its own, in a folder of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Longer than anything takes; only a failing test waits so long.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A folder that is removed with its value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let unique = format!("{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that is running, or was.
pub(crate) struct Server {
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    binary: &'static str,
    child: Option<Child>,
    port: u16,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Serves an SQLite file, with further arguments.
    pub(crate) fn sqlite(file: &Path, more: &[&str]) -> Self {
        Self::sqlite_with(file, more, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn sqlite_with(
        file: &Path,
        more: &[&str],
        environment: &[(&'static str, String)],
    ) -> Self {
        let binary = env!("CARGO_BIN_EXE_penstock-sqlite-sync");
        Self::run(binary, &[&file.to_string_lossy()], more, environment)
    }

    /// Serves a Postgres database, with further arguments.
    pub(crate) fn postgres(url: &str, more: &[&str]) -> Self {
        Self::postgres_with(url, more, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn postgres_with(
        url: &str,
        more: &[&str],
        environment: &[(&'static str, String)],
    ) -> Self {
        let binary = env!("CARGO_BIN_EXE_penstock-postgres-sync");
        Self::run(binary, &["serve", url], more, environment)
    }

    /// The same, as it listens and before it is ready.
    pub(crate) fn postgres_unready(url: &str, more: &[&str]) -> Self {
        let binary = env!("CARGO_BIN_EXE_penstock-postgres-sync");
        let mut server = Self::prepared(binary, &["serve", url], more, &[]);
        server.start_only();
        server
    }

    fn run(
        binary: &'static str,
        first: &[&str],
        more: &[&str],
        environment: &[(&'static str, String)],
    ) -> Self {
        let mut server = Self::prepared(binary, first, more, environment);
        server.start();
        server
    }

    fn prepared(
        binary: &'static str,
        first: &[&str],
        more: &[&str],
        environment: &[(&'static str, String)],
    ) -> Self {
        let arguments = [first, &["--port", "0"], more].concat();
        Self {
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            environment: environment.to_vec(),
            binary,
            child: None,
            port: 0,
            said: Arc::new(Mutex::new(String::new())),
        }
    }

    /// Starts it, at a port that the system chooses, and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.start_only();
        super::http::until(&format!("readiness; it said {}", self.said()), || {
            super::http::get(self.port, "/readyz").filter(|(code, ..)| *code == 200)
        });
    }

    /// Starts it, at a port that the system chooses, and waits until it listens.
    pub(crate) fn start_only(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let mut command = Command::new(self.binary);
        command.args(&self.arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ours = |name: &String| {
            ["ZERO_", "PENSTOCK_", "DATABASE_URL"].iter().any(|start| name.starts_with(start))
        };
        for name in std::env::vars().map(|(name, _)| name).filter(ours) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the server starts");
        let (sender, receiver) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let errors = BufReader::new(child.stderr.take().expect("its errors"));
        let said = Arc::clone(&self.said);
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut said = said.lock().expect("no reader panics");
                said.push_str(&line);
                said.push('\n');
            }
        });
        self.child = Some(child);
        loop {
            let line = receiver.recv_timeout(LONG);
            let line = line.unwrap_or_else(|_| panic!("it does not listen: {}", self.said()));
            let address = line.split_once("http://").map(|(_, rest)| rest.trim());
            let port = address.and_then(|address| address.rsplit(':').next());
            if let Some(port) = port.and_then(|port| port.trim_end_matches('/').parse().ok()) {
                self.port = port;
                return;
            }
        }
    }

    /// Ends it as an operator would, and waits for its end.
    pub(crate) fn stop(&mut self) {
        self.signal();
        self.wait();
    }

    /// Tells it to end.
    pub(crate) fn signal(&self) {
        let Some(child) = &self.child else { return };
        let id = rustix::process::Pid::from_child(child);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }

    /// Waits for its end; its exit code, if it has one.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.take()?.wait().ok()?.code()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.kill();
        let _ = child.wait();
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// The port of the last start.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has written to its standard error.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no writer panics").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the server said: {}", self.said());
        }
    }
}
