//! Row operations, each parsed once for all clients, and the rows that a client holds.

use std::collections::HashMap;

use ahash::RandomState;
use penstock_benches::data::EDITS_FROM;
use serde_json::Value as Json;

use crate::oracle::{Held, row_hash, text_of};
use crate::queries::TABLES;

/// A map with a fixed hasher.
type FixedMap<K, V> = HashMap<K, V, RandomState>;

fn hasher() -> RandomState {
    RandomState::with_seeds(3, 5, 7, 11)
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// The client forgets everything.
    Clear,
    /// The row of this number is there with a hash, or it is not.
    Row {
        row: u32,
        hash: Option<u64>,
        /// The number of the write that made it so, if that says its number.
        write: Option<u64>,
    },
}

/// All operations that there have been, by the hash of their text.
pub(crate) struct Ops {
    known: FixedMap<u64, Op>,
    rows: FixedMap<(&'static str, String), u32>,
}

impl Ops {
    pub(crate) fn new() -> Ops {
        Ops { known: HashMap::with_hasher(hasher()), rows: HashMap::with_hasher(hasher()) }
    }

    /// What an operation of this text does.
    pub(crate) fn read(&mut self, text: &str) -> Result<Op, String> {
        let hash = hasher().hash_one(text);
        if let Some(op) = self.known.get(&hash) {
            return Ok(*op);
        }
        let op = self.parse(text).ok_or_else(|| format!("no operation on a row: {text:.300}"))?;
        self.known.insert(hash, op);
        Ok(op)
    }

    fn parse(&mut self, text: &str) -> Option<Op> {
        let op: Json = serde_json::from_str(text).ok()?;
        let is_put = match op["op"].as_str()? {
            "clear" => return Some(Op::Clear),
            kind @ ("put" | "del") => kind == "put",
            _ => return None,
        };
        let (name, columns, key) = TABLES.iter().find(|(name, ..)| op["tableName"] == *name)?;
        let value = if is_put { &op["value"] } else { &op["id"] };
        let key: Vec<String> = key.iter().map(|column| text_of(&value[column])).collect();
        let next = u32::try_from(self.rows.len()).ok()?;
        let row = *self.rows.entry((*name, key.join("\u{1f}"))).or_insert(next);
        if !is_put {
            return Some(Op::Row { row, hash: None, write: None });
        }
        let values: Vec<String> =
            columns.iter().map(|(column, _)| text_of(&value[column])).collect();
        let hash = row_hash(name, values.iter().map(String::as_str));
        Some(Op::Row { row, hash: Some(hash), write: write_of(value) })
    }
}

/// A write says its number in the title, or as the time of the last change; the later one counts.
fn write_of(value: &Json) -> Option<u64> {
    let title = value["title"].as_str().and_then(|title| title.strip_prefix("write "));
    let modified = || u64::try_from(value["modified"].as_i64()? - EDITS_FROM).ok();
    title.and_then(|number| number.parse().ok()).max(modified())
}

/// The rows that a client holds.
pub(crate) struct Store {
    rows: FixedMap<u32, u64>,
    held: Held,
}

impl Store {
    pub(crate) fn new() -> Store {
        Store { rows: HashMap::with_hasher(hasher()), held: Held::default() }
    }

    pub(crate) fn apply(&mut self, op: Op) {
        let before = match op {
            Op::Clear => {
                *self = Store::new();
                return;
            }
            Op::Row { row, hash: Some(hash), .. } => {
                self.held.add(hash);
                self.rows.insert(row, hash)
            }
            Op::Row { row, hash: None, .. } => self.rows.remove(&row),
        };
        if let Some(before) = before {
            self.held.remove(before);
        }
    }

    pub(crate) fn held(&self) -> Held {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_holds_what_was_put_last() {
        let (mut ops, mut store) = (Ops::new(), Store::new());
        let put = |title: &str| {
            format!(
                r#"{{"op":"put","tableName":"issue","value":{{"id":"i1","title":"{title}","open":true,"modified":1702000000007,"created":1,"owner_id":"u1","priority":3}}}}"#
            )
        };
        let hash = |title: &str| {
            row_hash("issue", ["i1", title, "1", "1702000000007", "1", "u1", "3"].into_iter())
        };
        let label = r#"{"op":"put","tableName":"label","value":{"id":"l1","name":"x"}}"#;
        let first = ops.read(&put("a")).expect("an operation");
        assert_eq!(first, Op::Row { row: 0, hash: Some(hash("a")), write: Some(7) });
        store.apply(first);
        store.apply(ops.read(label).expect("an operation"));
        let second = ops.read(&put("write 9")).expect("an operation");
        assert_eq!(second, Op::Row { row: 0, hash: Some(hash("write 9")), write: Some(9) });
        store.apply(second);
        let label_hash = row_hash("label", ["l1", "x"].into_iter());
        let sum = hash("write 9").wrapping_add(label_hash);
        assert_eq!(store.held(), Held { rows: 2, sum });
        let del = r#"{"op":"del","tableName":"issue","id":{"id":"i1"}}"#;
        store.apply(ops.read(del).expect("an operation"));
        assert_eq!(store.held(), Held { rows: 1, sum: label_hash });
        store.apply(ops.read(r#"{"op":"clear"}"#).expect("an operation"));
        assert_eq!(store.held(), Held::default());
        for wrong in [r#"{"op":"up"}"#, r#"{"op":"put","tableName":"x","value":{}}"#] {
            assert!(ops.read(wrong).is_err(), "{wrong}");
        }
    }
}
