//! Conditions in Rust: `col("open").eq(true)`, `and`, `or`, `not`, `exists`.

use penstock_operators::value::Value;

use super::Related;
use super::form::{Node, Op, Term, target_name};

/// A condition on the rows of a query. Made by the methods of [`Col`] and by [`and`], [`or`],
/// [`not`], [`exists`] and their relatives; not checked until the query is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(pub(super) Node);

/// A column of the rows being filtered, by name. See [`col`].
#[derive(Clone, Debug, PartialEq)]
pub struct Col(String);

/// A value that is given when the query is compiled. See [`param`].
#[derive(Clone, Debug, PartialEq)]
pub struct Param(String);

/// The right side of a comparison: a value, a column or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand(Term);

/// The right side of an IN: values, or a parameter bound to a list.
#[derive(Clone, Debug, PartialEq)]
pub struct List(Term);

/// A column of the rows being filtered.
pub fn col(name: impl Into<String>) -> Col {
    Col(name.into())
}

/// A value that [`Params`](super::Params) supplies under this name when the query is compiled.
pub fn param(name: impl Into<String>) -> Param {
    Param(name.into())
}

/// Holds where all of the conditions hold; always, for none.
pub fn and(filters: impl IntoIterator<Item = Filter>) -> Filter {
    Filter(Node::And(filters.into_iter().map(|filter| filter.0).collect()))
}

/// Holds where any of the conditions holds; never, for none.
pub fn or(filters: impl IntoIterator<Item = Filter>) -> Filter {
    Filter(Node::Or(filters.into_iter().map(|filter| filter.0).collect()))
}

/// The opposite condition.
///
/// The negation is carried to the comparisons, where it exchanges the operator: `not(x = 1)` is
/// `x != 1`, which is false where `x` is null, as `x = 1` is.
pub fn not(filter: Filter) -> Filter {
    Filter(Node::Not(Box::new(filter.0)))
}

/// Holds for rows that have a related row: by the name of a relationship declared in the schema,
/// or by a [`Related`] with correlations and conditions of its own.
pub fn exists(related: impl Into<Related>) -> Filter {
    exists_node(related.into(), false)
}

/// Holds for rows with a related row, by a declared relationship, that satisfies what `narrow`
/// adds: `exists_where("comments", |q| q.filter(col("text").like("%bug%")))`.
pub fn exists_where(
    relationship: impl Into<String>,
    narrow: impl FnOnce(Related) -> Related,
) -> Filter {
    exists_node(narrow(Related::declared(relationship)), false)
}

/// Holds for rows that have no such related row. See [`exists`].
pub fn not_exists(related: impl Into<Related>) -> Filter {
    exists_node(related.into(), true)
}

/// Holds for rows without a related row that satisfies what `narrow` adds. See [`exists_where`].
pub fn not_exists_where(
    relationship: impl Into<String>,
    narrow: impl FnOnce(Related) -> Related,
) -> Filter {
    exists_node(narrow(Related::declared(relationship)), true)
}

fn exists_node(related: Related, negated: bool) -> Filter {
    let name = target_name(&related.target);
    Filter(Node::Exists { related: Box::new(related), name, negated })
}

impl Col {
    fn compare(self, op: Op, right: Term) -> Filter {
        Filter(Node::Compare { left: Term::Column(self.0), op, right })
    }

    /// `=`. False where either side is null.
    pub fn eq(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Eq, right.into().0)
    }

    /// `!=`. False where either side is null.
    pub fn ne(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Ne, right.into().0)
    }

    /// `<`. False where either side is null.
    pub fn lt(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Lt, right.into().0)
    }

    /// `<=`. False where either side is null.
    pub fn le(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Le, right.into().0)
    }

    /// `>`. False where either side is null.
    pub fn gt(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Gt, right.into().0)
    }

    /// `>=`. False where either side is null.
    pub fn ge(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Ge, right.into().0)
    }

    /// `IS`: equality where null equals null.
    pub fn is(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::Is, right.into().0)
    }

    /// `IS NOT`: the opposite of [`is`](Col::is), for null too.
    pub fn is_not(self, right: impl Into<Operand>) -> Filter {
        self.compare(Op::IsNot, right.into().0)
    }

    /// `IS NULL`.
    pub fn is_null(self) -> Filter {
        self.compare(Op::Is, Term::Literal(Value::Null))
    }

    /// `IS NOT NULL`.
    pub fn is_not_null(self) -> Filter {
        self.compare(Op::IsNot, Term::Literal(Value::Null))
    }

    /// `IN`: whether the column equals one of the values. False where it is null.
    pub fn in_(self, list: impl Into<List>) -> Filter {
        self.compare(Op::In, list.into().0)
    }

    /// `NOT IN`: whether the column equals none of the values. False where it is null, also for
    /// an empty list.
    pub fn not_in(self, list: impl Into<List>) -> Filter {
        self.compare(Op::NotIn, list.into().0)
    }

    /// `LIKE`: `%` is any run of characters, `_` one character, `\` takes the next one literally.
    pub fn like(self, pattern: impl Into<Operand>) -> Filter {
        self.compare(Op::Like, pattern.into().0)
    }

    /// `NOT LIKE`. False where the column is null.
    pub fn not_like(self, pattern: impl Into<Operand>) -> Filter {
        self.compare(Op::NotLike, pattern.into().0)
    }

    /// [`like`](Col::like) ignoring case, by Unicode simple case folding.
    pub fn ilike(self, pattern: impl Into<Operand>) -> Filter {
        self.compare(Op::ILike, pattern.into().0)
    }

    /// `NOT ILIKE`. False where the column is null.
    pub fn not_ilike(self, pattern: impl Into<Operand>) -> Filter {
        self.compare(Op::NotILike, pattern.into().0)
    }
}

impl From<Col> for Operand {
    fn from(column: Col) -> Operand {
        Operand(Term::Column(column.0))
    }
}

impl From<Param> for Operand {
    fn from(param: Param) -> Operand {
        Operand(Term::Param(param.0))
    }
}

impl<T: Into<Value>> From<T> for Operand {
    fn from(value: T) -> Operand {
        Operand(Term::Literal(value.into()))
    }
}

impl From<Param> for List {
    fn from(param: Param) -> List {
        List(Term::Param(param.0))
    }
}

impl<I> From<I> for List
where
    I: IntoIterator,
    I::Item: Into<Value>,
{
    fn from(values: I) -> List {
        List(Term::List(values.into_iter().map(Into::into).collect()))
    }
}
