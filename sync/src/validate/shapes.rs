//! The fields that a message's body must have.

use serde_json::{Map, Value as Json};

use super::Rule;

type Shape = Result<(), (Rule, String)>;

/// Errors that only say what happened.
const BASIC: [&str; 14] = [
    "AuthInvalidated",
    "ClientNotFound",
    "InvalidConnectionRequest",
    "InvalidConnectionRequestBaseCookie",
    "InvalidConnectionRequestLastMutationID",
    "InvalidConnectionRequestClientDeleted",
    "InvalidMessage",
    "InvalidPush",
    "MutationRateLimited",
    "MutationFailed",
    "Unauthorized",
    "VersionNotSupported",
    "SchemaVersionNotSupported",
    "Internal",
];

/// Errors after which the client comes back by itself.
const BACKOFF: [&str; 3] = ["Rebalance", "Rehome", "ServerOverloaded"];

/// Checks the body of a message of a type; the type is known.
pub(super) fn check(kind: &str, body: &Json) -> Shape {
    if kind == "transformError" {
        return transform_errors(body);
    }
    let Some(fields) = body.as_object() else { return bad(format!("{kind}: its body is {body}")) };
    match kind {
        "connected" => text(fields, "wsid").and(optional(fields, "timestamp", Json::is_number)),
        "pong" => Ok(()),
        "pokeStart" => {
            text(fields, "pokeID")?;
            let base = |base: &Json| base.is_null() || base.is_string();
            needed(fields, "baseCookie", base, "a string or null")
        }
        "pokePart" => poke_part(fields),
        "pokeEnd" => {
            text(fields, "pokeID")?;
            text(fields, "cookie")?;
            optional(fields, "cancel", Json::is_boolean)
        }
        "error" => error(fields),
        "deleteClients" => {
            optional(fields, "clientIDs", texts)?;
            optional(fields, "clientGroupIDs", texts)
        }
        "pull" => {
            text(fields, "requestID")?;
            needed(fields, "lastMutationIDChanges", Json::is_object, "an object")
        }
        "pushResponse" if fields.contains_key("error") => text(fields, "error"),
        "pushResponse" => {
            for mutation in array(fields, "mutations")? {
                mutation_result(mutation)?;
            }
            Ok(())
        }
        _ => text(fields, "id"),
    }
}

fn poke_part(fields: &Map<String, Json>) -> Shape {
    text(fields, "pokeID")?;
    if let Some(changes) = fields.get("lastMutationIDChanges") {
        let Some(changes) = changes.as_object() else {
            return bad(format!("lastMutationIDChanges is {changes}"));
        };
        if let Some((client, id)) = changes.iter().find(|(_, id)| id.as_u64().is_none()) {
            return bad(format!("lastMutationIDChanges of {client:?} is {id}"));
        }
    }
    if let Some(patches) = fields.get("desiredQueriesPatches") {
        let Some(patches) = patches.as_object() else {
            return bad(format!("desiredQueriesPatches is {patches}"));
        };
        for patch in patches.values() {
            query_patch(patch)?;
        }
    }
    fields.get("gotQueriesPatch").map_or(Ok(()), query_patch)?;
    if fields.contains_key("rowsPatch") {
        for op in array(fields, "rowsPatch")? {
            row_op(op)?;
        }
    }
    if fields.contains_key("mutationsPatch") {
        for op in array(fields, "mutationsPatch")? {
            mutation_op(op)?;
        }
    }
    Ok(())
}

fn query_patch(patch: &Json) -> Shape {
    let Some(ops) = patch.as_array() else { return bad(format!("a patch of queries is {patch}")) };
    for op in ops {
        match (op.get("op").and_then(Json::as_str), op.get("hash")) {
            (Some("clear"), _) | (Some("put" | "del"), Some(Json::String(_))) => {}
            _ => return bad(format!("no operation on queries: {op}")),
        }
    }
    Ok(())
}

fn row_op(op: &Json) -> Shape {
    let name = op.get("op").and_then(Json::as_str);
    if name == Some("clear") {
        return Ok(());
    }
    let of = |field: &str| op.get(field).is_some_and(Json::is_object);
    let table = op.get("tableName").is_some_and(Json::is_string);
    match name {
        Some("put") if table && of("value") => Ok(()),
        Some("del") if table && of("id") => Ok(()),
        Some("update") if table && of("id") && op.get("merge").is_none_or(Json::is_object) => {
            op.get("constrain").map_or(Ok(()), |list| {
                if texts(list) { Ok(()) } else { bad(format!("constrain is {list}")) }
            })
        }
        _ => bad(format!("no operation on rows: {op}")),
    }
}

fn mutation_op(op: &Json) -> Shape {
    match op.get("op").and_then(Json::as_str) {
        Some("put") => mutation_result(op.get("mutation").unwrap_or(&Json::Null)),
        Some("del") => mutation_id(op.get("id").unwrap_or(&Json::Null)),
        _ => bad(format!("no operation on mutations: {op}")),
    }
}

