//! Random expressions, as the dataflow has them and as SQL.

use penstock::Value;
use penstock::operators::expr::{
    Affinity, BinaryOp, Builtin, Collation, Expr, Function, MatchKind, UnaryOp,
};
use penstock::operators::predicate::CompareOp;

use super::random::Random;

/// The columns of the table: name, declaration, affinity, collation.
pub(super) const COLUMNS: [(&str, &str, Affinity, Collation); 8] = [
    ("n", "n", Affinity::Blob, Collation::Binary),
    ("i", "i INTEGER", Affinity::Integer, Collation::Binary),
    ("r", "r REAL", Affinity::Real, Collation::Binary),
    ("m", "m NUMERIC", Affinity::Numeric, Collation::Binary),
    ("t", "t TEXT", Affinity::Text, Collation::Binary),
    ("tn", "tn TEXT COLLATE NOCASE", Affinity::Text, Collation::NoCase),
    ("tr", "tr TEXT COLLATE RTRIM", Affinity::Text, Collation::RightTrim),
    ("u", "u COLLATE NOCASE", Affinity::Blob, Collation::NoCase),
];

/// An expression with what a binder knows of it.
#[derive(Clone)]
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) sql: String,
    /// Of a column or a cast.
    affinity: Option<Affinity>,
    /// Of a column, seen through casts and `+`.
    collation: Option<Collation>,
}

/// Makes expressions; constants become the parameters of the SQL.
pub(super) struct Generator<'a> {
    pub(super) random: &'a mut Random,
    pub(super) parameters: Vec<Value>,
}

