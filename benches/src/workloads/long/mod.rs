//! A long run: mixed transactions over data of constant size, live queries that come and go, and the
//! memory held meanwhile.

mod stream;
mod visitors;

use penstock::{Error, Query};

use super::live::take_changes;
use super::queries;
use crate::alloc::live_bytes;
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::report::{BYTES, MICROS, Outcome, RATIO};
use crate::resident::Resident;
use crate::setting::Setting;
use crate::tables;
use stream::Stream;
use visitors::Visitors;

/// How often memory is looked at.
const SAMPLES: usize = 20;
/// Transactions after which a live query gives way to another.
const VISIT: usize = 100;
/// Transactions between two reads of the slow subscriber.
const SLOW: usize = 1_000;

/// Queries that stay: what others ask again stays hydrated, and the indexes that short-lived queries
/// need are not built for each.
fn residents() -> [Query; 6] {
    [
        queries::list(),
        queries::tree(),
        queries::any_of_three(),
        queries::by_owner(),
        queries::of_owner(0),
        queries::discussion(0),
    ]
}

/// L with `TRANSACTIONS` transactions.
pub(super) fn run<const TRANSACTIONS: usize>(setting: &Setting) -> Result<Outcome, Error> {
    let db = tables::database(&setting.data)?;
    let schema = db.schema();
    let mut stream = Stream::new(&setting.data, schema)?;
    // Full pools from the start: from here on the size of the data stays.
    db.apply(stream.fill()?)?;
    let mut residents = residents()
        .into_iter()
        .map(|query| db.subscribe(query))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut slow = db.subscribe(queries::tree())?;
    let mut visitors = Visitors::new(&setting.data);
    let (mut heap, mut resident) = (Vec::new(), Vec::new());

    let timer = CpuTimer::start();
    for number in 0..TRANSACTIONS {
        if number % VISIT == 0 {
            visitors.next(&db)?;
        }
        db.apply(stream.next()?)?;
        for subscription in &mut residents {
            take_changes(subscription);
        }
        visitors.read();
        if number % SLOW == 0 {
            take_changes(&mut slow);
        }
        if (number + 1) * SAMPLES / TRANSACTIONS > heap.len() {
            heap.push(live_bytes() as f64);
            resident.push(Resident::now().bytes);
        }
    }
    let micros = timer.micros() / TRANSACTIONS as f64;

    db.verify()?;
    let (mut check, expected) = (Check::default(), stream.list());
    check.tree(&residents[0].rows());
    if check != expected {
        return Err(Error::abort(format!("the check is {check} and should be {expected}")));
    }
    residents.iter().skip(1).for_each(|subscription| check.tree(&subscription.rows()));
    let mut outcome = Outcome { check: Some(check), ..Outcome::default() };
    outcome.push("push_cpu", micros, MICROS);
    outcome.push("heap_growth", growth(&heap), RATIO);
    outcome.push("resident_growth", growth(&resident), RATIO);
    for (metric, samples) in [("heap", heap), ("resident", resident)] {
        for (number, bytes) in (1..).zip(samples) {
            outcome.push(&format!("{metric}_at_{:03}", number * 100 / SAMPLES), bytes, BYTES);
        }
    }
    Ok(outcome)
}

/// The mean of the last quarter over that of the second.
fn growth(samples: &[f64]) -> f64 {
    let quarter = samples.len() / 4;
    let mean = |from: usize| samples[from..from + quarter].iter().sum::<f64>();
    mean(samples.len() - quarter) / mean(quarter)
}
