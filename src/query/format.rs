//! Which relationships of an AST are shown as one row or none.

use serde_json::Value as Json;

use super::ast_json::Object;
use super::error::{QueryError, suggestion};
use super::form::{Body, Target};
use super::path::{Path, Step};

/// Marks the singular relationships of `body`; returns whether `body` itself is singular.
///
/// The recursion is bounded by the depth of the query, which has been checked.
pub(super) fn apply_format(
    body: &mut Body,
    format: &Json,
    path: &Path<'_>,
) -> Result<bool, QueryError> {
    let object = Object::read(format, "a format", &["singular", "relationships"], path)?;
    let singular = object.flag("singular", path)?;
    let path = path.part("relationships");
    let Some(relationships) = object.optional("relationships") else {
        return Ok(singular);
    };
    let relationships = relationships.as_object().ok_or_else(|| {
        path.error(format!(
            "expected an object of formats, found {}",
            crate::json::describe(relationships)
        ))
    })?;
    for (name, format) in relationships {
        let path = path.at(Step::Key(name));
        let Some(related) = body.related.iter_mut().rev().find(|(alias, _)| alias == name) else {
            let known = body.related.iter().map(|(alias, _)| alias.as_str());
            return Err(path.error(format!(
                "the query has no relationship \"{name}\"; {}",
                suggestion(name, known, "it")
            )));
        };
        if apply_format(&mut related.1.body, format, &path)?
            && let Target::Hops { one, .. } = &mut related.1.target
        {
            *one = true;
        }
    }
    Ok(singular)
}
