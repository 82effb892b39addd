//! Evaluation: all rows of a node, as the data is now. Done when something that is kept is made.
//!
//! Cost: the rows of the nodes below, down to what keeps its rows. A join looks one side up by
//! the rows of the other; where that is many rows more than the looked-up side has, it reads that
//! side once instead.

use std::ops::ControlFlow;

use super::delta_join::{DeltaJoin, Walk, Whole};
use super::flow::{Flow, NodeId};
use super::join::{Join, Side};
use super::node::Operator;
use super::zset::{Changes, keyed, runs};
use crate::key::{Key, KeyBuffer, write_columns_non_null};
use crate::level::{FixedMap, fixed_hasher};
use crate::row::Row;
use crate::source::{At, Source, SourceError};

/// Up to this many keys are looked up one by one. Few in debug builds, so that tests over little
/// data go both ways.
const LOOK_UPS: usize = if cfg!(debug_assertions) { 3 } else { 1024 };

/// A side is read as a whole while it has at most so many rows for each look-up that this saves.
const ROWS_PER_LOOK_UP: usize = if cfg!(debug_assertions) { 2 } else { 8 };

/// Takes a row and its count; breaks to end.
type Visit<'v> = dyn FnMut(&Row, i64) -> Result<ControlFlow<()>, SourceError> + 'v;

