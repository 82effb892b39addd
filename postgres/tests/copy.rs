//! The initial copy, and how it fits with the stream, against real servers.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod follow;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use follow::{Follower, setup};
use penstock::Value;
use penstock_postgres::connect::Config;
use penstock_postgres::event::{Cell, OldRow};
use penstock_postgres::setup::{Plugin, Setup, SourceTable, Tables, set_up};
use penstock_postgres::snapshot::{
    Checksum, CopyError, CopySink, Mark, Progress, SinkError, checksums, copy_all, copy_tables,
};
use penstock_postgres::stream::Resume;
use penstock_postgres::{Change, TableName, Transaction};
use penstock_postgres_harness::{Installation, Options, Server, until};

type Row = Vec<Value>;

/// What happens when a table begins.
type OnBegin<'a> = Box<dyn FnMut(&TableName) -> Result<(), SinkError> + 'a>;

/// A replica in memory. Rows are told apart by their first column.
#[derive(Default)]
struct Replica<'a> {
    resume: Option<Resume>,
    tables: BTreeMap<TableName, BTreeMap<String, Row>>,
    marks: BTreeMap<TableName, Mark>,
    begun: Vec<String>,
    progress: Progress,
    on_begin: Option<OnBegin<'a>>,
}

impl CopySink for Replica<'_> {
    fn slot_made(&mut self, resume: &Resume) -> Result<(), SinkError> {
        assert!(self.resume.replace(resume.clone()).is_none() && self.begun.is_empty());
        Ok(())
    }

    fn begin(&mut self, table: &SourceTable) -> Result<(), SinkError> {
        let name = &table.relation.name;
        self.begun.push(name.table.clone());
        self.tables.insert(name.clone(), BTreeMap::new());
        self.on_begin.as_mut().map_or(Ok(()), |act| act(name))
    }

    fn rows(&mut self, table: &TableName, rows: Vec<Row>) -> Result<(), SinkError> {
        let kept = self.tables.get_mut(table).expect("it began");
        for row in rows {
            assert!(kept.insert(format!("{:?}", row[0]), row).is_none(), "no row comes twice");
        }
        Ok(())
    }

    fn end(&mut self, table: &SourceTable, mark: &Mark) -> Result<(), SinkError> {
        self.marks.insert(table.relation.name.clone(), mark.clone());
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        assert!(progress.rows() >= self.progress.rows() && (0.0..=1.0).contains(&progress.share()));
        self.progress = progress.clone();
    }
}

