use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::test_http::{Answer, TestServer};

fn endpoint(server: &TestServer, change: impl FnOnce(&mut Settings)) -> Endpoint {
    let urls = vec![format!("{}/api?x=1", server.url), format!("{}/:version/api", server.url)];
    let mut settings = Settings { urls, ..Settings::default() };
    change(&mut settings);
    Endpoint::new(settings, App::default()).expect("good settings")
}

fn ada() -> Caller {
    Caller { user: Some("ada".to_owned()), auth: Some("token".to_owned()), ..Caller::default() }
}

fn query(id: &str) -> NamedQuery {
    (id.to_owned(), "issues".to_owned(), vec![json!({ "of": id })])
}

fn ok(json: &Json) -> Answer {
    (200, json.to_string())
}

/// An application that takes each query for one over a table of its id.
fn application(asked: &crate::test_http::Asked) -> Answer {
    let queries = asked.body[1].as_array().cloned().unwrap_or_default();
    let queries: Vec<Json> = queries
        .iter()
        .map(|query| json!({"id": query["id"], "name": query["name"], "ast": {"table": query["id"]}}))
        .collect();
    ok(&json!({"kind": "QueryResponse", "userID": "ada", "queries": queries}))
}

fn reason(error: &ErrorBody) -> (ErrorKind, &str) {
    (error.kind, error.extra.get("reason").and_then(Json::as_str).unwrap_or_default())
}

