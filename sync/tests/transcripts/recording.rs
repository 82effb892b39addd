//! Recordings of the published client with the server that it is published with.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

/// The lines of a recording.
pub(crate) fn recorded(name: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name);
    let text = std::fs::read_to_string(path).expect("a recording");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The parameters of a request's URL.
pub(crate) fn parameters(line: &Json) -> BTreeMap<&str, String> {
    let url = line["url"].as_str().expect("a URL");
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name, value.replace("%3A", ":"))).collect()
}

/// A poke of a recording, all its parts together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Poke {
    pub(crate) puts: Vec<(String, Json)>,
    pub(crate) dels: Vec<(String, Json)>,
    /// How many more operations on rows there were that the recording leaves out.
    pub(crate) left_out: usize,
    pub(crate) got: Vec<(bool, String)>,
    pub(crate) mutation_ids: BTreeMap<String, u64>,
    pub(crate) results: Vec<Json>,
    pub(crate) desires: bool,
}

impl Poke {
    pub(crate) fn add(&mut self, part: &Json) {
        for op in part["rowsPatch"].as_array().into_iter().flatten() {
            if let Some(text) = op.as_str() {
                let number = text.split(' ').nth(1).and_then(|number| number.parse::<usize>().ok());
                self.left_out += number.expect("… n more row ops");
                continue;
            }
            let table = op["tableName"].as_str().expect("a table").to_owned();
            match op["op"].as_str() {
                Some("put") => self.puts.push((table, op["value"].clone())),
                Some("del") => self.dels.push((table, op["id"].clone())),
                other => panic!("an operation {other:?}"),
            }
        }
        for op in part["gotQueriesPatch"].as_array().into_iter().flatten() {
            let hash = op["hash"].as_str().expect("a hash").to_owned();
            self.got.push((op["op"] == "put", hash));
        }
        for (client, id) in part["lastMutationIDChanges"].as_object().into_iter().flatten() {
            self.mutation_ids.insert(client.clone(), id.as_u64().expect("a number"));
        }
        self.results.extend(part["mutationsPatch"].as_array().into_iter().flatten().cloned());
        self.desires |= part.get("desiredQueriesPatches").is_some();
    }

    /// Whether it says nothing but which queries the server knows to be wanted.
    pub(crate) fn is_only_desires(&self) -> bool {
        let is_empty = self.puts.is_empty()
            && self.dels.is_empty()
            && self.got.is_empty()
            && self.mutation_ids.is_empty()
            && self.results.is_empty();
        self.desires && is_empty
    }

    /// Whether it tells of what somebody else wrote.
    pub(crate) fn is_of_others(&self) -> bool {
        let has_rows = !self.puts.is_empty() || !self.dels.is_empty();
        has_rows && self.got.is_empty() && self.mutation_ids.is_empty()
    }

    /// How many rows the client holds after it, if it is a hydration.
    pub(crate) fn hydrates(&self) -> Option<usize> {
        let hydrates = self.dels.is_empty() && self.got.iter().any(|(is_put, _)| *is_put);
        hydrates.then_some(self.puts.len() + self.left_out)
    }
}

/// What a client holds of a recording, as far as it tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    rows: BTreeMap<String, (String, Option<Json>)>,
    pub(crate) got: std::collections::BTreeSet<String>,
    pub(crate) mutation_ids: BTreeMap<String, u64>,
    pub(crate) results: BTreeMap<(String, u64), Json>,
    /// Results up to this mutation the client has said that it has: when they go is up to the server.
    pub(crate) acknowledged: u64,
}

fn key(table: &str, row: &Json) -> String {
    let columns: &[&str] = if table == "issue_label" { &["issue_id", "label_id"] } else { &["id"] };
    let values: Vec<&Json> = columns.iter().map(|column| &row[*column]).collect();
    format!("{table} {}", json!(values))
}

impl Known {
    pub(crate) fn apply(&mut self, poke: &Poke) {
        for (table, id) in &poke.dels {
            self.rows.insert(key(table, id), (table.clone(), None));
        }
        for (table, row) in &poke.puts {
            self.rows.insert(key(table, row), (table.clone(), Some(row.clone())));
        }
        for (is_put, hash) in &poke.got {
            match is_put {
                true => self.got.insert(hash.clone()),
                false => self.got.remove(hash),
            };
        }
        self.mutation_ids.extend(poke.mutation_ids.clone());
        for op in &poke.results {
            let id = if op["op"] == "put" { &op["mutation"]["id"] } else { &op["id"] };
            let id = (
                id["clientID"].as_str().expect("a client").to_owned(),
                id["id"].as_u64().expect("a number"),
            );
            match op["op"] == "put" {
                true => self.results.insert(id, op["mutation"]["result"].clone()),
                false => self.results.remove(&id),
            };
        }
    }

    /// What of it a store does not hold, or holds where it should not.
    pub(crate) fn differs(
        &self,
        client: &str,
        store: &penstock_sync::validate::Store,
    ) -> Option<String> {
        if *store.got() != self.got {
            return Some(format!("got {:?}, recorded {:?}", store.got(), self.got));
        }
        for (of, id) in &self.mutation_ids {
            if store.last_mutation_id(of) != *id {
                return Some(format!(
                    "mutation {} of {of}, recorded {id}",
                    store.last_mutation_id(of)
                ));
            }
        }
        for id in 1..=self.mutation_ids.get(client).copied().unwrap_or(0) {
            let recorded = self.results.get(&(client.to_owned(), id));
            let may_be_gone = id <= self.acknowledged && store.result(client, id).is_none();
            if !may_be_gone && store.result(client, id) != recorded {
                return Some(format!(
                    "result {:?}, recorded {recorded:?}",
                    store.result(client, id)
                ));
            }
        }
        for (key_, (table, row)) in &self.rows {
            let found = store.rows(table).find(|found| key(table, found) == *key_);
            if found != row.as_ref() {
                return Some(format!("{found:?}, recorded {row:?}"));
            }
        }
        None
    }
}
