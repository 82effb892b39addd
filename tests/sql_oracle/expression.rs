//! Random expressions.

use std::collections::BTreeSet;

use penstock::Value;

use super::kinds::Kinds;
use super::random::Random;
use super::schema::{self, Schema};
use super::select::parameter;

/// A column, a group or an aggregate that an expression can be made of.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    pub(crate) sql: String,
    pub(crate) kinds: Kinds,
    /// Whether a subquery can be correlated by it.
    pub(crate) column: bool,
}

/// What an expression can be made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) atoms: Vec<Atom>,
    /// How deep subqueries may be nested in it.
    pub(crate) subqueries: usize,
}

/// An expression with what is known of its values.
pub(crate) type Typed = (String, Kinds);

/// What is being made, and the choices for it.
pub(crate) struct Maker<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) schema: &'a Schema,
    pub(crate) features: BTreeSet<&'static str>,
    pub(crate) params: Vec<Value>,
    /// How many literals in a hundred are parameters.
    pub(crate) parameters: usize,
    /// How many aliases have been given.
    pub(crate) aliases: usize,
    /// The common table expressions in scope, with their columns.
    pub(crate) ctes: Vec<(String, Vec<Typed>)>,
}

const BINARY_FUNCTIONS: [&str; 8] =
    ["coalesce", "ifnull", "nullif", "min", "max", "instr", "concat", "round"];
const TEXT_FUNCTIONS: [&str; 9] =
    ["lower", "upper", "trim", "ltrim", "rtrim", "hex", "quote", "typeof", "unicode"];
const COMPARISONS: [&str; 10] = ["=", "=", "=", "<", "<=", ">", ">=", "<>", "!=", "=="];
const PATTERNS: [&str; 9] = ["'a%'", "'%b'", "'_'", "'A_'", "'%'", "''", "'1%'", "'%.%'", "'é'"];
const GLOBS: [&str; 6] = ["'a*'", "'?'", "'[a-b]*'", "'*'", "'[^a]'", "'A?'"];

