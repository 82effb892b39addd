//! The tool against a real server.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use penstock_postgres_harness::{Server, until};
use serde_json::Value as Json;

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(120);

fn tool(server: &Server, command: &str, arguments: &[&str]) -> Command {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_penstock-postgres-sync"));
    tool.arg(command).arg(server.url()).args(arguments).env_remove("DATABASE_URL");
    tool
}

fn server() -> Server {
    let server = Server::fast().expect("a server");
    server
        .sql(
            "create table task(id int primary key, title text, done bool);
             insert into task values (1, 'water the plants', false), (2, 'sleep', true)",
        )
        .expect("a table");
    server
}

#[test]
fn a_result_and_its_changes_are_printed_and_nothing_is_left_behind() {
    let server = server();
    let sql = "SELECT id, title FROM task WHERE done = :done ORDER BY id";
    let arguments = [sql, "--param", "done=false", "--json", "--temporary", "--limit-changes", "2"];
    let mut child = tool(&server, "watch", &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let next = || -> Json {
        let line = receiver.recv_timeout(LONG).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(next()["result"], serde_json::json!([{"id": 1, "title": "water the plants"}]));
    server.sql("insert into task values (3, 'eat', false)").expect("a change");
    assert_eq!(next()["changes"][0]["row"]["title"], "eat");
    server
        .sql("alter table task add column more int; update task set done = true where id = 1")
        .expect("a change");
    let change = next();
    assert_eq!(change["changes"][0]["op"], "remove", "{change}");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for what in ["pg_replication_slots", "pg_publication"] {
        assert_eq!(server.value(&format!("select count(*) from {what}")).expect("a count"), "0");
    }
}

/// The status code and the body of an answer.
fn ask(address: &str, path: &str) -> (u16, String) {
    let mut connection = std::net::TcpStream::connect(address).expect("a connection");
    write!(connection, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
    (code, body.to_owned())
}

#[test]
fn health_and_metrics_are_answered_while_it_watches() {
    let server = server();
    let arguments =
        ["SELECT * FROM task", "--temporary", "--http", "127.0.0.1:0", "--limit-changes", "1"];
    let mut child = tool(&server, "watch", &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool");
    let mut errors = BufReader::new(child.stderr.take().expect("its messages"));
    let mut address = String::new();
    while !address.contains("answering at http://") {
        address.clear();
        assert!(errors.read_line(&mut address).expect("a line") > 0, "it ended without an address");
    }
    let address = address.split("http://").nth(1).and_then(|rest| rest.split(": ").next());
    let address = address.expect("an address").to_owned();
    until("the tables are copied", || ask(&address, "/readyz").0 == 200);
    let (code, body) = ask(&address, "/healthz");
    let health: Json = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (code, &health["phase"], &health["lastError"]),
        (200, &"streaming".into(), &Json::Null)
    );
    let (code, metrics) = ask(&address, "/metrics");
    assert_eq!(code, 200);
    let copied =
        metrics.lines().find(|line| line.starts_with("penstock_replication_tables_copied_total{"));
    assert!(copied.is_some_and(|line| line.ends_with("\"} 1")), "{metrics}");
    until("the stream is in the metrics", || {
        ask(&address, "/metrics").1.contains("penstock_replication_lag_bytes{")
    });
    assert_eq!(ask(&address, "/other").0, 404);
    server.sql("insert into task values (9, 'the last', false)").expect("a change");
    assert!(child.wait().expect("its end").success());
}

#[test]
fn a_copy_is_verified_and_kept_in_a_file() {
    let server = server();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sync-copy.db");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    let file = file.to_str().expect("a plain path");
    let output = tool(&server, "copy", &["--replica", file, "--verify"]).output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.starts_with("copied 1 tables, 2 rows, 0.0 MB in "), "{text}");
    assert!(text.contains("equal    public.task: 2 rows, "), "{text}");
    server.sql("insert into task values (4, 'later', false)").expect("a change");
    let arguments =
        ["SELECT count(*) AS n FROM task", "--replica", file, "--json", "--limit-changes", "1"];
    let output =
        tool(&server, "watch", &arguments).arg("--for").arg("5s").output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("{\"n\":3}"), "{text}");
    let output = tool(&server, "tear-down", &[]).output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("removed the slot penstock"), "{text}");
    let output = tool(&server, "tear-down", &[]).output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "there was nothing to remove\n");
}

#[test]
fn what_is_missing_is_said_with_an_exit_code() {
    let server = server();
    let output = tool(&server, "doctor", &[]).output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    server.sql("create table bare(v int)").expect("a table");
    let output = tool(&server, "doctor", &[]).output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("PROBLEM") && text.contains("bare"), "{text}");
    let output =
        tool(&server, "watch", &["SELECT 1 FROM nowhere", "--temporary", "--table", "task"]);
    let output = { output }.output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("there is no table \"nowhere\""), "{text}");
    let output = tool(&server, "watch", &["SELECT 1", "--table", "."]).output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
}
