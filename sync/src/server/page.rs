//! Files that are served as they are, out of the program itself.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What pages may do: only what comes from this server, no code within the text, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// A file that is served as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where: a path that begins with a slash, and without patterns.
    pub path: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
}

impl Page {
    /// A text whose type is told by the end of its path; without an end it is HTML.
    #[must_use]
    pub const fn text(path: &'static str, body: &'static str) -> Page {
        let content_type = match path.as_bytes() {
            [.., b'.', b'j', b's'] => "text/javascript; charset=utf-8",
            [.., b'.', b'c', b's', b's'] => "text/css; charset=utf-8",
            [.., b'.', b's', b'v', b'g'] => "image/svg+xml",
            [.., b'.', b'j', b's', b'o', b'n'] => "application/json",
            [.., b'.', b't', b'x', b't'] => "text/plain; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        Page { path, content_type, body: body.as_bytes() }
    }

    /// The page as it is answered.
    pub(super) fn answer(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        (headers, self.body).into_response()
    }
}

/// Routes to pages; of those with the same path the first is served.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(
    mut router: Router<S>,
    pages: &[Page],
) -> Router<S> {
    let mut taken = std::collections::BTreeSet::new();
    for page in pages.iter().copied().filter(|page| taken.insert(page.path)) {
        router = router.route(page.path, get(move || async move { page.answer() }));
    }
    router
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path_tells_the_type() {
        let kind = |path| Page::text(path, "").content_type;
        assert_eq!(kind("/"), "text/html; charset=utf-8");
        assert_eq!(kind("/a/app.js"), "text/javascript; charset=utf-8");
        assert_eq!(kind("/app.css"), "text/css; charset=utf-8");
        assert_eq!(kind("/inspect.json"), "application/json");
    }

    #[test]
    fn pages_tell_browsers_to_load_nothing_from_elsewhere() {
        let answer = Page::text("/", "<p>").answer();
        let policy = answer.headers().get(header::CONTENT_SECURITY_POLICY).expect("a policy");
        assert!(policy.to_str().is_ok_and(|policy| policy.starts_with("default-src 'none'")));
    }
}
