//! Lines of the output plugin wal2json, format version 2, to the same [steps](Step) as those of
//! pgoutput: for hosts that refuse replication connections, since `pg_logical_slot_peek_changes`
//! reads them in SQL.
//!
//! What a line cannot tell, and what is made of it:
//!
//! - A large value that an update did not touch is left out of the line. So is a column that was
//!   dropped. A column of a type of fixed size that is missing was dropped; one that may be large is
//!   [unchanged](Cell::Unchanged), and that it was dropped is noticed at the next insert, or at the next
//!   update if the replica identity is full.
//! - Tables have names but no object ids, so a renamed table looks like a new one. Descriptions that the
//!   consumer has read from the server are given by [`LineAssembler::know`], which every table should be:
//!   of one that is not, only what lines mention is known, and its id is 0. With
//!   [`LineAssembler::ask_for_tables`] a line of such a table is refused first, so that it can be looked up.
//! - Type modifiers are not given as numbers; those of known columns are kept, others are -1.
//! - A partition has its own name, never that of its root.
//! - NaN and the infinities of doubles are null.
//! - Origins are numbers, of which [`LineAssembler::set_origins`] tells the names.
//! - Generated columns are among the others, where pgoutput leaves them out (unless a publication of
//!   Postgres 18 has them): [`LineAssembler::leave_out`] takes the names of columns to pass over.
//! - Updates and deletes of a table without replica identity are left out altogether.

mod infer;
mod line;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use penstock::Value;

use crate::assemble::{AssembleError, PieceLimits};
use crate::described::Described;
use crate::event::{self, Cell, Change, Header, OldRow, SchemaChange, Step};
use crate::lsn::Lsn;
use crate::pieces::Pieces;
use crate::setup::SCHEMA_EVENT_PREFIX;
use crate::table::{Identity, Relation, TableName};
use crate::types::{Catalogue, timestamp_micros};
use line::{Line, LineColumn};

/// The options of the plugin that lines are read with: names and values.
pub const OPTIONS: &[(&str, &str)] = &[
    ("format-version", "2"),
    ("include-xids", "true"),
    ("include-timestamp", "true"),
    ("include-lsn", "true"),
    ("include-origin", "true"),
    ("include-type-oids", "true"),
    ("include-pk", "true"),
];

/// Turns the lines of one slot into steps.
#[derive(Debug)]
pub struct LineAssembler {
    catalogue: Arc<Catalogue>,
    tables: BTreeMap<TableName, Described>,
    /// What was known before the transaction under way, of tables of which more was told.
    before: BTreeMap<TableName, Option<Described>>,
    left_out: BTreeMap<TableName, BTreeSet<String>>,
    origins: BTreeMap<u32, String>,
    pieces: Pieces,
    /// The position of the TRUNCATE that the last line belonged to.
    truncated_at: Option<Lsn>,
    lost_values: u64,
    takes_descriptions: bool,
    /// Whether the types were read just before the message that is now taken.
    types_are_fresh: bool,
    /// Whether lines of unknown tables are refused, and for which tables nobody needs to look again.
    asks_for_tables: bool,
    looked_for: BTreeSet<TableName>,
}

impl LineAssembler {
    /// For the lines of a slot from where it was acknowledged.
    pub fn new(catalogue: Arc<Catalogue>, limits: PieceLimits) -> LineAssembler {
        LineAssembler {
            catalogue,
            tables: BTreeMap::new(),
            before: BTreeMap::new(),
            left_out: BTreeMap::new(),
            origins: BTreeMap::new(),
            pieces: Pieces::new(limits),
            truncated_at: None,
            lost_values: 0,
            takes_descriptions: false,
            types_are_fresh: false,
            asks_for_tables: false,
            looked_for: BTreeSet::new(),
        }
    }

    /// A table as the consumer knows it, or as the server describes it now. One of the same object id
    /// and another name is forgotten.
    pub fn know(&mut self, relation: Relation) -> Result<(), AssembleError> {
        let described = Described::new(Arc::new(relation), &self.catalogue)?;
        let (id, name) = (described.relation.id, described.relation.name.clone());
        self.tables.retain(|other, known| *other == name || id == 0 || known.relation.id != id);
        self.tables.insert(name, described);
        Ok(())
    }

    /// Whether the name of a table is known.
    pub fn knows(&self, name: &TableName) -> bool {
        self.tables.contains_key(name)
    }

    /// Whether lines of a table that is not known are refused with [`AssembleError::NewTable`], until it
    /// is made known or [looked for in vain](LineAssembler::looked_for). It is off at first.
    pub fn ask_for_tables(&mut self, ask: bool) {
        self.asks_for_tables = ask;
    }

    /// Says that the server was asked for a table. If it is not known still, it is taken to be as its
    /// lines show it.
    pub fn looked_for(&mut self, table: TableName) {
        self.looked_for.insert(table);
    }

