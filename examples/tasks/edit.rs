//! What can be done to tasks, each as one transaction.

use penstock::{Database, Error, Value};

/// Adds a task to the project of another, or to the first one. Returns nothing: the live results
/// tell.
///
/// # Errors
/// A failing file.
pub(crate) fn add(db: &Database, title: &str, beside: Option<i64>) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO task (project, title)
        SELECT COALESCE((SELECT project FROM task WHERE id = ?2), MIN(id)), ?1 FROM project";
    execute(db, SQL, [title.into(), Value::from(beside)])
}

/// Adds a note to a task.
///
/// # Errors
/// A failing file, or a task that is gone.
pub(crate) fn note(db: &Database, task: i64, text: &str) -> Result<(), Error> {
    execute(db, "INSERT INTO note (task, text) VALUES (?1, ?2)", [task.into(), text.into()])
}

/// Marks a task as done, or as open again.
///
/// # Errors
/// A failing file.
pub(crate) fn toggle(db: &Database, task: i64) -> Result<(), Error> {
    execute(db, "UPDATE task SET done = NOT done WHERE id = ?1", [task.into()])
}

/// Makes a task more urgent (-1) or less (1).
///
/// # Errors
/// A failing file.
pub(crate) fn prioritise(db: &Database, task: i64, by: i64) -> Result<(), Error> {
    const SQL: &str = "UPDATE task SET priority = MAX(1, MIN(3, priority + ?2)) WHERE id = ?1";
    execute(db, SQL, [task.into(), by.into()])
}

/// Moves a task to the next project by name, after the last to the first.
///
/// # Errors
/// A failing file.
pub(crate) fn next_project(db: &Database, task: i64) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE task SET project = COALESCE(
          (SELECT id FROM project WHERE name >
             (SELECT name FROM project WHERE id = task.project) ORDER BY name LIMIT 1),
          (SELECT id FROM project ORDER BY name LIMIT 1))
        WHERE id = ?1";
    execute(db, SQL, [task.into()])
}

/// Deletes a task; its notes go with it.
///
/// # Errors
/// A failing file.
pub(crate) fn delete(db: &Database, task: i64) -> Result<(), Error> {
    // Cascades are off in SQLite unless a connection turns them on, so the notes are named.
    db.transaction(|tx| {
        tx.execute("DELETE FROM note WHERE task = ?1", [task])?;
        tx.execute("DELETE FROM task WHERE id = ?1", [task])?;
        Ok(())
    })
}

fn execute<const N: usize>(db: &Database, sql: &str, params: [Value; N]) -> Result<(), Error> {
    db.transaction(|tx| tx.execute(sql, params).map(drop))
}
