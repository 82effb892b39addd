//! What a client keeps between its connections.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value as Json};

/// A table of a client's schema, in the names of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// The type of each column: `string`, `number`, `boolean`, `json` or `null`.
    pub columns: BTreeMap<String, String>,
    /// The columns of the primary key.
    pub primary_key: Vec<String>,
}

/// A client's schema: tables by name.
pub type Schema = BTreeMap<String, TableSchema>;

/// A client's copy: its rows, what it knows of queries and mutations, and its cookie.
///
/// It is what the published client would keep of the frames that a [`Session`](super::Session) saw,
/// without what it has changed optimistically.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Store {
    pub(super) cookie: Option<String>,
    pub(super) schema: Schema,
    pub(super) rows: BTreeMap<String, BTreeMap<String, Json>>,
    pub(super) got: BTreeSet<String>,
    pub(super) desired: BTreeMap<String, BTreeSet<String>>,
    pub(super) results: BTreeMap<(String, u64), Json>,
    pub(super) mutation_ids: BTreeMap<String, u64>,
    /// What this client asked for, ever: the operation that put the query, by hash.
    pub(super) asked: BTreeMap<String, Json>,
    /// The highest mutation that this client sent, by client.
    pub(super) pushed: BTreeMap<String, u64>,
}

impl Store {
    /// A store of which nothing is known but its cookie and the client's schema, `{"tables": …}`: that of
    /// a client that comes from somewhere else.
    pub fn at(cookie: &str, schema: &Json) -> Self {
        let mut store = Self { cookie: Some(cookie.to_owned()), ..Self::default() };
        store.learn_schema(schema);
        store
    }

    /// The cookie of the last poke that was applied; none before the first.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// The rows of a table in the order of their keys' texts; none if the table is unknown. Numbers
    /// are as [`plain`] makes them.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = &Json> {
        self.rows.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// The tables that have rows, with how many.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let filled = self.rows.iter().filter(|(_, rows)| !rows.is_empty());
        filled.map(|(table, rows)| (table.as_str(), rows.len())).collect()
    }

    /// The queries that are got: what a client shows as complete.
    pub fn got(&self) -> &BTreeSet<String> {
        &self.got
    }

    /// The queries that the server says a client desires.
    pub fn desired(&self, client: &str) -> Option<&BTreeSet<String>> {
        self.desired.get(client)
    }

    /// The operation with which this client last put a query.
    pub fn asked(&self, hash: &str) -> Option<&Json> {
        self.asked.get(hash)
    }

    /// The last mutation of a client that is acknowledged; 0 if none is.
    pub fn last_mutation_id(&self, client: &str) -> u64 {
        self.mutation_ids.get(client).copied().unwrap_or(0)
    }

    /// The result of a mutation that failed, as long as the server keeps it here.
    pub fn result(&self, client: &str, id: u64) -> Option<&Json> {
        self.results.get(&(client.to_owned(), id))
    }

    /// The client's schema; empty until it was sent.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether nothing has been received.
    pub fn is_empty(&self) -> bool {
        self.cookie.is_none()
    }

    /// Takes over a `clientSchema` as `initConnection` carries it. What is not one is left out.
    pub(super) fn learn_schema(&mut self, schema: &Json) {
        let Some(tables) = schema.get("tables").and_then(Json::as_object) else { return };
        for (name, table) in tables {
            let columns = table.get("columns").and_then(Json::as_object);
            let columns = columns.into_iter().flatten().map(|(column, of)| {
                (column.clone(), of.get("type").and_then(Json::as_str).unwrap_or("null").to_owned())
            });
            let key = table.get("primaryKey").and_then(Json::as_array);
            let key = key.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
            let table = TableSchema { columns: columns.collect(), primary_key: key.collect() };
            self.schema.insert(name.clone(), table);
        }
    }

    /// Drops everything but the cookie, the schema and what mutations are known, as `clear` does.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.got.clear();
        self.desired.clear();
        self.results.clear();
    }
}

impl TableSchema {
    /// The text of a row's primary key: equal for equal keys.
    pub(super) fn key(&self, row: &Map<String, Json>) -> String {
        let values =
            self.primary_key.iter().map(|column| row.get(column).map_or(Json::Null, plain));
        Json::Array(values.collect()).to_string()
    }
}

/// A value as JavaScript reads it: every number is a double, written as an integer where it is one.
/// Two values are the same to a client if they are equal after this.
pub fn plain(value: &Json) -> Json {
    match value {
        Json::Number(number) => Json::Number(plain_number(number)),
        Json::Array(values) => Json::Array(values.iter().map(plain).collect()),
        Json::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        other => other.clone(),
    }
}

fn plain_number(number: &Number) -> Number {
    let Some(double) = number.as_f64() else { return number.clone() };
    if double.fract() == 0.0 && double.abs() < 9_007_199_254_740_992.0 {
        return Number::from(double as i64);
    }
    Number::from_f64(double).unwrap_or_else(|| number.clone())
}
