//! What a server needs others for, as most servers have it: tokens verified here, queries and mutators in
//! the application, CRUD mutations written here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::auth::{AuthError, Clock, Verifier};
use crate::claims::Claims;
use crate::endpoint::Endpoint;
use crate::fault::concealed;
use crate::hub::{Meanings, Transform};
use crate::measure::{Kind, Limit, Measures, Outcome};
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::Mutation;
use crate::services::{Caller, Later, PushJob, Services};
use crate::writes::rate::RateLimit;
use crate::writes::{Crud, WriteError, Writer, Written, parse_ops};

/// How long clients wait before they come again, in milliseconds, where something is down.
const BACK_OFF: u64 = 2000;

/// The user as whom clients connect that nobody is logged in to; others need a token.
const NOBODY: &str = "anon";

/// Tokens, the application's endpoints, and where mutations are written.
pub struct Backend {
    /// Who somebody is.
    pub verifier: Verifier,
    /// The application's endpoint for queries, if it has one.
    pub queries: Option<Endpoint>,
    /// The application's endpoint for mutators, if it has one.
    pub mutators: Option<Endpoint>,
    /// Where CRUD mutations are written, if they are.
    pub writer: Option<Arc<dyn Writer>>,
    /// How many mutations a user may send, if there is a limit.
    pub rate_limit: Option<Mutex<RateLimit>>,
    /// The time.
    pub clock: Clock,
    /// Clients that were told that they send too many mutations. They have not sent again what was not
    /// taken then, so what follows is out of order through no fault of theirs.
    pub limited: Mutex<BTreeSet<(String, String)>>,
    /// Where it is counted what becomes of mutations.
    pub measures: Arc<Measures>,
}

impl Backend {
    /// One without endpoints, writer and limit.
    #[must_use]
    pub fn new(verifier: Verifier, clock: Clock) -> Backend {
        Backend {
            verifier,
            queries: None,
            mutators: None,
            writer: None,
            rate_limit: None,
            clock,
            limited: Mutex::default(),
            measures: Arc::default(),
        }
    }

    async fn carry_out(&self, job: &PushJob) -> Result<(), ErrorBody> {
        let mut mutations = job.push.mutations.as_slice();
        while let Some(first) = mutations.first() {
            self.limit(job, first)?;
            let mut several = 1;
            // Those for the application go together as far as they follow each other.
            while let Some(next) =
                mutations.get(several).filter(|next| !first.is_crud && !next.is_crud)
            {
                self.limit(job, next)?;
                several += 1;
            }
            let (these, rest) = mutations.split_at(several);
            let started = crate::hub::monotonic_us();
            let done = match first.is_crud {
                true => self.write(job, first).await,
                false => {
                    let passed = job.push.mutations.len() - mutations.len();
                    let done = self.forward(job, these, passed).await;
                    let outcome = if done.is_ok() { Outcome::Forwarded } else { Outcome::Failed };
                    self.came_to(job, these, outcome);
                    done
                }
            };
            let took = crate::hub::monotonic_us().saturating_sub(started);
            self.measures.mutations.took(Duration::from_micros(took));
            self.remember(job, these, done)?;
            mutations = rest;
        }
        Ok(())
    }

    /// Forgives a client that goes on where one of its mutations was not taken: it connects again and
    /// sends what is not acknowledged.
    fn remember(
        &self,
        job: &PushJob,
        these: &[Mutation],
        done: Result<(), ErrorBody>,
    ) -> Result<(), ErrorBody> {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |mutation: &Mutation| (job.push.group_id.clone(), mutation.client_id.clone());
        let out_of_order = done.as_ref().is_err_and(|error| {
            error.extra.get("reason").and_then(Json::as_str) == Some("oooMutation")
        });
        if done.is_err() && !out_of_order {
            return done;
        }
        let known = these.iter().filter(|mutation| limited.remove(&of(mutation))).count() > 0;
        match out_of_order && known {
            false => done,
            true => {
                let message = "an earlier mutation was one too many; send all again from there";
                Err(ErrorBody::new(ErrorKind::MutationFailed, message))
            }
        }
    }

