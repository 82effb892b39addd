//! Who may read and write which rows, for queries and writes that clients state themselves.
//!
//! Rules are conditions of the query language over a row, its relations and the claims of a token, in the
//! JSON form in which applications of Zero deploy their permissions:
//!
//! ```json
//! {"tables": {"issue": {"row": {
//!   "select": [["allow", {"type": "simple", "op": "=",
//!     "left": {"type": "column", "name": "owner"},
//!     "right": {"type": "static", "anchor": "authData", "field": "sub"}}]],
//!   "insert": [], "update": {"preMutation": [], "postMutation": []}, "delete": []}}}}
//! ```
//!
//! One rule of a list must hold. Where there is no list, or an empty one, nobody may. Conditions
//! within rules see all rows, also those that the user may not read.
//!
//! | module | what it does |
//! |---|---|
//! | `parse` | the JSON form, checked |
//! | `bind` | claims, and what a row was before, put in as constants |
//! | `read` | rules compiled into a query at every level |
//! | `shared` | rules that are replaced while they are used |
//! | `write` | a row against the rules for writing it |

mod bind;
mod parse;
mod read;
mod shared;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use penstock::{Database, Query};
use serde_json::{Map, Value as Json, json};

use crate::claims::Claims;
pub use parse::RulesError;
pub use shared::SharedRules;
pub use write::{RowCheck, Stage};

/// Who may read and write which rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// By table; without any, nobody may do anything to it.
    tables: BTreeMap<String, TableRules>,
    /// Whether everybody may do everything, whatever the tables say.
    everything: bool,
}

/// The rules of one table.
#[derive(Clone, Debug, Default, PartialEq)]
struct TableRules {
    row: Policies,
    /// What must hold beside, by column, where a write concerns the column.
    cells: BTreeMap<String, Policies>,
}

/// What is allowed, by what is done.
#[derive(Clone, Debug, Default, PartialEq)]
struct Policies {
    select: Policy,
    insert: Policy,
    update_before: Policy,
    update_after: Policy,
    delete: Policy,
}

/// Conditions of which one must hold; without any nothing is allowed. Nothing where nothing was said.
type Policy = Option<Vec<Json>>;

impl Rules {
    /// Reads rules from their JSON form.
    ///
    /// # Errors
    /// What is wrong, with the table, the rule and the place in it.
    pub fn parse(json: &Json) -> Result<Rules, RulesError> {
        parse::rules(json)
    }

    /// Everybody may do everything: for development, and where another part of the system decides.
    #[must_use]
    pub fn allow_all() -> Rules {
        Rules { everything: true, tables: BTreeMap::new() }
    }

    /// Nobody may do anything.
    #[must_use]
    pub fn deny_all() -> Rules {
        Rules::default()
    }

    /// Whether everybody may do everything.
    #[must_use]
    pub fn allows_all(&self) -> bool {
        self.everything
    }

    /// The query with the rules for reading compiled into it: it yields, and its EXISTS see, only rows
    /// that the user may read. Rows that the rules themselves look at are no part of its row set.
    ///
    /// What is no query stays none. Cost: O(query, and rules for each of its levels).
    #[must_use]
    pub fn read(&self, ast: &Json, claims: &Claims) -> Json {
        let mut ast = ast.clone();
        if !self.everything {
            read::guard(self, &mut ast, claims);
        }
        ast
    }

    /// Whether the rules fit the tables of a database: every table, column and relation that they name
    /// is there.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, db: &Database) -> Result<(), RulesError> {
        let before = Map::new();
        for (table, rules) in &self.tables {
            if db.schema().table_id(table).is_none() {
                return Err(RulesError::new(table, "", "the database has no such table"));
            }
            for (rule, number, condition) in rules.conditions() {
                let bound = bind::bind(condition, &Claims::default(), Some(&before));
                let ast = json!({ "table": table, "where": bound });
                let checked = Query::from_ast(&ast).map_err(penstock::Error::from);
                checked.and_then(|query| db.check(&query)).map_err(|error| {
                    RulesError::new(table, &format!("{rule}, rule {number}"), error.to_string())
                })?;
            }
        }
        Ok(())
    }
}

impl TableRules {
    /// All conditions with what they are for and their number among those.
    fn conditions(&self) -> impl Iterator<Item = (String, usize, &Json)> {
        let row = [("row".to_owned(), &self.row)];
        let cells = self.cells.iter().map(|(column, cell)| (format!("cell.{column}"), cell));
        row.into_iter().chain(cells).flat_map(|(of, policies)| {
            policies.named().into_iter().flat_map(move |(name, policy)| {
                let rule = format!("{of}.{name}");
                let listed = policy.iter().flatten().enumerate();
                listed.map(move |(index, condition)| (rule.clone(), index + 1, condition))
            })
        })
    }
}

impl Policies {
    fn named(&self) -> [(&'static str, &Policy); 5] {
        [
            ("select", &self.select),
            ("insert", &self.insert),
            ("update.preMutation", &self.update_before),
            ("update.postMutation", &self.update_after),
            ("delete", &self.delete),
        ]
    }
}

/// The condition that one of several holds; `None` where it holds for every row.
fn one_of(listed: &[Json], claims: &Claims, before: Option<&Map<String, Json>>) -> Option<Json> {
    if listed.iter().any(always) {
        return None;
    }
    let mut bound: Vec<Json> =
        listed.iter().map(|condition| bind::bind(condition, claims, before)).collect();
    match bound.len() {
        1 => bound.pop(),
        _ => Some(json!({ "type": "or", "conditions": bound })),
    }
}

/// Whether a condition holds for every row, whoever asks: AND of nothing.
fn always(condition: &Json) -> bool {
    condition["type"] == "and"
        && condition["conditions"].as_array().is_some_and(|all| all.iter().all(always))
}

/// The condition that holds for no row.
fn never() -> Json {
    json!({ "type": "or", "conditions": [] })
}
