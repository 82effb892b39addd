//! Many live queries of different shapes over the generated tables: ranges, IN lists, and equality,
//! which is lifted.

use penstock::operators::source::Change;
use penstock::{Error, Query, Schema};

use super::live::{push, singly};
use super::queries;
use super::subjects::NO_INDEXES;
use super::watched::{Watched, requery};
use crate::report::Outcome;
use crate::scratch::shapes::{
    calendars, discussion_adds, instants, lists, pinned_edits, reschedules,
};
use crate::setting::{Opened, Setting};
use crate::tables::{comment_changes, edit_changes};

/// At most so many results are compared with a fresh evaluation by the engine.
const VERIFIED: usize = 1_000;
/// The units of counts per change.
const LEVELS: &str = "levels/op";
const PATCHES: &str = "patches/op";

/// Live queries under transactions of one change each, with the number of levels that a change has
/// reached in the mean (`levels_reached`), which depends on no clock.
pub(super) fn shapes(
    opened: &Opened,
    queries: &[Query],
    changes: Vec<Change>,
) -> Result<(Outcome, Watched), Error> {
    let db = &opened.db;
    let mut outcome = Outcome::default();
    let mut watched = Watched::subscribe(db, queries.iter().cloned(), &mut outcome)?;
    requery(db, queries.iter().cloned(), queries.len(), &mut outcome)?;
    let count = changes.len() as f64;
    push(opened, singly(changes), &mut outcome, None, || watched.take())?;
    outcome.push("levels_reached", watched.deltas_in() as f64 / count, LEVELS);
    outcome.push("patches", watched.patches as f64 / count, PATCHES);
    // Beyond that the check has to do: hydrating some of these shapes reads the whole table.
    if queries.len() <= VERIFIED {
        db.verify()?;
    }
    outcome.check = Some(watched.check());
    Ok((outcome, watched))
}

/// Over the generated tables.
fn generated(
    setting: &Setting,
    queries: impl Iterator<Item = Query>,
    changes: impl Fn(&Schema) -> Result<Vec<Change>, Error>,
) -> Result<Outcome, Error> {
    let opened = setting.open(NO_INDEXES)?;
    let changes = changes(&opened.db.schema())?;
    Ok(shapes(&opened, &queries.collect::<Vec<Query>>(), changes)?.0)
}

/// Tr with `SHAPES` shapes.
pub(super) fn ranges<const SHAPES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let queries = calendars(SHAPES).map(|shape| queries::calendar(&shape));
    generated(setting, queries, |schema| edit_changes(schema, data, &reschedules(data)))
}

/// To with `SHAPES` shapes.
pub(super) fn open_ended<const SHAPES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let queries = instants(SHAPES).map(queries::after);
    generated(setting, queries, |schema| edit_changes(schema, data, &reschedules(data)))
}

/// Ti with `SHAPES` shapes.
pub(super) fn lists_of<const SHAPES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let queries = lists(data, SHAPES).map(|list| queries::pinned(&list));
    let edits = pinned_edits(data, SHAPES);
    generated(setting, queries, |schema| edit_changes(schema, data, &edits))
}

/// Te with `QUERIES` queries.
pub(super) fn equalities<const QUERIES: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let data = &setting.data;
    let queries = (0..data.sizes.issues).cycle().take(QUERIES).map(queries::discussion);
    generated(setting, queries, |schema| comment_changes(schema, &discussion_adds(data, QUERIES)))
}
