//! Tables of a replica: what is known of each, and the statements that keep it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::error::ReplicaError;
use crate::snapshot::Mark;
use crate::table::{Column, Identity, Relation, TableName};
use crate::types::Catalogue;

/// A table of the server, as its catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// As the stream describes it.
    pub relation: Arc<Relation>,
    /// For each column of the relation, the server's number of it (`attnum`); it survives renames and
    /// is never given twice.
    pub numbers: Vec<i16>,
    /// The positions in the relation of the columns by which rows are told apart, in order.
    pub key: Vec<usize>,
    /// How each column is declared in SQLite.
    pub declared: Vec<String>,
}

/// Where a table of the replica stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableState {
    /// It is to be copied; what the stream says of it is passed over until then.
    Wanted {
        /// Why, in words.
        reason: String,
    },
    /// It was copied.
    Copied {
        /// What the copy holds already, until the stream has passed that.
        mark: Option<Mark>,
    },
    /// It cannot be kept.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

impl TableSpec {
    /// A table with the types of its columns looked up. The key is given by the columns' names.
    ///
    /// # Errors
    /// A table without a key, with a key that cannot tell rows apart here, or with a column whose type
    /// is not known.
    pub fn new(
        relation: Arc<Relation>,
        numbers: Vec<i16>,
        key: &[String],
        catalogue: &Catalogue,
    ) -> Result<TableSpec, ReplicaError> {
        let refused =
            |reason: String| ReplicaError::Refused { table: relation.name.clone(), reason };
        let mut declared = Vec::with_capacity(relation.columns.len());
        for column in &relation.columns {
            let mapping = catalogue
                .mapping(column.type_id)
                .map_err(|error| refused(format!("column \"{}\": {error}", column.name)))?;
            // A bare JSON column would make numbers of texts such as 1.0.
            declared.push(match mapping.declared() {
                "JSON" => "JSON TEXT".to_owned(),
                declared => declared.to_owned(),
            });
        }
        let place = |name: &String| relation.columns.iter().position(|column| column.name == *name);
        let key: Option<Vec<usize>> = key.iter().map(place).collect();
        let key = key.filter(|key| !key.is_empty()).ok_or_else(|| {
            refused(format!(
                "it has no usable replica identity; run ALTER TABLE {} ADD PRIMARY KEY (…), or give it a unique \
                 index over columns that are NOT NULL and run ALTER TABLE … REPLICA IDENTITY USING INDEX …",
                relation.name
            ))
        })?;
        let name = relation.name.in_replica().to_lowercase();
        if let Some(prefix) = ["penstock_", "sqlite_"].into_iter().find(|own| name.starts_with(own))
        {
            return Err(refused(format!(
                "names that begin with \"{prefix}\" are taken; rename it"
            )));
        }
        for (at, column) in relation.columns.iter().enumerate() {
            let same = |other: &&Column| other.name.to_lowercase() == column.name.to_lowercase();
            if let Some(other) = relation.columns[..at].iter().find(same) {
                return Err(refused(format!(
                    "its columns \"{}\" and \"{}\" differ in case only, which SQLite takes for one; rename one",
                    other.name, column.name
                )));
            }
        }
        if let Some(column) = key.iter().find(|column| declared[**column] == "JSON TEXT") {
            let name = &relation.columns[*column].name;
            return Err(refused(format!(
                "its key column \"{name}\" is an array, a composite or JSON, which cannot tell rows apart here; \
                 use REPLICA IDENTITY USING INDEX with a unique index of other columns"
            )));
        }
        Ok(TableSpec { relation, numbers, key, declared })
    }

    /// What the table is called in the replica.
    pub fn name(&self) -> String {
        self.relation.name.in_replica()
    }

    /// Whether the key is one integer column, which SQLite keeps as the row's own number.
    fn has_integer_key(&self) -> bool {
        matches!(self.key[..], [column] if self.declared[column] == "INTEGER")
    }

    /// The statement that makes the table under a name. A key that is not one integer is an index,
    /// which is made after the copy: [`TableSpec::index`].
    pub(super) fn create(&self, name: &str) -> String {
        let columns = self.relation.columns.iter().zip(&self.declared).enumerate();
        let columns = columns.map(|(at, (column, declared))| {
            let name = quoted(&column.name);
            match (self.key.contains(&at), self.has_integer_key()) {
                (true, true) => format!("{name} INTEGER PRIMARY KEY NOT NULL"),
                (true, false) => format!("{name} {declared} NOT NULL"),
                (false, _) => format!("{name} {declared}"),
            }
        });
        format!("CREATE TABLE {}({})", quoted(name), columns.collect::<Vec<_>>().join(", "))
    }

