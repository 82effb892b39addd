//! Queries evaluated by nested loops over lists of rows.

use std::cmp::Ordering;

use penstock::{Direction, Value};

use super::model::{Model, Row};
use super::query::{Body, Start, Sub, TestQuery};
use super::values::{identical_rows, order};

/// A row of a result with its related rows, in the order of [`Body::related`].
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) row: Row,
    pub(crate) related: Vec<Vec<Node>>,
}

/// The naive evaluator over the tables of one moment.
pub(crate) struct Naive<'m> {
    pub(crate) model: &'m Model,
    /// A mistake made on purpose: null is different from every value instead of unknown.
    pub(crate) nulls_are_values: bool,
}

/// Rows in an order.
pub(crate) fn compare_rows(a: &[Value], b: &[Value], columns: &[(usize, Direction)]) -> Ordering {
    columns
        .iter()
        .map(|(column, direction)| match direction {
            Direction::Asc => order(&a[*column], &b[*column]),
            Direction::Desc => order(&b[*column], &a[*column]),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

impl<'m> Naive<'m> {
    pub(crate) fn new(model: &'m Model) -> Naive<'m> {
        Naive { model, nulls_are_values: false }
    }

    /// The whole result.
    pub(crate) fn tree(&self, query: &TestQuery) -> Vec<Node> {
        let rows = self.shown(query.table, self.root_rows(query), &query.body);
        self.nodes(rows, &query.body)
    }

    /// The rows of the root table that satisfy the query's conditions.
    pub(crate) fn root_rows(&self, query: &TestQuery) -> Vec<&'m Row> {
        let rows = self.model.rows[query.table].iter();
        rows.filter(|row| self.passes(row, &query.body.filters)).collect()
    }

    fn nodes(&self, rows: Vec<&Row>, body: &Body) -> Vec<Node> {
        let attach = |row: &Row| {
            let lists = body.related.iter().map(|(_, sub)| {
                let rows = self.shown(sub.table(), self.reached(row, sub), &sub.body);
                self.nodes(rows, &sub.body)
            });
            Node { row: row.clone(), related: lists.collect() }
        };
        rows.into_iter().map(attach).collect()
    }

    /// Sorts rows and takes those that the body's start, offset and limit leave.
    pub(crate) fn shown(&self, table: usize, mut rows: Vec<&'m Row>, body: &Body) -> Vec<&'m Row> {
        let columns = body.completed(&self.model.tables[table]);
        rows.sort_by(|a, b| compare_rows(a, b, &columns));
        let started = rows.into_iter().filter(|row| match &body.start {
            None => true,
            Some(start) => match compare_rows(row, &cursor(start, row.len()), &columns) {
                Ordering::Less => false,
                Ordering::Equal => !start.exclusive,
                Ordering::Greater => true,
            },
        });
        let limit = body.effective_limit().unwrap_or(usize::MAX);
        started.skip(body.offset).take(limit).collect()
    }

    /// The distinct rows at the end of a subquery's hops that satisfy its conditions.
    pub(crate) fn reached(&self, parent: &[Value], sub: &Sub) -> Vec<&'m Row> {
        let mut hops = self.hops(parent, sub);
        hops.pop().unwrap_or_default()
    }

    /// The distinct rows of each hop.
    pub(crate) fn hops(&self, parent: &[Value], sub: &Sub) -> Vec<Vec<&'m Row>> {
        let mut near: Vec<&[Value]> = vec![parent];
        let mut hops: Vec<Vec<&'m Row>> = Vec::new();
        for (at, hop) in sub.hops.iter().enumerate() {
            let last = at + 1 == sub.hops.len();
            let filters = if last { &sub.body.filters } else { &hop.filters };
            let correlated = |row: &[Value]| {
                near.iter().any(|near| {
                    hop.on.iter().all(|(parent, child)| {
                        !row[*child].is_null() && order(&near[*parent], &row[*child]).is_eq()
                    })
                })
            };
            let rows = self.model.rows[hop.table].iter();
            let reached: Vec<&'m Row> =
                rows.filter(|row| correlated(row) && self.passes(row, filters)).collect();
            near = reached.iter().map(|row| row.as_slice()).collect();
            hops.push(reached);
        }
        hops
    }
}

/// A cursor as a row; what it leaves out is null.
fn cursor(start: &Start, columns: usize) -> Row {
    let mut row = vec![Value::Null; columns];
    for (column, value) in &start.values {
        row[*column] = value.clone();
    }
    row
}

/// Whether two results are the same, value by value.
pub(crate) fn same_trees(a: &[Node], b: &[Node]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            identical_rows(&a.row, &b.row)
                && a.related.len() == b.related.len()
                && a.related.iter().zip(&b.related).all(|(a, b)| same_trees(a, b))
        })
}

/// A result as indented text, for failures.
pub(crate) fn describe(nodes: &[Node], indent: usize, out: &mut String) {
    for node in nodes {
        out.push_str(&format!("{:indent$}{:?}\n", "", node.row));
        for (at, list) in node.related.iter().enumerate() {
            out.push_str(&format!("{:indent$}  r{at}:\n", ""));
            describe(list, indent + 4, out);
        }
    }
}
