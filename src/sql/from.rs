//! FROM: the tables of a SELECT, by name and as a tree of joins.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_operators::relation::plan::Relation;
use penstock_operators::schema::TableId;
use sqlparser::ast::{self, JoinConstraint, JoinOperator, TableFactor};

use super::Context;
use super::bound::Traits;
use super::error::{Outcome, Place};
use super::query::{Found, RECURSIVE};
use super::scope::{Item, Scope, ScopeColumn, same};
use super::work::Work;
use crate::query::suggestion;

/// How many tables one FROM can have, which is also SQLite's limit.
const TABLES_MAX: usize = 64;

/// A FROM that has been read.
#[derive(Debug)]
pub(super) struct From<'a> {
    pub(super) scope: Scope,
    /// The rows of each item.
    pub(super) leaves: Vec<Work>,
    pub(super) tree: Tree<'a>,
}

/// How the items of a FROM are joined.
#[derive(Debug)]
pub(super) enum Tree<'a> {
    /// One item, by its position.
    Leaf(usize),
    /// All pairs that satisfy the conditions.
    Group(Vec<Tree<'a>>, Vec<On<'a>>),
    /// All rows of the first with those of the second that satisfy the conditions, or with nulls.
    Left(Box<Tree<'a>>, Box<Tree<'a>>, Vec<On<'a>>),
}

/// A condition of a join.
#[derive(Clone, Debug)]
pub(super) enum On<'a> {
    Condition(&'a ast::Expr),
    /// Two columns, of USING.
    Columns(usize, usize),
}

/// Reads a FROM.
pub(super) fn read<'a>(
    context: Context<'_>,
    from: &'a [ast::TableWithJoins],
    at: Place,
) -> Outcome<From<'a>> {
    let mut reader = Reader {
        context,
        at,
        from: From { scope: Scope::default(), leaves: vec![], tree: Tree::Group(vec![], vec![]) },
    };
    let mut tree = None;
    for tables in from {
        tree = Some(reader.joined(tables, tree, 0)?);
    }
    reader.from.tree = group(tree.into_iter().collect(), Vec::new());
    Ok(reader.from)
}

struct Reader<'a, 'c> {
    context: Context<'c>,
    at: Place,
    from: From<'a>,
}

