//! Reading the descriptions of tables.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::{Described, SourceTable};
use crate::connect::{ServerError, Session};
use crate::setup::System;
use crate::table::{Column, Identity, Relation, TableName};

const DOING: &str = "reading the descriptions of tables";

const COLUMNS_SQL: &str = "\
SELECT a.attrelid::bigint, a.attname::text, a.atttypid::bigint, a.atttypmod, a.attnotnull, \
  a.attgenerated <> '', format_type(a.atttypid, a.atttypmod) \
FROM pg_attribute a WHERE a.attrelid::bigint = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped \
ORDER BY a.attrelid, a.attnum";

/// Indexes that tell rows apart: unique, checked at once, over all rows, of plain columns never
/// null.
const KEYS_SQL: &str = "\
SELECT i.indrelid::bigint, x.relname::text, i.indisprimary, i.indisreplident, \
  ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) AS n \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n] ORDER BY n) \
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
WHERE i.indrelid::bigint = ANY($1) AND i.indisunique AND i.indimmediate AND i.indisvalid \
  AND i.indpred IS NULL AND i.indexprs IS NULL \
  AND NOT EXISTS (SELECT 1 FROM generate_series(0, i.indnkeyatts - 1) AS n \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n] WHERE NOT a.attnotnull) \
ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, x.relname";

/// An index of [`KEYS_SQL`].
struct Key {
    name: String,
    primary: bool,
    identity: bool,
    columns: Vec<String>,
}

fn tables_sql(system: &System, published: bool) -> String {
    let (columns, filter) = match (published, system.version) {
        (true, 150_000..) => ("p.attnames::text[]", "p.rowfilter"),
        _ => ("NULL::text[]", "NULL::text"),
    };
    let from = from_sql(published);
    format!(
        "SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, \
           c.relpersistence::text, c.relreplident::text, c.relispartition, \
           CASE WHEN c.relkind IN ('r', 'p') THEN row_security_active(c.oid) ELSE false END, \
           has_table_privilege(c.oid, 'SELECT'), pg_has_role(c.relowner, 'USAGE'), \
           CASE c.relkind WHEN 'p' THEN (SELECT sum(greatest(l.reltuples, 0))::float8 \
               FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf) \
             ELSE nullif(c.reltuples, -1)::float8 END, \
           CASE c.relkind WHEN 'p' THEN (SELECT sum(pg_table_size(t.relid)) \
               FROM pg_partition_tree(c.oid) t WHERE t.isleaf)::bigint \
             WHEN 'r' THEN pg_table_size(c.oid) END, \
           {columns}, {filter} \
         {from} ORDER BY n.nspname, c.relname"
    )
}

/// Which tables are meant: those of the publication $1, or all if $2, or those of the schemas $3 and the
/// names $4.
fn from_sql(published: bool) -> String {
    let join = match published {
        true => {
            "JOIN pg_publication_tables p ON p.schemaname = n.nspname AND p.tablename = c.relname"
        }
        false => "",
    };
    let wanted = match published {
        true => "p.pubname = $1 AND NOT $2 AND $3::text[] IS NOT NULL AND $4::text[] IS NOT NULL",
        false => {
            "$1::text IS NULL AND CASE WHEN $2 THEN c.relkind IN ('r', 'p') AND c.relpersistence = 'p' \
               AND NOT c.relispartition AND c.oid >= 16384 \
               AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
             ELSE (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($3::text[], $4::text[])) END"
        }
    };
    format!("FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace {join} WHERE {wanted}")
}

/// The object ids of tables.
pub(super) async fn ids(
    session: &Session,
    all: bool,
    named: &[TableName],
    publication: Option<&str>,
) -> Result<BTreeSet<u32>, ServerError> {
    let sql = format!("SELECT c.oid::bigint {}", from_sql(publication.is_some()));
    let rows = found(session, &sql, all, named, publication).await?;
    let ids = rows.iter().filter_map(|row| u32::try_from(row.get::<_, i64>(0)).ok());
    Ok(ids.collect())
}

async fn found(
    session: &Session,
    sql: &str,
    all: bool,
    named: &[TableName],
    publication: Option<&str>,
) -> Result<Vec<Row>, ServerError> {
    let schemas: Vec<&str> = named.iter().map(|name| name.schema.as_str()).collect();
    let tables: Vec<&str> = named.iter().map(|name| name.table.as_str()).collect();
    let rows = session.query(sql, &[&publication, &all, &schemas, &tables]).await;
    rows.map_err(ServerError::of(DOING))
}