impl Maker<'_> {
    pub(crate) fn feature(&mut self, feature: &'static str) {
        self.features.insert(feature);
    }

    fn use_one(&mut self, names: &[&'static str]) -> &'static str {
        let name = *self.random.pick(names);
        self.feature(name);
        name
    }

    /// A constant, which may be a parameter.
    pub(crate) fn literal(&mut self) -> Typed {
        let (sql, kinds, value) = match self.random.below(12) {
            0..=4 => {
                let sql = schema::integer(self.random);
                let value = sql.parse::<i64>().expect("an integer").into();
                (sql, Kinds::INT, value)
            }
            5 => {
                let sql = schema::fraction(self.random);
                let value = sql.parse::<f64>().expect("a real").into();
                (sql, Kinds::FRACTION, value)
            }
            6..=9 => {
                let sql = schema::text(self.random);
                let value = sql.trim_matches('\'').into();
                (sql, Kinds::TEXT, value)
            }
            10 => return ("NULL".to_owned(), Kinds::NONE),
            _ => {
                self.feature("TRUE");
                return (self.random.pick(&["TRUE", "FALSE"]).to_string(), Kinds::INT);
            }
        };
        if self.random.chance(self.parameters) {
            self.feature("parameter");
            self.params.push(value);
            return (parameter(self.params.len() - 1), kinds);
        }
        (sql, kinds)
    }

    pub(crate) fn atom(&mut self, scope: &Scope) -> Typed {
        if scope.atoms.is_empty() {
            return self.literal();
        }
        let atom = self.random.pick(&scope.atoms);
        (atom.sql.clone(), atom.kinds)
    }

    /// An operand: in parentheses unless it needs none.
    fn operand(&mut self, scope: &Scope, depth: usize) -> Typed {
        let (sql, kinds) = self.expression(scope, depth);
        let plain =
            sql.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.\x01".contains(&byte));
        if plain || (sql.ends_with(')') && sql.find('(').is_some_and(|at| closes(&sql, at))) {
            (sql, kinds)
        } else {
            (format!("({sql})"), kinds)
        }
    }

    /// A random expression.
    pub(crate) fn expression(&mut self, scope: &Scope, depth: usize) -> Typed {
        if depth == 0 {
            return if self.random.chance(70) { self.atom(scope) } else { self.literal() };
        }
        let depth = depth - 1;
        match self.random.weighted(&[30, 8, 16, 5, 3, 9, 6, 6, 5, 4, 5, 3, 4, 5]) {
            0 => self.atom(scope),
            1 => self.literal(),
            2 => {
                let operator = self.use_one(&["+", "-", "*", "/", "%"]);
                let (left, a) = self.operand(scope, depth);
                let (right, b) = self.operand(scope, depth);
                let rounded = if operator == "/" { Kinds::ROUNDED } else { Kinds::NONE };
                (format!("{left} {operator} {right}"), a.arithmetic(b) | rounded)
            }
            3 => {
                self.feature("||");
                let (left, a) = self.operand(scope, depth);
                let (right, b) = self.operand(scope, depth);
                (format!("{left} || {right}"), text_of(a | b))
            }
            4 => {
                let operator = self.use_one(&["&", "|", "<<", ">>"]);
                let (left, _) = self.operand(scope, depth);
                let (right, _) = self.operand(scope, depth);
                // Large numbers make sums of reals depend on the order.
                (format!("{left} {operator} {right}"), Kinds::INT | Kinds::ROUNDED)
            }
            5 => self.function(scope, depth),
            6 => self.case(scope, depth),
            7 => {
                self.feature("CAST");
                let (operand, kinds) = self.expression(scope, depth);
                let (to, kinds) = match self.random.below(4) {
                    0 => ("INTEGER", Kinds::INT),
                    1 => ("TEXT", text_of(kinds)),
                    2 => ("REAL", Kinds::REAL),
                    _ => ("NUMERIC", Kinds::INT | Kinds::REAL),
                };
                (format!("CAST({operand} AS {to})"), kinds)
            }
            8 => {
                let operator = *self.random.pick(&["-", "+", "~", "NOT "]);
                let (operand, kinds) = self.operand(scope, depth);
                let kinds = match operator {
                    "+" => kinds,
                    "-" => kinds.arithmetic(Kinds::INT),
                    _ => Kinds::INT,
                };
                (format!("{operator}{operand}"), kinds)
            }
            9 => {
                self.feature("COLLATE");
                let (operand, kinds) = self.operand(scope, depth);
                let nocase = self.random.chance(60);
                let kinds = kinds.without(Kinds::NOCASE);
                match nocase {
                    true => (format!("{operand} COLLATE NOCASE"), kinds | Kinds::NOCASE),
                    false => (format!("{operand} COLLATE BINARY"), kinds),
                }
            }
            10 => (format!("({})", self.predicate(scope, depth)), Kinds::INT),
            11 => self.date(scope),
            12 => {
                self.feature("substr");
                let (operand, kinds) = self.expression(scope, depth);
                let from = self.random.below(6) as i64 - 3;
                let length = self.random.below(4) as i64 - 1;
                let text = if kinds.has(Kinds::BLOB) { Kinds::BLOB } else { Kinds::NONE };
                (format!("substr({operand}, {from}, {length})"), Kinds::TEXT | text)
            }
            _ => match self.scalar_subquery(scope) {
                Some(typed) => typed,
                None => self.atom(scope),
            },
        }
    }

    fn function(&mut self, scope: &Scope, depth: usize) -> Typed {
        let (first, a) = self.expression(scope, depth);
        match self.random.below(4) {
            0 => {
                let name = self.use_one(&["abs", "length", "sign"]);
                let kinds = if name == "abs" { a.arithmetic(Kinds::INT) } else { Kinds::INT };
                (format!("{name}({first})"), kinds)
            }
            1 => {
                let name = self.use_one(&TEXT_FUNCTIONS);
                let kinds = if name == "unicode" { Kinds::INT } else { Kinds::TEXT };
                (format!("{name}({first})"), kinds)
            }
            2 => {
                let name = self.use_one(&BINARY_FUNCTIONS);
                if name == "round" {
                    return (format!("round({first}, 1)"), Kinds::REAL | Kinds::ROUNDED);
                }
                let (second, b) = self.expression(scope, depth);
                let kinds = match name {
                    "instr" => Kinds::INT,
                    "concat" => Kinds::TEXT,
                    _ => a | b,
                };
                (format!("{name}({first}, {second})"), kinds)
            }
            _ => {
                let (second, b) = self.expression(scope, depth);
                let (third, c) = self.expression(scope, depth);
                match self.use_one(&["replace", "iif", "coalesce", "printf"]) {
                    "replace" => (format!("replace({first}, {second}, {third})"), Kinds::TEXT),
                    "iif" => (format!("iif({first}, {second}, {third})"), b | c),
                    "coalesce" => (format!("coalesce({first}, {second}, {third})"), a | b | c),
                    _ => (format!("printf('%s-%d', {first}, {second})"), Kinds::TEXT),
                }
            }
        }
    }

    fn case(&mut self, scope: &Scope, depth: usize) -> Typed {
        let mut kinds = Kinds::NONE;
        let mut sql = "CASE".to_owned();
        let with_operand = self.random.chance(40);
        self.feature(if with_operand { "CASE operand" } else { "CASE" });
        if with_operand {
            sql += &format!(" {}", self.operand(scope, depth).0);
        }
        for _ in 0..self.random.range(1, 2) {
            let when = match with_operand {
                true => self.operand(scope, depth).0,
                false => self.predicate(scope, depth),
            };
            let (then, of) = self.operand(scope, depth);
            kinds = kinds | of;
            sql += &format!(" WHEN {when} THEN {then}");
        }
        if self.random.chance(70) {
            let (otherwise, of) = self.operand(scope, depth);
            kinds = kinds | of;
            sql += &format!(" ELSE {otherwise}");
        }
        (sql + " END", kinds)
    }

    fn date(&mut self, scope: &Scope) -> Typed {
        self.feature("date");
        let (operand, _) = self.atom(scope);
        match self.random.below(4) {
            0 => (format!("date('2024-02-29', {operand} || ' days')"), Kinds::TEXT),
            1 => (format!("strftime('%Y-%m', {operand})"), Kinds::TEXT),
            2 => (format!("datetime({operand}, 'unixepoch')"), Kinds::TEXT),
            _ => (format!("date({operand}, '+1 month')"), Kinds::TEXT),
        }
    }

    /// A random condition.
    pub(crate) fn predicate(&mut self, scope: &Scope, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        let nested = if depth == 0 { 0 } else { 6 };
        match self
            .random
            .weighted(&[26, 10, 8, 5, 4, 5, 7, 5, 3, nested, nested, nested, nested, 7, 7, 3, 2])
        {
            0 => {
                let operator = self.comparison();
                let (left, _) = self.atom(scope);
                let (right, _) = self.literal();
                match self.random.chance(80) {
                    true => format!("{left} {operator} {right}"),
                    false => format!("{right} {operator} {left}"),
                }
            }
            1 => {
                let operator = self.comparison();
                let (left, right) = (self.atom(scope).0, self.atom(scope).0);
                format!("{left} {operator} {right}")
            }
            2 => {
                let operator = self.comparison();
                let (left, right) = (self.operand(scope, below).0, self.operand(scope, below).0);
                format!("{left} {operator} {right}")
            }
            3 => {
                let operator = self.use_one(&["IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL"]);
                format!("{} {operator}", self.operand(scope, below).0)
            }
            4 => {
                let operator =
                    self.use_one(&["IS", "IS NOT", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]);
                let (left, right) = (self.atom(scope).0, self.operand(scope, below).0);
                format!("{left} {operator} {right}")
            }
            5 => {
                let operator = self.use_one(&["BETWEEN", "NOT BETWEEN"]);
                let operand = self.operand(scope, below).0;
                let (low, high) = (self.literal().0, self.operand(scope, 0).0);
                format!("{operand} {operator} {low} AND {high}")
            }
            6 => {
                let operator = self.use_one(&["IN list", "NOT IN list"]).trim_end_matches(" list");
                let operand = self.operand(scope, below).0;
                let least = usize::from(self.random.chance(90));
                let count = self.random.range(least, 3);
                let list: Vec<String> = (0..count)
                    .map(|_| match self.random.chance(85) {
                        true => self.literal().0,
                        false => self.expression(scope, 0).0,
                    })
                    .collect();
                format!("{operand} {operator} ({})", list.join(", "))
            }
            7 => {
                let operator = self.use_one(&["LIKE", "NOT LIKE", "GLOB", "NOT GLOB"]);
                let patterns: &[&str] = if operator.ends_with("LIKE") { &PATTERNS } else { &GLOBS };
                let pattern = self.random.pick(patterns).to_string();
                format!("{} {operator} {pattern}", self.operand(scope, below).0)
            }
            8 => {
                self.feature("ESCAPE");
                format!("{} LIKE 'a!%%' ESCAPE '!'", self.operand(scope, below).0)
            }
            9 => {
                self.feature("NOT");
                format!("NOT ({})", self.predicate(scope, below))
            }
            10 => {
                self.feature("AND");
                format!("({} AND {})", self.predicate(scope, below), self.predicate(scope, below))
            }
            11 | 12 => {
                self.feature("OR");
                format!("({} OR {})", self.predicate(scope, below), self.predicate(scope, below))
            }
            13 => self.exists(scope).unwrap_or_else(|| self.predicate(scope, 0)),
            14 => self.membership(scope).unwrap_or_else(|| self.predicate(scope, 0)),
            15 => match self.scalar_subquery(scope) {
                Some((subquery, _)) => {
                    let operator = self.comparison();
                    format!("{} {operator} {subquery}", self.atom(scope).0)
                }
                None => self.predicate(scope, 0),
            },
            _ => self.operand(scope, below).0,
        }
    }

    fn comparison(&mut self) -> &'static str {
        let comparison: &&str = self.random.pick(&COMPARISONS);
        comparison
    }
}

/// The kinds of a text made of values of some kinds.
fn text_of(kinds: Kinds) -> Kinds {
    let folded = if kinds.folded() { Kinds::NOCASE } else { Kinds::NONE };
    Kinds::TEXT | folded
}

/// Whether the parenthesis at a place is closed by the last character.
fn closes(sql: &str, at: usize) -> bool {
    let name = sql[..at].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let mut depth = 0;
    for (place, character) in sql.char_indices().skip(sql[..at].chars().count()) {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return name && place + 1 == sql.len();
        }
    }
    false
}
