//! The command-line tool, run as a user runs it.

#[path = "cli/tool.rs"]
mod tool;

use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use tool::{File, Watch, once, run};

#[test]
fn a_result_is_printed_as_a_table_and_as_json() {
    let file = File::new();
    let sql = "SELECT id, title, done, cost FROM task ORDER BY id";
    assert_eq!(
        once(&file, sql, &[]),
        "\
id  title             done   cost
──  ────────────────  ─────  ────
 1  water the plants  false   1.5
 2  fix the tap       false  20.0
 3  NULL              false  NULL
"
    );
    assert_eq!(
        once(&file, sql, &["--json"]),
        "{\"result\":[\
         {\"id\":1,\"title\":\"water the plants\",\"done\":false,\"cost\":1.5},\
         {\"id\":2,\"title\":\"fix the tap\",\"done\":false,\"cost\":20},\
         {\"id\":3,\"title\":null,\"done\":false,\"cost\":null}]}\n"
    );
    assert_eq!(once(&file, "SELECT id FROM task WHERE done", &[]), "id\n──\n(no rows)\n");
}

#[test]
fn nested_lists_are_indented() {
    let file = File::new();
    let sql = "SELECT id, title, \
               ARRAY(SELECT text FROM note WHERE note.task = task.id ORDER BY id) AS notes \
               FROM task WHERE owner = 7 ORDER BY id";
    assert_eq!(
        once(&file, sql, &[]),
        "\
id  title
──  ────────────────
 1  water the plants
    notes:
      text
      ──────────────
      not the cactus
      twice
 3  NULL
"
    );
    let json: Json = serde_json::from_str(&once(&file, sql, &["--json"])).expect("JSON");
    assert_eq!(
        json["result"][0],
        json!({"id": 1, "title": "water the plants",
               "notes": [{"text": "not the cactus"}, {"text": "twice"}]})
    );
    assert_eq!(json["result"][1]["notes"], json!([]));
}

#[test]
fn parameters_have_types_numbers_and_names() {
    let file = File::new();
    let ids = |sql: &str, params: &[&str]| {
        let options: Vec<&str> = params.iter().flat_map(|value| ["--param", *value]).collect();
        let out = once(&file, sql, &[&options[..], &["--json"]].concat());
        let json: Json = serde_json::from_str(&out).expect("JSON");
        let rows = json["result"].as_array().expect("rows");
        rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect::<Vec<_>>()
    };
    let by = |condition: &str| format!("SELECT id FROM task WHERE {condition} ORDER BY id");
    assert_eq!(ids(&by("owner = ?"), &["7"]), [1, 3]);
    assert_eq!(ids(&by("owner = ?2 AND id > ?1"), &["1", "7"]), [3]);
    assert_eq!(ids(&by("owner = :who AND id < :below"), &["below=2", ":who=7"]), [1]);
    assert_eq!(ids(&by("title = ?"), &["fix the tap"]), [2]);
    assert_eq!(ids(&by("cost > ?"), &["-0.5"]), [1, 2]);
    assert_eq!(ids(&by("title IS ?"), &["null"]), [3]);
    assert_eq!(ids(&by("done = ?"), &["false"]), [1, 2, 3]);
    assert_eq!(ids(&by("title || ? = 'fix the tap7'"), &["'7'"]), [2]);
}

