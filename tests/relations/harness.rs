//! Runs a case and checks everything after every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::operators::delta::Batch;
use penstock::operators::graph::{Graph, RootId};
use penstock::operators::key::{Direction, KeySpec};
use penstock::operators::plan::{Binding, Condition, Edge, Extent, Input, LevelPlan, Plan};
use penstock::operators::relation::plan::{Derived, Relation};
use penstock::operators::row::Row;
use penstock::operators::source::{Change, Source};
use penstock::operators::view::Node;
use penstock::{ColumnType, MemorySource, Schema, Table, TableId, Value};

use crate::faults::{Faults, Faulty};
use crate::generate::{self, Random, TABLES, WIDTH};
use crate::naive::{self, Tuple};

/// A query: the rows of a derived table or of a base table, in an order, with a related list of
/// the other kind or of the same.
struct Query {
    plan: Plan,
    top: Level,
    related: Option<(usize, usize, Level)>,
    exists: Option<(usize, usize, Level)>,
}

/// One level of a query as the tests evaluate it.
#[derive(Clone)]
struct Level {
    rows: Arc<Relation>,
    order: Vec<(usize, Direction)>,
    limit: Option<usize>,
}

/// A result as the tests compare it: rows in order, each with its related rows.
type Rows = Vec<(Tuple, Vec<Tuple>)>;

pub(crate) struct Harness {
    random: Random,
    source: Faulty,
    graph: Graph,
    data: Vec<Vec<Tuple>>,
    pool: Vec<(Arc<Relation>, usize)>,
    live: Vec<(Query, RootId)>,
}

impl Harness {
    pub(crate) fn new(seed: u64) -> Harness {
        let tables = (0..TABLES).map(|number| {
            Table::new(format!("t{number}"))
                .column("id", ColumnType::Integer)
                .nullable("x", ColumnType::Any)
                .nullable("y", ColumnType::Any)
                .primary_key(["id"])
        });
        let schema = Schema::new(tables).expect("a schema");
        let mut random = Random::new(seed);
        let mut inner = MemorySource::new(schema);
        let mut data = Vec::new();
        for number in 0..TABLES {
            let mut rows: BTreeMap<Value, Tuple> = BTreeMap::new();
            for _ in 0..random.below(9) {
                let tuple = generate::tuple(&mut random);
                rows.insert(tuple[0].clone(), tuple);
            }
            let packed = rows.values().map(|tuple| Row::new(tuple));
            inner.load(TableId(number), packed).expect("rows that fit");
            data.push(rows.into_values().collect());
        }
        let source = Faulty { inner, faults: Arc::new(Faults::default()) };
        let graph = Graph::default();
        Harness { random, source, graph, data, pool: Vec::new(), live: Vec::new() }
    }

    /// Subscribes, unsubscribes or writes.
    pub(crate) fn step(&mut self) {
        match self.random.below(8) {
            0 | 1 if self.live.len() < 6 => self.subscribe(),
            2 if !self.live.is_empty() => {
                let at = self.random.below(self.live.len());
                let (_, root) = self.live.swap_remove(at);
                self.graph.unsubscribe(&mut self.source, root);
            }
            _ => self.transact(),
        }
        self.check();
    }

    /// Unsubscribes everything; then nothing is left.
    pub(crate) fn end(mut self) {
        for (_, root) in std::mem::take(&mut self.live) {
            self.graph.unsubscribe(&mut self.source, root);
        }
        assert_eq!(self.graph.size(), (0, 0), "levels and partitions");
        assert_eq!(self.graph.relations_size(), (0, 0), "nodes and derived tables");
        let orders = self.source.memory();
        let indexes = orders.iter().filter(|(owner, _)| owner.contains('('));
        assert_eq!(indexes.count(), 0, "the source keeps indexes: {orders:?}");
    }

    fn subscribe(&mut self) {
        let query = query(&mut self.random, &mut self.pool);
        let before = (self.graph.size(), self.graph.relations_size());
        if self.random.chance(2) {
            self.source.faults.arm(self.random.below(12) as u64 + 1);
        }
        let outcome = self.graph.subscribe(&mut self.source, &query.plan);
        let failed = self.source.faults.disarm();
        match outcome {
            Ok(root) => self.live.push((query, root)),
            Err(_) => {
                assert!(failed, "subscribing fails only where the source does");
                let after = (self.graph.size(), self.graph.relations_size());
                assert_eq!(before, after, "a subscription that failed left something");
            }
        }
    }

