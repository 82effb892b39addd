//! Deep trees: six levels of lists, each limited, under changes at one of the levels.

use std::cmp::Reverse;

use penstock::operators::source::Change;
use penstock::{
    ColumnType, Database, Desc, Error, MemorySource, Query, Related, Row, Schema, Table, ValueRef,
    col,
};

use super::live::{push, singly, take_changes};
use super::watched::requery;
use crate::check::Check;
use crate::cpu::CpuTimer;
use crate::data::Draws;
use crate::report::{MICROS, Outcome};
use crate::setting::{Opened, Setting};
use crate::tables::table;

const DEPTH: usize = 6;
/// How many children a row has.
const FAN: usize = 6;
/// How many of them a list shows.
const LIMIT: usize = 3;
const EDITS: usize = 10_000;
const MOVES: usize = 2_000;
/// Ranks are drawn below this; those of moved rows are above.
const RANKS: u32 = 1 << 20;

/// A row. The children of the row at a position stand from `FAN` times that position on, one level
/// below.
#[derive(Clone)]
struct Node {
    rank: i64,
    title: String,
}

/// The rows of all levels, and the tables that they are in.
struct Forest {
    levels: Vec<Vec<Node>>,
    tables: [&'static str; DEPTH],
}

/// A table for each level.
const APART: [&str; DEPTH] = ["level0", "level1", "level2", "level3", "level4", "level5"];
/// One table for all.
const TOGETHER: [&str; DEPTH] = ["node"; DEPTH];

fn id(depth: usize, at: usize) -> String {
    format!("d{depth}n{at:05}")
}

impl Forest {
    /// Six rows at the top, and six below each; the ranks are drawn level by level (seed 12).
    fn new(tables: [&'static str; DEPTH]) -> Forest {
        let mut draws = Draws::new(12);
        let mut node =
            |at| Node { rank: i64::from(draws.below(RANKS)), title: format!("node {at}") };
        let levels = (1..=DEPTH as u32).map(|depth| (0..FAN.pow(depth)).map(&mut node).collect());
        Forest { levels: levels.collect(), tables }
    }

    fn row(&self, depth: usize, at: usize) -> Row {
        let node = &self.levels[depth][at];
        let parent = depth.checked_sub(1).map(|above| id(above, at / FAN)).unwrap_or_default();
        Row::from_refs(&[
            ValueRef::Text(&id(depth, at)),
            ValueRef::Text(&parent),
            ValueRef::Int(node.rank),
            ValueRef::Text(&node.title),
        ])
    }

    fn database(&self) -> Result<Database, Error> {
        let new_table = |name: &&str| {
            Table::new(*name)
                .column("id", ColumnType::Text)
                .column("parent", ColumnType::Text)
                .column("rank", ColumnType::Integer)
                .column("title", ColumnType::Text)
                .primary_key(["id"])
        };
        let mut names = self.tables.to_vec();
        names.dedup();
        let schema = Schema::new(names.iter().map(new_table).collect::<Vec<Table>>())?;
        let mut source = MemorySource::new(schema.clone());
        for name in names {
            let levels = (0..DEPTH).filter(|depth| self.tables[*depth] == name);
            let rows = levels
                .flat_map(|depth| (0..self.levels[depth].len()).map(move |at| self.row(depth, at)));
            source.load(table(&schema, name)?, rows)?;
        }
        Database::builder().with_source(source)
    }

    fn query(&self) -> Query {
        let below = self.tables[1..].iter().rev().fold(None, |below: Option<Related>, name| {
            let list = Related::many(*name).on("id", "parent").order_by("rank", Desc).limit(LIMIT);
            Some(below.into_iter().fold(list, |list, below| list.related("children", below)))
        });
        let top = Query::table(self.tables[0]).filter(col("parent").eq(""));
        let top = top.order_by("rank", Desc).limit(LIMIT);
        below.into_iter().fold(top, |top, below| top.related("children", below))
    }

    /// The first rows among siblings, in order.
    fn first(&self, depth: usize, parent: usize) -> Vec<usize> {
        let mut siblings: Vec<usize> = (parent * FAN..(parent + 1) * FAN).collect();
        siblings.sort_by_key(|at| (Reverse(self.levels[depth][*at].rank), *at));
        siblings.truncate(LIMIT);
        siblings
    }

    /// The rows of one level that the query shows.
    fn shown(&self, depth: usize) -> Vec<usize> {
        let above = depth.checked_sub(1).map_or_else(|| vec![0], |above| self.shown(above));
        above.into_iter().flat_map(|parent| self.first(depth, parent)).collect()
    }

    /// The check of the tree from scratch.
    fn check(&self, depth: usize, parent: usize, check: &mut Check) {
        if depth == DEPTH {
            return;
        }
        for at in self.first(depth, parent) {
            check.entry(&id(depth, at));
            self.check(depth + 1, at, check);
        }
    }

    fn update(&self, schema: &Schema, depth: usize, at: usize) -> Result<Change, Error> {
        let table = table(schema, self.tables[depth])?;
        let row = self.row(depth, at);
        Ok(Change::Update { table, key: schema.table(table).primary_key_spec().key(&row), row })
    }
}

/// New titles for rows in view at one depth, then moves of rows, in view or not, to the head of their
/// list (seed 13: each draws its row).
fn run(mut forest: Forest, depth: usize) -> Result<Outcome, Error> {
    let opened = Opened::of(forest.database()?);
    let (db, schema) = (&opened.db, opened.db.schema());
    let mut draws = Draws::new(13);
    let shown = forest.shown(depth);
    let mut retitle = |k: usize| {
        let at = shown[draws.below(shown.len() as u32) as usize];
        forest.levels[depth][at].title = format!("edit {k}");
        forest.update(&schema, depth, at)
    };
    let titles = (0..EDITS).map(&mut retitle).collect::<Result<Vec<Change>, Error>>()?;
    let mut promote = |k: usize| {
        let at = draws.below(forest.levels[depth].len() as u32) as usize;
        forest.levels[depth][at].rank = i64::from(RANKS) + k as i64;
        forest.update(&schema, depth, at)
    };
    let moves = (0..MOVES).map(&mut promote).collect::<Result<Vec<Change>, Error>>()?;

    let mut outcome = Outcome::default();
    let mut subscription = db.subscribe(forest.query())?;
    requery(db, std::iter::once(forest.query()), 1, &mut outcome)?;
    let mut patches = 0;
    push(&opened, singly(titles), &mut outcome, None, || {
        patches += take_changes(&mut subscription)
    })?;
    if patches != EDITS {
        return Err(Error::abort(format!("{patches} patches arrived")));
    }
    let timer = CpuTimer::start();
    for change in moves {
        db.apply(vec![change])?;
        take_changes(&mut subscription);
    }
    outcome.push("push_move_cpu", timer.micros() / MOVES as f64, MICROS);
    db.verify()?;
    let (mut check, mut expected) = (Check::default(), Check::default());
    check.tree(&subscription.rows());
    forest.check(0, 0, &mut expected);
    if check != expected {
        return Err(Error::abort(format!("the check is {check} and should be {expected}")));
    }
    outcome.check = Some(check);
    Ok(outcome)
}

/// D, changed at `LEVEL`.
pub(super) fn apart<const LEVEL: usize>(_: &Setting) -> Result<Outcome, Error> {
    run(Forest::new(APART), LEVEL)
}

/// Ds, changed at `LEVEL`.
pub(super) fn together<const LEVEL: usize>(_: &Setting) -> Result<Outcome, Error> {
    run(Forest::new(TOGETHER), LEVEL)
}
