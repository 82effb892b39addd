//! Queries in Rust: the fluent interface of [`Query`] and [`Related`].

use penstock_operators::key::Direction;
use penstock_operators::value::Value;

use super::Query;
use super::filter::Filter;
use super::form::{Body, Hop, Origin, StartAt, Target};

/// A subquery: the rows related to each row of a query, attached under a name by `related`, or
/// asked for by [`exists`](super::exists).
///
/// ```
/// use penstock::query::{Asc, Desc, Query, Related, col};
///
/// let issues = Query::table("issue")
///     .related("comments", Related::named().order_by("created", Desc).limit(10))
///     .related("owner", Related::one("user").on("ownerId", "id"))
///     .related(
///         "labels",
///         Related::many("issueLabel")
///             .on("id", "issueId")
///             .then("label")
///             .on("labelId", "id")
///             .filter(col("hidden").eq(false))
///             .order_by("name", Asc),
///     );
/// # let _ = issues;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    pub(super) target: Target,
    pub(super) body: Body,
    /// The first misuse of the interface, reported when the query is compiled.
    pub(super) misuse: Option<&'static str>,
    /// For an EXISTS: whether the rows that satisfy it stay out of row sets.
    pub(super) private: bool,
}

impl Query {
    /// All rows of a table, in primary-key order.
    pub fn table(name: impl Into<String>) -> Query {
        Query { table: name.into(), body: Body::default(), origin: Origin::Builder, sql: None }
    }

    /// Takes the first row, or none, instead of a list: the limit becomes 1 at most.
    #[must_use]
    pub fn one(mut self) -> Query {
        self.body.take_first();
        self
    }
}

impl Related {
    /// The relationship declared in the schema under the name that this subquery is attached by.
    pub fn named() -> Related {
        Related::new(Target::Declared(None))
    }

    /// A relationship declared in the schema, whatever name this subquery is attached by.
    pub fn declared(relationship: impl Into<String>) -> Related {
        Related::new(Target::Declared(Some(relationship.into())))
    }

    /// Rows of a table, related by the pairs of columns that [`on`](Related::on) states.
    pub fn many(table: impl Into<String>) -> Related {
        Related::hops(table.into(), false)
    }

    /// As [`many`](Related::many), but stating that at most one row is related: the result is that
    /// row or none instead of a list, and a second row is a violation the subscriber is told of.
    /// To take the first of several rows, use [`first`](Related::first).
    pub fn one(table: impl Into<String>) -> Related {
        Related::hops(table.into(), true)
    }

    fn hops(table: String, one: bool) -> Related {
        let hops = vec![Hop { table, on: Vec::new(), filters: Vec::new() }];
        Related::new(Target::Hops { hops, one })
    }

    fn new(target: Target) -> Related {
        Related { target, body: Body::default(), misuse: None, private: false }
    }

    /// Relates rows whose `child` column equals the `parent` column of the rows before. Stated
    /// several times, all pairs must be equal. A null is equal to nothing.
    #[must_use]
    pub fn on(mut self, parent: impl Into<String>, child: impl Into<String>) -> Related {
        match &mut self.target {
            Target::Hops { hops, .. } => {
                if let Some(hop) = hops.last_mut() {
                    hop.on.push((parent.into(), child.into()));
                }
            }
            Target::Declared(_) => self.misused(
                "a declared relationship has its correlation from the schema; leave out .on(…)",
            ),
        }
        self
    }

    /// Goes on to the rows of a further table, related to those so far by the
    /// [`on`](Related::on) that follows. The rows so far do not appear in the result, and those
    /// reached by several ways appear once. Filters stated before belong to the rows so far.
    #[must_use]
    pub fn then(mut self, table: impl Into<String>) -> Related {
        let mut body = std::mem::take(&mut self.body);
        let filters = std::mem::take(&mut body.filters);
        if body != Body::default() {
            self.misused("before .then(…) only .on(…) and .filter(…) have a meaning");
        }
        match &mut self.target {
            Target::Hops { hops, .. } => {
                if let Some(hop) = hops.last_mut() {
                    hop.filters = filters;
                }
                hops.push(Hop { table: table.into(), on: Vec::new(), filters: Vec::new() });
            }
            Target::Declared(_) => self.misused(
                "a declared relationship has its hops from the schema; leave out .then(…)",
            ),
        }
        self
    }

    /// Takes the first of the related rows, or none, instead of a list: the limit becomes 1 at
    /// most. Further rows are no violation, unlike those of [`Related::one`].
    #[must_use]
    pub fn first(mut self) -> Related {
        self.body.take_first();
        self
    }

    fn misused(&mut self, text: &'static str) {
        self.misuse.get_or_insert(text);
    }
}

impl From<&str> for Related {
    fn from(relationship: &str) -> Related {
        Related::declared(relationship)
    }
}

impl From<String> for Related {
    fn from(relationship: String) -> Related {
        Related::declared(relationship)
    }
}

impl Body {
    /// Makes the result one row or none, whatever the limit.
    pub(super) fn take_first(&mut self) {
        self.singular = true;
    }

    fn start<N, V>(&mut self, cursor: impl IntoIterator<Item = (N, V)>, exclusive: bool)
    where
        N: Into<String>,
        V: Into<Value>,
    {
        let values = cursor.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.start = Some(StartAt { values, exclusive });
    }
}

/// The methods that queries and subqueries share.
macro_rules! shared_methods {
    ($type:ty) => {
        impl $type {
            /// Keeps the rows for which the condition holds. Several conditions must all hold.
            #[must_use]
            pub fn filter(mut self, filter: Filter) -> Self {
                self.body.filters.push(filter.0);
                self
            }

            /// Orders by a column, within the order stated so far. Null comes first when
            /// ascending, last when descending. Primary-key columns not named follow, ascending.
            #[must_use]
            pub fn order_by(mut self, column: impl Into<String>, direction: Direction) -> Self {
                self.body.order.push((column.into(), direction));
                self
            }

            /// Takes this many rows at most; in a subquery, for each parent row.
            #[must_use]
            pub fn limit(mut self, rows: usize) -> Self {
                self.body.limit = Some(rows);
                self
            }

            /// Leaves out the first rows.
            #[must_use]
            pub fn offset(mut self, rows: usize) -> Self {
                self.body.offset = rows;
                self
            }

            /// Starts after a position in the order, given by the values of the order's columns.
            /// Columns of the order that are left out count as null; other columns of the table
            /// may be present and do not matter. No row need be at the position.
            #[must_use]
            pub fn start_after<N: Into<String>, V: Into<Value>>(
                mut self,
                cursor: impl IntoIterator<Item = (N, V)>,
            ) -> Self {
                self.body.start(cursor, true);
                self
            }

            /// Starts at a position in the order; a row there is taken. See
            #[doc = concat!("[`start_after`](", stringify!($type), "::start_after).")]
            #[must_use]
            pub fn start_at<N: Into<String>, V: Into<Value>>(
                mut self,
                cursor: impl IntoIterator<Item = (N, V)>,
            ) -> Self {
                self.body.start(cursor, false);
                self
            }

            /// Attaches to each row the rows of a subquery, under a name. A second subquery under
            /// the same name replaces the first.
            #[must_use]
            pub fn related(mut self, name: impl Into<String>, related: Related) -> Self {
                self.body.related.push((name.into(), related));
                self
            }

            /// Attaches the relationship declared in the schema under this name as it is.
            #[must_use]
            pub fn with(self, relationship: impl Into<String>) -> Self {
                self.related(relationship, Related::named())
            }
        }
    };
}

shared_methods!(Query);
shared_methods!(Related);
