//! What a mutation asks for, as it comes from a client.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

/// What is done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is inserted, unless it is there.
    Insert,
    /// It is inserted, or changed if it is there.
    Upsert,
    /// It is changed, if it is there.
    Update,
    /// It is deleted, if it is there.
    Delete,
}

/// An operation on one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// What is done.
    pub kind: Kind,
    /// The table.
    pub table: String,
    /// The columns by which the row is found. All have a value in `value`, which is a scalar.
    pub primary_key: Vec<String>,
    /// Values by column.
    pub value: Map<String, Json>,
}

impl Op {
    /// The values by which the row is found.
    pub(super) fn key(&self) -> Map<String, Json> {
        let pair = |column: &String| (column.clone(), self.value[column].clone());
        self.primary_key.iter().map(pair).collect()
    }

    /// The columns that it gives values.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        self.value.keys().cloned().collect()
    }

    /// The row, for error texts.
    pub(super) fn describe(&self) -> String {
        let key = self.key();
        let pairs: Vec<String> =
            key.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        format!("row {} of table \"{}\"", pairs.join(", "), self.table)
    }
}

/// Reads the arguments of a CRUD mutation: `[{"ops": [{"op": "insert", "tableName": …, "primaryKey": […],
/// "value": {…}}, …]}]`.
///
/// # Errors
/// What is missing or of the wrong form, with the operation's number.
pub fn parse_ops(args: &Json) -> Result<Vec<Op>, String> {
    let ops = args.pointer("/0/ops").and_then(Json::as_array);
    let ops = ops.ok_or("the mutation's first argument has no list of \"ops\"")?;
    let number =
        |(index, op)| parse(op).map_err(|problem| format!("operation {}: {problem}", index + 1));
    ops.iter().enumerate().map(number).collect()
}

fn parse(json: &Json) -> Result<Op, String> {
    let kind = match json["op"].as_str() {
        Some("insert") => Kind::Insert,
        Some("upsert") => Kind::Upsert,
        Some("update") => Kind::Update,
        Some("delete") => Kind::Delete,
        _ => return Err("\"op\" is none of insert, upsert, update, delete".to_owned()),
    };
    let table = json["tableName"].as_str().ok_or("\"tableName\" is not a text")?.to_owned();
    let names = json["primaryKey"].as_array().filter(|names| !names.is_empty());
    let names = names.ok_or("\"primaryKey\" is not a list of columns")?;
    let value = json["value"].as_object().ok_or("\"value\" is not an object")?.clone();
    let mut primary_key = Vec::with_capacity(names.len());
    for name in names {
        let name = name.as_str().ok_or("\"primaryKey\" is not a list of columns")?;
        match value.get(name) {
            Some(Json::Null | Json::Array(_) | Json::Object(_)) => {
                return Err(format!("the value of the key column \"{name}\" is not a scalar"));
            }
            None => return Err(format!("the key column \"{name}\" has no value")),
            Some(_) if primary_key.iter().any(|known| known == name) => {
                return Err(format!("\"primaryKey\" names \"{name}\" twice"));
            }
            Some(_) => primary_key.push(name.to_owned()),
        }
    }
    Ok(Op { kind, table, primary_key, value })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn op(change: impl FnOnce(&mut Json)) -> Json {
        let mut op = json!({"op": "update", "tableName": "t", "primaryKey": ["a", "b"],
            "value": {"a": 1, "b": "x", "c": null}});
        change(&mut op);
        json!([{ "ops": [op] }])
    }

    #[test]
    fn operations_are_read_from_the_arguments() {
        let ops = parse_ops(&op(|_| {})).expect("a good operation");
        assert_eq!((ops[0].kind, ops[0].table.as_str(), ops.len()), (Kind::Update, "t", 1));
        assert_eq!(Json::Object(ops[0].key()), json!({"a": 1, "b": "x"}));
        assert_eq!(ops[0].columns().into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(ops[0].describe(), "row a = 1, b = \"x\" of table \"t\"");
        assert_eq!(parse_ops(&json!([{"ops": []}])), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_with_operations_is_said() {
        let refused = |args: Json| parse_ops(&args).expect_err("a bad operation");
        for args in [json!(null), json!([]), json!([7]), json!([{"ops": {}}])] {
            assert_eq!(refused(args), "the mutation's first argument has no list of \"ops\"");
        }
        type Change = fn(&mut Json);
        let cases: [(Change, &str); 9] = [
            (|op| op["op"] = json!("drop"), "\"op\" is none of insert, upsert, update, delete"),
            (|op| op["op"] = json!(null), "\"op\" is none of insert, upsert, update, delete"),
            (|op| op["tableName"] = json!(7), "\"tableName\" is not a text"),
            (|op| op["primaryKey"] = json!([]), "\"primaryKey\" is not a list of columns"),
            (|op| op["primaryKey"] = json!([7]), "\"primaryKey\" is not a list of columns"),
            (|op| op["primaryKey"] = json!(["a", "a"]), "\"primaryKey\" names \"a\" twice"),
            (|op| op["primaryKey"] = json!(["d"]), "the key column \"d\" has no value"),
            (
                |op| op["value"]["a"] = json!([1]),
                "the value of the key column \"a\" is not a scalar",
            ),
            (|op| op["value"] = json!("x"), "\"value\" is not an object"),
        ];
        for (change, problem) in cases {
            assert_eq!(refused(op(change)), format!("operation 1: {problem}"));
        }
    }
}
