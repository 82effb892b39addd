//! Rules compiled into a query at every level.

use serde_json::{Value as Json, json};

use super::{Rules, never, one_of};
use crate::claims::Claims;

/// Adds to each level of a query the condition under which its table may be read: to the query itself, to
/// what is related to its rows, to each hop on the way there, and to the bodies of EXISTS and NOT EXISTS
/// wherever they stand.
///
/// What is not of the form of a query is left as it is, for whoever reads it to refuse.
pub(super) fn guard(rules: &Rules, query: &mut Json, claims: &Claims) {
    let Some(query) = query.as_object_mut() else { return };
    for related in query.get_mut("related").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(subquery) = related.get_mut("subquery") {
            guard(rules, subquery, claims);
        }
    }
    let Some(table) = query.get("table").and_then(Json::as_str) else { return };
    let select = rules.tables.get(table).and_then(|table| table.row.select.as_deref());
    let allowed = one_of(select.unwrap_or_default(), claims, None);
    if allowed.as_ref() == Some(&never()) {
        // What else the query asks of these rows does not matter then, and whether the table has the
        // columns that it names is not for its eyes either.
        for part in ["orderBy", "start"] {
            query.remove(part);
        }
        query.insert("where".to_owned(), never());
        return;
    }
    if let Some(condition) = query.get_mut("where") {
        guard_condition(rules, condition, claims);
    }
    let Some(allowed) = allowed else { return };
    let both = match query.remove("where") {
        None => allowed,
        Some(mut asked) if asked["type"] == "and" && asked["conditions"].is_array() => {
            asked["conditions"]
                .as_array_mut()
                .into_iter()
                .for_each(|all| all.push(allowed.clone()));
            asked
        }
        Some(asked) => json!({ "type": "and", "conditions": [asked, allowed] }),
    };
    query.insert("where".to_owned(), both);
}

fn guard_condition(rules: &Rules, condition: &mut Json, claims: &Claims) {
    let parts = condition.get_mut("conditions").and_then(Json::as_array_mut);
    for part in parts.into_iter().flatten() {
        guard_condition(rules, part, claims);
    }
    if let Some(subquery) = condition.pointer_mut("/related/subquery") {
        guard(rules, subquery, claims);
    }
}
