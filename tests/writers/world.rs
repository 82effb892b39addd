//! A file, those who write to it, and the live queries over it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock::{Attached, Database, Error, SqliteOptions, SqliteSource, Subscription, Tree};
use rusqlite::Connection;

use super::queries::{QUERIES, expected, shown};
use super::random::Random;
use super::writes::{statement, write};

/// How others are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Following {
    Anyone,
    Log,
    Attached,
}

const TABLES: &str = "
    CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, age INTEGER);
    CREATE TABLE issue(id INTEGER PRIMARY KEY, title TEXT UNIQUE,
        owner INTEGER REFERENCES user ON DELETE SET NULL, open BOOLEAN, points REAL);
    CREATE TABLE comment(id INTEGER PRIMARY KEY,
        issue INTEGER REFERENCES issue ON DELETE CASCADE ON UPDATE CASCADE, body TEXT);
    CREATE TABLE tag(issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE ON UPDATE CASCADE,
        name TEXT NOT NULL, weight, PRIMARY KEY(issue, name)) WITHOUT ROWID;
    CREATE TABLE audit(id INTEGER PRIMARY KEY, note TEXT);
    CREATE INDEX issue_points ON issue(points);
    CREATE INDEX comment_issue ON comment(issue);
    CREATE TRIGGER counted AFTER INSERT ON comment WHEN NEW.body = 'b2' BEGIN
        UPDATE issue SET points = coalesce(points, 0) + 1 WHERE id = NEW.issue; END;
    CREATE TRIGGER audited AFTER UPDATE OF points ON issue BEGIN
        INSERT INTO audit(note) SELECT 'issue ' || NEW.id WHERE NEW.points > 5; END;
    CREATE TRIGGER refused BEFORE DELETE ON user WHEN OLD.age = 7 BEGIN
        SELECT RAISE(ABORT, 'seven'); END;
    CREATE TRIGGER ignored BEFORE INSERT ON tag WHEN NEW.name = 'ignored' BEGIN
        SELECT RAISE(IGNORE); END;
";

/// A live query with the tree that its patches keep.
struct Kept {
    query: usize,
    live: Subscription,
    tree: Tree,
    limit: Option<usize>,
}

pub(crate) struct World {
    following: Following,
    wal: bool,
    seed: u64,
    path: PathBuf,
    random: Random,
    db: Database,
    kept: Vec<Kept>,
    oracle: Connection,
    stranger: Connection,
    attached: Connection,
    _watch: Attached,
    log: Vec<String>,
    looks: usize,
}

fn remove(path: &Path) {
    for end in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.to_owned().into_os_string();
        name.push(end);
        // It may not be there.
        let _ = std::fs::remove_file(name);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}, wal {}, seed {}:", self.following, self.wal, self.seed);
            let from = self.log.len().saturating_sub(40);
            self.log[from..].iter().for_each(|line| eprintln!("  {line}"));
        }
        remove(&self.path);
    }
}

impl World {
    pub(crate) fn new(following: Following, wal: bool, seed: u64) -> World {
        let name = format!("writers-{following:?}-{wal}-{seed}.db");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        remove(&path);
        let connect = || {
            let connection = Connection::open(&path).expect("a file");
            let settings = "PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON";
            connection.execute_batch(settings).expect("settings");
            connection.busy_timeout(Duration::ZERO).expect("a setting");
            connection
        };
        let (oracle, stranger, mut attached) = (connect(), connect(), connect());
        if wal {
            oracle.execute_batch("PRAGMA journal_mode = WAL").expect("a setting");
        }
        oracle.execute_batch(TABLES).expect("sound tables");
        let options = SqliteOptions::new(&path)
            .busy_timeout(Duration::ZERO)
            .change_log(following == Following::Log)
            .only_attached_writers(following == Following::Attached);
        let source = SqliteSource::open_with(options).expect("a sound file");
        let db = Database::builder().with_source(source).expect("a database");
        let watch = db.attach(&mut attached).expect("the same file");
        let random = Random::new(seed);
        let (kept, log) = (Vec::new(), Vec::new());
        let mut world = World {
            following,
            wal,
            seed,
            path,
            random,
            db,
            kept,
            oracle,
            stranger,
            attached,
            _watch: watch,
            log,
            looks: 0,
        };
        for _ in 0..8 {
            let sql = statement(&mut world.random);
            let _ = world.oracle_write(&sql);
        }
        world
    }

