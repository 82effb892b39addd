//! Queries as JSON, for what can only be said there: hints, and operands that the fluent interface
//! refuses.

use penstock::Query;
use serde_json::{Value as Json, json};

/// A query over a table; `parts` are further members of it.
pub(crate) fn table(table: &str, parts: Json) -> Json {
    let mut ast = json!({"table": table});
    for (name, part) in parts.as_object().expect("members of a query") {
        ast[name] = part.clone();
    }
    ast
}

/// A comparison of a column with a constant.
pub(crate) fn simple(column: &str, op: &str, value: impl Into<Json>) -> Json {
    json!({
        "type": "simple",
        "op": op,
        "left": {"type": "column", "name": column},
        "right": {"type": "literal", "value": value.into()},
    })
}

pub(crate) fn and(conditions: impl Into<Vec<Json>>) -> Json {
    json!({"type": "and", "conditions": conditions.into()})
}

pub(crate) fn or(conditions: impl Into<Vec<Json>>) -> Json {
    json!({"type": "or", "conditions": conditions.into()})
}

/// EXISTS of rows of `subquery` whose column equals one of the row's: `("id", "pid")`.
pub(crate) fn exists(correlation: (&str, &str), subquery: Json) -> Json {
    gate("EXISTS", correlation, subquery)
}

/// NOT EXISTS; see [`exists`].
pub(crate) fn not_exists(correlation: (&str, &str), subquery: Json) -> Json {
    gate("NOT EXISTS", correlation, subquery)
}

fn gate(op: &str, (parent, child): (&str, &str), subquery: Json) -> Json {
    let correlation = json!({"parentField": [parent], "childField": [child]});
    let related = json!({"correlation": correlation, "subquery": subquery});
    json!({"type": "correlatedSubquery", "op": op, "related": related})
}

/// The query as it is, and with a hint on each of its EXISTS: results never depend on those.
pub(crate) fn with_hints(ast: &Json) -> Vec<Query> {
    let hinted = ["flip", "scalar"].map(|hint| {
        let mut ast = ast.clone();
        set_hint(&mut ast, hint);
        ast
    });
    std::iter::once(ast).chain(&hinted).map(query).collect()
}

/// The query that an AST states.
pub(crate) fn query(ast: &Json) -> Query {
    Query::from_ast(ast).unwrap_or_else(|error| panic!("{ast}: {error}"))
}

fn set_hint(json: &mut Json, hint: &str) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| set_hint(item, hint)),
        Json::Object(members) => {
            members.values_mut().for_each(|member| set_hint(member, hint));
            if members.get("type").is_some_and(|name| name == "correlatedSubquery") {
                members.insert(hint.to_owned(), Json::Bool(true));
            }
        }
        _ => {}
    }
}
