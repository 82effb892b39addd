//! Messages of pgoutput to [steps](Step).
//!
//! The [`Assembler`] remembers how tables were described, notices when a description changes, reads
//! values through the [`Catalogue`], and hands transactions on in bounded pieces. It does no I/O.

use std::sync::Arc;

use penstock::Value;

use crate::described::{Described, Tables};
use crate::event::{self, Cell, Change, Header, OldRow, SchemaChange, Step};
use crate::pgoutput::{
    self, Begin, Datum, DecodeError, Emitted, MICROSECONDS_TO_2000, Message, OldTuple,
    RelationBody, Tuple,
};
pub use crate::pieces::PieceLimits;
use crate::pieces::Pieces;
use crate::schema_report::SchemaReport;
use crate::setup::SCHEMA_EVENT_PREFIX;
use crate::table::{Column, Relation, TableName};
use crate::types::{Catalogue, UnknownType, ValueError};

/// Why a stream cannot be followed further. The assembler is left as it was before the message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Bytes that are not a message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A line that is not of wal2json, format version 2.
    #[error("a line of wal2json cannot be read: {reason}")]
    Line {
        /// What is wrong.
        reason: String,
    },
    /// A column of a type that the catalogue does not know. With a catalogue that was read again
    /// ([`Assembler::set_catalogue`]) the same message can be given once more.
    #[error("column \"{column}\" of table {table}: {error}")]
    UnknownType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type.
        error: UnknownType,
    },
    /// A table that is not known yet: it should be looked up on the server and made
    /// [known](crate::wal2json::LineAssembler::know), and then the same line be given once more.
    #[error("table {table} is not known")]
    NewTable {
        /// The table.
        table: TableName,
    },
    /// A value that is not one of its type.
    #[error("column \"{column}\" of table {table}: {error}")]
    Value {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong with it.
        error: Box<ValueError>,
    },
    /// A change of a table that was not described before.
    #[error("the table with the object id {id} is changed, but was not described before")]
    UnknownTable {
        /// The table.
        id: u32,
    },
    /// A row that does not have the columns of its table.
    #[error("a row of table {table} has {found} columns instead of {expected}")]
    Columns {
        /// The table.
        table: TableName,
        /// As many as the table has.
        expected: usize,
        /// As many as the row has.
        found: usize,
    },
    /// A message that does not belong where it stands, or was not asked for.
    #[error(
        "the message {message} does not belong here; the stream must be asked for without \
         streaming of transactions in progress and without two-phase commit"
    )]
    OutOfPlace {
        /// The name of the message.
        message: &'static str,
    },
}

/// Turns the messages of one stream into steps.
#[derive(Debug)]
pub struct Assembler {
    catalogue: Arc<Catalogue>,
    tables: Tables,
    pieces: Pieces,
    lost_values: u64,
    takes_descriptions: bool,
    /// Whether the types were read just before the message that is now taken.
    types_are_fresh: bool,
}

impl Assembler {
    /// For a stream from its beginning, or from where it was acknowledged.
    pub fn new(catalogue: Arc<Catalogue>, limits: PieceLimits) -> Assembler {
        let (tables, pieces) = (Tables::default(), Pieces::new(limits));
        Assembler {
            catalogue,
            tables,
            pieces,
            lost_values: 0,
            takes_descriptions: false,
            types_are_fresh: false,
        }
    }

    /// Whether tables are taken to be as [reports of DDL](SCHEMA_EVENT_PREFIX) describe them: where all
    /// tables are followed, with all columns. It is off at first; then only what they say of dropped
    /// tables counts, and a changed one is noticed at its next write.
    pub fn take_descriptions(&mut self, take: bool) {
        self.takes_descriptions = take;
    }