    /// A write by a stranger, or where there is none by the attached connection.
    fn oracle_write(&mut self, sql: &str) -> rusqlite::Result<()> {
        let by = if self.following == Following::Attached { &self.attached } else { &self.oracle };
        by.execute_batch(sql)
    }

    fn note(&mut self, line: impl Into<String>) {
        self.log.push(line.into());
    }

    pub(crate) fn step(&mut self) {
        match self.random.below(20) {
            0..=4 => self.transaction(),
            5..=7 => self.attached_writes(),
            8..=10 if self.following != Following::Attached => self.stranger_writes(),
            11 => self.schema_changes(),
            12 => self.set_limit(),
            13 | 14 if !self.kept.is_empty() => {
                let at = self.random.below(self.kept.len());
                self.note("unsubscribe");
                self.kept.swap_remove(at);
            }
            15 => {
                self.note("sync");
                self.db.sync().expect("nobody holds the file");
            }
            16 => self.transaction_beside_a_reader(),
            _ => self.subscribe(),
        }
        if self.random.chance(50) {
            self.look();
        }
    }

    fn transaction(&mut self) {
        let count = self.random.range(1, 4);
        let mut lines = Vec::new();
        for _ in 0..count {
            let kind = self.random.below(6);
            let sql = statement(&mut self.random);
            lines.push((kind, sql, self.random.range(1, 9) as i64));
        }
        let give_up = self.random.chance(15);
        self.note(format!("transaction, given up {give_up}: {lines:?}"));
        let done = self.db.transaction(|tx| {
            for (kind, sql, id) in &lines {
                write(tx, *kind, sql, *id)?;
            }
            if give_up { Err(Error::NoSql) } else { Ok(()) }
        });
        assert_eq!(matches!(done, Err(Error::NoSql)), give_up, "{done:?}");
    }

    /// In rollback-journal mode a reader keeps a transaction from its commit.
    fn transaction_beside_a_reader(&mut self) {
        self.note("(beside a reader)");
        self.oracle.execute_batch("BEGIN; SELECT count(*) FROM user").expect("nobody writes");
        let sql = statement(&mut self.random);
        self.note(sql.clone());
        let done = self.db.transaction(|tx| Ok(tx.execute(&sql, [0; 0]).is_ok()));
        let attached = statement(&mut self.random);
        self.note(format!("attached, beside a reader: {attached}"));
        let begun = self.attached.execute_batch("BEGIN IMMEDIATE");
        let _ = self.attached.execute_batch(&attached);
        let ended = self.attached.execute_batch("COMMIT");
        let wal = self.wal;
        assert!(begun.is_ok() && (done.is_ok() && ended.is_ok() || !wal), "{done:?} {ended:?}");
        if !self.attached.is_autocommit() {
            if self.random.chance(50) {
                let synced = self.db.sync();
                self.note(format!("sync before its commit {synced:?}"));
            }
            self.oracle.execute_batch("COMMIT").expect("a reader");
            let end = if self.random.chance(50) { "COMMIT" } else { "ROLLBACK" };
            self.note(end);
            self.attached.execute_batch(end).expect("nobody reads");
        } else {
            self.oracle.execute_batch("COMMIT").expect("a reader");
        }
    }

    fn attached_writes(&mut self) {
        let count = self.random.range(1, 3);
        let open = self.random.chance(60);
        if open {
            self.attached.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
        }
        for _ in 0..count {
            let sql = statement(&mut self.random);
            let done = self.attached.execute_batch(&sql);
            self.note(format!("attached, {}: {sql}", done.is_ok()));
            if open && self.wal && self.random.chance(30) {
                self.note("look beside its transaction");
                self.look();
            }
        }
        if open {
            let end = if self.random.chance(80) { "COMMIT" } else { "ROLLBACK" };
            self.note(end);
            self.attached.execute_batch(end).expect("nobody reads");
        }
    }

    fn stranger_writes(&mut self) {
        for _ in 0..self.random.range(1, 3) {
            let sql = statement(&mut self.random);
            let done = self.stranger.execute_batch(&sql);
            self.note(format!("stranger, {}: {sql}", done.is_ok()));
        }
    }

