//! Reading tables through one session.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use penstock::Value;
use tokio::sync::mpsc;

use super::CopyError;
use super::binary::Rows;
use crate::connect::{ServerError, Session};
use crate::setup::{SourceTable, quoted};
use crate::table::TableName;
use crate::types::{Catalogue, Mapping};

/// How many rows a piece has at most, and from how many bytes on it is complete.
const ROWS_MAX: usize = 4096;
const BYTES_MAX: u64 = 1 << 20;

/// How long a table may be locked by DDL before the copy gives up.
const LOCK_TIMEOUT: &str = "60s";

/// Whether a table, with its partitions, is stored where it was when the snapshot was taken: only
/// the query's own reading of `pg_class` goes by the snapshot.
const UNCHANGED_SQL: &str = "\
WITH RECURSIVE tree(id) AS (SELECT $1::bigint UNION ALL \
  SELECT i.inhrelid::bigint FROM pg_inherits i JOIN tree ON i.inhparent::bigint = tree.id) \
SELECT coalesce(bool_and(c.relfilenode IS NOT DISTINCT FROM coalesce(pg_relation_filenode(c.oid), 0)), false) \
FROM tree JOIN pg_class c ON c.oid::bigint = tree.id";

/// Tables that are waiting for a session; the next one is the last.
pub(super) type Queue = Arc<Mutex<Vec<SourceTable>>>;

/// What a session has read.
pub(super) enum Item {
    Begin(SourceTable),
    Rows {
        table: TableName,
        rows: Vec<Vec<Value>>,
        bytes: u64,
    },
    End(SourceTable),
    /// The table is not what it was when the snapshot was taken.
    Altered(SourceTable),
    Failed(Box<CopyError>),
}

/// The receiver of items is gone.
struct Gone;

/// Copies one table after the other, until none is waiting.
pub(super) async fn run(
    session: Session,
    types: Arc<Catalogue>,
    queue: Queue,
    items: mpsc::Sender<Item>,
) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    while let Some(table) = next() {
        let item = match copy(&session, &types, &table, &items).await {
            // With its lock still held, a session that waits for the next one could be in the way
            // of DDL that is in its way.
            Ok(Ok(unaltered)) => match release(&session).await {
                Ok(()) if unaltered => Item::End(table),
                Ok(()) => Item::Altered(table),
                Err(error) => Item::Failed(Box::new(error.into())),
            },
            Ok(Err(error)) => Item::Failed(Box::new(error)),
            Err(Gone) => return,
        };
        if items.send(item).await.is_err() {
            return;
        }
    }
}

/// Gives up the lock of a table, and goes back to before an error.
async fn release(session: &Session) -> Result<(), ServerError> {
    let doing = "ending the copy of a table";
    session.batch_execute("ROLLBACK TO SAVEPOINT locking").await.map_err(ServerError::of(doing))
}

/// Copies a table; false if it was altered since the snapshot.
async fn copy(
    session: &Session,
    types: &Catalogue,
    table: &SourceTable,
    items: &mpsc::Sender<Item>,
) -> Result<Result<bool, CopyError>, Gone> {
    let name = &table.relation.name;
    let columns = match mappings(types, table) {
        Ok(columns) => columns,
        Err(error) => return Ok(Err(error)),
    };
    match lock(session, table).await {
        Ok(true) => {}
        Ok(false) => return Ok(Ok(false)),
        Err(error) => return Ok(Err(error.into())),
    }
    let doing = format!("copying {name}");
    let failed = |error: tokio_postgres::Error| Ok(Err(ServerError::new(&doing, &error).into()));
    let stream = match session.copy_out(&copy_sql(table, &columns)).await {
        Ok(stream) => stream,
        Err(error) => return failed(error),
    };
    items.send(Item::Begin(table.clone())).await.map_err(|_| Gone)?;
    let mut stream = std::pin::pin!(stream);
    let (mut parser, mut rows, mut bytes) = (Rows::default(), Vec::new(), 0);
    while let Some(piece) = stream.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return failed(error),
        };
        parser.push(&piece);
        bytes += piece.len() as u64;
        loop {
            match parser.next_row() {
                Ok(Some(fields)) => match values(table, &columns, &fields) {
                    Ok(row) => rows.push(row),
                    Err(error) => return Ok(Err(error)),
                },
                Ok(None) => break,
                Err(error) => return Ok(Err(CopyError::Malformed { table: name.clone(), error })),
            }
        }
        if rows.len() >= ROWS_MAX || bytes >= BYTES_MAX {
            let rows = std::mem::take(&mut rows);
            let item = Item::Rows { table: name.clone(), rows, bytes: std::mem::take(&mut bytes) };
            items.send(item).await.map_err(|_| Gone)?;
        }
    }
    if let Err(error) = parser.finish() {
        return Ok(Err(CopyError::Malformed { table: name.clone(), error }));
    }
    if !rows.is_empty() {
        let item = Item::Rows { table: name.clone(), rows, bytes };
        items.send(item).await.map_err(|_| Gone)?;
    }
    Ok(Ok(true))
}

