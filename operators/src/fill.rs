//! Filling and refilling windows from the source.
//!
//! A window is filled by reading its partition in order from its edge on, so that a limited window
//! reads no more than it takes plus the rows that do not pass. Where next to none pass because of
//! an EXISTS, that would be the whole table; so after a stretch of rows the other way is tried, from
//! the rows that the EXISTS finds (`drive`), then a longer stretch, and so on in turn. The work is
//! then within a constant factor of the better way, without statistics.
//!
//! Cost: one seek, plus the rows read. State: none.

use std::ops::ControlFlow;

use crate::bounds::OrderBounds;
use crate::graph::Graph;
use crate::key::Key;
use crate::level::{Level, LevelInput, ScanInput};
use crate::plan::{Binding, Extent};
use crate::route::distinct_values;
use crate::row::Row;
use crate::source::{At, Cursor, Source, SourceError};

/// How many rows are read in order before the other way is tried. Few in debug builds, so that
/// tests over little data go both ways.
const FIRST_STRETCH: usize = if cfg!(debug_assertions) { 2 } else { 128 };

/// How many rows the other way may read for each that was read in order, where an EXISTS is
/// decided for each.
const DRIVEN_PER_ROW: usize = 8;

/// How much longer each further stretch is.
const STRETCH_GROWTH: usize = 4;

/// A position in an order, and whether a row exactly there counts.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) key: Key,
    pub(crate) inclusive: bool,
}

impl Position {
    /// Whether a row at this key lies at or after the position.
    pub(crate) fn admits(&self, key: &[u8]) -> bool {
        if self.inclusive { key >= &self.key[..] } else { key > &self.key[..] }
    }
}

/// What a read has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reads {
    pub(crate) rows: u64,
    pub(crate) probes: u64,
}

/// How much a read may take and read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) room: usize,
    pub(crate) reads: usize,
}

/// How a read ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The window is full.
    Full,
    /// There are no more rows.
    Exhausted,
    /// As many rows as allowed have been read, up to this position.
    Stopped(Key),
}

/// The rows of a window that is being filled, in order.
#[derive(Debug)]
struct Filling {
    rows: Vec<(Key, Row)>,
    limits: Limits,
}

impl Filling {
    /// Puts a row in; returns whether there is no room left then.
    fn put(&mut self, key: Key, row: &Row) -> bool {
        self.rows.push((key, row.clone()));
        self.rows.len() >= self.limits.room
    }
}

impl Graph {
    /// Reads up to `room` matching rows of a partition, in order, from `edge` (exclusive) or the
    /// start cursor on. Returns them and whether the partition has no more.
    pub(crate) fn fill(
        &self,
        source: &dyn Source,
        level: &mut Level,
        route: &[u8],
        binding: &Binding,
        edge: Option<&Key>,
        room: usize,
    ) -> Result<(Vec<(Key, Row)>, bool), SourceError> {
        let limits = Limits { room, reads: usize::MAX };
        let (rows, end) = self.fill_within(source, level, route, binding, edge, limits)?;
        Ok((rows, matches!(end, End::Exhausted)))
    }

    /// As [`Graph::fill`], reading no more rows of the level's table in order than allowed; an EXISTS
    /// that drives may read a few times as many.
    pub(crate) fn fill_within(
        &self,
        source: &dyn Source,
        level: &mut Level,
        route: &[u8],
        binding: &Binding,
        edge: Option<&Key>,
        limits: Limits,
    ) -> Result<(Vec<(Key, Row)>, End), SourceError> {
        let mut reads = Reads::default();
        let outcome = self.read_window(source, level, route, binding, edge, limits, &mut reads);
        let stats = &mut level.stats;
        stats.probes += reads.probes;
        let refill = edge.is_some();
        *(if refill { &mut stats.refill_rows_in } else { &mut stats.hydrate_rows_in }) +=
            reads.rows;
        outcome
    }

    /// As [`Graph::fill_within`], with what it has cost apart.
    #[allow(clippy::too_many_arguments)] // For the borrow of `level`.
    pub(crate) fn read_window(
        &self,
        source: &dyn Source,
        level: &Level,
        route: &[u8],
        binding: &Binding,
        edge: Option<&Key>,
        limits: Limits,
        reads: &mut Reads,
    ) -> Result<(Vec<(Key, Row)>, End), SourceError> {
        let mut filling = Filling { rows: Vec::new(), limits };
        let from = first_position(level, &binding.extent, edge);
        let end = self.fill_from(source, level, route, binding, &mut filling, from, reads)?;
        Ok((filling.rows, end))
    }

