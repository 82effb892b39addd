//! Queries from an AST in JSON.

use penstock_operators::key::Direction;
use penstock_operators::value::Value;
use serde_json::Value as Json;

use super::ast_condition::condition;
use super::ast_json::{Object, array, boolean, count, names, text};
use super::error::QueryError;
use super::form::{Body, Hop, Origin, StartAt, Target};
use super::format::apply_format;
use super::limits::NodeCount;
use super::path::{Path, Step};
use super::{Query, Related};
use crate::json::{describe, scalar_to_value};

const QUERY: &str = "a query";
const QUERY_KEYS: &[&str] =
    &["table", "schema", "alias", "where", "related", "orderBy", "start", "limit"];
const CORRELATED: &str = "a correlated subquery";
const CORRELATED_KEYS: &[&str] = &["correlation", "subquery", "hidden", "system"];

impl Query {
    /// Reads a query from an AST. All its relationships are lists.
    ///
    /// `schema` at any level, `alias` at the root and the hints `flip` and `scalar` are ignored.
    /// `system` means something in an EXISTS where it is `"permissions"`: the rows that satisfy it
    /// are no part of [row sets](crate::Database::query_row_set). A hidden subquery may have a
    /// `where` of its own. A parameter `{"type": "static", "anchor": …, "field": …}` takes its value from
    /// [`Params::anchor`](super::Params::anchor) when the query is compiled. A literal whose type
    /// is not its column's equals nothing there; in an ordering comparison it is an error.
    ///
    /// # Errors
    ///
    /// Anything that is not an AST: unknown keys and operators, values of the wrong JSON type, and
    /// queries beyond the limits of size. Names are checked by [`compile`](Query::compile).
    pub fn from_ast(ast: &Json) -> Result<Query, QueryError> {
        let path = Path::root();
        let object = Object::read(ast, QUERY, QUERY_KEYS, &path)?;
        let table = object.text("table", &path)?.to_owned();
        let body = body(object, &mut NodeCount::default(), &path)?;
        Ok(Query { table, body, origin: Origin::Ast, sql: None })
    }

    /// Reads a query from an AST and, from a format, which of its relationships are shown as one
    /// row or none: `{"singular": bool, "relationships": {name: format, …}}`.
    ///
    /// A relationship shown as one row whose subquery has no limit of 1 is taken to lead to at
    /// most one row, as [`Related::one`] is. Relationships that the format leaves out are lists.
    ///
    /// # Errors
    ///
    /// As [`from_ast`](Query::from_ast); and a format that names a relationship the query lacks.
    pub fn from_ast_with_format(ast: &Json, format: &Json) -> Result<Query, QueryError> {
        let mut query = Query::from_ast(ast)?;
        let root = Path::root();
        if apply_format(&mut query.body, format, &root.part("format"))? {
            query.body.take_first();
        }
        Ok(query)
    }
}

fn body(object: Object<'_>, nodes: &mut NodeCount, path: &Path<'_>) -> Result<Body, QueryError> {
    let mut body = Body::default();
    if let Some(json) = object.optional("where") {
        body.filters.push(condition(json, nodes, &path.part("where"))?);
    }
    if let Some(json) = object.optional("orderBy") {
        for (index, part) in array(json, &path.part("orderBy"))?.iter().enumerate() {
            body.order.push(ordering(part, &path.at(Step::Item("orderBy", index)))?);
        }
    }
    if let Some(json) = object.optional("limit") {
        body.limit = Some(count(json, &path.part("limit"))?);
    }
    if let Some(json) = object.optional("start") {
        body.start = Some(start(json, &path.part("start"))?);
    }
    if let Some(json) = object.optional("related") {
        for (index, part) in array(json, &path.part("related"))?.iter().enumerate() {
            body.related.push(related(part, index, nodes, path)?);
        }
    }
    Ok(body)
}

fn ordering(json: &Json, path: &Path<'_>) -> Result<(String, Direction), QueryError> {
    let [column, direction] = array(json, path)? else {
        return Err(path.error("expected a column and a direction, as in [\"id\", \"asc\"]"));
    };
    let direction = match text(direction, path)? {
        "asc" => Direction::Asc,
        "desc" => Direction::Desc,
        other => {
            return Err(path.error(format!("expected \"asc\" or \"desc\", found \"{other}\"")));
        }
    };
    Ok((text(column, path)?.to_owned(), direction))
}

fn start(json: &Json, path: &Path<'_>) -> Result<StartAt, QueryError> {
    let object = Object::read(json, "a start position", &["row", "exclusive"], path)?;
    let exclusive = boolean(object.required("exclusive", path)?, &path.part("exclusive"))?;
    let row = object.required("row", path)?;
    let row = row.as_object().ok_or_else(|| {
        path.part("row").error(format!("expected an object with columns, found {}", describe(row)))
    })?;
    let value =
        |json| scalar_to_value(json).unwrap_or_else(|| Value::Json(json.to_string().into()));
    let values = row.iter().map(|(column, json)| (column.clone(), value(json))).collect();
    Ok(StartAt { values, exclusive })
}

