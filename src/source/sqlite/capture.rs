//! What a transaction touches: triggers hand the rows that statements change, as they were before,
//! to a function of this library.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use penstock_operators::key::{Direction, Key, KeyBuffer, encode};
use penstock_operators::row::Row;
use penstock_operators::schema::TableId;
use penstock_operators::value::ValueRef;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use smallvec::SmallVec;

use super::super::FixedState;
use super::table::TableInfo;
use super::value::{Kind, encoded, from_stored};

/// What a trigger hands over.
pub(super) const OLD_ROW: i64 = 0;
/// An old row and then the key of the new one.
pub(super) const OLD_ROW_NEW_KEY: i64 = 1;
/// The key of a new row.
pub(super) const NEW_KEY: i64 = 2;

/// The rows touched so far: for each key, in the order of first touch, the row that it had before,
/// if any. Whether such a row has changed is found by reading it again.
pub(super) type Touched = IndexMap<(TableId, Key), Option<Row>, FixedState>;

pub(super) fn touched() -> Touched {
    IndexMap::with_hasher(super::super::fixed_state())
}

/// What the triggers of one connection hand over.
#[derive(Debug)]
pub(super) struct Capture {
    /// By the numbers that the triggers have: those of the tables' ids.
    pub(super) tables: Arc<[Arc<TableInfo>]>,
    pub(super) touched: Touched,
    /// How often a trigger has handed something over.
    pub(super) events: u64,
    /// Touched rows that are known as they are now.
    pub(super) known: Touched,
    /// Whether a trigger handed over something that does not fit its table: it was made for
    /// another schema.
    pub(super) misfit: bool,
}

/// A capture that the functions of a connection share with its owner.
#[derive(Clone, Debug)]
pub(super) struct SharedCapture {
    inner: Arc<Mutex<Capture>>,
    /// Whether rows are looked for that a statement may replace.
    probing: Arc<AtomicBool>,
}

impl SharedCapture {
    pub(super) fn new(tables: Arc<[Arc<TableInfo>]>) -> SharedCapture {
        SharedCapture {
            inner: Arc::new(Mutex::new(Capture {
                tables,
                touched: touched(),
                events: 0,
                known: touched(),
                misfit: false,
            })),
            probing: Arc::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Capture> {
        // It is whole at any time: a panic cannot have left it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the rows that a statement may replace are looked for: needed where a statement, a
    /// trigger or a table says REPLACE, as SQLite runs no triggers for them.
    pub(super) fn probe(&self, probing: bool) {
        self.probing.store(probing, Ordering::Relaxed);
    }

    /// Registers the functions that triggers call and that statements make keys with.
    pub(super) fn register(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let (shared, probing) = (self.clone(), Arc::clone(&self.probing));
        connection.create_scalar_function("penstock_probing", 0, flags, move |_| {
            Ok(probing.load(Ordering::Relaxed))
        })?;
        connection.create_scalar_function("penstock_capture", -1, flags, move |context| {
            shared.lock().take(context)?;
            Ok(shared.probing.load(Ordering::Relaxed))
        })?;
        register_key(connection)
    }
}

/// Registers the function that makes keys.
pub(super) fn register_key(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_INNOCUOUS
        | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("penstock_key", 2, flags, |context| {
        let kind = Kind::from_number(context.get(0)?);
        let value = from_stored(context.get_raw(1), kind).unwrap_or(ValueRef::Null);
        Ok(encoded(value).to_vec())
    })
}

impl Capture {
    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.touched.clear();
        self.known.clear();
    }

    /// A row that is touched again is not what it was known to be.
    fn forget(&mut self, id: TableId, key: &Key) {
        if !self.known.is_empty() {
            self.known.swap_remove(&(id, key.clone()));
        }
    }

    /// Takes what a trigger hands over: the table's number, which of the three, the values.
    fn take(&mut self, context: &Context<'_>) -> rusqlite::Result<()> {
        let (number, what): (u32, i64) = (context.get(0)?, context.get(1)?);
        let tables = Arc::clone(&self.tables);
        let Some(info) = tables.get(number as usize) else { return Ok(()) };
        self.events += 1;
        let (id, columns) = (TableId(number), info.columns.len());
        let expected = match what {
            OLD_ROW => columns,
            OLD_ROW_NEW_KEY => columns + info.key.len(),
            _ => info.key.len(),
        };
        if context.len() != 2 + expected {
            self.misfit = true;
            return Ok(());
        }
        if what == NEW_KEY {
            let key = key_at(context, info, 2)?;
            self.forget(id, &key);
            self.touched.entry((id, key)).or_insert(None);
            return Ok(());
        }
        // The row that goes comes first: it is there, whatever the new key had.
        let mut values: SmallVec<[ValueRef<'_>; 16]> = SmallVec::with_capacity(columns);
        for (at, column) in info.columns.iter().enumerate() {
            // A row that cannot be read is in no result; it may be changed into one that can be.
            values
                .push(from_stored(context.get_raw(2 + at), column.kind).unwrap_or(ValueRef::Null));
        }
        if !info.key.iter().any(|column| values[*column].is_null()) {
            let mut key = KeyBuffer::new();
            for column in &info.key {
                encode(&mut key, values[*column], Direction::Asc);
            }
            let key = Key::from_slice(&key);
            self.forget(id, &key);
            self.touched.entry((id, key)).or_insert_with(|| Some(Row::from_refs(&values)));
        }
        if what == OLD_ROW_NEW_KEY {
            let key = key_at(context, info, 2 + columns)?;
            self.forget(id, &key);
            self.touched.entry((id, key)).or_insert(None);
        }
        Ok(())
    }
}

/// The key whose values begin at an argument.
fn key_at(context: &Context<'_>, info: &TableInfo, first: usize) -> rusqlite::Result<Key> {
    let mut key = KeyBuffer::new();
    for (at, column) in info.key.iter().enumerate() {
        let column = &info.columns[*column];
        match from_stored(context.get_raw(first + at), column.kind) {
            Ok(value) if !value.is_null() => encode(&mut key, value, Direction::Asc),
            Ok(_) => return Err(refused(info, &column.name, "null")),
            Err(_) => return Err(refused(info, &column.name, "a text that is not UTF-8")),
        }
    }
    Ok(Key::from_slice(&key))
}

fn refused(info: &TableInfo, column: &str, found: &str) -> rusqlite::Error {
    let problem =
        format!("table \"{}\": the primary-key column \"{column}\" cannot be {found}", info.name);
    rusqlite::Error::UserFunctionError(problem.into())
}
