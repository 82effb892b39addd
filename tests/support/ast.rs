//! Queries as AST JSON, for those that an AST can say, with the format that marks what is singular.

use penstock::{Direction, Value};
use serde_json::{Value as Json, json};

use super::model::TableModel;
use super::query::{Body, Cond, Right, Sub, TestQuery};

/// The AST and the format of a query.
pub(crate) fn ast(query: &TestQuery, tables: &[TableModel]) -> (Json, Json) {
    let ast = body(&query.body, query.table, tables, None);
    (ast, format(&query.body))
}

fn names(columns: impl Iterator<Item = usize>, table: &TableModel) -> Vec<&str> {
    columns.map(|column| table.columns[column].name.as_str()).collect()
}

fn body(body: &Body, table: usize, tables: &[TableModel], alias: Option<&str>) -> Json {
    let schema = &tables[table];
    let mut ast = json!({"table": schema.name});
    if let Some(alias) = alias {
        ast["alias"] = json!(alias);
    }
    match body.filters.as_slice() {
        [] => {}
        [single] => ast["where"] = condition(single, table, tables),
        several => ast["where"] = all("and", several, table, tables),
    }
    if !body.order.is_empty() {
        let direction = |direction: &Direction| match direction {
            Direction::Asc => "asc",
            Direction::Desc => "desc",
        };
        let parts = body.order.iter();
        ast["orderBy"] =
            parts.map(|(at, way)| json!([schema.columns[*at].name, direction(way)])).collect();
    }
    if let Some(limit) = body.limit {
        ast["limit"] = json!(limit);
    }
    if let Some(start) = &body.start {
        let mut row = json!({});
        for (column, value) in &start.values {
            row[&schema.columns[*column].name] = literal(value);
        }
        ast["start"] = json!({"row": row, "exclusive": start.exclusive});
    }
    if !body.related.is_empty() {
        let related = body.related.iter();
        ast["related"] =
            related.map(|(alias, sub)| correlated(sub, table, tables, alias)).collect();
    }
    ast
}

fn correlated(sub: &Sub, parent: usize, tables: &[TableModel], alias: &str) -> Json {
    let hop = &sub.hops[0];
    let correlation = json!({
        "parentField": names(hop.on.iter().map(|(parent, _)| *parent), &tables[parent]),
        "childField": names(hop.on.iter().map(|(_, child)| *child), &tables[hop.table]),
    });
    if sub.hops.len() == 1 {
        let subquery = body(&sub.body, hop.table, tables, Some(alias));
        return json!({"correlation": correlation, "subquery": subquery});
    }
    let rest = Sub { hops: sub.hops[1..].to_vec(), body: sub.body.clone() };
    let subquery = json!({
        "table": tables[hop.table].name,
        "alias": alias,
        "related": [correlated(&rest, hop.table, tables, alias)],
    });
    json!({"correlation": correlation, "hidden": true, "subquery": subquery})
}

fn all(kind: &str, conditions: &[Cond], table: usize, tables: &[TableModel]) -> Json {
    let parts = conditions.iter().map(|each| condition(each, table, tables));
    json!({"type": kind, "conditions": parts.collect::<Vec<_>>()})
}

fn condition(condition: &Cond, table: usize, tables: &[TableModel]) -> Json {
    let simple = |left: Json, op: &str, right: &Right| {
        let right = match right {
            Right::Value(value) => literal(value),
            Right::List(values) => values.iter().map(literal).collect(),
            Right::Column(_) => unreachable!("an AST compares with literals only"),
        };
        let right = json!({"type": "literal", "value": right});
        json!({"type": "simple", "op": op, "left": left, "right": right})
    };
    match condition {
        Cond::And(conditions) => all("and", conditions, table, tables),
        Cond::Or(conditions) => all("or", conditions, table, tables),
        Cond::Not(_) => unreachable!("an AST has no NOT"),
        Cond::Constant { left, op, right } => {
            simple(json!({"type": "literal", "value": literal(left)}), op.name(), right)
        }
        Cond::Compare { column, op, right } => {
            let name = &tables[table].columns[*column].name;
            simple(json!({"type": "column", "name": name}), op.name(), right)
        }
        Cond::Exists { sub, negated } => json!({
            "type": "correlatedSubquery",
            "op": if *negated { "NOT EXISTS" } else { "EXISTS" },
            "related": correlated(sub, table, tables, "e"),
            "flip": sub.hops[0].on.len() > 1,
        }),
    }
}

fn literal(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(value) => json!(&**value),
        Value::Blob(_) | Value::Json(_) => unreachable!("literals of an AST are scalars"),
    }
}

fn format(body: &Body) -> Json {
    let mut relationships = json!({});
    for (name, sub) in &body.related {
        relationships[name] = format(&sub.body);
    }
    json!({"singular": body.singular, "relationships": relationships})
}
