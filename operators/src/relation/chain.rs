//! Chains: a base table, seen through filters and maps. What is in one can be read from the
//! source's own indexes wherever a column is a column of the table, so nothing of it is stored.

use std::ops::ControlFlow;

use super::map::Projection;
use super::plan::Relation;
use crate::expr::Expr;
use crate::key::{Direction, Key, KeyBuffer, encode};
use crate::row::Row;
use crate::schema::TableId;
use crate::source::{At, Cursor, ScanId, ScanShape, Source, SourceError, Visitor};
use crate::value::Value;

/// A scan with the filters and maps above it, lowest first.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    table: TableId,
    equal: Vec<(usize, Value)>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Filter(Expr),
    Map(Projection),
}

impl Chain {
    /// The chain that a relation is, if it is one.
    pub(crate) fn of(relation: &Relation) -> Option<Chain> {
        match relation {
            Relation::Scan { table, equal } => {
                Some(Chain { table: *table, equal: equal.clone(), steps: Vec::new() })
            }
            Relation::Filter { input, condition } => {
                let mut chain = Chain::of(input)?;
                chain.steps.push(Step::Filter(condition.clone()));
                Some(chain)
            }
            Relation::Map { input, columns } => {
                let mut chain = Chain::of(input)?;
                chain.steps.push(Step::Map(Projection::new(columns.clone())));
                Some(chain)
            }
            _ => None,
        }
    }

    /// The table's column that a column of the chain is, if it is one.
    pub(crate) fn base_column(&self, column: usize) -> Option<usize> {
        self.steps.iter().rev().try_fold(column, |column, step| match step {
            Step::Filter(_) => Some(column),
            Step::Map(projection) => projection.input_of(column),
        })
    }

    /// Where every one of the columns is one of the table, those.
    pub(crate) fn base_columns(&self, columns: &[usize]) -> Option<Vec<usize>> {
        columns.iter().map(|column| self.base_column(*column)).collect()
    }

    /// The row that a row of the table becomes, if it passes.
    fn apply(&self, row: &Row) -> Option<Row> {
        let mut row = row.clone();
        for step in &self.steps {
            match step {
                Step::Filter(condition) if !condition.holds(&row) => return None,
                Step::Filter(_) => {}
                Step::Map(projection) => row = projection.apply(&row),
            }
        }
        Some(row)
    }
}

/// A prepared read of a chain.
#[derive(Debug)]
pub(crate) struct Reader {
    chain: Chain,
    scan: ScanId,
    /// The encoded values that the chain's scan holds equal.
    fixed: Key,
}

impl Reader {
    /// Prepares reads of a chain that hold some of its columns equal, in an order; in that of the
    /// table's primary key where none is given. `None` where that is not a read of the table.
    pub(crate) fn prepare(
        source: &mut dyn Source,
        chain: &Chain,
        columns: &[usize],
        order: Option<&[(usize, Direction)]>,
    ) -> Result<Option<Reader>, SourceError> {
        let Some(held) = chain.base_columns(columns) else { return Ok(None) };
        let key = source.schema().table(chain.table).primary_key().to_vec();
        let order: Vec<(usize, Direction)> = match order {
            None => key.iter().map(|column| (*column, Direction::Asc)).collect(),
            Some(order) => {
                let ordered: Vec<usize> = order.iter().map(|(column, _)| *column).collect();
                let Some(base) = chain.base_columns(&ordered) else { return Ok(None) };
                if repeats(&base) || !key.iter().all(|column| base.contains(column)) {
                    return Ok(None);
                }
                base.into_iter().zip(order).map(|(base, (_, way))| (base, *way)).collect()
            }
        };
        let mut fixed = KeyBuffer::new();
        let mut equal = Vec::new();
        for (column, value) in &chain.equal {
            encode(&mut fixed, value.as_ref(), Direction::Asc);
            equal.push(*column);
        }
        equal.extend(held);
        if repeats(&equal) {
            return Ok(None);
        }
        let scan = source.prepare(&ScanShape { table: chain.table, equal, order })?;
        Ok(Some(Reader { chain: chain.clone(), scan, fixed: Key::from_slice(&fixed) }))
    }

    /// Gives the prepared read back.
    pub(crate) fn release(&self, source: &mut dyn Source) {
        source.release(self.scan);
    }

    /// Visits the rows of the chain with these values, as [`Source::scan`] does.
    pub(crate) fn read(
        &self,
        source: &dyn Source,
        at: At,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(), SourceError> {
        let mut values = KeyBuffer::from_slice(&self.fixed);
        values.extend_from_slice(equal);
        source.scan(at, self.scan, &values, from, reverse, &mut |row| {
            if self.chain.steps.is_empty() {
                return visit(row);
            }
            match self.chain.apply(row) {
                Some(row) => visit(&row),
                None => ControlFlow::Continue(()),
            }
        })
    }
}

fn repeats(columns: &[usize]) -> bool {
    columns.iter().enumerate().any(|(at, column)| columns[..at].contains(column))
}