impl<'a> Reader<'a, '_> {
    /// Tables joined from left to right, after those before a comma, which is a join of all pairs.
    /// `first` is the first item of all these.
    fn joined(
        &mut self,
        tables: &'a ast::TableWithJoins,
        before: Option<Tree<'a>>,
        first: usize,
    ) -> Outcome<Tree<'a>> {
        let mut tree = self.factor(&tables.relation)?;
        if let Some(before) = before {
            tree = group(vec![before, tree], Vec::new());
        }
        for join in &tables.joins {
            let middle = self.from.scope.items.len();
            let right = self.factor(&join.relation)?;
            let place = Place::of(&join.relation).or(self.at);
            let (kind, constraint) = join_kind(join, place)?;
            let on = self.constraint(constraint, first..middle, kind, place)?;
            tree = match kind {
                Kind::Inner => group(vec![tree, right], on),
                Kind::Left => {
                    self.make_nullable(middle..self.from.scope.items.len());
                    Tree::Left(Box::new(tree), Box::new(right), on)
                }
                Kind::Right => {
                    self.make_nullable(first..middle);
                    Tree::Left(Box::new(right), Box::new(tree), on)
                }
            };
        }
        Ok(tree)
    }

    fn make_nullable(&mut self, items: std::ops::Range<usize>) {
        for item in &mut self.from.scope.items[items] {
            item.columns.iter_mut().for_each(|column| column.traits.nullable = true);
        }
    }

    fn factor(&mut self, factor: &'a TableFactor) -> Outcome<Tree<'a>> {
        let place = Place::of(factor).or(self.at);
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let name = table_name(name, place)?;
                let called = alias.as_ref().map_or(name, |alias| &alias.name);
                self.table(name, &called.value, alias.as_ref(), place)
            }
            TableFactor::Table { name, .. } => place.refuse(format!(
                "the table-valued function {name} is not supported; read from tables"
            )),
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                let rows = super::query::derived_rows(self.context.alone(), subquery)?;
                let name = alias.as_ref().map_or("", |alias| &alias.name.value);
                let (columns, work) = rows.as_item(self.from.scope.width());
                self.add(name, columns, Vec::new(), work, alias.as_ref(), place)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let first = self.from.scope.items.len();
                self.joined(table_with_joins, None, first)
            }
            TableFactor::TableFunction { .. } | TableFactor::Function { .. } => {
                place.refuse("table-valued functions are not supported; read from tables")
            }
            _ => place.refuse("only tables, subqueries and joins are supported in FROM"),
        }
    }

    fn table(
        &mut self,
        name: &ast::Ident,
        called: &str,
        alias: Option<&ast::TableAlias>,
        place: Place,
    ) -> Outcome<Tree<'a>> {
        let start = self.from.scope.width();
        match self.context.ctes.find(&name.value) {
            Some(Found::Rows(rows)) => {
                let (columns, work) = rows.as_item(start);
                return self.add(called, columns, Vec::new(), work, alias, place);
            }
            Some(Found::Recursive) => return place.refuse(RECURSIVE),
            None => {}
        }
        let table = base_table(self.context, &name.value, place)?;
        let schema = self.context.planner.schema.table(table);
        let columns: Vec<ScopeColumn> = schema
            .columns()
            .iter()
            .map(|column| ScopeColumn {
                name: column.name.clone(),
                traits: Traits {
                    column_type: column.column_type,
                    nullable: column.nullable,
                    affinity: Some(column.affinity),
                    collation: Some(column.collation),
                    explicit: false,
                },
                merged: false,
            })
            .collect();
        let width = columns.len();
        let work = Work {
            relation: Arc::new(Relation::Scan { table, equal: Vec::new() }),
            width,
            slots: (0..width).map(|at| (start + at, at)).collect::<BTreeMap<_, _>>(),
            key: schema.primary_key().to_vec(),
        };
        self.add(called, columns, schema.primary_key().to_vec(), work, alias, place)
    }

    fn add(
        &mut self,
        name: &str,
        mut columns: Vec<ScopeColumn>,
        key: Vec<usize>,
        work: Work,
        alias: Option<&ast::TableAlias>,
        place: Place,
    ) -> Outcome<Tree<'a>> {
        if let Some(alias) = alias.filter(|alias| !alias.columns.is_empty()) {
            if alias.columns.len() != columns.len() {
                return place.refuse(format!(
                    "\"{name}\" has {} columns but {} names are given for them",
                    columns.len(),
                    alias.columns.len()
                ));
            }
            for (column, given) in columns.iter_mut().zip(&alias.columns) {
                column.name = given.name.value.clone();
            }
        }
        let scope = &mut self.from.scope;
        if !name.is_empty() && scope.items.iter().any(|item| same(&item.name, name)) {
            return place.refuse(format!(
                "there are two tables called \"{name}\" in FROM; give one another name with AS"
            ));
        }
        if scope.items.len() == TABLES_MAX {
            return place.refuse(format!("a FROM can have {TABLES_MAX} tables"));
        }
        let start = scope.width();
        scope.items.push(Item { name: name.to_owned(), columns, start, key });
        self.from.leaves.push(work);
        Ok(Tree::Leaf(self.from.leaves.len() - 1))
    }

    /// The conditions of a join of the items before with the last ones.
    fn constraint(
        &mut self,
        constraint: &'a JoinConstraint,
        before: std::ops::Range<usize>,
        kind: Kind,
        place: Place,
    ) -> Outcome<Vec<On<'a>>> {
        let names: Vec<String> = match constraint {
            JoinConstraint::None => return Ok(Vec::new()),
            JoinConstraint::On(condition) => return Ok(vec![On::Condition(condition)]),
            JoinConstraint::Using(names) => names
                .iter()
                .map(|name| Ok(table_name(name, place)?.value.clone()))
                .collect::<Outcome<_>>()?,
            JoinConstraint::Natural => self.common_columns(before.clone()),
        };
        if kind == Kind::Right {
            return place.refuse("USING and NATURAL with RIGHT JOIN are not supported; use ON");
        }
        let mut on = Vec::with_capacity(names.len());
        let items = &mut self.from.scope.items;
        for name in names {
            let find = |items: &[Item], range: std::ops::Range<usize>| {
                items[range].iter().find_map(|item| {
                    let at = item.columns.iter().position(|column| same(&column.name, &name))?;
                    Some(item.start + at)
                })
            };
            let (left, right) = (find(items, before.clone()), find(items, before.end..items.len()));
            let (Some(left), Some(right)) = (left, right) else {
                return place.refuse(format!("column \"{name}\" of USING is not in both tables"));
            };
            let item = items.iter_mut().rev().find(|item| item.start <= right);
            if let Some(item) = item {
                let at = right - item.start;
                item.columns[at].merged = true;
            }
            on.push(On::Columns(left, right));
        }
        Ok(on)
    }

    fn common_columns(&self, before: std::ops::Range<usize>) -> Vec<String> {
        let items = &self.from.scope.items;
        let left: Vec<&str> = items[before.clone()]
            .iter()
            .flat_map(|item| item.columns.iter().map(|column| column.name.as_str()))
            .collect();
        let right = items[before.end..].iter().flat_map(|item| &item.columns);
        right
            .filter(|column| left.iter().any(|name| same(name, &column.name)))
            .map(|column| column.name.clone())
            .collect()
    }
}

