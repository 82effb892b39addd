//! Which tables and columns clients may write, and of what types they are.

use std::collections::BTreeMap;

use penstock_postgres::TableName;
use penstock_postgres::connect::Session;
use penstock_postgres::setup::{Setup, SourceTable, followed_tables};

use super::text::Form;
use crate::app::App;

/// The tables that may be written, by the names that clients know: those of the replica.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tables(pub(super) BTreeMap<String, Table>);

#[derive(Debug, PartialEq)]
pub(super) struct Table {
    pub(super) name: TableName,
    /// The published columns.
    pub(super) columns: BTreeMap<String, Column>,
    /// The sets of columns by which rows are told apart: unique indexes without conditions.
    pub(super) keys: Vec<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    /// The type to which a text is cast, as the server writes it: that under all domains, without a length.
    pub(super) type_name: String,
    pub(super) form: Form,
}

/// The type under each domain, and what an array is made of.
const TYPES: &str = "\
WITH RECURSIVE chain(attrelid, attname, oid) AS (\
  SELECT a.attrelid, a.attname, a.atttypid FROM pg_attribute a \
  WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped \
  UNION ALL \
  SELECT c.attrelid, c.attname, t.typbasetype FROM chain c \
  JOIN pg_type t ON t.oid = c.oid WHERE t.typtype = 'd') \
SELECT c.attrelid, c.attname::text, format_type(t.oid, -1), t.oid, t.typtype::text, \
  e.oid, e.typtype::text \
FROM chain c JOIN pg_type t ON t.oid = c.oid \
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' \
WHERE t.typtype <> 'd'";

const KEYS: &str = "\
SELECT i.indrelid, ARRAY(SELECT a.attname::text FROM unnest(i.indkey) AS k(n) \
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n) \
FROM pg_index i WHERE i.indrelid = ANY ($1) AND i.indisunique AND i.indimmediate AND i.indisvalid \
  AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts";

/// Reads the tables that are followed, without those of the bookkeeping.
///
/// # Errors
/// The server cannot be asked: why, in words.
pub(super) async fn read(session: &Session, setup: &Setup, app: &App) -> Result<Tables, String> {
    let followed = followed_tables(session, setup).await.map_err(|error| error.to_string())?;
    let internal = |name: &TableName| app.owns_schema(&name.schema) || name.schema == "penstock";
    let followed: Vec<SourceTable> =
        followed.into_iter().filter(|table| !internal(&table.relation.name)).collect();
    let ids: Vec<u32> = followed.iter().map(|table| table.relation.id).collect();
    let asked = |error: tokio_postgres::Error| super::attempt::in_words(&error);
    let mut types: BTreeMap<(u32, String), Column> = BTreeMap::new();
    for row in session.query(TYPES, &[&ids]).await.map_err(asked)? {
        let (oid, element): (u32, Option<u32>) = (row.get(3), row.get(5));
        let (kind, element_kind): (String, Option<String>) = (row.get(4), row.get(6));
        let form = match element {
            Some(element) => {
                let element = Form::of(element, element_kind.as_deref().unwrap_or_default());
                Form::Array(Box::new(element))
            }
            None => Form::of(oid, &kind),
        };
        types.insert((row.get(0), row.get(1)), Column { type_name: row.get(2), form });
    }
    let mut keys: BTreeMap<u32, Vec<Vec<String>>> = BTreeMap::new();
    for row in session.query(KEYS, &[&ids]).await.map_err(asked)? {
        keys.entry(row.get(0)).or_default().push(row.get(1));
    }
    let table = |table: SourceTable| {
        let id = table.relation.id;
        let published = table.relation.columns.iter();
        let columns = published.filter_map(|column| {
            Some((column.name.clone(), types.get(&(id, column.name.clone()))?.clone()))
        });
        let columns: BTreeMap<String, Column> = columns.collect();
        let mut keys = keys.get(&id).cloned().unwrap_or_default();
        keys.retain(|key| key.iter().all(|column| columns.contains_key(column)));
        (table.relation.name.in_replica(), Table { name: table.relation.name, columns, keys })
    };
    Ok(Tables(followed.into_iter().map(table).collect()))
}
