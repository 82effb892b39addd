//! What the hub refuses: limits, each with a name, and how often each was hit.

use std::time::Duration;

use penstock::Budget;
use serde_json::Value as Json;

use super::Hub;
use crate::measure::Limit;

/// Limits; each names what is refused when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Client groups that are live. One more is told to come again.
    pub groups: usize,
    /// Clients that a group remembers, connected or not. One more is refused.
    pub clients: usize,
    /// Queries of one client group. One more is refused.
    pub queries: usize,
    /// Rows of one client group. The query that brings more is refused.
    pub rows: usize,
    /// Bytes of a query's text, or of its arguments. A longer one is refused.
    pub query_bytes: usize,
    /// Bytes of all queries of one client group, as text. The one that brings more is refused.
    pub group_query_bytes: usize,
    /// How deeply related lists and EXISTS of a query may be nested, and conditions in one another. One
    /// that is deeper is refused.
    pub query_depth: usize,
    /// Related lists and EXISTS of a query. One with more is refused.
    pub query_subqueries: usize,
    /// Rows that a query may read when it is hydrated, or places at which its rows may stand. One that
    /// needs more is given up and refused.
    pub hydration_reads: usize,
    /// For how long a query may be hydrated, in milliseconds. One that takes longer is given up and
    /// refused.
    pub hydration_ms: u64,
    /// Bytes of a name: of a group, a client, a user, a query. A longer one is no message.
    pub name_bytes: usize,
    /// Bytes of what a client says of itself when it begins: its tables, or its headers for an
    /// endpoint. With more it is no message.
    pub initial_bytes: usize,
    /// Questions to the application that one connection may have open. With more it is told to come
    /// again.
    pub questions: usize,
    /// Bytes that wait for one socket. Beyond, a client is told less often.
    pub queued_bytes: usize,
    /// For how long a client may be behind, in milliseconds. Then it is told to come again.
    pub behind_ms: u64,
    /// For how long a client may be connected without saying what it wants, in milliseconds. Then it is
    /// told to come again.
    pub initialise_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            groups: 50_000,
            clients: 1000,
            queries: 1000,
            rows: 1_000_000,
            query_bytes: 256 * 1024,
            group_query_bytes: 4 * 1024 * 1024,
            query_depth: 32,
            query_subqueries: 64,
            hydration_reads: 4_000_000,
            hydration_ms: 15_000,
            name_bytes: 1024,
            initial_bytes: 1024 * 1024,
            questions: 32,
            queued_bytes: 4 * 1024 * 1024,
            behind_ms: 30_000,
            initialise_ms: 60_000,
        }
    }
}

impl Limits {
    /// All of them by name.
    #[must_use]
    pub fn named(&self) -> Vec<(Limit, u64)> {
        let number = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
        vec![
            (Limit::Groups, number(self.groups)),
            (Limit::Clients, number(self.clients)),
            (Limit::Queries, number(self.queries)),
            (Limit::Rows, number(self.rows)),
            (Limit::QueryBytes, number(self.query_bytes)),
            (Limit::GroupQueryBytes, number(self.group_query_bytes)),
            (Limit::QueryDepth, number(self.query_depth)),
            (Limit::QuerySubqueries, number(self.query_subqueries)),
            (Limit::HydrationReads, number(self.hydration_reads)),
            (Limit::HydrationTime, self.hydration_ms),
            (Limit::NameBytes, number(self.name_bytes)),
            (Limit::InitialBytes, number(self.initial_bytes)),
            (Limit::Questions, number(self.questions)),
            (Limit::QueuedBytes, number(self.queued_bytes)),
            (Limit::BehindTime, self.behind_ms),
            (Limit::InitialiseTime, self.initialise_ms),
        ]
    }

    /// What one hydration may cost.
    pub(super) fn budget(&self) -> Budget {
        Budget {
            reads: self.hydration_reads,
            time: Duration::from_millis(self.hydration_ms),
            rows: self.rows,
            places: self.hydration_reads,
        }
    }

    /// The first limit of its form that a query passes: its name, and what to say.
    pub(super) fn passed_by(&self, ast: &Json) -> Option<(Limit, String)> {
        let mut size = Size::default();
        size.query(ast, 1);
        let Limits { query_depth, query_subqueries, .. } = *self;
        if size.depth > query_depth {
            let text = format!(
                "a query may be nested {query_depth} deep, conditions and subqueries together; this is deeper"
            );
            return Some((Limit::QueryDepth, text));
        }
        (size.subqueries > query_subqueries).then(|| {
            let text = format!(
                "a query may have {query_subqueries} related lists and EXISTS, this has {}",
                size.subqueries
            );
            (Limit::QuerySubqueries, text)
        })
    }
}