    /// Refuses a mutation that is one too many.
    fn limit(&self, job: &PushJob, mutation: &Mutation) -> Result<(), ErrorBody> {
        let Some(limit) = &self.rate_limit else { return Ok(()) };
        // A user by the token; who is not logged in, by the group.
        let verified = job.claims.user().map(|user| format!("user {user}"));
        let whose = verified.unwrap_or_else(|| format!("group {}", job.push.group_id));
        let now = Duration::try_from_secs_f64((self.clock)()).unwrap_or_default();
        let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
        if limit.allow(&whose, now) {
            return Ok(());
        }
        self.measures.hits.note(Limit::MutationRate);
        self.came_to(job, std::slice::from_ref(mutation), Outcome::RateLimited);
        let client = (job.push.group_id.clone(), mutation.client_id.clone());
        self.limited.lock().unwrap_or_else(PoisonError::into_inner).insert(client);
        let message = "too many mutations in a short time; they are taken again after a while";
        Err(ErrorBody::new(ErrorKind::MutationRateLimited, message))
    }

    /// Takes note of what mutations came to.
    fn came_to(&self, job: &PushJob, mutations: &[Mutation], outcome: Outcome) {
        let Some(first) = mutations.first() else { return };
        let kind = if first.is_crud { Kind::Crud } else { Kind::Custom };
        self.measures.mutations.note(kind, outcome, mutations.len() as u64);
        let (group, kind, outcome) = (job.push.group_id.as_str(), kind.name(), outcome.name());
        for Mutation { client_id: client, id: mutation, name, .. } in mutations {
            tracing::debug!(group, client, mutation, kind, name, outcome, "a mutation");
        }
    }

    async fn write(&self, job: &PushJob, mutation: &Mutation) -> Result<(), ErrorBody> {
        let one = std::slice::from_ref(mutation);
        let Some(writer) = &self.writer else {
            self.came_to(job, one, Outcome::Failed);
            let message = "this server takes no CRUD mutations";
            return Err(ErrorBody::new(ErrorKind::InvalidPush, message));
        };
        let invalid = |message: String| ErrorBody::new(ErrorKind::InvalidPush, message);
        let id = i64::try_from(mutation.id).ok().filter(|id| *id > 0);
        let id = id.ok_or_else(|| {
            self.came_to(job, one, Outcome::Failed);
            invalid(format!("{} is no mutation id", mutation.id))
        })?;
        let crud = Crud {
            group: job.push.group_id.clone(),
            client: mutation.client_id.clone(),
            user: job.caller.user.clone(),
            mutation_id: id,
            ops: parse_ops(&Json::Array(mutation.args.clone())),
            claims: job.claims.clone(),
        };
        let written = writer.crud(crud).await;
        self.came_to(
            job,
            one,
            match &written {
                Ok(Written::Applied) => Outcome::Applied,
                Ok(Written::AlreadyProcessed) => Outcome::AlreadyProcessed,
                Ok(Written::Refused { .. }) | Err(WriteError::OtherUser) => Outcome::Refused,
                Ok(Written::OutOfOrder { .. }) => Outcome::OutOfOrder,
                Err(WriteError::Unavailable { .. }) => Outcome::Unavailable,
            },
        );
        match written {
            Ok(Written::Applied | Written::AlreadyProcessed | Written::Refused { .. }) => Ok(()),
            Ok(Written::OutOfOrder { expected }) => {
                let message = format!(
                    "client {} sent mutation {id}, but {expected} is next",
                    mutation.client_id
                );
                Err(invalid(message).with("reason", "oooMutation"))
            }
            Err(WriteError::Unavailable { reason }) => {
                let (group, client) = (job.push.group_id.as_str(), mutation.client_id.as_str());
                tracing::warn!(
                    group,
                    client,
                    mutation = id,
                    reason,
                    "a mutation cannot be written"
                );
                let message = concealed("mutations cannot be written at present", &reason);
                Err(come_again(ErrorKind::Rebalance, message))
            }
            Err(error @ WriteError::OtherUser) => {
                Err(ErrorBody::new(ErrorKind::Unauthorized, error.to_string()))
            }
        }
    }

