//! The most that threads could gain: two databases that share nothing, one a thread, against the
//! same two one after the other. What shares tables, levels and rows gains less.

use std::hint::black_box;
use std::time::Instant;

use penstock::{Database, Error, Query, Subscription};

use super::queries;
use super::subjects::NO_INDEXES;
use crate::check::Check;
use crate::data::{Data, issue_edits};
use crate::report::{MICROS, Outcome, RATIO};
use crate::scratch::State;
use crate::setting::{Opened, Setting};
use crate::tables::edit_changes;

/// Issues whose comments are watched, in each half.
const PAGES: u32 = 2_000;
/// How often the two ways are measured in turns.
const TURNS: usize = 5;
/// Edits in a transaction.
const WIDE: usize = 10_000;

/// How long the halves take one after the other, and at the same time; the work is told which time
/// it is done.
fn compare(
    outcome: &mut Outcome,
    name: &str,
    halves: &[Opened; 2],
    work: impl Fn(&Database, usize) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (mut serial, mut parallel) = (0.0, 0.0);
    for turn in 0..TURNS {
        let started = Instant::now();
        halves.iter().try_for_each(|half| work(&half.db, 2 * turn))?;
        serial += started.elapsed().as_secs_f64() * 1e6;
        let started = Instant::now();
        let [one, other] = halves.each_ref().map(|half| half.db.clone());
        std::thread::scope(|scope| {
            let other = scope.spawn(|| work(&other, 2 * turn + 1));
            let one = work(&one, 2 * turn + 1);
            one.and(other.join().unwrap_or_else(|_| Err(Error::abort("a thread failed"))))
        })?;
        parallel += started.elapsed().as_secs_f64() * 1e6;
    }
    outcome.push(&format!("{name}_serial_wall"), serial / TURNS as f64, MICROS);
    outcome.push(&format!("{name}_threads_wall"), parallel / TURNS as f64, MICROS);
    outcome.push(&format!("{name}_gain"), serial / parallel, RATIO);
    Ok(())
}

/// Hydrations of many queries and of one large tree, and wide transactions with a list live.
pub(super) fn apart(setting: &Setting) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let halves = [setting.open(NO_INDEXES)?, setting.open(NO_INDEXES)?];
    // These build the indexes, and keep them.
    let live = |query: fn() -> Query| -> Result<Vec<Subscription>, Error> {
        halves.iter().map(|half| half.db.subscribe(query())).collect()
    };
    let _indexes = [live(|| queries::discussion(0))?, live(|| queries::with_comments().limit(1))?];
    compare(&mut outcome, "pages", &halves, |db, _| {
        let live: Result<Vec<Subscription>, Error> =
            (0..PAGES).map(|issue| db.subscribe(queries::discussion(issue))).collect();
        live?.iter().for_each(|live| drop(black_box(live.rows())));
        Ok(())
    })?;
    compare(&mut outcome, "tree", &halves, |db, _| {
        db.subscribe(queries::with_comments()).map(|live| drop(black_box(live.rows())))
    })?;
    let lists = live(queries::open)?;
    let edits = issue_edits(&setting.data, 2 * TURNS * WIDE);
    let changes = edit_changes(&halves[0].db.schema(), &setting.data, &edits)?;
    compare(&mut outcome, "wide", &halves, |db, time| {
        db.apply(changes[time * WIDE..(time + 1) * WIDE].to_vec()).map(drop)
    })?;
    halves.iter().try_for_each(|half| half.db.verify())?;
    let mut check = Check::default();
    check.tree(&lists[0].rows());
    outcome.check = Some(check);
    Ok(outcome)
}

/// The list after all edits.
pub(super) fn expected(data: &Data) -> Check {
    State::edited(data, 2 * TURNS * WIDE).list(usize::MAX)
}
