//! The process in which the published client runs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};

use serde_json::{Value as Json, json};

use crate::support::server::LONG;

/// What to run where the published client is missing.
const HINT: &str =
    "the published client is not installed: run tests/run, or `npm ci` in tests/zero-client";

type Answers = BTreeMap<u64, mpsc::Sender<Result<Json, String>>>;

/// One process for all tests of this binary; it ends with it.
struct Driver {
    input: Mutex<std::process::ChildStdin>,
    answers: &'static Mutex<Answers>,
    next: AtomicU64,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/zero-client")
}

impl Driver {
    fn start() -> Self {
        let node = folder().join("node_modules/node/bin/node");
        let client = folder().join("node_modules/@rocicorp/zero/package.json");
        assert!(node.exists() && client.exists(), "{HINT}");
        let mut child = Command::new(node)
            .arg("driver.mjs")
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let answers: &'static Mutex<Answers> = Box::leak(Box::default());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // What is no answer was printed by a library.
                let Ok(mut answer) = serde_json::from_str::<Json>(&line) else { continue };
                let Some(id) = answer["id"].as_u64() else { continue };
                let result = match answer["error"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(answer["ok"].take()),
                };
                let waiting = answers.lock().expect("no holder panics").remove(&id);
                let _ = waiting.map(|waiting| waiting.send(result));
            }
            // Nobody will be answered any more.
            answers.lock().expect("no holder panics").clear();
            let _ = child.wait();
        });
        Self { input: Mutex::new(input), answers, next: AtomicU64::new(1) }
    }

    fn call(&self, mut command: Json) -> Result<Json, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        command["id"] = id.into();
        let (sender, receiver) = mpsc::channel();
        self.answers.lock().expect("no holder panics").insert(id, sender);
        {
            let mut input = self.input.lock().expect("no holder panics");
            writeln!(input, "{command}").expect("the driver runs");
        }
        receiver.recv_timeout(LONG).unwrap_or_else(|_| panic!("no answer to {command}"))
    }
}

/// Runs a command and returns its answer, or the text of its error.
pub(crate) fn call(command: Json) -> Result<Json, String> {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(Driver::start).call(command)
}

/// A name that no other client of this process has.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("c{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn errors_of_commands_are_told() {
    assert_eq!(call(json!({"do": "nothing"})), Err("no command is named nothing".to_owned()));
    let missing = call(json!({"do": "state", "client": "nobody"}));
    assert_eq!(missing, Err("no client is named nobody".to_owned()));
}
