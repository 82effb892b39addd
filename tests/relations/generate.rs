//! Random relations, derived tables and data.

use std::sync::Arc;

use penstock::operators::expr::{Collation, Expr};
use penstock::operators::key::Direction;
use penstock::operators::predicate::CompareOp;
use penstock::operators::relation::plan::{
    AggregateCall, AggregateFunction, Derived, JoinKind, Relation,
};
use penstock::{TableId, Value};

use crate::naive::Tuple;

/// How many tables there are; each has a key and two further columns of any type.
pub(crate) const TABLES: u32 = 3;

/// The columns of each table.
pub(crate) const WIDTH: usize = 3;

/// A small generator of numbers; the same seed gives the same ones.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    pub(crate) fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn direction(&mut self) -> Direction {
        *self.pick(&[Direction::Asc, Direction::Desc])
    }
}

/// A value; few different ones, so that joins and groups meet.
pub(crate) fn value(random: &mut Random) -> Value {
    match random.below(12) {
        0 | 1 => Value::Null,
        2 => Value::from(0.5),
        3 => Value::from(-2.25),
        4 => Value::from("a"),
        5 => Value::from("A"),
        6 => Value::from("3x"),
        7 => Value::from("2"),
        other => Value::from(other as i64 - 8),
    }
}

/// A key of a table.
pub(crate) fn key(random: &mut Random) -> Value {
    Value::from(random.below(9) as i64)
}

/// A row of a table.
pub(crate) fn tuple(random: &mut Random) -> Tuple {
    vec![key(random), value(random), value(random)]
}

/// A relation and its width. Some parts are taken from `pool`, so that relations share them.
pub(crate) fn relation(
    random: &mut Random,
    depth: usize,
    pool: &mut Vec<(Arc<Relation>, usize)>,
) -> (Arc<Relation>, usize) {
    if !pool.is_empty() && random.chance(4) {
        return random.pick(pool).clone();
    }
    let made = fresh(random, depth, pool);
    if random.chance(2) {
        pool.push(made.clone());
    }
    made
}

fn fresh(
    random: &mut Random,
    depth: usize,
    pool: &mut Vec<(Arc<Relation>, usize)>,
) -> (Arc<Relation>, usize) {
    let (made, width) =
        if depth == 0 || random.chance(8) { leaf(random) } else { branch(random, depth - 1, pool) };
    (Arc::new(made), width)
}

fn leaf(random: &mut Random) -> (Relation, usize) {
    if random.chance(10) {
        return (Relation::Rows((0..random.below(3) + 1).map(|_| tuple(random)).collect()), WIDTH);
    }
    let table = TableId(random.below(TABLES as usize) as u32);
    let mut equal = Vec::new();
    if random.chance(5) {
        equal.push((1, value(random)));
    }
    if random.chance(8) {
        equal.push((0, key(random)));
    }
    (Relation::Scan { table, equal }, WIDTH)
}

fn branch(
    random: &mut Random,
    depth: usize,
    pool: &mut Vec<(Arc<Relation>, usize)>,
) -> (Relation, usize) {
    let (input, width) = relation(random, depth, pool);
    match random.below(9) {
        0 => {
            let columns: Vec<Expr> =
                (0..random.below(4) + 1).map(|_| expression(random, width)).collect();
            let width = columns.len();
            (Relation::Map { input, columns }, width)
        }
        1 => (Relation::Filter { input, condition: condition(random, width) }, width),
        2..=4 => {
            let (right, right_width) = relation(random, depth, pool);
            let on = (0..random.below(8).div_ceil(4))
                .map(|_| (random.below(width), random.below(right_width)))
                .collect();
            let kind = *random.pick(&[JoinKind::Inner, JoinKind::Left]);
            let total = width + right_width;
            let residual = random.chance(3).then(|| condition(random, total));
            let (left, left_width) = (input, width);
            (Relation::Join { kind, left, left_width, right, right_width, on, residual }, total)
        }
        5 => {
            let group: Vec<usize> = (0..random.below(3)).map(|_| random.below(width)).collect();
            let functions: Vec<AggregateCall> =
                (0..random.below(3) + 1).map(|_| call(random, width, is_plain(&input))).collect();
            let width = group.len() + functions.len();
            (Relation::Aggregate { input, group, functions }, width)
        }
        6 => (Relation::Distinct { input }, width),
        7 => {
            let other = Expr::Column(random.below(width));
            let columns = (0..width).map(|column| match random.chance(4) {
                true => other.clone(),
                false => Expr::Column(column),
            });
            let again = Relation::Map { input: Arc::clone(&input), columns: columns.collect() };
            (Relation::Union { inputs: vec![input, Arc::new(again)] }, width)
        }
        _ => {
            let group = (0..random.below(2)).map(|_| random.below(width)).collect();
            let order =
                (0..random.below(3)).map(|_| (random.below(width), random.direction())).collect();
            let (offset, limit) = (random.below(2), (!random.chance(6)).then(|| random.below(4)));
            (Relation::Top { input, group, order, offset, limit }, width)
        }
    }
}