#[test]
fn changes_of_another_connection_follow_as_json() {
    let file = File::new();
    let sql = "SELECT id, title FROM task WHERE owner = 7 ORDER BY title, id";
    let mut watch = Watch::start(&file, sql, &["--json", "--limit-changes", "3"]);
    let result = watch.json();
    assert_eq!(
        result,
        json!({"result": [{"id": 3, "title": null}, {"id": 1, "title": "water the plants"}]})
    );
    let other = file.connect();
    other
        .execute_batch("INSERT INTO task (id, title, owner) VALUES (4, 'a', 7), (5, 'b', 8)")
        .expect("an insert");
    let changes = watch.json();
    assert_eq!(
        changes["changes"],
        json!([{"op": "insert", "path": [], "row": {"id": 4, "title": "a"}}])
    );
    assert!(changes["version"].is_u64());
    other.execute_batch("UPDATE task SET title = 'z' WHERE id = 4").expect("an update");
    assert_eq!(
        watch.json()["changes"],
        json!([{"op": "move", "path": [], "row": {"id": 4, "title": "z"},
                "old": {"id": 4, "title": "a"}}])
    );
    other.execute_batch("DELETE FROM task WHERE id = 1").expect("a delete");
    assert_eq!(
        watch.json()["changes"],
        json!([{"op": "remove", "path": [], "old": {"id": 1, "title": "water the plants"}}])
    );
    assert_eq!(watch.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn changes_of_another_connection_follow_as_lines() {
    let file = File::new();
    let sql = "SELECT owner, COUNT(*) AS tasks FROM task GROUP BY owner ORDER BY owner";
    let mut watch = Watch::start(&file, sql, &["--limit-changes", "2"]);
    let table: Vec<String> = (0..4).map(|_| watch.line()).collect();
    assert_eq!(table, ["owner  tasks", "─────  ─────", "    7      2", "    8      1"]);
    let other = file.connect();
    other.execute_batch("INSERT INTO task (title, owner) VALUES ('c', 7)").expect("an insert");
    assert_eq!(watch.line(), "~ owner: 7: tasks 2 → 3");
    other.execute_batch("UPDATE task SET owner = 9 WHERE owner = 8").expect("an update");
    let (code, out, err) = watch.end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "── 2 changes in one transaction\n- owner: 8, tasks: 1\n+ owner: 9, tasks: 1\n"
    );
}

#[test]
fn a_watch_ends_after_its_time() {
    let file = File::new();
    let (code, out, err) = Watch::start(&file, "SELECT id FROM task", &["--for", "50ms"]).end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("id\n"), "{out}");
}

