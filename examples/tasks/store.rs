//! The file, and what is asked of it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use penstock::Database;
use rusqlite::Connection;

/// Tasks with their project's name and their notes, the most urgent first; all of them where the
/// parameter is true, else the open ones.
pub(crate) const TASKS: &str = "\
SELECT task.id, task.title, task.priority, task.due, task.done, project.name AS project,
       ARRAY(SELECT note.text FROM note WHERE note.task = task.id ORDER BY note.id) AS notes
FROM task JOIN project ON project.id = task.project
WHERE NOT task.done OR ?1
ORDER BY task.done, task.priority, task.due NULLS LAST, task.id";

/// How far each project is.
pub(crate) const PROJECTS: &str = "\
SELECT project.id, project.name, COUNT(task.id) AS tasks,
       COUNT(task.id) FILTER (WHERE task.done) AS done,
       MIN(task.due) FILTER (WHERE NOT task.done) AS next
FROM project LEFT JOIN task ON task.project = project.id
GROUP BY project.id
ORDER BY project.name, project.id";

/// Open tasks by how urgent they are.
pub(crate) const PRIORITIES: &str = "\
SELECT priority, COUNT(*) AS open, MIN(due) AS next
FROM task WHERE NOT done GROUP BY priority ORDER BY priority";

/// Other processes may write while this one reads, so the file has a write-ahead log.
const TABLES: &str = "
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE task (
  id       INTEGER PRIMARY KEY,
  project  INTEGER NOT NULL REFERENCES project (id),
  title    TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 2 CHECK (priority BETWEEN 1 AND 3),
  due      TEXT,
  done     BOOLEAN NOT NULL DEFAULT 0
);
CREATE TABLE note (
  id   INTEGER PRIMARY KEY,
  task INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  text TEXT NOT NULL
);
CREATE INDEX task_project ON task (project);
CREATE INDEX note_task ON note (task, id);
INSERT INTO project (id, name) VALUES (1, 'Garden'), (2, 'House'), (3, 'Journey');
INSERT INTO task (id, project, title, priority, due, done) VALUES
  (1, 1, 'Water the tomatoes', 1, '2026-06-02', 0),
  (2, 1, 'Prune the apple tree', 3, '2026-11-15', 0),
  (3, 2, 'Fix the dripping tap', 1, '2026-06-05', 0),
  (4, 2, 'Paint the hallway', 3, NULL, 0),
  (5, 2, 'Pay the electricity bill', 2, '2026-06-10', 1),
  (6, 3, 'Book the night train', 1, '2026-06-03', 0),
  (7, 3, 'Renew the passport', 2, '2026-07-01', 0),
  (8, 3, 'Ask Ada to feed the cat', 2, NULL, 0),
  (9, 1, 'Order seeds', 2, '2026-05-20', 1);
INSERT INTO note (task, text) VALUES
  (1, 'not the ones under glass'), (3, 'a 12 mm washer'), (3, 'shut the main valve first'),
  (6, 'two berths'), (6, 'window seats for the way back');
COMMIT;
";

/// Opens the file; where there is none, makes one with some tasks.
///
/// # Errors
/// A file that cannot be opened or holds something else.
pub(crate) fn open(file: &Path) -> Result<Database, Box<dyn Error>> {
    if !file.exists() {
        let at_fault = |error| format!("cannot make {}: {error}", file.display());
        Connection::open(file).and_then(|db| db.execute_batch(TABLES)).map_err(at_fault)?;
    }
    let db = Database::open(file)?;
    if ["project", "task", "note"].iter().any(|table| db.schema().table_id(table).is_none()) {
        return Err(format!(
            "{} has no task list in it; name a file that is not there yet",
            file.display()
        )
        .into());
    }
    Ok(db)
}

/// A file that is removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A name that no other has.
    pub(crate) fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("penstock-tasks-{}-{number}.db", std::process::id());
        let scratch = Scratch(std::env::temp_dir().join(name));
        scratch.remove();
        scratch
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it with what SQLite keeps beside it; there may be none of it.
    fn remove(&self) {
        for end in ["", "-wal", "-shm", "-journal"] {
            let mut name = self.0.clone().into_os_string();
            name.push(end);
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}
