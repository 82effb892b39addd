//! Checking a live query against what is written down, and against everything else that is known
//! about it.
//!
//! A case is a list of lines. The first is the result to begin with: `=> 1 2`. Each further line
//! is a transaction, the result after it and what changed: `+n(9,5) => 9 1 {-2 +9}`. The notation
//! is that of [`fixture`](super::fixture).

use penstock::{Database, Params, Patch, Query, RowView, Subscription, Tree};

use super::fixture::{Fixture, Rows, changes};

/// One line of a case.
struct Step<'t> {
    writes: &'t str,
    tree: &'t str,
    changes: &'t str,
}

fn steps(lines: &str) -> (&str, Vec<Step<'_>>) {
    let mut lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().and_then(|line| line.strip_prefix("=>"));
    let first = first.expect("a case starts with the result at the start").trim();
    let steps = lines.map(|line| {
        let (writes, rest) = line.split_once("=>").expect("a step has a result");
        let (tree, rest) = rest.split_once('{').expect("a step has changes");
        let changes = rest.strip_suffix('}').expect("changes end with a brace");
        Step { writes, tree: tree.trim(), changes: changes.trim() }
    });
    (first, steps.collect())
}

/// Checks steps one after the other, for each of some queries that mean the same.
pub(crate) fn check(tables: &str, queries: impl IntoIterator<Item = Query>, lines: &str) {
    let (first, steps) = steps(lines);
    for query in queries {
        for row_set in [false, true] {
            run(tables, &query, row_set, first, &steps);
        }
    }
}

/// Checks steps each on its own, from the start.
pub(crate) fn check_each(tables: &str, queries: impl IntoIterator<Item = Query>, lines: &str) {
    let (first, steps) = steps(lines);
    for query in queries {
        for row_set in [false, true] {
            for step in &steps {
                run(tables, &query, row_set, first, std::slice::from_ref(step));
            }
        }
    }
}

/// Checks only what the result is to begin with.
pub(crate) fn check_rows(tables: &str, queries: impl IntoIterator<Item = Query>, first: &str) {
    for query in queries {
        run(tables, &query, true, first, &[]);
    }
}

fn run(tables: &str, query: &Query, row_set: bool, first: &str, steps: &[Step<'_>]) {
    for rows in Rows::ALL {
        // SQLite checks unique keys at each statement, not at the end.
        if tables.contains("unique(") && matches!(rows, Rows::InSqlite) {
            continue;
        }
        run_over(rows, tables, query, row_set, first, steps);
    }
}

fn run_over(
    rows: Rows,
    tables: &str,
    query: &Query,
    row_set: bool,
    first: &str,
    steps: &[Step<'_>],
) {
    let fixture = Fixture::over(rows, tables);
    let mut live = Live::new(&fixture.db, query, row_set);
    assert_eq!(fixture.tree(&live.subscription.rows()), first, "at the start of {query:?}");
    for step in steps {
        fixture.write(step.writes);
        let (tree, patches) = live.follow();
        let found = (fixture.tree(&tree), changes(&patches));
        let expected = (step.tree.to_owned(), step.changes.to_owned());
        assert_eq!(found, expected, "after {} of {query:?}", step.writes);
    }
}

/// A live query with everything that its patches can be checked against.
pub(crate) struct Live {
    db: Database,
    query: Query,
    pub(crate) subscription: Subscription,
    /// The first result, taken through every patch.
    copy: Tree,
    /// The first row set, taken through every patch; `None` where none is kept.
    rows: Option<Vec<RowView>>,
}

impl Live {
    pub(crate) fn new(db: &Database, query: &Query, row_set: bool) -> Live {
        let subscription = db.subscribe(query.clone());
        let mut subscription =
            subscription.unwrap_or_else(|error| panic!("{query:?} is refused: {error}"));
        let rows = row_set.then(|| subscription.row_set().expect("not in a transaction"));
        let copy = subscription.rows();
        let live = Live { db: db.clone(), query: query.clone(), subscription, copy, rows };
        live.check_fresh();
        live
    }

    /// The result after a transaction and its patches, having checked that the patches lead from
    /// the last result to this one, that there is one of them at most, and none for nothing, and
    /// that result and row set are those of a fresh evaluation.
    pub(crate) fn follow(&mut self) -> (Tree, Vec<Patch>) {
        let patches: Vec<Patch> = self.subscription.changes().collect();
        assert!(patches.len() <= 1, "{} patches for one transaction", patches.len());
        for patch in &patches {
            let empty = patch.changes().is_empty();
            let empty_rows =
                patch.rows().is_none_or(|rows| rows.puts.is_empty() && rows.deletes.is_empty());
            assert!(!(empty && empty_rows), "a patch that changes nothing");
            self.copy.apply(patch);
            if let Some(rows) = &mut self.rows {
                let changes = patch.rows().expect("a kept row set has changes");
                let same = |a: &RowView, b: &RowView| {
                    a.table_id() == b.table_id() && a.describe_key() == b.describe_key()
                };
                for gone in &changes.deletes {
                    assert!(rows.contains(gone), "{gone:?} leaves but was not there");
                }
                let touched: Vec<&RowView> = changes.puts.iter().chain(&changes.deletes).collect();
                rows.retain(|row| !touched.iter().any(|touched| same(row, touched)));
                rows.extend(changes.puts);
            }
        }
        self.check_fresh();
        (self.subscription.rows(), patches)
    }

    fn check_fresh(&self) {
        self.db.verify().expect("maintained and fresh results are equal");
        let fresh = self.db.query(&self.query).expect("the query is sound");
        assert_eq!(self.copy, fresh, "patches and a fresh evaluation differ");
        assert_eq!(self.subscription.rows(), fresh, "live and fresh results differ");
        if let Some(rows) = &self.rows {
            let fresh = self.db.query_row_set(&self.query, &Params::new());
            assert_eq!(sorted(rows), sorted(&fresh.expect("the query is sound")), "row sets");
        }
    }
}

fn sorted(rows: &[RowView]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

/// The checks themselves: what is wrong must not pass.
mod canaries {
    use super::check;
    use crate::values::N;
    use penstock::Query;

    fn first_two(lines: &str) {
        check(N, [Query::table("n").limit(2)], lines);
    }

    #[test]
    fn what_is_right_passes() {
        first_two("=> 1 2 \n -n(1) => 2 3 {-1 +3}");
    }

    #[test]
    #[should_panic(expected = "at the start of")]
    fn a_wrong_start_fails() {
        first_two("=> 1 2 3 \n -n(1) => 2 3 {-1 +3}");
    }

    #[test]
    #[should_panic(expected = "after -n(1)")]
    fn a_wrong_result_fails() {
        first_two("=> 1 2 \n -n(1) => 3 2 {-1 +3}");
    }

    #[test]
    #[should_panic(expected = "after -n(1)")]
    fn a_wrong_change_fails() {
        first_two("=> 1 2 \n -n(1) => 2 3 {-1 ~2 +3}");
    }
}
