//! Mutations: who may send them, and what clients are told of what was written.
//!
//! Mutations are carried out elsewhere. What became of them comes back as rows of two tables of the
//! database, in the transaction that wrote the mutation's own rows, and is told in the same poke.

use std::sync::Arc;

use penstock::{Query, RowView, ValueRef, col};
use serde_json::{Value as Json, json};

use super::connection::For;
use super::group::{Group, MutationResult, Touched};
use super::live::{LiveId, Role, RowChange, User};
use super::{Hub, Output, Outputs};
use crate::protocol::ConnectionId;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::Push;

impl Hub {
    /// Hands mutations on, if they are of the client's own group.
    pub(super) fn push(&mut self, number: ConnectionId, push: Box<Push>, outputs: &mut Outputs) {
        let Some(connection) = self.connections.get(&number) else { return };
        if *push.group_id != *connection.group {
            let message = "the mutations are of another client group than the connection";
            let error = ErrorBody::new(ErrorKind::InvalidPush, message);
            self.end(number, &error, outputs);
            return;
        }
        self.counters.mutations += push.mutations.len() as u64;
        outputs.push(Output::Push {
            connection: number,
            caller: connection.caller(For::Mutations),
            claims: connection.claims.clone(),
            push,
        });
    }

    pub(super) fn acknowledge(
        &mut self,
        number: ConnectionId,
        client: String,
        id: u64,
        outputs: &mut Outputs,
    ) {
        let Some(connection) = self.connections.get(&number) else { return };
        if client == connection.client {
            outputs.push(Output::CleanUpResults {
                connection: number,
                group: connection.group.to_string(),
                client,
                id,
                caller: connection.caller(For::Mutations),
            });
        }
    }

    /// Watches the tables in which a new group's mutations are accounted for.
    pub(super) fn keep_books(&mut self, id: &Arc<str>) {
        let Some(tables) = self.options.bookkeeping.clone() else { return };
        let kept = [(tables.clients_table, Role::Clients), (tables.mutations_table, Role::Results)];
        for (table, role) in kept {
            let key = format!("{table} of {id}");
            let query = || Ok(Query::table(table).filter(col("clientGroupID").eq(id.to_string())));
            // A table that is not there yet is looked for when the schema changes.
            let unlimited = penstock::Budget::default();
            let Ok(live) = self.lives.find_or_make(&key, unlimited, query) else { continue };
            self.add_books(id, live, role);
        }
    }

    fn add_books(&mut self, id: &Arc<str>, live: LiveId, role: Role) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let Some(of) = self.lives.get(live) else { return };
        let touched = self.touched.entry(Arc::clone(id)).or_default();
        for (identity, row) in of.rows() {
            let change =
                RowChange { identity: identity.clone(), before: None, after: Some(row.clone()) };
            group.take(&role, &change, touched);
        }
        group.bookkeeping.push((live, role.clone()));
        self.lives.add_user(live, User { group: Arc::clone(id), role });
    }
}

impl Group {
    /// Takes a change of one of the live queries that it uses.
    pub(super) fn take(&mut self, role: &Role, change: &RowChange, touched: &mut Touched) {
        match role {
            Role::Query(_) => self.apply(change, touched),
            Role::Clients => self.take_last_mutation_id(change, touched),
            Role::Results => self.take_result(change, touched),
        }
    }

    fn take_last_mutation_id(&mut self, change: &RowChange, touched: &mut Touched) {
        let Some(row) = &change.after else { return };
        self.authors.extend(text(row, "userID"));
        let (Some(client), Some(id)) = (text(row, "clientID"), number(row, "lastMutationID"))
        else {
            return;
        };
        let state = self.clients.entry(client.clone()).or_default();
        state.counted = id;
        // Clients take it for a fault of the server if it goes back.
        if id > state.last_mutation_id {
            state.last_mutation_id = id;
            touched.last_mutation_ids.insert(client);
        }
    }

    /// Whether a client was told of mutations that the database does not have: it was put back to an
    /// earlier state.
    pub(super) fn has_lost_mutations(&self, client: &str, told: u64) -> bool {
        let is_known = self.bookkeeping.iter().any(|(_, role)| *role == Role::Clients);
        let counted = self.clients.get(client).map_or(0, |client| client.counted);
        is_known && counted < told
    }

    fn take_result(&mut self, change: &RowChange, touched: &mut Touched) {
        let Some(row) = change.after.as_ref().or(change.before.as_ref()) else { return };
        let (Some(client), Some(id)) = (text(row, "clientID"), number(row, "mutationID")) else {
            return;
        };
        let name = json!({"clientID": client, "id": id});
        let key = (client, id);
        let op = match &change.after {
            Some(row) => {
                let result = row.to_json().get("result").cloned().unwrap_or(Json::Null);
                let result = match result {
                    // A table whose column is text.
                    Json::String(text) => serde_json::from_str(&text).unwrap_or(Json::String(text)),
                    other => other,
                };
                json!({"op": "put", "mutation": {"id": name, "result": result}})
            }
            None => json!({"op": "del", "id": name}),
        };
        let result = MutationResult { op: Arc::from(op.to_string()), put_at: 0 };
        if change.after.is_some() {
            self.results_gone.remove(&key);
            self.results.insert(key.clone(), result);
        } else {
            self.results.remove(&key);
            self.results_gone.insert(key.clone(), result);
        }
        touched.results.insert(key);
    }
}

fn text(row: &RowView, column: &str) -> Option<String> {
    row.get(column)?.as_str().map(str::to_owned)
}

fn number(row: &RowView, column: &str) -> Option<u64> {
    match row.get(column)? {
        ValueRef::Int(number) => u64::try_from(number).ok(),
        ValueRef::Float(number) if number >= 0.0 => Some(number as u64),
        _ => None,
    }
}
