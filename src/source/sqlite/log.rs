//! The change log: a table of the file in which triggers note, whoever writes, which rows are
//! touched and what they were.
//!
//! ```sql
//! CREATE TABLE penstock_log(
//!   seq INTEGER PRIMARY KEY AUTOINCREMENT,
//!   tbl TEXT NOT NULL,     -- the table
//!   what INTEGER NOT NULL, -- 0 an old row, 1 an old row and its new key, 2 a new key, 3 anything
//!   v0, v1, …              -- the values, as they are
//! );
//! ```
//!
//! Each table has triggers `penstock_log_…` before and after inserts and before updates and
//! deletes; one on the log itself keeps it to the last entries. A reader that finds entries missing
//! knows that it has to read everything again.
//!
//! SQLite runs the triggers of a table in the reverse order of their creation. The log relies on
//! running first, so that it sees rows before other triggers change them; where triggers were
//! created later the log is made anew.

use std::sync::Arc;

use penstock_operators::key::{Direction, Key, KeyBuffer, encode};
use penstock_operators::row::Row;
use penstock_operators::schema::TableId;
use penstock_operators::source::{Foreign, SourceError};
use penstock_operators::value::ValueRef;
use rusqlite::Connection;

use super::capture::{NEW_KEY, OLD_ROW, OLD_ROW_NEW_KEY, Touched, touched};
use super::error::failure;
use super::schema::{OWN_PREFIX, own_name};
use super::table::{TableInfo, quoted};
use super::triggers::replaced;
use super::value::from_stored;
use super::{SqliteSource, State};

/// Something that cannot be said row by row.
const ANYTHING: i64 = 3;
/// How many entries are kept.
const ENTRIES_MAX: i64 = 20_000;
/// How often, in entries, the log is cut.
const CUT_EVERY: i64 = 256;

const TABLE: &str = "penstock_log";
// A statement that fails half-way may leave its entries without counting them.
const LAST: &str = "SELECT max(\
     coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'penstock_log'), 0), \
     coalesce((SELECT max(seq) FROM main.penstock_log), 0))";
const COUNT: &str = "SELECT count(*) FROM main.penstock_log WHERE seq > ?1";
const ENTRIES: &str = "SELECT * FROM main.penstock_log WHERE seq > ?1 ORDER BY seq";

/// A source's view of the log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Whether this source is to keep it installed.
    pub(super) wanted: bool,
    /// Whether it is there and fits the schema.
    pub(super) active: bool,
    /// The entry up to which this source has followed.
    pub(super) stood: i64,
    /// The last entry of the transaction in flight.
    pub(super) reached: i64,
}

/// The statements that make the log, by name.
fn definitions(tables: &[Arc<TableInfo>]) -> Vec<(String, String)> {
    let present = || tables.iter().filter(|info| info.present);
    let widest = present().map(|info| info.columns.len() + info.key.len()).max().unwrap_or(0);
    let values: String = (0..widest).map(|at| format!(",v{at}")).collect();
    let mut all = vec![
        (
            TABLE.to_owned(),
            format!(
                "CREATE TABLE {TABLE}(seq INTEGER PRIMARY KEY AUTOINCREMENT,tbl TEXT NOT NULL,\
                 what INTEGER NOT NULL{values})"
            ),
        ),
        (
            "penstock_log_cut".to_owned(),
            format!(
                "CREATE TRIGGER penstock_log_cut AFTER INSERT ON {TABLE} \
                 WHEN NEW.seq%{CUT_EVERY}=0 BEGIN \
                 DELETE FROM {TABLE} WHERE seq<=NEW.seq-{ENTRIES_MAX}; END"
            ),
        ),
    ];
    present().for_each(|info| all.extend(triggers(info)));
    all
}

