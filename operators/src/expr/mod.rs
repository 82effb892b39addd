//! Scalar expressions over one row, with the meaning that SQLite gives them.
//!
//! Logic is three-valued: a comparison with null is null, and a row passes a condition only where
//! it is true. Booleans of a row take part as the integers 0 and 1, JSON as its text. Types,
//! collations and affinities have been decided by whoever made the expression: an operand that
//! has an affinity applied to it is wrapped in [`Expr::Affinity`], and every comparison says its
//! collation.
//!
//! Evaluation never fails: where SQLite raises an error (an integer overflow in `abs`, say), the
//! value is null.

use std::sync::Arc;

use crate::predicate::CompareOp;
use crate::value::Value;

mod builtin;
mod collation;
mod columns;
mod datum;
mod decimal;
mod describe;
mod digits;
mod eval;
mod pattern;
mod text;

/// An expression over the columns of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// The row's value in a column. As the whole expression it is the value as it is; as an
    /// operand, a boolean is an integer and JSON is text.
    Column(usize),
    /// A constant.
    Literal(Value),
    /// An operator with one operand.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// The operand.
        operand: Box<Expr>,
    },
    /// Arithmetic, bits and concatenation; null where an operand is.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
    /// A comparison: 1, 0, or null where a side is null.
    Compare {
        /// The operator.
        op: CompareOp,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
        /// How texts compare.
        collation: Collation,
    },
    /// `IS`, `IS NOT`, `IS [NOT] DISTINCT FROM`: equality where null equals null; 1 or 0.
    Is {
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
        /// `IS NOT`.
        negated: bool,
        /// How texts compare.
        collation: Collation,
    },
    /// Three-valued conjunction; 1 for none.
    And(Vec<Expr>),
    /// Three-valued disjunction; 0 for none.
    Or(Vec<Expr>),
    /// Three-valued negation.
    Not(Box<Expr>),
    /// Membership in a list; null where it is not found and the operand or a member is null. An
    /// empty list has no member, whatever the operand.
    In {
        /// What is looked for.
        operand: Box<Expr>,
        /// Where.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
        /// How texts compare.
        collation: Collation,
    },
    /// `LIKE` (without regard to the case of ASCII letters) and `GLOB`.
    Match {
        /// Which.
        kind: MatchKind,
        /// The text; other values are matched as text.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character of `LIKE … ESCAPE`.
        escape: Option<Box<Expr>>,
        /// `NOT LIKE`.
        negated: bool,
    },
    /// The value beside the first condition that is true.
    Case {
        /// Conditions and values.
        whens: Vec<(Expr, Expr)>,
        /// The value where none is true; null where absent.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(… AS …)`.
    Cast {
        /// The operand.
        operand: Box<Expr>,
        /// The type, by its affinity.
        to: Affinity,
    },
    /// The operand converted as a column of that affinity would store it.
    Affinity {
        /// The operand.
        operand: Box<Expr>,
        /// The affinity.
        affinity: Affinity,
    },
    /// A value that equals another exactly where the operands are equal under a collation, and
    /// sorts like them.
    Fold {
        /// The operand.
        operand: Box<Expr>,
        /// The collation.
        collation: Collation,
    },
    /// A function of its arguments.
    Call {
        /// The function.
        function: Function,
        /// The arguments, as many as it takes.
        arguments: Vec<Expr>,
    },
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `+`, which changes nothing but takes away affinity and collation of a column.
    Plus,
    /// `~`
    BitNot,
}

/// An operator with two operands that is neither comparison nor logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `||`
    Concat,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
}

/// The way of a pattern match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// `%` and `_`, ASCII letters without regard to case.
    Like,
    /// `*`, `?` and `[…]`, with regard to case.
    Glob,
}

/// How texts compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Collation {
    /// By their bytes.
    #[default]
    Binary,
    /// By their bytes, ASCII letters as if lower case.
    NoCase,
    /// By their bytes, without spaces at the end.
    RightTrim,
}

/// What a column of a declared type does to values put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Affinity {
    /// Nothing. As the type of a cast: to bytes.
    Blob,
    /// Numbers become text.
    Text,
    /// Text that looks like a number becomes one; integral doubles become integers.
    Numeric,
    /// As [`Affinity::Numeric`]; differs in casts.
    Integer,
    /// As [`Affinity::Numeric`], and integers become doubles.
    Real,
}

/// A function that an expression calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// One of the dataflow's own.
    Builtin(Builtin),
    /// One of the dataflow's own that compares texts under a collation: `min`, `max`, `nullif`.
    Collated(Builtin, Collation),
    /// One that the embedding crate brings.
    Host(HostFunction),
}

/// The functions that the dataflow brings, by SQLite's names and meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Their names say what they are.
pub enum Builtin {
    Abs,
    Coalesce,
    IfNull,
    NullIf,
    Iif,
    Length,
    Lower,
    Upper,
    Substr,
    Trim,
    LeftTrim,
    RightTrim,
    Replace,
    Instr,
    TypeOf,
    Min,
    Max,
    Sign,
    Hex,
    Unicode,
    Char,
    Concat,
    ConcatWs,
    OctetLength,
}

/// A deterministic function that the embedding crate brings. Equal and hashed by name.
#[derive(Clone)]
pub struct HostFunction {
    name: Arc<str>,
    call: Arc<HostCall>,
}

type HostCall = dyn Fn(&[Value]) -> Value + Send + Sync;

impl HostFunction {
    /// A function of that name. It must give the same value for the same arguments, always; two
    /// functions of one name must be the same.
    pub fn new(
        name: impl Into<Arc<str>>,
        call: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> HostFunction {
        HostFunction { name: name.into(), call: Arc::new(call) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value for these arguments.
    pub fn call(&self, arguments: &[Value]) -> Value {
        (self.call)(arguments)
    }
}

impl std::fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HostFunction").field(&self.name).finish()
    }
}

impl PartialEq for HostFunction {
    fn eq(&self, other: &HostFunction) -> bool {
        self.name == other.name
    }
}

impl Eq for HostFunction {}

impl std::hash::Hash for HostFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
