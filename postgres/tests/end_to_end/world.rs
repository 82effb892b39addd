//! A database of a server, its follower, and the comparison of both after each quiesce.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use penstock::{Database, Error};
use penstock_postgres::Lsn;
use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower, Phase};
use penstock_postgres::replica::ReplicaOptions;
use penstock_postgres::setup::{Plugin, SchemaEvents, Setup};
use penstock_postgres::stream;
use penstock_postgres_harness::{Client, Server};

use crate::compare::{self, Live, SETTINGS};
use crate::ddl::Effect;
use crate::kinds::{KINDS, MAKE_TYPES};
use crate::queries;
use crate::rng::Rng;
use crate::schema::Model;
use crate::workload::{Workload, make_database};

/// Longer than anything takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(120);
/// How many queries are live at a time.
const LIVE: usize = 8;

/// How a database is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    pub(crate) plugin: Plugin,
    pub(crate) seed: u64,
    pub(crate) schema_events: SchemaEvents,
}

impl How {
    /// What a seed says; every fourth goes without reports of DDL.
    pub(crate) fn of_seed(plugin: Plugin, seed: u64) -> How {
        let schema_events = if seed % 4 == 3 { SchemaEvents::Off } else { SchemaEvents::IfAllowed };
        How { plugin, seed, schema_events }
    }

    fn name(self) -> String {
        format!("{}_{}", self.plugin.name(), self.seed)
    }
}

pub(crate) struct World {
    how: How,
    url: String,
    pub(crate) admin: Client,
    pub(crate) workload: Workload,
    follower: Option<Follower>,
    live: Vec<Live>,
    marks: u64,
    rng: Rng,
}

impl World {
    /// A database with some tables that nobody follows yet.
    pub(crate) fn new(server: &Server, how: How, name: &str, tables: usize) -> World {
        let database = format!("{name}_{}", how.name());
        let url = make_database(server, &database);
        let admin = Client::connect(&url).expect("a connection");
        admin.sql(MAKE_TYPES).expect("types");
        admin.sql(SETTINGS).expect("settings");
        admin
            .sql("create schema quiet; create table quiet.mark(id int primary key, nr int)")
            .expect("a mark");
        admin.sql("insert into quiet.mark values (1, 0)").expect("a row");
        let mut rng = Rng::new(how.seed ^ 0x00AB_CDEF);
        // wal2json cannot follow partitioned tables.
        let partitions = how.plugin == Plugin::Pgoutput;
        let drops = how.schema_events == SchemaEvents::IfAllowed;
        let mut model = Model::new(partitions, drops, rng.below(KINDS.len()));
        model.generated_in_identity =
            server.installation().major >= 18 && how.plugin == Plugin::Pgoutput;
        let mut workload = Workload::new(&url, how.seed, model, how.plugin == Plugin::Wal2json);
        workload.make_tables(tables);
        World { how, url, admin, workload, follower: None, live: Vec::new(), marks: 0, rng }
    }

    pub(crate) fn path(&self) -> PathBuf {
        let name = format!("end-to-end-{}.db", self.url.rsplit('/').next().unwrap_or_default());
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    }

    /// Begins to follow, without waiting.
    pub(crate) fn follow(&mut self, anew: bool) {
        let path = self.path();
        for end in ["", "-wal", "-shm"].into_iter().filter(|_| anew) {
            let mut name = path.clone().into_os_string();
            name.push(end);
            let _ = std::fs::remove_file(name);
        }
        let config = Config::parse(&self.url).expect("a URL");
        let setup = Setup {
            plugin: self.how.plugin,
            slot: self.url.rsplit('/').next().unwrap_or_default().to_owned(),
            schema_events: self.how.schema_events,
            ..Setup::default()
        };
        let mut options = FollowOptions::new(config, setup, ReplicaOptions::new(&path));
        options.stream = stream::Options {
            position_pause: Duration::from_millis(100),
            probe_pause: Duration::from_millis(200),
            poll_pause_max: Duration::from_millis(50),
            backoff: stream::Backoff::new(Duration::from_millis(20), Duration::from_millis(500), 1),
            ..stream::Options::default()
        };
        self.follower = Some(Follower::start(options).expect("a follower"));
    }

