//! Queries in SQL.

use penstock_operators::schema::Schema;

use super::form::Body;
use super::{CompiledQuery, Params, Query, QueryError};
use crate::sql::{self, SqlParams};

/// A SELECT statement with the values of its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    text: String,
    params: SqlParams,
    /// Another limit than the statement's.
    limit: Option<Option<usize>>,
}

impl Statement {
    /// Bytes that it holds, itself included; parameters by their number alone.
    pub(super) fn bytes(&self) -> usize {
        std::mem::size_of::<Statement>() + self.text.capacity() + self.params.bytes()
    }
}

impl Query {
    /// A SELECT statement of SQLite's language. Its parameters are given with
    /// [`bind`](Query::bind), those by name also with [`Params`].
    ///
    /// The statement says everything: the methods that add conditions, an order or related rows to
    /// a query have no meaning for it and make it an error. `COMPAT.md` says what of the language
    /// is supported. Nested lists are written `ARRAY(SELECT …) AS name` in the SELECT list, a
    /// single nested row `ONE(SELECT …) AS name`.
    ///
    /// ```
    /// use penstock::Query;
    ///
    /// let query = Query::sql(
    ///     "SELECT id, title, ARRAY(
    ///          SELECT body FROM comment WHERE comment.issue = issue.id ORDER BY created LIMIT 3
    ///      ) AS comments
    ///      FROM issue WHERE owner = ? ORDER BY modified DESC LIMIT 50",
    /// )
    /// .bind([7]);
    /// # let _ = query;
    /// ```
    pub fn sql(statement: impl Into<String>) -> Query {
        let statement = Statement { text: statement.into(), params: SqlParams::new(), limit: None };
        let mut query = Query::table("");
        query.sql = Some(Box::new(statement));
        query
    }

    /// Gives the parameters of a statement of SQL their values, instead of those given before.
    /// Without a meaning for other queries, whose parameters are in [`Params`].
    #[must_use]
    pub fn bind(mut self, params: impl Into<SqlParams>) -> Query {
        if let Some(statement) = &mut self.sql {
            statement.params = params.into();
        }
        self
    }

    /// Whether it is a statement of SQL.
    pub(super) fn is_sql(&self) -> bool {
        self.sql.is_some()
    }

    /// Gives a statement another limit.
    pub(super) fn limit_statement(&mut self, limit: Option<usize>) {
        if let Some(statement) = &mut self.sql {
            statement.limit = Some(limit);
        }
    }

    pub(super) fn compile_sql(
        &self,
        statement: &Statement,
        schema: &Schema,
        params: &Params,
    ) -> Result<CompiledQuery, QueryError> {
        if self.body != Body::default() {
            return Err(QueryError {
                path: String::new(),
                problem: "a statement of SQL is whole; put conditions, order, limit, start and \
                          related rows into its text"
                    .into(),
            });
        }
        let mut compiled = sql::compile(&statement.text, &statement.params, params, schema)?;
        if let Some(limit) = statement.limit {
            let mut binding = (*compiled.plan.binding).clone();
            binding.extent.limit = limit;
            compiled.plan.binding = binding.into();
        }
        Ok(compiled)
    }
}
