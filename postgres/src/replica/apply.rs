//! One transaction of the stream, piece by piece, as one transaction of the replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::{Transaction, Value};

use super::book::{self, Position};
use super::error::ReplicaError;
use super::evolve::{self, Describer, Plan};
use super::log;
use super::spec::TableState;
use super::table::{Known, Table};
use super::{Replica, in_transaction};
use crate::event::{self, Change, Header, Step};
use crate::lsn::Lsn;
use crate::snapshot::Mark;
use crate::table::{Column, Relation, TableName};

/// From so many changes on a transaction is not followed row by row: live results are read again at its
/// end, and it needs no memory for its rows.
const CHANGES_FOLLOWED_MAX: u64 = 20_000;

/// What came of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The position behind it.
    pub end: Lsn,
    /// How many rows it changed here.
    pub changes: u64,
    /// How many transactions were applied: further ones may have come along.
    pub transactions: u64,
    /// When the last of them was committed, as its header says.
    pub committed_at: i64,
    /// Whether it had been applied before, and nothing was done.
    pub is_repeated: bool,
    /// Whether tables have to be copied now: new ones, those that cannot be followed, divergent ones.
    pub has_wanted: bool,
    /// Where the replica was found to differ from what the server takes for granted.
    pub divergences: Vec<Divergence>,
}

/// What is being applied as one transaction of the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many transactions there are so far.
    pub transactions: u64,
    /// How many rows they have changed.
    pub changes: u64,
}

/// A change that does not fit the row that the replica has. The table is copied again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The table.
    pub table: TableName,
    /// What was expected and not found.
    pub problem: String,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {}: {}; it is copied again", self.table, self.problem)
    }
}

impl Replica {
    /// Applies the transaction of a header, whose further pieces `next` gives, up to its commit. One
    /// that was applied before is recognised by its position, and passed over.
    ///
    /// # Errors
    /// What `next` says, a failing file, or a server that cannot be asked about a changed table. Then
    /// nothing has changed, and the transaction is to be delivered again.
    pub fn apply(
        &mut self,
        header: &Header,
        next: &mut dyn FnMut() -> Result<Step, ReplicaError>,
        server: &mut dyn Describer,
    ) -> Result<Applied, ReplicaError> {
        self.apply_several(header, next, &mut |_| None, server)
    }

    /// The same, and as a part of the same transaction of the replica whole further ones, as long as
    /// `more`, which is told how many there are so far and how many rows they have changed, gives some.
    /// Readers then see only the state after the last.
    ///
    /// # Errors
    /// As [`apply`](Replica::apply); all of them are to be delivered again.
    pub fn apply_several(
        &mut self,
        header: &Header,
        next: &mut dyn FnMut() -> Result<Step, ReplicaError>,
        more: &mut dyn FnMut(Batch) -> Option<event::Transaction>,
        server: &mut dyn Describer,
    ) -> Result<Applied, ReplicaError> {
        let Some(position) = self.position.clone() else {
            return Err(ReplicaError::Disorder(
                "it began before the replica was started".to_owned(),
            ));
        };
        if header.commit < position.end {
            while !matches!(next()?, Step::Commit { .. }) {}
            let (end, committed_at) = (position.end, header.committed_at);
            return Ok(Applied { end, committed_at, is_repeated: true, ..Applied::default() });
        }
        let (logs, floor) = (self.options.log.is_some(), self.log_floor);
        self.refresh()?;
        let tables = std::mem::take(&mut self.tables);
        self.is_stale = true;
        let mut run = Run {
            header: header.clone(),
            server,
            tables,
            logs,
            changes: 0,
            logged: 0,
            is_long: false,
            changed_tables: Vec::new(),
            divergences: Vec::new(),
        };
        let mut transactions = 1;
        let done = in_transaction(&self.db, |tx| {
            let mut end = loop {
                match next()? {
                    Step::Changes(changes) => run.all(tx, &changes)?,
                    Step::Commit { end } => break end,
                    Step::Begin(_) | Step::Message(_) => {
                        let problem = "a piece that is none of the transaction in flight";
                        return Err(ReplicaError::Disorder(problem.to_owned()));
                    }
                }
            };
            // One that changed a table's shape or very much of it stays by itself.
            while !run.is_long
                && let Some(further) = more(Batch { transactions, changes: run.changes })
            {
                if further.commit < end {
                    continue;
                }
                let event::Transaction { commit, xid, committed_at, origin, .. } = further;
                run.header = Header { commit, xid, committed_at, origin };
                run.logged = 0;
                run.all(tx, &further.changes)?;
                end = further.end;
                transactions += 1;
            }
            run.changed_tables.sort_unstable();
            run.changed_tables.dedup();
            for id in &run.changed_tables {
                match run.tables.get(id) {
                    Some(table) => book::write_table(tx, table)?,
                    None => book::forget_table(tx, *id)?,
                }
            }
            let (commit, committed_at) = (run.header.commit, run.header.committed_at);
            let xid = Some(run.header.xid);
            let position = Position { commit, end, xid, committed_at, ..position.clone() };
            book::write_position(tx, &position, floor)?;
            Ok(position)
        });
        let (tables, changes, divergences) = (run.tables, run.changes, run.divergences);
        let position = match done {
            Ok(position) => position,
            Err(error) => {
                self.reload()?;
                return Err(error);
            }
        };
        let (end, committed_at) = (position.end, position.committed_at);
        (self.tables, self.position) = (tables, Some(position));
        self.is_stale = false;
        self.unlogged += changes;
        if self.unlogged >= log::CUT_EVERY {
            self.unlogged = 0;
            self.cut_log()?;
        }
        let has_wanted = self.has_wanted();
        Ok(Applied {
            end,
            changes,
            transactions,
            committed_at,
            is_repeated: false,
            has_wanted,
            divergences,
        })
    }

