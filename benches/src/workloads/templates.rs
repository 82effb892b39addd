//! Many live queries that differ in the columns they read, over tables of forty columns. Ten of them
//! read the column that changes; the others are over the changed table too (Tc), or over others (Tt).

use std::cmp::Reverse;

use penstock::operators::source::Change;
use penstock::{
    ColumnType, Database, Desc, Error, MemorySource, Query, Row, Schema, Table, Value, col,
};

use super::shapes::shapes;
use crate::check::Check;
use crate::data::Draws;
use crate::report::Outcome;
use crate::setting::{Opened, Setting};
use crate::tables::table;

const COLUMNS: usize = 40;
/// How many shapes read the column that changes.
const READERS: usize = 10;
const LIMIT: usize = 10;
/// Below this a value passes.
const BOUND: i64 = 900;
const EDITS: usize = 10_000;

/// The rows of a table; `touched` and the forty columns.
struct Wide {
    id: String,
    touched: i64,
    values: Vec<i64>,
}

impl Wide {
    /// Draws forty values (seed 10, running over all rows of all tables), from 0 to 499 in rows of
    /// odd number and 500 above that in the others. So rows of odd number pass every filter and
    /// come into no window that has ten others.
    fn draw(draws: &mut Draws, number: u32) -> Wide {
        let base = if number.is_multiple_of(2) { 500 } else { 0 };
        let values = (0..COLUMNS).map(|_| base + i64::from(draws.below(500))).collect();
        Wide { id: format!("r{number:05}"), touched: 0, values }
    }

    fn row(&self) -> Row {
        let head = [Value::from(self.id.as_str()), Value::from(self.touched)];
        let values = self.values.iter().map(|value| Value::from(*value));
        Row::new(&head.into_iter().chain(values).collect::<Vec<Value>>())
    }
}

/// A query: `first < 900 [AND second < 900]`, by a column desc, id; limit 10.
#[derive(Clone, Copy)]
struct Shape {
    table: usize,
    first: usize,
    second: Option<usize>,
    /// The column ordered by; `touched` where there is none.
    order: Option<usize>,
}

fn column(number: usize) -> String {
    format!("c{number:02}")
}

impl Shape {
    /// One of those that read `touched`.
    fn reader(number: usize) -> Shape {
        Shape { table: 0, first: number, second: None, order: None }
    }

    /// One of those that do not: the number chooses three different columns.
    fn other(table: usize, number: usize) -> Shape {
        let mut left: Vec<usize> = (0..COLUMNS).collect();
        let first = left.remove(number % left.len());
        let order = left.remove(number / COLUMNS % left.len());
        let second = left.remove(number / COLUMNS / (COLUMNS - 1) % left.len());
        Shape { table, first, second: Some(second), order: Some(order) }
    }

    fn query(&self) -> Query {
        let query = Query::table(format!("t{}", self.table))
            .filter(col(column(self.first)).lt(BOUND))
            .order_by(self.order.map_or_else(|| "touched".to_owned(), column), Desc)
            .limit(LIMIT);
        match self.second {
            Some(second) => query.filter(col(column(second)).lt(BOUND)),
            None => query,
        }
    }

    /// The result from scratch.
    fn check(&self, rows: &[Wide], check: &mut Check) {
        let passes = |row: &&Wide| {
            [Some(self.first), self.second].iter().flatten().all(|at| row.values[*at] < BOUND)
        };
        let place =
            |row: &&Wide| Reverse(self.order.map_or(row.touched, |order| row.values[order]));
        let mut found: Vec<&Wide> = rows.iter().filter(passes).collect();
        // The rows are in the order of their ids, and sorting keeps it among equals.
        found.sort_by_key(place);
        found.iter().take(LIMIT).for_each(|row| check.entry(&row.id));
    }
}

fn database(tables: &[Vec<Wide>]) -> Result<Database, Error> {
    let new_table = |number: usize| {
        let head = Table::new(format!("t{number}")).column("id", ColumnType::Text);
        let head = head.column("touched", ColumnType::Integer);
        let add = |table: Table, at| table.column(column(at), ColumnType::Integer);
        (0..COLUMNS).fold(head, add).primary_key(["id"])
    };
    let schema = Schema::new((0..tables.len()).map(new_table).collect::<Vec<Table>>())?;
    let mut source = MemorySource::new(schema.clone());
    for (number, rows) in tables.iter().enumerate() {
        source.load(table(&schema, &format!("t{number}"))?, rows.iter().map(Wide::row))?;
    }
    Database::builder().with_source(source)
}

/// Edits of `touched` in rows of odd number of the first table (seed 11): each draws the row. Makes
/// them in `rows` too.
fn edits(schema: &Schema, rows: &mut [Wide]) -> Result<Vec<Change>, Error> {
    let table = table(schema, "t0")?;
    let primary = schema.table(table).primary_key_spec();
    let mut draws = Draws::new(11);
    let mut edit = |k: usize| {
        let number = 2 * draws.below(rows.len() as u32 / 2) as usize + 1;
        rows[number].touched = k as i64 + 1;
        let row = rows[number].row();
        Change::Update { table, key: primary.key(&row), row }
    };
    Ok((0..EDITS).map(&mut edit).collect())
}

/// Shapes over `tables` tables of `rows` rows each.
fn run(tables: usize, rows: u32, all: &[Shape]) -> Result<Outcome, Error> {
    let mut draws = Draws::new(10);
    let mut table = || (0..rows).map(|number| Wide::draw(&mut draws, number)).collect();
    let mut tables: Vec<Vec<Wide>> = (0..tables).map(|_| table()).collect();
    let opened = Opened::of(database(&tables)?);
    let changes = edits(&opened.db.schema(), &mut tables[0])?;
    let queries: Vec<Query> = all.iter().map(Shape::query).collect();
    let (outcome, watched) = shapes(&opened, &queries, changes)?;
    if watched.patches != EDITS * READERS {
        return Err(Error::abort(format!("{} patches arrived", watched.patches)));
    }
    let mut expected = Check::default();
    all.iter().for_each(|shape| shape.check(&tables[shape.table], &mut expected));
    match outcome.check == Some(expected) {
        true => Ok(outcome),
        false => Err(Error::abort(format!("the check should be {expected}"))),
    }
}

/// Tc with `SHAPES` shapes, over 20 000 rows.
pub(super) fn columns<const SHAPES: usize>(_: &Setting) -> Result<Outcome, Error> {
    let others = (0..SHAPES - READERS).map(|number| Shape::other(0, number));
    run(1, 20_000, &(0..READERS).map(Shape::reader).chain(others).collect::<Vec<Shape>>())
}

/// Tt with `SHAPES` shapes, over 100 tables of 200 rows.
pub(super) fn tables<const SHAPES: usize>(_: &Setting) -> Result<Outcome, Error> {
    const OTHERS: usize = 99;
    let others =
        (0..SHAPES - READERS).map(|number| Shape::other(1 + number % OTHERS, number / OTHERS));
    run(1 + OTHERS, 200, &(0..READERS).map(Shape::reader).chain(others).collect::<Vec<Shape>>())
}
