//! Whether the replica is equal to the server: its file against the server's tables, read by nothing of
//! the product.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_postgres_harness::{Server, difference, until};
use rusqlite::{Connection, OpenFlags};

type Row = Vec<Option<String>>;

/// A replica's file that is not there yet.
pub(crate) fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    path
}

pub(crate) fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

/// What a statement finds in the file, as text.
pub(crate) fn found(file: &Path, sql: &str) -> rusqlite::Result<Vec<Row>> {
    let connection = open(file)?;
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|at| {
                Ok(match row.get_ref(at)? {
                    rusqlite::types::ValueRef::Null => None,
                    rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
                    rusqlite::types::ValueRef::Real(number) => Some(number.to_string()),
                    rusqlite::types::ValueRef::Text(bytes)
                    | rusqlite::types::ValueRef::Blob(bytes) => {
                        Some(String::from_utf8_lossy(bytes).into_owned())
                    }
                })
            })
            .collect()
    })?;
    rows.collect()
}

/// The columns of each of the server's tables, but for those of `skipped`.
fn tables(server: &Server) -> Vec<(String, String)> {
    let sql = "select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attname) \
               from pg_class c join pg_attribute a on a.attrelid = c.oid \
               where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 \
               and not a.attisdropped group by 1 order by 1";
    let rows = server.sql(sql).expect("tables");
    rows.into_iter()
        .map(|row| (row[0].clone().expect("a name"), row[1].clone().expect("columns")))
        .collect()
}

/// How the file differs from the server, whose columns are numbers and texts only.
fn differs(server: &Server, file: &Path) -> Option<String> {
    let mut text = String::new();
    let tables = tables(server);
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'penstock\\_%' \
                 ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let here = match found(file, names) {
        Ok(rows) => rows.into_iter().flatten().flatten().collect::<Vec<String>>(),
        Err(error) => return Some(error.to_string()),
    };
    let there = tables.iter().map(|(name, _)| name.clone());
    if let Some(tables) = difference(("the server", there), ("the replica", here)) {
        text += &format!("tables: {tables}");
    }
    for (table, columns) in &tables {
        let sql = format!("select {columns} from \"{table}\"");
        let there = server.sql(&sql).expect("rows");
        match found(file, &sql) {
            Err(error) => text += &format!("{table}: {error}\n"),
            Ok(here) => {
                if let Some(rows) = difference(("the server", there), ("the replica", here)) {
                    text += &format!("{table}: {rows}");
                }
            }
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Writes a mark on the server and waits until the replica has it, with every table copied.
pub(crate) fn reached(server: &Server, file: &Path) {
    server.sql("update mark set nr = nr + 1").expect("a mark");
    let nr = Some(server.value("select nr from mark").expect("a mark"));
    until("the replica has the mark, and every table", || {
        let mark = found(file, "select nr from mark").unwrap_or_default();
        let wanted = found(file, "select 1 from penstock_table where state <> 'copied'");
        mark.first().is_some_and(|row| row[0] == nr) && wanted.is_ok_and(|wanted| wanted.is_empty())
    });
}

/// Waits until the replica has everything, and checks that it is equal to the server, table by table.
pub(crate) fn check(server: &Server, file: &Path) {
    reached(server, file);
    let mut last = None;
    let equal = || {
        last = differs(server, file);
        last.is_none()
    };
    // Tables that were copied one after the other are at different positions until the stream is past
    // all of them.
    let waited =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| until("equality", equal)));
    assert!(waited.is_ok(), "{}", last.unwrap_or_default());
    reached(server, file);
    assert_eq!(differs(server, file), None);
}

/// Checks that the change log has every row of `journal` once, and those of each writer in their order.
/// Needs a log that is whole: no copy was made since the first row.
pub(crate) fn check_log(server: &Server, file: &Path) {
    let there = server.sql("select id from journal").expect("rows");
    let logged =
        "SELECT CAST(new ->> 'id' AS TEXT) FROM penstock_change_log WHERE tbl = 'public.journal'";
    let here = found(file, logged).expect("the log");
    assert_eq!(difference(("the server", there), ("the log", here)), None);
    let order = "SELECT count(*) FROM (SELECT new ->> 'nr' AS nr, lag(new ->> 'nr') OVER \
                 (PARTITION BY new ->> 'writer' ORDER BY lsn, seq) AS before FROM penstock_change_log \
                 WHERE tbl = 'public.journal') WHERE before >= nr";
    assert_eq!(found(file, order).expect("the log"), [[Some("0".to_owned())]]);
}