    fn schema_changes(&mut self) {
        let number = self.looks + self.log.len();
        let audit = "DROP TABLE audit; CREATE TABLE audit(id INTEGER PRIMARY KEY, note TEXT);
             INSERT INTO audit VALUES(1, 'new')";
        let sql = match self.random.below(9) {
            0 => "VACUUM".to_owned(),
            1 => "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
            2 => format!("ALTER TABLE comment ADD COLUMN more{number} TEXT DEFAULT 'm'"),
            3 => format!("ALTER TABLE issue ADD COLUMN more{number}"),
            4 => format!("CREATE TABLE extra{number}(id INTEGER PRIMARY KEY, v)"),
            5 => audit.to_owned(),
            6 => "DROP TABLE audit".to_owned(),
            7 => "CREATE TABLE IF NOT EXISTS audit(id INTEGER PRIMARY KEY, note TEXT)".to_owned(),
            _ if self.following == Following::Log => {
                "DELETE FROM penstock_log WHERE seq % 2 = 0".to_owned()
            }
            _ => "CREATE INDEX IF NOT EXISTS by_title ON issue(title, points)".to_owned(),
        };
        let done = self.stranger.execute_batch(&sql);
        self.note(format!("stranger, {done:?}: {sql}"));
    }

    fn subscribe(&mut self) {
        let query = self.random.below(QUERIES.len());
        let sql = QUERIES[query].sql;
        let live = self.db.subscribe_sql(sql, [0; 0]);
        self.note(format!("subscribe, {}: {sql}", live.is_ok()));
        match live {
            Ok(live) => {
                let tree = live.rows();
                self.kept.push(Kept { query, live, tree, limit: None });
            }
            Err(error) => {
                let there = self.oracle.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'audit'");
                let there = there.and_then(|mut there| there.exists([])).expect("a query");
                assert!(sql.contains("audit") && !there, "{sql}: {error}");
            }
        }
    }

    fn set_limit(&mut self) {
        let able: Vec<usize> =
            (0..self.kept.len()).filter(|at| QUERIES[self.kept[*at].query].limits).collect();
        if able.is_empty() {
            return;
        }
        let at = *self.random.pick(&able);
        let limit = self.random.chance(80).then(|| self.random.range(1, 5));
        let kept = &mut self.kept[at];
        let moved = kept.live.set_limit(limit);
        // One that has ended is found so at the next look.
        let ended = matches!(moved, Err(Error::SchemaChanged { .. }));
        assert!(ended || moved.is_ok(), "{moved:?}");
        kept.limit = limit;
        self.log.push(format!("limit {limit:?}: {}", QUERIES[kept.query].sql));
    }

    /// Looks whether all live results are right.
    fn look(&mut self) {
        self.note("look");
        self.db.sync().expect("nobody holds the file");
        let (db, oracle, looks) = (&self.db, &self.oracle, &mut self.looks);
        self.kept.retain_mut(|kept| {
            let query = &QUERIES[kept.query];
            for patch in kept.live.changes() {
                kept.tree.apply(&patch);
            }
            if let Err(error) = kept.live.try_rows() {
                // A stranger has dropped its table, or added a column to one that is joined whole.
                let expected = query.sql.contains("audit") || error.to_string().contains("further");
                assert!(expected, "{}: {error}", query.sql);
                return false;
            }
            let rows = kept.live.rows();
            let right = expected(oracle, query, kept.limit).expect("the table is there");
            assert_eq!(shown(&rows, query), right, "live: {} {:?}", query.sql, kept.limit);
            assert_eq!(shown(&kept.tree, query), right, "patches: {}", query.sql);
            assert!(kept.tree == rows, "patches: {}", query.sql);
            let sql = match kept.limit {
                Some(limit) => format!("{} LIMIT {limit}", query.sql),
                None => query.sql.to_owned(),
            };
            let fresh = db.query_sql(&sql, [0; 0]).expect("a query");
            assert_eq!(shown(&fresh, query), right, "fresh: {}", query.sql);
            *looks += 1;
            true
        });
        self.db.verify().expect("maintained");
    }

    /// Ends the run. Returns how many results were looked at.
    pub(crate) fn end(mut self) -> usize {
        self.look();
        self.kept.clear();
        let usage = self.db.memory_usage().expect("outside a transaction");
        assert_eq!((usage.levels, usage.partitions, usage.feeds), (0, 0, 0), "{usage:?}");
        assert_eq!(usage.queries, self.empty_bytes(), "{usage:?}");
        self.looks
    }

    /// What live queries take where there are none.
    fn empty_bytes(&self) -> usize {
        let schema = penstock::Schema::new([]).expect("sound");
        let empty = Database::in_memory(schema).expect("a database");
        empty.memory_usage().expect("outside a transaction").queries
    }
}