    /// Forgets the tables of which no more is known than what lines showed, so that they are asked for
    /// again.
    pub fn forget_unseen(&mut self) {
        self.tables.retain(|_, known| known.relation.id != 0);
        self.looked_for.clear();
    }

    /// As [`Assembler::take_descriptions`](crate::assemble::Assembler::take_descriptions).
    pub fn take_descriptions(&mut self, take: bool) {
        self.takes_descriptions = take;
    }

    /// Types that were read again. Tables that are known keep being known.
    pub fn set_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        for described in self.tables.values_mut() {
            if let Ok(again) = Described::new(described.relation.clone(), &catalogue) {
                *described = again;
            }
        }
        (self.catalogue, self.types_are_fresh) = (catalogue, true);
    }

    /// Columns of a table that are passed over as if they were not there; they replace those that were
    /// named before.
    pub fn leave_out(&mut self, table: TableName, columns: BTreeSet<String>) {
        self.left_out.insert(table, columns);
    }

    /// The names of origins: `SELECT roident, roname FROM pg_replication_origin`. An origin that is not
    /// among them is named by its number.
    pub fn set_origins(&mut self, origins: BTreeMap<u32, String>) {
        self.origins = origins;
    }

    /// Forgets the transaction under way, under the conditions of
    /// [`Assembler::reset`](crate::assemble::Assembler::reset).
    pub fn reset(&mut self) {
        self.pieces.reset();
        for (name, before) in std::mem::take(&mut self.before) {
            match before {
                Some(before) => self.tables.insert(name, before),
                None => self.tables.remove(&name),
            };
        }
        self.truncated_at = None;
    }

    /// Whether a transaction is under way.
    pub fn is_in_transaction(&self) -> bool {
        self.pieces.is_inside()
    }

    /// Takes the next line and adds the steps that it completes. Costs and keeps as
    /// [`Assembler::push`](crate::assemble::Assembler::push) does.
    pub fn push(&mut self, text: &str, steps: &mut Vec<Step>) -> Result<(), AssembleError> {
        self.push_line(text, steps)?;
        self.types_are_fresh = false;
        Ok(())
    }

    fn push_line(&mut self, text: &str, steps: &mut Vec<Step>) -> Result<(), AssembleError> {
        let mut line = Line::read(text)?;
        let truncated_at = self.truncated_at.take();
        match line.action.as_str() {
            "B" => {
                let (commit, xid) = (line.lsn()?, line.xid.ok_or_else(|| Line::lacks("xid"))?);
                let time = line.timestamp.as_deref().ok_or_else(|| Line::lacks("timestamp"))?;
                let committed_at = timestamp_micros(time).ok_or_else(|| AssembleError::Line {
                    reason: format!("{time:?} is not a timestamp of DateStyle ISO"),
                })?;
                let origin = line.origin.filter(|origin| *origin != 0);
                let origin = origin.map(|origin| match self.origins.get(&origin) {
                    Some(name) => name.clone(),
                    None => origin.to_string(),
                });
                self.pieces.begin(Header { commit, xid, committed_at, origin })
            }
            "C" => {
                self.pieces.commit(line.next_lsn()?, steps)?;
                self.before.clear();
                Ok(())
            }
            "M" => {
                let message = event::Message {
                    lsn: line.lsn()?,
                    prefix: line.prefix.unwrap_or_default(),
                    content: line.content.unwrap_or_default().into_bytes(),
                };
                if self.pieces.is_inside() && message.prefix == SCHEMA_EVENT_PREFIX {
                    self.report(&message.content, steps)?;
                }
                match self.pieces.is_inside() {
                    true => self.pieces.change(Change::Message(message), text.len(), steps),
                    false => steps.push(Step::Message(message)),
                }
                Ok(())
            }
            "T" => self.truncate(&line, truncated_at, text.len(), steps),
            "I" | "U" | "D" => {
                if let Some(names) = self.left_out.get(&line.table_name()?) {
                    line.leave_out(names);
                }
                self.row(&line, text.len(), steps)
            }
            other => {
                Err(AssembleError::Line { reason: format!("the action {other:?} is not known") })
            }
        }
    }

    /// Lines of one TRUNCATE, one per table, become one change.
    fn truncate(
        &mut self,
        line: &Line<'_>,
        truncated_at: Option<Lsn>,
        bytes: usize,
        steps: &mut Vec<Step>,
    ) -> Result<(), AssembleError> {
        self.pieces.inside("Truncate")?;
        let (lsn, name) = (line.lsn()?, line.table_name()?);
        self.ask_for(&name)?;
        let relation = match self.tables.get(&name) {
            Some(described) => described.relation.clone(),
            None => {
                Arc::new(Relation { id: 0, name, identity: Identity::Default, columns: vec![] })
            }
        };
        self.truncated_at = Some(lsn);
        if truncated_at == Some(lsn)
            && let Some(Change::Truncate { relations }) = self.pieces.last()
        {
            relations.push(relation);
            return Ok(());
        }
        self.pieces.change(Change::Truncate { relations: vec![relation] }, bytes, steps);
        Ok(())
    }

    fn row(
        &mut self,
        line: &Line<'_>,
        bytes: usize,
        steps: &mut Vec<Step>,
    ) -> Result<(), AssembleError> {
        let lsn = self.pieces.inside("change of a row")?;
        let name = line.table_name()?;
        self.ask_for(&name)?;
        let known = self.tables.get(&name);
        if let Some(relation) = infer::description(known, &name, line) {
            let before = known.map(|known| known.relation.clone());
            let described = Described::new(Arc::new(relation), &self.catalogue)?;
            let after = Some(described.relation.clone());
            let known = self.tables.insert(name.clone(), described);
            self.before.entry(name.clone()).or_insert(known);
            let change = SchemaChange { lsn, before, after, table: name.clone() };
            self.pieces.change(Change::Schema(change), 0, steps);
        }
        let Some(table) = self.tables.get(&name) else {
            return Err(AssembleError::Line { reason: format!("table {name} has no columns") });
        };
        let (relation, lost) = (table.relation.clone(), &mut self.lost_values);
        let old = match &line.identity {
            Some(columns) => Some(old_row(table, columns, lost)?),
            None => None,
        };
        let new = |lost: &mut u64| match &line.columns {
            Some(columns) => cells(table, columns, old.as_ref(), lost),
            None => Err(Line::lacks("columns")),
        };
        let change = match line.action.as_str() {
            "I" => Change::Insert { relation, new: new(lost)? },
            "U" => {
                let new = new(lost)?;
                let old = old.filter(|old| !is_key_of(old, &relation, &new));
                Change::Update { relation, old, new }
            }
            _ => Change::Delete { relation, old: old.ok_or_else(|| Line::lacks("identity"))? },
        };
        self.pieces.change(change, bytes, steps);
        Ok(())
    }

    /// Refuses a line of a table that is not known, if that is wanted.
    fn ask_for(&self, name: &TableName) -> Result<(), AssembleError> {
        if self.asks_for_tables && !self.knows(name) && !self.looked_for.contains(name) {
            return Err(AssembleError::NewTable { table: name.clone() });
        }
        Ok(())
    }

    /// How many values became null because no value stands for them. Those that wal2json itself makes
    /// null are not among them.
    pub fn lost_values(&self) -> u64 {
        self.lost_values
    }
}

