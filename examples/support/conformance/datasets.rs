//! Schemas and rows as the cases write them, and shared data sets on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use penstock::operators::source::Change;
use penstock::{ColumnType, RowInput, Schema, Table, TableSchema};
use serde_json::Value as Json;

/// A schema with the rows to begin with.
#[derive(Clone, Debug)]
pub(crate) struct Dataset {
    pub(crate) schema: Schema,
    pub(crate) inserts: Vec<Change>,
}

/// The data sets read so far, by name.
pub(crate) struct Datasets {
    directory: PathBuf,
    read: BTreeMap<String, Result<Dataset, String>>,
}

impl Datasets {
    /// Data sets below a directory.
    pub(crate) fn new(directory: PathBuf) -> Datasets {
        Datasets { directory, read: BTreeMap::new() }
    }

    /// The data set of a name: `NAME/schema.json` below the directory, or `schema.json` in it.
    /// Read once.
    pub(crate) fn get(&mut self, name: &str) -> Result<Dataset, String> {
        let directory = &self.directory;
        let read = self.read.entry(name.to_owned()).or_insert_with(|| {
            let nested = directory.join(name);
            read_directory(if nested.join("schema.json").is_file() { &nested } else { directory })
        });
        read.clone()
    }
}

/// Where the data sets are unless somebody says otherwise: beside the repository, or else the
/// copy in it.
pub(crate) fn default_directory() -> PathBuf {
    shared_or_copy("data", "")
}

/// A file or directory of the shared material, or else the repository's copy of it.
pub(crate) fn shared_or_copy(shared: &str, file: &str) -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let original = repository.join("../shared").join(shared).join(file);
    if original.exists() {
        return original;
    }
    let copies = repository.join("tests/data");
    if shared == "data" { copies.join(file) } else { copies.join(shared).join(file) }
}

fn read_directory(directory: &Path) -> Result<Dataset, String> {
    let path = directory.join("schema.json");
    let text = read_text(&path)?;
    let json: Json =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let schema = schema(&json)?;
    let mut inserts = Vec::new();
    for name in table_names(&json)? {
        let path = directory.join(format!("{name}.jsonl"));
        for (at, line) in read_text(&path)?.lines().enumerate() {
            let row = serde_json::from_str(line)
                .map_err(|error| format!("{}:{}: {error}", path.display(), at + 1))?;
            inserts.push(insert(&schema, name, &row)?);
        }
    }
    Ok(Dataset { schema, inserts })
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn table_names(json: &Json) -> Result<Vec<&str>, String> {
    let tables = json["tables"].as_object().ok_or("the schema has no object \"tables\"")?;
    Ok(tables.keys().map(String::as_str).collect())
}

/// The schema and the rows that a case carries.
pub(crate) fn inline(schema_json: &Json, rows: &Json) -> Result<Dataset, String> {
    let schema = schema(schema_json)?;
    let mut inserts = Vec::new();
    for (table, rows) in rows.as_object().ok_or("\"rows\" is not an object")? {
        for row in rows.as_array().ok_or_else(|| format!("the rows of \"{table}\" are no array"))? {
            inserts.push(insert(&schema, table, row)?);
        }
    }
    Ok(Dataset { schema, inserts })
}

fn schema(json: &Json) -> Result<Schema, String> {
    let mut tables = Vec::new();
    for name in table_names(json)? {
        tables.push(table(name, &json["tables"][name])?);
    }
    Schema::new(tables).map_err(|error| error.to_string())
}

fn table(name: &str, json: &Json) -> Result<Table, String> {
    let mut table = Table::new(name);
    let columns = json["columns"]
        .as_object()
        .ok_or_else(|| format!("table \"{name}\" has no object \"columns\""))?;
    for (column, json) in columns {
        let column_type = match json["type"].as_str() {
            Some("string") => ColumnType::Text,
            Some("number") => ColumnType::Number,
            Some("boolean") => ColumnType::Boolean,
            Some("json") => ColumnType::Json,
            _ => return Err(format!("\"{name}\".\"{column}\" has the type {}", json["type"])),
        };
        table = match json["optional"].as_bool() {
            Some(true) => table.nullable(column, column_type),
            _ => table.column(column, column_type),
        };
    }
    let key = json["primaryKey"].as_array().map(|columns| columns.iter().map(Json::as_str));
    let key: Option<Vec<&str>> = key.and_then(|columns| columns.collect());
    Ok(table.primary_key(key.ok_or_else(|| format!("table \"{name}\" has no primary key"))?))
}

/// A table of a schema by name.
pub(crate) fn find<'s>(schema: &'s Schema, table: &str) -> Result<&'s TableSchema, String> {
    let id = schema.table_id(table).ok_or_else(|| format!("there is no table \"{table}\""))?;
    Ok(schema.table(id))
}

/// A row of a table, as JSON, with the types of its columns.
pub(crate) fn row(schema: &Schema, table: &str, row: &Json) -> Result<RowInput, String> {
    RowInput::from_json(find(schema, table)?, row)
        .map_err(|problem| format!("table \"{table}\": {problem}"))
}

fn insert(schema: &Schema, table: &str, json: &Json) -> Result<Change, String> {
    let row = row(schema, table, json)?
        .to_row(find(schema, table)?)
        .map_err(|problem| format!("table \"{table}\": {problem}"))?;
    let id = schema.table_id(table).ok_or_else(|| format!("there is no table \"{table}\""))?;
    Ok(Change::Insert { table: id, row })
}
