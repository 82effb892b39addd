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
use super::bag::Bag;
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
    /// The row out. While the group is loaded, its columns alone.
    row: Row,
    /// How many rows have the group's columns in the form in which the row out has them.
    rows: i64,
    /// The other forms in which they occur, all greater by their bytes, with how many rows have
    /// each.
    forms: Option<Box<Bag>>,
    accumulators: SmallVec<[Accumulator; 1]>,
}

impl Aggregate {
    pub(crate) fn new(group: Vec<usize>, calls: Vec<AggregateCall>) -> Aggregate {
        let mut groups = FixedMap::with_hasher(fixed_hasher());
        if group.is_empty() {
            let mut all = Group::new(Row::new(&[]), &calls);
            all.row = all.output(0, &calls);
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
                let group = Group::new(row.project(&self.group), &self.calls);
                self.groups.entry(Key::from_slice(&key)).or_insert(group)
            }
        };
        group.add(&self.group, &self.calls, row, count);
    }

    /// Ends loading.
    pub(crate) fn loaded(&mut self) {
        for group in self.groups.values_mut() {
            group.row = group.output(self.group.len(), &self.calls);
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
            let (group, is_new) = match self.groups.get_mut(key) {
                Some(group) => (group, false),
                None => {
                    let group = Group::new(run[0].row.project(columns), &self.calls);
                    (self.groups.entry(key.clone()).or_insert(group), true)
                }
            };
            let before = group.row.clone();
            for change in run {
                group.add(columns, &self.calls, change.row, change.count);
            }
            if group.is_empty() && !columns.is_empty() {
                self.groups.remove(key);
                out.extend((!is_new).then_some((before, -1)));
                continue;
            }
            let after = group.output(columns.len(), &self.calls);
            if is_new || before != after {
                group.row = after.clone();
                out.extend((!is_new).then_some((before, -1)));
                out.push((after, 1));
            }
        }
    }

    /// The row out of the group with a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Row> {
        self.groups.get(key).map(|group| &group.row)
    }

    /// The rows out.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.values().map(|group| &group.row)
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
    /// A group without rows, whose columns will first occur in the form of `head`.
    fn new(head: Row, calls: &[AggregateCall]) -> Group {
        let accumulators = calls.iter().map(Accumulator::new).collect();
        Group { row: head, rows: 0, forms: None, accumulators }
    }

    fn is_empty(&self) -> bool {
        self.rows == 0 && self.forms.is_none()
    }

    fn add(&mut self, columns: &[usize], calls: &[AggregateCall], row: &Row, count: i64) {
        let mut pairs = columns.iter().enumerate();
        if pairs.all(|(at, column)| self.row.same_stored(at, row, *column)) {
            self.rows += count;
        } else {
            self.forms.get_or_insert_default().add(&row.project(columns), count);
        }
        if self.forms.is_some() {
            self.choose_form(columns.len());
        }
        for (accumulator, call) in self.accumulators.iter_mut().zip(calls) {
            accumulator.add(call, row, count);
        }
    }

    /// Lets the row out have the group's columns in the form that is first by its bytes.
    fn choose_form(&mut self, width: usize) {
        let Some(mut forms) = self.forms.take() else { return };
        let columns: SmallVec<[usize; 8]> = (0..width).collect();
        forms.add(&self.row.project(&columns), self.rows);
        let first = forms.iter().next().map(|(row, count)| (row.clone(), count));
        if let Some((first, count)) = first {
            forms.add(&first, -count);
            (self.row, self.rows) = (first, count);
        } else {
            self.rows = 0;
        }
        self.forms = (!forms.is_empty()).then_some(forms);
    }

    /// The row out, computed anew.
    fn output(&self, width: usize, calls: &[AggregateCall]) -> Row {
        let values: SmallVec<[Value; 4]> = self
            .accumulators
            .iter()
            .zip(calls)
            .map(|(accumulator, call)| accumulator.value(call))
            .collect();
        Row::assemble(width + values.len(), |column| match column < width {
            true => Piece::Stored(&self.row, column),
            false => Piece::Value(values[column - width].as_ref()),
        })
    }

    /// Bytes beyond the group itself, without its row.
    fn bytes(&self) -> usize {
        let forms = self.forms.as_ref().map_or(0, |forms| {
            let rows = forms.iter().map(|(row, _)| row.heap_bytes()).sum::<usize>();
            size_of::<Bag>() + forms.bytes() + rows
        });
        let spilled = match self.accumulators.spilled() {
            true => self.accumulators.capacity() * size_of::<Accumulator>(),
            false => 0,
        };
        let accumulators = self.accumulators.iter().map(Accumulator::bytes).sum::<usize>();
        forms + spilled + accumulators
    }
}
