//! A store in an SQLite file: what changed of a group is what is written.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Retention;
use crate::hub::{GroupChanges, GroupStore, StoredGroup, StoredHead};

/// The layout of the file. The first one, of whole groups as JSON, is given up for this; another is
/// refused.
const VERSION: i64 = 3;

const TABLES: &str = "
DROP TABLE IF EXISTS client_group;
CREATE TABLE client_group(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT, schema TEXT,
    version INTEGER NOT NULL, histories TEXT NOT NULL, floor INTEGER NOT NULL,
    active_ms INTEGER NOT NULL, used_day INTEGER NOT NULL);
CREATE TABLE client(
    of INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (of, name)) WITHOUT ROWID;
CREATE TABLE query(
    of INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (of, name)) WITHOUT ROWID;
CREATE TABLE gone(
    of INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (of, name)) WITHOUT ROWID;
-- Rows that clients hold, with a sum; and those that were deleted, without.
CREATE TABLE held(
    of INTEGER NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, sum BLOB, at INTEGER NOT NULL,
    PRIMARY KEY (of, tbl, key)) WITHOUT ROWID;";

/// From the second layout to the third, which knows when a group was last used.
const LAST_USE: &str = "ALTER TABLE client_group ADD COLUMN used_day INTEGER NOT NULL DEFAULT 0";

/// A store in an SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    retention: Retention,
}

