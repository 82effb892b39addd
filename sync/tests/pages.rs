//! The pages: the example in a real browser, the page for operators, and who may look at it.
//!
//! `PENSTOCK_CHROMIUM` names the browser, else it is looked for; with `PENSTOCK_SCREENSHOTS` pictures of
//! the pages are left in that folder.

#[path = "../examples/sync-server/tracker/mod.rs"]
mod tracker;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;

use serde_json::Value as Json;
use tracker::command::Tracker;

fn browser_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/browser")
}

/// A program on the path.
fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |of| of.join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// Browsers are large: there is one at a time.
static BROWSER: Mutex<()> = Mutex::new(());

/// Lets a browser go through a scenario; each line that it prints is something that held.
fn drive(scenario: &str, trickle: u32) -> Vec<String> {
    let chromium = std::env::var_os("PENSTOCK_CHROMIUM").map(PathBuf::from);
    let chromium = chromium.or_else(|| find(&["chromium", "chromium-browser", "google-chrome"]));
    let chromium = chromium.expect("Chromium is missing: run tests/run, or install it");
    let node = find(&["node"]).expect("Node is missing: run tests/run, or install it");
    let library = browser_folder().join("node_modules/playwright-core");
    assert!(library.exists(), "run tests/run, or `npm ci` in tests/browser");
    // Another that has failed has left nothing behind.
    let _one = BROWSER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let tracker = Tracker::start(0, trickle).expect("the example starts");
    let mut command = Command::new(node);
    command.arg("run.mjs").arg(scenario).arg(format!("http://{}", tracker.address()));
    command.arg(chromium).current_dir(browser_folder());
    if let Some(folder) = std::env::var_os("PENSTOCK_SCREENSHOTS") {
        command.arg(std::path::absolute(folder).expect("a path"));
    }
    let output = command.output().expect("Node runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    tracker.stop();
    assert!(output.status.success(), "{scenario}\n{said}\n{problem}");
    said.lines().filter_map(|line| line.strip_prefix("ok: ")).map(str::to_owned).collect()
}

#[test]
fn two_pages_of_the_tracker_follow_each_other() {
    let held = drive("tracker", 0);
    assert_eq!(held.len(), 10, "{held:?}");
}

#[test]
fn the_page_for_operators_shows_what_is_going_on() {
    let held = drive("inspect", 0);
    assert_eq!(held.len(), 5, "{held:?}");
}

#[test]
fn the_pages_fit_their_windows() {
    let held = drive("looks", 0);
    assert_eq!(held.len(), 2, "{held:?}");
}

#[test]
fn the_example_checks_itself() {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let arguments = ["--check", "--trickle", "20"].map(str::to_owned);
    let code = tracker::command::main(arguments.into_iter(), &mut out, &mut errors);
    let (out, errors) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&errors));
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "{errors}");
    assert!(out.starts_with("two clients of "), "{out}");
    assert!(out.contains("an edit arrived, a wrong one was refused"), "{out}");
}

#[test]
fn its_database_is_gone_at_the_end() {
    let tracker = Tracker::start(0, 0).expect("the example starts");
    let path = tracker.path();
    assert!(path.exists());
    tracker.stop();
    assert!(!path.exists() && !path.parent().expect("a folder").exists());
}

/// The status code and the body of an answer.
fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut connection = TcpStream::connect(address).expect("a connection");
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(connection, "GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
    (code, body.to_owned())
}

#[test]
fn operators_pages_are_for_this_machine_only() {
    let tracker = Tracker::start(0, 0).expect("the example starts");
    let address = tracker.address();
    let here = address.to_string();
    for path in ["/inspect", "/inspect.js", "/inspect.css", "/inspect.json"] {
        assert_eq!(ask(address, path, &[("Host", &here)]).0, 200, "{path}");
        // A name that somebody else has made to lead here.
        let (code, text) = ask(address, path, &[("Host", "evil.example")]);
        assert_eq!((code, text.contains("only for this machine")), (403, true), "{path}");
        let passed_on = [("Host", here.as_str()), ("X-Forwarded-For", "192.0.2.1")];
        assert_eq!(ask(address, path, &passed_on).0, 403, "{path}");
    }
    let watch = "/inspect/watch?sql=SELECT%201";
    assert_eq!(ask(address, watch, &[("Host", "evil.example")]).0, 403);
    let foreign = [("Host", here.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(ask(address, watch, &foreign).0, 403);
    assert_eq!(ask(address, "/inspect/watch", &[("Host", &here)]).0, 400);
    tracker.stop();
}

#[test]
fn the_report_for_operators_is_whole() {
    let tracker = Tracker::start(0, 0).expect("the example starts");
    let address = tracker.address();
    let (code, body) = ask(address, "/inspect.json", &[("Host", &address.to_string())]);
    assert_eq!(code, 200);
    let report: Json = serde_json::from_str(&body).expect("JSON");
    let tables: Vec<&str> = report["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .filter_map(|of| of["name"].as_str())
        .collect();
    assert_eq!(tables, ["user", "label", "issue", "issue_label", "comment", "trickle"]);
    for number in ["nowMs", "startedMs", "databaseVersion", "live_queries"] {
        assert!(report[number].is_u64(), "{number}: {report}");
    }
    tracker.stop();
}
