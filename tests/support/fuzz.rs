//! The bodies of the fuzz targets.

use penstock::{ColumnType, Database, Error, Query, Schema, Table, row};
use serde_json::Value as Json;

use super::case::{Bytes, Case};
use super::harness::{Options, run};

/// Bytes of state that the queries of one input may take.
const QUERY_BYTES_MAX: usize = 64 << 20;
/// The longest AST text tried, in bytes.
const TEXT_MAX: usize = 16 << 10;
/// Results nested deeper than this are kept but not compared: such a tree shows the rows of a small
/// database more often than there is time to look at.
const COMPARED_DEPTH_MAX: usize = 4;

/// ASTs that inputs are edits of.
const SEEDS: [&str; 6] = [
    r#"{"table":"issue","where":{"type":"simple","op":"=","left":{"type":"column","name":"open"},
    "right":{"type":"literal","value":true}},"orderBy":[["rank","desc"],["id","asc"]],"limit":3}"#,
    r#"{"table":"issue","related":[{"correlation":{"parentField":["owner"],"childField":["id"]},
    "subquery":{"table":"user","alias":"by","limit":1}},
    {"correlation":{"parentField":["id"],"childField":["issue"]},"hidden":true,
    "subquery":{"table":"tag","alias":"tags","related":[
    {"correlation":{"parentField":["name"],"childField":["name"]},
    "subquery":{"table":"user","alias":"tags","orderBy":[["name","asc"]]}}]}}]}"#,
    r#"{"table":"user","where":{"type":"or","conditions":[
    {"type":"correlatedSubquery","op":"EXISTS","flip":true,"related":
    {"correlation":{"parentField":["id"],"childField":["owner"]},"subquery":{"table":"issue",
    "alias":"e","where":{"type":"correlatedSubquery","op":"NOT EXISTS","related":
    {"correlation":{"parentField":["id"],"childField":["issue"]},"subquery":{"table":"tag"}}}}}},
    {"type":"simple","op":"ILIKE","left":{"type":"column","name":"name"},
    "right":{"type":"literal","value":"a%"}}]}}"#,
    r#"{"table":"issue","start":{"row":{"rank":1,"id":2},"exclusive":true},
    "orderBy":[["rank","asc"]],"where":{"type":"and","conditions":[
    {"type":"simple","op":"NOT IN","left":{"type":"column","name":"rank"},
    "right":{"type":"literal","value":[1,2.5]}},{"type":"simple","op":"IS NOT",
    "left":{"type":"column","name":"owner"},"right":{"type":"literal","value":null}}]}}"#,
    r#"{"table":"tag","related":[{"correlation":{"parentField":["issue","name"],
    "childField":["issue","name"]},"subquery":{"table":"tag","alias":"self","limit":2,
    "related":[{"correlation":{"parentField":["issue"],"childField":["id"]},
    "subquery":{"table":"issue","alias":"of"}}]}}]}"#,
    r#"{"table":"issue","where":{"type":"simple","op":"=","left":{"type":"column","name":"owner"},
    "right":{"type":"static","anchor":"authData","field":"sub"}},"limit":0}"#,
];

/// A case against the naive evaluator; of every eighth profile number with faults.
pub(crate) fn queries_and_batches(case: &Case) {
    let options = Options { faults: case.profile % 8 == 7, ..Options::default() };
    if let Err(error) = run(case, options) {
        panic!("{error}\n{case:?}");
    }
}

/// The same for a case read from bytes.
pub(crate) fn queries_and_batches_from_bytes(mut bytes: &[u8]) {
    queries_and_batches(&Case::read(&mut bytes));
}

/// Text that may be an AST: no panic, no hang, bounded memory; where it is a query that the schema
/// allows, its result is maintained. Returns whether it was one.
///
/// A first byte from 128 up chooses one of the seeds, and the rest edits it; other bytes are the
/// text.
pub(crate) fn ast_json(bytes: &[u8]) -> bool {
    let text = match bytes.split_first() {
        Some((first, edits)) if *first >= 128 => edited(*first, edits),
        _ => bytes.to_vec(),
    };
    if text.len() > TEXT_MAX {
        return false;
    }
    let Ok(json) = serde_json::from_slice::<Json>(&text) else { return false };
    let Ok(query) = Query::from_ast(&json) else { return false };
    match maintain(&query, related_depth(&json) <= COMPARED_DEPTH_MAX) {
        Ok(maintained) => maintained,
        Err(error) => panic!("{error}\n{json}"),
    }
}

