//! Tokens that are forged, unsigned, of somebody else, or none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use crate::hostile::{Hostile, init};
use crate::world::{SECRET, World, now, put, signed, token};

fn unsigned(algorithm: &Json, claims: &Json, signature: &str) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", part(&json!({"alg": algorithm, "typ": "JWT"})), part(claims))
}

/// Tokens that say that somebody is bob, and do not prove it.
fn forged() -> Vec<(&'static str, String)> {
    let bob = json!({"sub": "bob", "exp": now() + 1000});
    let good = token("ada");
    let parts: Vec<&str> = good.split('.').collect();
    let other_claims = URL_SAFE_NO_PAD.encode(bob.to_string());
    let mut twisted = token("bob");
    twisted.truncate(twisted.len() - 4);
    vec![
        ("none", unsigned(&json!("none"), &bob, "")),
        ("None", unsigned(&json!("None"), &bob, "")),
        ("NONE with a signature", unsigned(&json!("NONE"), &bob, parts[2])),
        ("no algorithm", unsigned(&Json::Null, &bob, parts[2])),
        ("an algorithm for public keys", unsigned(&json!("RS256"), &bob, parts[2])),
        ("without a signature", unsigned(&json!("HS256"), &bob, "")),
        ("another's signature", format!("{}.{other_claims}.{}", parts[0], parts[2])),
        ("another secret", signed(&bob, "another secret, just as long as the real one")),
        ("an empty secret", signed(&bob, "")),
        ("a signature cut off", twisted),
        ("expired", signed(&json!({"sub": "bob", "exp": now() - 1000}), SECRET)),
        (
            "not yet valid",
            signed(&json!({"sub": "bob", "exp": now() + 9000, "nbf": now() + 5000}), SECRET),
        ),
        ("of nobody", signed(&json!({"exp": now() + 1000}), SECRET)),
        ("of somebody else", token("ada")),
        ("of a number", signed(&json!({"sub": 7, "exp": now() + 1000}), SECRET)),
        ("of a list", signed(&json!({"sub": ["bob"], "exp": now() + 1000}), SECRET)),
        ("two of them", format!("{good} {good}")),
        ("dots", "..".to_owned()),
        ("long", "a".repeat(9000)),
        ("SQL", "' OR 1 = 1 --".to_owned()),
    ]
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let world = World::new("tokens", &[]);
    for (what, token) in forged() {
        let mut hostile = Hostile::connect(&world, "forged", "bob", Some(&token)).await;
        hostile.say(&init(&put("all", &json!({"table": "note"}))).to_string()).await;
        let error = hostile.end().await.unwrap_or_else(|| panic!("{what}: no error"));
        let kind = error["kind"].as_str().unwrap_or_default();
        assert!(["Unauthorized", "AuthInvalidated"].contains(&kind), "{what}: {error}");
        assert!(
            !error.to_string().contains(SECRET) && !error.to_string().contains(&token),
            "{what}: {error}"
        );
        hostile.has_learnt_nothing();
    }
    // Without any token: nobody, who may not be somebody.
    let mut hostile = Hostile::connect(&world, "none", "bob", None).await;
    assert_eq!(hostile.end_kind().await.as_deref(), Some("Unauthorized"));
    hostile.has_learnt_nothing();
    // And as nobody there is nothing to be seen.
    let mut hostile = Hostile::connect(&world, "nobody", "", None).await;
    hostile.say(&init(&json!([])).to_string()).await;
    assert_eq!(hostile.ask("all", &json!({"table": "note"})).await, Ok(vec![]));
    hostile.has_learnt_nothing();
    drop(hostile);
    world.is_well().await;
}

#[tokio::test]
async fn a_connection_does_not_become_somebody_else() {
    let world = World::new("refresh", &[]);
    for (what, forged) in forged().into_iter().chain([("another's own", token("bob"))]) {
        let mut hostile = Hostile::ada(&world, "refresh").await;
        hostile.say(&json!(["updateAuth", {"auth": forged}]).to_string()).await;
        hostile.say(&json!(["changeDesiredQueries", {"desiredQueriesPatch": put("all", &json!({"table": "note"}))}]).to_string()).await;
        if what == "of somebody else" {
            // That is ada's, and so its own.
            assert!(hostile.settle().await, "{what}");
        } else {
            let kind = hostile.end_kind().await;
            let kind = kind.unwrap_or_default();
            assert!(["Unauthorized", "AuthInvalidated"].contains(&kind.as_str()), "{what}: {kind}");
        }
        hostile.has_learnt_nothing();
    }
    // Without a token it is nobody any more, and sees nothing.
    let mut hostile = Hostile::ada(&world, "logged-out").await;
    assert_eq!(hostile.ask("all", &json!({"table": "note"})).await.map(|rows| rows.len()), Ok(2));
    hostile.say(&json!(["updateAuth", {"auth": ""}]).to_string()).await;
    assert_eq!(hostile.end_kind().await.as_deref(), Some("Unauthorized"));
    world.is_well().await;
}
