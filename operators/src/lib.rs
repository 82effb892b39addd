//! The dataflow of Penstock: values, rows, keys, the [`Source`](source::Source) trait, and the
//! operators that keep query results up to date.
//!
//! This crate knows no SQL, no JSON, no names of columns beyond its [`schema`], no I/O, no threads
//! and no clocks. It is synchronous and deterministic: the same calls over the same data give the
//! same results, patches and ids in the same order.
//!
//! # The way of a transaction
//!
//! A [`Source`](source::Source) applies a transaction and hands out a consolidated
//! [`Batch`](delta::Batch) of row deltas. The [`Graph`](graph::Graph) takes it through its levels,
//! children first, and says per subscribed result what changed, as a nested
//! [`ListPatch`](view::ListPatch) and, where one is kept, as a [`RowSetPatch`](row_set::RowSetPatch).
//!
//! | operator | module | what it does |
//! |---|---|---|
//! | filter | `filter` | tests rows, gates last |
//! | exists | `exists` | gates: EXISTS and NOT EXISTS, and the candidates of a flip |
//! | fill | `fill`, `drive` | reads windows from the source, in order or from an EXISTS |
//! | join | `join` | rows hold the partitions of their related rows |
//! | distinct | `distinct` | the far side of a junction |
//! | order_by | `order_by` | rows under order-preserving keys |
//! | skip | `skip` | start cursors and offsets |
//! | take | `take` | windows: limit, eviction, refill |
//! | view | [`view`] | trees and patches |
//! | relations | [`relation`] | joins, aggregates and what else makes derived tables, which levels read |
//!
//! # A worked example
//!
//! ```
//! use std::sync::Arc;
//! use penstock_operators::graph::Graph;
//! use penstock_operators::key::{Direction, KeySpec};
//! use penstock_operators::plan::{Binding, Condition, Extent, Input, LevelPlan, Plan};
//! use penstock_operators::schema::TableId;
//! # use penstock_operators::source::Source;
//!
//! // The first ten rows of table 0 whose column 1 has a given value, newest (column 2) first.
//! let shape = Arc::new(LevelPlan {
//!     table: TableId(0),
//!     input: Input::Scan {
//!         partition: vec![1],
//!         correlated: 0,
//!         condition: Condition::Always(true),
//!         gates: vec![],
//!     },
//!     order: KeySpec::new(vec![(2, Direction::Desc), (0, Direction::Asc)]),
//!     related: vec![],
//! });
//! let plan = |owner: i64| Plan {
//!     shape: Arc::clone(&shape),
//!     binding: Arc::new(Binding {
//!         constants: vec![owner.into()],
//!         extent: Extent { limit: Some(10), ..Extent::default() },
//!         children: vec![],
//!     }),
//!     derived: vec![],
//! };
//! // Queries that differ in constants are partitions of one level.
//! assert_eq!(plan(1).shape, plan(2).shape);
//!
//! fn follow(graph: &mut Graph, source: &mut dyn Source, plan: &Plan) {
//!     let Ok(root) = graph.subscribe(source, plan) else { return };
//!     for node in graph.snapshot(root).iter() {
//!         println!("{:?}", node.row);
//!     }
//!     graph.unsubscribe(source, root);
//! }
//! # let _ = follow;
//! ```

pub mod advance;
mod bindings;
mod bounds;
pub mod delta;
mod dispatch;
mod distinct;
mod drive;
mod exists;
pub mod explain;
pub mod expr;
mod fill;
mod filter;
pub mod graph;
mod grow;
mod holders;
mod intern;
mod join;
pub mod key;
mod level;
pub mod like;
mod order_by;
pub mod packed;
mod partition;
mod patch;
pub mod plan;
mod points;
pub mod predicate;
pub mod relation;
mod reread;
mod route;
pub mod row;
pub mod row_set;
pub mod schema;
mod skip;
pub mod source;
pub mod stats;
mod take;
pub mod together;
pub mod value;
pub mod view;
mod wave;
pub mod workers;
