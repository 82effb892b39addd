//! The form of a query that the builder and the AST reader produce and that planning reads: names
//! instead of numbers, nothing checked against a schema yet.

use penstock_operators::key::Direction;
use penstock_operators::value::Value;

use super::Related;
use super::aggregate::Aggregated;

/// Where a query came from, which decides how strictly literals are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// Written in Rust: a literal of another type than its column is a mistake.
    #[default]
    Builder,
    /// Received as an AST: a literal of another type than its column is never equal to it.
    Ast,
}

/// What a query and a subquery have in common: everything but where the rows come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    /// All of these must hold.
    pub(super) filters: Vec<Node>,
    pub(super) order: Vec<(String, Direction)>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) start: Option<StartAt>,
    /// In the order written. Of several under one name the last counts.
    pub(super) related: Vec<(String, Related)>,
    /// Whether the first row or none is taken instead of a list, which limits the rows to 1.
    pub(super) singular: bool,
    /// The columns by which rows are grouped.
    pub(super) group_by: Option<Vec<String>>,
    /// The computed columns, in the order written.
    pub(super) aggregates: Vec<Aggregated>,
    /// All of these must hold of a group.
    pub(super) having: Vec<Node>,
}

/// A start cursor by column names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StartAt {
    /// Of several values for one column the last counts.
    pub(super) values: Vec<(String, Value)>,
    pub(super) exclusive: bool,
}

/// Where the rows of a subquery come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// A relationship declared in the schema; without a name, the one called as the subquery is.
    Declared(Option<String>),
    /// Tables and correlations stated in the query: one hop or more.
    Hops {
        hops: Vec<Hop>,
        /// Whether at most one row is to be found.
        one: bool,
    },
}

/// One hop of a subquery: the rows of `table` correlated with those before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hop {
    pub(super) table: String,
    /// Pairs of a column on the near side and a column of `table`.
    pub(super) on: Vec<(String, String)>,
    /// The conditions on the rows of a hop that further hops start from. Those of the last hop
    /// are in the subquery's [`Body`].
    pub(super) filters: Vec<Node>,
}

/// A condition as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Compare { left: Term, op: Op, right: Term },
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Exists { related: Box<Related>, name: String, negated: bool },
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    Column(String),
    Literal(Value),
    List(Vec<Value>),
    /// A parameter by name.
    Param(String),
    /// A parameter within a JSON object: `anchor` names the object, `field` is the path in it.
    Static {
        anchor: String,
        field: Vec<String>,
    },
}

/// The operator of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Is,
    IsNot,
    Like,
    NotLike,
    ILike,
    NotILike,
    In,
    NotIn,
}

impl Op {
    /// Every operator, in the order in which error texts list them.
    pub(super) const ALL: [Op; 14] = [
        Op::Eq,
        Op::Ne,
        Op::Lt,
        Op::Le,
        Op::Gt,
        Op::Ge,
        Op::Is,
        Op::IsNot,
        Op::Like,
        Op::NotLike,
        Op::ILike,
        Op::NotILike,
        Op::In,
        Op::NotIn,
    ];

    /// How the operator is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Op::Eq => "=",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Is => "IS",
            Op::IsNot => "IS NOT",
            Op::Like => "LIKE",
            Op::NotLike => "NOT LIKE",
            Op::ILike => "ILIKE",
            Op::NotILike => "NOT ILIKE",
            Op::In => "IN",
            Op::NotIn => "NOT IN",
        }
    }

    /// The operator that holds where this one does not, for operands that are not null (and for
    /// `IS`, for all). Null operands make both false, which is what NOT means here.
    pub(super) fn negated(self) -> Op {
        match self {
            Op::Eq => Op::Ne,
            Op::Ne => Op::Eq,
            Op::Lt => Op::Ge,
            Op::Le => Op::Gt,
            Op::Gt => Op::Le,
            Op::Ge => Op::Lt,
            Op::Is => Op::IsNot,
            Op::IsNot => Op::Is,
            Op::Like => Op::NotLike,
            Op::NotLike => Op::Like,
            Op::ILike => Op::NotILike,
            Op::NotILike => Op::ILike,
            Op::In => Op::NotIn,
            Op::NotIn => Op::In,
        }
    }

    /// The operator with its sides exchanged, where that is one of the operators.
    pub(super) fn mirrored(self) -> Option<Op> {
        match self {
            Op::Eq | Op::Ne | Op::Is | Op::IsNot => Some(self),
            Op::Lt => Some(Op::Gt),
            Op::Le => Some(Op::Ge),
            Op::Gt => Some(Op::Lt),
            Op::Ge => Some(Op::Le),
            Op::Like | Op::NotLike | Op::ILike | Op::NotILike | Op::In | Op::NotIn => None,
        }
    }

    /// Whether the operator takes a list on its right.
    pub(super) fn takes_list(self) -> bool {
        matches!(self, Op::In | Op::NotIn)
    }

    /// Whether the operator only asks whether values are the same, which values of different
    /// types never are. The others are meaningless across types.
    pub(super) fn is_equality(self) -> bool {
        matches!(self, Op::Eq | Op::Ne | Op::Is | Op::IsNot | Op::In | Op::NotIn)
    }
}

/// What a subquery is called in error texts.
pub(super) fn target_name(target: &Target) -> String {
    match target {
        Target::Declared(name) => name.clone().unwrap_or_default(),
        Target::Hops { hops, .. } => hops.last().map(|hop| hop.table.clone()).unwrap_or_default(),
    }
}