/// Locks a table against DDL; false if there was some since the snapshot was taken.
async fn lock(session: &Session, table: &SourceTable) -> Result<bool, ServerError> {
    let name = &table.relation.name;
    let doing = format!("locking {name} for its copy");
    // An error, and giving up the lock, must not end the transaction, with which the snapshot would
    // go.
    let sql = format!(
        "SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SAVEPOINT locking; LOCK TABLE {} IN ACCESS SHARE MODE",
        name.quoted()
    );
    if let Err(error) = session.batch_execute(&sql).await {
        let error = ServerError::new(&doing, &error);
        // Dropped or renamed.
        return if error.code() == Some("42P01") { Ok(false) } else { Err(error) };
    }
    let id = i64::from(table.relation.id);
    let row = session.query_one(UNCHANGED_SQL, &[&id]).await.map_err(ServerError::of(&doing))?;
    if !row.get::<_, bool>(0) {
        return Ok(false);
    }
    // Columns that were renamed or dropped, which needs no rewrite: the function reads what is true
    // now.
    for column in &table.relation.columns {
        let sql = "SELECT pg_catalog.has_column_privilege($1::bigint::oid, $2::text, 'SELECT')";
        if let Err(error) = session.query_one(sql, &[&id, &column.name]).await {
            let error = ServerError::new(&doing, &error);
            return if error.code() == Some("42703") { Ok(false) } else { Err(error) };
        }
    }
    Ok(true)
}

fn mappings(types: &Catalogue, table: &SourceTable) -> Result<Vec<Mapping>, CopyError> {
    let columns = table.relation.columns.iter().map(|column| {
        types.mapping(column.type_id).cloned().map_err(|error| CopyError::UnknownType {
            table: table.relation.name.clone(),
            column: column.name.clone(),
            error,
        })
    });
    columns.collect()
}

/// The statement that copies a table: the fast one where it does.
fn copy_sql(table: &SourceTable, columns: &[Mapping]) -> String {
    let name = table.relation.name.quoted();
    let names: Vec<String> =
        table.relation.columns.iter().map(|column| quoted(&column.name)).collect();
    let plain = !table.partitioned
        && table.filter.is_none()
        && !columns.iter().any(Mapping::copy_as_text)
        && !names.is_empty();
    if plain {
        return format!("COPY {name} ({}) TO STDOUT (FORMAT binary)", names.join(", "));
    }
    let listed: Vec<String> = (names.iter().zip(columns))
        .map(
            |(name, mapping)| {
                match mapping.copy_as_text() {
                    // What the type's output function writes. A cast may give another text: that of an
                    // inet has a netmask.
                    true => format!(
                        "CASE WHEN {name} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {name}) END"
                    ),
                    false => name.clone(),
                }
            },
        )
        .collect();
    // Other tables may inherit from one that is not partitioned; their rows are theirs.
    let only = if table.partitioned { "" } else { "ONLY " };
    let filter = table.filter.as_ref().map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
    format!(
        "COPY (SELECT {} FROM {only}{name}{filter}) TO STDOUT (FORMAT binary)",
        listed.join(", ")
    )
}

fn values(
    table: &SourceTable,
    columns: &[Mapping],
    fields: &[Option<&[u8]>],
) -> Result<Vec<Value>, CopyError> {
    let mut values = Vec::with_capacity(columns.len());
    for (index, (mapping, field)) in columns.iter().zip(fields).enumerate() {
        let value = match field {
            None => Ok(Value::Null),
            Some(bytes) if mapping.copy_as_text() => mapping.text(&String::from_utf8_lossy(bytes)),
            Some(bytes) => mapping.binary(bytes),
        };
        values.push(value.map_err(|error| CopyError::Value {
            table: table.relation.name.clone(),
            column: table.relation.columns[index].name.clone(),
            error: Box::new(error),
        })?);
    }
    Ok(values)
}
