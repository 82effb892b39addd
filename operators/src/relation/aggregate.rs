//! `aggregate`: one row per group.
//!
//! Contract: for each group of the input there is one row out, the group's columns and then the
//! functions' values; a group whose row did not change puts nothing out. Group columns are equal
//! by their encoding, so 1 and 1.0 are one group; which of them is shown depends on what is in the
//! group alone.
//!
//! Cost: one look-up per group that a transaction touches, and the accumulators' cost per row.
//! State: per group its key, its last row out and its accumulators.

use smallvec::SmallVec;

use super::accumulate::Accumulator;
use super::plan::AggregateCall;
use super::zset::{Changes, keyed, runs};
use crate::key::{Key, KeyBuffer, write_columns};
use crate::level::{FixedMap, fixed_hasher};
use crate::row::{Piece, Row};
use crate::value::Value;

/// An aggregation with its groups.
#[derive(Debug)]
pub(crate) struct Aggregate {
    group: Vec<usize>,
    calls: Vec<AggregateCall>,
    groups: FixedMap<Key, Group>,
}

#[derive(Debug)]
struct Group {
    /// The forms in which the group columns occur, with how many rows have each.
    heads: SmallVec<[(Row, i64); 1]>,
    accumulators: Box<[Accumulator]>,
    output: Option<Row>,
}

impl Aggregate {
    pub(crate) fn new(group: Vec<usize>, calls: Vec<AggregateCall>) -> Aggregate {
        let mut groups = FixedMap::with_hasher(fixed_hasher());
        if group.is_empty() {
            let mut all = Group::new(&calls);
            all.refresh(&group, &calls);
            groups.insert(Key::default(), all);
        }
        Aggregate { group, calls, groups }
    }

    /// Takes in one row, before there is anyone to tell. [`Aggregate::loaded`] follows.
    pub(crate) fn load(&mut self, row: &Row, count: i64) {
        let mut key = KeyBuffer::new();
        write_columns(row, &self.group, &mut key);
        let group = match self.groups.get_mut(&key[..]) {
            Some(group) => group,
            None => {
                let key = Key::from_slice(&key);
                self.groups.entry(key).or_insert_with(|| Group::new(&self.calls))
            }
        };
        group.add(&self.group, &self.calls, row, count);
    }

    /// Ends loading.
    pub(crate) fn loaded(&mut self) {
        for group in self.groups.values_mut() {
            group.refresh(&self.group, &self.calls);
        }
    }

    /// Takes in a change, `sign` times, and puts out what it makes.
    pub(crate) fn apply(&mut self, input: &[(Row, i64)], sign: i64, out: &mut Changes) {
        let columns = &self.group;
        let keyed = keyed(input, sign, |row, key| {
            write_columns(row, columns, key);
            true
        });
        for run in runs(&keyed) {
            let key = &run[0].key;
            let group = match self.groups.get_mut(key) {
                Some(group) => group,
                None => self.groups.entry(key.clone()).or_insert_with(|| Group::new(&self.calls)),
            };
            for change in run {
                group.add(columns, &self.calls, change.row, change.count);
            }
            let before = group.output.take();
            let gone = group.heads.is_empty() && !columns.is_empty();
            if gone {
                self.groups.remove(key);
                out.extend(before.map(|row| (row, -1)));
                continue;
            }
            group.refresh(columns, &self.calls);
            if before != group.output {
                out.extend(before.map(|row| (row, -1)));
                out.extend(group.output.iter().map(|row| (row.clone(), 1)));
            }
        }
    }

    /// The rows out.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.values().filter_map(|group| group.output.as_ref())
    }

    /// How many groups are kept.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Bytes of state, without those of rows that others may share.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.groups.capacity() * (size_of::<Key>() + size_of::<Group>() + 1);
        let groups = self.groups.iter();
        table + groups.map(|(key, group)| key.heap_bytes() + group.bytes()).sum::<usize>()
    }
}

impl Group {
    fn new(calls: &[AggregateCall]) -> Group {
        let accumulators = calls.iter().map(Accumulator::new).collect();
        Group { heads: SmallVec::new(), accumulators, output: None }
    }

    fn add(&mut self, columns: &[usize], calls: &[AggregateCall], row: &Row, count: i64) {
        let same = |(head, _): &(Row, i64)| {
            let mut pairs = columns.iter().enumerate();
            pairs.all(|(at, column)| head.same_stored(at, row, *column))
        };
        match self.heads.iter().position(same) {
            Some(at) => {
                self.heads[at].1 += count;
                if self.heads[at].1 == 0 {
                    self.heads.remove(at);
                }
            }
            None => self.heads.push((row.project(columns), count)),
        }
        for (accumulator, call) in self.accumulators.iter_mut().zip(calls) {
            accumulator.add(call, row, count);
        }
    }

    /// Computes the row out anew.
    fn refresh(&mut self, columns: &[usize], calls: &[AggregateCall]) {
        let values: SmallVec<[Value; 4]> = self
            .accumulators
            .iter()
            .zip(calls)
            .map(|(accumulator, call)| accumulator.value(call))
            .collect();
        let forms = self.heads.iter().map(|(head, _)| head);
        let head = forms.min_by(|a, b| a.bytes().cmp(b.bytes()));
        let width = columns.len();
        let row = Row::assemble(width + values.len(), |column| match (head, column < width) {
            (Some(head), true) => Piece::Stored(head, column),
            _ => Piece::Value(values[column - width].as_ref()),
        });
        self.output = Some(row);
    }

    fn bytes(&self) -> usize {
        let heads = if self.heads.spilled() { self.heads.capacity() } else { 0 };
        let accumulators: usize = self
            .accumulators
            .iter()
            .map(|accumulator| size_of::<Accumulator>() + accumulator.bytes())
            .sum();
        let rows = self.heads.iter().map(|(head, _)| head.heap_bytes()).sum::<usize>();
        heads * size_of::<(Row, i64)>() + accumulators + rows
    }
}
