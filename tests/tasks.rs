//! The task list, run as it would be from a command line and drawn as it would be on screens of
//! several sizes.

#[path = "../examples/tasks/mod.rs"]
mod tasks;

use tasks::command::{self, BAD_USAGE, DONE, FAILED};
use tasks::draw::{Look, Picture, lines};
use tasks::store::Scratch;
use tasks::views::{Note, Priority, Project, Shown, Task, VIEWS};
use unicode_width::UnicodeWidthStr;

/// How many edits the script makes.
const STEPS: usize = 10;

/// Runs a command line without a terminal; returns its status and what it printed.
fn run(arguments: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    let status = command::main(arguments, false, &mut out, &mut err);
    let printed = |bytes| String::from_utf8(bytes).expect("the example prints text");
    (status.expect("writing to memory works"), printed(out), printed(err))
}

#[test]
fn results_stay_equal_to_fresh_ones() {
    let (status, out, err) = run(&["--check"]);
    assert_eq!((status, err.as_str()), (DONE, ""));
    let checked = format!("checked {} results: all equal", STEPS * VIEWS);
    assert_eq!(out.lines().last(), Some(&*checked));
    // Every edit but the one that is taken back changes something.
    let steps: Vec<&str> = out.split("\n\n").filter(|part| part.contains(". ")).collect();
    let silent: Vec<&&str> = steps.iter().filter(|step| step.lines().count() == 1).collect();
    assert_eq!(silent.len(), 1, "{silent:?}");
    assert!(silent[0].contains("and then not"));
}

#[test]
fn both_panes_and_the_changes_are_printed() {
    let (status, out, err) = run(&["--script"]);
    assert_eq!((status, err.as_str()), (DONE, ""));
    for part in [
        "\n  sqlite3 ",
        "\"UPDATE task SET done = NOT done WHERE id = 1\"\n",
        "Open tasks\n  1 2026-06-02  Water the tomatoes  (Garden)\n      not the ones under glass\n",
        "Projects\n  Garden   1 of 3 done, next 2026-06-02\n",
        "Priorities\n  1 3 open, first 2026-06-02\n",
        "\n   tasks       + id: 10, title: \"Mow the lawn\"",
        "\n   projects    ",
        "tasks 3 → 4",
        "\"two photographs\"",
    ] {
        assert!(out.contains(part), "{part:?} is missing in:\n{out}");
    }
    assert!(!out.contains('\x1b'));
}

#[test]
fn a_file_is_made_once_and_kept() {
    let file = Scratch::new();
    let path = file.path().to_str().expect("a path that is text");
    let (status, first, err) = run(&[path]);
    assert_eq!((status, err.as_str()), (DONE, ""));
    assert!(first.contains(&format!("The file is {path}.")));
    let db = rusqlite::Connection::open(path).expect("the file is there");
    let done: i64 = db
        .query_row("SELECT COUNT(*) FROM task WHERE done", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(done, 4);
}

#[test]
fn command_lines_are_checked() {
    for (arguments, problem) in [
        (&["--fast"][..], "unknown option --fast"),
        (&["a.db", "b.db"], "one file is enough, and b.db is another"),
    ] {
        let (status, out, err) = run(arguments);
        assert_eq!((status, out.as_str()), (BAD_USAGE, ""));
        assert_eq!(err, format!("{problem}; --help shows the usage\n"));
    }
    let (status, out, _) = run(&["--help"]);
    assert_eq!(status, DONE);
    assert!(out.contains("usage: tasks [options] [FILE]"));
}

#[test]
fn a_file_that_holds_something_else_is_left_alone() {
    let file = Scratch::new();
    let path = file.path().to_str().expect("a path that is text");
    rusqlite::Connection::open(path)
        .and_then(|db| db.execute_batch("CREATE TABLE other (id INTEGER PRIMARY KEY)"))
        .expect("a file");
    let (status, out, err) = run(&[path]);
    assert_eq!((status, out.as_str()), (FAILED, ""));
    assert!(err.contains("has no task list in it"), "{err}");
}

fn shown() -> Shown {
    let task =
        |id: i64, title: &str, priority, due: Option<&str>, project: &str, notes: &[&str]| Task {
            id,
            title: title.to_owned(),
            priority,
            due: due.map(str::to_owned),
            done: id == 9,
            project: project.to_owned(),
            notes: notes.iter().map(|&text| Note { text: text.to_owned() }).collect(),
        };
    Shown {
        tasks: vec![
            task(
                1,
                "Water the tomatoes",
                1,
                Some("2026-06-02"),
                "Garden",
                &["not the ones under glass"],
            ),
            task(
                6,
                "日本語の本を返す before the library closes for summer",
                2,
                None,
                "Journey",
                &[],
            ),
            task(
                2,
                "Prune the apple tree",
                3,
                Some("2026-11-15"),
                "Garden",
                &["dry day", "sharp saw"],
            ),
            task(9, "Order seeds", 2, None, "Garden", &[]),
        ],
        projects: vec![
            Project {
                id: 1,
                name: "Garden".to_owned(),
                tasks: 3,
                done: 1,
                next: Some("2026-06-02".to_owned()),
            },
            Project { id: 3, name: "Journey".to_owned(), tasks: 1, done: 0, next: None },
        ],
        priorities: vec![
            Priority { priority: 1, open: 1, next: Some("2026-06-02".to_owned()) },
            Priority { priority: 3, open: 1, next: None },
        ],
    }
}

/// A screen as text, after a look at its size.
fn drawn(picture: &Picture<'_>, width: usize, height: usize) -> String {
    let lines = lines(picture, width, height);
    assert_eq!(lines.len(), height, "{width} × {height}");
    let mut text = String::new();
    for line in lines {
        let whole: String = line.iter().map(|(text, _)| text.as_str()).collect();
        assert!(whole.width() <= width, "{whole:?} is wider than {width}");
        text += whole.trim_end();
        text.push('\n');
    }
    text
}

fn picture(shown: &Shown) -> Picture<'_> {
    Picture {
        shown,
        file: "tasks.db",
        with_done: true,
        selected: Some(2),
        fresh_tasks: &[6],
        fresh_projects: &[3],
        prompt: None,
        trouble: None,
    }
}

