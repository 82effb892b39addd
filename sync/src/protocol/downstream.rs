//! Messages to clients, as text.
//!
//! Rows are written once for all groups that are told of them, so a poke is put together from pieces of
//! JSON; whoever hands a piece in sees to it that it is JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use penstock::operators::schema::TableSchema;
use penstock::{Row, ValueRef};
use serde_json::{Value as Json, json};

/// How many entries a part of a poke has at most.
const PART_ENTRIES: usize = 100;
/// A part is closed once it has so many bytes.
const PART_BYTES: usize = 256 * 1024;

/// `["connected",…]`.
#[must_use]
pub fn connected(wsid: &str, timestamp: u64) -> String {
    json!(["connected", {"wsid": wsid, "timestamp": timestamp}]).to_string()
}

/// `["pong",{}]`.
#[must_use]
pub fn pong() -> Arc<str> {
    Arc::from(r#"["pong",{}]"#)
}

/// `["deleteClients",…]`.
#[must_use]
pub fn delete_clients(clients: &[String]) -> String {
    json!(["deleteClients", {"clientIDs": clients}]).to_string()
}

/// The answer to a request for debugging, which is not served.
#[must_use]
pub fn inspect_refused(id: &Json) -> String {
    let value = "this server answers /inspect over HTTP instead";
    json!(["inspect", {"id": id, "op": "error", "value": value}]).to_string()
}

/// `["transformError",…]` for queries that the application refuses.
#[must_use]
pub fn transform_error(errors: &[Json]) -> String {
    json!(["transformError", errors]).to_string()
}

/// A piece of JSON text.
pub type Piece = Arc<str>;

/// A poke without its cookies.
#[derive(Clone, Debug, Default)]
pub struct Poke {
    /// `[client, last mutation id]`.
    pub last_mutation_ids: Vec<(String, u64)>,
    /// Queries that are complete now.
    pub got: Vec<String>,
    /// Queries that are gone now.
    pub gone: Vec<String>,
    /// Whether the client forgets everything first.
    pub clear: bool,
    /// Operations on rows.
    pub rows: Vec<Piece>,
    /// Operations on results of mutations.
    pub mutations: Vec<Piece>,
}

impl Poke {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last_mutation_ids.is_empty()
            && self.got.is_empty()
            && self.gone.is_empty()
            && !self.clear
            && self.rows.is_empty()
            && self.mutations.is_empty()
    }

    /// The frames of the parts, for a poke of this id. Cost: O(bytes).
    #[must_use]
    pub fn parts(&self, poke_id: &str) -> Vec<Arc<str>> {
        let mut parts =
            Parts { poke_id, frames: Vec::new(), text: String::new(), entries: 0, list: None };
        if self.clear {
            // Of a part, clients take the rows last: what else is in it would be dropped.
            parts.entry("rowsPatch", r#"{"op":"clear"}"#);
            parts.end();
        }
        if !self.last_mutation_ids.is_empty() {
            let ids = self.last_mutation_ids.iter();
            let ids: serde_json::Map<_, _> = ids.map(|(id, n)| (id.clone(), (*n).into())).collect();
            parts.member("lastMutationIDChanges", &Json::Object(ids).to_string());
        }
        for row in &self.rows {
            parts.entry("rowsPatch", row);
        }
        for mutation in &self.mutations {
            parts.entry("mutationsPatch", mutation);
        }
        for (op, hashes) in [("put", &self.got), ("del", &self.gone)] {
            for hash in hashes {
                parts.entry("gotQueriesPatch", &json!({"op": op, "hash": hash}).to_string());
            }
        }
        parts.end();
        parts.frames
    }
}

/// The frame that begins a poke.
#[must_use]
pub fn poke_start(poke_id: &str, base: Option<&str>) -> String {
    json!(["pokeStart", {"pokeID": poke_id, "baseCookie": base}]).to_string()
}

/// The frame that ends a poke.
#[must_use]
pub fn poke_end(poke_id: &str, cookie: &str) -> String {
    json!(["pokeEnd", {"pokeID": poke_id, "cookie": cookie}]).to_string()
}

/// Parts in the making.
struct Parts<'p> {
    poke_id: &'p str,
    frames: Vec<Arc<str>>,
    text: String,
    entries: usize,
    /// The list that is open.
    list: Option<&'static str>,
}