/// How a join treats rows without a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Right,
}

fn join_kind(join: &ast::Join, place: Place) -> Outcome<(Kind, &JoinConstraint)> {
    match &join.join_operator {
        JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) => {
            Ok((Kind::Inner, on))
        }
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => Ok((Kind::Left, on)),
        JoinOperator::Right(on) | JoinOperator::RightOuter(on) => Ok((Kind::Right, on)),
        JoinOperator::FullOuter(_) => place.refuse(
            "FULL JOIN is not supported; use UNION ALL of a LEFT JOIN and of the rows of the \
             other table that NOT EXISTS finds no match for",
        ),
        _ => place.refuse("this join is not of SQLite; use JOIN, LEFT JOIN or CROSS JOIN"),
    }
}

/// A join of all pairs; groups within it are joined with it.
fn group<'a>(members: Vec<Tree<'a>>, mut on: Vec<On<'a>>) -> Tree<'a> {
    let mut flat = Vec::with_capacity(members.len());
    for member in members {
        match member {
            Tree::Group(inner, conditions) => {
                flat.extend(inner);
                on.splice(0..0, conditions);
            }
            other => flat.push(other),
        }
    }
    Tree::Group(flat, on)
}

/// The name of a table, perhaps with that of the main schema.
fn table_name(name: &ast::ObjectName, place: Place) -> Outcome<&ast::Ident> {
    match name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(name)] => Ok(name),
        [ast::ObjectNamePart::Identifier(schema), ast::ObjectNamePart::Identifier(name)]
            if same(&schema.value, "main") =>
        {
            Ok(name)
        }
        _ => place.refuse(format!("{name}: only tables of the main database can be queried")),
    }
}

/// The base table of a name.
pub(super) fn base_table(context: Context<'_>, name: &str, place: Place) -> Outcome<TableId> {
    let schema = context.planner.schema;
    if let Some(id) = schema.table_id(name) {
        return Ok(id);
    }
    let tables = schema.tables();
    if let Some(table) = tables.iter().find(|table| same(table.name(), name))
        && let Some(id) = schema.table_id(table.name())
    {
        return Ok(id);
    }
    if let Some(reason) = schema.refused(name) {
        return place.refuse(format!("table \"{name}\" cannot be queried: {reason}"));
    }
    let known: Vec<&str> = schema.names().collect();
    let hint = suggestion(name, known.iter().copied(), "the schema");
    place.refuse(format!("there is no table \"{name}\"; {hint}"))
}
