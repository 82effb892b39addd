//! The JSON form of rules, checked.

use std::collections::BTreeMap;

use penstock::Query;
use serde_json::{Map, Value as Json, json};

use super::{Policies, Rules, TableRules};

/// What is wrong with rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rules{}{}: {problem}", of_table(.table), of_rule(.rule))]
pub struct RulesError {
    /// The table, or nothing where the problem is above it.
    pub table: String,
    /// The rule: `row.update.preMutation, rule 2`. Nothing where the problem is above it.
    pub rule: String,
    /// What is wrong, with the place in the condition.
    pub problem: String,
}

fn of_table(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!(" of table \"{table}\"") }
}

fn of_rule(rule: &str) -> String {
    if rule.is_empty() { String::new() } else { format!(", {rule}") }
}

impl RulesError {
    pub(super) fn new(table: &str, rule: &str, problem: impl Into<String>) -> RulesError {
        RulesError { table: table.to_owned(), rule: rule.to_owned(), problem: problem.into() }
    }
}

/// Where in the rules something is.
#[derive(Clone, Copy)]
struct At<'a> {
    table: &'a str,
    rule: &'a str,
}

impl At<'_> {
    fn error(self, problem: impl Into<String>) -> RulesError {
        RulesError::new(self.table, self.rule, problem)
    }

    /// The members of an object that has no others than these.
    fn object<'j>(
        self,
        json: &'j Json,
        keys: &[&str],
    ) -> Result<&'j Map<String, Json>, RulesError> {
        let object = json.as_object().ok_or_else(|| self.error("expected an object"))?;
        match object.keys().find(|key| !keys.contains(&key.as_str())) {
            None => Ok(object),
            Some(key) => {
                Err(self.error(format!("unknown key \"{key}\"; expected {}", keys.join(", "))))
            }
        }
    }
}

pub(super) fn rules(json: &Json) -> Result<Rules, RulesError> {
    let at = At { table: "", rule: "" };
    let mut rules = Rules::default();
    let Some(tables) = at.object(json, &["tables"])?.get("tables") else { return Ok(rules) };
    let tables = tables.as_object().ok_or_else(|| at.error("\"tables\" is not an object"))?;
    for (table, json) in tables {
        rules.tables.insert(table.clone(), table_rules(table, json)?);
    }
    Ok(rules)
}

fn table_rules(table: &str, json: &Json) -> Result<TableRules, RulesError> {
    let at = At { table, rule: "" };
    let object = at.object(json, &["row", "cell"])?;
    let row = match object.get("row") {
        Some(json) => policies(At { table, rule: "row" }, json)?,
        None => Policies::default(),
    };
    let mut cells = BTreeMap::new();
    if let Some(json) = object.get("cell") {
        let at = At { table, rule: "cell" };
        let columns = json.as_object().ok_or_else(|| at.error("expected an object"))?;
        for (column, json) in columns {
            let rule = format!("cell.{column}");
            let at = At { table, rule: &rule };
            let cell = policies(at, json)?;
            if cell.select.is_some() {
                return Err(at.error(
                    "columns cannot be hidden from who may read the row; leave out \"select\", and \
                     keep what is secret in a table of its own",
                ));
            }
            cells.insert(column.clone(), cell);
        }
    }
    Ok(TableRules { row, cells })
}

fn policies(at: At<'_>, json: &Json) -> Result<Policies, RulesError> {
    let object = at.object(json, &["select", "insert", "update", "delete"])?;
    let named = |object: &Map<String, Json>, name: &str, rule: &str| {
        let rule = format!("{}.{rule}", at.rule);
        let json = object.get(name);
        let read = json.map(|json| policy(At { table: at.table, rule: &rule }, json));
        read.transpose()
    };
    let mut policies = Policies {
        select: named(object, "select", "select")?,
        insert: named(object, "insert", "insert")?,
        delete: named(object, "delete", "delete")?,
        ..Policies::default()
    };
    if let Some(json) = object.get("update") {
        let rule = format!("{}.update", at.rule);
        let object =
            At { table: at.table, rule: &rule }.object(json, &["preMutation", "postMutation"])?;
        policies.update_before = named(object, "preMutation", "update.preMutation")?;
        policies.update_after = named(object, "postMutation", "update.postMutation")?;
    }
    Ok(policies)
}

fn policy(at: At<'_>, json: &Json) -> Result<Vec<Json>, RulesError> {
    let listed = json.as_array().ok_or_else(|| at.error("expected a list of rules"))?;
    let conditions: Result<Vec<Json>, RulesError> = listed
        .iter()
        .enumerate()
        .map(|(index, json)| {
            let rule = format!("{}, rule {}", at.rule, index + 1);
            let at = At { table: at.table, rule: &rule };
            match json.as_array().map(Vec::as_slice) {
                Some([Json::String(allow), condition]) if allow == "allow" => {
                    self::condition(at, condition)
                }
                _ => Err(at.error("expected [\"allow\", condition]")),
            }
        })
        .collect();
    conditions
}

/// A condition that the query language has, with anchors that are known here. Its subqueries are
/// marked: what they look at is not for the user's eyes.
fn condition(at: At<'_>, condition: &Json) -> Result<Json, RulesError> {
    let ast = json!({ "table": at.table, "where": condition });
    Query::from_ast(&ast).map_err(|error| at.error(error.to_string()))?;
    let mut condition = condition.clone();
    mark(at, &mut condition)?;
    Ok(condition)
}

fn mark(at: At<'_>, condition: &mut Json) -> Result<(), RulesError> {
    let after = at.rule.contains("postMutation");
    if let Some(parts) = condition.get_mut("conditions").and_then(Json::as_array_mut) {
        parts.iter_mut().try_for_each(|part| mark(at, part))?;
    }
    if let Some(related) = condition.get_mut("related") {
        related["system"] = json!("permissions");
        if let Some(within) = related["subquery"].get_mut("where") {
            mark(at, within)?;
        }
    }
    for side in ["left", "right"] {
        let Some(term) = condition.get(side) else { continue };
        if term["type"] != "static" {
            continue;
        }
        match term["anchor"].as_str() {
            Some("authData") => {}
            Some("preMutationRow") if after => {}
            Some("preMutationRow") => {
                return Err(at.error(
                    "the row before the write (preMutationRow) is known to update.postMutation only",
                ));
            }
            _ => {
                return Err(at.error(format!(
                    "the anchor {} is not known; expected \"authData\"",
                    term["anchor"]
                )));
            }
        }
    }
    Ok(())
}
