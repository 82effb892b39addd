//! Whether a client's tables fit the database.

use penstock::{ColumnType, Schema};
use serde_json::Value as Json;

/// Checks the tables that a client says it has. What is said of a misfit names nothing that the client has
/// not named.
///
/// # Errors
/// All that does not fit, for the developer of the application.
pub(super) fn check(
    client: &Json,
    schema: &Schema,
    is_internal: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let mut problems = Vec::new();
    let tables = client.get("tables").and_then(Json::as_object);
    for (name, table) in tables.into_iter().flatten() {
        let Some(id) = schema.table_id(name).filter(|_| !is_internal(name)) else {
            problems.push(format!("the table \"{name}\" is not in the database"));
            continue;
        };
        let of = schema.table(id);
        let columns = table.get("columns").and_then(Json::as_object);
        for (column, described) in columns.into_iter().flatten() {
            let wanted = described.get("type").and_then(Json::as_str).unwrap_or("null");
            let Some(at) = of.column_index(column) else {
                problems.push(format!("the table \"{name}\" has no column \"{column}\""));
                continue;
            };
            let found = of.columns()[at].column_type;
            if !fits(wanted, found) {
                problems.push(format!(
                    "the column \"{column}\" of \"{name}\" is {found} in the database, {wanted} for the client"
                ));
            }
        }
        let key = table.get("primaryKey").and_then(Json::as_array);
        if let Some(key) = key {
            let mut wanted: Vec<&str> = key.iter().filter_map(Json::as_str).collect();
            let mut found: Vec<&str> =
                of.primary_key().iter().map(|at| &*of.columns()[*at].name).collect();
            wanted.sort_unstable();
            found.sort_unstable();
            if wanted != found {
                problems.push(format!(
                    "the primary key of \"{name}\" is ({}) for the client, another in the database",
                    wanted.join(", ")
                ));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

fn fits(wanted: &str, found: ColumnType) -> bool {
    match (wanted, found) {
        (_, ColumnType::Blob) => false,
        ("null", _) | (_, ColumnType::Any) => true,
        ("string", ColumnType::Text) | ("boolean", ColumnType::Boolean) => true,
        ("number", found) => found.is_numeric(),
        ("json", ColumnType::Json) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use penstock::Table;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_misfit_is_named() {
        let issue = Table::new("issue")
            .column("id", ColumnType::Integer)
            .column("title", ColumnType::Text)
            .column("open", ColumnType::Boolean)
            .primary_key(["id"]);
        let schema = Schema::new([issue]).expect("a schema");
        let client = |columns: Json, key: Json| json!({"tables": {"issue": {"columns": columns, "primaryKey": key}}});
        let fit =
            client(json!({"id": {"type": "number"}, "title": {"type": "string"}}), json!(["id"]));
        assert_eq!(check(&fit, &schema, &|_| false), Ok(()));
        let columns = json!({"id": {"type": "string"}, "done": {"type": "boolean"}});
        let problems =
            check(&client(columns, json!(["title"])), &schema, &|_| false).expect_err("misfits");
        for part in
            ["\"id\" of \"issue\" is integer", "no column \"done\"", "primary key of \"issue\""]
        {
            assert!(problems.contains(part), "{problems}");
        }
        assert!(!problems.contains("(id)"), "{problems}");
        let note = json!({"tables": {"note": {}}});
        let other = check(&note, &schema, &|_| false).expect_err("no table");
        assert_eq!(other, "the table \"note\" is not in the database");
        let hidden = check(&fit, &schema, &|table| table == "issue").expect_err("not for clients");
        assert_eq!(hidden, "the table \"issue\" is not in the database");
    }
}
