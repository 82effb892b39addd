//! Functions that SQLite itself evaluates.
//!
//! Each thread has a connection of its own to an empty database in memory, with the statements
//! prepared once. The name of a function is the SQL of its call with `?` for each argument, as in
//! `round(?, ?)`.

use penstock_operators::expr::{Function, HostFunction};

/// The SQL of a call.
fn call_sql(name: &str, argument_count: usize) -> String {
    match name {
        "->" | "->>" => format!("(? {name} ?)"),
        name => format!("{name}({})", vec!["?"; argument_count].join(", ")),
    }
}

/// A function whose value is that of its first argument.
pub(super) fn first_argument(name: &str) -> Function {
    Function::Host(HostFunction::new(name, |arguments| {
        arguments.first().cloned().unwrap_or_default()
    }))
}

/// A function of SQLite's by name and number of arguments.
///
/// # Errors
///
/// The library has none such.
pub(super) fn function(name: &str, argument_count: usize) -> Result<Function, String> {
    if matches!(name, "->" | "->>") && argument_count != 2 {
        return Err(format!("{name} takes 2 arguments, found {argument_count}"));
    }
    let sql = call_sql(name, argument_count);
    evaluate::check(&sql).map_err(|problem| evaluate::describe(name, argument_count, &problem))?;
    Ok(Function::Host(hosted(name, sql)))
}

/// The function that is a call with `?` for each argument. `name` is that of the function called.
pub(super) fn hosted(name: &str, sql: String) -> HostFunction {
    let name = name.to_owned();
    let statement = format!("SELECT {sql}");
    HostFunction::new(sql, move |arguments| evaluate::call(&name, &statement, arguments))
}

#[cfg(feature = "sqlite")]
mod evaluate {
    use std::cell::RefCell;

    use penstock_operators::value::Value;
    use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
    use rusqlite::{Connection, params_from_iter};

    use super::super::dates;

    /// How many statements a thread keeps prepared.
    const STATEMENTS_KEPT: usize = 128;

    thread_local! {
        /// Opened when first needed.
        static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }

    /// Runs something on the thread's connection.
    fn with<T>(run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let run = |slot: &RefCell<Option<Connection>>| {
            let mut slot = slot.borrow_mut();
            if slot.is_none() {
                let connection = Connection::open_in_memory()?;
                connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
                *slot = Some(connection);
            }
            slot.as_ref().map(run).unwrap_or(Err(rusqlite::Error::InvalidQuery))
        };
        match CONNECTION.try_with(run) {
            Ok(result) => result.map_err(|error| match error {
                rusqlite::Error::SqlInputError { msg, .. } => msg,
                error => error.to_string(),
            }),
            Err(_) => Err("the thread is ending".to_owned()),
        }
    }

    /// Whether SQLite takes a call.
    pub(super) fn check(sql: &str) -> Result<(), String> {
        with(|connection| connection.prepare_cached(&format!("SELECT {sql}")).map(|_| ()))
    }

    pub(super) fn describe(name: &str, argument_count: usize, problem: &str) -> String {
        if problem.starts_with("no such function") {
            return format!(
                "the SQLite library that Penstock is built with has no function {name}; compute \
                 the value where the rows are written, or after they are read"
            );
        }
        if problem.starts_with("wrong number of arguments") {
            return format!("{name} does not take {argument_count} arguments");
        }
        format!("{name}: {problem}")
    }

    /// The value of a call; null where SQLite raises an error, and where the value would depend on
    /// the clock or the time zone.
    pub(super) fn call(name: &str, statement: &str, arguments: &[Value]) -> Value {
        if dates::depends(name, arguments) {
            return Value::Null;
        }
        let value = with(|connection| {
            let mut statement = connection.prepare_cached(statement)?;
            statement.query_row(params_from_iter(arguments.iter().map(stored)), |row| {
                row.get_ref(0).map(loaded)
            })
        });
        // Nothing else can be said while results are kept.
        value.unwrap_or_default()
    }

    fn stored(value: &Value) -> ToSqlOutput<'_> {
        match value {
            Value::Null => ToSqlOutput::Owned(Stored::Null),
            Value::Bool(value) => ToSqlOutput::Owned(Stored::Integer((*value).into())),
            Value::Int(value) => ToSqlOutput::Owned(Stored::Integer(*value)),
            Value::Float(value) => ToSqlOutput::Owned(Stored::Real(*value)),
            Value::Text(text) | Value::Json(text) => {
                ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
            }
            Value::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        }
    }

    /// A value of SQLite's; null for a text that is not UTF-8.
    fn loaded(value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Real(value) => Value::Float(value),
            ValueRef::Text(text) => str::from_utf8(text).map_or(Value::Null, Value::from),
            ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
        }
    }
}

#[cfg(not(feature = "sqlite"))]
mod evaluate {
    use penstock_operators::value::Value;

    pub(super) fn check(_sql: &str) -> Result<(), String> {
        Err(String::new())
    }

    pub(super) fn describe(name: &str, _argument_count: usize, _problem: &str) -> String {
        format!("{name} is evaluated by SQLite; build Penstock with its feature `sqlite`")
    }

    /// Never reached: no function passes the check.
    pub(super) fn call(_name: &str, _statement: &str, _arguments: &[Value]) -> Value {
        Value::Null
    }
}
