//! A case: tapes for a schema, rows, queries and steps, each apart, so that a shrinker can drop
//! or simplify one without changing what the others mean.

use penstock::Value;

use super::generate;
use super::model::{Model, Row, Write};
use super::tape::Tape;

#[derive(Clone, Default)]
pub(crate) struct Case {
    /// Which of [`generate::PROFILES`].
    pub(crate) profile: u8,
    pub(crate) schema: Vec<u8>,
    pub(crate) rows: Vec<Vec<u8>>,
    pub(crate) queries: Vec<Vec<u8>>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// One tape for each write.
    Transaction(Vec<Vec<u8>>),
    Subscribe(Vec<u8>),
    Unsubscribe(u8),
    /// Another limit or start for a live query, or a row set from now on.
    Change(Vec<u8>),
}

/// Where the bytes of a case come from.
pub(crate) trait Bytes {
    /// The next byte, or `None` at the end.
    fn byte(&mut self) -> Option<u8>;
    /// The next bytes, fewer at the end.
    fn take(&mut self, length: usize) -> Vec<u8>;
}

impl Bytes for &[u8] {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.split_first()?;
        *self = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let (taken, rest) = self.split_at(length.min(self.len()));
        *self = rest;
        taken.to_vec()
    }
}

/// How many rows, queries and steps a case read from bytes has at most.
const PARTS_MAX: usize = 60;
/// How many writes a transaction has at most.
const WRITES_MAX: u8 = 8;
/// How long the tapes are at most, by what they are for.
const SCHEMA_TAPE_MAX: u8 = 63;
const ROW_TAPE_MAX: u8 = 15;
const QUERY_TAPE_MAX: u8 = 254;
const CHANGE_TAPE_MAX: u8 = 31;

impl Case {
    /// Reads a case: a profile, then parts, each with a kind, a length and a tape.
    pub(crate) fn read(bytes: &mut impl Bytes) -> Case {
        let mut case = Case { profile: bytes.byte().unwrap_or(0), ..Case::default() };
        for _ in 0..PARTS_MAX {
            let Some(kind) = bytes.byte() else { break };
            match kind % 8 {
                0 => case.schema = tape(bytes, SCHEMA_TAPE_MAX),
                1 | 2 => case.rows.push(tape(bytes, ROW_TAPE_MAX)),
                3 => case.queries.push(tape(bytes, QUERY_TAPE_MAX)),
                4 => case.steps.push(Step::Subscribe(tape(bytes, QUERY_TAPE_MAX))),
                5 => case.steps.push(Step::Unsubscribe(bytes.byte().unwrap_or(0))),
                6 => case.steps.push(Step::Change(tape(bytes, CHANGE_TAPE_MAX))),
                _ => {
                    let writes = bytes.byte().unwrap_or(0) % (WRITES_MAX + 1);
                    let writes = (0..writes).map(|_| tape(bytes, ROW_TAPE_MAX)).collect();
                    case.steps.push(Step::Transaction(writes));
                }
            }
        }
        case
    }

    /// The bytes from which [`Case::read`] reads this case, but for parts beyond its bound.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = vec![self.profile];
        part(&mut bytes, 0, &self.schema, SCHEMA_TAPE_MAX);
        self.rows.iter().for_each(|row| part(&mut bytes, 1, row, ROW_TAPE_MAX));
        self.queries.iter().for_each(|query| part(&mut bytes, 3, query, QUERY_TAPE_MAX));
        for step in &self.steps {
            match step {
                Step::Subscribe(tape) => part(&mut bytes, 4, tape, QUERY_TAPE_MAX),
                Step::Change(tape) => part(&mut bytes, 6, tape, CHANGE_TAPE_MAX),
                Step::Unsubscribe(which) => bytes.extend([5, *which]),
                Step::Transaction(writes) => {
                    bytes.extend([7, writes.len().min(WRITES_MAX.into()) as u8]);
                    for tape in writes.iter().take(WRITES_MAX.into()) {
                        append(&mut bytes, tape, ROW_TAPE_MAX);
                    }
                }
            }
        }
        bytes
    }

    /// The schema and the rows to begin with.
    pub(crate) fn model(&self) -> Model {
        let mut model = Model::new(generate::schema(&mut Tape::new(&self.schema)));
        for tape in &self.rows {
            let mut tape = Tape::new(tape);
            let table = tape.below(model.tables.len());
            let row = generate::row(&mut tape, &model.tables[table]);
            let mut with = model.clone();
            // A row that meets another's key is left out.
            if with.write(&Write::Insert { table, row }).is_ok() && with.unique_keys_hold() {
                model = with;
            }
        }
        model
    }
}

