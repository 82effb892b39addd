//! Many queries subscribed to together, by one thread and by two, against one by one.

use std::hint::black_box;
use std::time::Instant;

use penstock::{Database, Error, Params, Query, Subscription, Tree};

use super::queries;
use crate::check::Check;
use crate::data::Data;
use crate::report::{MICROS, Outcome, RATIO};
use crate::scratch::State;
use crate::setting::Setting;
use crate::tables::with_threads;

/// Different queries of each kind.
const QUERIES: u32 = 1_000;
/// How often each way is measured, in turns.
const TURNS: usize = 7;

/// The ways, with how many threads each has.
const WAYS: [(&str, usize); 3] = [("single", 1), ("one_thread", 1), ("two_threads", 2)];

fn subscribe(db: &Database, way: usize, queries: Vec<Query>) -> Result<Vec<Subscription>, Error> {
    match way {
        0 => queries.into_iter().map(|query| db.subscribe(query)).collect(),
        _ => db.subscribe_all(queries.into_iter().map(|query| (query, Params::new()))),
    }
}

/// Measures queries of one kind; returns their results.
fn compare(
    outcome: &mut Outcome,
    name: &str,
    databases: &[Database],
    queries: impl Fn() -> Vec<Query>,
) -> Result<Vec<Tree>, Error> {
    // One that stays, so that the indexes do, and nothing else that the others read.
    let first = queries().into_iter().next().map(|query| query.limit(0));
    let lasting = databases.iter().flat_map(|db| first.clone().map(|query| db.subscribe(query)));
    let _lasting = lasting.collect::<Result<Vec<_>, Error>>()?;
    let mut trees: Option<Vec<Tree>> = None;
    let mut micros = [[0.0; 2]; WAYS.len()];
    for _ in 0..TURNS {
        for (way, (db, micros)) in databases.iter().zip(&mut micros).enumerate() {
            let queries = queries();
            let started = Instant::now();
            let live = black_box(subscribe(db, way, queries)?);
            let subscribed = started.elapsed().as_secs_f64() * 1e6;
            let read: Vec<Tree> = live.iter().map(Subscription::rows).collect();
            micros[0] += subscribed;
            micros[1] += started.elapsed().as_secs_f64() * 1e6;
            if *trees.get_or_insert_with(|| read.clone()) != read {
                return Err(Error::abort(format!("{name}: the ways differ in their results")));
            }
        }
    }
    for ((way, _), micros) in WAYS.iter().zip(&micros) {
        let each = micros[0] / TURNS as f64 / f64::from(QUERIES);
        outcome.push(&format!("{name}_{way}_wall"), each, MICROS);
    }
    let [single, one, two] = micros;
    outcome.push(&format!("{name}_gain"), single[0] / two[0], RATIO);
    outcome.push(&format!("{name}_gain_of_threads"), one[0] / two[0], RATIO);
    outcome.push(&format!("{name}_gain_when_read"), single[1] / two[1], RATIO);
    Ok(trees.unwrap_or_default())
}

/// Pages, lists and trees.
pub(super) fn ways(setting: &Setting) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let data = &setting.data;
    let databases = WAYS.map(|(_, threads)| with_threads(data, threads));
    let databases = databases.into_iter().collect::<Result<Vec<Database>, Error>>()?;
    let (issues, users) = (data.sizes.issues, data.sizes.users);
    let all = |query: fn(u32) -> Query, of: u32| {
        move || (0..of).cycle().take(QUERIES as usize).map(query).collect()
    };
    compare(&mut outcome, "pages", &databases, all(queries::discussion, issues))?;
    let lists = compare(&mut outcome, "lists", &databases, all(queries::of_owner, users))?;
    compare(&mut outcome, "trees", &databases, all(queries::tree_of_owner, users))?;
    let mut check = Check::default();
    lists.iter().for_each(|tree| check.tree(tree));
    outcome.check = Some(check);
    Ok(outcome)
}

/// The lists.
pub(super) fn expected(data: &Data) -> Check {
    State::edited(data, 0).of_owners(QUERIES as usize)
}