#[tokio::test]
async fn queries_are_asked_for_with_all_that_belongs_to_them() {
    let server = TestServer::start(application).await;
    let endpoint = endpoint(&server, |settings| {
        settings.api_key = Some("key".to_owned());
        settings.allowed_headers = vec!["X-Trace".to_owned(), "Authorization".to_owned()];
    });
    let caller = Caller {
        headers:
            json!({"x-trace": "1", "x-other": "2", "authorization": "mine", "X-API-Key": "mine",
            "bad name": "x", "x-trace\r\n": "y"})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        cookies: Some("c=1".to_owned()),
        origin: Some("https://page".to_owned()),
        ..ada()
    };
    let meanings = endpoint.transform(&caller, &[query("q1")]).await.expect("an answer");
    assert_eq!(meanings, [("q1".to_owned(), Ok(json!({"table": "q1"})))]);
    let asked = &server.asked()[0];
    assert_eq!(asked.target, "/api?x=1&schema=zero_0&appID=zero");
    let expected = json!(["transform", [{"id": "q1", "name": "issues", "args": [{"of": "q1"}]}]]);
    assert_eq!(asked.body, expected);
    let header = |name: &str| asked.header(name);
    assert_eq!(header("authorization"), Some("Bearer token"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!((header("x-api-key"), header("x-trace")), (Some("key"), Some("1")));
    assert_eq!((header("x-other"), header("cookie")), (None, None));
    assert_eq!(header("origin"), Some("https://page"));
    let with_cookies = self::endpoint(&server, |settings| settings.forward_cookies = true);
    with_cookies.transform(&caller, &[]).await.expect("an answer");
    assert_eq!(server.asked()[1].header("cookie"), Some("c=1"));
    assert_eq!(server.asked()[1].body, json!(["transform", []]));
}

#[tokio::test]
async fn answers_are_kept_for_who_asked() {
    let server = TestServer::start(application).await;
    let endpoint = endpoint(&server, |_| {});
    let both = [query("q1"), query("q2")];
    for _ in 0..3 {
        let mut meanings = endpoint.transform(&ada(), &both).await.expect("an answer");
        meanings.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(meanings.len(), 2);
        assert_eq!(meanings[1], ("q2".to_owned(), Ok(json!({"table": "q2"}))));
    }
    assert_eq!(server.asked().len(), 1);
    // Under another name of the client's it is the same query.
    let renamed = ("mine".to_owned(), both[0].1.clone(), both[0].2.clone());
    let meanings = endpoint.transform(&ada(), &[renamed]).await.expect("an answer");
    assert_eq!(meanings, [("mine".to_owned(), Ok(json!({"table": "q1"})))]);
    assert_eq!(server.asked().len(), 1);
    // Whether somebody is known is asked each time; what another token may see too.
    endpoint.transform(&ada(), &[]).await.expect("an answer");
    let other = Caller { auth: Some("other".to_owned()), ..ada() };
    endpoint.transform(&other, &both).await.expect("an answer");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_query_that_fails_leaves_the_others() {
    let server = TestServer::start(|_| {
        ok(&json!({"kind": "QueryResponse", "queries": [
            {"error": "app", "id": "q1", "name": "x", "message": "no", "details": {"a": 1}},
            {"id": "q2", "name": "x", "ast": {"table": "t"}},
            {"id": "q3", "name": "x"},
            {"id": "stranger", "name": "x", "ast": {"table": "secret"}}]}))
    })
    .await;
    let endpoint = endpoint(&server, |_| {});
    let asked = ["q1", "q2", "q3", "q4"].map(query);
    let meanings = endpoint.transform(&ada(), &asked).await.expect("an answer");
    assert_eq!(meanings.len(), 4);
    let expected =
        json!({"error": "app", "id": "q1", "name": "issues", "message": "no", "details": {"a": 1}});
    assert_eq!(meanings[0].1, Err(expected));
    assert_eq!(meanings[1].1, Ok(json!({"table": "t"})));
    for (id, meaning) in &meanings[2..] {
        let error = meaning.as_ref().expect_err("no meaning");
        assert_eq!((&error["error"], &error["id"]), (&json!("app"), &json!(id)));
    }
    // Failures are not kept.
    endpoint.transform(&ada(), &asked).await.expect("an answer");
    assert_eq!(server.asked().len(), 2);
    let asked_again = server.asked()[1].body[1].as_array().map(Vec::len);
    assert_eq!(asked_again, Some(3));
}

#[tokio::test]
async fn the_application_says_who_the_user_is() {
    let server = TestServer::start(application).await;
    let endpoint = endpoint(&server, |_| {});
    for user in [None, Some("bob".to_owned())] {
        let caller = Caller { user, ..ada() };
        let error = endpoint.transform(&caller, &[]).await.expect_err("somebody else");
        assert_eq!(error.kind, ErrorKind::Unauthorized);
    }
    server.answer(|_| ok(&json!({"kind": "QueryResponse", "userID": null, "queries": []})));
    assert!(endpoint.transform(&ada(), &[]).await.is_err());
    assert!(endpoint.transform(&Caller::default(), &[]).await.is_ok());
    server.answer(|_| ok(&json!({"kind": "MutateResponse", "userID": "bob", "mutations": []})));
    let error = endpoint.push(&ada(), &json!({"mutations": []})).await.expect_err("somebody else");
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    // Older applications say nothing, and the client is believed.
    server.answer(|_| {
        ok(&json!(["transformed", [{"id": "q1", "name": "x", "ast": {"table": "t"}}]]))
    });
    let meanings = endpoint.transform(&ada(), &[query("q1")]).await.expect("an answer");
    assert_eq!(meanings, [("q1".to_owned(), Ok(json!({"table": "t"})))]);
}

#[tokio::test]
async fn failures_say_what_clients_need_to_know() {
    let server = TestServer::start(|_| (401, "x".repeat(600))).await;
    let endpoint = endpoint(&server, |_| {});
    let error = endpoint.transform(&ada(), &[query("q1")]).await.expect_err("refused");
    assert_eq!(reason(&error), (ErrorKind::TransformFailed, "http"));
    assert_eq!((&error.extra["status"], &error.extra["queryIDs"]), (&json!(401), &json!(["q1"])));
    assert_eq!(error.extra["bodyPreview"].as_str().map(str::len), Some(515));
    assert_eq!(server.asked().len(), 1);
    let push = json!({"mutations": [{"id": 7, "clientID": "c", "name": "x"}], "auth": "secret"});
    let ids = json!([{"id": 7, "clientID": "c"}]);
    let error = endpoint.push(&ada(), &push).await.expect_err("refused");
    assert_eq!(reason(&error), (ErrorKind::PushFailed, "http"));
    assert_eq!((&error.extra["status"], &error.extra["mutationIDs"]), (&json!(401), &ids));
    assert_eq!(server.asked()[1].body.get("auth"), None);

    let failed = json!({"kind": "TransformFailed", "origin": "server", "reason": "database",
        "message": "down", "queryIDs": ["q1"], "details": 7});
    let legacy = json!(["transformFailed", failed]);
    for answer in [failed, legacy] {
        server.answer(move |_| ok(&answer));
        let error = endpoint.transform(&ada(), &[query("q1")]).await.expect_err("refused");
        assert_eq!(reason(&error), (ErrorKind::TransformFailed, "database"));
        assert_eq!((error.message.as_str(), &error.extra["details"]), ("down", &json!(7)));
        assert_eq!(error.extra["origin"], "server");
    }
    for unreadable in
        ["", "7", "{}", "[]", "{\"kind\":\"QueryResponse\"}", "[\"transformed\"]", "<html>"]
    {
        server.answer(move |_| (200, unreadable.to_owned()));
        let error = endpoint.transform(&ada(), &[query("q1")]).await.expect_err("unreadable");
        assert_eq!(reason(&error), (ErrorKind::TransformFailed, "parse"), "{unreadable}");
        let error = endpoint.push(&ada(), &push).await.expect_err("unreadable");
        assert_eq!(reason(&error), (ErrorKind::PushFailed, "parse"), "{unreadable}");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let server = TestServer::start(move |asked| match counted.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => (503, String::new()),
        _ => application(asked),
    })
    .await;
    let endpoint = endpoint(&server, |_| {});
    assert!(endpoint.transform(&ada(), &[query("q1")]).await.is_ok());
    assert_eq!(count.load(Ordering::Relaxed), 3);
    server.answer(|_| (500, "broken".to_owned()));
    let error = endpoint.push(&ada(), &json!({"mutations": []})).await.expect_err("refused");
    assert_eq!(reason(&error), (ErrorKind::PushFailed, "http"));
    // What it says while it fails is for the log.
    assert_eq!((&error.extra["status"], error.extra.get("bodyPreview")), (&json!(500), None));
    assert!(!error.frame().contains("broken"), "{}", error.message);
    assert_eq!(server.asked().len(), 3 + 4);
    // A redirect to elsewhere is not followed: the token would go there.
    let elsewhere = TestServer::start(application).await;
    let target = format!("{}/api", elsewhere.url);
    server.answer(move |_| (307, target.clone()));
    let error = endpoint.transform(&ada(), &[]).await.expect_err("refused");
    assert_eq!(
        (reason(&error), &error.extra["status"]),
        ((ErrorKind::TransformFailed, "http"), &json!(307))
    );
    assert!(elsewhere.asked().is_empty());
    server.answer(|asked| match asked.target.starts_with("/api") {
        true => (308, "/moved".to_owned()),
        false => application(asked),
    });
    assert!(endpoint.transform(&ada(), &[]).await.is_ok());
    drop(server);
    let error = endpoint.transform(&ada(), &[]).await.expect_err("nobody there");
    assert_eq!(reason(&error), (ErrorKind::TransformFailed, "internal"));
}

#[tokio::test]
async fn answers_that_do_not_come_or_do_not_end_are_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let settings = Settings {
        urls: vec![url],
        timeout: Some(Duration::from_millis(50)),
        ..Settings::default()
    };
    let silent = Endpoint::new(settings, App::default()).expect("good settings");
    let error = silent.transform(&ada(), &[]).await.expect_err("no answer");
    assert_eq!(reason(&error), (ErrorKind::TransformFailed, "timeout"));

    let server = TestServer::start(|_| (200, " ".repeat(LONGEST_ANSWER + 1))).await;
    let error = endpoint(&server, |_| {}).transform(&ada(), &[]).await.expect_err("too long");
    assert_eq!(reason(&error), (ErrorKind::TransformFailed, "internal"));
    assert!(error.message.contains("cannot be asked; "), "{}", error.message);
}

#[tokio::test]
async fn clients_choose_among_the_urls_that_are_configured() {
    let server = TestServer::start(application).await;
    let endpoint = endpoint(&server, |_| {});
    let asking = |url: String| Caller { url: Some(url), ..ada() };
    let preview = asking(format!("{}/v2/api?b=1#x", server.url));
    endpoint.transform(&preview, &[]).await.expect("an answer");
    assert_eq!(server.asked()[0].target, "/v2/api?b=1&schema=zero_0&appID=zero");
    let host = server.url.trim_start_matches("http://");
    for url in [
        format!("{}/other", server.url),
        format!("{}/a/b/api", server.url),
        format!("{}/v2/api?appID=evil", server.url),
        format!("http://evil@{host}/v2/api"),
        "http://169.254.169.254/v2/api".to_owned(),
        "file:///v2/api".to_owned(),
        "no url".to_owned(),
    ] {
        let error = endpoint.transform(&asking(url.clone()), &[]).await.expect_err("not allowed");
        assert_eq!(reason(&error), (ErrorKind::TransformFailed, "internal"), "{url}");
    }
    assert_eq!(server.asked().len(), 1);
    let none = Endpoint::new(Settings::default(), App::default());
    assert_eq!(none.err(), Some(SettingsError::NoUrl));
}

#[tokio::test]
async fn mutations_are_taken_or_refused_as_a_whole() {
    let taken = json!({"kind": "MutateResponse", "userID": "ada", "mutations": [
        {"id": {"clientID": "c", "id": 1}, "result": {"error": "app", "message": "no"}},
        {"id": {"clientID": "c", "id": 2}, "result": {"error": "alreadyProcessed"}},
        {"id": {"clientID": "c", "id": 3}, "result": {}}]});
    let mut legacy = taken.clone();
    legacy.as_object_mut().expect("an object").remove("kind");
    let first = taken.clone();
    let server = TestServer::start(move |_| ok(&first)).await;
    let endpoint = endpoint(&server, |_| {});
    let push = json!({"clientGroupID": "g", "pushVersion": 1, "timestamp": 1, "requestID": "r",
        "mutations": [{"type": "custom", "id": 1, "clientID": "c", "name": "x", "args": []}]});
    assert_eq!(endpoint.push(&ada(), &push).await, Ok(()));
    assert_eq!(server.asked()[0].body, push);
    server.answer(move |_| ok(&legacy));
    assert_eq!(endpoint.push(&ada(), &push).await, Ok(()));
    let cases = [
        (
            json!({"kind": "PushFailed", "origin": "server", "reason": "oooMutation", "message": "m", "mutationIDs": []}),
            "oooMutation",
        ),
        (json!({"kind": "PushFailed", "reason": "nonsense"}), "internal"),
        (
            json!({"mutations": [{"id": {"clientID": "c", "id": 5}, "result": {"error": "oooMutation", "details": "d"}}]}),
            "oooMutation",
        ),
        (json!({"error": "unsupportedPushVersion"}), "unsupportedPushVersion"),
        (json!({"error": "zeroPusher", "details": "d"}), "internal"),
        (json!({"error": "http", "status": 403, "details": "d"}), "http"),
        (json!({"kind": "QueryResponse", "queries": []}), "parse"),
    ];
    for (answer, expected) in cases {
        let shown = answer.to_string();
        server.answer(move |_| ok(&answer));
        let error = endpoint.push(&ada(), &push).await.expect_err("refused");
        assert_eq!(reason(&error), (ErrorKind::PushFailed, expected), "{shown}");
        assert!(error.extra["mutationIDs"].is_array(), "{shown}");
    }
    server.answer(move |_| ok(&taken));
    assert_eq!(endpoint.clean_up(&ada(), "g", "c", 7, 99).await, Ok(()));
    let asked = server.asked();
    let body = &asked[asked.len() - 1].body;
    let expected = json!({"type": "custom", "id": 0, "clientID": "c", "name": "_zero_cleanupResults",
        "args": [{"type": "single", "clientGroupID": "g", "clientID": "c", "upToMutationID": 7}], "timestamp": 99});
    assert_eq!((&body["mutations"][0], &body["requestID"]), (&expected, &json!("cleanup-g-c-7")));
}
