//! Results and changes as JSON, one object per line, with columns in the query's order.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::json::value_to_json;
use crate::{Change, Entry, Patch, Path, RowView, Tree};

/// Writes `{"result":[…]}`.
pub fn result(out: &mut dyn Write, tree: &Tree) -> io::Result<()> {
    writeln!(out, "{{\"result\":{}}}", list(tree))
}

/// Writes `{"changes":[…],"version":n}`, or the whole result where it replaces what was before.
pub fn patch(out: &mut dyn Write, patch: &Patch) -> io::Result<()> {
    if let Some(tree) = patch.reset_tree() {
        return result(out, tree);
    }
    let changes: Vec<String> = patch.changes().iter().map(change).collect();
    let version = patch.version().map_or_else(|| "null".to_owned(), |version| version.to_string());
    writeln!(out, "{{\"changes\":[{}],\"version\":{version}}}", changes.join(","))
}

fn change(change: &Change) -> String {
    let (op, way, new, old) = match change {
        Change::Insert { path, entry } => ("insert", path, Some(object(entry)), None),
        Change::Remove { path, row: old } => ("remove", path, None, Some(row(old))),
        Change::Update { path, old, row: new } => ("update", path, Some(row(new)), Some(row(old))),
        Change::Move { path, old, row: new } => ("move", path, Some(row(new)), Some(row(old))),
    };
    let mut text = format!("{{\"op\":\"{op}\",\"path\":{}", steps(way));
    for (name, value) in [("row", new), ("old", old)] {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = write!(text, ",\"{name}\":{value}");
        }
    }
    text + "}"
}

fn steps(path: &Path) -> String {
    let steps = path.steps().iter().map(|step| {
        format!("{{\"row\":{},\"list\":{}}}", row(&step.row), quoted(&step.relationship))
    });
    format!("[{}]", steps.collect::<Vec<_>>().join(","))
}

fn list(tree: &Tree) -> String {
    let entries: Vec<String> = tree.iter().map(|entry| object(&entry)).collect();
    format!("[{}]", entries.join(","))
}

fn row(row: &RowView) -> String {
    format!("{{{}}}", fields(row).join(","))
}

fn object(entry: &Entry) -> String {
    let mut fields = fields(&entry.row());
    for name in entry.relationships() {
        let Some(tree) = entry.related(name) else { continue };
        let value = if tree.is_singular() {
            tree.first().map_or_else(|| "null".to_owned(), |entry| object(&entry))
        } else {
            list(&tree)
        };
        fields.push(format!("{}:{value}", quoted(name)));
    }
    format!("{{{}}}", fields.join(","))
}

fn fields(row: &RowView) -> Vec<String> {
    let values = row.table().values(row.row());
    values
        .map(|(column, value)| {
            format!("{}:{}", quoted(&column.name), value_to_json(value, column.column_type))
        })
        .collect()
}

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::tool::samples::{change, database, subscribe, written};

    #[test]
    fn a_result_is_one_line_with_columns_in_order() {
        let tree = subscribe(&database()).rows();
        let line = written(|out| result(out, &tree));
        assert_eq!(
            line,
            "{\"result\":[{\"id\":2,\"title\":null,\"due\":10,\"notes\":[]},\
             {\"id\":30,\"title\":\"a \\\"b\\\"\\nc\",\"due\":null,\
             \"notes\":[{\"taskId\":30,\"text\":\"日本\"}]},\
             {\"id\":1,\"title\":\"water the plants\",\"due\":2.5,\
             \"notes\":[{\"taskId\":1,\"text\":\"not the cactus\"},\
             {\"taskId\":1,\"text\":\"twice\"}]}]}\n"
        );
    }

    #[test]
    fn changes_are_one_line_for_a_transaction() {
        let db = database();
        let mut live = subscribe(&db);
        change(&db);
        let patches: Vec<Patch> = live.changes().collect();
        let line = written(|out| patch(out, &patches[0]));
        assert_eq!(line.lines().count(), 1);
        let json: Json = serde_json::from_str(&line).expect("JSON");
        assert_eq!(json["version"], 2);
        let changes = json["changes"].as_array().expect("a list");
        let (root, nested): (Vec<&Json>, Vec<&Json>) =
            changes.iter().partition(|change| change["path"] == Json::Array(Vec::new()));
        let by = |op: &str| root.iter().filter(|change| change["op"] == op).collect::<Vec<_>>();
        assert_eq!(by("remove")[0]["old"]["id"], 2);
        assert_eq!(by("remove")[0].get("row"), None);
        assert_eq!(by("insert")[0]["row"]["notes"][0]["text"], "came along");
        assert_eq!(by("move")[0]["row"]["title"], "zebra");
        assert_eq!(by("move")[0]["old"]["title"], "water the plants");
        assert_eq!(by("update")[0]["row"]["due"], -1.5);
        assert_eq!(nested.len(), 2);
        assert_eq!(nested[0]["path"][0]["list"], "notes");
    }
}
