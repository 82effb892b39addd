//! The row set of a result, from its definition.
//!
//! The rows of the tree; for each parent the hidden rows of its junctions, whatever becomes of the
//! far rows; and for each row, for each EXISTS of its conditions that holds, the first row by
//! primary key that satisfies the EXISTS, with its own witnesses. The body of a NOT EXISTS, and an
//! EXISTS that constants make irrelevant, contribute nothing.

use penstock::{RowView, Value};

use super::evaluate::Naive;
use super::flat;
use super::model::{Row, TableModel};
use super::query::{Body, Cond, Sub, TestQuery};
use super::values::identical_rows;

/// Base rows by table, without repeats, sorted by table and primary key.
pub(crate) type Rows = Vec<(usize, Row)>;

impl Naive<'_> {
    /// The row set of a query.
    pub(crate) fn row_set(&self, query: &TestQuery) -> Rows {
        let mut rows = Rows::new();
        let shown = self.shown(query.table, self.root_rows(query), &query.body);
        for row in shown {
            self.add_row(query.table, row, &query.body, &mut rows);
        }
        rows.sort_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| self.model.tables[a.0].compare_keys(&a.1, &b.1))
        });
        rows.dedup_by(|a, b| a.0 == b.0 && identical_rows(&a.1, &b.1));
        rows
    }

    fn add_row(&self, table: usize, row: &[Value], body: &Body, rows: &mut Rows) {
        rows.push((table, row.to_vec()));
        self.add_witnesses(row, &body.filters, rows);
        for (_, sub) in &body.related {
            self.add_related(row, sub, rows);
        }
    }

    fn add_related(&self, parent: &[Value], sub: &Sub, rows: &mut Rows) {
        let mut reached = self.hops(parent, sub);
        let last = reached.pop().unwrap_or_default();
        for (hop, hidden) in sub.hops.iter().zip(reached) {
            for row in hidden {
                rows.push((hop.table, row.clone()));
                self.add_witnesses(row, &hop.filters, rows);
            }
        }
        for row in self.shown(sub.table(), last, &sub.body) {
            self.add_row(sub.table(), row, &sub.body, rows);
        }
    }

    fn add_witnesses(&self, row: &[Value], conditions: &[Cond], rows: &mut Rows) {
        if self.constant_all(conditions).is_none() {
            conditions.iter().for_each(|each| self.add_witnesses_of(row, each, false, rows));
        }
    }

    fn add_witnesses_of(&self, row: &[Value], condition: &Cond, negate: bool, rows: &mut Rows) {
        if self.constant(condition, negate).is_some() {
            return;
        }
        match condition {
            Cond::And(each) | Cond::Or(each) => {
                each.iter().for_each(|each| self.add_witnesses_of(row, each, negate, rows));
            }
            Cond::Not(inner) => self.add_witnesses_of(row, inner, !negate, rows),
            Cond::Exists { sub, negated } if *negated == negate => {
                self.add_witness(row, sub, rows);
            }
            Cond::Exists { .. } | Cond::Compare { .. } | Cond::Constant { .. } => {}
        }
    }

    /// The first row of the first hop from which the rest of the way leads to a row, and so on.
    fn add_witness(&self, parent: &[Value], sub: &Sub, rows: &mut Rows) {
        let first = Sub { hops: sub.hops[..1].to_vec(), body: Body::default() };
        let rest = (sub.hops.len() > 1)
            .then(|| Sub { hops: sub.hops[1..].to_vec(), body: sub.body.clone() });
        let filters = if rest.is_some() { &sub.hops[0].filters } else { &sub.body.filters };
        let leads_on =
            |row: &Row| rest.as_ref().is_none_or(|rest| !self.reached(row, rest).is_empty());
        let table = sub.hops[0].table;
        let witness = self
            .reached(parent, &first)
            .into_iter()
            .filter(|row| self.passes(row, filters) && leads_on(row))
            .min_by(|a, b| self.model.tables[table].compare_keys(a, b));
        let Some(witness) = witness else { return };
        rows.push((table, witness.clone()));
        self.add_witnesses(witness, filters, rows);
        if let Some(rest) = &rest {
            self.add_witness(witness, rest, rows);
        }
    }
}

/// Rows of the engine in the form and order of the naive row set.
pub(crate) fn rows_of(tables: &[TableModel], rows: Vec<RowView>) -> Result<Rows, String> {
    let mut found = Rows::new();
    for row in rows {
        let name = row.table().name();
        let table = tables.iter().position(|table| table.name == name);
        found.push((table.ok_or("a row of no table")?, flat::values(&row)));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| tables[a.0].compare_keys(&a.1, &b.1)));
    let repeated = found.windows(2).find(|pair| {
        pair[0].0 == pair[1].0 && tables[pair[0].0].compare_keys(&pair[0].1, &pair[1].1).is_eq()
    });
    match repeated {
        Some(pair) => Err(format!("a row twice in a row set: {:?} and {:?}", pair[0], pair[1])),
        None => Ok(found),
    }
}

/// Whether two row sets are the same; if not, what differs.
pub(crate) fn same_rows(what: &str, found: &Rows, expected: &Rows) -> Result<(), String> {
    let same = |a: &(usize, Vec<penstock::Value>), b: &(usize, Vec<penstock::Value>)| {
        a.0 == b.0 && identical_rows(&a.1, &b.1)
    };
    let lacks = |rows: &Rows, others: &Rows| -> Rows {
        let absent = |row: &&(usize, _)| !others.iter().any(|other| same(other, row));
        rows.iter().filter(absent).cloned().collect()
    };
    let (extra, missing) = (lacks(found, expected), lacks(expected, found));
    match extra.is_empty() && missing.is_empty() && found.len() == expected.len() {
        true => Ok(()),
        false => Err(format!("{what} has too much: {extra:?}; and lacks: {missing:?}")),
    }
}
