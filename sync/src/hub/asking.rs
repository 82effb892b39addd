//! What is asked of the application: what named queries mean, and with that, who a client is.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::connection::For;
use super::group::{GroupQuery, QueryState};
use super::{Hub, Meanings, Now, Output, Outputs, Transform};
use crate::measure::Limit;
use crate::protocol::ConnectionId;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::Wanted;

/// A question to the application.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) connection: ConnectionId,
    pub(super) group: Arc<str>,
    pub(super) hashes: Vec<String>,
}

impl Hub {
    /// Has the application say who a client that has just connected is, and what its queries mean.
    pub(super) fn validate(&mut self, now: Now, number: ConnectionId, outputs: &mut Outputs) {
        let Some(connection) = self.connections.get(&number) else { return };
        let Some(group) = self.groups.get(&connection.group) else { return };
        let is_named = |hash: &&String| {
            let query = group.queries.get(*hash);
            query.is_some_and(|query| matches!(query.what, Wanted::Named { .. }))
        };
        let mut hashes: Vec<String> = group.queries.keys().filter(is_named).cloned().collect();
        hashes.sort();
        if self.options.has_query_endpoint || !hashes.is_empty() {
            let request = self.ask(now, number, hashes, outputs);
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.validating = request;
            }
        }
    }

    /// Asks the application anew what a group's queries mean, if it is time.
    pub(super) fn retransform(&mut self, now: Now, id: &Arc<str>, outputs: &mut Outputs) {
        let Some(group) = self.groups.get(id) else { return };
        let Some(first) = group.connections.first().copied() else { return };
        let is_named = |query: &&GroupQuery| matches!(query.what, Wanted::Named { .. });
        if now.mono_ms.saturating_sub(group.transformed_at) < self.options.retransform_ms
            || group.queries.values().filter(is_named).count() == 0
        {
            return;
        }
        let named = group.queries.iter().filter(|(_, query)| is_named(query));
        let hashes = named.map(|(hash, _)| hash.clone()).collect();
        self.ask(now, first, hashes, outputs);
    }

    /// Asks the application what queries mean; `None` where there is nobody to ask.
    pub(super) fn ask(
        &mut self,
        now: Now,
        number: ConnectionId,
        hashes: Vec<String>,
        outputs: &mut Outputs,
    ) -> Option<u64> {
        let open = self.transforms.values().filter(|asked| asked.connection == number).count();
        if open >= self.options.limits.questions {
            self.hit(Limit::Questions);
            let message = "too many questions to the application are open; connect again";
            self.end(number, &ErrorBody::new(ErrorKind::Rebalance, message), outputs);
            return None;
        }
        let connection = self.connections.get(&number)?;
        let id = Arc::clone(&connection.group);
        let group = self.groups.get_mut(&id)?;
        let queries: Vec<(String, String, Vec<Json>)> = hashes
            .iter()
            .filter_map(|hash| match &group.queries.get(hash)?.what {
                Wanted::Named { name, args } => Some((hash.clone(), name.clone(), args.clone())),
                Wanted::Ast(_) => None,
            })
            .collect();
        group.transformed_at = now.mono_ms;
        if !self.options.has_query_endpoint {
            let message = "the server does not know the application's endpoint for queries; give it one with --query-url";
            for (hash, name, _) in queries {
                self.refuse(&id, &hash, &name, ("app", message.to_owned()), None, outputs);
            }
            return None;
        }
        let request = self.next_transform;
        self.next_transform += 1;
        let transform = Transform {
            request,
            group: id.to_string(),
            caller: connection.caller(For::Queries),
            queries,
        };
        outputs.push(Output::Transform(Box::new(transform)));
        self.transforms.insert(request, Asked { connection: number, group: id, hashes });
        Some(request)
    }

    pub(super) fn transformed(
        &mut self,
        now: Now,
        request: u64,
        outcome: Result<Meanings, ErrorBody>,
        outputs: &mut Outputs,
    ) {
        let Some(asked) = self.transforms.remove(&request) else { return };
        let id = asked.group;
        let mut unanswered = asked.hashes;
        match outcome {
            Ok(queries) => {
                for (hash, meaning) in queries {
                    // It is hydrated, and attached with the next cut.
                    unanswered.retain(|of| *of != hash);
                    let refusal = match meaning {
                        Ok(ast) => {
                            let served = self.admit_query(&ast);
                            let served = served.and_then(|()| self.serve(&id, &hash, &ast));
                            served.err().map(|(kind, message)| {
                                json!({"error": kind, "id": hash, "name": "", "message": message})
                            })
                        }
                        Err(error) => Some(error),
                    };
                    if let Some(error) = refusal {
                        self.refuse_with(&id, &hash, error, None, outputs);
                    }
                }
                if let Some(connection) = self.connections.get_mut(&asked.connection)
                    && connection.validating == Some(request)
                {
                    connection.validating = None;
                }
            }
            Err(error) => self.end(asked.connection, &error, outputs),
        }
        // What was not answered cannot be served until somebody asks again.
        if let Some(group) = self.groups.get_mut(&id) {
            for hash in &unanswered {
                if let Some(query) = group.queries.get_mut(hash)
                    && query.state == QueryState::Pending
                    && !self
                        .transforms
                        .values()
                        .any(|other| other.group == id && other.hashes.contains(hash))
                {
                    query.state = QueryState::Failed;
                }
            }
        }
        self.expire(now, &id);
    }
}