    fn transact(&mut self) {
        let mut data = self.data.clone();
        let changes = changes(&mut self.random, &mut data);
        let batch = self.source.apply(changes).expect("writes that fit");
        if self.random.chance(3) {
            self.fail(&batch);
        }
        let trees: Vec<Arc<[Node]>> =
            self.live.iter().map(|(_, root)| self.graph.snapshot(*root)).collect();
        // Now and then nothing is said of what changed.
        match self.random.chance(6) {
            false => self.graph.advance(&mut self.source, &batch).expect("no faults"),
            true => self.graph.reread(&mut self.source).expect("no faults"),
        }
        if self.random.chance(8) {
            self.graph.undo();
            self.source.rollback();
            return;
        }
        self.source.commit().expect("no faults");
        let patches = self.graph.commit(self.source.schema());
        self.data = data;
        for ((_, root), tree) in self.live.iter().zip(trees) {
            let patch = patches.iter().find(|patch| patch.root == *root);
            let patched = patch.map_or_else(|| tree.to_vec(), |patch| patch.tree.apply(&tree));
            assert_eq!(patched[..], self.graph.snapshot(*root)[..], "the patch tells all");
        }
    }

    /// Lets the source fail while a transaction goes through; then everything is as before it.
    fn fail(&mut self, batch: &Batch) {
        let before: Vec<Arc<[Node]>> =
            self.live.iter().map(|(_, root)| self.graph.snapshot(*root)).collect();
        let sizes = (self.graph.size(), self.graph.relations_size());
        self.source.faults.arm(self.random.below(20) as u64 + 1);
        let outcome = match self.random.chance(3) {
            false => self.graph.advance(&mut self.source, batch),
            true => self.graph.reread(&mut self.source),
        };
        self.source.faults.disarm();
        if outcome.is_ok() {
            self.graph.undo();
        }
        for ((_, root), tree) in self.live.iter().zip(before) {
            assert_eq!(self.graph.snapshot(*root), tree, "what failed was not undone");
        }
        assert_eq!((self.graph.size(), self.graph.relations_size()), sizes);
    }

    fn check(&self) {
        for (query, root) in &self.live {
            let expected = self.evaluate(query);
            let found = rows(&self.graph.snapshot(*root));
            assert_eq!(found, expected, "{:#?}", query.plan);
        }
    }

    fn evaluate(&self, query: &Query) -> Rows {
        let level = |level: &Level, filter: Option<(usize, &Value)>| {
            let mut rows = naive::evaluate(&self.data, &level.rows);
            if let Some((column, value)) = filter {
                rows.retain(|row| !value.is_null() && row[column] == *value);
            }
            rows.sort_by(|a, b| naive::ordered(&level.order, a, b));
            rows
        };
        let mut rows = level(&query.top, None);
        if let Some((own, other, body)) = &query.exists {
            rows.retain(|row| !level(body, Some((*other, &row[*own]))).is_empty());
        }
        rows.truncate(query.top.limit.unwrap_or(usize::MAX));
        rows.into_iter()
            .map(|row| {
                let related = query.related.as_ref().map(|(own, other, below)| {
                    let mut rows = level(below, Some((*other, &row[*own])));
                    rows.truncate(below.limit.unwrap_or(usize::MAX));
                    rows
                });
                (row, related.unwrap_or_default())
            })
            .collect()
    }
}

fn rows(list: &[Node]) -> Rows {
    let mut rows = Rows::new();
    for node in list {
        let below = node.related.iter().flat_map(|list| list.iter());
        rows.push((node.row.to_values(), below.map(|node| node.row.to_values()).collect()));
    }
    rows
}