    /// Hands mutations on to the application, of which so many of the message went before.
    async fn forward(
        &self,
        job: &PushJob,
        mutations: &[Mutation],
        passed: usize,
    ) -> Result<(), ErrorBody> {
        let ids: Vec<Json> = mutations
            .iter()
            .map(|mutation| json!({ "id": mutation.id, "clientID": mutation.client_id }))
            .collect();
        let Some(endpoint) = &self.mutators else {
            let message = "the server does not know the application's endpoint for mutations; give it \
                           one with --mutate-url";
            return Err(ErrorBody::new(ErrorKind::PushFailed, message)
                .with("reason", "internal")
                .with("mutationIDs", ids));
        };
        let mut body = job.push.body.clone();
        if let Some(all) = body.get_mut("mutations").and_then(Json::as_array_mut) {
            *all = all.drain(..).skip(passed).take(mutations.len()).collect();
        }
        endpoint.push(&job.caller, &body).await
    }
}

fn come_again(kind: ErrorKind, message: String) -> ErrorBody {
    ErrorBody::new(kind, message).with("minBackoffMs", BACK_OFF)
}

/// What a client is told whose token is refused.
fn refusal(error: &AuthError) -> ErrorBody {
    match error {
        // It is the issuer who is missing, not the token.
        AuthError::NoKeys { .. } => {
            let message = concealed("tokens cannot be verified at present", error);
            come_again(ErrorKind::ServerOverloaded, message)
        }
        AuthError::Expired { .. } => ErrorBody::new(ErrorKind::AuthInvalidated, error.to_string()),
        _ => ErrorBody::new(ErrorKind::Unauthorized, error.to_string()),
    }
}

impl Services for Backend {
    fn measures(&self) -> Option<Arc<Measures>> {
        Some(Arc::clone(&self.measures))
    }

    fn verify<'a>(
        &'a self,
        token: Option<&'a str>,
        user: Option<&'a str>,
    ) -> Later<'a, Result<Claims, ErrorBody>> {
        Box::pin(async move {
            match token {
                Some(token) => {
                    let verified = self.verifier.verify_for(token, user).await;
                    verified.map_err(|error| refusal(&error))
                }
                None if self.verifier.is_opaque() || user.is_none_or(|user| user == NOBODY) => {
                    Ok(Claims::default())
                }
                None => {
                    let message = "the connection says whose it is, but shows no token";
                    Err(ErrorBody::new(ErrorKind::Unauthorized, message))
                }
            }
        })
    }

    fn transform<'a>(&'a self, ask: &'a Transform) -> Later<'a, Result<Meanings, ErrorBody>> {
        Box::pin(async move {
            let Some(endpoint) = &self.queries else {
                let message = "this server has no endpoint for named queries";
                let error = ErrorBody::new(ErrorKind::TransformFailed, message);
                let ids: Vec<Json> =
                    ask.queries.iter().map(|query| query.0.clone().into()).collect();
                return Err(error.with("reason", "internal").with("queryIDs", ids));
            };
            endpoint.transform(&ask.caller, &ask.queries).await
        })
    }

    fn push<'a>(&'a self, job: &'a PushJob) -> Later<'a, Result<(), ErrorBody>> {
        Box::pin(self.carry_out(job))
    }

    fn clean_up<'a>(
        &'a self,
        group: &'a str,
        client: &'a str,
        id: u64,
        caller: &'a Caller,
    ) -> Later<'a, Result<(), ErrorBody>> {
        Box::pin(async move {
            // What is not deleted now is with the next one; nobody need be told.
            if let Some(endpoint) = &self.mutators {
                let now = ((self.clock)() * 1000.0) as u64;
                let _ = endpoint.clean_up(caller, group, client, id, now).await;
            }
            if let Some(writer) = &self.writer {
                let up_to = i64::try_from(id).unwrap_or(i64::MAX);
                let _ = writer.forget(group.to_owned(), client.to_owned(), up_to).await;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