impl Flow {
    /// Visits all rows of a node.
    ///
    /// # Errors
    /// A failing source, or that of `visit`.
    pub(super) fn evaluate(
        &self,
        source: &dyn Source,
        id: NodeId,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, SourceError> {
        let node = self.node(id);
        match &node.operator {
            Operator::Scan(reader) => {
                let mut outcome = Ok(ControlFlow::Continue(()));
                reader.read(source, At::After, &[], None, false, &mut |row| {
                    outcome = visit(row, 1);
                    match outcome {
                        Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                        _ => ControlFlow::Break(()),
                    }
                })?;
                outcome
            }
            Operator::Rows(rows) => visit_all(rows.iter().map(|row| (row, 1)), visit),
            Operator::Map(projection) => {
                self.evaluate(source, node.inputs[0], &mut |row, count| {
                    visit(&projection.apply(row), count)
                })
            }
            Operator::Filter(condition) => self.evaluate(
                source,
                node.inputs[0],
                &mut |row, count| match condition.holds(row) {
                    true => visit(row, count),
                    false => Ok(ControlFlow::Continue(())),
                },
            ),
            Operator::Union => {
                for input in &node.inputs {
                    if self.evaluate(source, *input, visit)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
            Operator::LeftJoin(join) => self.evaluate_join(source, join, &node.inputs, visit),
            Operator::DeltaJoin(join) => {
                self.evaluate_delta_join(source, join, &node.inputs, visit)
            }
            Operator::Aggregate(aggregate) => {
                visit_all(aggregate.rows().map(|row| (row, 1)), visit)
            }
            Operator::Distinct(distinct) => visit_all(distinct.rows().map(|row| (row, 1)), visit),
            Operator::Top(top) => visit_all(top.rows().map(|(row, count)| (row, *count)), visit),
        }
    }

    fn evaluate_join(
        &self,
        source: &dyn Source,
        join: &Join,
        inputs: &[NodeId],
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, SourceError> {
        let (left, right) = (inputs[0], inputs[1]);
        let mut out = Changes::new();
        let mut matches = Changes::new();
        if !matches!(join.right, Side::Read(_)) {
            let mut key = KeyBuffer::new();
            return self.evaluate(source, left, &mut |row, count| {
                out.clear();
                key.clear();
                matches.clear();
                if write_columns_non_null(row, &join.left_key, &mut key) {
                    self.look_up(source, &join.right, &key, i64::MAX, &mut matches)?;
                }
                join.pair(row, count, (&matches, None), &mut out);
                visit_all(out.iter().map(|(row, count)| (row, *count)), visit)
            });
        }
        let mut rows = Changes::new();
        let _ = self.evaluate(source, left, &mut |row, count| {
            rows.push((row.clone(), count));
            Ok(ControlFlow::Continue(()))
        })?;
        let by_key = keyed(&rows, 1, |row, key| write_columns_non_null(row, &join.left_key, key));
        let keys = runs(&by_key).count();
        let whole = match keys > LOOK_UPS {
            true => self.read_whole(source, right, &join.right_key, keys * ROWS_PER_LOOK_UP)?,
            false => None,
        };
        join.put_unmatchable(&rows, &mut out);
        for run in runs(&by_key) {
            let key = &run[0].key;
            let found: (&[(Row, i64)], Option<&[usize]>) = match &whole {
                Some(whole) => (whole.get(key), whole.picked),
                None => {
                    matches.clear();
                    self.look_up(source, &join.right, key, i64::MAX, &mut matches)?;
                    (&matches, join.right.picked())
                }
            };
            run.iter().for_each(|change| join.pair(change.row, change.count, found, &mut out));
            if visit_all(out.iter().map(|(row, count)| (row, *count)), visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            out.clear();
        }
        visit_all(out.iter().map(|(row, count)| (row, *count)), visit)
    }

    /// Takes the rows of the first input along its path.
    fn evaluate_delta_join(
        &self,
        source: &dyn Source,
        join: &DeltaJoin,
        inputs: &[NodeId],
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, SourceError> {
        let Some((rows, picked)) = self.all_rows(source, inputs[0], usize::MAX)? else {
            return Ok(ControlFlow::Continue(()));
        };
        let path = &join.paths[0];
        let key = path.first().map_or(&[][..], |probe| &probe.key);
        let first: Vec<usize> = key.iter().map(|(_, column)| at(*column, picked)).collect();
        // In the order of what is looked up first, so that nothing is looked up twice there.
        let by_key = keyed(&rows, 1, |row, key| write_columns_non_null(row, &first, key));
        let mut keys = runs(&by_key).count();
        let mut whole = Vec::with_capacity(path.len());
        for probe in path {
            let reads = matches!(probe.side, Side::Read(_)) && keys > LOOK_UPS;
            let most = keys * ROWS_PER_LOOK_UP;
            whole.push(match reads {
                true => self.read_whole(source, inputs[probe.leaf], &probe.columns, most)?,
                false => None,
            });
            keys = rows.len();
        }
        let mut walk = Walk::new(self, source, join, 0, &[], &whole);
        let mut out = Changes::new();
        for change in &by_key {
            walk.start((change.row, picked), change.count, &mut out)?;
            if visit_all(out.iter().map(|(row, count)| (row, *count)), visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            out.clear();
        }
        Ok(ControlFlow::Continue(()))
    }

    /// All rows of a node by some columns; `None` where they are more than `most`.
    fn read_whole(
        &self,
        source: &dyn Source,
        id: NodeId,
        columns: &[usize],
        most: usize,
    ) -> Result<Option<Whole<'_>>, SourceError> {
        let Some((all, picked)) = self.all_rows(source, id, most)? else { return Ok(None) };
        let columns: Vec<usize> = columns.iter().map(|column| at(*column, picked)).collect();
        let mut whole = Whole { rows: FixedMap::with_hasher(fixed_hasher()), picked };
        for (row, count) in all {
            let mut key = KeyBuffer::new();
            if write_columns_non_null(&row, &columns, &mut key) {
                whole.rows.entry(Key::from_slice(&key)).or_default().push((row, count));
            }
        }
        Ok(Some(whole))
    }

    /// All rows of a node, with where they have its columns if they are rows of the source; `None`
    /// where they are more than `most`. Rows of the source are shared, so that nothing is made.
    fn all_rows(
        &self,
        source: &dyn Source,
        id: NodeId,
        most: usize,
    ) -> Result<Option<AllRows<'_>>, SourceError> {
        let mut rows = Changes::new();
        if let Operator::Scan(reader) = &self.node(id).operator {
            let bound = i64::try_from(most).unwrap_or(i64::MAX);
            reader.find(source, &[], bound, &mut rows)?;
            return Ok((rows.len() <= most).then_some((rows, reader.picked())));
        }
        let end = self.evaluate(source, id, &mut |row, count| {
            if rows.len() == most {
                return Ok(ControlFlow::Break(()));
            }
            rows.push((row.clone(), count));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(end.is_continue().then_some((rows, None)))
    }
}

/// Rows with counts, and where they have a node's columns if they are not rows of it as they are.
type AllRows<'f> = (Changes, Option<&'f [usize]>);

/// Where a row has a column.
fn at(column: usize, picked: Option<&[usize]>) -> usize {
    picked.map_or(column, |picked| picked[column])
}

fn visit_all<'r>(
    rows: impl Iterator<Item = (&'r Row, i64)>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, SourceError> {
    for (row, count) in rows {
        if visit(row, count)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
