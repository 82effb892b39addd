//! Reading rows: by key; in order, as an index gives them, or in chunks where they have to be sorted.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use indexmap::IndexMap;
use penstock_operators::key::{Direction, KeySpec, decode};
use penstock_operators::row::Row;
use penstock_operators::source::{Cursor, ScanShape, SourceError, Visitor};
use penstock_operators::value::{Value, ValueRef};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Stored};
use rusqlite::{CachedStatement, Connection};
use smallvec::SmallVec;

use super::super::FixedState;
use super::error::failure;
use super::stage::{Parameter, Read, Stage};
use super::table::TableInfo;
use super::value::{Bound, Comparable, comparable, from_stored};

/// How many rows the first chunk of a scan has where every chunk has to sort what remains.
const FIRST_SORTED_CHUNK: usize = 256;
/// By how much each chunk is larger than the one before.
const CHUNK_GROWTH: usize = 4;

/// A prepared shape.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) shape: ScanShape,
    pub(super) users: usize,
    pub(super) spec: KeySpec,
    directions: Vec<Direction>,
    /// Whether an index gives the rows in order.
    pub(super) served: bool,
    /// The statements of the stages met so far, by their signatures.
    statements: RefCell<IndexMap<Vec<u8>, Arc<str>, FixedState>>,
}

impl Prepared {
    pub(super) fn new(shape: &ScanShape, served: bool) -> Prepared {
        Prepared {
            spec: KeySpec::new(shape.order.clone()),
            directions: shape.order.iter().map(|(_, direction)| *direction).collect(),
            shape: shape.clone(),
            users: 1,
            served,
            statements: RefCell::new(IndexMap::with_hasher(super::super::fixed_state())),
        }
    }

    /// Forgets the statements made so far: the table may have other columns now.
    pub(super) fn forget_statements(&self) {
        self.statements.borrow_mut().clear();
    }

    fn statement(&self, info: &TableInfo, stage: &Stage) -> Arc<str> {
        let mut statements = self.statements.borrow_mut();
        let known = statements.entry(stage.signature());
        Arc::clone(known.or_insert_with(|| stage.sql(info, &self.shape).into()))
    }

    /// The values that encoded columns held equal have.
    pub(super) fn equal_values(
        &self,
        info: &TableInfo,
        equal: &[u8],
    ) -> Result<Vec<Value>, SourceError> {
        let directions = vec![Direction::Asc; self.shape.equal.len()];
        decode(equal, &directions).map_err(|_| malformed(info))
    }
}

fn malformed(info: &TableInfo) -> SourceError {
    SourceError {
        context: format!("table \"{}\"", info.name),
        reason: "the key of a read is not an encoding of the values it needs".to_owned(),
    }
}

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Parameter::Value(value) => ToSqlOutput::Borrowed(match value.as_ref() {
                ValueRef::Null => Stored::Null,
                ValueRef::Bool(value) => Stored::Integer(i64::from(value)),
                ValueRef::Int(value) => Stored::Integer(value),
                ValueRef::Float(value) => Stored::Real(value),
                ValueRef::Text(text) | ValueRef::Json(text) => Stored::Text(text.as_bytes()),
                ValueRef::Blob(bytes) => Stored::Blob(bytes),
            }),
            Parameter::Key(bytes) => ToSqlOutput::Borrowed(Stored::Blob(bytes)),
        })
    }
}

/// A connection with the name of its file, for errors.
#[derive(Clone, Copy)]
pub(super) struct Reader<'c> {
    pub(super) connection: &'c Connection,
    pub(super) file: &'c str,
}