/// How large a query is. What is not of the form of a query counts nothing.
#[derive(Default)]
struct Size {
    depth: usize,
    subqueries: usize,
}

impl Size {
    fn query(&mut self, query: &Json, depth: usize) {
        self.depth = self.depth.max(depth);
        for related in query.get("related").and_then(Json::as_array).into_iter().flatten() {
            self.subqueries += 1;
            if let Some(subquery) = related.get("subquery") {
                self.query(subquery, depth + 1);
            }
        }
        if let Some(condition) = query.get("where") {
            self.condition(condition, depth);
        }
    }

    fn condition(&mut self, condition: &Json, depth: usize) {
        self.depth = self.depth.max(depth);
        for part in condition.get("conditions").and_then(Json::as_array).into_iter().flatten() {
            self.condition(part, depth + 1);
        }
        if let Some(subquery) = condition.pointer("/related/subquery") {
            self.subqueries += 1;
            self.query(subquery, depth + 1);
        }
    }
}

/// The tables that a query reads, each as often as it does.
pub(super) fn tables_of<'q>(query: &'q Json, tables: &mut Vec<&'q str>) {
    tables.extend(query.get("table").and_then(Json::as_str));
    for related in query.get("related").and_then(Json::as_array).into_iter().flatten() {
        if let Some(subquery) = related.get("subquery") {
            tables_of(subquery, tables);
        }
    }
    if let Some(condition) = query.get("where") {
        tables_within(condition, tables);
    }
}

fn tables_within<'q>(condition: &'q Json, tables: &mut Vec<&'q str>) {
    for part in condition.get("conditions").and_then(Json::as_array).into_iter().flatten() {
        tables_within(part, tables);
    }
    if let Some(subquery) = condition.pointer("/related/subquery") {
        tables_of(subquery, tables);
    }
}

impl Hub {
    /// Notes that a limit was hit.
    pub(super) fn hit(&self, limit: Limit) {
        self.measures.hits.note(limit);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Json {
        (1..depth).fold(json!({"table": "t"}), |within, at| {
            let related = json!({"correlation": {"parentField": ["a"], "childField": ["b"]},
                "subquery": within});
            match at % 2 {
                0 => json!({"table": "t", "related": [related]}),
                _ => json!({"table": "t", "where":
                    {"type": "correlatedSubquery", "op": "EXISTS", "related": related}}),
            }
        })
    }

    #[test]
    fn depth_and_subqueries_are_counted_wherever_they_are() {
        let limits = Limits { query_depth: 10, query_subqueries: 9, ..Limits::default() };
        let passed = |ast: &Json| limits.passed_by(ast).map(|(name, _)| name);
        assert_eq!(passed(&nested(10)), None);
        assert_eq!(passed(&nested(11)), Some(Limit::QueryDepth));
        let deep = (1..12).fold(
            json!({"type": "or", "conditions": []}),
            |within, _| json!({"type": "and", "conditions": [within]}),
        );
        assert_eq!(passed(&json!({"table": "t", "where": deep})), Some(Limit::QueryDepth));
        let wide = |count| {
            let related = vec![json!({"subquery": {"table": "t"}}); count];
            json!({"table": "t", "related": related})
        };
        assert_eq!((passed(&wide(9)), passed(&wide(10))), (None, Some(Limit::QuerySubqueries)));
        assert_eq!(passed(&json!([{"related": 7}, "where"])), None);
    }

    #[test]
    fn tables_are_found_wherever_they_are() {
        let within = |table: &str| json!({"subquery": {"table": table}});
        let ast = json!({"table": "a", "related": [within("b")], "where": {"type": "or", "conditions": [
            {"type": "correlatedSubquery", "op": "EXISTS", "related": within("c")},
            {"type": "and", "conditions": [{"type": "correlatedSubquery", "op": "EXISTS",
                "related": {"subquery": {"table": "d", "related": [within("e")]}}}]}]}});
        let mut tables = Vec::new();
        tables_of(&ast, &mut tables);
        assert_eq!(tables, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn every_limit_has_a_name() {
        let named = Limits::default().named();
        let fields = format!("{:?}", Limits::default()).matches(": ").count();
        assert_eq!(named.len(), fields);
    }
}
