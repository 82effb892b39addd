//! All conformance cases, and the runner itself: what it does with cases that fail.

#[path = "../examples/support/conformance/mod.rs"]
mod conformance;

use std::path::{Path, PathBuf};

use conformance::cases;
use conformance::command::{self, BAD_USAGE, FAILED, PASSED};
use conformance::datasets::shared_or_copy;
use serde_json::{Value as Json, json};

const PUBLIC_CASES: usize = 300;
const CHINOOK_CASES: usize = 50;

fn file(name: &str) -> PathBuf {
    shared_or_copy("conformance", name)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Runs a command line; returns its status and what it printed.
fn run(arguments: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    let status = command::main(arguments, &mut out, &mut err).expect("writing to memory works");
    let printed = |bytes| String::from_utf8(bytes).expect("the runner prints text");
    (status, printed(out), printed(err))
}

/// A file of its own for a test, below the directory that cargo provides.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn write_cases(name: &str, cases: &[Json]) -> PathBuf {
    let lines: Vec<String> = cases.iter().map(Json::to_string).collect();
    let path = scratch(name);
    std::fs::write(&path, lines.join("\n")).expect("the scratch directory can be written");
    path
}

/// A case with one insertion. Its ids go beyond what a double tells apart only where it should.
fn small_case() -> Json {
    json!({
        "id": "small",
        "schema": {"tables": {"t": {
            "columns": {"id": {"type": "number"}, "j": {"type": "json", "optional": true}},
            "primaryKey": ["id"],
        }}},
        "rows": {"t": [{"id": 2, "j": null}]},
        "ast": {"table": "t"},
        "format": {"singular": false, "relationships": {}},
        "steps": [
            [{"op": "add", "table": "t", "row": {"id": 1, "j": {"b": [1, 2], "a": 0.5}}}],
            [
                {"op": "edit", "table": "t", "row": {"id": 3, "j": null}, "oldRow": {"id": 2, "j": null}},
                {"op": "remove", "table": "t", "row": {"id": 1, "j": {"b": [1, 2], "a": 0.5}}},
            ],
        ],
        "initial": [{"j": null, "id": 2}],
        "after": [
            [{"id": 1.0, "j": {"a": 0.5, "b": [1, 2]}}, {"id": 2, "j": null}],
            [{"id": 3, "j": null}],
        ],
    })
}

fn check_all(name: &str, count: usize) {
    let path = file(name);
    assert_eq!(cases::read_file(&path).expect("the cases can be read").len(), count);
    for source in ["memory", "sqlite"] {
        let (status, out, err) = run(&[&text(&path), "--check-fresh", "--source", source]);
        assert_eq!((out.as_str(), err.as_str()), (&*format!("{count} passed, 0 failed\n"), ""));
        assert_eq!(status, PASSED);
    }
}

#[test]
fn all_generated_cases_pass() {
    check_all("public.jsonl", PUBLIC_CASES);
}

#[test]
fn all_chinook_cases_pass() {
    check_all("chinook-public.jsonl", CHINOOK_CASES);
}

#[test]
fn the_files_may_be_given_together() {
    let small = text(&write_cases("together.jsonl", &[small_case()]));
    let (status, out, _) = run(&[&small, &small, "--source", "memory"]);
    assert_eq!((status, out.as_str()), (PASSED, "2 passed, 0 failed\n"));
}

/// Takes a case through a change and checks how the runner fails it.
fn check_failure(name: &str, doctor: impl FnOnce(&mut Json), expected: &str) {
    let mut case = small_case();
    doctor(&mut case);
    let path = write_cases(&format!("{name}.jsonl"), &[small_case(), case]);
    let (status, out, _) = run(&[&text(&path)]);
    assert_eq!(out, format!("FAIL {expected}\n1 passed, 1 failed\n"));
    assert_eq!(status, FAILED);
}

#[test]
fn wrong_expectations_fail() {
    check_failure(
        "wrong-value",
        |case| case["after"][0][1]["id"] = json!(2.5),
        "small: after step 0, at [1].id: expected 2.5, found 2",
    );
    check_failure(
        "wrong-type",
        |case| case["after"][0][1]["id"] = json!("2"),
        "small: after step 0, at [1].id: expected \"2\", found 2",
    );
    check_failure(
        "wrong-initial",
        |case| case["initial"] = json!([]),
        "small: initially, at [0]: expected nothing, found {\"id\":2,\"j\":null}",
    );
    check_failure(
        "missing-row",
        |case| case["after"][1] = json!([{"id": 3, "j": null}, {"id": 4, "j": null}]),
        "small: after step 1, at [1]: expected {\"id\":4,\"j\":null}, found nothing",
    );
    check_failure(
        "missing-column",
        |case| case["after"][1] = json!([{"id": 3}]),
        "small: after step 1, at [0].j: expected nothing, found null",
    );
    check_failure(
        "wrong-order",
        |case| case["after"][0].as_array_mut().expect("a list").reverse(),
        "small: after step 0, at [0].id: expected 2, found 1",
    );
    check_failure(
        "wrong-kind",
        |case| case["after"][1] = json!(null),
        "small: after step 1, at the whole result: expected null, found [{\"id\":3,\"j\":null}]",
    );
    check_failure(
        "missing-step",
        |case| case["after"] = json!([]),
        "small: the case expects 0 results but has 2 steps",
    );
}