pub(super) async fn describe(
    session: &Session,
    system: &System,
    all: bool,
    named: &[TableName],
    publication: Option<&str>,
) -> Result<Vec<Described>, ServerError> {
    let sql = tables_sql(system, publication.is_some());
    let mut rows = found(session, &sql, all, named, publication).await?;
    // The server says nothing of the rights to a table that was dropped just now.
    rows.retain(|row| row.get::<_, Option<bool>>(8).is_some());
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let mut columns: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in session.query(COLUMNS_SQL, &[&ids]).await.map_err(ServerError::of(DOING))? {
        columns.entry(row.get(0)).or_default().push(row);
    }
    let mut keys: BTreeMap<i64, Vec<Key>> = BTreeMap::new();
    for row in session.query(KEYS_SQL, &[&ids]).await.map_err(ServerError::of(DOING))? {
        keys.entry(row.get(0)).or_default().push(Key {
            name: row.get(1),
            primary: row.get(2),
            identity: row.get(3),
            columns: row.get(4),
        });
    }
    let described = rows.iter().map(|row| {
        let id: i64 = row.get(0);
        let columns = columns.remove(&id).unwrap_or_default();
        described(system, row, &columns, &keys.remove(&id).unwrap_or_default())
    });
    Ok(described.collect())
}

fn described(system: &System, row: &Row, columns: &[Row], keys: &[Key]) -> Described {
    let identity = Identity::of_text(row.get(5));
    let primary = keys.iter().find(|key| key.primary);
    let of_identity = match identity {
        Identity::Default => primary,
        Identity::Index => keys.iter().find(|key| key.identity),
        Identity::Full | Identity::Nothing => None,
    };
    let key = of_identity.or(primary).map(|key| key.columns.clone()).unwrap_or_default();
    let candidate = keys.iter().find(|key| !key.primary).map(|key| key.name.clone());
    let listed: Option<Vec<String>> = row.get(12);
    let mut table = SourceTable {
        relation: Relation {
            id: u32::try_from(row.get::<_, i64>(0)).unwrap_or(0),
            name: TableName::new(row.get::<_, &str>(1), row.get::<_, &str>(2)),
            identity,
            columns: Vec::new(),
        },
        key,
        not_null: Vec::new(),
        types: Vec::new(),
        left_out: Vec::new(),
        partitioned: row.get::<_, &str>(3) == "p",
        filter: row.get(13),
        rows_estimated: row.get::<_, Option<f64>>(10).map(|rows| rows as u64),
        bytes: row.get::<_, Option<i64>>(11).unwrap_or(0).cast_unsigned(),
    };
    let mut identity_left_out = Vec::new();
    for column in columns {
        let (name, generated): (String, bool) = (column.get(1), column.get(5));
        let in_list = listed.as_ref().map(|listed| listed.contains(&name));
        // Generated columns can be published from 18 on, if the publication says so.
        let published = match (generated, in_list) {
            (false, in_list) => in_list.unwrap_or(true),
            (true, in_list) => system.version >= 180_000 && in_list.unwrap_or(false),
        };
        if !published {
            let in_identity = match identity {
                // Before 18 an identity of all columns does not count those that are generated.
                Identity::Full => !generated || system.version >= 180_000,
                _ => of_identity.is_some_and(|key| key.columns.contains(&name)),
            };
            if in_identity {
                identity_left_out.push(name.clone());
            }
            table.left_out.push(name);
            continue;
        }
        let key = match identity {
            Identity::Full => true,
            _ => of_identity.is_some_and(|key| key.columns.contains(&name)),
        };
        let type_id = u32::try_from(column.get::<_, i64>(2)).unwrap_or(0);
        table.relation.columns.push(Column { name, key, type_id, modifier: column.get(3) });
        table.not_null.push(column.get(4));
        table.types.push(column.get(6));
    }
    let letter = |column| row.get::<_, &str>(column).chars().next().unwrap_or(' ');
    Described {
        kind: letter(3),
        persistence: letter(4),
        is_partition: row.get(6),
        rows_hidden: row.get(7),
        readable: row.get(8),
        owned: row.get(9),
        usable_identity: identity == Identity::Full || of_identity.is_some(),
        identity_left_out,
        candidate,
        table,
    }
}