impl Parts<'_> {
    fn begin(&mut self) {
        if self.text.is_empty() {
            let id = Json::from(self.poke_id);
            // Writing to a string cannot fail.
            let _ = write!(self.text, r#"["pokePart",{{"pokeID":{id}"#);
        }
    }

    fn member(&mut self, name: &str, value: &str) {
        self.begin();
        self.close_list();
        let _ = write!(self.text, r#","{name}":{value}"#);
    }

    fn entry(&mut self, list: &'static str, value: &str) {
        if self.entries >= PART_ENTRIES || self.text.len() >= PART_BYTES {
            self.end();
        }
        self.begin();
        if self.list == Some(list) {
            self.text.push(',');
        } else {
            self.close_list();
            let _ = write!(self.text, r#","{list}":["#);
            self.list = Some(list);
        }
        self.text.push_str(value);
        self.entries += 1;
    }

    fn close_list(&mut self) {
        if self.list.take().is_some() {
            self.text.push(']');
        }
    }

    fn end(&mut self) {
        if self.text.is_empty() {
            return;
        }
        self.close_list();
        self.text.push_str("}]");
        self.frames.push(Arc::from(std::mem::take(&mut self.text)));
        self.entries = 0;
    }
}

/// The operation that puts a row, all of its columns but those of bytes, which the protocol has not.
#[must_use]
pub fn put_row(table: &TableSchema, row: &Row) -> Piece {
    let mut text = String::with_capacity(64 + 16 * table.columns().len());
    let _ = write!(text, r#"{{"op":"put","tableName":{},"value":"#, Json::from(table.name()));
    columns(&mut text, table, row, |_| true);
    text.push('}');
    Arc::from(text)
}

/// The operation that deletes a row with this key, given as a JSON object.
#[must_use]
pub fn delete_row(table: &str, key: &str) -> Piece {
    Arc::from(format!(r#"{{"op":"del","tableName":{},"id":{key}}}"#, Json::from(table)))
}

/// The table and the key of an operation that deletes a row: the inverse of [`delete_row`].
#[must_use]
pub fn deleted_row(op: &str) -> Option<(String, String)> {
    let rest = op.strip_prefix(r#"{"op":"del","tableName":"#)?;
    let mut names = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let table = names.next()?.ok()?;
    let key = rest[names.byte_offset()..].strip_prefix(r#","id":"#)?.strip_suffix('}')?;
    Some((table, key.to_owned()))
}

/// The columns of the primary key, as a JSON object.
#[must_use]
pub fn row_key(table: &TableSchema, row: &Row) -> String {
    let mut text = String::new();
    columns(&mut text, table, row, |column| table.primary_key().contains(&column));
    text
}

/// Writes columns as a JSON object.
fn columns(text: &mut String, table: &TableSchema, row: &Row, wanted: impl Fn(usize) -> bool) {
    text.push('{');
    let mut first = true;
    for (at, (column, value)) in table.values(row).enumerate() {
        if !wanted(at) || matches!(value, ValueRef::Blob(_)) {
            continue;
        }
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        let _ = write!(text, "{}:", Json::from(&*column.name));
        let json = penstock::json::value_to_json(value, column.column_type);
        let _ = write!(text, "{json}");
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poke_comes_in_parts() {
        let mut poke = Poke { clear: true, got: vec!["h".into()], ..Poke::default() };
        poke.last_mutation_ids = vec![("c".into(), 3)];
        poke.rows = (0..150).map(|n| Arc::from(format!(r#"{{"op":"put","n":{n}}}"#))).collect();
        let parts = poke.parts("p\"1");
        let parse = |frame: &Arc<str>| serde_json::from_str::<Json>(frame).expect("JSON");
        let parts: Vec<Json> = parts.iter().map(parse).collect();
        assert_eq!(parts.len(), 3);
        let id = parts[0][1]["pokeID"].clone();
        assert_eq!(parts[0][1], json!({"pokeID": id, "rowsPatch": [{"op": "clear"}]}));
        assert_eq!(parts[1][1]["lastMutationIDChanges"], json!({"c": 3}));
        assert_eq!(parts[1][1]["rowsPatch"].as_array().map(Vec::len), Some(100));
        assert_eq!(parts[2][1]["rowsPatch"].as_array().map(Vec::len), Some(50));
        assert_eq!(parts[2][1]["gotQueriesPatch"], json!([{"op": "put", "hash": "h"}]));
        assert!(parts.iter().all(|part| part[1]["pokeID"] == "p\"1"));
        assert!(Poke::default().is_empty() && Poke::default().parts("p").is_empty());
    }
}
