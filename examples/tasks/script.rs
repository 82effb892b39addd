//! Edits without a terminal: some through this database, some through a connection of their own as
//! another process would make them, and what each changes.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use penstock::{Change, Database, Patch, RowView};
use rusqlite::Connection;

use super::edit;
use super::views::{Shown, VIEWS, Views};

/// One edit.
struct Step {
    /// What it is, as it is printed.
    title: &'static str,
    by: By,
}

enum By {
    /// A transaction of this database.
    Us(fn(&Database) -> Result<(), penstock::Error>),
    /// Statements on another connection to the file.
    Other(&'static str),
}

const STEPS: [Step; 10] = [
    Step {
        title: "a new task in the garden",
        by: By::Us(|db| edit::add(db, "Mow the lawn", Some(1))),
    },
    Step { title: "the tap is fixed", by: By::Us(|db| edit::toggle(db, 3)) },
    Step {
        title: "from another connection: the train is booked",
        by: By::Other("UPDATE task SET done = 1 WHERE id = 6"),
    },
    Step { title: "the passport becomes urgent", by: By::Us(|db| edit::prioritise(db, 7, -1)) },
    Step {
        title: "from another connection: two notes on the passport",
        by: By::Other(
            "INSERT INTO note (task, text) VALUES (7, 'two photographs'), (7, 'the old one too')",
        ),
    },
    Step { title: "the cat moves to the garden", by: By::Us(|db| edit::next_project(db, 8)) },
    Step {
        title: "from another connection: a project of its own",
        by: By::Other(
            "BEGIN;
             INSERT INTO project (id, name) VALUES (4, 'Cat');
             UPDATE task SET project = 4, due = '2026-06-30' WHERE id = 8;
             COMMIT",
        ),
    },
    Step { title: "the hallway stays as it is", by: By::Us(|db| edit::delete(db, 4)) },
    Step {
        title: "from another connection: everything due in June is done, and then not",
        by: By::Other(
            "BEGIN;
             UPDATE task SET done = 1 WHERE due LIKE '2026-06-%';
             ROLLBACK",
        ),
    },
    Step {
        title: "several edits in one transaction",
        by: By::Us(|db| {
            db.transaction(|tx| {
                tx.execute("UPDATE task SET due = '2026-06-01' WHERE priority = 1", NONE)?;
                tx.execute("DELETE FROM note WHERE task = 1", NONE)?;
                tx.execute("UPDATE project SET name = 'Home' WHERE id = 2", NONE)?;
                Ok(())
            })
        }),
    },
];

/// No parameters.
const NONE: [i64; 0] = [];

/// Prints the panes, makes the edits, and prints what each changed.
///
/// # Errors
/// A failing file or output, or with `check` a result that differs from a fresh one.
pub(crate) fn run(
    file: &Path,
    db: &Database,
    views: &mut Views,
    check: bool,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    writeln!(out, "The file is {}. While a program has it open, try", file.display())?;
    let sql = "UPDATE task SET done = NOT done WHERE id = 1";
    writeln!(out, "  sqlite3 {} \"{sql}\"\n", file.display())?;
    panes(out, &views.shown()?)?;
    let other = Connection::open(file)?;
    let mut checked = 0;
    for (number, step) in STEPS.iter().enumerate() {
        writeln!(out, "\n{}. {}", number + 1, step.title)?;
        match &step.by {
            By::Us(edit) => edit(db)?,
            By::Other(sql) => {
                other.execute_batch(sql)?;
                db.sync()?;
            }
        }
        for (name, patches) in views.changes() {
            for change in patches.iter().flat_map(Patch::changes) {
                writeln!(out, "   {name:<10}  {}", told(&change))?;
            }
        }
        if check {
            views.check(db)?;
            checked += VIEWS;
        }
    }
    writeln!(out)?;
    panes(out, &views.shown()?)?;
    if check {
        writeln!(out, "\nchecked {checked} results: all equal")?;
    }
    Ok(())
}

/// A change in a line.
fn told(change: &Change) -> String {
    let (path, text) = match change {
        Change::Insert { path, entry } => (path, format!("+ {}", entry.row())),
        Change::Remove { path, row } => (path, format!("- {row}")),
        Change::Update { path, old, row } | Change::Move { path, old, row } => {
            (path, format!("~ {}: {}", name(row), difference(old, row)))
        }
    };
    let steps = path.steps().iter();
    let way: String =
        steps.map(|step| format!("{} › {} ", name(&step.row), step.relationship)).collect();
    way + &text
}

/// What people call a row.
fn name(row: &RowView) -> String {
    let mut called = ["title", "name", "priority"].iter().filter_map(|&column| row.get(column));
    called.next().map_or_else(|| row.to_string(), |value| value.to_string())
}

fn difference(old: &RowView, new: &RowView) -> String {
    let columns = new.table().columns().iter().map(|column| column.name.as_str());
    let changed = columns.filter_map(|name| {
        let (old, new) = (old.get(name)?, new.get(name)?);
        (old != new).then(|| format!("{name} {old} → {new}"))
    });
    changed.collect::<Vec<_>>().join(", ")
}

/// Both panes as text.
fn panes(out: &mut dyn Write, shown: &Shown) -> io::Result<()> {
    writeln!(out, "Open tasks")?;
    for task in &shown.tasks {
        let due = task.due.as_deref().unwrap_or("-");
        writeln!(out, "  {} {due:<10}  {}  ({})", task.priority, task.title, task.project)?;
        for note in &task.notes {
            writeln!(out, "      {}", note.text)?;
        }
    }
    writeln!(out, "Projects")?;
    for project in &shown.projects {
        let next = project.next.as_deref().unwrap_or("-");
        let (name, done, tasks) = (&project.name, project.done, project.tasks);
        writeln!(out, "  {name:<8} {done} of {tasks} done, next {next}")?;
    }
    writeln!(out, "Priorities")?;
    for priority in &shown.priorities {
        let next = priority.next.as_deref().unwrap_or("-");
        writeln!(out, "  {} {} open, first {next}", priority.priority, priority.open)?;
    }
    Ok(())
}