fn related(
    json: &Json,
    index: usize,
    nodes: &mut NodeCount,
    path: &Path<'_>,
) -> Result<(String, Related), QueryError> {
    let unnamed = path.at(Step::Item("related", index));
    let (_, subquery) = correlated(json, &unnamed)?;
    let alias = subquery.text("alias", &unnamed)?;
    let path = path.nested(Step::Named("related", alias))?;
    nodes.add(&path)?;
    let mut hops = Vec::new();
    let body = hop(json, alias, &mut hops, nodes, &path)?;
    Ok((
        alias.to_owned(),
        Related { target: Target::Hops { hops, one: false }, body, misuse: None, private: false },
    ))
}

/// Reads one hop of a relationship and, where it is hidden, those after it.
fn hop(
    json: &Json,
    alias: &str,
    hops: &mut Vec<Hop>,
    nodes: &mut NodeCount,
    path: &Path<'_>,
) -> Result<Body, QueryError> {
    let (correlated, subquery) = correlated(json, path)?;
    let on = correlation(correlated, path)?;
    let table = subquery.text("table", path)?.to_owned();
    if !correlated.flag("hidden", path)? {
        hops.push(Hop { table, on, filters: Vec::new() });
        return body(subquery, nodes, path);
    }
    let only = "beside a where, a hidden subquery has a table, an alias and one related subquery of the same alias";
    let keys = ["table", "schema", "alias", "related", "where"];
    if let Some((key, _)) = subquery.iter().find(|(key, _)| !keys.contains(key)) {
        return Err(path.error(format!("{only}, not \"{key}\"")));
    }
    let inner_path = path.nested(Step::Named("hop", &table))?;
    nodes.add(&inner_path)?;
    let related = array(subquery.required("related", path)?, &path.part("related"))?;
    let [inner] = related else {
        return Err(path.error(format!("{only}, not {}", related.len())));
    };
    let inner_alias = self::correlated(inner, &inner_path)?.1.text("alias", &inner_path)?;
    if inner_alias != alias {
        return Err(path.error(format!("{only}, not \"{inner_alias}\"")));
    }
    let filter = |json| condition(json, nodes, &inner_path.part("where"));
    let filters = subquery.optional("where").map(filter).transpose()?.into_iter().collect();
    hops.push(Hop { table: table.clone(), on, filters });
    hop(inner, alias, hops, nodes, &inner_path)
}

/// The two objects of a correlated subquery, with their keys checked.
fn correlated<'a>(json: &'a Json, path: &Path<'_>) -> Result<(Object<'a>, Object<'a>), QueryError> {
    let outer = Object::read(json, CORRELATED, CORRELATED_KEYS, path)?;
    let subquery = Object::read(outer.required("subquery", path)?, QUERY, QUERY_KEYS, path)?;
    Ok((outer, subquery))
}

fn correlation(
    correlated: Object<'_>,
    path: &Path<'_>,
) -> Result<Vec<(String, String)>, QueryError> {
    let path = path.part("correlation");
    let json = correlated.required("correlation", &path)?;
    let object = Object::read(json, "a correlation", &["parentField", "childField"], &path)?;
    let side = |key| names(object.required(key, &path)?, &path.at(Step::Key(key)));
    let (parent, child) = (side("parentField")?, side("childField")?);
    if parent.len() != child.len() || parent.is_empty() {
        return Err(path.error(format!(
            "parentField and childField must have the same number of columns, at least 1; \
             they have {} and {}",
            parent.len(),
            child.len()
        )));
    }
    let owned = |(parent, child): (&str, &str)| (parent.to_owned(), child.to_owned());
    Ok(parent.into_iter().zip(child).map(owned).collect())
}

/// Reads the subquery of an EXISTS.
pub(super) fn exists_body(
    json: &Json,
    nodes: &mut NodeCount,
    path: &Path<'_>,
) -> Result<Related, QueryError> {
    let (outer, subquery) = correlated(json, path)?;
    if outer.flag("hidden", path)? {
        return Err(path.error("a subquery of EXISTS cannot be hidden"));
    }
    let on = correlation(outer, path)?;
    let table = subquery.text("table", path)?.to_owned();
    let body = body(subquery, nodes, path)?;
    let hops = vec![Hop { table, on, filters: Vec::new() }];
    let target = Target::Hops { hops, one: false };
    Ok(Related { target, body, misuse: None, private: outer.is("system", "permissions") })
}

/// The name that the subquery of an EXISTS has in error texts: its alias, or else its table.
pub(super) fn exists_name<'a>(json: &'a Json, path: &Path<'_>) -> Result<&'a str, QueryError> {
    let (_, subquery) = correlated(json, path)?;
    match subquery.optional("alias") {
        Some(alias) => text(alias, &path.part("alias")),
        None => subquery.text("table", path),
    }
}
