//! What a server needs others for: who a token is of, what named queries mean, and carrying out mutations.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::claims::Claims;
use crate::hub::{Meanings, Transform};
use crate::measure::Measures;
use crate::protocol::error::{ErrorBody, ErrorKind};
use crate::protocol::upstream::Push;

/// Something that takes a while.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// For whom the application is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {
    /// The user that the client says it is.
    pub user: Option<String>,
    /// The token to show.
    pub auth: Option<String>,
    /// The URL that the client asks for, if it does.
    pub url: Option<String>,
    /// Further headers that the client asks for.
    pub headers: Map<String, Json>,
    /// The cookies of its connection.
    pub cookies: Option<String>,
    /// The origin of its page.
    pub origin: Option<String>,
}

/// Mutations to be carried out.
#[derive(Clone, Debug)]
pub struct PushJob {
    /// Whose they are.
    pub caller: Caller,
    /// What the token says.
    pub claims: Claims,
    /// The mutations.
    pub push: Box<Push>,
}

/// What a server needs others for.
///
/// Calls for one client group come one after another, in order; those for different groups at the same
/// time. What is returned as an error is told to the client.
pub trait Services: Send + Sync + 'static {
    /// What a token says; without a token, what is known of somebody who is not logged in. `user` is who
    /// the connection says it is, which must not be somebody else.
    fn verify<'a>(
        &'a self,
        token: Option<&'a str>,
        user: Option<&'a str>,
    ) -> Later<'a, Result<Claims, ErrorBody>>;

    /// Where what is measured here is counted; the server then counts there too.
    fn measures(&self) -> Option<Arc<Measures>> {
        None
    }

    /// What named queries mean.
    fn transform<'a>(&'a self, ask: &'a Transform) -> Later<'a, Result<Meanings, ErrorBody>>;

    /// Carries out mutations, those of a frame in order.
    fn push<'a>(&'a self, job: &'a PushJob) -> Later<'a, Result<(), ErrorBody>>;

    /// A client has seen the results of its failed mutations up to an id: they can be deleted.
    fn clean_up<'a>(
        &'a self,
        group: &'a str,
        client: &'a str,
        id: u64,
        caller: &'a Caller,
    ) -> Later<'a, Result<(), ErrorBody>>;
}

/// Nobody is verified, no named queries, no mutations: for data that is only read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOnly;

impl Services for ReadOnly {
    fn verify<'a>(
        &'a self,
        _token: Option<&'a str>,
        _user: Option<&'a str>,
    ) -> Later<'a, Result<Claims, ErrorBody>> {
        Box::pin(async { Ok(Claims::default()) })
    }

    fn transform<'a>(&'a self, _ask: &'a Transform) -> Later<'a, Result<Meanings, ErrorBody>> {
        Box::pin(async {
            let message = "this server has no endpoint for named queries";
            Err(ErrorBody::new(ErrorKind::TransformFailed, message).with("reason", "internal"))
        })
    }

    fn push<'a>(&'a self, _job: &'a PushJob) -> Later<'a, Result<(), ErrorBody>> {
        Box::pin(async {
            Err(ErrorBody::new(ErrorKind::InvalidPush, "this server takes no mutations"))
        })
    }

    fn clean_up<'a>(
        &'a self,
        _group: &'a str,
        _client: &'a str,
        _id: u64,
        _caller: &'a Caller,
    ) -> Later<'a, Result<(), ErrorBody>> {
        Box::pin(async { Ok(()) })
    }
}
