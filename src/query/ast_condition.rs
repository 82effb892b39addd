//! The conditions of an AST.

use serde_json::Value as Json;

use super::ast::{exists_body, exists_name};
use super::ast_json::{Object, array, text, type_tag};
use super::error::{QueryError, suggestion};
use super::form::{Node, Op, Term};
use super::limits::{NodeCount, check_list_length};
use super::path::{Path, Step};
use crate::json::{describe, scalar_to_value};

const CONDITION: &str = "a condition";

/// Reads a condition. `path` is its place; deeper conditions nest below it.
pub(super) fn condition(
    json: &Json,
    nodes: &mut NodeCount,
    path: &Path<'_>,
) -> Result<Node, QueryError> {
    nodes.add(path)?;
    match type_tag(json, CONDITION, path)? {
        "simple" => simple(json, path),
        "and" => conditions(json, "and", nodes, path).map(Node::And),
        "or" => conditions(json, "or", nodes, path).map(Node::Or),
        "correlatedSubquery" => exists(json, nodes, path),
        other => Err(path.error(format!(
            "unknown condition type \"{other}\"; expected simple, and, or, correlatedSubquery"
        ))),
    }
}

fn conditions(
    json: &Json,
    name: &'static str,
    nodes: &mut NodeCount,
    path: &Path<'_>,
) -> Result<Vec<Node>, QueryError> {
    let object = Object::read(json, CONDITION, &["type", "conditions"], path)?;
    array(object.required("conditions", path)?, &path.part("conditions"))?
        .iter()
        .enumerate()
        .map(|(index, json)| condition(json, nodes, &path.nested(Step::Item(name, index))?))
        .collect()
}

fn exists(json: &Json, nodes: &mut NodeCount, path: &Path<'_>) -> Result<Node, QueryError> {
    let keys = &["type", "op", "related", "flip", "scalar"];
    let object = Object::read(json, CONDITION, keys, path)?;
    object.flag("flip", path)?;
    object.flag("scalar", path)?;
    let negated = match object.text("op", path)? {
        "EXISTS" => false,
        "NOT EXISTS" => true,
        other => {
            return Err(path
                .part("op")
                .error(format!("expected \"EXISTS\" or \"NOT EXISTS\", found \"{other}\"")));
        }
    };
    let related = object.required("related", path)?;
    let name = exists_name(related, &path.part("related"))?;
    let path = path.nested(Step::Named("exists", name))?;
    let related = Box::new(exists_body(related, nodes, &path)?);
    Ok(Node::Exists { related, name: name.to_owned(), negated })
}

fn simple(json: &Json, path: &Path<'_>) -> Result<Node, QueryError> {
    let object = Object::read(json, CONDITION, &["type", "op", "left", "right"], path)?;
    let name = object.text("op", path)?;
    let op = Op::ALL.into_iter().find(|op| op.name() == name).ok_or_else(|| {
        let known = Op::ALL.into_iter().map(Op::name);
        let known: Vec<&str> = known.collect();
        path.part("op").error(format!("unknown operator \"{name}\"; expected {}", known.join(", ")))
    })?;
    let left = term(object.required("left", path)?, &path.part("left"))?;
    let right = term(object.required("right", path)?, &path.part("right"))?;
    match (&left, &right) {
        (Term::List(_), _) => {
            Err(path.part("left").error("an array can only be on the right of IN or NOT IN"))
        }
        (_, Term::List(_)) if !op.takes_list() => Err(path
            .part("right")
            .error(format!("{} takes a single value, found an array", op.name()))),
        (_, Term::Literal(value)) if op.takes_list() && !value.is_null() => Err(path
            .part("right")
            .error(format!("{} takes an array, found a single value", op.name()))),
        _ => Ok(Node::Compare { left, op, right }),
    }
}

fn term(json: &Json, path: &Path<'_>) -> Result<Term, QueryError> {
    let what = "a column, a literal or a static parameter";
    match type_tag(json, what, path)? {
        "column" => {
            let object = Object::read(json, "a column", &["type", "name"], path)?;
            Ok(Term::Column(object.text("name", path)?.to_owned()))
        }
        "literal" => {
            let object = Object::read(json, "a literal", &["type", "value"], path)?;
            literal(object.required("value", path)?, &path.part("value"))
        }
        "static" => {
            let keys = &["type", "anchor", "field"];
            let object = Object::read(json, "a static parameter", keys, path)?;
            let anchor = object.text("anchor", path)?.to_owned();
            let field = static_field(object.required("field", path)?, &path.part("field"))?;
            Ok(Term::Static { anchor, field })
        }
        other => Err(path.error(format!(
            "unknown type \"{other}\"; {}",
            suggestion(other, ["column", "literal", "static"].into_iter(), "the AST")
        ))),
    }
}

fn literal(json: &Json, path: &Path<'_>) -> Result<Term, QueryError> {
    if let Json::Array(items) = json {
        check_list_length(path, items.len())?;
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let value = scalar_to_value(item).ok_or_else(|| {
                path.at(Step::Item("item", index))
                    .error(format!("expected a value, found {}", describe(item)))
            })?;
            values.push(value);
        }
        return Ok(Term::List(values));
    }
    scalar_to_value(json)
        .map(Term::Literal)
        .ok_or_else(|| path.error(format!("expected a value, found {}", describe(json))))
}

fn static_field(json: &Json, path: &Path<'_>) -> Result<Vec<String>, QueryError> {
    match json {
        Json::Array(keys) if keys.is_empty() => {
            Err(path.error("expected the names of at least one field, found none"))
        }
        Json::Array(keys) => keys.iter().map(|key| Ok(text(key, path)?.to_owned())).collect(),
        key => Ok(vec![text(key, path)?.to_owned()]),
    }
}
