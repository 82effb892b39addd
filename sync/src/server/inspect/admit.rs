//! Who may look.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Who may look at `/inspect`, which shows every client and every row.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Inspect {
    /// Nobody.
    #[default]
    Off,
    /// Those at this machine: the connection comes from a loopback address, the address that was asked
    /// for is one too, and nothing says that the request was passed on for somebody else.
    Local,
    /// Those who know a password, from anywhere: HTTP's basic authentication, with any name. Over
    /// connections that others can read, use it behind TLS.
    Password(String),
}

impl std::fmt::Debug for Inspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Inspect::Off => "Off",
            Inspect::Local => "Local",
            Inspect::Password(_) => "Password",
        })
    }
}

/// Headers of requests that were passed on.
const PASSED_ON: [&str; 5] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

impl Inspect {
    /// Whether a request may be answered; else what to answer instead.
    #[expect(clippy::result_large_err, reason = "an answer is handed on as it is")]
    pub(in crate::server) fn admit(
        &self,
        peer: SocketAddr,
        headers: &HeaderMap,
    ) -> Result<(), Response> {
        let refusal = |code, text: &'static str| Err((code, text).into_response());
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        // Pages of others may lead here, but not make requests in the name of who looks at them.
        if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
            && text("sec-fetch-mode") != Some("navigate")
        {
            return refusal(StatusCode::FORBIDDEN, "not for pages of other sites\n");
        }
        match self {
            Inspect::Off => refusal(
                StatusCode::NOT_FOUND,
                "not served here; start the server with its pages for operators\n",
            ),
            Inspect::Local => {
                let is_local = peer.ip().to_canonical().is_loopback()
                    && text("host").is_some_and(is_loopback_name)
                    && PASSED_ON.iter().all(|name| !headers.contains_key(*name));
                if is_local {
                    return Ok(());
                }
                refusal(
                    StatusCode::FORBIDDEN,
                    "only for this machine; to look from elsewhere, start the server with a password for operators\n",
                )
            }
            Inspect::Password(password) => {
                if given(headers).is_some_and(|given| is_same(&given, password)) {
                    return Ok(());
                }
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"operators\"")];
                Err((StatusCode::UNAUTHORIZED, challenge, "a password is needed\n").into_response())
            }
        }
    }
}

/// Whether a header `Host` names this machine itself. A name that merely leads to it, as others' names
/// can be made to do, does not.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The password of basic authentication.
fn given(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// Compares in a time that tells nothing of the password. An empty password is nobody's.
fn is_same(given: &str, password: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let pairs = digest(given).into_iter().zip(digest(password));
    let differing = pairs.fold(0, |differing, (a, b)| differing | (a ^ b));
    differing == 0 && !password.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(inspect: &Inspect, peer: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        let peer = peer.parse().expect("an address");
        inspect.admit(peer, &map).map_or_else(|answer| answer.status().as_u16(), |()| 200)
    }

    const HERE: &str = "127.0.0.1:5000";

    #[test]
    fn nobody_looks_at_what_is_off() {
        assert_eq!(code(&Inspect::Off, HERE, &[("host", "localhost:1")]), 404);
    }

    #[test]
    fn local_is_only_for_this_machine_by_its_own_names() {
        let local = |peer, headers: &[_]| code(&Inspect::Local, peer, headers);
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:4848", "[::1]:4848", "127.3.4.5"] {
            assert_eq!(local(HERE, &[("host", host)]), 200, "{host}");
        }
        assert_eq!(local("[::ffff:127.0.0.1]:9", &[("host", "localhost")]), 200);
        for host in ["evil.example", "evil.example:4848", "localhost.evil.example", "10.0.0.1", ""]
        {
            assert_eq!(local(HERE, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(local(HERE, &[]), 403);
        assert_eq!(local("10.1.1.1:7", &[("host", "localhost")]), 403);
        assert_eq!(local(HERE, &[("host", "localhost"), ("x-forwarded-for", "10.1.1.1")]), 403);
    }

    #[test]
    fn a_password_admits_from_anywhere_and_nothing_else_does() {
        let inspect = Inspect::Password("open: sesame".to_owned());
        let with = |given: &str| {
            let value = format!("Basic {}", STANDARD.encode(given));
            code(&inspect, "10.1.1.1:7", &[("authorization", &value)])
        };
        assert_eq!(with("me:open: sesame"), 200);
        assert_eq!(with(":open: sesame"), 200);
        assert_eq!((with("me:open"), with("open: sesame"), with("")), (401, 401, 401));
        assert_eq!(code(&inspect, HERE, &[("host", "localhost")]), 401);
        assert_eq!(code(&inspect, HERE, &[("authorization", "Bearer x")]), 401);
        let empty = Inspect::Password(String::new());
        assert_eq!(code(&empty, HERE, &[("authorization", "Basic Og==")]), 401);
        assert_eq!(format!("{inspect:?}"), "Password");
    }

    #[test]
    fn pages_of_other_sites_make_no_requests() {
        let from = |site, mode| {
            let headers =
                [("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            code(&Inspect::Local, HERE, &headers)
        };
        assert_eq!((from("cross-site", "cors"), from("same-site", "no-cors")), (403, 403));
        assert_eq!((from("cross-site", "navigate"), from("same-origin", "cors")), (200, 200));
        assert_eq!(from("none", "navigate"), 200);
    }
}
