//! The tables, and what is in them at first.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

/// The tables. What a client may not write is refused by the database itself.
const TABLES: &str = r#"
PRAGMA journal_mode = wal;
CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE label (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE issue (
  id TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL,
  priority INTEGER NOT NULL,
  assignee TEXT,
  created INTEGER NOT NULL,
  CONSTRAINT "a title has 1 to 120 characters" CHECK (length(trim(title)) BETWEEN 1 AND 120),
  CONSTRAINT "the status is todo, doing or done" CHECK (status IN ('todo', 'doing', 'done')),
  CONSTRAINT "priorities go from 0 to 3" CHECK (priority BETWEEN 0 AND 3)
) STRICT;
CREATE INDEX issue_by_status ON issue (status, created DESC, id);
CREATE INDEX issue_by_created ON issue (created DESC, id);
CREATE INDEX issue_by_number ON issue (number);
CREATE TABLE issue_label (
  issue_id TEXT NOT NULL, label_id TEXT NOT NULL, PRIMARY KEY (issue_id, label_id)
) STRICT;
CREATE INDEX issue_label_by_label ON issue_label (label_id, issue_id);
CREATE TABLE comment (
  id TEXT PRIMARY KEY,
  issue_id TEXT NOT NULL,
  author TEXT NOT NULL,
  body TEXT NOT NULL,
  created INTEGER NOT NULL,
  CONSTRAINT "a comment has 1 to 2000 characters" CHECK (length(trim(body)) BETWEEN 1 AND 2000)
) STRICT;
CREATE INDEX comment_by_issue ON comment (issue_id, created, id);
CREATE TABLE trickle (
  id INTEGER PRIMARY KEY,
  per_second INTEGER NOT NULL,
  CONSTRAINT "a trickle is 0 to 200 a second" CHECK (id = 1 AND per_second BETWEEN 0 AND 200)
) STRICT;
CREATE TRIGGER issue_is_numbered AFTER INSERT ON issue WHEN new.number = 0 BEGIN
  UPDATE issue SET number = (SELECT max(number) + 1 FROM issue) WHERE id = new.id;
END;
CREATE TRIGGER issue_goes_with_its_rows AFTER DELETE ON issue BEGIN
  DELETE FROM comment WHERE issue_id = old.id;
  DELETE FROM issue_label WHERE issue_id = old.id;
END;
INSERT INTO trickle VALUES (1, 0);
INSERT INTO user VALUES ('ada', 'Ada'), ('grace', 'Grace'), ('edsger', 'Edsger'), ('barbara', 'Barbara');
INSERT INTO label VALUES ('bug', 'bug'), ('idea', 'idea'), ('docs', 'docs'), ('speed', 'speed'), ('design', 'design');
"#;

/// Title, status, priority, assignee, labels, comments.
type Sample = (
    &'static str,
    &'static str,
    i64,
    Option<&'static str>,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const SAMPLES: [Sample; 14] = [
    (
        "Say hello to both panes",
        "done",
        1,
        Some("ada"),
        &["docs"],
        &[("ada", "Hello, both of you.")],
    ),
    (
        "The importer drops the last line of a file",
        "todo",
        3,
        Some("grace"),
        &["bug"],
        &[("edsger", "Only where it ends without a line break."), ("grace", "Then it is mine.")],
    ),
    ("Search finds nothing with accents", "doing", 2, Some("barbara"), &["bug"], &[]),
    ("A shorter way to the settings", "todo", 1, None, &["idea", "design"], &[]),
    (
        "Pages take a second to open on old telephones",
        "doing",
        2,
        Some("edsger"),
        &["speed"],
        &[("ada", "It was the fonts.")],
    ),
    ("Explain what happens when one is offline", "todo", 1, Some("ada"), &["docs"], &[]),
    ("Remember the order of the columns", "done", 0, None, &["idea"], &[]),
    (
        "Times are shown in the wrong zone",
        "todo",
        3,
        Some("barbara"),
        &["bug"],
        &[("barbara", "In summer only, so we have some time.")],
    ),
    ("Undo for everything", "todo", 2, None, &["idea"], &[("edsger", "For everything?")]),
    ("Contrast of grey on grey", "doing", 2, Some("grace"), &["design"], &[]),
    ("One query instead of forty for the front page", "done", 3, Some("edsger"), &["speed"], &[]),
    ("Keyboard shortcuts for labels", "todo", 0, None, &["idea", "design"], &[]),
    ("The attachment count is off by one", "doing", 1, Some("ada"), &["bug"], &[]),
    ("Write down how releases are made", "todo", 1, Some("grace"), &["docs"], &[]),
];

/// The database, in a temporary folder that is removed with this value.
#[derive(Debug)]
pub(crate) struct Data {
    folder: PathBuf,
}

impl Data {
    /// Makes the database.
    ///
    /// # Errors
    /// A folder that cannot be written to; for people.
    pub(crate) fn new() -> Result<Data, String> {
        let process = std::process::id();
        let data = (0..1000)
            .map(|at| std::env::temp_dir().join(format!("penstock-tracker-{process}-{at}")))
            .find(|folder| std::fs::create_dir(folder).is_ok())
            .map(|folder| Data { folder });
        let data = data.ok_or("cannot make a folder for temporary files")?;
        let path = data.path();
        fill(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(data)
    }

    /// Where the database is.
    #[must_use]
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("tracker.db")
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // What is left in a temporary folder, the system removes some day.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn fill(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(TABLES)?;
    let transaction = connection.transaction()?;
    let hour = 3_600_000;
    let first = i64::try_from(penstock_sync::server::now().unix_ms).unwrap_or(0)
        - hour * i64::try_from(SAMPLES.len()).unwrap_or(0);
    for (at, (title, status, priority, assignee, labels, comments)) in (1_i64..).zip(SAMPLES) {
        let id = format!("sample-{at:02}");
        let created = first + at * hour;
        transaction.execute(
            "INSERT INTO issue VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![id, at, title, status, priority, assignee, created],
        )?;
        for label in labels {
            transaction.execute("INSERT INTO issue_label VALUES (?1, ?2)", params![id, label])?;
        }
        for (number, (author, body)) in (1_i64..).zip(comments) {
            transaction.execute(
                "INSERT INTO comment VALUES (?1, ?2, ?3, ?4, ?5)",
                params![format!("{id}-{number}"), id, author, body, created + number * 60_000],
            )?;
        }
    }
    transaction.commit()
}
