//! What a query is made of.

use std::io::{self, Write};

use penstock::operators::explain::{LevelReport, Role};
use penstock::{Explain as Report, Schema};
use serde_json::{Value as Json, json};

use crate::command::Explain;
use crate::failure::Failure;
use crate::session;

/// Prints the operator tree of a query, with the indexes that it would need.
///
/// # Errors
/// A file or query that is at fault, or a failing output.
pub(crate) fn run(options: &Explain) -> Result<(), Failure> {
    let db = session::open(&options.query.file)?;
    let live = session::subscribe(&db, &options.query)?;
    let missing = session::missing_indexes(&db, &options.query)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if options.json {
        writeln!(out, "{}", to_json(&db.schema(), &live.explain(), &missing))?;
    } else {
        write!(out, "{}", live.explain())?;
        if !missing.is_empty() {
            writeln!(out, "\nindexes that the file lacks and this query would use:")?;
        }
        for index in &missing {
            writeln!(out, "  {index};")?;
        }
    }
    Ok(out.flush()?)
}

fn to_json(schema: &Schema, explain: &Report, missing: &[String]) -> Json {
    json!({ "root": level(schema, explain.report()), "missing_indexes": missing })
}

fn level(schema: &Schema, report: &LevelReport) -> Json {
    let table = report.plan.table;
    // A derived table has no name; the text form shows what it is made of.
    let table = match table.derived_number() {
        None => json!(schema.table(table).name()),
        Some(number) => json!({ "derived": number }),
    };
    let role = match report.role {
        Role::Root => "root",
        Role::Gate => "exists",
        Role::Near => "through",
        Role::Far => "to",
        Role::Related(_) => "related",
    };
    let stats = &report.stats;
    json!({
        "role": role,
        "table": table,
        "partitions": report.partitions,
        "rows": report.rows,
        "state_bytes": report.state_bytes,
        "hydrate_rows_in": stats.hydrate_rows_in,
        "hydrate_rows_out": stats.hydrate_rows_out,
        "deltas_in": stats.deltas_in,
        "changes_out": stats.changes_out,
        "children": report.children.iter().map(|child| level(schema, child)).collect::<Vec<_>>(),
    })
}