impl Replica<'_> {
    /// Applies what the copies do not hold, strictly.
    fn apply(&mut self, transaction: &Transaction) {
        for change in &transaction.changes {
            match change {
                Change::Insert { relation, new } => {
                    let Some(rows) = self.rows_of(&relation.name, transaction) else { continue };
                    let row = whole(new);
                    assert_eq!(rows.insert(format!("{:?}", row[0]), row), None, "it is new");
                }
                Change::Update { relation, old: None, new } => {
                    let Some(rows) = self.rows_of(&relation.name, transaction) else { continue };
                    let row = whole(new);
                    assert!(rows.insert(format!("{:?}", row[0]), row).is_some(), "it was there");
                }
                Change::Delete { relation, old: OldRow::Key(old) } => {
                    let Some(rows) = self.rows_of(&relation.name, transaction) else { continue };
                    assert!(rows.remove(&format!("{:?}", old[0])).is_some(), "it was there");
                }
                Change::Schema(_) | Change::Message(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn rows_of(
        &mut self,
        name: &TableName,
        transaction: &Transaction,
    ) -> Option<&mut BTreeMap<String, Row>> {
        let held = self.marks[name].holds(transaction.commit, transaction.xid);
        if held { None } else { self.tables.get_mut(name) }
    }

    fn sum(&self, name: &TableName) -> Checksum {
        let mut sum = Checksum::default();
        self.tables[name].values().for_each(|row| sum.add(row));
        sum
    }
}

fn whole(cells: &[Cell]) -> Row {
    let values = cells.iter().map(|cell| match cell {
        Cell::Value(value) => value.clone(),
        Cell::Unchanged => panic!("nothing is large here"),
    });
    values.collect()
}

fn config(server: &Server) -> Config {
    Config::parse(&server.url()).expect("a URL")
}

fn ready(server: &Server, setup: &Setup) -> Vec<SourceTable> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ready = runtime.expect("a runtime").block_on(set_up(&config(server), setup));
    ready.unwrap_or_else(|error| panic!("{error}")).tables
}

fn each_plugin(test: impl Fn(Server, Setup)) {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let installation = Installation::with_wal2json().expect("a Postgres with wal2json");
        test(Server::start(&installation, Options::fast()).expect("it starts"), setup(plugin));
    }
}

/// Follows until everything that the server has now was applied.
fn catch_up(server: &Server, replica: &mut Replica<'_>, setup: &Setup) {
    let resume = replica.resume.clone().expect("the slot was made");
    let mut follower = Follower::start(&server.url(), setup.clone(), resume);
    let end = server.value("select pg_current_wal_flush_lsn()").expect("an answer");
    let end = end.parse().expect("a position");
    while follower.resume.position < end {
        if let Some(transaction) = follower.take_one() {
            replica.apply(&transaction);
        }
    }
    replica.resume = Some(follower.resume.clone());
}

fn assert_equal(server: &Server, replica: &Replica<'_>, setup: &Setup) {
    let tables = ready(server, setup);
    let names: Vec<TableName> = tables.iter().map(|table| table.relation.name.clone()).collect();
    let sums = checksums(&config(server), setup, tables, 2).expect("sums");
    for name in names {
        assert_eq!(replica.sum(&name), sums[&name].0, "{name}");
    }
}

#[test]
fn a_copy_and_the_stream_fit_while_others_write() {
    each_plugin(|server, setup| {
        server
            .sql(
                "create table a (id int primary key, n int); create table b (id int primary key, n int);
                 insert into a select i, 0 from generate_series(1, 20000) i;
                 insert into b select i, 0 from generate_series(1, 20000) i; analyze",
            )
            .expect("made");
        let tables = ready(&server, &setup);
        let mut replica = Replica::default();
        let done = AtomicBool::new(false);
        // One transaction is running when the slot is made, which therefore waits for it.
        let early = server.connect().expect("connected");
        early.sql("begin; insert into a values (-1, 1)").expect("written");
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let (server, done) = (&server, &done);
                scope.spawn(move || {
                    let client = server.connect().expect("connected");
                    for round in 0.. {
                        if done.load(Ordering::SeqCst) {
                            break;
                        }
                        let id = 100_000 * (writer + 1) + round;
                        let victim = 2 * (round % 9000) + writer + 1;
                        let sql = format!(
                            "begin; insert into a values ({id}, 1); savepoint s; insert into b values ({id}, 1); \
                             release s; update a set n = n + 1 where id = {victim}; \
                             delete from b where id = {victim}; commit"
                        );
                        client.sql(&sql).expect("written");
                    }
                });
            }
            let ender = scope.spawn(|| {
                until("the copy waits", || {
                    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
                    let polling = "select count(*) from pg_stat_activity where query like '%pg_snapshot_xmin%' and pid <> pg_backend_pid()";
                    server.value(waiting).expect("an answer") != "0"
                        || server.value(polling).expect("an answer") != "0"
                });
                early.sql("commit").expect("committed");
            });
            copy_all(&config(&server), &setup, tables, 2, &mut replica).expect("copied");
            ender.join().expect("ended");
            done.store(true, Ordering::SeqCst);
        });
        assert_eq!(replica.begun.len(), 2);
        assert_eq!((replica.progress.tables, replica.progress.tables_done), (2, 2));
        assert!(replica.progress.rows() >= 40_000 && replica.progress.bytes() > 400_000);
        catch_up(&server, &mut replica, &setup);
        assert_equal(&server, &replica, &setup);
        let slots = "select string_agg(slot_name, ',') from pg_replication_slots";
        until("only the slot is left", || server.value(slots).expect("an answer") == "penstock");
    });
}

#[test]
fn an_interrupted_copy_goes_on_with_the_tables_that_are_missing() {
    each_plugin(|server, setup| {
        for table in ["a", "b", "c"] {
            let sql = format!(
                "create table {table} (id int primary key, n int); insert into {table} values (1, 1)"
            );
            server.sql(&sql).expect("made");
        }
        let tables = ready(&server, &setup);
        let mut count = 0;
        let mut replica = Replica {
            on_begin: Some(Box::new(move |_| {
                count += 1;
                if count == 2 { Err("the disk is full".into()) } else { Ok(()) }
            })),
            ..Replica::default()
        };
        let error = copy_all(&config(&server), &setup, tables.clone(), 1, &mut replica);
        let error = error.expect_err("interrupted");
        assert_eq!(error.to_string(), "the copy cannot be written: the disk is full");
        assert!(matches!(error, CopyError::Sink(_)) && replica.marks.len() == 1);
        server
            .sql("insert into a values (2, 2); insert into b values (2, 2); update c set n = 2")
            .expect("written");

        replica.on_begin = None;
        replica.begun.clear();
        replica.progress = Progress::default();
        let missing =
            tables.into_iter().filter(|table| !replica.marks.contains_key(&table.relation.name));
        copy_tables(&config(&server), &setup, missing.collect(), 2, &mut replica).expect("copied");
        assert_eq!(replica.begun.len(), 2, "what is there is not copied again");
        server
            .sql("insert into a values (3, 3); delete from b; update c set n = 3")
            .expect("written");
        catch_up(&server, &mut replica, &setup);
        assert_equal(&server, &replica, &setup);
    });
}

