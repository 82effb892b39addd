//! Aggregates in Rust: [`count`], [`sum`] and the others, for [`Query::aggregate`] and
//! [`Query::aggregate_related`](super::Query::aggregate_related).
//!
//! [`Query::aggregate`]: super::Query::aggregate

use super::form::Body;
use super::{Filter, Query, Related};

/// A value computed from many rows.
///
/// ```
/// use penstock::query::{Desc, Query, Related, col, count, max, sum};
///
/// // One row per owner, those with most open issues first.
/// let owners = Query::table("issue")
///     .filter(col("open").eq(true))
///     .group_by(["ownerId"])
///     .aggregate("issues", count())
///     .aggregate("effort", sum("hours"))
///     .having(col("issues").ge(2))
///     .order_by("issues", Desc);
///
/// // Issues with the number of their comments and the time of the last, the most discussed first.
/// let comments = || Related::many("comment").on("id", "issueId");
/// let discussed = Query::table("issue")
///     .aggregate_related("commentCount", comments(), count())
///     .aggregate_related("lastComment", comments(), max("created"))
///     .order_by("commentCount", Desc)
///     .limit(50);
/// # let _ = (owners, discussed);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub(super) function: Kind,
    /// Absent for the number of rows.
    pub(super) column: Option<String>,
}

/// Which aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
}

/// An aggregate of a query or subquery, with the name of its column in the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aggregated {
    pub(super) name: String,
    pub(super) aggregate: Aggregate,
    /// The rows that it is computed from: those related to each row, or absent for those of a
    /// group.
    pub(super) of: Option<Related>,
}

impl Aggregate {
    fn new(function: Kind, column: Option<String>) -> Aggregate {
        Aggregate { function, column }
    }
}

/// The number of rows.
pub fn count() -> Aggregate {
    Aggregate::new(Kind::Count, None)
}

/// The number of rows in which a column is not null.
pub fn count_of(column: impl Into<String>) -> Aggregate {
    Aggregate::new(Kind::Count, Some(column.into()))
}

/// The number of different values of a column that are not null.
pub fn count_distinct(column: impl Into<String>) -> Aggregate {
    Aggregate::new(Kind::CountDistinct, Some(column.into()))
}

/// The sum of a numeric column's values that are not null; null where there are none. An integer
/// for integers, null beyond 64 bits. Doubles are summed exactly and rounded once.
pub fn sum(column: impl Into<String>) -> Aggregate {
    Aggregate::new(Kind::Sum, Some(column.into()))
}

/// The mean of a numeric column's values that are not null, as a double; null where there are
/// none.
pub fn avg(column: impl Into<String>) -> Aggregate {
    Aggregate::new(Kind::Average, Some(column.into()))
}

/// The least value of a column that is not null; null where there are none.
pub fn min(column: impl Into<String>) -> Aggregate {
    Aggregate::new(Kind::Min, Some(column.into()))
}

/// The greatest value of a column; null where there is none that is not null.
pub fn max(column: impl Into<String>) -> Aggregate {
    Aggregate::new(Kind::Max, Some(column.into()))
}

impl Body {
    /// Whether the rows are those of a table with nothing computed.
    pub(super) fn is_plain(&self) -> bool {
        self.aggregates.is_empty() && self.group_by.is_none()
    }

    /// Whether the rows are groups: it says by what, or computes something of its own rows.
    pub(super) fn is_grouped(&self) -> bool {
        self.group_by.is_some() || self.aggregates.iter().any(|computed| computed.of.is_none())
    }
}

/// The methods that queries and subqueries share.
macro_rules! aggregate_methods {
    ($type:ty) => {
        impl $type {
            /// Makes one row of all rows that have the same values in these columns; the rows of
            /// the result have these columns and those of
            #[doc = concat!("[`aggregate`](", stringify!($type), "::aggregate).")]
            /// [`filter`](Self::filter) applies to the rows before, [`having`](Self::having) to
            /// the groups; everything else, such as the order, to the groups. Nulls are one group.
            #[must_use]
            pub fn group_by<N: Into<String>>(
                mut self,
                columns: impl IntoIterator<Item = N>,
            ) -> Self {
                self.body.group_by = Some(columns.into_iter().map(Into::into).collect());
                self
            }

            /// Adds a column computed from the rows of each group. Without
            /// [`group_by`](Self::group_by) all rows are one group, and the result is one row.
            ///
            /// Cost: O(log rows) per changed row.
            #[must_use]
            pub fn aggregate(mut self, name: impl Into<String>, aggregate: Aggregate) -> Self {
                self.body.aggregates.push(Aggregated { name: name.into(), aggregate, of: None });
                self
            }

            /// Adds a column to each row, computed from the rows related to it; of the subquery
            /// its filters count. The column can be filtered and ordered by like any other.
            /// A count of no rows is 0, all else is null then.
            ///
            /// Cost: O(log rows) per changed row; the rows of the table are kept with the column.
            #[must_use]
            pub fn aggregate_related(
                mut self,
                name: impl Into<String>,
                related: Related,
                aggregate: Aggregate,
            ) -> Self {
                let of = Some(related);
                self.body.aggregates.push(Aggregated { name: name.into(), aggregate, of });
                self
            }

            /// Keeps the groups for which the condition holds. Several conditions must all hold.
            #[must_use]
            pub fn having(mut self, filter: Filter) -> Self {
                self.body.having.push(filter.0);
                self
            }
        }
    };
}

aggregate_methods!(Query);
aggregate_methods!(Related);