    /// Whether tables have to be copied.
    pub fn has_wanted(&self) -> bool {
        self.tables.values().any(|table| matches!(table.state, TableState::Wanted { .. }))
    }
}

/// A transaction while it is applied.
pub(super) struct Run<'r> {
    pub(super) header: Header,
    server: &'r mut dyn Describer,
    tables: BTreeMap<u32, Table>,
    pub(super) logs: bool,
    pub(super) changes: u64,
    /// The entries of the change log so far.
    pub(super) logged: u64,
    is_long: bool,
    /// Tables of which the bookkeeping is to be written.
    changed_tables: Vec<u32>,
    divergences: Vec<Divergence>,
}

impl Run<'_> {
    fn all(&mut self, tx: &mut Transaction<'_>, changes: &[Change]) -> Result<(), ReplicaError> {
        for change in changes {
            if self.changes >= CHANGES_FOLLOWED_MAX && !self.is_long {
                tx.change_schema("")?;
                self.is_long = true;
            }
            match change {
                Change::Insert { relation, new } => {
                    if let Some((known, version)) = self.table(tx, relation)? {
                        let problem = self.insert(tx, &known, version, new)?;
                        self.settle(&known, problem);
                    }
                }
                Change::Update { relation, old, new } => {
                    if let Some((known, version)) = self.table(tx, relation)? {
                        let problem = self.update(tx, &known, version, old.as_ref(), new)?;
                        self.settle(&known, problem);
                    }
                }
                Change::Delete { relation, old } => {
                    if let Some((known, version)) = self.table(tx, relation)? {
                        let problem = self.delete(tx, &known, version, old)?;
                        self.settle(&known, problem);
                    }
                }
                Change::Truncate { relations } => {
                    for relation in relations {
                        if let Some((known, version)) = self.table(tx, relation)? {
                            self.is_long |= self.truncate(tx, &known, version)?;
                        }
                    }
                }
                Change::Schema(change) => match &change.after {
                    Some(relation) => drop(self.table(tx, relation)?),
                    None => {
                        if let Some(before) = &change.before {
                            self.drop_table(tx, before.id)?;
                        }
                    }
                },
                Change::Message(_) => {}
            }
        }
        Ok(())
    }

    /// Counts a change, or has the table copied again.
    fn settle(&mut self, known: &Known, problem: Option<String>) {
        let relation = &known.spec.relation;
        match problem {
            None => self.changes += 1,
            Some(problem) => {
                if let Some(table) = self.tables.get_mut(&relation.id) {
                    table.want(problem.clone());
                }
                self.changed_tables.push(relation.id);
                self.divergences.push(Divergence { table: relation.name.clone(), problem });
            }
        }
    }

    fn drop_table(&mut self, tx: &mut Transaction<'_>, id: u32) -> Result<(), ReplicaError> {
        if let Some(table) = self.tables.remove(&id) {
            evolve::drop_table(tx, &table)?;
            self.is_long = true;
            self.changed_tables.push(id);
        }
        Ok(())
    }

    /// A table whose object id is not known, as wal2json does not tell it, may be any that had its name
    /// for a while: those with such columns are copied again, as its changes cannot be told to belong to
    /// them or not.
    fn want_lookalikes(&mut self, relation: &Relation) {
        let is_column = |columns: &[Column], column: &Column| {
            columns.iter().any(|other| other.name == column.name)
        };
        let has_all =
            |of: &[Column], among: &[Column]| of.iter().all(|column| is_column(among, column));
        for table in self.tables.values_mut().filter(|table| table.id != 0) {
            let Some(known) = &table.known else { continue };
            let (own, its) = (&known.spec.relation.columns, &relation.columns);
            let is_copied = matches!(table.state, TableState::Copied { .. });
            if is_copied && (has_all(own, its) || has_all(its, own)) {
                table.want(format!("it may have been named {} for a while", relation.name));
                self.changed_tables.push(table.id);
            }
        }
    }

    /// The table of a change as it has to be by then; `None` where the change is passed over.
    fn table(
        &mut self,
        tx: &mut Transaction<'_>,
        relation: &Arc<Relation>,
    ) -> Result<Option<(Arc<Known>, i64)>, ReplicaError> {
        let id = relation.id;
        if id == 0 {
            self.want_lookalikes(relation);
        }
        let Some(table) = self.tables.get_mut(&id) else {
            let table = Table::wanted(id, relation.name.clone(), "it is new");
            self.tables.insert(id, table);
            self.changed_tables.push(id);
            return Ok(None);
        };
        match &mut table.state {
            TableState::Wanted { .. } => return Ok(None),
            TableState::Refused { .. } => return Ok(None),
            TableState::Copied { mark } => {
                if mark.as_ref().is_some_and(|mark| mark.holds(self.header.commit, self.header.xid))
                {
                    return Ok(None);
                }
                if mark.as_ref().is_some_and(|mark| is_behind(mark, &self.header)) {
                    *mark = None;
                    self.changed_tables.push(id);
                }
            }
        }
        let Some(known) = table.known.clone() else { return Ok(None) };
        if known.fits(relation) {
            return Ok(Some((known, table.generation)));
        }
        let ask = ReplicaError::Server;
        let now = self.server.describe(id).map_err(ask)?;
        let catalogue = self.server.catalogue().map_err(ask)?;
        self.changed_tables.push(id);
        match evolve::plan(&known.spec, relation, now.as_ref(), &catalogue) {
            Plan::Copy(reason) => {
                table.name = relation.name.clone();
                table.want(reason);
                Ok(None)
            }
            Plan::Statements(statements, spec) => {
                let (was, is) = (known.spec.name(), spec.name());
                let in_the_way = |other: &&mut Table| {
                    let names = other.known.as_ref().map(|known| known.spec.name());
                    other.id != id && names.is_some_and(|name| name.eq_ignore_ascii_case(&is))
                };
                if was != is
                    && let Some(other) = self.tables.values_mut().find(in_the_way)
                {
                    evolve::move_aside(tx, other)?;
                    self.changed_tables.push(other.id);
                }
                evolve::carry_out(tx, &statements, &known.spec, &spec)?;
                let Some(table) = self.tables.get_mut(&id) else { return Ok(None) };
                self.is_long |= !statements.is_empty();
                let known = Arc::new(Known::new(*spec));
                table.name = relation.name.clone();
                table.known = Some(Arc::clone(&known));
                table.generation += 1;
                Ok(Some((known, table.generation)))
            }
        }
    }
}

/// Whether a mark holds neither a transaction nor any that is committed after it: its number had not been
/// given out yet when the snapshot was taken, so what the snapshot sees was committed before.
fn is_behind(mark: &Mark, header: &Header) -> bool {
    let is_later = |to: u64| header.xid.wrapping_sub(to as u32).cast_signed() >= 0;
    header.commit >= mark.lsn && mark.visible.as_ref().is_none_or(|seen| is_later(seen.to))
}

/// The values of a key, for messages: `id = 7`.
pub(super) fn describe_key(known: &Known, key: &[Value]) -> String {
    let columns = known.spec.key.iter().zip(key);
    let pairs =
        columns.map(|(at, value)| format!("{} = {value}", known.spec.relation.columns[*at].name));
    pairs.collect::<Vec<_>>().join(", ")
}
