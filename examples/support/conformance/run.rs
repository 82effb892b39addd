//! Running one case: the query is subscribed to, the transactions are applied, and the maintained
//! result is read after each.

use std::panic::{AssertUnwindSafe, catch_unwind};

use penstock::{Database, Error, Query, Subscription, Transaction, Tree};
use serde_json::{Value as Json, json};

use super::cases::{Case, Expected};
use super::compare::first_difference;
use super::datasets::{self, Dataset, Datasets};

/// What sort of source the rows of a case are put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// [`penstock::MemorySource`].
    Memory,
    /// [`penstock::SqliteSource`], in memory.
    Sqlite,
}

/// How cases are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) source: SourceKind,
    /// Whether every maintained result is also compared with a fresh evaluation.
    pub(crate) check_fresh: bool,
}

/// The results of a case: before the first transaction and after each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Views {
    pub(crate) initial: Json,
    pub(crate) after: Vec<Json>,
}

impl Views {
    /// The line that `--emit` writes.
    pub(crate) fn to_json(&self, id: &str) -> Json {
        json!({"id": id, "initial": self.initial, "after": self.after})
    }
}

/// How a case went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    /// The results, where the case could be run to its end.
    pub(crate) views: Option<Views>,
    /// The first thing wrong, if any.
    pub(crate) failure: Option<String>,
    /// Whether the case said what to expect.
    pub(crate) had_expectations: bool,
}

/// Runs a case. Errors and panics fail the case.
pub(crate) fn run(case: &Case, datasets: &mut Datasets, options: Options) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let json = case.content.as_ref().map_err(String::clone)?;
        views(json, datasets, options)
    }));
    let expected = case.expected();
    let had_expectations = expected.initial.is_some() || expected.after.is_some();
    let (views, failure) = match run {
        Ok(Ok(views)) => {
            let failure = first_failure(&expected, &views);
            (Some(views), failure)
        }
        Ok(Err(problem)) => (None, Some(problem)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            (None, Some(format!("panicked: {}", text.unwrap_or("without a text"))))
        }
    };
    Outcome { id: case.id.clone(), views, failure, had_expectations }
}

fn first_failure(expected: &Expected, found: &Views) -> Option<String> {
    let initial = expected.initial.as_ref();
    if let Some(difference) = initial.and_then(|view| first_difference(view, &found.initial)) {
        return Some(format!("initially, at {difference}"));
    }
    let after = expected.after.as_ref()?;
    if after.len() != found.after.len() {
        let (expected, found) = (after.len(), found.after.len());
        return Some(format!("the case expects {expected} results but has {found} steps"));
    }
    after.iter().zip(&found.after).enumerate().find_map(|(step, (expected, found))| {
        let difference = first_difference(expected, found)?;
        Some(format!("after step {step}, at {difference}"))
    })
}

/// The results of a case, computed from its inputs.
fn views(case: &Json, datasets: &mut Datasets, options: Options) -> Result<Views, String> {
    let dataset = match case["dataset"].as_str() {
        Some(name) => datasets.get(name)?,
        None => datasets::inline(&case["schema"], &case["rows"])?,
    };
    let query = match case.get("format") {
        Some(format) => Query::from_ast_with_format(&case["ast"], format),
        None => Query::from_ast(&case["ast"]),
    };
    let query = query.map_err(|error| error.to_string())?;
    let db = open(dataset, options).map_err(|error| error.to_string())?;
    let subscription = db.subscribe(query.clone()).map_err(|error| error.to_string())?;
    let mut live = Live { copy: subscription.rows(), db, query, subscription, options };
    let initial = live.view().map_err(|problem| format!("initially: {problem}"))?;
    let steps = case["steps"].as_array().ok_or("the case has no array \"steps\"")?;
    let mut after = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter().enumerate() {
        let view = live.apply(step).and_then(|()| live.view());
        after.push(view.map_err(|problem| format!("step {number}: {problem}"))?);
    }
    Ok(Views { initial, after })
}

fn open(dataset: Dataset, options: Options) -> Result<Database, Error> {
    let db = match options.source {
        SourceKind::Memory => Database::in_memory(dataset.schema)?,
        SourceKind::Sqlite => {
            let source = super::sqlite_tables::sqlite_source(&dataset.schema)?;
            Database::builder().with_source(source)?
        }
    };
    db.apply(dataset.inserts)?;
    Ok(db)
}

/// A case in the middle of its steps.
struct Live {
    db: Database,
    query: Query,
    subscription: Subscription,
    /// The first result, taken through every patch since.
    copy: Tree,
    options: Options,
}

impl Live {
    /// Applies one step as one transaction.
    fn apply(&self, step: &Json) -> Result<(), String> {
        let operations = step.as_array().ok_or("the step is no array")?;
        let outcome = self.db.transaction(|tx| {
            operations.iter().try_for_each(|operation| write(tx, operation).map_err(Error::abort))
        });
        outcome.map_err(|error| error.to_string())
    }

    /// The maintained result, once it is known that the patches lead to it.
    fn view(&mut self) -> Result<Json, String> {
        for patch in self.subscription.changes() {
            self.copy.apply(&patch);
        }
        let tree = self.subscription.rows();
        let view = tree.to_json().map_err(|error| error.to_string())?;
        if self.copy != tree {
            let copy = self.copy.to_json().map_err(|error| error.to_string())?;
            let place = first_difference(&view, &copy);
            let place = place.map_or_else(|| "an order".to_owned(), |found| found.to_string());
            return Err(format!("the patches lead to another result, at {place}"));
        }
        if self.options.check_fresh {
            self.db.verify().map_err(|error| error.to_string())?;
            let fresh = self.db.query(&self.query).and_then(|tree| tree.to_json());
            let fresh = fresh.map_err(|error| error.to_string())?;
            if let Some(difference) = first_difference(&fresh, &view) {
                return Err(format!("not what a fresh evaluation gives, at {difference}"));
            }
        }
        Ok(view)
    }
}

fn write(tx: &mut Transaction<'_>, operation: &Json) -> Result<(), String> {
    let table = operation["table"].as_str().ok_or("the operation names no table")?;
    let row = datasets::row(tx.schema(), table, &operation["row"])?;
    let outcome = match operation["op"].as_str() {
        Some("add") => tx.insert(table, row),
        Some("remove") => tx.delete(table, row),
        Some("edit") => {
            let old = datasets::row(tx.schema(), table, &operation["oldRow"])?;
            tx.update_at(table, old, row)
        }
        _ => return Err(format!("unknown operation {}", operation["op"])),
    };
    outcome.map_err(|error| error.to_string())
}
