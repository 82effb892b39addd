//! Where nodes of the syntax tree begin. The parser's own spans walk the whole node for it.

use sqlparser::ast::{
    Expr, FunctionArguments, ObjectName, ObjectNamePart, OrderBy, OrderByExpr, OrderByKind, Query,
    SelectItem, SetExpr, TableAlias, TableFactor,
};

use super::error::Place;

/// A node that knows where it begins; nowhere, where the parser does not say.
pub(super) trait Located {
    /// The place of its first token.
    fn place(&self) -> Place;
}

impl Located for Expr {
    fn place(&self) -> Place {
        let mut expr = self;
        loop {
            expr = match expr {
                Expr::Identifier(name) => return Place::start(name.span),
                Expr::CompoundIdentifier(parts) => {
                    return parts.first().map_or(Place::default(), |name| Place::start(name.span));
                }
                Expr::Value(value) => return Place::start(value.span),
                Expr::Function(call) => {
                    return match &call.args {
                        // Without a name of its own place it begins with what it holds.
                        FunctionArguments::Subquery(query) => call.name.place().or(query.place()),
                        _ => call.name.place(),
                    };
                }
                Expr::Case { case_token, .. } => return Place::start(case_token.0.span),
                Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => {
                    return subquery.place();
                }
                Expr::Tuple(exprs) => match exprs.first() {
                    Some(first) => first,
                    None => return Place::default(),
                },
                Expr::BinaryOp { left, .. }
                | Expr::AnyOp { left, .. }
                | Expr::AllOp { left, .. }
                | Expr::IsDistinctFrom(left, _)
                | Expr::IsNotDistinctFrom(left, _) => left,
                Expr::Nested(inner)
                | Expr::IsFalse(inner)
                | Expr::IsNotFalse(inner)
                | Expr::IsTrue(inner)
                | Expr::IsNotTrue(inner)
                | Expr::IsNull(inner)
                | Expr::IsNotNull(inner)
                | Expr::IsUnknown(inner)
                | Expr::IsNotUnknown(inner) => inner,
                Expr::UnaryOp { expr, .. }
                | Expr::InList { expr, .. }
                | Expr::InSubquery { expr, .. }
                | Expr::Between { expr, .. }
                | Expr::Like { expr, .. }
                | Expr::ILike { expr, .. }
                | Expr::SimilarTo { expr, .. }
                | Expr::RLike { expr, .. }
                | Expr::Cast { expr, .. }
                | Expr::Convert { expr, .. }
                | Expr::Collate { expr, .. }
                | Expr::Extract { expr, .. }
                | Expr::Ceil { expr, .. }
                | Expr::Floor { expr, .. }
                | Expr::Position { expr, .. }
                | Expr::Substring { expr, .. }
                | Expr::Trim { expr, .. }
                | Expr::Overlay { expr, .. } => expr,
                Expr::TypedString(typed) => return Place::start(typed.value.span),
                _ => return Place::default(),
            };
        }
    }
}

impl Located for Query {
    fn place(&self) -> Place {
        match &self.with {
            Some(with) => Place::start(with.with_token.0.span),
            None => self.body.place(),
        }
    }
}

impl Located for SetExpr {
    fn place(&self) -> Place {
        let mut body = self;
        loop {
            body = match body {
                SetExpr::Select(select) => return Place::start(select.select_token.0.span),
                SetExpr::Query(query) => return query.place(),
                SetExpr::SetOperation { left, .. } => left,
                SetExpr::Values(values) => {
                    let mut rows = values.rows.iter().flat_map(|row| row.content.first());
                    return rows.next().map_or(Place::default(), Expr::place);
                }
                _ => return Place::default(),
            };
        }
    }
}

impl Located for TableFactor {
    fn place(&self) -> Place {
        match self {
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => name.place(),
            TableFactor::Derived { subquery, .. } => subquery.place(),
            TableFactor::NestedJoin { table_with_joins, .. } => table_with_joins.relation.place(),
            _ => Place::default(),
        }
    }
}

impl Located for ObjectName {
    fn place(&self) -> Place {
        match self.0.first() {
            Some(ObjectNamePart::Identifier(name)) => Place::start(name.span),
            _ => Place::default(),
        }
    }
}

impl Located for OrderByExpr {
    fn place(&self) -> Place {
        self.expr.place()
    }
}

impl Located for OrderBy {
    fn place(&self) -> Place {
        match &self.kind {
            OrderByKind::Expressions(terms) => {
                terms.first().map_or(Place::default(), OrderByExpr::place)
            }
            OrderByKind::All(_) => Place::default(),
        }
    }
}

impl Located for TableAlias {
    fn place(&self) -> Place {
        Place::start(self.name.span)
    }
}

impl Located for SelectItem {
    fn place(&self) -> Place {
        match self {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr.place(),
            _ => Place::default(),
        }
    }
}
