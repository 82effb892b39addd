//! Random subqueries in expressions, and aggregates.

use super::expression::{Atom, Maker, Scope, Typed};
use super::kinds::Kinds;
use super::schema::{Declared, Table};

impl<'a> Maker<'a> {
    pub(crate) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("s{}", self.aliases)
    }

    /// The columns of a table under an alias.
    pub(crate) fn columns(&self, table: &Table, alias: &str) -> Vec<Atom> {
        let strict = self.schema.strict;
        let atom = |column: &super::schema::Column| Atom {
            sql: format!("{alias}.{}", column.name),
            kinds: column.kinds(strict),
            column: true,
        };
        table.columns.iter().map(atom).collect()
    }

    /// A table under an alias of its own, and a WHERE that may be correlated.
    fn body(&mut self, scope: &Scope) -> (&'a Table, String, Scope, Vec<String>) {
        let schema = self.schema;
        let table = self.random.pick(&schema.tables);
        let alias = self.alias();
        let atoms = self.columns(table, &alias);
        let inner = Scope { atoms, subqueries: scope.subqueries.saturating_sub(1) };
        let mut conditions = Vec::new();
        let outer: Vec<Typed> = scope
            .atoms
            .iter()
            .filter(|atom| atom.column)
            .map(|atom| (atom.sql.clone(), atom.kinds))
            .collect();
        if !outer.is_empty() && self.random.chance(70) {
            self.feature("correlated");
            for _ in 0..if self.random.chance(85) { 1 } else { 2 } {
                let (inside, _) = self.atom(&inner);
                let (mut outside, _) = self.random.pick(&outer).clone();
                if self.random.chance(8) {
                    outside = format!("{outside} + 1");
                }
                conditions.push(match self.random.chance(70) {
                    true => format!("{inside} = {outside}"),
                    false => format!("{outside} = {inside}"),
                });
            }
        }
        if self.random.chance(40) {
            let condition = self.predicate(&inner, 1);
            conditions.push(condition);
        }
        (table, alias, inner, conditions)
    }

    pub(crate) fn exists(&mut self, scope: &Scope) -> Option<String> {
        if scope.subqueries == 0 {
            return None;
        }
        let negated = self.random.chance(40);
        self.feature(if negated { "NOT EXISTS" } else { "EXISTS" });
        let (table, alias, inner, conditions) = self.body(scope);
        let item = match self.random.below(3) {
            0 => "1".to_owned(),
            1 => "*".to_owned(),
            _ => self.atom(&inner).0,
        };
        let not = if negated { "NOT " } else { "" };
        let (name, filter) = (&table.name, filter(&conditions));
        Some(format!("{not}EXISTS (SELECT {item} FROM {name} AS {alias}{filter})"))
    }

    pub(crate) fn membership(&mut self, scope: &Scope) -> Option<String> {
        if scope.subqueries == 0 {
            return None;
        }
        let negated = self.random.chance(40);
        self.feature(if negated { "NOT IN subquery" } else { "IN subquery" });
        let operand = match self.random.chance(80) {
            true => self.atom(scope).0,
            false => format!("({})", self.expression(scope, 1).0),
        };
        let (table, alias, inner, conditions) = self.body(scope);
        let item = match self.random.chance(75) {
            true => self.atom(&inner).0,
            false => self.expression(&inner, 1).0,
        };
        let not = if negated { " NOT" } else { "" };
        let (name, filter) = (&table.name, filter(&conditions));
        Some(format!("{operand}{not} IN (SELECT {item} FROM {name} AS {alias}{filter})"))
    }

    /// A subquery with one column and at most one row.
    pub(crate) fn scalar_subquery(&mut self, scope: &Scope) -> Option<Typed> {
        if scope.subqueries == 0 {
            return None;
        }
        let (table, alias, inner, mut conditions) = self.body(scope);
        let name = &table.name;
        match self.random.below(5) {
            0 | 1 => {
                self.feature("scalar subquery by aggregate");
                let (item, kinds) = self.aggregate(&inner);
                let filter = filter(&conditions);
                Some((format!("(SELECT {item} FROM {name} AS {alias}{filter})"), kinds))
            }
            2 | 3 if table.key.len() == 1 && table.columns[0].declared == Declared::Integer => {
                self.feature("scalar subquery by key");
                let outer: Vec<&Atom> =
                    scope.atoms.iter().filter(|atom| atom.column && !atom.kinds.folded()).collect();
                let value = match outer.is_empty() {
                    true => "1".to_owned(),
                    false => self.random.pick(&outer).sql.clone(),
                };
                conditions.push(format!("{alias}.{} = {value}", table.columns[0].name));
                let (item, kinds) = self.expression(&inner, 1);
                let filter = filter(&conditions);
                Some((format!("(SELECT {item} FROM {name} AS {alias}{filter})"), kinds))
            }
            _ => {
                self.feature("scalar subquery by order");
                let (item, kinds) = self.expression(&inner, 1);
                let (order, _) = self.atom(&inner);
                let direction = if self.random.chance(40) { " DESC" } else { "" };
                let keys: Vec<String> =
                    table.key_names().map(|column| format!("{alias}.{column}")).collect();
                let (filter, keys) = (filter(&conditions), keys.join(", "));
                let sql = format!(
                    "(SELECT {item} FROM {name} AS {alias}{filter} \
                     ORDER BY {order}{direction}, {keys} LIMIT 1)"
                );
                Some((sql, kinds))
            }
        }
    }

    /// The expression, or one of it in which equal values are the same.
    pub(crate) fn pure(&mut self, (sql, kinds): Typed) -> Typed {
        if kinds.mixed() {
            return (format!("CAST({sql} AS TEXT) COLLATE BINARY"), Kinds::TEXT);
        }
        if kinds.folded() {
            return match self.random.chance(50) {
                true => (format!("({sql}) COLLATE BINARY"), kinds.without(Kinds::NOCASE)),
                false => (format!("lower({sql})"), Kinds::TEXT),
            };
        }
        (sql, kinds)
    }

    /// A call of an aggregate function.
    pub(crate) fn aggregate(&mut self, scope: &Scope) -> Typed {
        let inner = Scope { subqueries: 0, ..scope.clone() };
        let mut depth = usize::from(self.random.chance(30));
        let (call, kinds) = loop {
            let argument = self.expression(&inner, depth);
            let ordered = self.pure(argument.clone());
            match self.random.below(13) {
                0 | 1 => {
                    self.feature("count(*)");
                    break ("count(*)".to_owned(), Kinds::INT);
                }
                2 => {
                    self.feature("count");
                    break (format!("count({})", argument.0), Kinds::INT);
                }
                3 => {
                    self.feature("count distinct");
                    break (format!("count(DISTINCT {})", argument.0), Kinds::INT);
                }
                // Sums of rounded reals depend on the order in which they are added.
                at @ 4..=7 if !argument.1.has(Kinds::ROUNDED) => {
                    let name = ["sum", "sum", "total", "avg"][at - 4];
                    self.feature(name);
                    let distinct = self.random.chance(12);
                    let (sql, of) = if distinct { ordered } else { argument };
                    if distinct {
                        self.feature("sum distinct");
                    }
                    let distinct = if distinct { "DISTINCT " } else { "" };
                    let kinds = match name {
                        "sum" => of.arithmetic(Kinds::INT),
                        "total" => Kinds::REAL,
                        _ => Kinds::REAL | Kinds::ROUNDED,
                    };
                    break (format!("{name}({distinct}{sql})"), kinds);
                }
                8 | 9 => {
                    self.feature("min");
                    break (format!("min({})", ordered.0), ordered.1);
                }
                10 => {
                    self.feature("max");
                    break (format!("max({})", ordered.0), ordered.1);
                }
                11 | 12 => {
                    self.feature("group_concat");
                    let direction = if self.random.chance(30) { " DESC" } else { "" };
                    let sql = ordered.0;
                    let call = match self.random.below(4) {
                        0 => {
                            self.feature("group_concat distinct");
                            format!("group_concat(DISTINCT {sql} ORDER BY {sql}{direction})")
                        }
                        1 => {
                            let (by, _) = self.atom(&inner);
                            format!("group_concat({sql}, '-' ORDER BY {by}{direction}, {sql})")
                        }
                        2 => format!("string_agg({sql}, '; ' ORDER BY {sql}{direction})"),
                        _ => format!("group_concat({sql} ORDER BY {sql}{direction})"),
                    };
                    break (call, Kinds::TEXT);
                }
                _ => depth = 0,
            }
        };
        if self.random.chance(12) {
            self.feature("FILTER");
            let condition = self.predicate(&inner, 1);
            return (format!("{call} FILTER (WHERE {condition})"), kinds);
        }
        (call, kinds)
    }
}

fn filter(conditions: &[String]) -> String {
    match conditions {
        [] => String::new(),
        conditions => format!(" WHERE {}", conditions.join(" AND ")),
    }
}