impl Reader<'_> {
    pub(super) fn failure(&self, info: &TableInfo, error: &rusqlite::Error) -> SourceError {
        failure(self.file, &format!("reading table \"{}\"", info.name), error)
    }

    /// The row with an encoded primary key.
    pub(super) fn get(&self, info: &TableInfo, key: &[u8]) -> Result<Option<Row>, SourceError> {
        let values = decode(key, &info.key_directions).map_err(|_| malformed(info))?;
        let native = |(column, value): (&usize, &Value)| {
            let info = &info.columns[*column];
            comparable(value.as_ref(), info.kind, info.affinity)
        };
        let mut keyed = false;
        for part in info.key.iter().zip(&values) {
            match native(part) {
                Comparable::Native => {}
                Comparable::Keyed => keyed = true,
                Comparable::BelowAll | Comparable::AboveAll => return Ok(None),
            }
        }
        if keyed {
            return self.get_keyed(info, &values);
        }
        let read = || {
            let mut statement = self.connection.prepare_cached(&info.get)?;
            for (at, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(at + 1, Bound(value.as_ref()))?;
            }
            let mut rows = statement.raw_query();
            rows.next()?.map(|row| self.row(info, row)).transpose()
        };
        read().map_err(|error| self.row_error(info, error))?.transpose()
    }

    /// As `get`, where SQLite would convert the key's values.
    fn get_keyed(&self, info: &TableInfo, key: &[Value]) -> Result<Option<Row>, SourceError> {
        let shape = ScanShape {
            table: penstock_operators::schema::TableId(0),
            equal: info.key.clone(),
            order: info.key_spec.columns().to_vec(),
        };
        let read = Read { info, shape: &shape, equal: key, reverse: false };
        let prepared = Prepared::new(&shape, true);
        for stage in read.stages(None) {
            if let Some(row) = self.chunk(info, &prepared, &stage, 1)?.into_iter().next() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Visits the rows of a prepared shape.
    pub(super) fn scan(
        &self,
        info: &TableInfo,
        prepared: &Prepared,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(), SourceError> {
        let equal = prepared.equal_values(info, equal)?;
        let read = Read { info, shape: &prepared.shape, equal: &equal, reverse };
        let start = match from {
            None => None,
            Some(cursor) => {
                let values = decode(cursor.key, &prepared.directions);
                Some((values.map_err(|_| malformed(info))?, cursor.inclusive))
            }
        };
        let mut stages = read.stages(start.as_ref().map(|(values, at)| (&values[..], *at)));
        if prepared.served {
            for stage in &stages {
                if self.stream(info, prepared, stage, visit)?.is_break() {
                    break;
                }
            }
            return Ok(());
        }
        let mut limit = FIRST_SORTED_CHUNK;
        loop {
            let mut last = None;
            for stage in &stages {
                // Collected first: the visitor may read from the same source.
                let rows = self.chunk(info, prepared, stage, limit)?;
                let is_full = rows.len() == limit;
                for row in &rows {
                    if visit(row).is_break() {
                        return Ok(());
                    }
                }
                if is_full {
                    last = rows.last().cloned();
                    break;
                }
            }
            let Some(last) = last else { return Ok(()) };
            let position: Vec<Value> = prepared
                .shape
                .order
                .iter()
                .map(|(column, _)| last.get(*column).to_owned())
                .collect();
            stages = read.stages(Some((&position, false)));
            limit *= CHUNK_GROWTH;
        }
    }

    /// Visits the rows of a stage, which an index gives in order, one by one as SQLite finds them.
    /// Meanwhile the visitor may read from the same connection.
    fn stream(
        &self,
        info: &TableInfo,
        prepared: &Prepared,
        stage: &Stage,
        visit: &mut Visitor<'_>,
    ) -> Result<ControlFlow<()>, SourceError> {
        let sql = prepared.statement(info, stage);
        let mut read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            bind(&mut statement, stage, usize::MAX)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                match self.row(info, row)? {
                    Ok(row) if visit(&row).is_break() => return Ok(Ok(ControlFlow::Break(()))),
                    Ok(_) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(ControlFlow::Continue(())))
        };
        read().map_err(|error| self.row_error(info, error))?
    }

    /// The first rows of a stage.
    fn chunk(
        &self,
        info: &TableInfo,
        prepared: &Prepared,
        stage: &Stage,
        limit: usize,
    ) -> Result<Vec<Row>, SourceError> {
        let sql = prepared.statement(info, stage);
        let read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            bind(&mut statement, stage, limit)?;
            let mut rows = statement.raw_query();
            let mut chunk = Vec::new();
            while let Some(row) = rows.next()? {
                match self.row(info, row)? {
                    Ok(row) => chunk.push(row),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(chunk))
        };
        read().map_err(|error| self.row_error(info, error))?
    }

    fn row_error(&self, info: &TableInfo, error: rusqlite::Error) -> SourceError {
        self.failure(info, &error)
    }

    /// The row that a statement stands at, which selects the columns of a table. The inner error
    /// is of a row that cannot be one of ours.
    pub(super) fn row(
        &self,
        info: &TableInfo,
        row: &rusqlite::Row<'_>,
    ) -> rusqlite::Result<Result<Row, SourceError>> {
        let mut values: SmallVec<[ValueRef<'_>; 16]> = SmallVec::with_capacity(info.columns.len());
        for (at, column) in info.columns.iter().enumerate() {
            match from_stored(row.get_ref(at)?, column.kind) {
                Ok(value) => values.push(value),
                Err(_) => return Ok(Err(self.not_utf8(info, row, at))),
            }
        }
        if let Some(column) = info.key.iter().find(|column| values[**column].is_null()) {
            return Ok(Err(SourceError {
                context: format!("{}: table \"{}\"", self.file, info.name),
                reason: format!(
                    "a row has null in the primary-key column \"{}\", which SQLite allows for old \
                     files' sake but nothing can refer to; give it a value or delete the row",
                    info.columns[*column].name
                ),
            }));
        }
        Ok(Ok(Row::from_refs(&values)))
    }

    fn not_utf8(&self, info: &TableInfo, row: &rusqlite::Row<'_>, column: usize) -> SourceError {
        let key = info.key.iter().map(|at| {
            let value =
                row.get_ref(*at).map(|stored| match from_stored(stored, info.columns[*at].kind) {
                    Ok(value) => value.to_string(),
                    Err(_) => "a text that is not UTF-8".to_owned(),
                });
            let value = value.unwrap_or_else(|_| "?".to_owned());
            format!("{} = {value}", info.columns[*at].name)
        });
        let key: Vec<String> = key.collect();
        SourceError {
            context: format!("{}: table \"{}\", row {}", self.file, info.name, key.join(", ")),
            reason: format!(
                "the text in column \"{}\" is not valid UTF-8; correct it, or store it as a BLOB",
                info.columns[column].name
            ),
        }
    }
}

fn bind(statement: &mut CachedStatement<'_>, stage: &Stage, limit: usize) -> rusqlite::Result<()> {
    let mut place = 0;
    for parameter in stage.parameters() {
        place += 1;
        statement.raw_bind_parameter(place, parameter)?;
    }
    statement.raw_bind_parameter(place + 1, i64::try_from(limit).unwrap_or(i64::MAX))
}

/// Reads rows that a transaction has changed as they were before it: those of `after` but for the
/// touched ones, whose old rows are put where they belong.
pub(super) fn merged(
    spec: &KeySpec,
    old: Vec<Row>,
    is_touched: impl Fn(&Row) -> bool,
    reverse: bool,
    visit: &mut Visitor<'_>,
    scan: impl FnOnce(&mut Visitor<'_>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let mut old: Vec<(penstock_operators::key::Key, Row)> =
        old.into_iter().map(|row| (spec.key(&row), row)).collect();
    old.sort_by(|a, b| if reverse { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    let mut old = old.into_iter().peekable();
    let mut ended = false;
    scan(&mut |row| {
        if is_touched(row) {
            return ControlFlow::Continue(());
        }
        let key = spec.key(row);
        let comes_first = |(other, _): &(penstock_operators::key::Key, Row)| {
            if reverse { *other > key } else { *other < key }
        };
        while let Some((_, row)) = old.next_if(comes_first) {
            if visit(&row).is_break() {
                ended = true;
                return ControlFlow::Break(());
            }
        }
        let flow = visit(row);
        ended = flow.is_break();
        flow
    })?;
    if !ended {
        // Nothing follows, so it does not matter where the visitor ends the scan.
        let _ = old.try_for_each(|(_, row)| visit(&row));
    }
    Ok(())
}
