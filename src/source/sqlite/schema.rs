//! Reading the schema of a file.

use penstock_operators::expr::{Affinity, Collation};
use penstock_operators::schema::{Column, Schema, Table};
use penstock_operators::source::SourceError;
use penstock_operators::value::ColumnType;
use rusqlite::Connection;

use super::error::failure;
use super::relations::{self, ForeignKey};
use super::table::{ColumnInfo, TableInfo, UniqueIndex, quoted};
use super::value::Kind;

/// The most columns that a table may have: as many values are handed to one function.
const COLUMNS_MAX: usize = 450;

/// What this library calls its own tables, indexes and triggers.
pub(super) const OWN_PREFIX: &str = "penstock_";

/// A table as the file declares it.
pub(super) struct Found {
    pub(super) info: TableInfo,
    declared: Vec<Column>,
    unique_keys: Vec<Vec<usize>>,
    pub(super) foreign_keys: Vec<ForeignKey>,
}

/// The tables of a file that can be queried, and why others cannot.
pub(super) struct Read {
    pub(super) found: Vec<Found>,
    pub(super) refused: Vec<(String, String)>,
    /// Whether the file's own statements may replace rows.
    pub(super) may_replace: bool,
}

/// Reads the schema of the file that a connection is open on.
pub(super) fn read(connection: &Connection, file: &str) -> Result<Read, SourceError> {
    let read = read_tables(connection);
    read.map_err(|error| failure(file, "reading the schema", &error))
}

fn read_tables(connection: &Connection) -> rusqlite::Result<Read> {
    let mut kinds = connection
        .prepare("SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'")?;
    let kinds: Vec<(String, String, bool, bool)> = kinds
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let mut names = connection.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') ORDER BY rowid",
    )?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut read = Read { found: Vec::new(), refused: Vec::new(), may_replace: false };
    for name in names {
        if name.starts_with("sqlite_") || name.starts_with(OWN_PREFIX) {
            continue;
        }
        let Some((_, kind, without_rowid, strict)) = kinds.iter().find(|kind| kind.0 == name)
        else {
            continue;
        };
        let outcome = match kind.as_str() {
            "table" => table(connection, &name, *without_rowid, *strict)?,
            "view" => Err("it is a view; query the tables that it reads".to_owned()),
            "virtual" => Err("it is a virtual table, whose changes cannot be seen".to_owned()),
            _ => Err("it belongs to a virtual table".to_owned()),
        };
        match outcome {
            Ok(found) => read.found.push(found),
            Err(reason) => read.refused.push((name, reason)),
        }
    }
    read.may_replace = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema \
             WHERE type IN ('table', 'trigger') AND sql LIKE '%replace%' \
             AND name NOT LIKE 'penstock\\_%' ESCAPE '\\') \
         OR EXISTS (SELECT 1 FROM temp.sqlite_schema WHERE type = 'trigger' \
             AND sql LIKE '%replace%' AND name NOT LIKE 'penstock\\_%' ESCAPE '\\')",
        [],
        |row| row.get(0),
    )?;
    Ok(read)
}