fn plain(expr: Expr, sql: String) -> Typed {
    Typed { expr, sql, affinity: None, collation: None }
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

/// The expression converted for a comparison.
fn converted(expr: &Expr, affinity: Affinity) -> Expr {
    match affinity {
        Affinity::Blob => expr.clone(),
        affinity => Expr::Affinity { operand: boxed(expr.clone()), affinity },
    }
}

/// What a comparison converts its sides to: numeric if one is, else that of the only one that has
/// an affinity.
fn comparison_affinity(left: &Typed, right: &Typed) -> Affinity {
    let numeric = |affinity: Affinity| !matches!(affinity, Affinity::Blob | Affinity::Text);
    match (left.affinity, right.affinity) {
        (Some(left), Some(right)) if numeric(left) || numeric(right) => Affinity::Numeric,
        (Some(_), Some(_)) | (None, None) => Affinity::Blob,
        (Some(one), None) | (None, Some(one)) if numeric(one) => Affinity::Numeric,
        (Some(one), None) | (None, Some(one)) => one,
    }
}

impl Generator<'_> {
    pub(super) fn expression(&mut self, depth: usize) -> Typed {
        if depth == 0 || self.random.chance(8) {
            return self.leaf();
        }
        match self.random.below(12) {
            0 => self.unary(depth - 1),
            1 | 2 => self.binary(depth - 1),
            3 => self.comparison(depth - 1),
            4 => self.is(depth - 1),
            5 => self.logic(depth - 1),
            6 => self.list(depth - 1),
            7 => self.pattern(depth - 1),
            8 => self.case(depth - 1),
            9 => self.cast(depth - 1),
            _ => self.call(depth - 1),
        }
    }

    fn leaf(&mut self) -> Typed {
        if self.random.chance(2) {
            let value = self.random.value();
            return self.constant(value);
        }
        let column = self.random.below(COLUMNS.len());
        let (name, _, affinity, collation) = COLUMNS[column];
        Typed {
            expr: Expr::Column(column),
            sql: name.to_owned(),
            affinity: Some(affinity),
            collation: Some(collation),
        }
    }

    fn constant(&mut self, value: Value) -> Typed {
        self.parameters.push(value.clone());
        plain(Expr::Literal(value), format!("?{}", self.parameters.len()))
    }

    fn unary(&mut self, depth: usize) -> Typed {
        let operand = self.expression(depth);
        let (op, sign) = self.random.pick(&[
            (UnaryOp::Negate, "-"),
            (UnaryOp::Plus, "+"),
            (UnaryOp::BitNot, "~"),
        ]);
        let sql = format!("({sign} {})", operand.sql);
        // A plus takes the affinity away, but not the collation.
        let collation = operand.collation.filter(|_| op == UnaryOp::Plus);
        let expr = Expr::Unary { op, operand: boxed(operand.expr) };
        Typed { expr, sql, affinity: None, collation }
    }

    fn binary(&mut self, depth: usize) -> Typed {
        let (op, sign) = self.random.pick(&[
            (BinaryOp::Add, "+"),
            (BinaryOp::Subtract, "-"),
            (BinaryOp::Multiply, "*"),
            (BinaryOp::Divide, "/"),
            (BinaryOp::Remainder, "%"),
            (BinaryOp::Concat, "||"),
            (BinaryOp::BitAnd, "&"),
            (BinaryOp::BitOr, "|"),
            (BinaryOp::ShiftLeft, "<<"),
            (BinaryOp::ShiftRight, ">>"),
        ]);
        let (left, right) = (self.expression(depth), self.expression(depth));
        let sql = format!("({} {sign} {})", left.sql, right.sql);
        plain(Expr::Binary { op, left: boxed(left.expr), right: boxed(right.expr) }, sql)
    }

    /// The sides of a comparison, converted, and how their texts compare.
    fn sides(&mut self, depth: usize, sign: &str) -> (Box<Expr>, Box<Expr>, Collation, String) {
        let (left, right) = (self.expression(depth), self.expression(depth));
        let affinity = comparison_affinity(&left, &right);
        let explicit = self.random.chance(4).then(|| {
            self.random.pick(&[
                (Collation::Binary, " COLLATE BINARY"),
                (Collation::NoCase, " COLLATE NOCASE"),
                (Collation::RightTrim, " COLLATE RTRIM"),
            ])
        });
        let (collation, clause) = match explicit {
            Some((collation, clause)) => (collation, clause),
            None => (left.collation.or(right.collation).unwrap_or_default(), ""),
        };
        let sql = format!("({} {sign} {}{clause})", left.sql, right.sql);
        let (left, right) = (converted(&left.expr, affinity), converted(&right.expr, affinity));
        (boxed(left), boxed(right), collation, sql)
    }

    fn comparison(&mut self, depth: usize) -> Typed {
        let (op, sign) = self.random.pick(&[
            (CompareOp::Eq, "="),
            (CompareOp::Ne, "<>"),
            (CompareOp::Lt, "<"),
            (CompareOp::Le, "<="),
            (CompareOp::Gt, ">"),
            (CompareOp::Ge, ">="),
        ]);
        let (left, right, collation, sql) = self.sides(depth, sign);
        plain(Expr::Compare { op, left, right, collation }, sql)
    }

    fn is(&mut self, depth: usize) -> Typed {
        let (negated, sign) = self.random.pick(&[
            (false, "IS"),
            (true, "IS NOT"),
            (true, "IS DISTINCT FROM"),
            (false, "IS NOT DISTINCT FROM"),
        ]);
        let (left, right, collation, sql) = self.sides(depth, sign);
        plain(Expr::Is { left, right, negated, collation }, sql)
    }

    fn logic(&mut self, depth: usize) -> Typed {
        if self.random.chance(4) {
            let operand = self.expression(depth);
            return plain(Expr::Not(boxed(operand.expr)), format!("(NOT {})", operand.sql));
        }
        let and = self.random.chance(2);
        let count = 2 + self.random.below(2);
        let parts: Vec<Typed> = (0..count).map(|_| self.expression(depth)).collect();
        let sql: Vec<String> = parts.iter().map(|part| part.sql.clone()).collect();
        let sql = format!("({})", sql.join(if and { " AND " } else { " OR " }));
        let exprs = parts.into_iter().map(|part| part.expr).collect();
        plain(if and { Expr::And(exprs) } else { Expr::Or(exprs) }, sql)
    }

    fn list(&mut self, depth: usize) -> Typed {
        let operand = self.expression(depth);
        let members: Vec<Typed> =
            (0..self.random.below(5)).map(|_| self.expression(depth.min(1))).collect();
        // The members take on the affinity of what is looked for.
        let affinity = match operand.affinity {
            None | Some(Affinity::Blob) => Affinity::Blob,
            Some(Affinity::Text) => Affinity::Text,
            Some(_) => Affinity::Numeric,
        };
        let (negated, word) = self.random.pick(&[(false, "IN"), (true, "NOT IN")]);
        let sql: Vec<String> = members.iter().map(|member| member.sql.clone()).collect();
        // Without the plus an empty list would make it the literal TRUE, and `x IS TRUE` is
        // another operator.
        let sql = format!("(+({} {word} ({})))", operand.sql, sql.join(", "));
        let list = members.iter().map(|member| converted(&member.expr, affinity)).collect();
        let collation = operand.collation.unwrap_or_default();
        let operand = boxed(converted(&operand.expr, affinity));
        plain(Expr::In { operand, list, negated, collation }, sql)
    }

    fn pattern(&mut self, depth: usize) -> Typed {
        let operand = self.expression(depth);
        let pattern = if self.random.chance(4) {
            self.expression(depth)
        } else {
            let pattern = self.random.letters();
            self.constant(pattern.into())
        };
        let (kind, word) =
            self.random.pick(&[(MatchKind::Like, "LIKE"), (MatchKind::Glob, "GLOB")]);
        let (negated, not) = self.random.pick(&[(false, ""), (true, "NOT ")]);
        let mut sql = format!("{} {not}{word} {}", operand.sql, pattern.sql);
        let mut escape = None;
        if kind == MatchKind::Like && self.random.chance(2) {
            let char = self.random.pick(&["\\", "a", "%", "_", "é", "1"]);
            let char = self.constant(char.into());
            sql += &format!(" ESCAPE {}", char.sql);
            escape = Some(boxed(char.expr));
        }
        let (operand, pattern) = (boxed(operand.expr), boxed(pattern.expr));
        plain(Expr::Match { kind, operand, pattern, escape, negated }, format!("({sql})"))
    }

    fn case(&mut self, depth: usize) -> Typed {
        let mut sql = "(CASE".to_owned();
        let mut whens = Vec::new();
        for _ in 0..=self.random.below(2) {
            let (when, then) = (self.expression(depth), self.expression(depth));
            sql += &format!(" WHEN {} THEN {}", when.sql, then.sql);
            whens.push((when.expr, then.expr));
        }
        let otherwise = self.random.chance(2).then(|| {
            let otherwise = self.expression(depth);
            sql += &format!(" ELSE {}", otherwise.sql);
            boxed(otherwise.expr)
        });
        plain(Expr::Case { whens, otherwise }, sql + " END)")
    }

    fn cast(&mut self, depth: usize) -> Typed {
        let operand = self.expression(depth);
        let (to, name) = self.random.pick(&[
            (Affinity::Blob, "BLOB"),
            (Affinity::Text, "TEXT"),
            (Affinity::Integer, "INTEGER"),
            (Affinity::Real, "REAL"),
            (Affinity::Numeric, "NUMERIC"),
        ]);
        let sql = format!("CAST({} AS {name})", operand.sql);
        let expr = Expr::Cast { operand: boxed(operand.expr), to };
        Typed { expr, sql, affinity: Some(to), collation: operand.collation }
    }

    fn call(&mut self, depth: usize) -> Typed {
        const FUNCTIONS: [(Builtin, &str, usize, usize); 24] = [
            (Builtin::Abs, "abs", 1, 1),
            (Builtin::Coalesce, "coalesce", 2, 3),
            (Builtin::IfNull, "ifnull", 2, 2),
            (Builtin::NullIf, "nullif", 2, 2),
            (Builtin::Iif, "iif", 2, 5),
            (Builtin::Length, "length", 1, 1),
            (Builtin::Lower, "lower", 1, 1),
            (Builtin::Upper, "upper", 1, 1),
            (Builtin::Substr, "substr", 2, 3),
            (Builtin::Trim, "trim", 1, 2),
            (Builtin::LeftTrim, "ltrim", 1, 2),
            (Builtin::RightTrim, "rtrim", 1, 2),
            (Builtin::Replace, "replace", 3, 3),
            (Builtin::Instr, "instr", 2, 2),
            (Builtin::TypeOf, "typeof", 1, 1),
            (Builtin::Min, "min", 2, 3),
            (Builtin::Max, "max", 2, 3),
            (Builtin::Sign, "sign", 1, 1),
            (Builtin::Hex, "hex", 1, 1),
            (Builtin::Unicode, "unicode", 1, 1),
            (Builtin::Char, "char", 0, 3),
            (Builtin::Concat, "concat", 1, 3),
            (Builtin::ConcatWs, "concat_ws", 2, 4),
            (Builtin::OctetLength, "octet_length", 1, 1),
        ];
        let (builtin, name, least, most) = self.random.pick(&FUNCTIONS);
        let count = least + self.random.below(most - least + 1);
        let arguments: Vec<Typed> = (0..count).map(|_| self.expression(depth)).collect();
        let function = match builtin {
            Builtin::Min | Builtin::Max | Builtin::NullIf => {
                // The first argument that has a collation says it.
                let collation = arguments.iter().find_map(|argument| argument.collation);
                Function::Collated(builtin, collation.unwrap_or_default())
            }
            builtin => Function::Builtin(builtin),
        };
        let sql: Vec<String> = arguments.iter().map(|argument| argument.sql.clone()).collect();
        let sql = format!("{name}({})", sql.join(", "));
        let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
        plain(Expr::Call { function, arguments }, sql)
    }
}
