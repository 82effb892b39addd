//! To which URLs a client may have requests sent.

use reqwest::Url;

/// A URL, perhaps with placeholders: `*` for anything, `:name` for what has no `/` (in a path) or no `.`
/// (in a host) in it. What comes after `?` or `#` does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    scheme: String,
    host: String,
    /// Nothing for that of the scheme.
    port: Option<String>,
    path: String,
}

/// A URL that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL \"{url}\" cannot be used: {problem}")]
pub struct BadPattern {
    /// The URL.
    pub url: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A URL that can be asked as it is.
pub(super) fn plain(url: &str) -> Result<Url, BadPattern> {
    let bad = |problem: &str| BadPattern { url: url.to_owned(), problem: problem.to_owned() };
    let read = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
    check(&read).map_err(bad)?;
    let pattern = Pattern::parse(url)?;
    if pattern.host.contains('*') || pattern.path.contains('*') || pattern.path.contains("/:") {
        return Err(bad("the first URL is the one that is asked, so it has no placeholders"));
    }
    Ok(read)
}

/// Whether a URL is one that requests are sent to.
fn check(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user name or password in it");
    }
    if url.query_pairs().any(|(name, _)| name == "schema" || name == "appID") {
        return Err("it has the parameter schema or appID, which the server adds itself");
    }
    Ok(())
}

impl Pattern {
    pub(super) fn parse(pattern: &str) -> Result<Pattern, BadPattern> {
        let bad =
            |problem: &str| BadPattern { url: pattern.to_owned(), problem: problem.to_owned() };
        let (scheme, rest) = pattern.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        if !matches!(scheme, "http" | "https") {
            return Err(bad("it is neither http nor https"));
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if authority.contains('@') {
            return Err(bad("it has a user name or password in it"));
        }
        let is_port = |port: &str| {
            port == "*" || (!port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()))
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => (host, Some(port)),
            _ => (authority, None),
        };
        if host.is_empty() {
            return Err(bad("it has no host"));
        }
        let default = if scheme == "http" { "80" } else { "443" };
        Ok(Pattern {
            scheme: scheme.to_owned(),
            host: host.to_ascii_lowercase(),
            port: port.filter(|port| *port != default).map(str::to_owned),
            path: path.to_owned(),
        })
    }

    /// The URL that a text is, if the pattern allows it.
    pub(super) fn allows(&self, url: &Url) -> bool {
        let port = url.port().map(|port| port.to_string());
        let port_fits = match (self.port.as_deref(), port.as_deref()) {
            (Some("*"), _) => true,
            (pattern, port) => pattern == port,
        };
        let host = url.host_str().unwrap_or_default();
        check(url).is_ok()
            && url.scheme() == self.scheme
            && port_fits
            && fits(self.host.as_bytes(), host.as_bytes(), b'.')
            && fits(self.path.as_bytes(), url.path().as_bytes(), b'/')
    }
}

/// Whether a text fits a pattern, in which `*` stands for anything and `:name`, after a separator, for one
/// byte or more that is none.
fn fits(pattern: &[u8], text: &[u8], separator: u8) -> bool {
    // The places in the pattern at which one may be after what was read of the text.
    let parts = parts(pattern, separator);
    let mut reached = vec![false; parts.len() + 1];
    reached[0] = true;
    skip(&parts, &mut reached);
    for byte in text {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match part {
                Part::Byte(expected) => next[at + 1] |= expected == byte,
                Part::Any => next[at] = true,
                Part::Named if *byte != separator => {
                    next[at] = true;
                    next[at + 1] = true;
                }
                Part::Named => {}
            }
        }
        skip(&parts, &mut next);
        reached = next;
    }
    reached[parts.len()]
}

enum Part {
    Byte(u8),
    Any,
    Named,
}

fn parts(pattern: &[u8], separator: u8) -> Vec<Part> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut parts = Vec::with_capacity(pattern.len());
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        let starts = at == 0 || pattern[at - 1] == separator;
        let names = pattern[at + 1..].iter().take_while(|byte| is_name(**byte)).count();
        at += 1;
        match byte {
            b'*' => parts.push(Part::Any),
            b':' if starts && names > 0 => {
                parts.push(Part::Named);
                at += names;
            }
            byte => parts.push(Part::Byte(*byte)),
        }
    }
    parts
}

/// Anything may be nothing.
fn skip(parts: &[Part], reached: &mut [bool]) {
    for (at, part) in parts.iter().enumerate() {
        if reached[at] && matches!(part, Part::Any) {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(pattern: &str, url: &str) -> bool {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        Url::parse(url).is_ok_and(|url| pattern.allows(&url))
    }

    #[test]
    fn placeholders_stand_for_what_they_say() {
        let cases = [
            ("https://api.example.com/query", "https://api.example.com/query", true),
            ("https://api.example.com/query", "https://API.example.com:443/query?x=1#y", true),
            ("https://api.example.com/query", "http://api.example.com/query", false),
            ("https://api.example.com/query", "https://api.example.com/query/", false),
            ("https://api.example.com/query", "https://api.example.com:8443/query", false),
            ("https://api.example.com", "https://api.example.com/", true),
            ("https://api.example.com", "https://api.example.com/x", false),
            ("https://*.example.com/query", "https://a.b.example.com/query", true),
            ("https://*.example.com/query", "https://example.com/query", false),
            ("https://*.example.com/query", "https://evil.com/.example.com/query", false),
            ("https://*.example.com/query", "https://evil.com#.example.com/query", false),
            ("https://*.example.com/query", "https://evil.com?.example.com/query", false),
            ("https://*.example.com/query", "https://a.example.com.evil.com/query", false),
            ("https://:branch.example.com/q", "https://main.example.com/q", true),
            ("https://:branch.example.com/q", "https://a.b.example.com/q", false),
            ("https://x.com/:version/q", "https://x.com/v1/q", true),
            ("https://x.com/:version/q", "https://x.com//q", false),
            ("https://x.com/:version/q", "https://x.com/a/b/q", false),
            ("https://x.com/api/*", "https://x.com/api/", true),
            ("https://x.com/api/*", "https://x.com/api/a/b", true),
            ("https://x.com/api/*", "https://x.com/api/../admin", false),
            ("http://localhost:*/q", "http://localhost:3000/q", true),
            ("http://localhost:*/q", "http://localhost/q", true),
            ("http://localhost:3000/q", "http://localhost:3000/q", true),
            ("http://localhost:3000/q", "http://user@localhost:3000/q", false),
            ("http://localhost:3000/q", "http://localhost:3000/q?schema=other", false),
            ("http://[::1]:3000/q", "http://[::1]:3000/q", true),
            ("https://x.com/*", "file:///etc/passwd", false),
            ("https://x.com/a*b*c", "https://x.com/aXXbYYbZZc", true),
            ("https://x.com/a*b*c", "https://x.com/aXXcYYb", false),
        ];
        for (pattern, url, expected) in cases {
            assert_eq!(allowed(pattern, url), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in ["", "example.com", "ftp://x/", "https://", "https:///x", "https://a:b@x/"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
        for bad in
            ["https://*.x.com/", "https://x.com/*", "https://x.com/:a", "https://x.com/?appID=1"]
        {
            assert!(plain(bad).is_err(), "{bad}");
        }
        assert!(plain("https://x.com:8080/a?b=c").is_ok());
    }
}