fn value(
    table: &Described,
    at: usize,
    column: &LineColumn<'_>,
    lost: &mut u64,
) -> Result<Value, AssembleError> {
    match column.text()? {
        Some(text) => table.value(at, lost, |mapping| mapping.text(&text)),
        None => Ok(Value::Null),
    }
}

/// The columns of a line at the places that they have in the table.
fn placed<'l, 'a>(
    table: &Described,
    columns: &'l [LineColumn<'a>],
) -> impl Iterator<Item = Option<&'l LineColumn<'a>>> {
    // Both are in the order of the table, so each search begins where the last ended.
    let mut rest = columns;
    let names: Vec<&str> =
        table.relation.columns.iter().map(|column| column.name.as_str()).collect();
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        places.push(match rest.split_first() {
            Some((first, behind)) if first.name == name => {
                rest = behind;
                Some(first)
            }
            _ => columns.iter().find(|column| column.name == name),
        });
    }
    places.into_iter()
}

fn cells(
    table: &Described,
    columns: &[LineColumn<'_>],
    old: Option<&OldRow>,
    lost: &mut u64,
) -> Result<Vec<Cell>, AssembleError> {
    let cell = |(at, column): (usize, Option<&LineColumn<'_>>)| {
        Ok(match (column, old) {
            (Some(column), _) => Cell::Value(value(table, at, column, lost)?),
            (None, Some(OldRow::Full(old))) => Cell::Value(old[at].clone()),
            (None, _) => Cell::Unchanged,
        })
    };
    placed(table, columns).enumerate().map(cell).collect()
}

fn old_row(
    table: &Described,
    columns: &[LineColumn<'_>],
    lost: &mut u64,
) -> Result<OldRow, AssembleError> {
    let value = |(at, column): (usize, Option<&LineColumn<'_>>)| match column {
        Some(column) => value(table, at, column, lost),
        None => Ok(Value::Null),
    };
    let values = placed(table, columns).enumerate().map(value).collect::<Result<_, _>>()?;
    Ok(match table.relation.identity {
        Identity::Full => OldRow::Full(values),
        _ => OldRow::Key(values),
    })
}

/// Whether an old key is still that of the new row. (pgoutput does not send it then.)
fn is_key_of(old: &OldRow, relation: &Relation, new: &[Cell]) -> bool {
    let OldRow::Key(old) = old else { return false };
    let mut columns = relation.columns.iter().zip(old).zip(new);
    columns.all(|((column, old), new)| !column.key || *new == Cell::Value(old.clone()))
}
