//! W5 by hand: a window per owner, and its patches to each of its subscribers.

use std::sync::Arc;

use penstock::Error;

use super::lists::{Change, patch};
use super::top::{Place, Top, place};
use super::{Map, edited_rows, issue_rows, map, push};
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::data::{Data, Issue, issue_edits, issue_id};
use crate::report::{MICROS, Outcome};

/// The list of one owner and who reads it.
struct Watched {
    top: Top,
    subscribers: Vec<usize>,
}

/// W5 with `QUERIES` queries.
///
/// # Errors
/// None.
pub fn w5<const QUERIES: usize>(data: &Data) -> Result<Outcome, Error> {
    let mut rows = issue_rows(data);
    let mut by_owner: Map<u32, Vec<Place>> = map();
    for (id, issue) in &rows {
        by_owner.entry(issue.owner).or_default().push(place(*id, issue));
    }
    let mut outcome = Outcome::default();

    let timer = CpuTimer::start();
    let mut watched: Map<u32, Watched> = map();
    for (query, owner) in (0..data.sizes.users).cycle().take(QUERIES).enumerate() {
        let list = watched.entry(owner).or_insert_with(|| {
            let places = by_owner.remove(&owner).unwrap_or_default();
            Watched { top: Top::new(places, 50), subscribers: Vec::new() }
        });
        list.subscribers.push(query);
        std::hint::black_box(read(&rows, &list.top));
    }
    outcome.push("hydrate_per_query_cpu", timer.micros() / QUERIES as f64, MICROS);

    let mut inboxes: Vec<Vec<Arc<[Change]>>> = (0..QUERIES).map(|_| Vec::new()).collect();
    let edits = edited_rows(data, &issue_edits(data, 1_000));
    push(edits, &mut outcome, |(id, row)| {
        let (owner, new) = (row.owner, place(id, &row));
        let old = rows.insert(id, row).map(|old| place(id, &old));
        let Some(list) = watched.get_mut(&owner) else { return 0 };
        let moves = list.top.change(old, Some(new));
        let patch: Arc<[Change]> = patch(&rows, &moves).into();
        for subscriber in &list.subscribers {
            inboxes[*subscriber].push(Arc::clone(&patch));
        }
        list.subscribers.iter().map(|subscriber| inboxes[*subscriber].drain(..).count()).sum()
    });

    let mut check = Check::default();
    for owner in (0..data.sizes.users).cycle().take(QUERIES) {
        let window = watched.get(&owner).map_or(&[][..], |list| &list.top.window);
        window.iter().for_each(|(_, id)| check.entry(&issue_id(*id)));
    }
    outcome.check = Some(check);
    Ok(outcome)
}

fn read(rows: &Map<u32, Arc<Issue>>, top: &Top) -> Vec<Arc<Issue>> {
    top.window.iter().filter_map(|(_, id)| rows.get(id).map(Arc::clone)).collect()
}
