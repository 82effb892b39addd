//! Random queries: what is selected, grouped and ordered. See `from` for what it is read from.

use super::expression::{Atom, Maker, Scope, Typed};
use super::kinds::Kinds;
use super::random::Random;
use super::schema::Schema;
use super::select::{Core, Item, Query, Select, Style, parameter};

/// A core with what an ORDER BY needs of it.
struct Built {
    core: Core,
    /// The output columns, by alias where they have one.
    outputs: Vec<Atom>,
    /// What it may be ordered by, besides.
    scope: Scope,
    /// What makes an order total.
    key: Vec<String>,
}

/// A random query over a schema.
pub(crate) fn query(random: &mut Random, schema: &Schema) -> Query {
    let style = *random.pick(&[Style::Question, Style::Numbered, Style::Named]);
    let parameters = if random.chance(40) { 25 } else { 0 };
    let mut maker = Maker {
        random,
        schema,
        features: std::collections::BTreeSet::new(),
        params: Vec::new(),
        parameters,
        aliases: 0,
        ctes: Vec::new(),
    };
    let (select, _, total) = maker.select(2);
    let Maker { features, params, .. } = maker;
    Query { select, params, style, total, features, live: (0, usize::MAX) }
}

impl Maker<'_> {
    /// A query with its columns, and whether its order is total. Of depth 2 it is the outermost.
    pub(crate) fn select(&mut self, depth: usize) -> (Select, Vec<Typed>, bool) {
        let outer = self.ctes.len();
        let mut select = Select::default();
        if depth == 2 && self.random.chance(12) {
            for _ in 0..self.random.range(1, 2) {
                self.feature("WITH");
                let (body, columns, _) = self.select(1);
                let name = format!("q{}", self.ctes.len());
                select.with.push((name.clone(), body));
                self.ctes.push((name, columns));
            }
        }
        let compound = self.random.chance(if depth == 2 { 8 } else { 4 });
        let mut built = self.core(depth, compound);
        select.cores.push(("", built.core.clone()));
        if compound {
            if depth < 2 {
                // Which affinity a column has that comes from several SELECTs is left open.
                without_affinity(&mut built.core);
                select.cores[0].1 = built.core.clone();
            }
            for _ in 0..if self.random.chance(80) { 1 } else { 2 } {
                self.append(&mut select, &mut built, depth);
            }
        }
        let total = self.order(&mut select, &built, depth);
        let columns = built.outputs.into_iter().map(|atom| (atom.sql, atom.kinds)).collect();
        self.ctes.truncate(outer);
        (select, columns, total)
    }

    /// Adds a core after UNION or UNION ALL.
    fn append(&mut self, select: &mut Select, built: &mut Built, depth: usize) {
        let operator = *self.random.pick(&[" UNION ", " UNION ", " UNION ALL "]);
        self.feature(operator.trim());
        let mut core = self.from(depth.saturating_sub(1));
        let scope = core.1;
        // A UNION anywhere after takes away duplicates of all.
        for output in &mut built.outputs {
            let mut typed = self.expression(&scope, 1);
            typed = self.pure(typed);
            for _ in 0..5 {
                if !(typed.1 | output.kinds).mixed() {
                    break;
                }
                let other = self.expression(&scope, 0);
                typed = self.pure(other);
            }
            if (typed.1 | output.kinds).mixed() {
                typed = (format!("typeof({})", typed.0), Kinds::TEXT);
            }
            output.kinds = output.kinds | typed.1;
            core.0.items.push(Item { expression: typed.0, alias: None });
        }
        if depth < 2 {
            without_affinity(&mut core.0);
        }
        select.cores.push((operator, core.0));
        built.scope = Scope::default();
        built.key.clear();
    }

    /// One SELECT … FROM … of a query.
    fn core(&mut self, depth: usize, compound: bool) -> Built {
        let (mut core, mut scope, mut key) = self.from(depth);
        let width = self.random.range(1, 4);
        let mut outputs = Vec::new();
        let mut pure = compound;
        let grouped = self.random.chance(30);
        let rows = scope.clone();
        if grouped {
            (scope, key) = self.group(&mut core, &mut outputs, scope, key);
        } else if self.random.chance(10) {
            self.feature("DISTINCT");
            core.distinct = true;
            pure = true;
        } else if !compound && depth == 2 && self.random.chance(12) {
            self.feature("*");
            let one = core.from.len() > 1 && self.random.chance(40);
            let star = if one { format!("{}.*", core.from[0].alias) } else { "*".to_owned() };
            core.items.push(Item { expression: star, alias: None });
            // By what `*` stands for it is not ordered.
            return Built { core, outputs, scope, key };
        }
        if grouped && core.group.is_empty() {
            // An aggregate in an ORDER BY alone groups the rows, but not where SQLite leaves the
            // order of a subquery out.
            let (expression, kinds) = self.aggregate(&rows);
            let typed = self.pure((expression, kinds));
            let alias = self.output_alias(&typed, 0, true);
            let sql = alias.clone().unwrap_or_default();
            outputs.push(Atom { sql, kinds: typed.1, column: false });
            core.items.push(Item { expression: typed.0, alias });
        }
        while core.items.len() < width {
            let level = self.random.below(3);
            let mut typed = match self.random.chance(35) {
                true => self.atom(&scope),
                false => self.expression(&scope, level),
            };
            if pure {
                typed = self.pure(typed);
            }
            if level > 0 && typed.0.contains("SELECT") {
                self.feature("subquery in the select list");
            }
            let alias = self.output_alias(&typed, depth, compound || pure);
            let sql = alias.clone().unwrap_or_else(|| typed.0.clone());
            outputs.push(Atom { sql, kinds: typed.1, column: false });
            core.items.push(Item { expression: typed.0, alias });
        }
        if core.distinct {
            scope = Scope::default();
            key.clear();
        }
        Built { core, outputs, scope, key }
    }

    /// The alias of an output column, if it has one.
    fn output_alias(&mut self, typed: &Typed, depth: usize, needed: bool) -> Option<String> {
        self.aliases += 1;
        if depth == 2 && !needed && !typed.0.contains(parameter_mark()) && self.random.chance(15) {
            self.feature("column without alias");
            return None;
        }
        Some(format!("c{}", self.aliases))
    }

    /// Groups a core. Returns what its items can be made of, and what tells groups apart.
    fn group(
        &mut self,
        core: &mut Core,
        outputs: &mut Vec<Atom>,
        rows: Scope,
        keys: Vec<String>,
    ) -> (Scope, Vec<String>) {
        let mut atoms = Vec::new();
        let mut key = Vec::new();
        match self.random.below(10) {
            0 | 1 => self.feature("aggregate without GROUP BY"),
            2 if keys.len() == core.from.len() && !self.folded(&rows, &keys[0]) => {
                self.feature("GROUP BY key");
                key.push(keys[0].clone());
                core.group.push(keys[0].clone());
                let of = format!("{}.", core.from[0].alias);
                let rows = rows.atoms.iter().filter(|atom| atom.sql.starts_with(&of));
                atoms.extend(rows.cloned());
            }
            _ => {
                self.feature("GROUP BY");
                for _ in 0..if self.random.chance(75) { 1 } else { 2 } {
                    self.group_by_one(core, outputs, &rows, &mut atoms, &mut key);
                }
            }
        }
        for _ in 0..self.random.range(1, 3) {
            let (sql, kinds) = self.aggregate(&rows);
            atoms.push(Atom { sql, kinds, column: false });
        }
        let scope = Scope { atoms, subqueries: rows.subqueries.min(1) };
        if self.random.chance(30) {
            self.feature("HAVING");
            let condition = self.predicate(&scope, 1);
            core.having.push(condition);
        }
        (scope, key)
    }

    fn folded(&self, rows: &Scope, column: &str) -> bool {
        rows.atoms.iter().any(|atom| atom.sql == column && atom.kinds.folded())
    }

    fn group_by_one(
        &mut self,
        core: &mut Core,
        outputs: &mut Vec<Atom>,
        rows: &Scope,
        atoms: &mut Vec<Atom>,
        key: &mut Vec<String>,
    ) {
        let column = self.random.chance(70);
        let (mut sql, mut kinds) = match column {
            true => self.atom(rows),
            false => self.expression(rows, 1),
        };
        // A bare number would be the place of an output column.
        if kinds.mixed() || !column {
            (sql, kinds) = self.pure((sql, kinds));
            sql = format!("({sql})");
        }
        if !kinds.folded() && self.random.chance(20) {
            self.feature("GROUP BY alias");
            self.aliases += 1;
            let alias = format!("c{}", self.aliases);
            core.items.push(Item { expression: sql, alias: Some(alias.clone()) });
            outputs.push(Atom { sql: alias.clone(), kinds, column: false });
            key.push(alias.clone());
            core.group.push(match self.random.chance(50) {
                true => alias,
                false => core.items.len().to_string(),
            });
            return;
        }
        core.group.push(sql.clone());
        key.push(sql.clone());
        if kinds.folded() {
            let sql = format!("lower({sql})");
            atoms.push(Atom { sql, kinds: Kinds::TEXT, column: false });
        } else {
            let plain = column && !sql.starts_with('(') && sql.contains('.');
            atoms.push(Atom { sql, kinds, column: plain });
        }
    }

    /// Orders and limits a query. Returns whether the order is total.
    fn order(&mut self, select: &mut Select, built: &Built, depth: usize) -> bool {
        if !self.random.chance(if depth == 2 { 80 } else { 15 }) {
            return false;
        }
        self.feature("ORDER BY");
        for _ in 0..self.random.range(0, 2) {
            let plain = built.scope.atoms.is_empty() && built.outputs.is_empty();
            let sql = match self.random.below(4) {
                _ if plain => break,
                0 if !built.scope.atoms.is_empty() => {
                    let sql = self.expression(&built.scope, 2).0;
                    if !built.scope.atoms.iter().any(|atom| sql.contains(&atom.sql)) {
                        // SQLite takes some constants for the place of a column: `1 NOTNULL` for 1.
                        continue;
                    }
                    self.feature("ORDER BY expression");
                    format!("({sql})")
                }
                1 if !built.outputs.is_empty() => {
                    self.feature("ORDER BY ordinal");
                    self.random.range(1, built.outputs.len()).to_string()
                }
                _ if !built.outputs.is_empty() && self.random.chance(60) => {
                    self.random.pick(&built.outputs).sql.clone()
                }
                _ if !built.scope.atoms.is_empty() => self.atom(&built.scope).0,
                _ => continue,
            };
            let term = self.term(sql);
            select.order.push(term);
        }
        let mut total = !built.key.is_empty();
        if total {
            for sql in built.key.clone() {
                let direction = if self.random.chance(30) { " DESC" } else { "" };
                select.order.push(format!("{sql}{direction}"));
            }
        } else if !built.outputs.is_empty() && built.outputs.iter().all(|atom| !atom.kinds.mixed())
        {
            // Rows that are equal in all columns may stand in any order.
            total = true;
            for atom in &built.outputs {
                let fold = if atom.kinds.folded() { " COLLATE BINARY" } else { "" };
                let alone = atom.sql.bytes().all(|byte| byte.is_ascii_alphanumeric());
                match alone {
                    true => select.order.push(format!("{}{fold}", atom.sql)),
                    false => total = false,
                }
            }
        }
        if total && self.random.chance(45) {
            self.limit(select);
        }
        total
    }

    fn term(&mut self, sql: String) -> String {
        let collate = match self.random.below(12) {
            _ if sql.contains("COLLATE") => "",
            0 => " COLLATE NOCASE",
            1 => " COLLATE BINARY",
            _ => "",
        };
        let direction = *self.random.pick(&["", "", " ASC", " DESC", " DESC"]);
        let nulls = match self.random.below(10) {
            0 => " NULLS FIRST",
            1 => " NULLS LAST",
            _ => "",
        };
        if !nulls.is_empty() {
            self.feature("NULLS");
        }
        format!("{sql}{collate}{direction}{nulls}")
    }

    fn limit(&mut self, select: &mut Select) {
        self.feature("LIMIT");
        let limit = self.random.below(6) as i64;
        let limit = if self.random.chance(4) { -1 } else { limit };
        let number = |maker: &mut Self, value: i64| match maker.random.chance(maker.parameters) {
            true => {
                maker.feature("parameter");
                maker.params.push(value.into());
                parameter(maker.params.len() - 1)
            }
            false => value.to_string(),
        };
        select.limit = Some(number(self, limit));
        if self.random.chance(35) {
            self.feature("OFFSET");
            let offset = self.random.below(4) as i64;
            select.offset = Some(number(self, offset));
        }
    }
}

/// Takes the affinities of columns away.
fn without_affinity(core: &mut Core) {
    for item in &mut core.items {
        item.expression = format!("+({})", item.expression);
    }
}

fn parameter_mark() -> char {
    parameter(0).chars().next().unwrap_or_default()
}
