//! The database, and the server over it, each as a process of its own.

use penstock_postgres_harness as harness;
use penstock_postgres_harness::server::Stop;
use rusqlite::Connection;
use serde_json::Value as Json;

use super::data::{self, Dialect};
use crate::support::server::{Folder, LONG, Server};

/// A database with its server.
pub(crate) struct Base {
    pub(crate) dialect: Dialect,
    pub(crate) server: Server,
    postgres: Option<harness::Server>,
    folder: Folder,
}

/// Writes SQL as a program of its own.
pub(crate) enum Writer {
    Sqlite(Connection),
    Postgres { url: String, client: Option<harness::Client> },
}

impl Writer {
    /// Runs a transaction. A database that is not there, or does not want it, is no fault of the test's.
    pub(crate) fn write(&mut self, sql: &str) -> Result<(), String> {
        match self {
            Writer::Sqlite(connection) => {
                let sql = sql.replacen("BEGIN;", "BEGIN IMMEDIATE;", 1);
                let done = connection.execute_batch(&sql).map_err(|error| error.to_string());
                if !connection.is_autocommit() {
                    connection.execute_batch("ROLLBACK").map_err(|error| error.to_string())?;
                }
                done
            }
            Writer::Postgres { url, client } => {
                if client.is_none() {
                    *client = Some(harness::Client::connect(url).map_err(|error| error.0)?);
                }
                let done = client.as_ref().map_or(Ok(Vec::new()), |client| client.sql(sql));
                if done.is_err() {
                    *client = None;
                }
                done.map(drop).map_err(|error| error.0)
            }
        }
    }
}

impl Base {
    pub(crate) fn new(dialect: Dialect, name: &str) -> Self {
        let folder = Folder::new(&format!("convergence-{name}"));
        let path = |name: &str| folder.file(name).to_string_lossy().into_owned();
        let (state, replica) = (path("state.db"), path("replica.db"));
        let linger = ["--allow-all", "--state", &state, "--linger", "1"];
        let (postgres, server) = match dialect {
            Dialect::Sqlite => {
                let file = folder.file("app.db");
                let connection = Connection::open(&file).expect("a file");
                let sql = format!("PRAGMA journal_mode = wal; {}", data::create(dialect));
                connection.execute_batch(&sql).expect("tables");
                (None, Server::sqlite(&file, &linger))
            }
            Dialect::Postgres => {
                let postgres = harness::Server::fast().expect("a Postgres");
                postgres.sql(&data::create(dialect)).expect("tables");
                let more = [&linger[..], &["--replica", &replica]].concat();
                let server = Server::postgres(&postgres.url(), &more);
                (Some(postgres), server)
            }
        };
        Self { dialect, server, postgres, folder }
    }

    /// Another program that writes.
    pub(crate) fn writer(&self) -> Writer {
        match &self.postgres {
            Some(postgres) => Writer::Postgres { url: postgres.url(), client: None },
            None => {
                let connection = Connection::open(self.folder.file("app.db")).expect("the file");
                connection.busy_timeout(LONG).expect("a timeout");
                Writer::Sqlite(connection)
            }
        }
    }

    /// The first column of all rows.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        if let Some(postgres) = &self.postgres {
            let rows = postgres.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            return rows.into_iter().filter_map(|row| row.into_iter().next()?).collect();
        }
        let Writer::Sqlite(connection) = self.writer() else {
            unreachable!("there is no Postgres")
        };
        let mut statement = connection.prepare(sql).expect("a statement");
        let rows = statement.query_map((), |row| row.get::<_, String>(0)).expect("rows");
        rows.map(|row| row.expect("a text")).collect()
    }

    /// All rows that clients may see, by table.
    pub(crate) fn rows(&self) -> Vec<(&'static str, Vec<Json>)> {
        let parsed = |text: String| serde_json::from_str(&text).expect("JSON");
        let all = data::rows_as_json(self.dialect).into_iter();
        all.map(|(table, sql)| (table, self.texts(&sql).into_iter().map(parsed).collect()))
            .collect()
    }

    /// The table in which the server keeps the numbers of mutations.
    pub(crate) fn clients_table(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "_zero_clients",
            Dialect::Postgres => "zero_0.clients",
        }
    }

    /// Removes what a server that does not run keeps.
    pub(crate) fn lose(&self, name: &str) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.file(&format!("{name}{end}")));
        }
    }

    /// Removes the copy of the database of a server that does not run, where there is one. The slot of
    /// a copy that is lost is dropped by whoever lost it: the server does not take it for its own.
    pub(crate) fn lose_replica(&self) -> bool {
        let Some(postgres) = &self.postgres else { return false };
        self.lose("replica.db");
        harness::until("the slot is dropped", || {
            let drop =
                "SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots";
            postgres.sql(drop).is_ok()
        });
        true
    }

    /// Stops the database and starts it again, where it is a process.
    pub(crate) fn restart_database(&mut self, how: Stop) -> bool {
        let Some(postgres) = &mut self.postgres else { return false };
        postgres.stop(how).expect("an end");
        postgres.start_again().expect("a start");
        true
    }
}