    #[allow(clippy::too_many_arguments)] // The context of one read.
    fn fill_from(
        &self,
        source: &dyn Source,
        level: &Level,
        route: &[u8],
        binding: &Binding,
        filling: &mut Filling,
        mut from: Option<Position>,
        reads: &mut Reads,
    ) -> Result<End, SourceError> {
        let LevelInput::Scan(scan) = &level.input else { return Ok(End::Exhausted) };
        let Limits { room, reads: allowed } = filling.limits;
        if room == 0 {
            return Ok(End::Exhausted);
        }
        if let Some(keys) = &scan.listed {
            let from = from.as_ref();
            let rows = self.look_up(source, level, scan, keys, route, binding, from, reads)?;
            let is_full = rows.into_iter().any(|(key, row)| filling.put(key, &row));
            return Ok(if is_full { End::Full } else { End::Exhausted });
        }
        let Some(equal) = distinct_values(&scan.partition, route) else {
            return Ok(End::Exhausted);
        };
        let mut stretch = if scan.driver.is_some() { FIRST_STRETCH } else { usize::MAX };
        let mut read: usize = 0;
        let bounds = scan.bounds.as_deref();
        loop {
            stretch = stretch.min(allowed - read);
            let mut left = stretch;
            let mut outcome = Ok(End::Exhausted);
            let cursor =
                from.as_ref().map(|from| Cursor { key: &from.key, inclusive: from.inclusive });
            source.scan(At::After, scan.scan, &equal, cursor, false, &mut |row| {
                reads.rows += 1;
                left -= 1;
                match self.passes(source, level, scan, binding, row, &mut reads.probes) {
                    Err(error) => {
                        outcome = Err(error);
                        return ControlFlow::Break(());
                    }
                    Ok(true) if filling.put(level.order.key(row), row) => {
                        outcome = Ok(End::Full);
                        return ControlFlow::Break(());
                    }
                    Ok(false) if bounds.is_some_and(|bounds| bounds.is_behind(row)) => {
                        return ControlFlow::Break(());
                    }
                    Ok(_) => {}
                }
                if left == 0 {
                    outcome = Ok(End::Stopped(level.order.key(row)));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            let reached = match outcome? {
                End::Stopped(key) => key,
                end => return Ok(end),
            };
            read += stretch;
            if read >= allowed {
                return Ok(End::Stopped(reached));
            }
            from = Some(Position { key: reached, inclusive: false });
            let budget = stretch.saturating_mul(DRIVEN_PER_ROW);
            // How many more to read in order, if rows go on to pass as they have so far.
            let (found, missing) = (filling.rows.len(), room - filling.rows.len());
            if found > 0 && missing.saturating_mul(read) / found <= budget {
                stretch = stretch.saturating_mul(STRETCH_GROWTH);
                continue;
            }
            let driven = self.drive(source, level, route, binding, from.as_ref(), budget, reads)?;
            if let Some(rows) = driven {
                for (key, row) in rows {
                    if filling.put(key, &row) {
                        return Ok(End::Full);
                    }
                }
                return Ok(End::Exhausted);
            }
            stretch = stretch.saturating_mul(STRETCH_GROWTH);
        }
    }

    /// Whether a row passes its level's condition, on the data after the transaction.
    #[inline]
    pub(crate) fn passes(
        &self,
        source: &dyn Source,
        level: &Level,
        scan: &ScanInput,
        binding: &Binding,
        row: &Row,
        probes: &mut u64,
    ) -> Result<bool, SourceError> {
        if !scan.filter.row_passes(row) {
            return Ok(false);
        }
        self.gates_pass(source, level, scan, binding, row, None, probes)
    }
}

/// Where to read from: the latest of the edge, the start cursor and the condition's bound.
fn first_position(level: &Level, extent: &Extent, edge: Option<&Key>) -> Option<Position> {
    let start = extent.start.as_ref();
    let at_start =
        start.map(|start| Position { key: start.key.clone(), inclusive: !start.exclusive });
    let from = match edge {
        Some(edge) if start.is_none_or(|start| start.admits(edge)) => {
            Some(Position { key: edge.clone(), inclusive: false })
        }
        _ => at_start,
    };
    let bound = match &level.input {
        LevelInput::Scan(scan) => scan.bounds.as_deref().and_then(OrderBounds::first),
        LevelInput::Junction => None,
    };
    match (from, bound) {
        (Some(from), Some(bound)) if from.key >= *bound => Some(from),
        (from, None) => from,
        (_, Some(bound)) => Some(Position { key: bound.clone(), inclusive: true }),
    }
}