    /// The statement that makes the unique index over the key, if there has to be one.
    pub(super) fn index(&self, name: &str, generation: i64) -> Option<String> {
        if self.has_integer_key() {
            return None;
        }
        let index = format!("penstock_key_{}_{generation}", self.relation.id);
        Some(format!(
            "CREATE UNIQUE INDEX {} ON {}({})",
            quoted(&index),
            quoted(name),
            self.names(&self.key)
        ))
    }

    fn names(&self, columns: &[usize]) -> String {
        let names = columns.iter().map(|at| quoted(&self.relation.columns[*at].name));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Inserts a row: values of all columns in their order.
    pub(super) fn insert(&self, name: &str) -> String {
        let all: Vec<usize> = (0..self.relation.columns.len()).collect();
        let places = vec!["?"; all.len()].join(",");
        format!("INSERT INTO {}({}) VALUES({places})", quoted(name), self.names(&all))
    }

    /// Updates some columns of a row: their values, then those of the old key.
    pub(super) fn update(&self, columns: &[usize], or_ignore: bool) -> String {
        let set =
            columns.iter().map(|at| format!("{}=?", quoted(&self.relation.columns[*at].name)));
        let or_ignore = if or_ignore { " OR IGNORE" } else { "" };
        let (table, set) = (quoted(&self.name()), set.collect::<Vec<_>>().join(","));
        format!("UPDATE{or_ignore} {table} SET {set} WHERE {}", self.at_key())
    }

    /// Deletes a row by the values of its key.
    pub(super) fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE {}", quoted(&self.name()), self.at_key())
    }

    /// Reads columns of a row by the values of its key.
    pub(super) fn select(&self) -> String {
        let all: Vec<usize> = (0..self.relation.columns.len()).collect();
        let (columns, table) = (self.names(&all), quoted(&self.name()));
        format!("SELECT {columns} FROM {table} WHERE {}", self.at_key())
    }

    /// Reads all rows.
    pub(super) fn select_all(&self) -> String {
        let all: Vec<usize> = (0..self.relation.columns.len()).collect();
        format!("SELECT {} FROM {}", self.names(&all), quoted(&self.name()))
    }

    fn at_key(&self) -> String {
        let terms =
            self.key.iter().map(|at| format!("{}=?", quoted(&self.relation.columns[*at].name)));
        terms.collect::<Vec<_>>().join(" AND ")
    }

    /// As a text for the bookkeeping.
    pub(super) fn to_json(&self) -> String {
        let columns = self.relation.columns.iter().zip(&self.numbers).zip(&self.declared);
        let columns = columns.map(|((column, number), declared)| {
            json!([column.name, column.key, column.type_id, column.modifier, number, declared])
        });
        let identity = match self.relation.identity {
            Identity::Default => "d",
            Identity::Nothing => "n",
            Identity::Full => "f",
            Identity::Index => "i",
        };
        let columns: Vec<Json> = columns.collect();
        let name = [&self.relation.name.schema, &self.relation.name.table];
        json!({"name": name, "identity": identity, "columns": columns, "key": self.key}).to_string()
    }

    /// From what [`TableSpec::to_json`] gave.
    pub(super) fn from_json(id: u32, text: &str) -> Option<TableSpec> {
        let json: Json = serde_json::from_str(text).ok()?;
        let identity = match json["identity"].as_str()? {
            "d" => Identity::Default,
            "n" => Identity::Nothing,
            "f" => Identity::Full,
            "i" => Identity::Index,
            _ => return None,
        };
        let name = TableName::new(json["name"][0].as_str()?, json["name"][1].as_str()?);
        let (mut columns, mut numbers, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        for column in json["columns"].as_array()? {
            columns.push(Column {
                name: column[0].as_str()?.to_owned(),
                key: column[1].as_bool()?,
                type_id: u32::try_from(column[2].as_u64()?).ok()?,
                modifier: i32::try_from(column[3].as_i64()?).ok()?,
            });
            numbers.push(i16::try_from(column[4].as_i64()?).ok()?);
            declared.push(column[5].as_str()?.to_owned());
        }
        let place = |at: &Json| usize::try_from(at.as_u64()?).ok().filter(|at| *at < columns.len());
        let key: Vec<usize> = json["key"].as_array()?.iter().map(place).collect::<Option<_>>()?;
        let relation = Arc::new(Relation { id, name, identity, columns });
        Some(TableSpec { relation, numbers, key, declared })
    }
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
