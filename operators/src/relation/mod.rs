//! Relations: joins, aggregates and what else makes rows that no table holds.
//!
//! A [`Relation`](plan::Relation) is kept by a dataflow of its own, below the levels. Its nodes
//! pass on changes of rows with counts (Z-sets); at its top a *derived table* keeps the rows by
//! their key, and levels read and follow it like a table of the source.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | what a relation is |
//! | `optimise` | the relation to run instead of the one stated |
//! | `flow`, `node`, `intern` | the dataflow, its nodes, their making, sharing and dropping |
//! | `routes`, `chain` | from changed rows to scans; base tables seen through filters and maps |
//! | `fuse`, `made_of`, `finish` | what of a relation one node makes; what becomes of joined rows |
//! | `delta_join`, `join` | inner joins of any number of inputs; left joins |
//! | `map`, `aggregate`, `distinct`, `top` | the other operators; filters and unions are in `flow` |
//! | `accumulate`, `exact`, `numeric` | aggregate functions; exact sums; values as numbers |
//! | `zset`, `bag`, `arrange` | changes; counted rows; rows by some of their columns |
//! | `derived`, `store` | derived tables; their stored rows |
//! | `evaluate`, `rebuild` | all rows of a node; making everything anew |
//! | `source_view`, `renumber` | a source with derived tables, for levels; their numbers |
//! | [`report`] | what `explain` shows |

mod accumulate;
mod aggregate;
mod arrange;
mod bag;
mod chain;
mod delta_join;
mod derived;
mod distinct;
mod evaluate;
mod exact;
mod finish;
pub(crate) mod flow;
mod fuse;
mod intern;
mod join;
mod made_of;
mod map;
mod node;
mod numeric;
mod optimise;
pub mod plan;
mod rebuild;
pub(crate) mod renumber;
pub mod report;
mod routes;
pub(crate) mod source_view;
mod store;
mod top;
mod zset;

pub use node::NodeStats;
