//! Queries: how they are written, read from JSON, checked and planned.
//!
//! A [`Query`] is made in Rust ([`Query::table`] and the methods after it) or read from an AST in
//! JSON ([`Query::from_ast`]). It holds names only. [`Query::compile`] checks it against a
//! [`Schema`] and makes the [`Plan`] that the dataflow runs, with the [`ViewFormat`] that says how
//! the result is shown.
//!
//! ```
//! use penstock::query::{Desc, Query, Related, col, exists, or};
//!
//! let query = Query::table("issue")
//!     .filter(or([col("open").eq(true), exists("comments")]))
//!     .order_by("modified", Desc)
//!     .related("owner", Related::one("user").on("ownerId", "id"))
//!     .limit(100);
//! # let _ = query;
//! ```

mod aggregate;
mod ast;
mod ast_condition;
mod ast_json;
mod builder;
mod bytes;
mod condition;
pub(crate) mod draft;
mod error;
mod filter;
mod form;
mod format;
mod grouping;
mod hops;
mod level;
mod limits;
mod page;
mod params;
mod path;
mod relation;
mod resolve;
mod statement;

use std::sync::Arc;

use penstock_operators::plan::Plan;
use penstock_operators::schema::{Schema, TableId};

pub use aggregate::{Aggregate, avg, count, count_distinct, count_of, max, min, sum};
pub use builder::Related;
pub use error::QueryError;
pub use filter::{
    Col, Filter, List, Operand, Param, and, col, exists, exists_where, not, not_exists,
    not_exists_where, or, param,
};
pub use limits::{MAX_DEPTH, MAX_LITERALS, MAX_NODES};
pub use params::Params;
pub use penstock_operators::key::Direction::{self, Asc, Desc};

pub(crate) use error::suggestion;
use form::{Body, Origin};
pub(crate) use limits::list_length;
use statement::Statement;

/// A query over one table with subqueries for related rows. See the [module](self) for how to
/// make one.
///
/// It means, in this order: the rows of the table that satisfy the filters, in order, from the
/// start position on, without the first `offset`, at most `limit`, each with its related rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    table: String,
    body: Body,
    origin: Origin,
    /// A statement of SQL, which says everything that the table and the body would.
    sql: Option<Box<Statement>>,
}

/// A query that has been checked and planned.
#[derive(Clone, Debug)]
pub struct CompiledQuery {
    /// What to keep, and with which constants.
    pub plan: Plan,
    /// How the result is shown.
    pub view: Arc<ViewFormat>,
    /// The tables of the plan and of the view: those of the schema, and the derived ones.
    pub schema: Schema,
}

/// How one level of a result is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewFormat {
    /// The table of the level's rows.
    pub table: TableId,
    /// Whether the level is shown as one row or none instead of a list.
    pub singular: bool,
    /// Whether a second row is a violation of what the relationship was declared to be.
    pub expect_one: bool,
    /// The relationships of the level's rows, in the order of the level plan's `related`.
    pub relationships: Vec<ViewRelationship>,
}

/// One relationship of a level's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRelationship {
    /// The name that the related rows are attached under.
    pub name: String,
    /// How they are shown.
    pub format: Arc<ViewFormat>,
}

impl Query {
    /// Checks the query against a schema, puts in the parameters and plans it.
    ///
    /// The work follows the size of the query, not of the data. The same query gives the same
    /// plan; queries that differ only in the literals of equality conditions, limits, offsets and
    /// start positions give plans of the same shape.
    ///
    /// # Errors
    ///
    /// Names that the schema does not have, comparisons between types, parameters that are not
    /// supplied, and queries beyond [`MAX_DEPTH`], [`MAX_NODES`] or [`MAX_LITERALS`].
    pub fn compile(&self, schema: &Schema, params: &Params) -> Result<CompiledQuery, QueryError> {
        match &self.sql {
            Some(statement) => self.compile_sql(statement, schema, params),
            None => level::compile(self, schema, params),
        }
    }
}