#[test]
fn a_reader_that_goes_away_ends_the_watch_quietly() {
    let file = File::new();
    let mut watch = Watch::start(&file, "SELECT id, cost FROM task", &["--json"]);
    assert!(watch.json()["result"].is_array());
    let mut errors = watch.process.stderr.take().expect("its errors");
    let Watch { process, out } = &mut watch;
    // Another reader in its place: dropping the first closes the pipe.
    let nothing = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .arg("--version")
        .stdout(Stdio::piped())
        .spawn()
        .and_then(|mut other| {
            other.wait()?;
            Ok(BufReader::new(other.stdout.take().expect("its output")))
        })
        .expect("the tool runs");
    drop(std::mem::replace(out, nothing));
    let other = file.connect();
    let status = loop {
        other.execute_batch("UPDATE task SET cost = cost + 1").expect("an update");
        if let Some(status) = process.try_wait().expect("a process") {
            break status;
        }
    };
    let mut err = String::new();
    errors.read_to_string(&mut err).expect("text");
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_its_place() {
    let file = File::new();
    let fails = |sql: &str| {
        let (code, out, err) = run(&["watch", file.path(), sql, "--once"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{sql}: {err}");
        assert!(err.starts_with("penstock: "), "{err}");
        err
    };
    let unknown = fails("SELECT id, titel FROM task");
    assert!(unknown.contains("did you mean \"title\""), "{unknown}");
    assert!(unknown.ends_with("\n  SELECT id, titel FROM task\n             ^\n"), "{unknown}");
    let syntax = fails("SELECT id\nFROM task WHERE");
    assert!(syntax.contains("line 2, column "), "{syntax}");
    let refused = fails("SELECT row_number() OVER (ORDER BY id) FROM task");
    assert!(refused.contains("window") && refused.contains('^'), "{refused}");
    let no_key = fails("SELECT line FROM log");
    assert!(no_key.contains("log") && no_key.contains("key"), "{no_key}");
    let missing = fails("SELECT id FROM task WHERE id = ?1");
    assert!(missing.contains("?1"), "{missing}");
    let write = fails("DELETE FROM task");
    assert!(write.contains("SELECT"), "{write}");
}

#[test]
fn files_that_cannot_be_opened_are_named() {
    let file = File::new();
    let absent = format!("{}.absent", file.path());
    let other = file.directory().join("notes.txt");
    std::fs::write(
        &other,
        "this is no database, but it is long enough to look like one".repeat(40),
    )
    .expect("a file");
    for (path, part) in [
        (absent.as_str(), "cannot open the file"),
        (file.directory().to_str().expect("a path"), "directory"),
        (other.to_str().expect("a path"), "no SQLite database"),
    ] {
        for command in
            [&["tables", path][..], &["explain", path, "SELECT 1"], &["watch", path, "SELECT 1"]]
        {
            let (code, out, err) = run(command);
            assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
            assert!(err.contains(path) && err.contains(part), "{err}");
            assert_eq!(err.lines().count(), 1, "{err}");
        }
    }
    assert!(!Path::new(&absent).exists(), "nothing has been made");
}

#[test]
fn a_command_line_that_cannot_be_followed_is_exit_code_2() {
    let file = File::new();
    let watch = |more: &[&'static str]| {
        [&["watch", file.path(), "SELECT id FROM task"], more].concat().join("\u{1}")
    };
    for (line, part) in [
        (watch(&["--bogus"]), "--bogus"),
        (watch(&["--interval", "5"]), "is not a duration"),
        (watch(&["--json", "--table"]), "cannot be used with"),
        (watch(&["--table"]), "--table needs a terminal"),
        (watch(&["--param", "'x"]), "no matching end"),
        (watch(&["--param", "2=x"]), "?1 is not"),
        ("watch".to_owned(), "required arguments"),
        ("look".to_owned(), "look"),
    ] {
        let arguments: Vec<&str> = line.split('\u{1}').collect();
        let (code, out, err) = run(&arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(part), "{err}");
    }
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("penstock watch app.db"), "{out}");
    let (code, out, _) = run(&["watch", "--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Exit codes: 0 done") && out.contains("--limit-changes"), "{out}");
}

#[test]
fn a_query_is_explained_with_the_index_that_it_lacks() {
    let file = File::new();
    let sql = "SELECT id, title FROM task WHERE owner = ? ORDER BY title LIMIT 2";
    let arguments = ["explain", file.path(), sql, "--param", "7"];
    let (code, out, err) = run(&arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("root ") && out.contains("take 2"), "{out}");
    let advice = out.split("would use:\n").nth(1).expect("an index is missing");
    let statement = advice.trim();
    assert!(statement.starts_with("CREATE INDEX") && statement.contains("owner"), "{out}");
    // The advice can be followed, and then there is none.
    file.connect().execute_batch(statement).expect("the advice is a statement");
    let (_, out, _) = run(&arguments);
    assert!(!out.contains("CREATE INDEX"), "{out}");
    let (code, out, _) = run(&[&arguments[..], &["--json"]].concat());
    assert_eq!(code, Some(0));
    let json: Json = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["root"]["role"], "root");
    assert_eq!(json["root"]["rows"], 2);
    assert_eq!(json["missing_indexes"], json!([]));
}

#[test]
fn tables_are_listed_with_what_cannot_be_queried() {
    let file = File::new();
    let (code, out, err) = run(&["tables", file.path()]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let task = out.split("\n\n").find(|part| part.starts_with("task\n")).expect("the table");
    assert_eq!(
        task,
        "\
task
  id     integer  not null
  title  text
  owner  integer
  done   boolean  not null
  cost   real
  key (id)"
    );
    let refused = out.split("cannot be queried:\n").nth(1).expect("a table without a key");
    assert!(refused.starts_with("  log: ") && refused.contains("key"), "{refused}");
    assert_eq!(refused.lines().count(), 1, "{refused}");
}

#[test]
fn a_table_that_is_dropped_ends_the_watch() {
    let file = File::new();
    let mut watch = Watch::start(&file, "SELECT id FROM task", &["--json"]);
    assert!(watch.json()["result"].is_array());
    file.connect().execute_batch("DROP TABLE task").expect("a drop");
    let (code, _, err) = watch.end();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("\"task\"") && err.contains("has ended"), "{err}");
}