fn triggers(info: &TableInfo) -> Vec<(String, String)> {
    let (table, name) = (quoted(&info.name), literal(&info.name));
    let all = || 0..info.columns.len();
    let places = |count: usize| -> String { (0..count).map(|at| format!(",v{at}")).collect() };
    let entry = |what: i64, values: &str, count: usize| {
        format!("INSERT INTO {TABLE}(tbl,what{}) SELECT {name},{what},{values}", places(count))
    };
    let columns = info.columns.len();
    let unknown = info.unique.iter().any(|index| index.columns.is_empty());
    // The rows that the new one may replace, of which SQLite tells no trigger.
    let probe = |but_itself: &str| {
        if unknown {
            return format!("INSERT INTO {TABLE}(tbl,what) VALUES({name},{ANYTHING})");
        }
        let entry = entry(OLD_ROW, &info.list("", all()), columns);
        format!("{entry} FROM {table} WHERE ({}){but_itself}", replaced(info))
    };
    let itself: Vec<String> = info
        .key
        .iter()
        .map(|column| format!("{0} IS OLD.{0} COLLATE BINARY", info.column(*column)))
        .collect();
    let but_itself = format!(" AND NOT ({})", itself.join(" AND "));
    let new_key = info.list("NEW.", info.key.iter().copied());
    let old = info.list("OLD.", all());
    let both = format!("{old},{new_key}");
    let bodies = [
        ("before_insert", "BEFORE INSERT", probe("")),
        ("after_insert", "AFTER INSERT", entry(NEW_KEY, &new_key, info.key.len())),
        (
            "before_update",
            "BEFORE UPDATE",
            format!(
                "{}; {}",
                probe(&but_itself),
                entry(OLD_ROW_NEW_KEY, &both, columns + info.key.len())
            ),
        ),
        ("before_delete", "BEFORE DELETE", entry(OLD_ROW, &old, columns)),
    ];
    let define = |(kind, when, body): (&str, &str, String)| {
        let kind = format!("log_{kind}");
        let sql = format!(
            "CREATE TRIGGER {} {when} ON {table} BEGIN {body}; END",
            own_name(&kind, &info.name)
        );
        (format!("{OWN_PREFIX}{kind}_{}", info.name), sql)
    };
    bodies.map(define).into()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What there is of a log, by name.
fn existing(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL \
         AND (name = 'penstock_log' OR name LIKE 'penstock\\_log\\_%' ESCAPE '\\') ORDER BY name",
    )?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Whether the log is there, fits the tables, and runs before other triggers.
fn fits(connection: &Connection, tables: &[Arc<TableInfo>]) -> rusqlite::Result<bool> {
    let mut expected = definitions(tables);
    expected.sort();
    if existing(connection)? != expected {
        return Ok(false);
    }
    connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS other \
         JOIN main.sqlite_schema AS own ON own.tbl_name = other.tbl_name \
         WHERE other.type = 'trigger' AND own.type = 'trigger' AND other.rowid > own.rowid \
         AND own.name LIKE 'penstock\\_log\\_%' ESCAPE '\\' \
         AND other.name NOT LIKE 'penstock\\_log\\_%' ESCAPE '\\')",
        [],
        |row| row.get(0),
    )
}

fn drop_all(connection: &Connection) -> rusqlite::Result<()> {
    for (name, sql) in existing(connection)? {
        if sql.starts_with("CREATE TRIGGER") {
            connection.execute_batch(&format!("DROP TRIGGER main.{}", quoted(&name)))?;
        }
    }
    connection.execute_batch("DROP TABLE IF EXISTS main.penstock_log")
}

fn make_all(connection: &Connection, tables: &[Arc<TableInfo>]) -> rusqlite::Result<()> {
    drop_all(connection)?;
    definitions(tables).iter().try_for_each(|(_, sql)| connection.execute_batch(sql))
}

impl SqliteSource {
    /// Installs the change log in the file, or brings it up to date with the schema. From then on
    /// whoever writes the file, also without this library, writes the log too: one entry for a
    /// changed row, and a look-up in each unique index. What other connections and processes write
    /// is then followed at a cost of O(changed rows); the last 20 000 entries are kept.
    ///
    /// # Errors
    /// A file that cannot be written, or within a transaction or a read. Then nothing is installed.
    pub fn install_change_log(&mut self) -> Result<(), SourceError> {
        self.log.wanted = true;
        self.change_log(|connection, tables| {
            if fits(connection, tables)? { Ok(()) } else { make_all(connection, tables) }
        })?;
        self.log.active = true;
        Ok(())
    }

    /// Removes the change log from the file, also for others that follow it: they read everything
    /// again from then on, unless they were opened with
    /// [`SqliteOptions::change_log`](super::SqliteOptions::change_log) and install it again.
    ///
    /// # Errors
    /// As [`install_change_log`](SqliteSource::install_change_log).
    pub fn remove_change_log(&mut self) -> Result<(), SourceError> {
        self.log.wanted = false;
        self.log.active = false;
        self.change_log(|connection, _| drop_all(connection))
    }

