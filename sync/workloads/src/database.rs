//! Where the rows are, and how they are written: a Postgres of our own, or a file of SQLite.

use penstock_benches::data::{Data, EDITS_FROM};
use penstock_benches::sqlite::{Scratch, fill, open_file};
use penstock_postgres_harness::{Client, Installation, Options, Server};
use penstock_postgres_workloads::fixture;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// What holds the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Postgres, followed through its replication stream.
    Postgres,
    /// A file of SQLite, which we write and the server follows.
    Sqlite,
}

impl Source {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Postgres => "postgres",
            Source::Sqlite => "sqlite",
        }
    }
}

/// What a write changes of an issue. Both say the number of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The time of the last change, so that the issue comes first.
    Modified,
    /// The title; the issue stays where it is.
    Title,
}

impl Change {
    /// The assignment, for the write of a number that is given as SQL.
    fn assignment(self, number: &str) -> String {
        match self {
            Change::Modified => format!("modified = {EDITS_FROM} + {number}"),
            Change::Title => format!("title = 'write ' || {number}"),
        }
    }
}

/// A database with the tables and their rows.
pub enum Database {
    /// Postgres.
    Postgres {
        /// The server.
        server: Box<Server>,
        /// The one connection through which all is written.
        client: Client,
    },
    /// A file of SQLite.
    Sqlite {
        /// The connection through which all is written.
        connection: Connection,
        /// Where the file is.
        folder: Scratch,
    },
}

/// What tables and columns are called here, where the generator's files have other names.
const NAMES: &str = "
    ALTER TABLE issueLabel RENAME TO issue_label;
    ALTER TABLE issue RENAME COLUMN ownerId TO owner_id;
    ALTER TABLE comment RENAME COLUMN issueId TO issue_id;
    ALTER TABLE comment RENAME COLUMN authorId TO author_id;
    ALTER TABLE issue_label RENAME COLUMN issueId TO issue_id;
    ALTER TABLE issue_label RENAME COLUMN labelId TO label_id;";
const INDEXES: [&str; 5] = [
    "issue (ownerId)",
    "issue (modified DESC, id)",
    "comment (issueId)",
    "comment (authorId)",
    "issueLabel (labelId)",
];

impl Database {
    /// Makes one with so many rows in all. Without `durable`, a Postgres never waits for its disk.
    ///
    /// # Errors
    /// The database's.
    pub fn filled(source: Source, rows: u32, durable: bool) -> Result<Database, String> {
        Ok(match source {
            Source::Postgres => {
                let mut settings = fixture::settings();
                // What does not wait for the disk is sent to nobody before it is there.
                settings.push("wal_writer_delay = '10ms'".to_owned());
                let options = Options { fsync: durable, settings, ..Options::default() };
                let installation = Installation::newest().map_err(text)?;
                let server = Server::start(&installation, options).map_err(text)?;
                fixture::fill(&server, rows).map_err(text)?;
                let client = server.connect().map_err(text)?;
                Database::Postgres { server: Box::new(server), client }
            }
            Source::Sqlite => {
                let folder = Scratch::new().map_err(text)?;
                let mut connection = open_file(&folder.file("data.db")).map_err(text)?;
                let data = Data::generate(fixture::sizes(rows));
                fill(&mut connection, &data, &INDEXES).map_err(text)?;
                connection.execute_batch(NAMES).map_err(text)?;
                Database::Sqlite { connection, folder }
            }
        })
    }

    /// Which it is.
    #[must_use]
    pub fn source(&self) -> Source {
        match self {
            Database::Postgres { .. } => Source::Postgres,
            Database::Sqlite { .. } => Source::Sqlite,
        }
    }

    /// By what the sync server finds it: a URL, or the path of a file.
    #[must_use]
    pub fn location(&self) -> String {
        match self {
            Database::Postgres { server, .. } => server.url(),
            Database::Sqlite { folder, .. } => folder.file("data.db").display().to_string(),
        }
    }