#[test]
fn panes_stand_side_by_side_on_a_wide_screen() {
    let shown = shown();
    assert_eq!(
        drawn(&picture(&shown), 100, 13),
        "\
4 tasks, open and done                                    │ projects: done, and the next date
  !!!  Water the tomatoes          2026-06-02  Garden     │ Garden   ███░░░░░░░  1 of 3   2026-06-02
       · not the ones under glass                         │ Journey  ░░░░░░░░░░  0 of 1
   !!  日本語の本を返す before t…              Journey    │
▸   !  Prune the apple tree        2026-11-15  Garden     │ open tasks by priority
       · dry day                                          │ urgent    1 open, first 2026-06-02
       · sharp saw                                        │ some day  1 open
   ✓   Order seeds                             Garden     │
                                                          │
                                                          │

a add  space done  d delete  n note  +/- priority  m next project  f show done  q quit
sqlite3 tasks.db \"UPDATE task SET done = NOT done WHERE id = 2\"
"
    );
}

#[test]
fn panes_stand_one_above_the_other_on_a_narrow_screen() {
    let shown = shown();
    assert_eq!(
        drawn(&picture(&shown), 44, 17),
        "\
4 tasks, open and done
  !!!  Water the tomatoes         2026-06-02
       · not the ones under glass
   !!  日本語の本を返す before …
▸   !  Prune the apple tree       2026-11-15
       · dry day
       · sharp saw
   ✓   Order seeds

────────────────────────────────────────────
projects: done, and the next date
Garden   ███░░░░░░░  1 of 3   2026-06-02
Journey  ░░░░░░░░░░  0 of 1


a add  space done  d delete  n note  +/- pr…
sqlite3 tasks.db \"UPDATE task SET done = NO…
"
    );
}

#[test]
fn every_size_is_filled_and_none_exceeded() {
    let shown = shown();
    for width in 0..120 {
        for height in 0..20 {
            assert_eq!(drawn(&picture(&shown), width, height).lines().count(), height);
        }
    }
}

#[test]
fn the_selected_task_is_in_sight_and_what_changed_is_marked() {
    let shown = shown();
    let picture = picture(&shown);
    let text = drawn(&picture, 60, 8);
    assert!(text.contains("▸   !  Prune") && !text.contains("Water"), "{text}");
    let marked: Vec<String> = lines(&picture, 100, 13)
        .into_iter()
        .flatten()
        .filter(|(_, look)| *look == Look::Fresh)
        .map(|(text, _)| text)
        .collect();
    assert!(marked.iter().any(|text| text.contains("日本語")), "{marked:?}");
    assert!(marked.iter().any(|text| text.contains("Journey  ░")), "{marked:?}");
}

#[test]
fn questions_and_trouble_take_the_line_above_the_keys() {
    let shown = shown();
    let mut picture = picture(&shown);
    picture.trouble = Some("the file is busy");
    assert!(drawn(&picture, 50, 12).contains("\nthe file is busy\na add"));
    picture.prompt = Some(("new task", "a rather long title of which the end is seen"));
    let text = drawn(&picture, 30, 12);
    assert!(
        text.contains("\nnew task: which the end is seen▏\n") || text.contains("is seen▏"),
        "{text}"
    );
}