    pub(crate) fn follower(&self) -> &Follower {
        self.follower.as_ref().expect("it is followed")
    }

    pub(crate) fn db(&self) -> Database {
        self.follower().database()
    }

    /// Ends the follower; with it all live queries.
    pub(crate) fn stop(&mut self) {
        self.live.clear();
        if let Some(follower) = self.follower.take() {
            follower.join();
        }
    }

    /// Waits until everything that was committed is in the replica.
    #[expect(clippy::disallowed_methods, reason = "a deadline that only a failing test meets")]
    pub(crate) fn quiesce(&mut self) -> Result<(), String> {
        self.marks += 1;
        let end =
            self.admin.value("select pg_current_wal_lsn()").map_err(|error| error.to_string())?;
        let end: Lsn = end.parse().expect("a position");
        // Something to come, so that the stream passes that position.
        let mark = format!("update quiet.mark set nr = {}", self.marks);
        self.admin.sql(&mark).map_err(|error| error.to_string())?;
        let start = Instant::now();
        loop {
            let status = self.follower().status();
            match &status.phase {
                Phase::Failed(_) | Phase::Stopped => return Err(format!("it has ended: {status}")),
                Phase::Streaming if status.applied >= end => return Ok(()),
                _ if start.elapsed() > LONG => {
                    return Err(format!("{end} was not reached: {status:?}"));
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Quiesces and compares tables, live queries and fresh ones; then sees to it that there are enough
    /// live queries.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        if self.how.schema_events == SchemaEvents::Off {
            self.workload.touch_all();
        }
        self.quiesce()?;
        let db = self.db();
        self.compare_tables()?;
        let effects = std::mem::take(&mut self.workload.effects);
        let mut kept = Vec::new();
        for mut live in std::mem::take(&mut self.live) {
            match live.subscription.status() {
                Ok(()) => live.check(&self.admin, 0)?,
                Err(Error::SchemaChanged { .. }) if effects.contains(&Effect::Changing) => continue,
                // Compounds and the like take whole rows; then further columns end them.
                Err(error @ Error::SchemaChanged { .. })
                    if !effects.is_empty()
                        && error.to_string().contains("takes its rows whole") =>
                {
                    continue;
                }
                Err(error) => {
                    return Err(format!(
                        "a live query has ended after {effects:?}: {error}\n{}",
                        live.query.replica
                    ));
                }
            }
            kept.push(live);
        }
        if kept.len() > LIVE / 2 {
            kept.remove(self.rng.below(kept.len()));
        }
        self.live = kept;
        while self.live.len() < LIVE {
            let Some(query) = queries::query(&mut self.rng, &self.workload.model) else { break };
            let mut live = Live::start(&db, query)?;
            live.check(&self.admin, 0)?;
            self.live.push(live);
        }
        let status = self.follower().status();
        if (status.restarts, status.divergences) != (0, 0) {
            return Err(format!("it had to begin anew: {status:?}"));
        }
        match status.refused.first() {
            Some((table, reason)) => Err(format!("table {table} was refused: {reason}")),
            None => Ok(()),
        }
    }

    pub(crate) fn compare_tables(&self) -> Result<(), String> {
        compare::tables(&self.admin, &self.db(), &self.workload.model)
    }

    /// The whole story of a seed: tables, writes while they are copied, writes, changes of tables, a
    /// restart in between, and a clean end.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.workload.write(40);
        self.follow(true);
        self.workload.write(30);
        self.check()?;
        let copies = self.follower().status().copies;
        self.workload.write(60);
        self.check()?;
        if self.follower().status().copies != copies {
            return Err("tables were copied again though none was changed".to_owned());
        }
        for round in 0..3 {
            self.workload.change_tables(3);
            self.check()?;
            if round == 1 {
                self.stop();
                self.workload.write(20);
                self.follow(false);
            }
            self.workload.write(30);
            self.check()?;
        }
        self.live.clear();
        let follower = self.follower.take().expect("it is followed");
        follower.tear_down().map(drop).map_err(|error| error.to_string())
    }
}