/// The next writes of a transaction, given the tables with the writes so far and the row written
/// last. Most are possible; some are not.
pub(crate) fn writes(
    tape: &mut Tape<'_>,
    model: &Model,
    last: Option<&(usize, Row)>,
) -> Vec<Write> {
    let again = last.filter(|_| tape.chance(25));
    let table = match again {
        Some((table, _)) => *table,
        None => tape.below(model.tables.len()),
    };
    let schema = &model.tables[table];
    let rows = &model.rows[table];
    let how = tape.below(16);
    if rows.is_empty() || how < 5 {
        let row = generate::row(tape, schema);
        return vec![match how {
            4 => Write::Upsert { table, row },
            _ => Write::Insert { table, row },
        }];
    }
    let row = match again
        .and_then(|(_, last)| rows.iter().find(|row| schema.compare_keys(row, last).is_eq()))
    {
        Some(row) => row.clone(),
        None => tape.pick(rows).clone(),
    };
    let key = schema.key_of(&row);
    let mut change = |key_too: bool| -> Vec<(usize, Value)> {
        let changes = 1 + tape.below(2);
        let mut changed = Vec::new();
        for _ in 0..changes {
            let column = tape.below(schema.columns.len());
            if key_too || !schema.key.contains(&column) {
                let kind = &schema.columns[column];
                changed.push((column, generate::value(tape, kind.kind, kind.nullable)));
            }
        }
        changed
    };
    let with_key = |changes: Vec<(usize, Value)>| -> Vec<(usize, Value)> {
        schema.key.iter().copied().zip(key.iter().cloned()).chain(changes).collect()
    };
    match how {
        5..=9 => vec![Write::Update { table, changes: with_key(change(false)) }],
        10 => vec![Write::UpdateAt { table, key: key.clone(), changes: change(true) }],
        // There and back again, or to somewhere else.
        11 => {
            let there = Write::Update { table, changes: with_key(change(false)) };
            let back = Write::Upsert { table, row: row.clone() };
            vec![there, back]
        }
        12 => {
            let insert = Write::Insert { table, row: row.clone() };
            vec![Write::Delete { table, key: key.clone() }, insert]
        }
        13 => {
            let mut other = generate::row(tape, schema);
            for (column, value) in schema.key.iter().zip(&key) {
                other[*column] = value.clone();
            }
            vec![Write::Delete { table, key: key.clone() }, Write::Insert { table, row: other }]
        }
        _ => vec![Write::Delete { table, key: key.clone() }],
    }
}

/// A length and as many bytes.
fn tape(bytes: &mut impl Bytes, longest: u8) -> Vec<u8> {
    let length = usize::from(bytes.byte().unwrap_or(0)) % (usize::from(longest) + 1);
    bytes.take(length)
}

fn part(bytes: &mut Vec<u8>, kind: u8, tape: &[u8], longest: u8) {
    bytes.push(kind);
    append(bytes, tape, longest);
}

fn append(bytes: &mut Vec<u8>, tape: &[u8], longest: u8) {
    let tape = &tape[..tape.len().min(longest.into())];
    bytes.push(tape.len() as u8);
    bytes.extend_from_slice(tape);
}
