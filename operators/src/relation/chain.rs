//! Chains: a base table, seen through filters and maps. What is in one can be read from the
//! source's own indexes wherever a column is a column of the table, so nothing of it is stored.

use std::ops::ControlFlow;

use super::map::Projection;
use super::plan::Relation;
use crate::delta::ColumnSet;
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
                chain.filter(condition.clone());
                Some(chain)
            }
            Relation::Map { input, columns } => {
                let mut chain = Chain::of(input)?;
                chain.map(columns.clone());
                Some(chain)
            }
            _ => None,
        }
    }

    /// Adds a filter: below the last map where that only passes on what the filter reads.
    fn filter(&mut self, condition: Expr) {
        if let Some(Step::Map(projection)) = self.steps.last()
            && let Some(below) = substituted(&condition, projection.columns())
        {
            let at = self.steps.len() - 1;
            self.steps.insert(at, Step::Filter(below));
            return;
        }
        self.steps.push(Step::Filter(condition));
    }

    /// Adds a map: as one with the last where that computes nothing twice.
    fn map(&mut self, columns: Vec<Expr>) {
        if let Some(Step::Map(projection)) = self.steps.last()
            && let Some(composed) = composed(&columns, projection.columns())
        {
            self.steps.pop();
            self.steps.push(Step::Map(Projection::new(composed)));
            return;
        }
        self.steps.push(Step::Map(Projection::new(columns)));
    }

    /// The columns of the table that the rows out depend on.
    pub(crate) fn reads(&self) -> ColumnSet {
        let mut reads: ColumnSet = self.equal.iter().map(|(column, _)| *column).collect();
        for step in &self.steps {
            match step {
                Step::Filter(condition) => reads = reads.union(condition.columns()),
                Step::Map(projection) => {
                    let columns = projection.columns().iter();
                    return columns.fold(reads, |reads, column| reads.union(column.columns()));
                }
            }
        }
        ColumnSet::ALL
    }

    /// Where a row of the chain is one of the table with some of its columns, those.
    fn picked(&self) -> Option<Vec<usize>> {
        match self.steps.split_last()? {
            (Step::Map(projection), rest) => {
                let filters = rest.iter().all(|step| matches!(step, Step::Filter(_)));
                filters.then(|| projection.plain().map(<[usize]>::to_vec))?
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

    /// Whether the rows are rows of the table as they are.
    pub(crate) fn passes_on(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Filter(_)))
    }

    /// The row that a row of the table becomes, if it passes.
    pub(crate) fn apply(&self, row: &Row) -> Option<Row> {
        let mut made: Option<Row> = None;
        for step in &self.steps {
            let row = made.as_ref().unwrap_or(row);
            match step {
                Step::Filter(condition) if !condition.holds(row) => return None,
                Step::Filter(_) => {}
                Step::Map(projection) => made = Some(projection.apply(row)),
            }
        }
        Some(made.unwrap_or_else(|| row.clone()))
    }

    /// Whether a row of the table passes all filters below the first map.
    fn passes(&self, row: &Row) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Filter(condition) => condition.holds(row),
            Step::Map(_) => true,
        })
    }
}

/// A prepared read of a chain.
#[derive(Debug)]
pub(crate) struct Reader {
    chain: Chain,
    scan: ScanId,
    /// The encoded values that the chain's scan holds equal.
    fixed: Key,
    /// Where a row of the chain is one of the table with some of its columns, those.
    picked: Option<Vec<usize>>,
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
        let (chain, fixed) = (chain.clone(), Key::from_slice(&fixed));
        Ok(Some(Reader { picked: chain.picked(), chain, scan, fixed }))
    }

    /// What is read.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The table and what its scan holds equal.
    pub(crate) fn scanned(&self) -> (TableId, &[(usize, Value)]) {
        (self.chain.table, &self.chain.equal)
    }

    /// The table's columns of which [`Reader::find`] finds whole rows; `None` where it finds rows
    /// of the chain.
    pub(crate) fn picked(&self) -> Option<&[usize]> {
        self.picked.as_deref()
    }

    /// Appends the rows with these values, as of after the transaction, until there are more than
    /// `bound`; rows of the table where [`Reader::picked`] says which of their columns are those of
    /// the chain.
    pub(crate) fn find(
        &self,
        source: &dyn Source,
        equal: &[u8],
        bound: i64,
        out: &mut Vec<(Row, i64)>,
    ) -> Result<(), SourceError> {
        let mut found = 0;
        let mut put = |row: Row| {
            out.push((row, 1));
            found += 1;
            if found > bound { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut values = KeyBuffer::from_slice(&self.fixed);
        values.extend_from_slice(equal);
        source.scan(At::After, self.scan, &values, None, false, &mut |row| {
            if self.picked.is_some() {
                return if self.chain.passes(row) {
                    put(row.clone())
                } else {
                    ControlFlow::Continue(())
                };
            }
            self.chain.apply(row).map_or(ControlFlow::Continue(()), &mut put)
        })
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

/// An expression over a map's output as one over its input, where all it reads there is passed on
/// or constant.
pub(crate) fn substituted(expr: &Expr, columns: &[Expr]) -> Option<Expr> {
    let mut passed_on = true;
    expr.for_each_column(&mut |column| {
        passed_on &= matches!(columns.get(column), Some(Expr::Column(_) | Expr::Literal(_)));
    });
    passed_on.then(|| expr.replace_columns(&|column| columns[column].clone()))
}

/// Two maps as one, where nothing is computed twice; `inner` is the lower.
pub(crate) fn composed(outer: &[Expr], inner: &[Expr]) -> Option<Vec<Expr>> {
    let mut computed = Vec::new();
    let one = |column: &Expr| match column {
        Expr::Column(at) if !is_cheap(inner.get(*at)?) => {
            let again = computed.contains(at);
            computed.push(*at);
            (!again).then(|| inner[*at].clone())
        }
        column => substituted(column, inner),
    };
    outer.iter().map(one).collect()
}

fn is_cheap(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_) | Expr::Literal(_))
}

fn repeats(columns: &[usize]) -> bool {
    columns.iter().enumerate().any(|(at, column)| columns[..at].contains(column))
}
