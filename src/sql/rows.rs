//! A planned query: a relation, which of its columns are shown, and how they are ordered.

use std::sync::Arc;

use penstock_operators::expr::Expr;
use penstock_operators::key::Direction;
use penstock_operators::relation::plan::Relation;

use super::bound::Traits;
use super::level::Level;
use super::scope::{ScopeColumn, same};
use super::work::Work;

/// The rows of a query, before they are ordered and limited.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) relation: Arc<Relation>,
    pub(super) width: usize,
    pub(super) outputs: Vec<Output>,
    /// The columns that tell rows apart; none where there is one row at most.
    pub(super) key: Vec<usize>,
    /// The order, not completed by the key.
    pub(super) order: Vec<(usize, Direction)>,
    pub(super) page: Page,
    /// Of a subquery: what of the row around has to equal which column.
    pub(super) correlation: Vec<(Expr, usize)>,
    /// Of a subquery: what has to be true of the row around for it to have rows.
    pub(super) outer: Vec<Expr>,
    /// Of an aggregate without groups: the outputs where there is nothing to aggregate.
    pub(super) of_nothing: Option<Vec<Expr>>,
    /// The nested lists of each row.
    pub(super) nested: Vec<Nested>,
}

/// A column of a result.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) traits: Traits,
    pub(super) position: usize,
}

/// A nested list of a result.
#[derive(Debug)]
pub(super) struct Nested {
    pub(super) name: String,
    pub(super) level: Level,
    /// The columns whose values lead to its rows.
    pub(super) columns: Vec<usize>,
}

/// Which rows are taken of those in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

impl Page {
    pub(super) fn is_all(self) -> bool {
        self == Page::default()
    }
}

impl Rows {
    /// The order completed by the key, without repeats.
    pub(super) fn total_order(&self) -> Vec<(usize, Direction)> {
        let mut order: Vec<(usize, Direction)> = Vec::new();
        let key = self.key.iter().map(|column| (*column, Direction::Asc));
        for (column, direction) in self.order.iter().copied().chain(key) {
            if order.iter().all(|(ordered, _)| *ordered != column) {
                order.push((column, direction));
            }
        }
        order
    }

    /// The rows of the page only, for each row around.
    pub(super) fn paged(mut self) -> Rows {
        if !self.page.is_all() {
            let Page { limit, offset } = std::mem::take(&mut self.page);
            self.relation = Arc::new(Relation::Top {
                input: Arc::clone(&self.relation),
                group: self.correlated_columns(),
                order: self.total_order(),
                offset,
                limit,
            });
        }
        self
    }

    /// The first row only, for each row around.
    pub(super) fn first(mut self) -> Rows {
        self.page.limit = Some(self.page.limit.unwrap_or(1).min(1));
        let aggregated = self.of_nothing.is_some();
        if aggregated && self.page == (Page { limit: Some(1), offset: 0 }) {
            self.page = Page::default();
        }
        self.paged()
    }

    /// The columns that the row around leads to, without repeats.
    pub(super) fn correlated_columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = Vec::new();
        for (_, column) in &self.correlation {
            if !columns.contains(column) {
                columns.push(*column);
            }
        }
        columns
    }

    /// The rows as a table in FROM whose first column has a slot.
    pub(super) fn as_item(&self, start: usize) -> (Vec<ScopeColumn>, Work) {
        let mut names: Vec<String> = Vec::new();
        for output in &self.outputs {
            let name = unique(&output.name, &names);
            names.push(name);
        }
        let columns = names
            .into_iter()
            .zip(&self.outputs)
            .map(|(name, output)| {
                // As a column it has a collation, and that goes before the other side's.
                let collation = Some(output.traits.collation());
                let traits = Traits { collation, explicit: false, ..output.traits };
                ScopeColumn { name, traits, merged: false }
            })
            .collect();
        let slots = self.outputs.iter().enumerate();
        let work = Work {
            relation: Arc::clone(&self.relation),
            width: self.width,
            slots: slots.map(|(at, output)| (start + at, output.position)).collect(),
            key: self.key.clone(),
        };
        (columns, work)
    }
}

/// A name that is not taken: SQLite adds `:1`, `:2` and so on.
pub(super) fn unique(name: &str, taken: &[String]) -> String {
    let is_taken = |name: &str| taken.iter().any(|other| same(other, name));
    let mut candidate = name.to_owned();
    let mut count = 0;
    while is_taken(&candidate) {
        count += 1;
        candidate = format!("{name}:{count}");
    }
    candidate
}