    /// Changes what there is of the log, in one transaction of its own.
    fn change_log(
        &mut self,
        change: impl FnOnce(&Connection, &[Arc<TableInfo>]) -> rusqlite::Result<()>,
    ) -> Result<(), SourceError> {
        const OPERATION: &str = "changing the change log";
        if self.state != State::Idle {
            return Err(self.refused("the change log cannot be changed within a transaction"));
        }
        self.run("/* penstock */ BEGIN IMMEDIATE", OPERATION)?;
        let done = self.expect_own_schema().and_then(|()| {
            change(&self.connection, &self.tables)
                .map_err(|error| failure(&self.file, OPERATION, &error))
        });
        let done = done.and_then(|()| {
            let last = if self.log.wanted { self.last_entry()? } else { 0 };
            let schema = self.schema_version()?;
            self.run("/* penstock */ COMMIT", OPERATION)?;
            Ok((last, schema))
        });
        match done {
            Ok((last, schema)) => {
                self.log.stood = last;
                self.stand_by_schema(schema);
                // What others wrote until now is not known row by row.
                self.unfollowed_if_behind()
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    let _ = self.run("/* penstock */ ROLLBACK", OPERATION);
                }
                Err(error)
            }
        }
    }

    /// Installs the log again where the schema has outgrown it. What fails is tried again later.
    pub(super) fn mend_log(&mut self) {
        if self.log.wanted && !self.log.active && self.state == State::Idle {
            self.log.active = self.install_change_log().is_ok();
        }
    }

    /// Looks whether the log fits the schema now, and stands at its end.
    pub(super) fn stand_at_log_end(&mut self) -> Result<(), SourceError> {
        let fitting = fits(&self.connection, &self.tables);
        self.log.active =
            fitting.map_err(|error| failure(&self.file, "reading the change log", &error))?;
        if self.log.active {
            self.log.stood = self.last_entry()?;
        }
        Ok(())
    }

    pub(super) fn last_entry(&self) -> Result<i64, SourceError> {
        self.log_number(LAST, [])
    }

    fn log_number(&self, sql: &str, values: impl rusqlite::Params) -> Result<i64, SourceError> {
        let read = || self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0));
        read().map_err(|error| failure(&self.file, "reading the change log", &error))
    }

    /// What the log says has changed since this source stood at it.
    pub(super) fn follow_log(&mut self) -> Result<Foreign, SourceError> {
        let (stood, last) = (self.log.stood, self.last_entry()?);
        let all_there = last >= stood && self.log_number(COUNT, [stood])? == last - stood;
        self.log.stood = last;
        if !all_there {
            return Ok(Foreign::Unknown);
        }
        let outcome = self.entries_after(stood);
        let touched =
            outcome.map_err(|error| failure(&self.file, "reading the change log", &error));
        // The caller keeps standing where it stood.
        let touched = touched.inspect_err(|_| self.log.stood = stood)?;
        let Some(touched) = touched else { return Ok(Foreign::Unknown) };
        let batch = self
            .changes(&touched, &super::capture::touched())
            .inspect_err(|_| self.log.stood = stood)?;
        Ok(if batch.is_empty() { Foreign::Nothing } else { Foreign::Batch(batch) })
    }

    /// The rows that entries of the log touch; `None` where one says that it could be anything.
    fn entries_after(&self, stood: i64) -> rusqlite::Result<Option<Touched>> {
        let mut all = touched();
        let mut statement = self.connection.prepare_cached(ENTRIES)?;
        let mut entries = statement.query([stood])?;
        while let Some(entry) = entries.next()? {
            let (name, what): (String, i64) = (entry.get(1)?, entry.get(2)?);
            let Some(at) = self.tables.iter().position(|info| info.present && info.name == name)
            else {
                continue;
            };
            if what == ANYTHING {
                return Ok(None);
            }
            let (info, id) = (&self.tables[at], TableId(at as u32));
            let value = |at: usize, column: usize| {
                let stored = entry.get_ref(3 + at)?;
                let kind = info.columns[column].kind;
                Ok::<_, rusqlite::Error>(from_stored(stored, kind).unwrap_or(ValueRef::Null))
            };
            let mut new_key = None;
            if what != NEW_KEY {
                let columns = info.columns.len();
                let values: Vec<ValueRef<'_>> =
                    (0..columns).map(|at| value(at, at)).collect::<Result<_, _>>()?;
                if !info.key.iter().any(|column| values[*column].is_null()) {
                    let row = Row::from_refs(&values);
                    let key = info.key_spec.key(&row);
                    all.entry((id, key)).or_insert(Some(row));
                }
                if what == OLD_ROW_NEW_KEY {
                    new_key = Some(columns);
                }
            } else {
                new_key = Some(0);
            }
            if let Some(first) = new_key {
                let mut key = KeyBuffer::new();
                for (at, column) in info.key.iter().enumerate() {
                    encode(&mut key, value(first + at, *column)?, Direction::Asc);
                }
                all.entry((id, Key::from_slice(&key))).or_insert(None);
            }
        }
        Ok(Some(all))
    }
}
