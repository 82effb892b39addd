//! Claims, and what a row was before, put into conditions as constants.

use serde_json::{Map, Value as Json, json};

use super::never;
use crate::claims::Claims;

/// A condition with constants in the place of its static parameters. What is not known is null.
///
/// A comparison that makes no sense with what a claim turns out to be, as of a list with `=`, holds for
/// no row.
pub(super) fn bind(condition: &Json, claims: &Claims, before: Option<&Map<String, Json>>) -> Json {
    let mut condition = condition.clone();
    put(&mut condition, claims, before);
    condition
}

fn put(condition: &mut Json, claims: &Claims, before: Option<&Map<String, Json>>) {
    if let Some(parts) = condition.get_mut("conditions").and_then(Json::as_array_mut) {
        parts.iter_mut().for_each(|part| put(part, claims, before));
    }
    if let Some(within) = condition.pointer_mut("/related/subquery/where") {
        put(within, claims, before);
    }
    let mut bound = false;
    for side in ["left", "right"] {
        let Some(term) = condition.get_mut(side) else { continue };
        if term["type"] != "static" {
            continue;
        }
        let anchored = match term["anchor"].as_str() {
            Some("authData") => Some(&claims.members),
            Some("preMutationRow") => before,
            _ => None,
        };
        let value = anchored.and_then(|anchored| member(anchored, &term["field"]));
        *term = json!({ "type": "literal", "value": value.map_or(Json::Null, constant) });
        bound = true;
    }
    if bound && !makes_sense(condition) {
        *condition = never();
    }
}

/// The member at a path.
fn member<'a>(anchored: &'a Map<String, Json>, field: &Json) -> Option<&'a Json> {
    let path: Vec<&str> = match field {
        Json::Array(keys) => keys.iter().map(Json::as_str).collect::<Option<_>>()?,
        key => vec![key.as_str()?],
    };
    let (first, further) = path.split_first()?;
    further.iter().try_fold(anchored.get(*first)?, |found, key| found.as_object()?.get(*key))
}

/// What a value is as a constant: a scalar, or a list of those of its items that can equal anything.
fn constant(value: &Json) -> Json {
    let scalar = |item: &&Json| !matches!(item, Json::Null | Json::Array(_) | Json::Object(_));
    match value {
        Json::Object(_) => Json::Null,
        Json::Array(items) => Json::Array(items.iter().filter(scalar).cloned().collect()),
        scalar => scalar.clone(),
    }
}

/// Whether the operator can be applied to the constants beside it.
fn makes_sense(comparison: &Json) -> bool {
    let literal = |side: &str| {
        let term = &comparison[side];
        (term["type"] == "literal").then(|| &term["value"])
    };
    let op = comparison["op"].as_str().unwrap_or_default();
    if literal("left").is_some_and(Json::is_array) {
        return false;
    }
    match literal("right") {
        None | Some(Json::Null) => true,
        Some(right) if op.ends_with("IN") => right.is_array(),
        Some(right) if op.ends_with("LIKE") => {
            right.is_string()
                && literal("left").is_none_or(|left| left.is_string() || left.is_null())
        }
        Some(right) => !right.is_array(),
    }
}
