//! Lists within rows: `ARRAY(SELECT …)`. SQLite has no such thing, so it is asked for the lists of
//! each row one by one.

use penstock::{Tree, Value};

use super::compare::{difference, shown};
use super::expression::{Maker, Scope};
use super::oracle::{Oracle, Rows};
use super::random::Random;
use super::schema::{Schema, Table};
use super::select::{Params, Statement};

/// A SELECT over one table, whose rows have lists.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// What the list is called; nothing for the outermost.
    pub(crate) name: String,
    table: Table,
    alias: String,
    /// Columns of this table and of the one above that are equal.
    correlated: Vec<(String, String)>,
    pub(crate) conditions: Vec<String>,
    items: Vec<String>,
    order: Vec<String>,
    pub(crate) limit: Option<String>,
    pub(crate) lists: Vec<Level>,
}

/// A random query with lists.
pub(crate) fn nested(random: &mut Random, schema: &Schema) -> Level {
    let mut maker = Maker {
        random,
        schema,
        features: std::collections::BTreeSet::new(),
        params: Vec::new(),
        parameters: 0,
        aliases: 0,
        ctes: Vec::new(),
    };
    let mut level = level(&mut maker, None, 2);
    level.limit = level.limit.filter(|_| maker.random.chance(50));
    level
}

fn level(maker: &mut Maker<'_>, above: Option<&Table>, depth: usize) -> Level {
    let schema = maker.schema;
    let table = maker.random.pick(&schema.tables);
    let alias = maker.alias();
    let scope = Scope { atoms: maker.columns(table, &alias), subqueries: 1 };
    let mut correlated = Vec::new();
    if let Some(above) = above {
        for _ in 0..if maker.random.chance(85) { 1 } else { 2 } {
            let child = maker.random.pick(&table.columns).name.clone();
            correlated.push((child, maker.random.pick(&above.columns).name.clone()));
        }
    }
    let conditions =
        (0..maker.random.weighted(&[60, 30, 10])).map(|_| maker.predicate(&scope, 1)).collect();
    let mut items: Vec<String> =
        table.key_names().enumerate().map(|(at, key)| format!("{alias}.{key} AS k{at}")).collect();
    for at in 0..maker.random.range(0, 2) {
        let depth = maker.random.below(2);
        items.push(format!("{} AS c{at}", maker.expression(&scope, depth).0));
    }
    let mut order: Vec<String> = Vec::new();
    if maker.random.chance(60) {
        let depth = maker.random.below(2);
        order.push(format!("({})", maker.expression(&scope, depth).0));
        // A bare number would be the place of an output column.
        if !order[0].contains(&alias) {
            order.clear();
        }
    }
    order.extend(table.key_names().map(|key| format!("{alias}.{key}")));
    let limit = maker.random.chance(40).then(|| maker.random.range(0, 3).to_string());
    let count = if depth == 0 { 0 } else { maker.random.weighted(&[30, 55, 15]) };
    let count = if above.is_none() { count.max(1) } else { count };
    let lists = (0..count)
        .map(|at| {
            let mut list = self::level(maker, Some(table), depth - 1);
            list.name = format!("l{at}");
            list
        })
        .collect();
    let (name, table) = (String::new(), table.clone());
    Level { name, table, alias, correlated, conditions, items, order, limit, lists }
}

impl Level {
    /// The text, given what its correlated columns are equal to.
    fn text(&self, with_lists: bool, above: &dyn Fn(&str) -> String) -> String {
        let mut items = self.items.clone();
        if with_lists {
            for list in &self.lists {
                let text = list.text(true, &|column| format!("{}.{column}", self.alias));
                items.push(format!("ARRAY({text}) AS {}", list.name));
            }
        }
        let equal = self
            .correlated
            .iter()
            .map(|(column, of)| format!("{}.{column} = {}", self.alias, above(of)));
        let conditions: Vec<String> =
            equal.chain(self.conditions.iter().map(|condition| format!("({condition})"))).collect();
        let (items, order) = (items.join(", "), self.order.join(", "));
        let mut text = format!("SELECT {items} FROM {} AS {}", self.table.name, self.alias);
        if !conditions.is_empty() {
            text += &format!(" WHERE {}", conditions.join(" AND "));
        }
        text += &format!(" ORDER BY {order}");
        if let Some(limit) = &self.limit {
            text += &format!(" LIMIT {limit}");
        }
        text
    }

    /// The text of the live query.
    pub(crate) fn sql(&self) -> String {
        self.text(true, &|column| column.to_owned())
    }

    /// What SQLite says: at the top, or for the row of a key of the level above. `None` where it
    /// fails.
    fn rows(&self, oracle: &Oracle, above: Option<(&Table, &[Value])>) -> Option<Rows> {
        let mut params = Vec::new();
        let of = |column: &str| {
            let Some((table, _)) = above else { return column.to_owned() };
            // As the column itself, a subquery has the column's affinity.
            let keys: Vec<String> = table
                .key_names()
                .enumerate()
                .map(|(at, key)| format!("above.{key} COLLATE BINARY IS ?{}", at + 1))
                .collect();
            let keys = keys.join(" AND ");
            format!("(SELECT above.{column} FROM {} AS above WHERE {keys})", table.name)
        };
        let sql = self.text(false, &of);
        if let Some((_, key)) = above {
            params.extend_from_slice(key);
        }
        oracle.rows(&Statement { sql, params: Params::Positional(params) }).ok()
    }

    /// What differs between a tree and what SQLite says, if anything does.
    pub(crate) fn difference(
        &self,
        tree: &Tree,
        oracle: &Oracle,
        above: Option<(&Table, &[Value])>,
    ) -> Option<String> {
        let right = self.rows(oracle, above)?;
        if let Some(difference) = difference(&shown(tree), &right, true) {
            return Some(format!("of {}: {difference}", self.alias));
        }
        for (entry, row) in tree.iter().zip(&right.1) {
            let key = &row[..self.table.key.len()];
            for list in &self.lists {
                let Some(related) = entry.related(&list.name) else {
                    return Some(format!("there is no list {}", list.name));
                };
                if let Some(difference) =
                    list.difference(&related, oracle, Some((&self.table, key)))
                {
                    return Some(format!("in the row {key:?} {difference}"));
                }
            }
        }
        None
    }

    /// Levels that are a little less.
    pub(crate) fn smaller(&self) -> Vec<Level> {
        let mut levels = Vec::new();
        let mut push = |change: &dyn Fn(&mut Level)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            levels.push(smaller);
        };
        for at in 0..self.lists.len() {
            push(&|level| drop(level.lists.remove(at)));
        }
        for at in 0..self.conditions.len() {
            push(&|level| drop(level.conditions.remove(at)));
        }
        for at in self.table.key.len()..self.items.len() {
            push(&|level| drop(level.items.remove(at)));
        }
        if self.order.len() > self.table.key.len() {
            push(&|level| drop(level.order.remove(0)));
        }
        if self.limit.is_some() {
            push(&|level| level.limit = None);
        }
        for (at, list) in self.lists.iter().enumerate() {
            for list in list.smaller() {
                push(&|level| level.lists[at] = list.clone());
            }
        }
        levels
    }
}
