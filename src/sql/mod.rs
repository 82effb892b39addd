//! SQL: SELECT statements of SQLite's language, read, bound and planned.
//!
//! A statement becomes a tree of levels over tables. Where its rows are rows of a table, tested
//! one by one, the level is over that table, as that of a query made in Rust is (`direct`). All
//! else (joins, groups, DISTINCT, compounds, computed sort keys) becomes a *derived table*: a
//! relation that the dataflow keeps, read by a level that orders and limits it (`level`).
//!
//! | module | what |
//! |---|---|
//! | `dialect`, `parse`, `text`, `place`, `params` | from text to a syntax tree; where things are in the text |
//! | `scope`, `slot`, `bound`, `bind` | names, affinities and collations: expressions over slots |
//! | `from`, `join`, `conjunct` | FROM and WHERE as joins on keys |
//! | `list`, `select`, `group`, `stage`, `order`, `compound`, `query` | the clauses of a query |
//! | `subquery`, `apply`, `correlate` | subqueries as relations joined to the rows around |
//! | `work`, `rows` | relations in the making, and made |
//! | `direct`, `gate`, `level` | levels over tables and over derived tables, with nested lists |

use std::cell::RefCell;
use std::sync::Arc;

use penstock_operators::plan::Plan;
use penstock_operators::relation::plan::Derived;
use penstock_operators::schema::{Schema, Shown, TableId};

mod affinity;
mod aggregate;
mod apply;
mod bind;
mod bound;
mod compound;
mod conjunct;
mod constant;
mod correlate;
mod dialect;
mod direct;
mod error;
mod from;
mod functions;
mod gate;
mod group;
mod join;
mod level;
mod list;
mod order;
mod params;
mod parse;
mod place;
mod query;
mod rows;
mod scope;
mod select;
mod slot;
mod stage;
mod subquery;
mod text;
mod work;

use crate::query::{CompiledQuery, Params, QueryError};
use error::Place;
use params::Bindings;
pub use params::{SqlParam, SqlParams};
use query::Ctes;
use scope::Env;
use text::Text;

/// What planning a statement needs to know throughout, and the tables that it makes.
#[derive(Debug)]
struct Planner<'p> {
    schema: &'p Schema,
    text: &'p Text,
    bindings: &'p Bindings,
    derived: RefCell<Vec<Arc<Derived>>>,
    shown: RefCell<Vec<Shown>>,
}

/// Where planning is: the tables of WITH and the SELECT around.
#[derive(Clone, Copy, Debug)]
struct Context<'c> {
    planner: &'c Planner<'c>,
    ctes: &'c Ctes<'c>,
    outer: Option<&'c Env<'c>>,
    at: Place,
}

impl<'c> Context<'c> {
    /// The same without a SELECT around.
    fn alone(self) -> Context<'c> {
        Context { outer: None, ..self }
    }
}

impl Planner<'_> {
    /// The id of a derived table; equal ones are one.
    fn derive(&self, derived: Derived) -> TableId {
        let mut tables = self.derived.borrow_mut();
        let at = tables.iter().position(|other| **other == derived).unwrap_or_else(|| {
            tables.push(Arc::new(derived));
            tables.len() - 1
        });
        TableId::derived(at as u32)
    }

    /// The id of how rows are shown.
    fn show(&self, shown: Shown) -> TableId {
        let mut tables = self.shown.borrow_mut();
        tables.push(shown);
        TableId::derived((tables.len() - 1) as u32)
    }
}

/// Reads, checks and plans a SELECT statement.
pub(crate) fn compile(
    sql: &str,
    params: &SqlParams,
    outer: &Params,
    schema: &Schema,
) -> Result<CompiledQuery, QueryError> {
    let (query, text) = parse::parse(sql)?;
    let bindings = Bindings::new(&text, params, outer)?;
    let planner = Planner {
        schema,
        text: &text,
        bindings: &bindings,
        derived: RefCell::default(),
        shown: RefCell::default(),
    };
    let ctes = Ctes::default();
    let at = text.start();
    let context = Context { planner: &planner, ctes: &ctes, outer: None, at };
    let level = level::level(context, &query, false)?;
    let Planner { derived, shown, .. } = planner;
    Ok(CompiledQuery {
        plan: Plan {
            shape: Arc::new(level.plan),
            binding: level.binding,
            derived: derived.into_inner(),
        },
        view: level.view,
        schema: schema.with_shown(shown.into_inner()),
    })
}