    /// Types that were read again. Tables that are known keep being known.
    pub fn set_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        self.tables.read_types(&catalogue);
        (self.catalogue, self.types_are_fresh) = (catalogue, true);
    }

    /// A table as the consumer knows it: if the stream describes it in the same way, that is no
    /// change of the schema. Fails if a type is not known.
    pub fn know(&mut self, relation: Relation) -> Result<(), AssembleError> {
        let described = Described::new(Arc::new(relation), &self.catalogue)?;
        self.tables.know(described);
        Ok(())
    }

    /// Forgets the transaction under way, for a connection made anew. The consumer must have kept all
    /// transactions that were complete, and nothing of this one; if it has not, make a new assembler
    /// and let it [know](Assembler::know) the tables.
    pub fn reset(&mut self) {
        self.pieces.reset();
        self.tables.reset();
    }

    /// Whether a transaction is under way.
    pub fn is_in_transaction(&self) -> bool {
        self.pieces.is_inside()
    }

    /// How many values (NaN, infinite `numeric`) became null because no value stands for them.
    pub fn lost_values(&self) -> u64 {
        self.lost_values
    }

    /// Takes the next message and adds the steps that it completes. Costs time in proportion to the
    /// message; what is kept meanwhile is bounded by the [limits](PieceLimits) and one message.
    pub fn push(&mut self, message: &[u8], steps: &mut Vec<Step>) -> Result<(), AssembleError> {
        let decoded = pgoutput::decode(message, false)?;
        self.push_message(&decoded, message.len(), steps)?;
        self.types_are_fresh = false;
        Ok(())
    }

    fn push_message(
        &mut self,
        message: &Message<'_>,
        bytes: usize,
        steps: &mut Vec<Step>,
    ) -> Result<(), AssembleError> {
        let name = message.name();
        let change = match message {
            Message::Begin(begin) => return self.pieces.begin(header(begin)),
            Message::Origin(origin) => return self.pieces.origin(origin.name),
            Message::Commit(commit) => {
                self.pieces.commit(commit.end_lsn, steps)?;
                self.tables.commit();
                return Ok(());
            }
            Message::Type(_) => return Ok(()),
            Message::Emitted(emitted) if !self.pieces.is_inside() => {
                steps.push(Step::Message(emitted_message(emitted)));
                return Ok(());
            }
            Message::Emitted(emitted) => {
                if emitted.prefix == SCHEMA_EVENT_PREFIX {
                    self.report(emitted.content, steps)?;
                }
                Change::Message(emitted_message(emitted))
            }
            Message::Relation(body) => {
                self.pieces.inside(name)?;
                self.tables.describe(Described::new(Arc::new(relation(body)), &self.catalogue)?);
                return Ok(());
            }
            Message::Insert(insert) => {
                self.pieces.inside(name)?;
                let table = self.tables.get(insert.relation)?;
                let new = cells(table, insert.new, None, &mut self.lost_values)?;
                Change::Insert { relation: table.relation.clone(), new }
            }
            Message::Update(update) => {
                self.pieces.inside(name)?;
                let table = self.tables.get(update.relation)?;
                let old = match update.old {
                    Some(old) => Some(old_row(table, old, &mut self.lost_values)?),
                    None => None,
                };
                let new = cells(table, update.new, old.as_ref(), &mut self.lost_values)?;
                Change::Update { relation: table.relation.clone(), old, new }
            }
            Message::Delete(delete) => {
                self.pieces.inside(name)?;
                let table = self.tables.get(delete.relation)?;
                let old = old_row(table, delete.old, &mut self.lost_values)?;
                Change::Delete { relation: table.relation.clone(), old }
            }
            Message::Truncate(truncate) => {
                self.pieces.inside(name)?;
                let table = |id: &u32| Ok(self.tables.get(*id)?.relation.clone());
                let relations = truncate.relations.iter().map(table);
                Change::Truncate { relations: relations.collect::<Result<_, AssembleError>>()? }
            }
            Message::StreamStart(_)
            | Message::StreamStop
            | Message::StreamCommit(_)
            | Message::StreamAbort(_)
            | Message::BeginPrepare(_)
            | Message::Prepare(_)
            | Message::CommitPrepared(_)
            | Message::RollbackPrepared(_)
            | Message::StreamPrepare(_) => return Err(AssembleError::OutOfPlace { message: name }),
        };
        self.tell_news(message, steps)?;
        self.pieces.change(change, bytes, steps);
        Ok(())
    }

    /// Tells what a report of DDL says.
    fn report(&mut self, content: &[u8], steps: &mut Vec<Step>) -> Result<(), AssembleError> {
        let lsn = self.pieces.inside("Message")?;
        let Some(report) = SchemaReport::read(content) else { return Ok(()) };
        let tables = report.tables.into_iter().filter(|_| self.takes_descriptions);
        let described: Result<Vec<Described>, AssembleError> =
            tables.map(|(table, _)| Described::new(Arc::new(table), &self.catalogue)).collect();
        let described = match described {
            Ok(described) => described,
            // A type that is gone meanwhile: what the table is like is told at its next write.
            Err(_) if self.types_are_fresh => Vec::new(),
            Err(error) => return Err(error),
        };
        let dropped = report.dropped.iter().filter_map(|(id, _)| self.tables.forget(*id, lsn));
        let mut news: Vec<SchemaChange> = dropped.collect();
        for table in described {
            let id = table.relation.id;
            self.tables.describe(table);
            news.extend(self.tables.news(id, lsn)?);
        }
        for change in news {
            self.pieces.change(Change::Schema(change), 0, steps);
        }
        Ok(())
    }

    /// Tells what is new of the tables that a message changes.
    fn tell_news(
        &mut self,
        message: &Message<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<(), AssembleError> {
        let tables: &[u32] = match message {
            Message::Insert(insert) => &[insert.relation],
            Message::Update(update) => &[update.relation],
            Message::Delete(delete) => &[delete.relation],
            Message::Truncate(truncate) => &truncate.relations,
            _ => return Ok(()),
        };
        let lsn = self.pieces.inside(message.name())?;
        for table in tables {
            if let Some(news) = self.tables.news(*table, lsn)? {
                self.pieces.change(Change::Schema(news), 0, steps);
            }
        }
        Ok(())
    }
}