impl SqliteStore {
    /// Opens or creates a file, and forgets groups that nobody has used for long.
    ///
    /// # Errors
    /// A file that cannot be opened, or that another version has written; for people.
    pub fn open(path: &Path, retention: Retention) -> Result<SqliteStore, String> {
        let connection = Connection::open(path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        SqliteStore::new(connection, retention)
            .map_err(|problem| format!("{}: {problem}", path.display()))
    }

    /// A store that is gone with the process.
    ///
    /// # Errors
    /// Memory that cannot be had.
    pub fn in_memory(retention: Retention) -> Result<SqliteStore, String> {
        SqliteStore::new(Connection::open_in_memory().map_err(text)?, retention)
    }

    fn new(mut connection: Connection, mut retention: Retention) -> Result<SqliteStore, String> {
        connection.pragma_update(None, "journal_mode", "wal").map_err(text)?;
        // What a power failure takes is sent again; the file stays whole.
        connection.pragma_update(None, "synchronous", "normal").map_err(text)?;
        connection.set_prepared_statement_cache_capacity(32);
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(text)?;
        if version > VERSION {
            return Err(format!(
                "it has layout {version}, this server writes {VERSION}; delete the file, and clients are sent everything anew"
            ));
        }
        if version < VERSION {
            let transaction = connection.transaction().map_err(text)?;
            match version {
                2 => {
                    transaction.execute_batch(LAST_USE).map_err(text)?;
                    let sql = "UPDATE client_group SET used_day = ?1";
                    transaction.execute(sql, [retention.today()]).map_err(text)?;
                }
                _ => transaction.execute_batch(TABLES).map_err(text)?,
            }
            transaction.pragma_update(None, "user_version", VERSION).map_err(text)?;
            transaction.commit().map_err(text)?;
        }
        retention.look(&connection)?;
        Ok(SqliteStore { connection, retention })
    }

    #[cfg(test)]
    pub(super) fn kept_of<T: rusqlite::types::FromSql>(&self, sql: &str) -> rusqlite::Result<T> {
        self.connection.query_row(sql, [], |row| row.get(0))
    }

    /// The groups by name, each with how many clients it has.
    #[cfg(test)]
    pub(super) fn kept(&self) -> rusqlite::Result<Vec<(String, i64)>> {
        let sql = "SELECT id, (SELECT count(*) FROM client WHERE of = number) FROM client_group ORDER BY id";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl GroupStore for SqliteStore {
    fn load(&mut self, id: &str) -> Result<Option<StoredGroup>, String> {
        let transaction = self.connection.transaction().map_err(text)?;
        let found = load(&transaction, id)?;
        if found.is_some() {
            self.retention.hold(id);
        }
        Ok(found)
    }

    fn save(&mut self, changes: Vec<GroupChanges>) -> Result<(), String> {
        let transaction = self.connection.transaction().map_err(text)?;
        let today = self.retention.today();
        for changes in &changes {
            self.retention.hold(&changes.id);
            save(&transaction, changes, today)?;
        }
        transaction.commit().map_err(text)
    }

    fn let_go(&mut self, id: &str) {
        if let Err(problem) = self.retention.let_go(&mut self.connection, id) {
            // The next that is let go has it tried again.
            tracing::warn!(problem, "client groups that nobody uses cannot be forgotten");
        }
    }

    fn flush(&mut self) {
        if let Err(problem) = self.retention.used(&mut self.connection) {
            tracing::warn!(problem, "when client groups were last used cannot be kept");
        }
    }
}

fn load(transaction: &Transaction<'_>, id: &str) -> Result<Option<StoredGroup>, String> {
    let sql = "SELECT number, user, schema, version, histories, floor, active_ms \
               FROM client_group WHERE id = ?1";
    let mut statement = transaction.prepare_cached(sql).map_err(text)?;
    let found = statement.query_row([id], |row| {
        let unsigned = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let head = StoredHead {
            user: row.get(1)?,
            version: unsigned(3)?,
            histories: Vec::new(),
            floor: unsigned(5)?,
            active_ms: unsigned(6)?,
        };
        Ok((
            row.get::<_, i64>(0)?,
            head,
            row.get::<_, Option<String>>(2)?,
            row.get::<_, String>(4)?,
        ))
    });
    let Some((number, head, schema, histories)) = found.optional().map_err(text)? else {
        return Ok(None);
    };
    let histories = serde_json::from_str(&histories).map_err(text)?;
    let mut group = StoredGroup {
        id: id.to_owned(),
        head: StoredHead { histories, ..head },
        schema: schema.map(|schema| serde_json::from_str(&schema)).transpose().map_err(text)?,
        clients: named(transaction, "client", number)?,
        queries: named(transaction, "query", number)?,
        gone: named(transaction, "gone", number)?,
        ..StoredGroup::default()
    };
    let sql = "SELECT tbl, key, sum, at FROM held WHERE of = ?1";
    let mut statement = transaction.prepare_cached(sql).map_err(text)?;
    let mut rows = statement.query([number]).map_err(text)?;
    while let Some(row) = rows.next().map_err(text)? {
        let key = (row.get(0).map_err(text)?, row.get(1).map_err(text)?);
        let at = row.get::<_, i64>(3).map_err(text)?.cast_unsigned();
        match row.get::<_, Option<[u8; 16]>>(2).map_err(text)? {
            Some(sum) => drop(group.rows.insert(key, (u128::from_be_bytes(sum), at))),
            None => drop(group.tombstones.insert(key, at)),
        }
    }
    Ok(Some(group))
}

/// Everything of a group in one of the tables by name.
fn named<V: DeserializeOwned>(
    transaction: &Transaction<'_>,
    table: &str,
    group: i64,
) -> Result<BTreeMap<String, V>, String> {
    let sql = format!("SELECT name, state FROM {table} WHERE of = ?1");
    let mut statement = transaction.prepare_cached(&sql).map_err(text)?;
    let mut rows = statement.query([group]).map_err(text)?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next().map_err(text)? {
        let state: String = row.get(1).map_err(text)?;
        all.insert(row.get(0).map_err(text)?, serde_json::from_str(&state).map_err(text)?);
    }
    Ok(all)
}

fn save(transaction: &Transaction<'_>, changes: &GroupChanges, today: i64) -> Result<(), String> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        let mut statement = transaction.prepare_cached(sql).map_err(text)?;
        statement.execute(values).map(drop).map_err(text)
    };
    let StoredHead { user, version, histories, floor, active_ms } = &changes.head;
    let histories = serde_json::to_string(histories).map_err(text)?;
    let number: i64 = transaction
        .prepare_cached(
            "INSERT INTO client_group(id, user, version, histories, floor, active_ms, used_day) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET user = excluded.user, \
             version = excluded.version, histories = excluded.histories, floor = excluded.floor, \
             active_ms = excluded.active_ms, used_day = excluded.used_day RETURNING number",
        )
        .and_then(|mut statement| {
            let values = params![
                changes.id,
                user,
                version.cast_signed(),
                histories,
                floor.cast_signed(),
                active_ms.cast_signed(),
                today
            ];
            statement.query_row(values, |row| row.get(0))
        })
        .map_err(text)?;
    if changes.is_whole {
        for table in ["client", "query", "gone", "held"] {
            run(&format!("DELETE FROM {table} WHERE of = ?1"), &[&number])?;
        }
        run("UPDATE client_group SET schema = NULL WHERE number = ?1", &[&number])?;
    }
    if let Some(schema) = &changes.schema {
        let schema = schema.as_ref().map(ToString::to_string);
        run("UPDATE client_group SET schema = ?2 WHERE number = ?1", &[&number, &schema])?;
    }
    let all = "INSERT OR REPLACE INTO held VALUES (?1, ?2, ?3, ?4, ?5)";
    for row in changes.stored_rows() {
        let ((table, key), sum) = (row.key, row.sum.map(u128::to_be_bytes));
        run(all, &[&number, &table, &key, &sum, &row.at.cast_signed()])?;
    }
    save_named(transaction, "client", number, &changes.clients)?;
    save_named(transaction, "query", number, &changes.queries)?;
    save_named(transaction, "gone", number, &changes.gone)?;
    if changes.is_pruned {
        let floor = floor.cast_signed();
        run("DELETE FROM held WHERE of = ?1 AND sum IS NULL AND at <= ?2", &[&number, &floor])?;
        run("DELETE FROM gone WHERE of = ?1 AND CAST(state AS INTEGER) <= ?2", &[&number, &floor])?;
    }
    Ok(())
}

fn save_named<V: Serialize>(
    transaction: &Transaction<'_>,
    table: &str,
    group: i64,
    changes: &BTreeMap<String, Option<V>>,
) -> Result<(), String> {
    for (name, value) in changes {
        let done = match value {
            Some(value) => {
                let state = serde_json::to_string(value).map_err(text)?;
                transaction
                    .prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3)"))
                    .and_then(|mut statement| statement.execute(params![group, name, state]))
            }
            None => transaction
                .prepare_cached(&format!("DELETE FROM {table} WHERE of = ?1 AND name = ?2"))
                .and_then(|mut statement| statement.execute(params![group, name])),
        };
        done.map_err(text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hub::{ChangedRow, StoredClient, StoredQuery, StoredRow};

    fn changes(id: u8, version: u64, of: &[(u8, u8)], is_whole: bool) -> GroupChanges {
        let mut changes = GroupChanges {
            id: format!("g{}", id % 3),
            is_whole,
            head: StoredHead {
                user: id.is_multiple_of(2).then(|| "ada".to_owned()),
                version,
                histories: vec![(u32::MAX, version), (7, 1)],
                floor: version.saturating_sub(9),
                active_ms: u64::MAX,
            },
            schema: (id > 200).then(|| Some(serde_json::json!({"tables": id}))),
            is_pruned: id.is_multiple_of(5),
            clients: BTreeMap::new(),
            queries: BTreeMap::new(),
            gone: BTreeMap::new(),
            rows: Vec::new(),
        };
        for (what, value) in of {
            let name = format!("n{}", value % 6);
            let is_there = what % 3 != 0;
            match what % 5 {
                0 => {
                    let desires = BTreeMap::from([(name.clone(), (version, Some(3)))]);
                    let (last_mutation_id, told_at) = (u64::from(*value), version);
                    let client = StoredClient { desires, last_mutation_id, told_at };
                    changes.clients.insert(name, is_there.then_some(client));
                }
                1 => {
                    let named = Some((name.clone(), vec![serde_json::json!(value)]));
                    let query = StoredQuery { ast: None, named, got_at: version };
                    changes.queries.insert(name, is_there.then_some(query));
                }
                2 => drop(changes.gone.insert(name, is_there.then_some(version))),
                _ => {
                    let key = ("issue".to_owned(), format!("{{\"id\":\"{name}\"}}"));
                    let sum = is_there.then(|| u128::MAX - u128::from(*value));
                    let row = StoredRow { key, sum, at: version };
                    changes.rows.push(ChangedRow::stored(row));
                }
            }
        }
        changes
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_changes_mean(
            batches in prop::collection::vec(
                (any::<u8>(), prop::collection::vec(any::<(u8, u8)>(), 0..12), any::<u8>()), 1..30),
        ) {
            let mut store = SqliteStore::in_memory(Retention::default()).expect("a store");
            let mut expected: BTreeMap<String, StoredGroup> = BTreeMap::new();
            for (version, (id, of, whole)) in batches.iter().enumerate() {
                let changes = changes(*id, version as u64 + 1, of, whole.is_multiple_of(8));
                let group = StoredGroup::with(expected.remove(&changes.id), changes.clone());
                expected.insert(changes.id.clone(), group);
                store.save(vec![changes]).expect("saved");
            }
            for (id, group) in &expected {
                let kept = store.load(id).expect("a load").expect("a group");
                prop_assert_eq!(&kept, group);
            }
            prop_assert_eq!(store.load("another"), Ok(None));
        }
    }

    #[test]
    fn changes_of_one_call_are_kept_all_or_none() {
        let mut store = SqliteStore::in_memory(Retention::default()).expect("a store");
        store.save(vec![changes(0, 1, &[(4, 1)], true)]).expect("saved");
        store.connection.execute_batch("DROP TABLE gone").expect("a broken store");
        let both = vec![changes(0, 2, &[(4, 2)], false), changes(1, 2, &[(2, 2)], false)];
        assert!(store.save(both).is_err());
        let version = "SELECT group_concat(id || version) FROM client_group";
        let kept: String =
            store.connection.query_row(version, [], |row| row.get(0)).expect("a version");
        assert_eq!(kept, "g01");
    }

    #[test]
    fn a_file_of_the_layout_before_keeps_its_groups() {
        let mut store = SqliteStore::in_memory(Retention::default()).expect("a store");
        store.save(vec![changes(0, 1, &[(4, 1)], true)]).expect("saved");
        let before = store.load("g0").expect("a load");
        let earlier = "ALTER TABLE client_group DROP COLUMN used_day; PRAGMA user_version = 2";
        store.connection.execute_batch(earlier).expect("as it was");
        let mut store =
            SqliteStore::new(store.connection, Retention::days(1)).expect("the same store");
        assert!(before.is_some());
        assert_eq!(store.load("g0"), Ok(before));
    }
}