fn expression(random: &mut Random, width: usize) -> Expr {
    match random.below(6) {
        0 => Expr::Literal(value(random)),
        1 => condition(random, width),
        _ => Expr::Column(random.below(width)),
    }
}

fn condition(random: &mut Random, width: usize) -> Expr {
    let right = match random.chance(2) {
        true => Expr::Literal(value(random)),
        false => Expr::Column(random.below(width)),
    };
    let ops = [CompareOp::Eq, CompareOp::Ne, CompareOp::Lt, CompareOp::Ge];
    Expr::Compare {
        op: *random.pick(&ops),
        left: Box::new(Expr::Column(random.below(width))),
        right: Box::new(right),
        collation: Collation::Binary,
    }
}

/// Whether all values are such as `value` makes, so that the tests can add them up exactly and
/// know them as text.
fn is_plain(relation: &Relation) -> bool {
    let computes = |call: &AggregateCall| {
        use AggregateFunction::{Average, GroupConcat, Sum, Total};
        matches!(call.function, Average | GroupConcat { .. } | Sum | Total)
    };
    if let Relation::Aggregate { functions, .. } = relation
        && functions.iter().any(computes)
    {
        return false;
    }
    relation.inputs().into_iter().all(|input| is_plain(input))
}

fn call(random: &mut Random, width: usize, plain: bool) -> AggregateCall {
    let function = match random.below(if plain { 9 } else { 5 }) {
        0 | 1 => AggregateFunction::Count,
        2 => AggregateFunction::Min,
        3 => AggregateFunction::Max,
        4 => AggregateFunction::Any,
        5 => AggregateFunction::Sum,
        6 => AggregateFunction::Total,
        7 => AggregateFunction::Average,
        _ => AggregateFunction::GroupConcat {
            separator: "; ".to_owned(),
            order: (0..random.below(2))
                .map(|_| (random.below(width), random.direction()))
                .collect(),
        },
    };
    let counts = function == AggregateFunction::Count;
    // Which of two texts that a collation takes for equal is put together depends on how rows are
    // kept, so texts are only put together as they are.
    let concat = matches!(function, AggregateFunction::GroupConcat { .. });
    let collation = match concat || random.chance(2) {
        true => Collation::Binary,
        false => Collation::NoCase,
    };
    AggregateCall {
        function,
        distinct: random.chance(3),
        column: (!counts || random.chance(2)).then(|| random.below(width)),
        collation,
        filter: (plain && random.chance(5)).then(|| random.below(width)),
    }
}

/// A derived table whose rows have a key, and its width.
pub(crate) fn derived(
    random: &mut Random,
    pool: &mut Vec<(Arc<Relation>, usize)>,
) -> (Arc<Derived>, usize) {
    if random.chance(6) {
        return (Arc::new(chain(random)), WIDTH + 1);
    }
    let depth = random.below(3) + 1;
    let (input, width) = relation(random, depth, pool);
    let key: Vec<usize> = (0..width).collect();
    if random.chance(3) {
        let relation = Arc::new(Relation::Distinct { input });
        return (Arc::new(Derived { relation, key }), width);
    }
    // All columns and how often a row occurs.
    let count = AggregateCall {
        function: AggregateFunction::Count,
        distinct: false,
        column: None,
        collation: Collation::Binary,
        filter: None,
    };
    let relation = Relation::Aggregate { input, group: key.clone(), functions: vec![count] };
    (Arc::new(Derived { relation: Arc::new(relation), key }), width + 1)
}

/// A base table seen through a filter and a map.
fn chain(random: &mut Random) -> Derived {
    let table = TableId(random.below(TABLES as usize) as u32);
    let equal = if random.chance(2) { vec![(1, value(random))] } else { Vec::new() };
    let scan = Arc::new(Relation::Scan { table, equal });
    let filter = Relation::Filter { input: scan, condition: condition(random, WIDTH) };
    let columns =
        vec![Expr::Column(2), Expr::Column(0), Expr::Column(1), expression(random, WIDTH)];
    let relation = Arc::new(Relation::Map { input: Arc::new(filter), columns });
    Derived { relation, key: vec![1] }
}
