//! A follower with its clients, and the proof that they are right.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use penstock::{Database, Subscription, ValueRef};
use penstock_benches::check::Check;
use penstock_benches::report::{BYTES, Outcome};
use penstock_benches::resident::Resident;
use penstock_postgres::Lsn;
use penstock_postgres::connect::Config;
use penstock_postgres::follow::{FollowOptions, Follower};
use penstock_postgres::replica::ReplicaOptions;
use penstock_postgres::setup::{Setup, Tables};
use penstock_postgres_harness::Client;

use crate::options::Child;
use penstock_postgres_workloads::fixture::tables;
use penstock_postgres_workloads::queries::{Query, of_person};

/// Longer than anything may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether something has come.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// A follower with its clients.
pub(crate) struct Subject {
    pub(crate) follower: Follower,
    pub(crate) db: Database,
    /// The server.
    pub(crate) client: Client,
    pub(crate) live: Vec<(Query, Subscription)>,
    path: PathBuf,
}

impl Subject {
    /// Starts a follower with an empty replica in a file.
    pub(crate) fn start(child: &Child) -> Result<Subject, String> {
        let name = format!("penstock-bench-{}.db", std::process::id());
        let path = std::env::temp_dir().join(name);
        remove(&path);
        let client = Client::connect(&child.url).map_err(|error| error.to_string())?;
        let config = Config::parse(&child.url).map_err(|error| error.to_string())?;
        let setup =
            Setup { tables: Tables::Listed(tables()), plugin: child.plugin, ..Setup::default() };
        let mut options = FollowOptions::new(config, setup, ReplicaOptions::new(&path));
        options.stream.position_pause = Duration::from_millis(100);
        let follower = Follower::start(options).map_err(|error| error.to_string())?;
        let db = follower.database();
        Ok(Subject { follower, db, client, live: Vec::new(), path })
    }

    /// Starts one, and waits until its tables are copied.
    pub(crate) fn copied(child: &Child, groups: usize) -> Result<Subject, String> {
        let mut subject = Subject::start(child)?;
        subject.wait_until_copied()?;
        (0..groups).try_for_each(|person| subject.client_comes(person))?;
        Ok(subject)
    }

    pub(crate) fn wait_until_copied(&self) -> Result<(), String> {
        self.follower.wait_until_copied(PATIENCE).map_err(|error| error.to_string())
    }

    /// A client subscribes to its five queries and has their results.
    pub(crate) fn client_comes(&mut self, person: usize) -> Result<(), String> {
        for query in of_person(person) {
            let live = self.db.subscribe_sql(&query.sql, ());
            let live = live.map_err(|error| format!("{error}: {}", query.sql))?;
            std::hint::black_box(live.rows().len());
            self.live.push((query, live));
        }
        Ok(())
    }

    /// Has every client take its patches; returns how many there were.
    pub(crate) fn take(&mut self) -> usize {
        self.live.iter_mut().map(|(_, live)| live.changes().count()).sum()
    }

    /// Runs statements on the server.
    pub(crate) fn sql(&self, sql: &str) -> Result<Vec<String>, String> {
        let rows = self.client.sql(sql).map_err(|error| error.to_string())?;
        Ok(rows.into_iter().map(|row| row.into_iter().flatten().collect()).collect())
    }

    /// Waits, while the clients take their patches, until so many transactions have been applied since
    /// the start, and returns the patches.
    pub(crate) fn wait_for(&mut self, transactions: u64) -> Result<usize, String> {
        let (start, mut patches) = (Instant::now(), 0);
        while self.follower.status().transactions < transactions {
            patches += self.take();
            self.look(start)?;
        }
        Ok(patches + self.take())
    }

    fn look(&self, start: Instant) -> Result<(), String> {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited in vain: {}", self.follower.status()));
        }
        std::thread::sleep(LOOK_PAUSE);
        Ok(())
    }

    /// Compares everything with the server, adds the check, and takes away what was made.
    pub(crate) fn finish(mut self, outcome: &mut Outcome) -> Result<(), String> {
        outcome.push("pss", pss(), BYTES);
        outcome.push("resident_peak", Resident::now().peak, BYTES);
        let end = self.sql("SELECT pg_current_wal_insert_lsn()")?.concat();
        let end: Lsn = end.parse().map_err(|error| format!("{end}: {error}"))?;
        let start = Instant::now();
        while self.follower.status().applied < end {
            self.take();
            self.look(start)?;
        }
        let sums = self.follower.verify(PATIENCE).map_err(|error| error.to_string())?;
        if let Some(table) = sums.iter().find(|table| !table.is_equal()) {
            return Err(format!("the replica differs: {table:?}"));
        }
        let status = self.follower.status();
        let again = status.restarts + status.divergences;
        if sums.len() != tables().len() || again > 0 {
            return Err(format!("{} tables were compared: {status}", sums.len()));
        }
        let mut check = Check::default();
        for (query, live) in &self.live {
            let (rows, problem) = (live.rows(), |error| format!("{error}: {}", query.sql));
            if rows != self.db.query_sql(&query.sql, ()).map_err(problem)? {
                return Err(format!("the live result is not a fresh one: {}", query.sql));
            }
            let id = |entry: penstock::Entry| {
                entry.get("id").and_then(ValueRef::as_str).unwrap_or_default().to_owned()
            };
            if rows.iter().map(id).collect::<Vec<_>>() != self.sql(&query.ids)? {
                return Err(format!("the server has other rows: {}", query.sql));
            }
            check.tree(&rows);
        }
        outcome.check = Some(check);
        let Subject { follower, live, db, path, .. } = self;
        drop((live, db));
        follower.tear_down().map_err(|error| error.to_string())?;
        remove(&path);
        Ok(())
    }
}

fn remove(path: &std::path::Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        // It need not be there.
        let _ = std::fs::remove_file(name);
    }
}

/// The memory of this process in bytes, pages that it shares counted in part.
pub(crate) fn pss() -> f64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    number.unwrap_or(0.0) * 1024.0
}