    /// The rows of a SELECT, as text; null is empty.
    ///
    /// # Errors
    /// The database's.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        match self {
            Database::Postgres { client, .. } => {
                let rows = client.sql(sql).map_err(|error| format!("{error}: {sql}"))?;
                let row = |row: Vec<Option<String>>| {
                    row.into_iter().map(Option::unwrap_or_default).collect()
                };
                Ok(rows.into_iter().map(row).collect())
            }
            Database::Sqlite { connection, .. } => {
                let failed = |error: rusqlite::Error| format!("{error}: {sql}");
                let mut statement = connection.prepare_cached(sql).map_err(failed)?;
                let columns = statement.column_count();
                let mut rows = statement.query([]).map_err(failed)?;
                let mut all = Vec::new();
                while let Some(row) = rows.next().map_err(failed)? {
                    let value = |at| row.get_ref(at).map(printed).map_err(failed);
                    all.push((0..columns).map(value).collect::<Result<_, _>>()?);
                }
                Ok(all)
            }
        }
    }

    /// The first column of a SELECT.
    ///
    /// # Errors
    /// The database's.
    pub fn column(&mut self, sql: &str) -> Result<Vec<String>, String> {
        Ok(self.rows(sql)?.into_iter().map(|row| row.concat()).collect())
    }

    /// Has commits not wait for the disk, as where a writer need not know.
    ///
    /// # Errors
    /// The database's.
    pub fn hurry(&mut self) -> Result<(), String> {
        match self {
            Database::Postgres { .. } => self.rows("SET synchronous_commit = off").map(drop),
            Database::Sqlite { .. } => Ok(()),
        }
    }

    /// Makes the database find what the [oracle](crate::oracle) asks. Costs later writes something.
    ///
    /// # Errors
    /// The database's.
    pub fn prepare_oracle(&mut self) -> Result<(), String> {
        match self {
            Database::Postgres { .. } => {
                let sql = "CREATE INDEX IF NOT EXISTS issue_newest ON issue (modified DESC, id)";
                self.rows(sql)?;
                self.rows("ANALYZE issue").map(drop)
            }
            Database::Sqlite { .. } => Ok(()),
        }
    }

    /// Makes the writes of some numbers, each a transaction, of the issues in turn. Returns when all are
    /// committed.
    ///
    /// # Errors
    /// The database's.
    pub fn write(
        &mut self,
        change: Change,
        ids: &[String],
        first: u64,
        count: u64,
    ) -> Result<(), String> {
        let issues = ids.len() as u64;
        match self {
            Database::Postgres { client, .. } if count == 1 => {
                let (set, id) =
                    (change.assignment(&first.to_string()), &ids[(first * 7 % issues) as usize]);
                let sql = format!("UPDATE issue SET {set} WHERE id = '{id}'");
                client.sql(&sql).map(drop).map_err(text)
            }
            Database::Postgres { client, .. } => {
                let (set, last) = (change.assignment("i"), first + count - 1);
                let sql = format!(
                    "DO $$ DECLARE ids text[] := ARRAY['{}']; BEGIN \
                     FOR i IN {first}..{last} LOOP \
                       UPDATE issue SET {set} WHERE id = ids[i * 7 % {issues} + 1]; COMMIT; \
                     END LOOP; END $$",
                    ids.join("','")
                );
                client.sql(&sql).map(drop).map_err(text)
            }
            Database::Sqlite { connection, .. } => {
                let sql = format!("UPDATE issue SET {} WHERE id = ?2", change.assignment("?1"));
                let mut statement = connection.prepare_cached(&sql).map_err(text)?;
                for number in first..first + count {
                    let id = &ids[(number * 7 % issues) as usize];
                    statement.execute((number as i64, id)).map_err(text)?;
                }
                Ok(())
            }
        }
    }
}

fn printed(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