/// A seed with edits: each replaces, inserts or deletes a byte, or copies a range.
fn edited(which: u8, mut edits: &[u8]) -> Vec<u8> {
    let mut text = SEEDS[usize::from(which) % SEEDS.len()].as_bytes().to_vec();
    while let Some(how) = edits.byte() {
        let mut place = || {
            let place =
                edits.take(2).iter().fold(0, |place, byte| place * 256 + usize::from(*byte));
            place % (text.len() + 1)
        };
        let at = place();
        match how % 4 {
            0 if at < text.len() => text[at] = edits.byte().unwrap_or(b'0'),
            1 => text.insert(at, edits.byte().unwrap_or(b'0')),
            2 if at < text.len() => drop(text.remove(at)),
            3 => {
                let from = place();
                let to = text.len().min(from + usize::from(edits.byte().unwrap_or(0)));
                let range = text[from..to].to_vec();
                text.splice(at..at, range);
            }
            _ => {}
        }
        if text.len() > TEXT_MAX {
            break;
        }
    }
    text
}

/// How deeply `related` lists are nested in a JSON text, wherever they are.
fn related_depth(json: &Json) -> usize {
    match json {
        Json::Array(items) => items.iter().map(related_depth).max().unwrap_or(0),
        Json::Object(members) => members
            .iter()
            .map(|(key, value)| related_depth(value) + usize::from(key == "related"))
            .max()
            .unwrap_or(0),
        _ => 0,
    }
}

fn database() -> Result<Database, Error> {
    use ColumnType::{Boolean, Integer, Json, Number, Text};
    let schema = Schema::new([
        Table::new("user").column("id", Integer).nullable("name", Text).primary_key(["id"]),
        Table::new("issue")
            .column("id", Integer)
            .nullable("owner", Integer)
            .column("open", Boolean)
            .nullable("rank", Number)
            .nullable("data", Json)
            .primary_key(["id"]),
        Table::new("tag")
            .column("issue", Integer)
            .column("name", Text)
            .primary_key(["issue", "name"]),
    ])?;
    let db = Database::in_memory(schema)?;
    db.transaction(|tx| {
        for (id, name) in [(1, Some("a")), (2, Some("bug")), (3, None)] {
            tx.insert("user", row! { id: id, name: name })?;
        }
        for id in 1..=4_i64 {
            let owner = (id < 4).then_some(id % 2 + 1);
            tx.insert("issue", row! { id: id, owner: owner, open: id != 2, rank: id / 2 })?;
        }
        for (issue, name) in [(1, "a"), (1, "bug"), (2, "bug"), (9, "a")] {
            tx.insert("tag", row! { issue: issue, name: name })?;
        }
        Ok(())
    })?;
    Ok(db)
}

/// Keeps a query through a few transactions. False for a query that the schema does not allow.
fn maintain(query: &Query, compare: bool) -> Result<bool, Error> {
    let db = database()?;
    let mut live = match db.subscribe(query.clone()) {
        Ok(live) => live,
        Err(Error::Query(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut tree = live.rows();
    if compare {
        live.row_set()?;
    }
    for step in 0..4 {
        db.transaction(|tx| match step {
            0 => {
                tx.insert("issue", row! { id: 5, owner: 1, open: true, rank: 2.5 })?;
                tx.delete("tag", row! { issue: 1, name: "bug" })
            }
            1 => {
                tx.update("user", row! { id: 1, name: "bug" })?;
                tx.update("issue", row! { id: 1, owner: None::<i64>, open: false })
            }
            2 => {
                tx.update_at("issue", row! { id: 2 }, row! { id: 9, rank: 7 })?;
                tx.insert("tag", row! { issue: 3, name: "a" })
            }
            _ => {
                tx.delete("user", row! { id: 1 })?;
                tx.delete("issue", row! { id: 5 })
            }
        })?;
        for patch in live.changes() {
            tree.apply(&patch);
            assert!(!compare || !patch.to_string().is_empty() || patch.rows().is_some());
        }
        if compare {
            assert_eq!(tree, live.rows(), "the patched tree");
            db.verify()?;
        }
    }
    let bytes = db.memory_usage()?.queries;
    assert!(bytes <= QUERY_BYTES_MAX, "the queries take {bytes} bytes");
    drop(live);
    assert_eq!(db.memory_usage()?.partitions, 0);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_queries() {
        for (number, seed) in SEEDS.iter().enumerate() {
            // The last needs a parameter that nobody gives.
            let is_query = number + 1 < SEEDS.len();
            assert_eq!(ast_json(seed.as_bytes()), is_query, "{seed}");
        }
    }

    #[test]
    fn a_case_is_read_as_it_was_written() {
        let bytes: Vec<u8> = (0..900_u32).map(|at| (at * 37 % 251) as u8).collect();
        let case = Case::read(&mut bytes.as_slice());
        let written = case.write();
        assert_eq!(Case::read(&mut written.as_slice()).write(), written);
        assert!(!case.rows.is_empty() && !case.steps.is_empty());
    }
}
