//! Applies a poke to a store as the published client does, and checks what is in it.

use serde_json::{Map, Value as Json};

use super::store::{Store, TableSchema, plain};
use super::{Rule, before};

/// A poke that has begun.
#[derive(Debug, Clone)]
pub(super) struct Poke {
    pub(super) id: String,
    pub(super) base: Option<String>,
    pub(super) parts: Vec<Json>,
}

/// What a poke did beside changing the store.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// The queries that are got by it.
    pub(super) got: Vec<String>,
    /// What was wrong.
    pub(super) broken: Vec<(Rule, String)>,
}

/// One operation, in the order in which the client takes them out of a part.
enum Op<'a> {
    Desired(&'a str, &'a Json),
    Got(&'a Json),
    Row(&'a Json),
    Mutation(&'a Json),
}

impl Op<'_> {
    fn name(&self) -> &str {
        let (Self::Desired(_, op) | Self::Got(op) | Self::Row(op) | Self::Mutation(op)) = self;
        op.get("op").and_then(Json::as_str).unwrap_or_default()
    }
}

impl Poke {
    /// Applies the poke, which ended with `cookie`. Where a client would refuse it, nothing changes.
    /// `own` is the client whose store it is.
    pub(super) fn apply(&self, store: &mut Store, cookie: &str, own: &str) -> Applied {
        let mut applied = Applied::default();
        if !self.fits(store, cookie, &mut applied) {
            return applied;
        }
        if store.cookie.as_deref() == Some(cookie) {
            if !self.is_empty() {
                let found = format!("a poke with patches goes from {cookie:?} to the same cookie");
                applied.broken.push((Rule::PatchNeedsNewCookie, found));
            }
            return applied;
        }
        store.cookie = Some(cookie.to_owned());
        for part in &self.parts {
            mutation_ids(store, part, own, &mut applied);
        }
        let ops: Vec<Op<'_>> = self.parts.iter().flat_map(ops).collect();
        let first = self.after_clear(store, &ops, &mut applied);
        for op in &ops[first..] {
            apply_op(store, op, &mut applied);
        }
        applied
    }

    /// Whether the client would take the poke at all.
    fn fits(&self, store: &Store, cookie: &str, applied: &mut Applied) -> bool {
        if self.base != store.cookie {
            let found = format!("base cookie {:?}, the client holds {:?}", self.base, store.cookie);
            let rule = match self.base {
                None => Rule::NullBaseOnlyForEmpty,
                Some(_) => Rule::BaseIsClientsCookie,
            };
            applied.broken.push((rule, found));
            return false;
        }
        if cookie.is_empty() {
            let found = "the new cookie is the empty string".to_owned();
            applied.broken.push((Rule::CookieNotEmpty, found));
            return false;
        }
        if let Some(held) = store.cookie.as_deref().filter(|held| before(cookie, held)) {
            let found = format!("cookie {cookie:?} follows {held:?}");
            applied.broken.push((Rule::CookieGrows, found));
            return false;
        }
        true
    }

    fn is_empty(&self) -> bool {
        let filled = |part: &Json, name: &str| match part.get(name) {
            Some(Json::Array(ops)) => !ops.is_empty(),
            Some(Json::Object(fields)) => !fields.is_empty(),
            _ => false,
        };
        let patches = [
            "lastMutationIDChanges",
            "desiredQueriesPatches",
            "gotQueriesPatch",
            "rowsPatch",
            "mutationsPatch",
        ];
        !self.parts.iter().any(|part| patches.iter().any(|name| filled(part, name)))
    }

    /// The first operation that has an effect: the one after the last `clear`.
    fn after_clear(&self, store: &mut Store, ops: &[Op<'_>], applied: &mut Applied) -> usize {
        for op in ops {
            if let (Op::Desired(..) | Op::Got(_), "clear") = (op, op.name()) {
                let found = format!("`clear` among the queries of poke {:?}", self.id);
                applied.broken.push((Rule::NoClearOfQueries, found));
            }
        }
        let Some(clear) = ops.iter().rposition(|op| op.name() == "clear") else { return 0 };
        store.clear();
        let lost = ops[..clear].iter().filter(|op| op.name() != "clear").count();
        if lost > 0 {
            let found = format!("`clear` in poke {:?} drops {lost} operations before it", self.id);
            applied.broken.push((Rule::ClearComesFirst, found));
        }
        clear + 1
    }
}

fn list<'a>(part: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> + use<'a> {
    part.get(name).and_then(Json::as_array).into_iter().flatten()
}

fn ops(part: &Json) -> Vec<Op<'_>> {
    let desired = part.get("desiredQueriesPatches").and_then(Json::as_object);
    let desired = desired.into_iter().flatten().flat_map(|(client, patch)| {
        patch.as_array().into_iter().flatten().map(|op| Op::Desired(client, op))
    });
    desired
        .chain(list(part, "gotQueriesPatch").map(Op::Got))
        .chain(list(part, "rowsPatch").map(Op::Row))
        .chain(list(part, "mutationsPatch").map(Op::Mutation))
        .collect()
}

fn mutation_ids(store: &mut Store, part: &Json, own: &str, applied: &mut Applied) {
    let changes = part.get("lastMutationIDChanges").and_then(Json::as_object);
    for (client, id) in changes.into_iter().flatten() {
        let id = id.as_u64().unwrap_or(0);
        let held = store.last_mutation_id(client);
        if id < held {
            let found = format!("the last mutation id of {client:?} goes from {held} to {id}");
            applied.broken.push((Rule::MutationIdsGrow, found));
            continue;
        }
        let sent = store.pushed.get(client).copied().unwrap_or(0);
        if client == own && id > sent {
            let found = format!("mutation {id} is acknowledged, {sent} was the last one sent");
            applied.broken.push((Rule::NoUnsentMutation, found));
        }
        store.mutation_ids.insert(client.clone(), id);
    }
}

fn apply_op(store: &mut Store, op: &Op<'_>, applied: &mut Applied) {
    let put = op.name() == "put";
    match op {
        Op::Desired(client, op) => {
            let hashes = store.desired.entry((*client).to_owned()).or_default();
            let hash = hash(op);
            let _ = if put { hashes.insert(hash) } else { hashes.remove(&hash) };
        }
        Op::Got(op) if put => {
            store.got.insert(hash(op));
            applied.got.push(hash(op));
        }
        Op::Got(op) => {
            store.got.remove(&hash(op));
        }
        Op::Row(row) => apply_row(store, op.name(), row, applied),
        Op::Mutation(op) => apply_mutation(store, put, op, applied),
    }
}

fn hash(op: &Json) -> String {
    op.get("hash").and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn apply_mutation(store: &mut Store, put: bool, op: &Json, applied: &mut Applied) {
    let mutation = if put { &op["mutation"] } else { op };
    let id = &mutation["id"];
    let client = id["clientID"].as_str().unwrap_or_default().to_owned();
    let key = (client, id["id"].as_u64().unwrap_or(0));
    if !put {
        store.results.remove(&key);
        return;
    }
    let result = &mutation["result"];
    if result.get("error").is_none() {
        let found = format!("the result of mutation {} of {:?} is {result}", key.1, key.0);
        applied.broken.push((Rule::ResultsAreFailures, found));
    }
    store.results.insert(key, result.clone());
}

fn apply_row(store: &mut Store, name: &str, op: &Json, applied: &mut Applied) {
    let table_name = op.get("tableName").and_then(Json::as_str).unwrap_or_default();
    // Rows of tables that the client does not know are skipped.
    let Some(table) = store.schema.get(table_name) else { return };
    let of = if name == "put" { "value" } else { "id" };
    let Some(fields) = op.get(of).and_then(Json::as_object) else { return };
    let rows = store.rows.entry(table_name.to_owned()).or_default();
    let key = table.key(fields);
    if name == "put" {
        if let Some(found) = whole(table, fields) {
            let found = format!("a row of {table_name:?}: {found}: {op}");
            applied.broken.push((Rule::WholeRows, found));
        }
        rows.insert(key, plain(&Json::Object(fields.clone())));
        return;
    }
    let exact = fields.len() == table.primary_key.len()
        && table.primary_key.iter().all(|column| fields.get(column).is_some_and(|v| !v.is_null()));
    if !exact {
        let found = format!("{table_name:?} has the key {:?}: {op}", table.primary_key);
        applied.broken.push((Rule::ExactKeys, found));
    }
    if name == "del" {
        rows.remove(&key);
        return;
    }
    let Some(Json::Object(row)) = rows.get_mut(&key) else {
        applied.broken.push((Rule::UpdateOfKnownRow, format!("the client has no such row: {op}")));
        return;
    };
    let constrain: Vec<&str> = list(op, "constrain").filter_map(Json::as_str).collect();
    let stays = |column: &str| constrain.is_empty() || constrain.contains(&column);
    row.retain(|column, _| stays(column));
    for (column, value) in op.get("merge").and_then(Json::as_object).into_iter().flatten() {
        if stays(column) {
            row.insert(column.clone(), plain(value));
        }
    }
    if let Some(found) = whole(table, row) {
        let found = format!("a row of {table_name:?} after an update: {found}: {op}");
        applied.broken.push((Rule::WholeRows, found));
    }
}

/// What a row lacks, or has of another type.
fn whole(table: &TableSchema, row: &Map<String, Json>) -> Option<String> {
    for (column, of) in &table.columns {
        let Some(value) = row.get(column) else { return Some(format!("no column {column:?}")) };
        let fits = match (of.as_str(), value) {
            (_, Json::Null) => !table.primary_key.contains(column),
            ("string", value) => value.is_string(),
            ("number", value) => value.is_number(),
            ("boolean", value) => value.is_boolean(),
            (of, _) => of == "json",
        };
        if !fits {
            return Some(format!("column {column:?} is of type {of}"));
        }
    }
    None
}
