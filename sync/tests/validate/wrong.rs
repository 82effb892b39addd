//! For each rule a session that breaks it and nothing else, and one that keeps it.

use penstock_sync::validate::{Rule, Session, Store, Upgrade, before, plain};
use serde_json::{Value as Json, json};

/// Something that happens on a socket.
enum Step {
    Accepted(Option<&'static str>),
    Up(Json),
    Down(Json),
    Text(&'static str),
    Binary,
    Closed,
    Quiet,
}

use Step::{Accepted, Binary, Closed, Down, Quiet, Text, Up};

fn upgrade() -> Upgrade {
    let schema = json!({"tables": {"issue": {
        "columns": {"id": {"type": "string"}, "rank": {"type": "number"}, "meta": {"type": "json"}},
        "primaryKey": ["id"],
    }}});
    let queries = json!([{"op": "put", "hash": "q", "ttl": 0, "ast": {"table": "issue"}}]);
    let init = json!({"desiredQueriesPatch": queries, "clientSchema": schema});
    Upgrade {
        client: "me".to_owned(),
        wsid: "socket".to_owned(),
        protocol: "abc".to_owned(),
        alone: true,
        init: Some(json!(["initConnection", init])),
    }
}

/// The broken rules of a session.
fn broken(steps: Vec<Step>) -> Vec<Rule> {
    let oracle = |hash: &str, store: &Store| {
        let rows = store.rows("issue").count();
        if hash == "q" && rows == 0 { Err("no rows".to_owned()) } else { Ok(()) }
    };
    let mut session = Session::begin(upgrade(), Store::default()).with_oracle(oracle);
    for step in steps {
        match step {
            Accepted(protocol) => session.accepted(protocol),
            Up(message) => session.sent(&message.to_string()),
            Down(message) => session.received(&message.to_string()),
            Text(text) => session.received(text),
            Binary => session.received_binary(),
            Closed => session.closed(),
            Quiet => session.quiet(),
        }
    }
    session.violations().iter().map(|violation| violation.rule).collect()
}

fn connected() -> Step {
    Down(json!(["connected", {"wsid": "socket", "timestamp": 1.5, "more": true}]))
}

fn start(base: Json) -> Step {
    Down(json!(["pokeStart", {"pokeID": "p", "baseCookie": base}]))
}

fn part(patch: Json) -> Step {
    let mut body = json!({"pokeID": "p"});
    for (name, value) in patch.as_object().expect("patches") {
        body[name] = value.clone();
    }
    Down(json!(["pokePart", body]))
}

fn end(cookie: &str) -> Step {
    Down(json!(["pokeEnd", {"pokeID": "p", "cookie": cookie}]))
}

fn put(id: &str) -> Json {
    json!({"op": "put", "tableName": "issue", "value": {"id": id, "rank": 1, "meta": null}})
}

fn got(op: &str, hash: &str) -> Json {
    json!([{"op": op, "hash": hash}])
}

/// Connected, and brought up to cookie "05" with one row and the query.
fn greeted() -> Vec<Step> {
    let rows = json!({"rowsPatch": [put("i")], "gotQueriesPatch": got("put", "q")});
    vec![Accepted(Some("abc")), connected(), start(Json::Null), part(rows), end("05")]
}

fn then(more: Vec<Step>) -> Vec<Step> {
    greeted().into_iter().chain(more).collect()
}

/// After the greeting, a poke of one part.
fn poke(patch: Json, cookie: &str) -> Vec<Step> {
    then(vec![start(json!("05")), part(patch), end(cookie)])
}

fn rows(ops: Json) -> Vec<Step> {
    poke(json!({"rowsPatch": ops}), "06")
}

fn error(body: Json) -> Vec<Step> {
    then(vec![Down(json!(["error", body]))])
}

fn push(id: u64) -> Step {
    Up(json!(["push", {"mutations": [{"clientID": "me", "id": id}]}]))
}

fn lmid(id: u64) -> Json {
    json!({"lastMutationIDChanges": {"me": id}})
}

fn wrong(rule: Rule) -> Vec<Vec<Step>> {
    let clear = json!({"op": "clear"});
    let internal =
        || Down(json!(["error", {"kind": "Internal", "message": "", "origin": "server"}]));
    match rule {
        Rule::UpgradeEchoesProtocol => {
            vec![vec![Accepted(None)], vec![Accepted(Some("ab%63"))]]
        }
        Rule::ConnectedFirst => vec![vec![Down(json!(["pong", {}]))]],
        Rule::ConnectedOnce => vec![then(vec![connected()])],
        Rule::ConnectedNamesSocket => vec![vec![Down(json!(["connected", {"wsid": "other"}]))]],
        Rule::TextOnly => vec![then(vec![Binary])],
        Rule::WellFormed => malformed(),
        Rule::KnownType => vec![then(vec![Down(json!(["hello", {}]))])],
        Rule::OnePokeAtATime => vec![then(vec![start(json!("05")), start(json!("05"))])],
        Rule::OnePokeId => vec![
            then(vec![end("06")]),
            then(vec![part(json!({}))]),
            then(vec![
                start(json!("05")),
                Down(json!(["pokePart", {"pokeID": "other"}])),
                end("06"),
            ]),
        ],
        Rule::BaseIsClientsCookie => vec![then(vec![start(json!("04")), end("06")])],
        Rule::NullBaseOnlyForEmpty => vec![then(vec![start(Json::Null), end("06")])],
        Rule::CookieGrows => vec![
            poke(json!({}), "04"),
            then(vec![
                start(json!("05")),
                end("\u{fb00}"),
                start(json!("\u{fb00}")),
                end("\u{1f600}"),
            ]),
        ],
        Rule::CookieNotEmpty => vec![poke(json!({}), "")],
        Rule::PatchNeedsNewCookie => vec![poke(json!({"rowsPatch": [put("j")]}), "05")],
        Rule::InitialPoke => vec![vec![connected(), Quiet]],
        Rule::NoClearOfQueries => {
            vec![poke(json!({"gotQueriesPatch": [clear], "rowsPatch": [put("i")]}), "06")]
        }
        Rule::ClearComesFirst => vec![
            rows(json!([put("i"), clear])),
            poke(json!({"rowsPatch": [clear, put("i")], "gotQueriesPatch": got("put", "q")}), "06"),
        ],
        Rule::WholeRows => {
            let value =
                |value: Json| rows(json!([{"op": "put", "tableName": "issue", "value": value}]));
            vec![
                value(json!({"id": "i", "rank": 1})),
                value(json!({"id": "i", "rank": "1", "meta": null})),
                value(json!({"id": null, "rank": 1, "meta": null})),
                rows(json!([{"op": "update", "tableName": "issue", "id": {"id": "i"},
                    "constrain": ["id", "rank"]}])),
            ]
        }
        Rule::ExactKeys => {
            let del = |id: Json| rows(json!([{"op": "del", "tableName": "issue", "id": id}]));
            vec![del(json!({})), del(json!({"id": "i", "rank": 1})), del(json!({"id": null}))]
        }
        Rule::UpdateOfKnownRow => {
            vec![rows(json!([{"op": "update", "tableName": "issue", "id": {"id": "x"}}]))]
        }
        Rule::GotIsDesired => vec![poke(json!({"gotQueriesPatch": got("put", "other")}), "06")],
        Rule::GotAfterRows => {
            let early = json!({"gotQueriesPatch": got("put", "q")});
            let late = json!({"rowsPatch": [put("i")]});
            let poke = [connected(), start(Json::Null), part(early), end("05")];
            vec![poke.into_iter().chain([start(json!("05")), part(late), end("06")]).collect()]
        }
        Rule::MutationIdsGrow => vec![then(vec![
            push(1),
            push(2),
            start(json!("05")),
            part(lmid(2)),
            part(lmid(1)),
            end("06"),
        ])],
        Rule::NoUnsentMutation => vec![poke(lmid(1), "06")],
        Rule::ResultsAreFailures => {
            let mutation = json!({"id": {"clientID": "me", "id": 1}, "result": {}});
            vec![poke(json!({"mutationsPatch": [{"op": "put", "mutation": mutation}]}), "06")]
        }
        Rule::ErrorHasOrigin => vec![
            error(json!({"kind": "Rebalance", "message": ""})),
            error(json!({"kind": "Internal", "message": ""})),
        ],
        Rule::ClosesAfterError => {
            vec![then(vec![internal(), Down(json!(["pong", {}]))]), then(vec![internal(), Quiet])]
        }
        Rule::PongForPing => vec![then(vec![Up(json!(["ping", {}])), Quiet])],
        Rule::NothingAfterClose => vec![then(vec![Closed, Down(json!(["pong", {}]))])],
        Rule::PokeEnds => vec![then(vec![start(json!("05")), Quiet])],
    }
}

fn malformed() -> Vec<Vec<Step>> {
    let messages = [
        json!({}),
        json!(["pong"]),
        json!(["pong", null]),
        json!([1, {}]),
        json!(["pokeStart", {"pokeID": "p"}]),
        json!(["pokeStart", {"pokeID": 1, "baseCookie": null}]),
        json!(["error", {"kind": "Nonsense", "message": "", "origin": "server"}]),
        json!(["error", {"kind": "Rebalance", "message": "", "origin": "server"}]),
        json!(["error", {"kind": "Internal", "origin": "server"}]),
        json!(["error", {"kind": "PushFailed", "message": "", "origin": "server",
            "reason": "http", "mutationIDs": []}]),
        json!(["error", {"kind": "TransformFailed", "message": "", "origin": "zeroCache",
            "reason": "http", "queryIDs": []}]),
        json!(["transformError", [{"error": "app", "id": "q"}]]),
        json!(["transformError", {}]),
        json!(["deleteClients", {"clientIDs": "me"}]),
        json!(["pushResponse", {"mutations": [{"id": 1, "result": {}}]}]),
    ];
    let parts = [
        json!({"rowsPatch": {}}),
        json!({"rowsPatch": [{"op": "put", "tableName": "issue"}]}),
        json!({"rowsPatch": [{"op": "drop", "tableName": "issue", "id": {}}]}),
        json!({"gotQueriesPatch": [{"op": "put"}]}),
        json!({"desiredQueriesPatches": [{"op": "put", "hash": "q"}]}),
        json!({"lastMutationIDChanges": {"me": "1"}}),
        json!({"mutationsPatch": [{"op": "del", "id": 1}]}),
        json!({"mutationsPatch": [{"op": "put", "mutation": {"id": {"clientID": "me", "id": 1},
            "result": {"error": "whatever"}}}]}),
    ];
    let messages = messages.into_iter().map(|message| then(vec![Down(message)]));
    let parts =
        parts.into_iter().map(|patch| then(vec![start(json!("05")), part(patch), end("05")]));
    let texts = ["{", ""].map(|text| then(vec![Text(text)]));
    messages.chain(parts).chain(texts).collect()
}

#[test]
fn each_rule_finds_what_breaks_it() {
    for rule in Rule::ALL {
        let sessions = wrong(rule);
        assert!(!sessions.is_empty());
        for (number, session) in sessions.into_iter().enumerate() {
            assert_eq!(broken(session), [rule], "session {number} of {rule:?}");
        }
    }
}

#[test]
fn what_is_allowed_breaks_no_rule() {
    let clear = json!({"op": "clear"});
    let update = json!({"op": "update", "tableName": "issue", "id": {"id": "i"},
        "merge": {"rank": 2.5}});
    let backoff = json!({"kind": "Rehome", "message": "", "origin": "zeroCache",
        "maxBackoffMs": 10, "reconnectParams": {"a": "b"}});
    let failed = json!({"kind": "PushFailed", "message": "", "origin": "server",
        "reason": "oooMutation", "mutationIDs": [{"clientID": "me", "id": 5}]});
    let sessions = [
        then(vec![Quiet]),
        then(vec![Down(json!(["pong", {}])), Quiet]),
        then(vec![Up(json!(["ping", {}])), Down(json!(["pong", {}])), Quiet]),
        then(vec![start(json!("05")), end("05"), Quiet]),
        then(vec![
            start(json!("04")),
            part(json!({"rowsPatch": [clear]})),
            Down(json!(["pokeEnd", {"pokeID": "p", "cookie": "", "cancel": true}])),
        ]),
        then(vec![
            start(json!("05")),
            part(json!({"rowsPatch": [clear, put("j")]})),
            part(json!({"gotQueriesPatch": got("put", "q")})),
            end("06"),
        ]),
        rows(json!([update])),
        rows(json!([{"op": "put", "tableName": "unknown", "value": {}}])),
        rows(json!([{"op": "del", "tableName": "issue", "id": {"id": "never seen"}}])),
        poke(json!({"gotQueriesPatch": got("del", "other")}), "06"),
        then(vec![push(1), start(json!("05")), part(lmid(1)), end("06")]),
        then(vec![Down(json!(["error", backoff])), Closed, Quiet]),
        then(vec![Down(json!(["error", failed])), Closed, Quiet]),
        then(vec![
            Down(
                json!(["error", {"kind": "MutationRateLimited", "message": "", "origin": "zeroCache"}]),
            ),
            Down(json!(["pong", {}])),
            Quiet,
        ]),
        then(vec![start(json!("05")), Closed, Quiet]),
        vec![
            Accepted(Some("abc")),
            Down(
                json!(["error", {"kind": "VersionNotSupported", "message": "", "origin": "zeroCache"}]),
            ),
            Closed,
            Quiet,
        ],
        then(vec![Down(json!(["transformError", [
            {"error": "parse", "id": "q", "name": "n", "message": "m"}]]))]),
        then(vec![Down(json!(["deleteClients", {"clientIDs": ["me"]}]))]),
    ];
    for (number, session) in sessions.into_iter().enumerate() {
        assert_eq!(broken(session), [], "session {number}");
    }
}

#[test]
fn the_store_is_what_the_client_would_hold() {
    let mut session = Session::begin(upgrade(), Store::default());
    let mut steps = rows(json!([
        put("j"),
        {"op": "update", "tableName": "issue", "id": {"id": "i"}, "merge": {"rank": 2.0}},
        {"op": "del", "tableName": "issue", "id": {"id": "x"}},
    ]));
    steps.extend([start(json!("06")), end("06")]);
    for step in steps {
        if let Down(message) = step {
            session.received(&message.to_string());
        }
    }
    let store = session.store();
    let held: Vec<&Json> = store.rows("issue").collect();
    let expected =
        [json!({"id": "i", "rank": 2, "meta": null}), json!({"id": "j", "rank": 1, "meta": null})];
    assert_eq!(held, [&expected[0], &expected[1]]);
    assert_eq!((store.cookie(), session.pokes()), (Some("06"), 3));
    assert!(store.got().contains("q") && store.asked("q").is_some());

    // A refused poke changes nothing; `clear` drops rows and queries, but no mutation ids.
    let mut session = Session::begin(upgrade(), session.into_store());
    for step in [
        push(3),
        connected(),
        start(json!("05")),
        part(json!({"rowsPatch": [put("k")]})),
        end("07"),
    ] {
        match step {
            Up(message) => session.sent(&message.to_string()),
            Down(message) => session.received(&message.to_string()),
            _ => {}
        }
    }
    assert_eq!(session.store().rows("issue").count(), 2);
    for step in [
        start(json!("06")),
        part(lmid(3)),
        part(json!({"rowsPatch": [{"op": "clear"}]})),
        end("07"),
    ] {
        let Down(message) = step else { panic!("frames of the server") };
        session.received(&message.to_string());
    }
    let store = session.into_store();
    assert_eq!((store.counts().len(), store.got().len(), store.last_mutation_id("me")), (0, 0, 3));
}

#[test]
fn numbers_are_doubles_and_cookies_utf_16() {
    assert_eq!(plain(&json!([1.0, {"a": 1e3}, 0.5, -0.0])), json!([1, {"a": 1000}, 0.5, 0]));
    assert_eq!(plain(&json!(1e21)), json!(1e21));
    assert!(before("9", "91") && !before("9", "10") && !before("a", "a"));
    assert!(before("\u{1f600}", "\u{fb00}") && "\u{1f600}" > "\u{fb00}");
}
