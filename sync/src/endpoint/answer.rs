//! What an answer of the application says.

use serde_json::{Map, Value as Json, json};

use super::{NamedQuery, Purpose};
use crate::hub::Meanings;
use crate::protocol::error::{ErrorBody, ErrorKind};

/// What queries mean, in the order asked.
pub(super) fn transformed(
    answer: &Json,
    user: Option<&str>,
    asked: &[&NamedQuery],
    ids: &[Json],
) -> Result<Meanings, ErrorBody> {
    let of = Purpose::Transform;
    let queries = match answer {
        Json::Object(members) => {
            match members.get("kind").and_then(Json::as_str) {
                Some("QueryResponse") => {}
                Some("TransformFailed") => return Err(passed_on(of, members, ids)),
                _ => {
                    return Err(unreadable(
                        of,
                        "it is neither QueryResponse nor TransformFailed",
                        ids,
                    ));
                }
            }
            check_user(members, user)?;
            members.get("queries")
        }
        // As applications with older libraries answer.
        Json::Array(pair) => match (pair.first().and_then(Json::as_str), pair.get(1)) {
            (Some("transformed"), queries) => queries,
            (Some("transformFailed"), Some(Json::Object(members))) => {
                return Err(passed_on(of, members, ids));
            }
            _ => return Err(unreadable(of, "it is neither transformed nor transformFailed", ids)),
        },
        _ => return Err(unreadable(of, "it is neither an object nor a list", ids)),
    };
    let queries = queries.and_then(Json::as_array);
    let queries = queries.ok_or_else(|| unreadable(of, "it has no list of queries", ids))?;
    let meaning = |query: &&NamedQuery| {
        let (id, name, _) = query;
        let found = queries.iter().find(|found| found["id"].as_str() == Some(id));
        let refused = |message: &str| {
            Err(json!({ "error": "app", "id": id, "name": name, "message": message }))
        };
        let meaning = match found {
            None => refused("the application's endpoint said nothing of this query"),
            Some(found) if found.get("error").is_some() => {
                let mut error = found.clone();
                error["name"] = json!(name);
                Err(error)
            }
            Some(found) if found["ast"].is_object() => Ok(found["ast"].clone()),
            Some(_) => {
                refused("the application's endpoint gave this query neither an AST nor an error")
            }
        };
        (id.clone(), meaning)
    };
    Ok(asked.iter().map(meaning).collect())
}

/// Whether the application took mutations.
pub(super) fn pushed(answer: &Json, user: Option<&str>, ids: &[Json]) -> Result<(), ErrorBody> {
    let of = Purpose::Push;
    let Json::Object(members) = answer else {
        return Err(unreadable(of, "it is no object", ids));
    };
    match members.get("kind").and_then(Json::as_str) {
        Some("PushFailed") => return Err(passed_on(of, members, ids)),
        Some("MutateResponse") => check_user(members, user)?,
        // As applications with older libraries answer.
        None if members.contains_key("mutations") => {}
        None => match members.get("error").and_then(Json::as_str) {
            Some(error) => return Err(older_failure(error, members, ids)),
            None => return Err(unreadable(of, "it is neither MutateResponse nor PushFailed", ids)),
        },
        Some(_) => return Err(unreadable(of, "it is neither MutateResponse nor PushFailed", ids)),
    }
    let mutations = members.get("mutations").and_then(Json::as_array);
    let mutations = mutations.ok_or_else(|| unreadable(of, "it has no list of mutations", ids))?;
    match mutations.iter().find(|mutation| mutation["result"]["error"] == "oooMutation") {
        None => Ok(()),
        Some(mutation) => {
            let details = mutation["result"]["details"].as_str();
            let message = details.unwrap_or("the mutation was out of order");
            let error = of.failure("oooMutation", message, &[mutation["id"].clone()]);
            Err(error.with("origin", "server"))
        }
    }
}

/// The ids of the mutations in the body of a push message.
pub(super) fn mutation_ids(body: &Json) -> Vec<Json> {
    let mutations = body["mutations"].as_array().into_iter().flatten();
    mutations
        .map(|mutation| json!({ "id": mutation["id"], "clientID": mutation["clientID"] }))
        .collect()
}

/// Whether the application takes the caller for whom the client says it is.
fn check_user(members: &Map<String, Json>, user: Option<&str>) -> Result<(), ErrorBody> {
    let same = match members.get("userID") {
        None => true,
        Some(Json::Null) => user.is_none(),
        Some(said) => said.as_str() == user && user.is_some(),
    };
    if same {
        return Ok(());
    }
    let message = "the application takes the user for another than the connection says (userID)";
    Err(ErrorBody::new(ErrorKind::Unauthorized, message))
}

/// A failure as the application states it.
fn passed_on(of: Purpose, members: &Map<String, Json>, ids: &[Json]) -> ErrorBody {
    let text = |name: &str| members.get(name).and_then(Json::as_str);
    let reasons: &[&str] = match of {
        Purpose::Transform => &["database", "parse", "internal"],
        Purpose::Push => {
            &["database", "parse", "oooMutation", "unsupportedPushVersion", "internal"]
        }
    };
    let reason = text("reason").filter(|reason| reasons.contains(reason)).unwrap_or("internal");
    let message = text("message").unwrap_or("the application refused the request");
    let mut error = of.failure(reason, message, ids).with("origin", "server");
    for name in [of.ids(), "details"] {
        if let Some(given) = members.get(name).filter(|given| name == "details" || given.is_array())
        {
            error = error.with(name, given.clone());
        }
    }
    error
}

fn older_failure(error: &str, members: &Map<String, Json>, ids: &[Json]) -> ErrorBody {
    let of = Purpose::Push;
    let details = members.get("details").and_then(Json::as_str);
    match error {
        "http" => {
            let status = members.get("status").and_then(Json::as_u64).unwrap_or(0);
            let message = format!("the application's endpoint answered with status {status}");
            let error = of.failure("http", message, ids).with("status", status);
            error.with("bodyPreview", details.unwrap_or_default())
        }
        "unsupportedPushVersion" => of
            .failure(
                "unsupportedPushVersion",
                "the application does not know this version of pushes",
                ids,
            )
            .with("origin", "server"),
        other => {
            let message = details.unwrap_or(other);
            of.failure("internal", message, ids).with("origin", "server")
        }
    }
}

fn unreadable(of: Purpose, problem: &str, ids: &[Json]) -> ErrorBody {
    let message = format!("the answer of the application's endpoint cannot be read: {problem}");
    of.failure("parse", message, ids)
}
