//! Reading JSON strictly: every key known, every type as expected, every error with its place.

use serde_json::{Map, Value as Json};

use super::error::{QueryError, suggestion};
use super::path::{Path, Step};
use crate::json::describe;

/// An object of which only certain keys are allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    members: &'a Map<String, Json>,
}

impl<'a> Object<'a> {
    /// The object that the JSON is. `what` says in error texts what was expected.
    pub(super) fn read(
        json: &'a Json,
        what: &str,
        keys: &[&str],
        path: &Path<'_>,
    ) -> Result<Object<'a>, QueryError> {
        let members = json
            .as_object()
            .ok_or_else(|| path.error(format!("expected {what}, found {}", describe(json))))?;
        for key in members.keys() {
            if !keys.contains(&key.as_str()) {
                return Err(path.error(format!(
                    "unknown key \"{key}\" in {what}; {}",
                    suggestion(key, keys.iter().copied(), "it")
                )));
            }
        }
        Ok(Object { members })
    }

    pub(super) fn optional(self, key: &str) -> Option<&'a Json> {
        self.members.get(key)
    }

    pub(super) fn required(self, key: &'a str, path: &Path<'_>) -> Result<&'a Json, QueryError> {
        self.members.get(key).ok_or_else(|| path.error(format!("\"{key}\" is missing")))
    }

    pub(super) fn text(self, key: &'a str, path: &Path<'_>) -> Result<&'a str, QueryError> {
        text(self.required(key, path)?, &path.at(Step::Key(key)))
    }

    /// A flag; false where it is absent.
    pub(super) fn flag(self, key: &'a str, path: &Path<'_>) -> Result<bool, QueryError> {
        self.optional(key).map_or(Ok(false), |json| boolean(json, &path.at(Step::Key(key))))
    }

    /// Whether a member is there and is that text.
    pub(super) fn is(self, key: &str, text: &str) -> bool {
        self.optional(key).and_then(Json::as_str) == Some(text)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a Json)> {
        self.members.iter().map(|(key, json)| (key.as_str(), json))
    }
}

/// The `type` of a tagged object, before it is known which keys it may have.
pub(super) fn type_tag<'a>(
    json: &'a Json,
    what: &str,
    path: &Path<'_>,
) -> Result<&'a str, QueryError> {
    let members = json
        .as_object()
        .ok_or_else(|| path.error(format!("expected {what}, found {}", describe(json))))?;
    let tag = members.get("type").ok_or_else(|| path.error("\"type\" is missing"))?;
    text(tag, &path.part("type"))
}

pub(super) fn text<'a>(json: &'a Json, path: &Path<'_>) -> Result<&'a str, QueryError> {
    json.as_str().ok_or_else(|| path.error(format!("expected a string, found {}", describe(json))))
}

pub(super) fn boolean(json: &Json, path: &Path<'_>) -> Result<bool, QueryError> {
    json.as_bool()
        .ok_or_else(|| path.error(format!("expected true or false, found {}", describe(json))))
}

pub(super) fn array<'a>(json: &'a Json, path: &Path<'_>) -> Result<&'a [Json], QueryError> {
    json.as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| path.error(format!("expected an array, found {}", describe(json))))
}

/// A count of rows: an integer that is not negative.
pub(super) fn count(json: &Json, path: &Path<'_>) -> Result<usize, QueryError> {
    json.as_u64().and_then(|count| usize::try_from(count).ok()).ok_or_else(|| {
        path.error(format!("expected a whole number, 0 or more, found {}", describe(json)))
    })
}

/// A list of column names.
pub(super) fn names<'a>(json: &'a Json, path: &Path<'_>) -> Result<Vec<&'a str>, QueryError> {
    array(json, path)?.iter().map(|name| text(name, path)).collect()
}