#[test]
fn tables_that_are_altered_meanwhile_are_copied_from_another_snapshot() {
    each_plugin(|server, setup| {
        for table in ["first", "rewritten", "renamed", "dropped"] {
            let sql = format!(
                "create table {table} (id int primary key, n int); insert into {table} values (1, 1)"
            );
            server.sql(&sql).expect("made");
        }
        server
            .sql("insert into first select i, 1 from generate_series(2, 200000) i")
            .expect("written");
        let tables = ready(&server, &setup);
        let mut replica = Replica {
            on_begin: Some(Box::new(|name| {
                if name.table == "first" {
                    server.sql(
                        "alter table rewritten alter n type text using 'n' || n; \
                         alter table renamed rename n to m; drop table dropped",
                    )?;
                }
                Ok(())
            })),
            ..Replica::default()
        };
        copy_all(&config(&server), &setup, tables, 1, &mut replica).expect("copied");
        let rewritten = TableName::new("public", "rewritten");
        let rows: Vec<&Row> = replica.tables[&rewritten].values().collect();
        assert_eq!(rows, [&vec![Value::Int(1), Value::Text("n1".into())]]);
        assert_eq!(replica.begun.len(), 3, "{:?}", replica.begun);
        let first = TableName::new("public", "first");
        assert_ne!(replica.marks[&rewritten], replica.marks[&first]);
        assert_equal(&server, &replica, &setup);
    });
}

#[test]
fn partitions_filters_and_columns_are_copied_as_published() {
    for installation in Installation::all().expect("a Postgres to test with") {
        let server = Server::start(&installation, Options::fast()).expect("it starts");
        server
            .sql(
                "create table parts (id int primary key, name text) partition by range (id);
                 create table low partition of parts for values from (0) to (10);
                 create table high partition of parts for values from (10) to (20);
                 insert into parts select i, 'part ' || i from generate_series(0, 19) i;
                 create table parent (id int primary key, at inet); create table child () inherits (parent);
                 alter table child add primary key (id);
                 insert into parent values (1, '10.0.0.1/8'); insert into child values (2, null);
                 create table columns (id int primary key, twice int generated always as (id * 2) stored, n int);
                 insert into columns (id, n) select i, -i from generate_series(1, 5) i",
            )
            .expect("made");
        let filter = if installation.major >= 15 { " where (id > 2)" } else { "" };
        server
            .sql(&format!(
                "create publication mine for table parts, only parent, child, columns{filter} \
                 with (publish_via_partition_root = true)"
            ))
            .expect("made");
        let setup =
            Setup { publication: "mine".into(), tables: Tables::Published, ..Setup::default() };
        let mut replica = Replica::default();
        let tables = ready(&server, &setup);
        copy_all(&config(&server), &setup, tables, 2, &mut replica).expect("copied");
        let table = |name: &str| -> Vec<&Row> {
            replica.tables[&TableName::new("public", name)].values().collect()
        };
        assert_eq!(table("parts").len(), 20);
        let at = Value::Text("10.0.0.1/8".into());
        assert_eq!(table("parent"), [&vec![Value::Int(1), at]], "its child's rows are not its own");
        assert_eq!(table("child"), [&vec![Value::Int(2), Value::Null]]);
        let columns = table("columns");
        assert_eq!(columns.len(), if filter.is_empty() { 5 } else { 3 });
        assert_eq!(
            columns[2],
            &vec![
                Value::Int(if filter.is_empty() { 3 } else { 5 }),
                Value::Int(if filter.is_empty() { -3 } else { -5 })
            ]
        );
    }
}

#[test]
fn a_slot_that_cannot_be_made_is_an_error_with_the_servers_words() {
    each_plugin(|server, setup| {
        server.sql("create table t (id int primary key)").expect("made");
        let tables = ready(&server, &setup);
        server
            .sql("select pg_create_logical_replication_slot('penstock', 'pgoutput')")
            .expect("made");
        let error = copy_all(&config(&server), &setup, tables, 1, &mut Replica::default());
        let error = error.expect_err("it is there already").to_string();
        assert_eq!(
            error,
            "making the replication slot penstock: replication slot \"penstock\" already exists (SQLSTATE 42710)"
        );
    });
}
