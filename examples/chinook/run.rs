//! The example itself: live queries, events, and what the events change.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use penstock::{Database, Patch, Subscription, Tree};

use super::events::Store;
use super::queries::{self, Watched};
use super::show::{self, Style};
use super::store;

/// What to do and what to print.
pub(crate) struct Options {
    pub(crate) data: PathBuf,
    pub(crate) steps: usize,
    pub(crate) check: bool,
    pub(crate) quiet: bool,
    pub(crate) explain: bool,
    pub(crate) style: Style,
}

/// A live query.
struct Live {
    watched: Watched,
    subscription: Subscription,
    /// The first result, taken through every patch since.
    copy: Tree,
    patches: usize,
}

/// Totals over all steps.
#[derive(Default)]
struct Totals {
    rows: usize,
    time: Duration,
    time_max: Duration,
    checked: usize,
}

/// Runs the example.
///
/// # Errors
/// Data that cannot be loaded, a failing `out`, or with `check` the first result that is not what
/// a fresh evaluation gives.
pub(crate) fn run(options: &Options, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let db = store::open(&options.data)?;
    let mut lives = Vec::new();
    for watched in queries::all() {
        let subscription = db.subscribe(watched.query.clone())?;
        let copy = subscription.rows();
        if !options.quiet {
            show::result(out, options.style, &watched, &copy)?;
        }
        lives.push(Live { watched, subscription, copy, patches: 0 });
    }
    let mut totals = Totals::default();
    if options.check {
        totals.checked += check(&db, &lives)?;
    }
    let mut store = Store::new(&db)?;
    for step in 1..=options.steps {
        let event = store.next_event()?;
        totals.rows += event.rows;
        totals.time += store.time;
        totals.time_max = totals.time_max.max(store.time);
        if !options.quiet {
            let plural = if event.rows == 1 { "" } else { "s" };
            let rows = options.style.faint(&format!("({} row{plural})", event.rows));
            writeln!(out, "{} {rows}", options.style.strong(&format!("{step}. {}", event.text)))?;
        }
        for live in &mut lives {
            let patches: Vec<Patch> = live.subscription.changes().collect();
            for patch in &patches {
                live.copy.apply(patch);
                live.patches += 1;
            }
            if !options.quiet {
                show::changes(out, options.style, &live.watched, &patches)?;
            }
        }
        if options.check {
            totals.checked +=
                check(&db, &lives).map_err(|error| format!("step {step}: {error}"))?;
        }
    }
    summary(options, out, &db, &lives, &totals)
}

/// Compares every live result, and its copy kept up to date by patches, with a fresh evaluation;
/// returns how many results that were.
fn check(db: &Database, lives: &[Live]) -> Result<usize, Box<dyn Error>> {
    db.verify()?;
    for Live { watched, subscription, copy, .. } in lives {
        let fresh = db.query(&watched.query)?;
        if subscription.rows() != fresh {
            return Err(
                format!("the live result of {:?} is not the fresh one", watched.title).into()
            );
        }
        if *copy != fresh {
            return Err(format!("the patches of {:?} lead elsewhere", watched.title).into());
        }
    }
    Ok(lives.len())
}

fn summary(
    options: &Options,
    out: &mut dyn Write,
    db: &Database,
    lives: &[Live],
    totals: &Totals,
) -> Result<(), Box<dyn Error>> {
    if options.explain
        && let Some(live) = lives.first()
    {
        write!(out, "\n{}\n{}", live.watched.title, live.subscription.explain())?;
    }
    if !options.quiet {
        writeln!(out)?;
    }
    let patches: usize = lives.iter().map(|live| live.patches).sum();
    let average = totals.time / u32::try_from(options.steps.max(1))?;
    let usage = db.memory_usage()?;
    let source: usize = usage.source.iter().map(|(_, bytes)| bytes).sum();
    writeln!(
        out,
        "{} transactions, {} rows written, {patches} patches in {} live queries:",
        options.steps,
        totals.rows,
        lives.len()
    )?;
    for live in lives {
        writeln!(out, "{:>6}  {}", live.patches, live.watched.title)?;
    }
    writeln!(out, "{average:.1?} per transaction on average, {:.1?} at most", totals.time_max)?;
    writeln!(
        out,
        "memory: {} KiB in tables and indexes, {} KiB in live queries ({} levels, {} partitions)",
        source / 1024,
        usage.queries / 1024,
        usage.levels,
        usage.partitions
    )?;
    if options.check {
        writeln!(out, "checked {} results: all equal", totals.checked)?;
    }
    Ok(())
}
