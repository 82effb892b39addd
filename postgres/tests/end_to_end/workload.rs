//! Transactions of several connections, made at random.

use std::fmt::Write as _;

use penstock_postgres_harness::{Client, Server};

use crate::ddl::{self, Effect};
use crate::rng::Rng;
use crate::schema::Model;
use crate::writes;

/// What a statement may fail with: a taken key, a null where none may be, another's lock, a value that
/// does not fit; and what follows within the transaction.
const EXPECTED: [&str; 6] = ["(23505)", "(23502)", "(55P03)", "(21000)", "(23514)", "(22003)"];

/// How long a statement waits for a lock that another of our connections may hold.
const LOCK_PATIENCE: &str = "50ms";

/// A connection, and its transaction if one is open.
struct Session {
    client: Client,
    open: bool,
    savepoints: usize,
}

pub(crate) struct Workload {
    pub(crate) rng: Rng,
    pub(crate) model: Model,
    sessions: Vec<Session>,
    /// Whether doubles are to be finite: wal2json makes nulls of others.
    finite: bool,
    /// All statements so far.
    pub(crate) script: String,
    /// What the changes of tables since the last quiesce amount to.
    pub(crate) effects: Vec<Effect>,
}

impl Workload {
    pub(crate) fn new(server_url: &str, seed: u64, model: Model, finite: bool) -> Workload {
        let session = || {
            let client = Client::connect(server_url).expect("a connection");
            let settings = format!("set lock_timeout = '{LOCK_PATIENCE}'; set timezone = 'UTC'");
            client.sql(&settings).expect("settings");
            Session { client, open: false, savepoints: 0 }
        };
        let sessions = (0..3).map(|_| session()).collect();
        let (script, effects) = (String::new(), Vec::new());
        Workload { rng: Rng::new(seed), model, sessions, finite, script, effects }
    }

    /// Makes tables, before anything follows them.
    pub(crate) fn make_tables(&mut self, count: usize) {
        for _ in 0..count {
            let (sql, _) = ddl::create(&mut self.rng, &mut self.model);
            self.must(0, &sql);
        }
    }

    /// Runs so many steps on any of the connections, and ends all transactions.
    pub(crate) fn write(&mut self, steps: usize) {
        for _ in 0..steps {
            let at = self.rng.below(self.sessions.len());
            self.step(at);
        }
        self.end_all();
    }

    /// Changes tables between writes, sometimes within the same transaction.
    pub(crate) fn change_tables(&mut self, changes: usize) {
        for _ in 0..changes {
            self.end_all();
            if self.rng.chance(50) {
                self.change_within();
            } else {
                let (sql, effect) = ddl::change(&mut self.rng, &mut self.model);
                self.must(0, &sql);
                self.effects.push(effect);
            }
            let steps = self.rng.below(8);
            self.write(steps);
        }
    }

    /// Writes, changes tables and writes again in one transaction, which may be rolled back.
    fn change_within(&mut self) {
        let model = self.model.clone();
        self.must(0, "begin");
        self.try_write(0, true);
        let (sql, mut effect) = ddl::change(&mut self.rng, &mut self.model);
        self.must(0, &sql);
        self.try_write(0, true);
        if self.rng.chance(30) {
            let inner = self.model.clone();
            self.must(0, "savepoint change");
            let (sql, second) = ddl::change(&mut self.rng, &mut self.model);
            self.must(0, &sql);
            self.try_write(0, true);
            match self.rng.chance(50) {
                true => {
                    self.must(0, "rollback to change");
                    self.model = inner;
                }
                false if second == Effect::Changing => effect = second,
                false => {}
            }
            self.try_write(0, true);
        }
        if self.rng.chance(25) {
            self.must(0, "rollback");
            self.model = model;
        } else {
            self.must(0, "commit");
            self.effects.push(effect);
        }
    }

