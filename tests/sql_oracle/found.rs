//! Cases that failed once, kept as SQL.
//!
//! A case starts with `-- case: …` and the statements that make its tables. `-- live` is followed
//! by one query, `-- live ordered` by one whose order is total, `-- transaction` by statements,
//! of which some may fail.

use penstock::SqliteSource;
use penstock::{Database, Error, Value};
use rusqlite::Connection;

use super::compare::{difference, shown};
use super::oracle::Oracle;
use super::select::{Params, Statement};

/// Part of a case: its heading and its statements.
type Section = (String, Vec<String>);

/// The sections of a text, each with what follows its heading.
fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("-- ") {
            sections.push((heading.to_owned(), Vec::new()));
        } else if let Some((_, statements)) = sections.last_mut()
            && !line.trim().is_empty()
        {
            statements.push(line.trim_end_matches(';').to_owned());
        }
    }
    sections
}

/// Runs all cases of a text. Returns how many there are.
pub(crate) fn run(text: &str) -> Result<usize, String> {
    let sections = sections(text);
    let starts: Vec<usize> = sections
        .iter()
        .enumerate()
        .filter(|(_, (heading, _))| heading.starts_with("case: "))
        .map(|(at, _)| at)
        .collect();
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(sections.len());
        let case = &sections[*start..end];
        run_one(case).map_err(|problem| format!("{}: {problem}", case[0].0))?;
    }
    Ok(starts.len())
}

fn run_one(case: &[Section]) -> Result<(), String> {
    let error = |error: Error| error.to_string();
    let (_, tables) = &case[0];
    let fill = || {
        let oracle = Oracle::new(Connection::open_in_memory().expect("a database in memory"));
        oracle.run_all(tables);
        oracle
    };
    let oracle = fill();
    let source = SqliteSource::from_connection(fill().connection).map_err(Error::from);
    let db = source.and_then(|source| Database::builder().with_source(source)).map_err(error)?;
    let mut live = Vec::new();
    let mut transactions = Vec::new();
    for (heading, statements) in &case[1..] {
        match heading.as_str() {
            "transaction" => transactions.push(statements),
            "live" | "live ordered" => {
                let sql = statements.join("\n");
                let subscription = db.subscribe_sql(&sql, ()).map_err(error)?;
                let tree = subscription.rows();
                live.push((heading == "live ordered", sql, subscription, tree));
            }
            heading => return Err(format!("what is \"{heading}\"?")),
        }
    }
    for at in 0..=transactions.len() {
        if let Some(statements) = at.checked_sub(1).map(|at| transactions[at]) {
            oracle.run_all(statements);
            db.transaction(|tx| {
                for sql in statements {
                    let none: [Value; 0] = [];
                    // Some fail, and have no effect.
                    let _ = tx.execute(sql, none);
                }
                Ok(())
            })
            .map_err(error)?;
        }
        for (ordered, sql, subscription, tree) in &mut live {
            let rows = subscription.rows();
            for patch in subscription.changes() {
                tree.apply(&patch);
            }
            let statement = Statement { sql: sql.clone(), params: Params::Positional(Vec::new()) };
            let right = oracle.rows(&statement).map_err(|error| error.to_string())?;
            if let Some(problem) = difference(&shown(&rows), &right, *ordered) {
                return Err(format!("after {at} transactions, {sql}\n{problem}"));
            }
            if *tree != rows {
                return Err(format!("after {at} transactions, {sql}\npatches make {tree:?}"));
            }
        }
    }
    Ok(())
}
