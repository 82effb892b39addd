//! The SELECT list: stars expanded, columns named as SQLite names them, nested lists planned.

use penstock_operators::expr::Expr;
use sqlparser::ast;
use sqlparser::ast::{SelectItem, SelectItemQualifiedWildcardKind};

use super::Context;
use super::bind::Binder;
use super::bound::Bound;
use super::error::{Outcome, Place};
use super::level::{self, Level};
use super::scope::{Env, Item, same};
use super::select::Form;
use super::slot::Slot;
use crate::query::suggestion;

/// A SELECT list that has been read.
pub(super) struct List<'a> {
    pub(super) items: Vec<ListItem<'a>>,
    /// The expressions that have an alias.
    pub(super) aliases: Vec<(String, &'a ast::Expr)>,
}

/// An item of a SELECT list.
pub(super) struct ListItem<'a> {
    /// The alias, or the text of the expression.
    name: String,
    aliased: bool,
    what: What<'a>,
    place: Place,
}

enum What<'a> {
    Expr(&'a ast::Expr),
    Column(Bound),
    /// `ARRAY(SELECT …)`, or `ONE(SELECT …)`.
    Nested {
        query: &'a ast::Query,
        one: bool,
    },
}

/// A SELECT list that has been bound.
pub(super) struct BoundList {
    pub(super) outputs: Vec<(String, Bound)>,
    pub(super) nested: Vec<BoundNested>,
    /// For each item of the list as written, stars expanded: its output, if it is one.
    pub(super) items: Vec<Option<usize>>,
}

/// A nested list.
pub(super) struct BoundNested {
    pub(super) name: String,
    pub(super) level: Level,
}

/// Reads a SELECT list.
pub(super) fn read<'a>(
    context: Context<'_>,
    env: Env<'_>,
    select: &'a ast::Select,
    at: Place,
) -> Outcome<List<'a>> {
    let written = context.planner.text.items(at);
    let mut list = List { items: Vec::new(), aliases: Vec::new() };
    for (index, item) in select.projection.iter().enumerate() {
        let (place, text) = match written.get(index) {
            Some(written) => (written.place, written.text.clone()),
            None => (Place::of(item).or(at), item.to_string()),
        };
        match item {
            SelectItem::UnnamedExpr(expr) => list.expr(expr, None, text, place),
            SelectItem::ExprWithAlias { expr, alias } => {
                list.aliases.push((alias.value.clone(), expr));
                list.expr(expr, Some(&alias.value), text, place);
            }
            SelectItem::Wildcard(_) => {
                if env.scope.items.is_empty() {
                    return place.refuse("there are no tables for * to mean");
                }
                for item in &env.scope.items {
                    list.star(item, true, place);
                }
            }
            SelectItem::QualifiedWildcard(kind, _) => {
                let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
                    return place.refuse("a star stands alone or after a table: table.*");
                };
                let name = name.0.last().and_then(|part| part.as_ident());
                let name = name.map_or("", |name| name.value.as_str());
                let Some(item) = env.scope.item(name) else {
                    let known = env.scope.items.iter().map(|item| item.name.as_str());
                    return place.refuse(format!(
                        "there is no table \"{name}\" in FROM; {}",
                        suggestion(name, known, "it")
                    ));
                };
                list.star(item, false, place);
            }
            SelectItem::ExprWithAliases { .. } => {
                return place.refuse("an expression has one alias");
            }
        }
    }
    Ok(list)
}

impl<'a> List<'a> {
    fn expr(&mut self, expr: &'a ast::Expr, alias: Option<&str>, text: String, place: Place) {
        let what = match nested(expr) {
            Some((query, one)) => What::Nested { query, one },
            None => What::Expr(expr),
        };
        let name = alias.map_or(text, str::to_owned);
        self.items.push(ListItem { name, aliased: alias.is_some(), what, place });
    }

    fn star(&mut self, item: &Item, all: bool, place: Place) {
        for (at, column) in item.columns.iter().enumerate() {
            if all && column.merged {
                continue;
            }
            let bound = Bound::slot(Slot::From(item.start + at), column.traits);
            let (name, what) = (column.name.clone(), What::Column(bound));
            self.items.push(ListItem { name, aliased: true, what, place });
        }
    }
}

/// The subquery of a nested list, and whether it is `ONE`.
pub(super) fn nested(expr: &ast::Expr) -> Option<(&ast::Query, bool)> {
    let ast::Expr::Function(call) = expr else { return None };
    let ast::FunctionArguments::Subquery(query) = &call.args else { return None };
    let [ast::ObjectNamePart::Identifier(name)] = call.name.0.as_slice() else { return None };
    let one = same(&name.value, "one");
    (one || same(&name.value, "array")).then_some((&**query, one))
}

/// Binds a SELECT list.
pub(super) fn bind(
    binder: &mut Binder<'_>,
    items: &[ListItem<'_>],
    form: Form,
) -> Outcome<BoundList> {
    let mut list = BoundList { outputs: Vec::new(), nested: Vec::new(), items: Vec::new() };
    for item in items {
        let outer = std::mem::replace(&mut binder.at, item.place);
        match &item.what {
            What::Column(bound) => {
                if let Expr::Column(slot) = bound.expr {
                    binder.pending.places.entry(slot).or_insert(item.place);
                }
                list.items.push(Some(list.outputs.len()));
                list.outputs.push((item.name.clone(), bound.clone()));
            }
            What::Expr(expr) => {
                let bound = binder.bind(expr)?;
                let name = match column_name(binder, expr, &bound) {
                    Some(name) if !item.aliased => name,
                    _ => item.name.clone(),
                };
                list.items.push(Some(list.outputs.len()));
                list.outputs.push((name, bound));
            }
            What::Nested { .. } if form == Form::Flat => list.items.push(None),
            What::Nested { query, one } => {
                let one = *one;
                let word = if one { "ONE" } else { "ARRAY" };
                if form == Form::Subquery {
                    return item.place.refuse(format!(
                        "{word}(SELECT …) can only be in the SELECT list of the result or of \
                         another nested list"
                    ));
                }
                if !item.aliased {
                    return item
                        .place
                        .refuse(format!("a nested list needs a name: {word}(SELECT …) AS name"));
                }
                let taken = list.nested.iter().any(|other| same(&other.name, &item.name));
                if taken || list.outputs.iter().any(|(name, _)| same(name, &item.name)) {
                    return item.place.refuse(format!(
                        "there are two items called \"{}\" in the SELECT list",
                        item.name
                    ));
                }
                let around = binder.env;
                let context = Context { outer: Some(&around), ..binder.context };
                let level = level::level(context, query, one)?;
                list.items.push(None);
                list.nested.push(BoundNested { name: item.name.clone(), level });
            }
        }
        binder.at = outer;
    }
    if list.outputs.is_empty() {
        return binder.at.refuse("the SELECT list needs a column besides its nested lists");
    }
    Ok(list)
}

/// The declared name of a column that an expression is.
fn column_name(binder: &Binder<'_>, expr: &ast::Expr, bound: &Bound) -> Option<String> {
    match expr {
        ast::Expr::Nested(inner) => column_name(binder, inner, bound),
        ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_) => {
            let Expr::Column(slot) = bound.expr else { return None };
            let mut env = binder.env;
            let slot = match Slot::of(slot) {
                Slot::Outer(slot) => {
                    env = *env.outer?;
                    slot
                }
                _ => slot,
            };
            let (item, at) = env.scope.item_of(slot)?;
            Some(item.columns[at].name.clone())
        }
        _ => None,
    }
}
