//! Requests to others: a client that goes only where it is sent, and bodies of bounded length.

use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response};

/// How many redirects within one origin are followed.
const MOST_REDIRECTS: usize = 5;

/// A client. It follows redirects only within the origin that was asked, so that what a request
/// carries goes nowhere else, and takes no proxy from the environment.
///
/// # Errors
/// No TLS: the system's certificates cannot be read.
pub(crate) fn build(timeout: Duration) -> Result<Client, reqwest::Error> {
    let same_origin = Policy::custom(|attempt: Attempt<'_>| {
        let first = attempt.previous().first();
        let stays = first.is_some_and(|first| first.origin() == attempt.url().origin());
        match stays && attempt.previous().len() <= MOST_REDIRECTS {
            true => attempt.follow(),
            false => attempt.stop(),
        }
    });
    Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(same_origin)
        .no_proxy()
        .user_agent(concat!("penstock/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The body of a response of at most so many bytes.
///
/// # Errors
/// It is longer, or broke off: what is wrong, in words.
pub(crate) async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| in_words(&error))? {
        if body.len() + piece.len() > longest {
            return Err(format!("its answer is longer than {longest} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// An error with its causes but without the URL, which may hold secrets.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut words = match error {
        error if error.is_connect() => "no connection".to_owned(),
        error if error.is_decode() || error.is_body() => "the answer broke off".to_owned(),
        _ => "the request failed".to_owned(),
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if std::error::Error::source(cause).is_none() {
            words += &format!(": {cause}");
        }
        source = cause.source();
    }
    words
}