#[test]
fn cases_that_cannot_be_run_fail() {
    check_failure(
        "bad-column",
        |case| case["rows"]["t"][0]["x"] = json!(1),
        "small: table \"t\": column \"x\" is not in table \"t\"; it has: id, j",
    );
    check_failure(
        "bad-key",
        |case| case["steps"][1][1]["row"]["id"] = json!(7),
        "small: step 1: the transaction was given up: table \"t\": there is no row with id = 7 to delete",
    );
    check_failure(
        "bad-operation",
        |case| case["steps"][0][0]["op"] = json!("put"),
        "small: step 0: the transaction was given up: unknown operation \"put\"",
    );
    check_failure(
        "bad-query",
        |case| case["ast"] = json!({"tabel": "t"}),
        &bad_query(&json!({"tabel": "t"})),
    );
    let path = scratch("no-json.jsonl");
    std::fs::write(&path, format!("{}\n\n{{\n", small_case())).expect("a scratch file");
    let (status, out, _) = run(&[&text(&path)]);
    assert!(out.starts_with("FAIL no-json.jsonl:3: not JSON: "), "{out}");
    assert_eq!((status, out.lines().last()), (FAILED, Some("1 passed, 1 failed")));
}

/// What the library says of a query; its wording is tested where it is made.
fn bad_query(ast: &Json) -> String {
    let error = penstock::Query::from_ast(ast).expect_err("no query");
    format!("small: {error}")
}

#[test]
fn unknown_datasets_fail_the_case() {
    let case = json!({"id": "lost", "dataset": "lost", "ast": {"table": "t"}, "steps": []});
    let path = write_cases("lost.jsonl", &[case]);
    let (status, out, _) = run(&[&text(&path), "--data", env!("CARGO_TARGET_TMPDIR")]);
    assert!(out.starts_with("FAIL lost: ") && out.contains("schema.json: "), "{out}");
    assert_eq!(status, FAILED);
}

#[test]
fn cases_without_expectations_are_counted_apart() {
    let mut case = small_case();
    let members = case.as_object_mut().expect("an object");
    members.remove("initial");
    members.remove("after");
    members.remove("format");
    let path = write_cases("unexpecting.jsonl", &[case.clone()]);
    let (status, out, _) = run(&[&text(&path)]);
    let note = "of those passed, 1 ran without error but expect nothing";
    assert_eq!((status, out), (PASSED, format!("1 passed, 0 failed\n{note}\n")));
}

/// Results computed from the inputs alone are what the cases expect, in the file that `--emit`
/// writes too; and cases with those results put in pass.
#[test]
fn emitted_results_are_the_expected_ones() {
    let path = file("public.jsonl");
    let original = std::fs::read_to_string(&path).expect("the cases can be read");
    let cases: Vec<Json> = original
        .lines()
        .take(40)
        .map(|line| serde_json::from_str(line).expect("a case is JSON"))
        .collect();
    let bare: Vec<Json> = cases
        .iter()
        .map(|case| {
            let mut case = case.clone();
            let members = case.as_object_mut().expect("a case is an object");
            members.remove("initial");
            members.remove("after");
            case
        })
        .collect();
    let (bare, emitted) = (write_cases("bare.jsonl", &bare), scratch("emitted.jsonl"));
    let (status, out, _) = run(&[&text(&bare), "--emit", &text(&emitted)]);
    assert_eq!((status, out.lines().next()), (PASSED, Some("40 passed, 0 failed")));

    let emitted = std::fs::read_to_string(emitted).expect("the results were written");
    let results: Vec<Json> =
        emitted.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(results.len(), cases.len());
    let mut filled = cases.clone();
    for ((case, filled), result) in cases.iter().zip(&mut filled).zip(&results) {
        assert_eq!(result["id"], case["id"]);
        let keys: Vec<&String> = result.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["after", "id", "initial"]);
        for key in ["initial", "after"] {
            let difference = conformance::compare::first_difference(&case[key], &result[key]);
            assert_eq!(difference, None, "{}", case["id"]);
            filled[key] = result[key].clone();
        }
    }
    let (status, out, _) = run(&[&text(&write_cases("filled.jsonl", &filled))]);
    assert_eq!((status, out.as_str()), (PASSED, "40 passed, 0 failed\n"));
}

#[test]
fn the_emitted_file_has_a_line_for_a_failing_case() {
    let mut case = small_case();
    case["rows"]["t"][0]["x"] = json!(1);
    let (path, emitted) = (write_cases("broken.jsonl", &[case]), scratch("broken-out.jsonl"));
    let (status, ..) = run(&[&text(&path), "--emit", &text(&emitted)]);
    let line = std::fs::read_to_string(emitted).expect("the results were written");
    let line: Json = serde_json::from_str(&line).expect("JSON");
    assert_eq!((status, &line["id"]), (FAILED, &json!("small")));
    assert_eq!(line["error"], "table \"t\": column \"x\" is not in table \"t\"; it has: id, j");
}

#[test]
fn command_lines_are_checked() {
    for (arguments, problem) in [
        (vec![], "no file with cases was named"),
        (vec!["x.jsonl", "--fast"], "unknown option --fast"),
        (vec!["x.jsonl", "--data"], "--data needs a directory"),
        (
            vec!["x.jsonl", "--source", "cards"],
            "there is no source \"cards\", only memory and sqlite",
        ),
    ] {
        let (status, out, err) = run(&arguments);
        assert_eq!((status, out.as_str()), (BAD_USAGE, ""));
        assert_eq!(err, format!("{problem}; --help shows the usage\n"));
    }
    let (status, out, err) = run(&["no-such-file.jsonl"]);
    assert_eq!((status, out.as_str()), (BAD_USAGE, ""));
    assert!(err.starts_with("cannot read no-such-file.jsonl: "), "{err}");
    let empty = write_cases("empty.jsonl", &[]);
    assert_eq!(run(&[&text(&empty)]).0, BAD_USAGE);
    let (status, out, err) = run(&["--help"]);
    assert_eq!((status, err.as_str()), (PASSED, ""));
    assert!(out.contains("usage: conformance FILE.jsonl…"), "{out}");
}
