//! A made-up server: tables, transactions, and replicas of them.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock::Value;
use penstock_postgres::event::{Cell, OldRow};
use penstock_postgres::replica::{
    Applied, Described, DescribedColumn, Describer, Missing, Position, Replica, ReplicaError,
    ReplicaOptions, TableSpec,
};
use penstock_postgres::snapshot::Mark;
use penstock_postgres::types::Catalogue;
use penstock_postgres::{Change, Column, Header, Identity, Lsn, Relation, Step, TableName};

pub(crate) const INT4: u32 = 23;
pub(crate) const TEXT: u32 = 25;

/// A column of a type; the first ones of a table are its key.
pub(crate) fn column(name: &str, key: bool, type_id: u32) -> Column {
    Column { name: name.to_owned(), key, type_id, modifier: -1 }
}

pub(crate) fn relation(id: u32, name: &str, columns: Vec<Column>) -> Arc<Relation> {
    let name = TableName::new("public", name);
    Arc::new(Relation { id, name, identity: Identity::Default, columns })
}

/// `task(id integer primary key, title text, done integer)`.
pub(crate) fn task() -> Arc<Relation> {
    let columns =
        vec![column("id", true, INT4), column("title", false, TEXT), column("done", false, INT4)];
    relation(100, "task", columns)
}

/// Columns numbered from 1, and the key that the columns say.
pub(crate) fn spec(relation: &Arc<Relation>) -> TableSpec {
    let numbers = (1..).take(relation.columns.len()).collect();
    let key: Vec<String> =
        relation.columns.iter().filter(|column| column.key).map(|c| c.name.clone()).collect();
    TableSpec::new(Arc::clone(relation), numbers, &key, &Catalogue::default()).expect("sound")
}

/// A server that says what a test has told it.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) tables: BTreeMap<u32, Described>,
    pub(crate) asked: usize,
}

impl Server {
    /// Tells of a table: its columns as name, number, type and what old rows have.
    pub(crate) fn tell(&mut self, relation: &Relation, columns: &[(&str, i16, u32, Missing)]) {
        let columns = columns.iter().map(|(name, number, type_id, missing)| DescribedColumn {
            name: (*name).to_owned(),
            number: *number,
            type_id: *type_id,
            missing: missing.clone(),
        });
        let described = Described { name: relation.name.clone(), columns: columns.collect() };
        self.tables.insert(relation.id, described);
    }
}

impl Describer for Server {
    fn describe(&mut self, id: u32) -> Result<Option<Described>, String> {
        self.asked += 1;
        Ok(self.tables.get(&id).cloned())
    }

    fn catalogue(&mut self) -> Result<Arc<Catalogue>, String> {
        Ok(Arc::new(Catalogue::default()))
    }
}

/// A path of its own for a test, with nothing there.
pub(crate) fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replica-{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    path
}

pub(crate) fn position(at: u64) -> Position {
    let (commit, end) = (Lsn(at), Lsn(at));
    Position {
        system_id: 7,
        timeline: 1,
        slot: "s".to_owned(),
        commit,
        end,
        xid: None,
        committed_at: 0,
    }
}

/// A replica in memory that is started at position 100.
pub(crate) fn in_memory() -> Replica {
    let options = ReplicaOptions::new(":memory:").verify_every_commit(true);
    let mut replica = Replica::open(options).expect("memory");
    replica.start(position(100)).expect("memory");
    replica
}

/// Copies a table with rows, by a snapshot that sees all transactions up to number 9.
pub(crate) fn copy(replica: &mut Replica, spec: TableSpec, rows: &[Vec<Value>]) {
    let copy = replica.begin_copy(spec).expect("a copy");
    copy.add(rows).expect("rows");
    let mark: Mark = "0/64 10:10:".parse().expect("a mark");
    replica.finish_copy(copy, mark).expect("a copy");
}

pub(crate) fn row(id: i64, title: &str, done: i64) -> Vec<Value> {
    vec![id.into(), title.into(), done.into()]
}

pub(crate) fn cells(values: Vec<Value>) -> Vec<Cell> {
    values.into_iter().map(Cell::Value).collect()
}

pub(crate) fn insert(relation: &Arc<Relation>, values: Vec<Value>) -> Change {
    Change::Insert { relation: Arc::clone(relation), new: cells(values) }
}

pub(crate) fn update(relation: &Arc<Relation>, values: Vec<Value>) -> Change {
    Change::Update { relation: Arc::clone(relation), old: None, new: cells(values) }
}

/// The deletion of a row by a key of one column, the first.
pub(crate) fn delete(relation: &Arc<Relation>, key: i64) -> Change {
    let mut old = vec![Value::Null; relation.columns.len()];
    old[0] = key.into();
    Change::Delete { relation: Arc::clone(relation), old: OldRow::Key(old) }
}

pub(crate) fn header(at: u64) -> Header {
    Header { commit: Lsn(at), xid: at as u32, committed_at: at as i64, origin: None }
}

/// Applies a transaction whose commit record is at a position, and whose id is that number. The
/// changes come one by one.
pub(crate) fn try_apply(
    replica: &mut Replica,
    server: &mut Server,
    at: u64,
    changes: Vec<Change>,
) -> Result<Applied, ReplicaError> {
    let mut steps: VecDeque<Step> =
        changes.into_iter().map(|change| Step::Changes(vec![change])).collect();
    steps.push_back(Step::Commit { end: Lsn(at + 5) });
    let mut next =
        || steps.pop_front().ok_or_else(|| ReplicaError::Interrupted("nothing comes".to_owned()));
    replica.apply(&header(at), &mut next, server)
}

pub(crate) fn apply(replica: &mut Replica, at: u64, changes: Vec<Change>) -> Applied {
    try_apply(replica, &mut Server::default(), at, changes).expect("a sound transaction")
}

/// The rows of a query, each as text.
pub(crate) fn query(replica: &Replica, sql: &str) -> Vec<String> {
    let rows = replica.database().query_sql(sql, ()).expect("a sound query");
    let values = |entry: penstock::Entry| {
        let row = entry.row();
        let values: Vec<String> =
            row.table().values(row.row()).map(|(_, value)| value.to_owned().to_string()).collect();
        values.join(" ")
    };
    rows.iter().map(values).collect()
}

/// The state of a table, as a word.
pub(crate) fn state(replica: &Replica, id: u32) -> &'static str {
    use penstock_postgres::replica::TableState::{Copied, Refused, Wanted};
    let found = replica.tables().find(|(other, ..)| *other == id);
    match found.map(|(_, _, state)| state) {
        None => "none",
        Some(Wanted { .. }) => "wanted",
        Some(Copied { .. }) => "copied",
        Some(Refused { .. }) => "refused",
    }
}
