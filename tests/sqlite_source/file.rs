//! Files and sources for tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use penstock::operators::delta::Batch;
use penstock::operators::key::KeySpec;
use penstock::operators::source::{At, ScanShape};
use penstock::{Row, Source, SqliteSource, TableId, Value};
use rusqlite::Connection;

/// All rows of a table by their encoded keys.
pub(crate) type Rows = BTreeMap<Vec<u8>, Row>;

/// A path of its own for a test, with nothing there.
pub(crate) fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sqlite-source-{name}.db"));
    for end in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    path
}

/// A connection to a file, to which nothing has to be written for good.
pub(crate) fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("the file can be opened");
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON")
        .expect("pragmas of SQLite");
    connection
}

/// A source over a database in memory.
pub(crate) fn in_memory(sql: &str) -> SqliteSource {
    let connection = Connection::open_in_memory().expect("memory");
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("a pragma of SQLite");
    connection.execute_batch(sql).expect("the tables of a test are sound");
    SqliteSource::from_connection(connection).expect("a sound database")
}

/// The id of a table.
pub(crate) fn table(source: &SqliteSource, name: &str) -> TableId {
    source.schema().table_id(name).unwrap_or_else(|| panic!("there is no table {name}"))
}

/// All rows of all tables, as the source reads them.
pub(crate) fn dump(source: &mut SqliteSource) -> Vec<Rows> {
    (0..source.schema().tables().len() as u32).map(|id| rows(source, TableId(id))).collect()
}

/// All rows of a table, as the source reads them; none of one that is gone.
pub(crate) fn rows(source: &mut SqliteSource, table: TableId) -> Rows {
    if source.schema().table(table).name().starts_with('\0') {
        return Rows::new();
    }
    let order = source.schema().table(table).primary_key_spec().columns().to_vec();
    let spec = KeySpec::new(order.clone());
    let id = source.prepare(&ScanShape { table, equal: Vec::new(), order }).expect("a shape");
    let mut rows = Rows::new();
    source
        .scan(At::After, id, &[], None, false, &mut |row| {
            rows.insert(spec.key(row).to_vec(), row.clone());
            ControlFlow::Continue(())
        })
        .expect("the rows can be read");
    source.release(id);
    rows
}

/// The rows of a table in the order of their keys, each as text.
pub(crate) fn shown(source: &mut SqliteSource, name: &str) -> Vec<String> {
    let id = table(source, name);
    rows(source, id).values().map(|row| format!("{row:?}")).collect()
}

/// Checks that a batch leads from one state of the tables to another, and says nothing twice and
/// nothing that did not change.
pub(crate) fn check_batch(
    source: &SqliteSource,
    before: &[Rows],
    batch: &Batch,
    after: &[Rows],
) -> Result<(), String> {
    let mut state = before.to_vec();
    for (id, deltas) in batch.tables() {
        let spec = source.schema().table(id).primary_key_spec();
        let rows = &mut state[id.0 as usize];
        let mut seen = std::collections::BTreeSet::new();
        for delta in deltas {
            let row = delta.new.as_ref().or(delta.old.as_ref()).ok_or("a delta of no row")?;
            let key = spec.key(row).to_vec();
            if !seen.insert(key.clone()) {
                return Err(format!("{row:?} occurs twice"));
            }
            if delta.old == delta.new {
                return Err(format!("{row:?} did not change"));
            }
            if rows.remove(&key) != delta.old {
                return Err(format!("{delta:?}: this is not the old row"));
            }
            if let Some(new) = &delta.new {
                rows.insert(key, new.clone());
            }
        }
    }
    match state == after {
        true => Ok(()),
        false => Err(format!("the batch {batch:?} leads to {state:?}, but there is {after:?}")),
    }
}

/// Runs statements as one transaction, checks the batch against what the tables hold, and commits.
pub(crate) fn transact(source: &mut SqliteSource, sql: &str) -> Batch {
    let before = dump(source);
    source.begin().expect("none is in flight");
    source.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batch = source.finish().expect("it can be finished");
    let after = dump(source);
    check_batch(source, &before, &batch, &after).unwrap_or_else(|error| panic!("{sql}: {error}"));
    source.commit().expect("it is finished");
    batch
}

/// A row of values.
pub(crate) fn row<const N: usize>(values: [Value; N]) -> Row {
    Row::new(&values)
}
