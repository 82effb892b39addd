//! Expressions as people read them.

use std::fmt::{self, Display, Formatter};

use super::{Affinity, BinaryOp, Collation, Expr, Function, MatchKind, UnaryOp};
use crate::predicate::CompareOp;

impl Expr {
    /// The expression as text, for reports: SQL as far as it goes, with the names that columns
    /// are given. Conversions that a binder has added are left out.
    pub fn describe(&self, name: &dyn Fn(usize) -> String) -> String {
        Described { expr: self, name }.to_string()
    }
}

/// An expression with the names of its columns.
#[derive(Clone, Copy)]
struct Described<'a> {
    expr: &'a Expr,
    name: &'a dyn Fn(usize) -> String,
}

impl Described<'_> {
    fn list(self, exprs: &[Expr], between: &str) -> String {
        let texts: Vec<String> = exprs.iter().map(|each| each.describe(self.name)).collect();
        texts.join(between)
    }
}

impl Display for Described<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of = |expr| Described { expr, name: self.name };
        let not = |negated: &bool| if *negated { "not " } else { "" };
        match self.expr {
            Expr::Column(column) => f.write_str(&(self.name)(*column)),
            Expr::Literal(value) => write!(f, "{value}"),
            Expr::Unary { op, operand } => {
                let sign = match op {
                    UnaryOp::Negate => "-",
                    UnaryOp::Plus => "+",
                    UnaryOp::BitNot => "~",
                };
                write!(f, "{sign}{}", of(operand))
            }
            Expr::Binary { op, left, right } => {
                let sign = match op {
                    BinaryOp::Add => "+",
                    BinaryOp::Subtract => "-",
                    BinaryOp::Multiply => "*",
                    BinaryOp::Divide => "/",
                    BinaryOp::Remainder => "%",
                    BinaryOp::Concat => "||",
                    BinaryOp::BitAnd => "&",
                    BinaryOp::BitOr => "|",
                    BinaryOp::ShiftLeft => "<<",
                    BinaryOp::ShiftRight => ">>",
                };
                write!(f, "({} {sign} {})", of(left), of(right))
            }
            Expr::Compare { op, left, right, collation } => {
                let sign = match op {
                    CompareOp::Eq => "=",
                    CompareOp::Ne => "!=",
                    CompareOp::Lt => "<",
                    CompareOp::Le => "<=",
                    CompareOp::Gt => ">",
                    CompareOp::Ge => ">=",
                };
                write!(f, "{} {sign} {}{}", of(left), of(right), collate(*collation))
            }
            Expr::Is { left, right, negated, collation } => {
                let (left, right) = (of(left), of(right));
                write!(f, "{left} is {}{right}{}", not(negated), collate(*collation))
            }
            Expr::And(parts) => write!(f, "({})", self.list(parts, " and ")),
            Expr::Or(parts) => write!(f, "({})", self.list(parts, " or ")),
            Expr::Not(operand) => write!(f, "not ({})", of(operand)),
            Expr::In { operand, list, negated, collation } => {
                let (operand, count) = (of(operand), list.len());
                let collation = collate(*collation);
                write!(f, "{operand}{collation} {}in ({count} values)", not(negated))
            }
            Expr::Match { kind, operand, pattern, escape, negated } => {
                let word = match kind {
                    MatchKind::Like => "like",
                    MatchKind::Glob => "glob",
                };
                write!(f, "{} {}{word} {}", of(operand), not(negated), of(pattern))?;
                match escape {
                    Some(escape) => write!(f, " escape {}", of(escape)),
                    None => Ok(()),
                }
            }
            Expr::Case { whens, otherwise } => {
                f.write_str("case")?;
                for (condition, value) in whens {
                    write!(f, " when {} then {}", of(condition), of(value))?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " else {}", of(otherwise))?;
                }
                f.write_str(" end")
            }
            Expr::Cast { operand, to } => {
                let to = match to {
                    Affinity::Blob => "blob",
                    Affinity::Text => "text",
                    Affinity::Numeric => "numeric",
                    Affinity::Integer => "integer",
                    Affinity::Real => "real",
                };
                write!(f, "cast({} as {to})", of(operand))
            }
            Expr::Affinity { operand, .. } => write!(f, "{}", of(operand)),
            Expr::Fold { operand, collation } => {
                write!(f, "{}{}", of(operand), collate(*collation))
            }
            Expr::Call { function, arguments } => {
                let arguments = self.list(arguments, ", ");
                match function {
                    Function::Builtin(builtin) | Function::Collated(builtin, _) => {
                        write!(f, "{}({arguments})", format!("{builtin:?}").to_lowercase())
                    }
                    Function::Host(host) => write!(f, "{}({arguments})", host.name()),
                }
            }
        }
    }
}

fn collate(collation: Collation) -> &'static str {
    match collation {
        Collation::Binary => "",
        Collation::NoCase => " collate nocase",
        Collation::RightTrim => " collate rtrim",
    }
}
