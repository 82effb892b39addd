//! Sums of doubles: exact whatever came and went in whatever order, and rounded once.

use std::sync::Arc;

use penstock::operators::expr::Collation;
use penstock::operators::graph::{Graph, RootId};
use penstock::operators::key::KeySpec;
use penstock::operators::plan::{Binding, Condition, Extent, Input, LevelPlan, Plan};
use penstock::operators::relation::plan::{AggregateCall, AggregateFunction, Derived, Relation};
use penstock::operators::row::Row;
use penstock::operators::source::{Change, Source};
use penstock::{ColumnType, MemorySource, Schema, Table, TableId, Value};

use crate::generate::Random;

const TABLE: TableId = TableId(0);

/// A table of numbers with their sum, total and mean kept.
struct Sums {
    source: MemorySource,
    graph: Graph,
    root: RootId,
}

impl Sums {
    fn new() -> Sums {
        let table = Table::new("t")
            .column("id", ColumnType::Integer)
            .nullable("x", ColumnType::Any)
            .primary_key(["id"]);
        let mut source = MemorySource::new(Schema::new([table]).expect("a schema"));
        let call = |function| AggregateCall {
            function,
            distinct: false,
            column: Some(1),
            collation: Collation::Binary,
            filter: None,
        };
        use AggregateFunction::{Average, Sum, Total};
        let input = Arc::new(Relation::Scan { table: TABLE, equal: Vec::new() });
        let functions = vec![call(Sum), call(Total), call(Average)];
        let relation = Arc::new(Relation::Aggregate { input, group: Vec::new(), functions });
        let shape = LevelPlan {
            table: TableId::derived(0),
            input: Input::Scan {
                partition: Vec::new(),
                correlated: 0,
                condition: Condition::Always(true),
                gates: Vec::new(),
            },
            order: KeySpec::asc(&[]),
            related: Vec::new(),
        };
        let extent = Extent::default();
        let binding = Arc::new(Binding { constants: Vec::new(), extent, children: Vec::new() });
        let derived = vec![Arc::new(Derived { relation, key: Vec::new() })];
        let mut graph = Graph::default();
        let plan = Plan { shape: Arc::new(shape), binding, derived };
        let root = graph.subscribe(&mut source, &plan).expect("a source in memory");
        Sums { source, graph, root }
    }

    fn write(&mut self, changes: Vec<Change>) {
        let batch = self.source.apply(changes).expect("writes that fit");
        self.graph.advance(&mut self.source, &batch).expect("a source in memory");
        self.source.commit().expect("a source in memory");
        self.graph.commit(self.source.schema());
    }

    fn insert(&mut self, id: i64, value: impl Into<Value>) {
        let row = Row::new(&[id.into(), value.into()]);
        self.write(vec![Change::Insert { table: TABLE, row }]);
    }

    fn delete(&mut self, id: i64) {
        let key = KeySpec::asc(&[0]).key(&Row::new(&[id.into()]));
        self.write(vec![Change::Delete { table: TABLE, key }]);
    }

    /// Sum, total and mean.
    fn values(&self) -> Vec<Value> {
        self.graph.snapshot(self.root)[0].row.to_values()
    }
}

/// A multiple of 2^-40 below 2^60 in magnitude, of very different sizes, and how many times
/// 2^-40 it is.
fn number(random: &mut Random) -> (f64, i128) {
    let mantissa = random.below(1 << 53) as i128 - (1 << 52);
    let units = mantissa << random.below(47);
    (units as f64 / (1_u64 << 40) as f64, units)
}

#[test]
fn sums_do_not_depend_on_what_came_and_went() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut sums = Sums::new();
        let mut live: Vec<(i64, f64, i128)> = Vec::new();
        for id in 0..120 {
            if live.is_empty() || random.below(5) < 3 {
                let (value, units) = number(&mut random);
                sums.insert(id, value);
                live.push((id, value, units));
            } else {
                let (id, _, _) = live.swap_remove(random.below(live.len()));
                sums.delete(id);
            }
            let units: i128 = live.iter().map(|(_, _, units)| units).sum();
            // Rounded once; the division only changes the exponent.
            let expected = units as f64 / (1_u64 << 40) as f64;
            let values = sums.values();
            let bits = |value: &Value| value.as_f64().map(f64::to_bits);
            assert_eq!(bits(&values[1]), Some(expected.to_bits()), "seed {seed}: {live:?}");
            match live.len() {
                0 => assert_eq!(values, [Value::Null, Value::Float(0.0), Value::Null]),
                count => {
                    assert_eq!(bits(&values[0]), Some(expected.to_bits()), "seed {seed}");
                    assert_eq!(values[2], Value::Float(expected / count as f64));
                }
            }
        }
    }
}

#[test]
fn sums_at_the_ends_of_the_range() {
    let tiny = f64::from_bits(1);
    let mut sums = Sums::new();
    sums.insert(1, f64::MAX);
    sums.insert(2, f64::MAX);
    assert_eq!(sums.values()[0], Value::Float(f64::INFINITY), "too large for a double");
    sums.insert(3, -f64::MAX);
    assert_eq!(sums.values()[0], Value::Float(f64::MAX), "and not, with what came then");
    sums.insert(4, tiny);
    sums.delete(2);
    assert_eq!(sums.values()[0], Value::Float(tiny), "nothing was lost below");
    sums.insert(5, f64::INFINITY);
    assert_eq!(sums.values()[0], Value::Float(f64::INFINITY));
    sums.insert(6, f64::NEG_INFINITY);
    assert_eq!(sums.values()[0], Value::Null, "both infinities have no sum");
    sums.delete(5);
    assert_eq!(sums.values()[0], Value::Float(f64::NEG_INFINITY));
    sums.delete(6);
    assert_eq!(sums.values()[0], Value::Float(tiny));
    sums.insert(7, tiny);
    assert_eq!(sums.values()[0], Value::Float(f64::from_bits(2)));
}

#[test]
fn sums_of_integers_and_texts() {
    let mut sums = Sums::new();
    sums.insert(1, i64::MAX);
    assert_eq!(sums.values()[0], Value::Int(i64::MAX));
    sums.insert(2, 1);
    assert_eq!(sums.values()[0], Value::Null, "beyond 64 bits there is no integer");
    assert_eq!(sums.values()[1], Value::Float(9_223_372_036_854_775_808.0));
    sums.insert(3, -1);
    assert_eq!(sums.values()[0], Value::Int(i64::MAX), "in between does not matter");
    sums.delete(1);
    sums.insert(4, " 12 ");
    assert!(matches!(sums.values()[0], Value::Int(12)), "text that is an integer is one");
    sums.insert(5, "1.5e1kg");
    assert!(matches!(sums.values()[0], Value::Float(27.0)), "of other text, what it begins with");
    sums.insert(6, "kg");
    sums.insert(7, Value::Blob(b"3"[..].into()));
    assert_eq!(sums.values()[0], Value::Float(30.0));
    assert_eq!(sums.values()[2], Value::Float(5.0), "the mean of six values");
}
