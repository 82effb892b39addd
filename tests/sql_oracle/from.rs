//! Random FROM and WHERE clauses.

use super::expression::{Atom, Maker, Scope};
use super::select::{Core, From, FromSource};

impl Maker<'_> {
    /// A core with FROM and WHERE, what can be made of its rows, and the columns that tell its
    /// rows apart: for each part of FROM at least one, or none at all.
    pub(crate) fn from(&mut self, depth: usize) -> (Core, Scope, Vec<String>) {
        let mut core = Core::default();
        let mut scope = Scope { atoms: Vec::new(), subqueries: depth };
        let mut key = Vec::new();
        let mut keyed = true;
        let count = 1 + self.random.weighted(&[48, 35, 12, 5]);
        if count == 4 {
            self.feature("four tables");
        }
        let mut names: Vec<String> = Vec::new();
        for at in 0..count {
            let alone = names.is_empty() && count == 1;
            let (source, alias, atoms, columns) = self.source(depth, alone);
            if let FromSource::Name(name) = &source {
                if names.contains(name) {
                    self.feature("self join");
                }
                names.push(name.clone());
            }
            keyed &= !columns.is_empty();
            key.extend(columns);
            let mut from = From { join: "", source, alias, constraint: Vec::new(), using: None };
            if at > 0 {
                self.join(&mut from, &scope, &atoms, &mut core.conditions);
            }
            scope.atoms.extend(atoms);
            core.from.push(from);
        }
        if !keyed {
            key.clear();
        }
        for _ in 0..self.random.weighted(&[35, 40, 20, 5]) {
            self.feature("WHERE");
            let condition = self.predicate(&scope, 2);
            core.conditions.push(match needs_parentheses(&condition) {
                true => format!("({condition})"),
                false => condition,
            });
        }
        (core, scope, key)
    }

    /// Something to read from: a table, a CTE or a subquery; its columns, and those of a key.
    fn source(
        &mut self,
        depth: usize,
        alone: bool,
    ) -> (FromSource, String, Vec<Atom>, Vec<String>) {
        if !self.ctes.is_empty() && self.random.chance(55) {
            let (name, columns) = self.random.pick(&self.ctes).clone();
            let alias = self.alias();
            self.feature("CTE");
            let atoms = of_columns(&columns, &alias);
            return (FromSource::Name(name), alias, atoms, Vec::new());
        }
        if depth > 0 && self.random.chance(10) {
            self.feature("FROM subquery");
            let (select, columns, _) = self.select(depth.min(2) - 1);
            let alias = self.alias();
            let atoms = of_columns(&columns, &alias);
            return (FromSource::Select(Box::new(select)), alias, atoms, Vec::new());
        }
        let schema = self.schema;
        let table = self.random.pick(&schema.tables);
        let alias = if alone && self.random.chance(50) { table.name.clone() } else { self.alias() };
        let mut atoms = self.columns(table, &alias);
        if alone && alias == table.name && self.random.chance(60) {
            // Alone, a table's columns need no qualifier; but subqueries may hide them.
            self.feature("unqualified column");
            for atom in &mut atoms {
                atom.sql = atom.sql.rsplit('.').next().unwrap_or_default().to_owned();
                atom.column = false;
            }
        }
        let key = table.key_names().map(|column| format!("{alias}.{column}")).collect();
        (FromSource::Name(table.name.clone()), alias, atoms, key)
    }

    fn join(
        &mut self,
        from: &mut From,
        before: &Scope,
        atoms: &[Atom],
        conditions: &mut Vec<String>,
    ) {
        let here = Scope { atoms: atoms.to_vec(), subqueries: 0 };
        let equality = match self.random.chance(75) {
            true => format!("{} = {}", self.atom(before).0, self.atom(&here).0),
            false => format!("{} = {}", self.atom(&here).0, self.atom(before).0),
        };
        let (join, feature) = match self.random.below(100) {
            0..=36 => (" JOIN ", "INNER JOIN"),
            37..=74 => (" LEFT JOIN ", "LEFT JOIN"),
            75..=84 => (", ", "comma join"),
            85..=90 => (" CROSS JOIN ", "CROSS JOIN"),
            91..=97 => (" JOIN ", "USING"),
            98 => (" RIGHT JOIN ", "RIGHT JOIN"),
            _ => (" FULL JOIN ", "FULL JOIN"),
        };
        from.join = join;
        let table = |from: &From| matches!(&from.source, FromSource::Name(name) if name.len() == 1);
        let shared = atoms.iter().find_map(|atom| {
            let name = atom.sql.rsplit('.').next()?;
            let mut same =
                before.atoms.iter().filter(|atom| atom.sql.ends_with(&format!(".{name}")));
            (same.next().is_some() && same.next().is_none()).then(|| name.to_owned())
        });
        if feature == "USING"
            && table(from)
            && let Some(name) = shared
        {
            self.feature(feature);
            from.using = Some(name);
            return;
        }
        self.feature(if feature == "USING" { "INNER JOIN" } else { feature });
        if matches!(feature, "comma join" | "CROSS JOIN") {
            if self.random.chance(75) {
                conditions.push(equality);
            }
            return;
        }
        if self.random.chance(90) {
            from.constraint.push(equality);
        }
        if from.constraint.is_empty() || self.random.chance(25) {
            self.feature("ON condition");
            let all = before.atoms.iter().chain(atoms).cloned().collect();
            let condition = self.predicate(&Scope { atoms: all, subqueries: 0 }, 1);
            from.constraint.push(format!("({condition})"));
        }
    }
}

fn of_columns(columns: &[(String, super::kinds::Kinds)], alias: &str) -> Vec<Atom> {
    let atom = |(name, kinds): &(String, _)| Atom {
        sql: format!("{alias}.{name}"),
        kinds: *kinds,
        column: true,
    };
    columns.iter().map(atom).collect()
}

/// Whether a condition must be put in parentheses to stand beside AND.
fn needs_parentheses(condition: &str) -> bool {
    condition.contains(" OR ") && !condition.starts_with('(')
}
