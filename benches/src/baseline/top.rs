//! The first rows of an ordered set, kept in a sorted array.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use crate::data::Issue;

/// A place in the order by modified desc, id.
pub type Place = (Reverse<i64>, u32);

/// The place of an issue.
pub fn place(id: u32, issue: &Issue) -> Place {
    (Reverse(issue.modified), id)
}

/// All rows in order, and of them the first `limit`.
#[derive(Debug)]
pub struct Top {
    limit: usize,
    index: BTreeSet<Place>,
    /// The first `limit` of `index`.
    pub window: Vec<Place>,
}

/// What an edit changed in a window: the places that left and came.
#[derive(Debug, Default)]
pub struct Moves {
    /// At most two rows left.
    pub left: [Option<Place>; 2],
    /// At most two rows came.
    pub came: [Option<Place>; 2],
}

impl Top {
    /// The first `limit` of the places.
    pub fn new(places: impl IntoIterator<Item = Place>, limit: usize) -> Top {
        let index: BTreeSet<Place> = places.into_iter().collect();
        let window = index.iter().take(limit).copied().collect();
        Top { limit, index, window }
    }

    /// The places of the open issues among rows.
    pub fn of_open<'a>(
        rows: impl IntoIterator<Item = (&'a u32, &'a Arc<Issue>)>,
        limit: usize,
    ) -> Top {
        let open = rows.into_iter().filter(|(_, issue)| issue.open);
        Top::new(open.map(|(id, issue)| place(*id, issue)), limit)
    }

    /// Reads the window anew out of the index.
    pub fn read(&self) -> impl Iterator<Item = &Place> {
        self.index.iter().take(self.limit)
    }

    /// Takes a row from one place to another; `None` is out of the set.
    pub fn change(&mut self, old: Option<Place>, new: Option<Place>) -> Moves {
        let mut moves = Moves::default();
        if let Some(old) = old {
            self.index.remove(&old);
            if let Ok(at) = self.window.binary_search(&old) {
                moves.left[0] = Some(self.window.remove(at));
            }
        }
        if let Some(new) = new {
            self.index.insert(new);
            let at = self.window.partition_point(|place| *place < new);
            // At the end of a window that just lost a row, the next of the index may come first.
            if at < self.window.len() {
                self.window.insert(at, new);
                moves.came[0] = Some(new);
            }
        }
        if self.window.len() > self.limit {
            moves.left[1] = self.window.pop();
        }
        if self.window.len() < self.limit {
            let after = self.window.last().map_or(Bound::Unbounded, Bound::Excluded);
            if let Some(&next) = self.index.range((after, Bound::Unbounded)).next() {
                self.window.push(next);
                moves.came[1] = Some(next);
            }
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::Top;
    use crate::data::Draws;

    #[test]
    fn the_window_stays_the_head_of_the_index() {
        let mut draws = Draws::new(1);
        let mut places: Vec<Option<super::Place>> = vec![None; 12];
        let mut top = Top::new([], 4);
        for _ in 0..2_000 {
            let id = draws.below(12);
            let new = (draws.below(3) > 0).then(|| (Reverse(i64::from(draws.below(9))), id));
            let old = std::mem::replace(&mut places[id as usize], new);
            let before = top.window.clone();
            let moves = top.change(old, new);
            assert_eq!(top.window, top.read().copied().collect::<Vec<_>>());
            let mut patched = before;
            patched.retain(|place| !moves.left.contains(&Some(*place)));
            patched.extend(moves.came.iter().flatten().filter(|came| top.window.contains(came)));
            patched.sort();
            patched.dedup();
            assert_eq!(patched, top.window);
        }
    }
}