fn header(begin: &Begin) -> Header {
    Header {
        commit: begin.final_lsn,
        xid: begin.xid,
        committed_at: begin.committed_at.saturating_add(MICROSECONDS_TO_2000),
        origin: None,
    }
}

fn emitted_message(emitted: &Emitted<'_>) -> event::Message {
    event::Message {
        lsn: emitted.lsn,
        prefix: emitted.prefix.to_owned(),
        content: emitted.content.to_owned(),
    }
}

fn relation(body: &RelationBody<'_>) -> Relation {
    let schema = if body.schema.is_empty() { "pg_catalog" } else { body.schema };
    let columns = body.columns.iter().map(|column| Column {
        name: column.name.to_owned(),
        key: column.flags & 1 == 1,
        type_id: column.type_id,
        modifier: column.modifier,
    });
    Relation {
        id: body.id,
        name: TableName::new(schema, body.name),
        identity: body.identity,
        columns: columns.collect(),
    }
}

fn check_count(table: &Described, tuple: Tuple<'_>) -> Result<(), AssembleError> {
    let (expected, found) = (table.mappings.len(), tuple.len());
    match expected == found {
        true => Ok(()),
        false => {
            Err(AssembleError::Columns { table: table.relation.name.clone(), expected, found })
        }
    }
}

/// The value of a column, or nothing where it is unchanged.
fn value(
    table: &Described,
    column: usize,
    datum: Datum<'_>,
    lost: &mut u64,
) -> Result<Option<Value>, AssembleError> {
    match datum {
        Datum::Null => Ok(Some(Value::Null)),
        Datum::Unchanged => Ok(None),
        Datum::Text(bytes) => {
            table.value(column, lost, |mapping| mapping.text_bytes(bytes)).map(Some)
        }
        Datum::Binary(bytes) => {
            table.value(column, lost, |mapping| mapping.binary(bytes)).map(Some)
        }
    }
}

/// The values of a new row. A large value that did not change is taken from the old row if that is
/// sent whole.
fn cells(
    table: &Described,
    tuple: Tuple<'_>,
    old: Option<&OldRow>,
    lost: &mut u64,
) -> Result<Vec<Cell>, AssembleError> {
    check_count(table, tuple)?;
    let cell = |(column, datum)| {
        Ok(match (value(table, column, datum, lost)?, old) {
            (Some(value), _) => Cell::Value(value),
            (None, Some(OldRow::Full(old))) => Cell::Value(old[column].clone()),
            (None, _) => Cell::Unchanged,
        })
    };
    tuple.iter().enumerate().map(cell).collect()
}

fn old_row(
    table: &Described,
    tuple: OldTuple<'_>,
    lost: &mut u64,
) -> Result<OldRow, AssembleError> {
    let (OldTuple::Key(columns) | OldTuple::Full(columns)) = tuple;
    check_count(table, columns)?;
    // The server sends old rows with their large values.
    let value = |(column, datum)| Ok(value(table, column, datum, lost)?.unwrap_or_default());
    let values = columns.iter().enumerate().map(value).collect::<Result<_, AssembleError>>()?;
    Ok(match tuple {
        OldTuple::Key(_) => OldRow::Key(values),
        OldTuple::Full(_) => OldRow::Full(values),
    })
}