/// Reads one table; the inner error says why it cannot be queried.
fn table(
    connection: &Connection,
    name: &str,
    without_rowid: bool,
    strict: bool,
) -> rusqlite::Result<Result<Found, String>> {
    let mut declared = Vec::new();
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1, 'main')",
    )?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let (column, declaration): (String, String) = (row.get(0)?, row.get(1)?);
        let (not_null, place, hidden): (bool, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let (column_type, affinity) = column_type(&declaration, strict);
        let (_, collation, ..) = connection.column_metadata(Some("main"), name, column.as_str())?;
        let collation = match collation.map(|name| name.to_string_lossy().to_uppercase()) {
            None => Collation::Binary,
            Some(name) => match name.as_str() {
                "BINARY" => Collation::Binary,
                "NOCASE" => Collation::NoCase,
                "RTRIM" => Collation::RightTrim,
                other => {
                    return Ok(Err(format!(
                        "column \"{column}\" has the collation {other}; only BINARY, NOCASE and \
                         RTRIM are known"
                    )));
                }
            },
        };
        if place > 0 {
            key.push((place, columns.len()));
        }
        let generated = matches!(hidden, 2 | 3);
        let nullable = !not_null || generated;
        let (kind, name) = (Kind::of(column_type), column.clone());
        declared.push(Column { name: column, column_type, nullable, affinity, collation });
        columns.push(ColumnInfo { name, kind, affinity, collation, generated });
    }
    if columns.len() > COLUMNS_MAX {
        let found = columns.len();
        return Ok(Err(format!("it has {found} columns, more than {COLUMNS_MAX}")));
    }
    key.sort_unstable();
    let key: Vec<usize> = key.into_iter().map(|(_, column)| column).collect();
    let indexes = unique_indexes(connection, name, columns.len())?;
    let mut unique: Vec<UniqueIndex> = indexes.iter().map(|index| index.0.clone()).collect();
    let is_rowid = key.len() == 1 && !without_rowid && !indexes.iter().any(|index| index.1 == "pk");
    if is_rowid {
        let columns = vec![(key[0], "BINARY".to_owned())];
        unique.push(UniqueIndex { columns, has_expressions: false });
    }
    let rowid = if without_rowid || is_rowid {
        None
    } else {
        let is_free = |name: &&str| {
            !columns.iter().any(|column: &ColumnInfo| column.name.eq_ignore_ascii_case(name))
        };
        ["rowid", "_rowid_", "oid"].into_iter().find(is_free)
    };
    let keys: Vec<Vec<usize>> = indexes
        .iter()
        .filter(|(index, origin, partial)| !partial && !index.has_expressions && origin != "pk")
        .map(|(index, ..)| index.columns.iter().map(|(column, _)| *column).collect())
        .filter(|columns: &Vec<usize>| is_sound(columns, &declared))
        .collect();
    let Some(key) = usable_key(key, &keys, &declared, &columns) else {
        return Ok(Err(
            "it has no primary key, and no unique index over columns that are NOT NULL \
                       that could serve as one; give it a PRIMARY KEY"
                .to_owned(),
        ));
    };
    for column in &key {
        declared[*column].nullable = false;
    }
    let unique_keys = keys.into_iter().filter(|columns| *columns != key).collect();
    let foreign_keys = relations::foreign_keys(connection, name)?;
    let mut info = TableInfo::new(name.to_owned(), columns, key, unique, rowid);
    info.is_plain = foreign_keys.is_empty()
        && !info.columns.iter().any(|column| column.generated)
        && !has_triggers(connection, name)?;
    Ok(Ok(Found { info, declared, unique_keys, foreign_keys }))
}

/// Whether a table has triggers that are not our own.
fn has_triggers(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM (SELECT * FROM main.sqlite_schema \
             UNION ALL SELECT * FROM temp.sqlite_schema) \
         WHERE type = 'trigger' AND lower(tbl_name) = lower(?1) \
         AND name NOT LIKE 'penstock\\_%' ESCAPE '\\')",
    )?;
    statement.query_row([table], |row| row.get(0))
}

/// Whether columns can be a key: none twice, none of JSON.
fn is_sound(columns: &[usize], declared: &[Column]) -> bool {
    columns.iter().enumerate().all(|(at, column)| {
        !columns[..at].contains(column) && declared[*column].column_type != ColumnType::Json
    })
}

/// The declared key, or else the shortest unique key of columns that are never null.
fn usable_key(
    declared_key: Vec<usize>,
    keys: &[Vec<usize>],
    declared: &[Column],
    columns: &[ColumnInfo],
) -> Option<Vec<usize>> {
    if !declared_key.is_empty() && is_sound(&declared_key, declared) {
        return Some(declared_key);
    }
    let never_null = |column: &usize| !declared[*column].nullable && !columns[*column].generated;
    let usable = keys.iter().filter(|key| key.iter().all(never_null));
    usable.min_by_key(|key| (key.len(), (*key).clone())).cloned()
}

