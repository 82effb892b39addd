//! Which database, which tables, by which names on the server.

use std::path::PathBuf;

use clap::Args;
use penstock_postgres::TableName;
use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower, Prepare};
use penstock_postgres::replica::{LogLimits, ReplicaOptions};
use penstock_postgres::setup::{Plugin, SchemaEvents, Setup, Tables};

use crate::failure::{Failure, say};

/// The database that is followed.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The database: postgres://user:password@host:port/database
    #[arg(env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) url: String,
    /// Keep the copy in this SQLite file, and go on from there the next time; else in memory
    #[arg(long, env = "PENSTOCK_REPLICA", value_name = "FILE")]
    pub(crate) replica: Option<PathBuf>,
    /// Follow this table, [schema.]table; may be repeated. Without, all tables
    #[arg(long = "table", value_name = "TABLE", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// The publication; made unless it is there
    #[arg(long, env = "PENSTOCK_PUBLICATION", value_name = "NAME", default_value = "penstock")]
    pub(crate) publication: String,
    /// Follow what an existing publication has, with its columns and row filters
    #[arg(long, conflicts_with = "tables")]
    pub(crate) published: bool,
    /// The replication slot; made unless it is there
    #[arg(long, env = "PENSTOCK_SLOT", value_name = "NAME", default_value = "penstock")]
    pub(crate) slot: String,
    /// Leave nothing behind: names of its own on the server, removed at the end, and a copy in memory
    #[arg(long, conflicts_with_all = ["replica", "slot"])]
    pub(crate) temporary: bool,
    /// Read the stream through SQL with the plugin wal2json, where replication connections are refused
    #[arg(long)]
    pub(crate) wal2json: bool,
    /// Have the slot survive a fail-over to a standby (Postgres 17 and later)
    #[arg(long)]
    pub(crate) failover: bool,
    /// Report changes of tables by an event trigger, if the role may make one
    #[arg(long)]
    pub(crate) schema_events: bool,
    /// Keep every change in the table penstock_change_log of the replica, for a week
    #[arg(long, requires = "replica")]
    pub(crate) change_log: bool,
}

impl Source {
    /// What the library is told of the server.
    ///
    /// # Errors
    /// A connection string that cannot be read, or no name of a table.
    pub(crate) fn setup(&self) -> Result<(Config, Setup), Failure> {
        self.setup_with(self.temporary)
    }

    /// With names of its own on the server, or those given.
    fn setup_with(&self, own_names: bool) -> Result<(Config, Setup), Failure> {
        let usage = |problem: String| Failure::Usage(problem);
        let config = Config::parse(&self.url).map_err(|error| usage(error.to_string()))?;
        let tables = match (self.published, self.tables.is_empty()) {
            (true, _) => Tables::Published,
            (false, true) => Tables::All,
            (false, false) => {
                let names = self.tables.iter().map(|name| table(name).map_err(usage));
                Tables::Listed(names.collect::<Result<_, _>>()?)
            }
        };
        let own = format!("penstock_{}", std::process::id());
        let (publication, slot) = match (own_names, self.published) {
            (true, true) => (self.publication.clone(), own),
            (true, false) => (own.clone(), own),
            (false, _) => (self.publication.clone(), self.slot.clone()),
        };
        let plugin = if self.wal2json { Plugin::Wal2json } else { Plugin::Pgoutput };
        let events = if self.schema_events { SchemaEvents::IfAllowed } else { SchemaEvents::Off };
        let setup = Setup {
            publication,
            tables,
            slot,
            plugin,
            failover: self.failover,
            schema_events: events,
        };
        Ok((config, setup))
    }

    /// Begins to follow.
    ///
    /// # Errors
    /// As [`setup`](Source::setup), and a replica that cannot be opened.
    pub(crate) fn follow(&self) -> Result<Following, Failure> {
        self.follow_also(&[], None, 1)
    }

    /// Begins to follow, with further tables beside those that are listed, and with what is to be done on
    /// the server before, and so many transactions at most as one where it is behind.
    ///
    /// # Errors
    /// As [`follow`](Source::follow).
    pub(crate) fn follow_also(
        &self,
        further: &[TableName],
        prepare: Option<Prepare>,
        together: u64,
    ) -> Result<Following, Failure> {
        // A copy in memory is gone afterwards, so its slot would only hold the server's log; and it must
        // not take that of a replica which goes on later.
        let leaves = self.replica.is_some();
        let (config, mut setup) = self.setup_with(!leaves)?;
        if let Tables::Listed(tables) = &mut setup.tables {
            tables.extend(
                further.iter().filter(|table| !self.tables.contains(&table.to_string())).cloned(),
            );
        }
        let replica = match &self.replica {
            Some(path) => ReplicaOptions::new(path),
            None => ReplicaOptions::new(":memory:"),
        };
        let replica = replica.change_log(self.change_log.then(LogLimits::default));
        let options = FollowOptions::new(config, setup.clone(), replica);
        let options = FollowOptions { prepare, together, ..options };
        let follower = Follower::start(options);
        let follower = follower.map_err(|error| Failure::Source(error.to_string()))?;
        Ok(Following { follower: Some(follower), setup, leaves })
    }
}

/// A database that is followed, and whether what was made on the server stays there.
pub(crate) struct Following {
    follower: Option<Follower>,
    setup: Setup,
    leaves: bool,
}

impl Following {
    /// What the library was told of the server.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The follower.
    pub(crate) fn follower(&self) -> &Follower {
        self.follower.as_ref().expect("invariant: it is taken only by the end")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let Some(follower) = self.follower.take() else { return };
        if self.leaves {
            follower.join();
        } else if let Err(error) = follower.tear_down() {
            say(&format!("the slot may still be on the server: {error}"));
        }
    }
}

/// A table's name, with its schema or without.
fn table(text: &str) -> Result<TableName, String> {
    let (schema, table) = text.split_once('.').unwrap_or(("public", text));
    if schema.is_empty() || table.is_empty() {
        return Err(format!("\"{text}\" names no table; write table or schema.table"));
    }
    Ok(TableName::new(schema, table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_have_a_schema() {
        assert_eq!(table("task"), Ok(TableName::new("public", "task")));
        assert_eq!(table("app.task"), Ok(TableName::new("app", "task")));
        for text in ["", ".", "a.", ".b"] {
            assert!(table(text).is_err_and(|problem| problem.contains("schema.table")), "{text}");
        }
    }
}
