//! What a case comes to: a model to begin with, and actions. Decided without the engine.

use std::fmt;
use std::rc::Rc;

use penstock::Value;

use super::case::{Case, Step, writes};
use super::generate::{Generator, PROFILES};
use super::model::{Model, TableModel, Write};
use super::query::{Named, Start, TestQuery};
use super::tape::Tape;
use super::vary::next_query;

pub(crate) struct Script {
    pub(crate) start: Model,
    pub(crate) actions: Vec<Action>,
}

/// One thing to do. Live queries are numbered in the order of their subscription; those after one
/// that ends move up.
pub(crate) enum Action {
    Subscribe { query: TestQuery, keeps_rows: bool },
    Unsubscribe(usize),
    SetLimit(usize, Option<usize>),
    SetStart(usize, Option<Start>),
    KeepRows(usize),
    Transaction { writes: Vec<(Write, bool)>, ending: Ending, after: Model },
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Commit,
    /// Its closure gives up.
    Abort,
    /// It violates a unique key.
    Refused,
}

/// How many subscriptions are live at once at most.
const LIVE_MAX: usize = 7;

impl Script {
    /// With `unique_keys` unset the tables have none.
    pub(crate) fn new(case: &Case, unique_keys: bool) -> Script {
        let mut start = case.model();
        if !unique_keys {
            Rc::make_mut(&mut start.tables).iter_mut().for_each(|table| table.unique.clear());
        }
        let mut script = Script { start: start.clone(), actions: Vec::new() };
        let mut model = start;
        let mut live: Vec<TestQuery> = Vec::new();
        let profile = PROFILES[usize::from(case.profile) % PROFILES.len()];
        let first = case.queries.iter().map(|tape| Step::Subscribe(tape.clone()));
        for step in first.chain(case.steps.iter().cloned()) {
            let mut generator = Generator { model: &model, profile, ast: false };
            match step {
                Step::Subscribe(tape) if live.len() < LIVE_MAX => {
                    let mut tape = Tape::new(&tape);
                    let keeps_rows = tape.chance(50);
                    let query = next_query(&mut tape, &mut generator, &live);
                    live.push(query.clone());
                    script.actions.push(Action::Subscribe { query, keeps_rows });
                }
                Step::Unsubscribe(which) if !live.is_empty() => {
                    let which = usize::from(which) % live.len();
                    live.remove(which);
                    script.actions.push(Action::Unsubscribe(which));
                }
                Step::Change(tape) if !live.is_empty() => {
                    let mut tape = Tape::new(&tape);
                    let which = tape.below(live.len());
                    let query = &mut live[which];
                    generator.ast = query.ast;
                    let action = match tape.below(8) {
                        0..=3 => {
                            query.body.limit = tape.chance(85).then(|| tape.below(6));
                            Action::SetLimit(which, query.body.limit)
                        }
                        4..=6 => {
                            let start = generator.start(&mut tape, query.table, &query.body);
                            query.body.start = start
                                .filter(|_| tape.chance(80))
                                .map(|start| Start { exclusive: true, ..start });
                            Action::SetStart(which, query.body.start.clone())
                        }
                        _ => Action::KeepRows(which),
                    };
                    script.actions.push(action);
                }
                Step::Transaction(tapes) => {
                    let action = transaction(&model, &tapes);
                    if let Action::Transaction { after, .. } = &action {
                        model = after.clone();
                    }
                    script.actions.push(action);
                }
                Step::Subscribe(_) | Step::Unsubscribe(_) | Step::Change(_) => {}
            }
        }
        script
    }
}

fn transaction(before: &Model, tapes: &[Vec<u8>]) -> Action {
    let mut model = before.clone();
    let mut made = Vec::new();
    let mut last = None;
    let mut ending = Ending::Commit;
    for tape in tapes {
        let mut tape = Tape::new(tape);
        for write in writes(&mut tape, &model, last.as_ref()) {
            let accepted = model.write(&write).is_ok();
            if let (true, Write::Insert { table, row } | Write::Upsert { table, row }) =
                (accepted, &write)
            {
                last = Some((*table, row.clone()));
            } else if let (true, Write::Update { table, changes }) = (accepted, &write) {
                let mut row = vec![Value::Null; model.tables[*table].columns.len()];
                for (column, value) in changes {
                    row[*column] = value.clone();
                }
                last = Some((*table, row));
            }
            made.push((write, accepted));
        }
        if tape.chance(2) {
            ending = Ending::Abort;
        }
    }
    if ending == Ending::Commit && !model.unique_keys_hold() {
        ending = Ending::Refused;
    }
    let after = if ending == Ending::Commit { model } else { before.clone() };
    Action::Transaction { writes: made, ending, after }
}

impl Action {
    fn describe(&self, tables: &[TableModel], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Subscribe { query, keeps_rows } => {
                let rows = if *keeps_rows { " with row set" } else { "" };
                writeln!(f, "subscribe{rows}: {}", Named(query, tables))
            }
            Action::Unsubscribe(which) => writeln!(f, "unsubscribe {which}"),
            Action::SetLimit(which, limit) => writeln!(f, "limit of {which}: {limit:?}"),
            Action::SetStart(which, start) => writeln!(f, "start of {which}: {start:?}"),
            Action::KeepRows(which) => writeln!(f, "row set of {which}"),
            Action::Transaction { writes, ending, .. } => {
                writeln!(f, "transaction, ends with {ending:?}")?;
                for (write, accepted) in writes {
                    let refused = if *accepted { "" } else { " (refused)" };
                    writeln!(f, "  {write:?}{refused}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Case {
    /// What the case comes to, and its bytes, to be kept as a file of the corpus.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = Script::new(self, true);
        writeln!(f, "\n{}", script.start)?;
        for action in &script.actions {
            action.describe(&script.start.tables, f)?;
        }
        write!(f, "bytes: ")?;
        self.write().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