fn mutation_result(mutation: &Json) -> Shape {
    mutation_id(mutation.get("id").unwrap_or(&Json::Null))?;
    let result = mutation.get("result").and_then(Json::as_object);
    let Some(result) = result else { return bad(format!("a mutation without result: {mutation}")) };
    match result.get("error").map(Json::as_str) {
        None => Ok(()),
        Some(Some("app")) => optional(result, "message", Json::is_string),
        Some(Some("oooMutation" | "alreadyProcessed")) => Ok(()),
        Some(_) => bad(format!("the result of a mutation is {mutation}")),
    }
}

fn mutation_id(id: &Json) -> Shape {
    let number = id.get("id").is_some_and(Json::is_u64);
    if number && id.get("clientID").is_some_and(Json::is_string) {
        return Ok(());
    }
    bad(format!("the id of a mutation is {id}"))
}

fn transform_errors(body: &Json) -> Shape {
    let Some(errors) = body.as_array() else { return bad(format!("transformError: {body}")) };
    for error in errors {
        let Some(fields) = error.as_object() else {
            return bad(format!("transformError: {error}"));
        };
        text(fields, "id")?;
        text(fields, "name")?;
        match fields.get("error").and_then(Json::as_str) {
            Some("app") => optional(fields, "message", Json::is_string)?,
            Some("parse") => text(fields, "message")?,
            _ => return bad(format!("transformError: {error}")),
        }
    }
    Ok(())
}

fn error(fields: &Map<String, Json>) -> Shape {
    text(fields, "kind")?;
    text(fields, "message")?;
    let kind = fields["kind"].as_str().unwrap_or_default();
    let Some(origin) = fields.get("origin").and_then(Json::as_str) else {
        return Err((Rule::ErrorHasOrigin, format!("{kind} has no origin")));
    };
    match kind {
        _ if BASIC.contains(&kind) && (origin == "server" || origin == "zeroCache") => Ok(()),
        _ if BACKOFF.contains(&kind) && origin == "zeroCache" => {
            optional(fields, "minBackoffMs", Json::is_number)?;
            optional(fields, "maxBackoffMs", Json::is_number)?;
            let texts = |params: &Json| {
                params.as_object().is_some_and(|params| params.values().all(Json::is_string))
            };
            optional(fields, "reconnectParams", texts)
        }
        "PushFailed" => {
            array(fields, "mutationIDs")?.iter().try_for_each(mutation_id)?;
            failed(fields, origin, &["oooMutation", "unsupportedPushVersion"])
        }
        "TransformFailed" => {
            needed(fields, "queryIDs", texts, "an array of strings")?;
            failed(fields, origin, &[])
        }
        _ => bad(format!("no error of this kind and origin: {kind:?}, {origin:?}")),
    }
}

/// The fields of errors that the application's endpoints gave rise to.
fn failed(fields: &Map<String, Json>, origin: &str, more: &[&str]) -> Shape {
    text(fields, "reason")?;
    let reason = fields["reason"].as_str().unwrap_or_default();
    match (origin, reason) {
        ("server", "database" | "parse" | "internal") => Ok(()),
        ("server", _) if more.contains(&reason) => Ok(()),
        ("zeroCache", "http") => {
            optional(fields, "bodyPreview", Json::is_string)?;
            needed(fields, "status", Json::is_number, "a number")
        }
        ("zeroCache", "timeout" | "parse" | "internal") => Ok(()),
        _ => bad(format!("no failure has the origin {origin:?} and the reason {reason:?}")),
    }
}

fn bad(found: String) -> Shape {
    Err((Rule::WellFormed, found))
}

fn texts(list: &Json) -> bool {
    list.as_array().is_some_and(|list| list.iter().all(Json::is_string))
}

fn text(fields: &Map<String, Json>, name: &str) -> Shape {
    needed(fields, name, Json::is_string, "a string")
}

fn needed(
    fields: &Map<String, Json>,
    name: &str,
    fits: impl Fn(&Json) -> bool,
    what: &str,
) -> Shape {
    match fields.get(name) {
        Some(value) if fits(value) => Ok(()),
        Some(value) => bad(format!("{name} is {value}, not {what}")),
        None => bad(format!("{name} is missing")),
    }
}

fn optional(fields: &Map<String, Json>, name: &str, fits: impl Fn(&Json) -> bool) -> Shape {
    match fields.get(name) {
        Some(value) if !fits(value) => bad(format!("{name} is {value}")),
        _ => Ok(()),
    }
}

fn array<'a>(fields: &'a Map<String, Json>, name: &str) -> Result<&'a Vec<Json>, (Rule, String)> {
    let found = fields.get(name).unwrap_or(&Json::Null);
    found.as_array().ok_or_else(|| (Rule::WellFormed, format!("{name} is {found}, not an array")))
}