/// A level over a derived table or a base table, for the evaluator and for the plan.
fn level(
    random: &mut Random,
    pool: &mut Vec<(Arc<Relation>, usize)>,
    derived: &mut Vec<Arc<Derived>>,
) -> (Level, LevelPlan, usize) {
    let (table, rows, key, width) = if random.chance(4) {
        let table = TableId(random.below(TABLES as usize) as u32);
        let rows = Arc::new(Relation::Scan { table, equal: Vec::new() });
        (table, rows, vec![0], WIDTH)
    } else {
        let (made, width) = generate::derived(random, pool);
        let table = TableId::derived(derived.len() as u32);
        derived.push(Arc::clone(&made));
        (table, Arc::clone(&made.relation), made.key.clone(), width)
    };
    let mut order: Vec<(usize, Direction)> = Vec::new();
    for column in std::iter::once(random.below(width)).chain(key) {
        if !order.iter().any(|(other, _)| *other == column) {
            let direction = if random.chance(2) { Direction::Desc } else { Direction::Asc };
            order.push((column, direction));
        }
    }
    let limit = random.chance(2).then(|| random.below(4) + 1);
    let plan = LevelPlan {
        table,
        input: Input::Scan {
            partition: Vec::new(),
            correlated: 0,
            condition: Condition::Always(true),
            gates: Vec::new(),
        },
        order: KeySpec::new(order.clone()),
        related: Vec::new(),
    };
    (Level { rows, order, limit }, plan, width)
}

fn binding(limit: Option<usize>, children: Vec<Arc<Binding>>) -> Arc<Binding> {
    let extent = Extent { limit, ..Extent::default() };
    Arc::new(Binding { constants: Vec::new(), extent, children })
}

fn query(random: &mut Random, pool: &mut Vec<(Arc<Relation>, usize)>) -> Query {
    let mut derived = Vec::new();
    let (top, mut shape, width) = level(random, pool, &mut derived);
    let mut children = Vec::new();
    let mut below = |random: &mut Random, gate: bool| {
        let (body, mut child, other_width) = level(random, pool, &mut derived);
        let (own, other) = (random.below(width), random.below(other_width));
        let Input::Scan { partition, correlated, .. } = &mut child.input else { unreachable!() };
        partition.push(other);
        *correlated = 1;
        if gate {
            let mut columns: Vec<usize> = body.order.iter().map(|(column, _)| *column).collect();
            columns.sort_unstable();
            child.order = KeySpec::asc(&columns);
        }
        children.push(binding(if gate { Some(1) } else { body.limit }, Vec::new()));
        ((own, other, body), Edge { columns: vec![own], child, private: false })
    };
    let exists = random.chance(4).then(|| below(random, true));
    let related = random.chance(3).then(|| below(random, false));
    let exists = exists.map(|(exists, edge)| {
        let Input::Scan { condition, gates, .. } = &mut shape.input else { unreachable!() };
        *condition = Condition::Gate { gate: 0, negated: false };
        gates.push(edge);
        exists
    });
    let related = related.map(|(related, edge)| {
        shape.related.push(edge);
        related
    });
    let binding = binding(top.limit, children);
    Query { plan: Plan { shape: Arc::new(shape), binding, derived }, top, related, exists }
}

/// Random writes, made to `data` as well.
fn changes(random: &mut Random, data: &mut [Vec<Tuple>]) -> Vec<Change> {
    let encoded = |key: &Value| KeySpec::asc(&[0]).key(&Row::new(std::slice::from_ref(key)));
    let mut changes = Vec::new();
    for _ in 0..random.below(5) + 1 {
        let number = random.below(TABLES as usize);
        let table = TableId(number as u32);
        let tuple = generate::tuple(random);
        let rows = &mut data[number];
        let at = rows.iter().position(|row| row[0] == tuple[0]);
        match (at, random.below(4)) {
            (None, _) => {
                changes.push(Change::Insert { table, row: Row::new(&tuple) });
                rows.push(tuple);
            }
            (Some(at), 0 | 1) => {
                rows.remove(at);
                changes.push(Change::Delete { table, key: encoded(&tuple[0]) });
            }
            (Some(at), 2) => {
                let row = Row::new(&tuple);
                changes.push(Change::Update { table, key: encoded(&tuple[0]), row });
                rows[at] = tuple;
            }
            (Some(at), _) => {
                // A change of the primary key, where the new one is free.
                let mut moved = tuple.clone();
                moved[0] = generate::key(random);
                if rows.iter().all(|row| row[0] != moved[0]) {
                    let row = Row::new(&moved);
                    changes.push(Change::Update { table, key: encoded(&tuple[0]), row });
                    rows[at] = moved;
                }
            }
        }
    }
    changes
}