    /// Writes to each table, so that a change of it is noticed: all rows, or if there are none a new one.
    pub(crate) fn touch_all(&mut self) {
        for table in self.model.tables.clone() {
            let column = table.joining().quoted();
            self.must(0, &format!("update {} set {column} = {column}", table.sql()));
            for _ in 0..20 {
                let sql = writes::insert(&mut self.rng, &table);
                self.must(0, "begin");
                if self.is_done(0, &sql) {
                    self.must(0, "commit");
                    break;
                }
                self.must(0, "rollback");
            }
        }
    }

    fn step(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        if !session.open {
            if self.rng.chance(30) {
                return self.try_write(at, false);
            }
            session.open = true;
            return self.must(at, "begin");
        }
        match self.rng.below(100) {
            0..60 => self.try_write(at, true),
            60..68 => {
                session.savepoints += 1;
                let sql = format!("savepoint s{}", session.savepoints);
                self.must(at, &sql);
            }
            68..74 if session.savepoints > 0 => {
                session.savepoints = self.rng.below(session.savepoints);
                let sql = format!("rollback to s{}", session.savepoints + 1);
                self.must(at, &sql);
            }
            74..80 => self.end(at, "rollback"),
            _ => self.end(at, "commit"),
        }
    }

    /// Runs a write that may fail; then only it is undone.
    fn try_write(&mut self, at: usize, within: bool) {
        let Some(sql) = writes::write(&mut self.rng, &self.model) else { return };
        if !within {
            self.is_done(at, &sql);
            return;
        }
        self.must(at, "savepoint statement");
        if self.is_done(at, &sql) {
            self.must(at, "release statement");
        } else {
            self.must(at, "rollback to statement");
        }
    }

    fn end(&mut self, at: usize, how: &str) {
        self.must(at, how);
        (self.sessions[at].open, self.sessions[at].savepoints) = (false, 0);
    }

    pub(crate) fn end_all(&mut self) {
        for at in 0..self.sessions.len() {
            if self.sessions[at].open {
                let how = if self.rng.chance(80) { "commit" } else { "rollback" };
                self.end(at, how);
            }
        }
    }

    /// Writes a statement down as it is run.
    fn noted(&mut self, at: usize, sql: &str) -> String {
        let sql =
            if self.finite { sql.replace("Infinity'::float", "7'::float") } else { sql.to_owned() };
        // Writing to a string does not fail.
        let _ = writeln!(self.script, "/* {at} */ {sql};");
        sql
    }

    /// Whether a statement succeeds; what must not happen fails the test.
    fn is_done(&mut self, at: usize, sql: &str) -> bool {
        let sql = self.noted(at, sql);
        match self.sessions[at].client.sql(&sql) {
            Ok(_) => true,
            Err(error) => {
                let error = error.to_string();
                let _ = writeln!(self.script, "-- {error}");
                let is_expected = EXPECTED.iter().any(|code| error.ends_with(code));
                assert!(is_expected, "the workload is wrong: {error}\n{sql}");
                false
            }
        }
    }

    fn must(&mut self, at: usize, sql: &str) {
        let is_change = !["begin", "commit", "rollback", "savepoint", "release"]
            .iter()
            .any(|word| sql.starts_with(word));
        // Whoever copies tables may hold a lock for a moment.
        let waits = |patience: &str| format!("set lock_timeout = '{patience}'");
        let sql = self.noted(at, sql);
        let client = &self.sessions[at].client;
        if is_change {
            client.sql(&waits("60s")).expect("a setting");
        }
        let done = client.sql(&sql);
        assert!(done.is_ok(), "the workload is wrong: {done:?}\n{sql}");
        if is_change {
            client.sql(&waits(LOCK_PATIENCE)).expect("a setting");
        }
    }
}

/// Makes a database of a server, and says how to reach it.
pub(crate) fn make_database(server: &Server, name: &str) -> String {
    server.sql(&format!("create database {name}")).expect("a database");
    let url = server.url();
    let (start, _) = url.rsplit_once('/').expect("the URL of a database");
    format!("{start}/{name}")
}