/// The unique indexes of a table, each with how it came about and whether it is partial.
fn unique_indexes(
    connection: &Connection,
    table: &str,
    columns: usize,
) -> rusqlite::Result<Vec<(UniqueIndex, String, bool)>> {
    let mut statement = connection.prepare(
        "SELECT name, origin, partial FROM pragma_index_list(?1, 'main') WHERE \"unique\" ORDER BY name",
    )?;
    let indexes: Vec<(String, String, bool)> = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut found = Vec::with_capacity(indexes.len());
    for (name, origin, partial) in indexes {
        let mut statement = connection.prepare_cached(
            "SELECT cid, coll FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno",
        )?;
        let parts: Vec<(i64, String)> = statement
            .query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let column = |cid: i64| usize::try_from(cid).ok().filter(|column| *column < columns);
        let has_expressions = parts.iter().any(|(cid, _)| column(*cid).is_none());
        let columns =
            parts.into_iter().filter_map(|(cid, coll)| Some((column(cid)?, coll))).collect();
        found.push((UniqueIndex { columns, has_expressions }, origin, partial));
    }
    Ok(found)
}

/// The type and the affinity of a declared type, by SQLite's rules and three names of our own:
/// BOOLEAN and BOOL, JSON and JSONB. What SQLite treats as numeric may hold anything.
fn column_type(declaration: &str, strict: bool) -> (ColumnType, Affinity) {
    let upper = declaration.trim().to_uppercase();
    let has = |names: &[&str]| names.iter().any(|name| upper.contains(name));
    let affinity = if strict && upper == "ANY" || upper.is_empty() {
        Affinity::Blob
    } else if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if has(&["BLOB"]) {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    };
    let word = upper.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or("");
    let column_type = match (word, affinity) {
        ("BOOL" | "BOOLEAN", _) => ColumnType::Boolean,
        ("JSON" | "JSONB", _) => ColumnType::Json,
        (_, Affinity::Integer) => ColumnType::Integer,
        (_, Affinity::Text) => ColumnType::Text,
        (_, Affinity::Real) => ColumnType::Real,
        (_, Affinity::Blob) if has(&["BLOB"]) => ColumnType::Blob,
        _ => ColumnType::Any,
    };
    (column_type, affinity)
}

/// The schema of tables that were read, in the order of `slots`: the places that earlier readings
/// gave them, where a table that is gone is kept under a name that none can have.
pub(super) fn schema(
    slots: &[(String, Option<&Found>)],
    refused: Vec<(String, String)>,
    file: &str,
) -> Result<Schema, SourceError> {
    let found: Vec<&Found> = slots.iter().filter_map(|(_, found)| *found).collect();
    let relations = relations::named(&found);
    let mut relations = relations.into_iter();
    let tables = slots.iter().map(|(name, found)| match found {
        None => {
            let column = Column::new("dropped", ColumnType::Integer, false);
            Table::new(format!("\0dropped {name}")).with_declared(column).primary_key(["dropped"])
        }
        Some(found) => {
            let mut table = Table::new(name);
            for column in &found.declared {
                table = table.with_declared(column.clone());
            }
            let names = |columns: &[usize]| -> Vec<String> {
                columns.iter().map(|column| found.declared[*column].name.clone()).collect()
            };
            table = table.primary_key(names(&found.info.key));
            for key in &found.unique_keys {
                table = table.unique(names(key));
            }
            relations
                .next()
                .into_iter()
                .flatten()
                .fold(table, |table, relation| relation.add(table))
        }
    });
    let schema = Schema::new(tables.collect::<Vec<_>>()).map_err(|error| SourceError {
        context: format!("{file}: reading the schema"),
        reason: error.to_string(),
    })?;
    Ok(schema.with_refused(refused))
}

impl Found {
    /// The declared columns.
    pub(super) fn columns(&self) -> &[Column] {
        &self.declared
    }
}

/// A name as SQL writes it, with a prefix of our own.
pub(super) fn own_name(kind: &str, table: &str) -> String {
    quoted(&format!("{OWN_PREFIX}{kind}_{table}"))
}
