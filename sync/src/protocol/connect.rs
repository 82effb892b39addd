//! The upgrade request: who connects, with what in its header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::VERSIONS;
use super::error::{ErrorBody, ErrorKind};
use super::upstream::{InitConnection, Upstream};

/// Who connects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectRequest {
    /// The version of the protocol.
    pub version: u32,
    /// The tab or instance.
    pub client_id: String,
    /// What shares one store with it.
    pub group_id: String,
    /// The user, unless nobody is logged in. Not verified.
    pub user_id: Option<String>,
    /// How far its store is; `None` if it is empty.
    pub base_cookie: Option<String>,
    /// The number of the client's last mutation that it was told of; 0 for none.
    pub last_mutation_id: u64,
    /// The number that the client gave this socket.
    pub wsid: String,
    /// The token, unless nobody is logged in.
    pub auth: Option<String>,
    /// The first message, unless it was too large for the header and comes as the first frame.
    pub init: Option<Box<InitConnection>>,
    /// The header `Cookie`, for the application.
    pub cookies: Option<String>,
    /// The header `Origin`, for the application.
    pub origin: Option<String>,
}

impl ConnectRequest {
    /// Reads the path (`…/sync/v51/connect`), the query and the header `Sec-WebSocket-Protocol`.
    ///
    /// # Errors
    /// What is missing or cannot be read, as it is told to the client.
    pub fn parse(
        path: &str,
        query: &str,
        protocol: Option<&str>,
    ) -> Result<ConnectRequest, ErrorBody> {
        let invalid =
            |message: String| ErrorBody::new(ErrorKind::InvalidConnectionRequest, message);
        let version = version(path)
            .ok_or_else(|| invalid(format!("{path} is not …/sync/v<number>/connect")))?;
        if !VERSIONS.contains(&version) {
            let (first, last) = (VERSIONS.start(), VERSIONS.end());
            return Err(ErrorBody::new(
                ErrorKind::VersionNotSupported,
                format!("protocol version {version} is not served, {first} to {last} are"),
            ));
        }
        let mut request = ConnectRequest { version, ..ConnectRequest::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(&value.replace('+', " "))
                .ok_or_else(|| invalid(format!("the value of {name} is not UTF-8")))?;
            let filled = (!value.is_empty()).then(|| value.clone());
            match name {
                "clientID" => request.client_id = value,
                "clientGroupID" => request.group_id = value,
                "userID" => request.user_id = filled,
                "baseCookie" => request.base_cookie = filled,
                "wsid" => request.wsid = value,
                "lmid" => request.last_mutation_id = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        for (name, value) in
            [("clientID", &request.client_id), ("clientGroupID", &request.group_id)]
        {
            if value.is_empty() {
                return Err(invalid(format!("{name} is missing")));
            }
        }
        if let Some(protocol) = protocol.filter(|protocol| !protocol.is_empty()) {
            let header = header(protocol).ok_or_else(|| {
                invalid("Sec-WebSocket-Protocol is not base64 of JSON".to_owned())
            })?;
            request.auth = header.get("authToken").and_then(Json::as_str).map(str::to_owned);
            if let Some(message) =
                header.get("initConnectionMessage").filter(|json| !json.is_null())
            {
                match Upstream::from_json(message) {
                    Ok(Upstream::InitConnection(init)) => request.init = Some(init),
                    Ok(_) => return Err(invalid("the header has no initConnection".to_owned())),
                    Err(problem) => return Err(invalid(problem)),
                }
            }
        }
        Ok(request)
    }
}

/// The version in a path that ends with `/sync/v51/connect`.
fn version(path: &str) -> Option<u32> {
    let rest = path.strip_suffix("/connect")?;
    let (before, version) = rest.rsplit_once("/v")?;
    before.ends_with("/sync").then(|| version.parse().ok())?
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

fn header(protocol: &str) -> Option<Json> {
    let bytes = STANDARD.decode(decoded(protocol)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "clientID=c%201&clientGroupID=g&userID=&baseCookie=&ts=1.5&lmid=0&wsid=w";

    #[test]
    fn a_request_of_the_real_client_is_read() {
        // {"initConnectionMessage":["initConnection",{"desiredQueriesPatch":[]}],"authToken":"é"}
        let header = "eyJpbml0Q29ubmVjdGlvbk1lc3NhZ2UiOlsiaW5pdENvbm5lY3Rpb24iLHsiZGVzaXJlZFF1ZXJpZXNQYXRjaCI6W119XSwiYXV0aFRva2VuIjoiw6kifQ%3D%3D";
        let request = ConnectRequest::parse("/base/sync/v51/connect", QUERY, Some(header));
        let request = request.expect("a request");
        assert_eq!((request.version, request.client_id.as_str()), (51, "c 1"));
        assert_eq!((request.user_id, request.base_cookie), (None, None));
        assert_eq!((request.auth.as_deref(), request.wsid.as_str()), (Some("é"), "w"));
        assert!(request.init.is_some_and(|init| init.desired.is_empty()));
    }

    #[test]
    fn what_cannot_be_served_is_an_error_of_its_kind() {
        let kind = |path, query, header| {
            ConnectRequest::parse(path, query, header).map_err(|error| error.kind)
        };
        let path = "/sync/v51/connect";
        assert_eq!(kind("/sync/v99/connect", QUERY, None), Err(ErrorKind::VersionNotSupported));
        let invalid = Err(ErrorKind::InvalidConnectionRequest);
        assert_eq!(kind("/sync/vx/connect", QUERY, None), invalid);
        assert_eq!(kind("/v51/connect", QUERY, None), invalid);
        assert_eq!(kind(path, "clientID=c", None), invalid);
        assert_eq!(kind(path, QUERY, Some("%%%")), invalid);
        assert_eq!(kind(path, QUERY, Some("bm8=")), invalid);
        assert_eq!(kind(path, "clientID=%ff&clientGroupID=g", None), invalid);
    }
}
