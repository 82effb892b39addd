use std::sync::Mutex;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value as Json, json};

use super::*;
use crate::test_http::TestServer;

const NOW: f64 = 1_000_000.0;
const SECRET: &str = "a secret of this test, long enough";

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(include_bytes!("test_keys/rsa.der"))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("test_keys/ec.der"))
}

fn ed() -> EncodingKey {
    EncodingKey::from_ed_der(include_bytes!("test_keys/ed.der"))
}

fn jwk(key: &EncodingKey, algorithm: Algorithm, id: &str) -> Json {
    let jwk = Jwk::from_encoding_key(key, algorithm).expect("a key");
    let mut jwk = serde_json::to_value(jwk).expect("JSON");
    jwk["kid"] = json!(id);
    jwk
}

fn token(algorithm: Algorithm, id: Option<&str>, key: &EncodingKey, claims: &Json) -> String {
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    encode(&header, claims, key).expect("a token")
}

fn verifier(settings: &Settings) -> Verifier {
    Verifier::new(settings, Arc::new(|| NOW)).expect("good settings")
}

fn with_secret() -> Verifier {
    verifier(&Settings { secret: Some(SECRET.to_owned()), ..Settings::default() })
}

fn signed(claims: &Json) -> String {
    token(Algorithm::HS256, None, &EncodingKey::from_secret(SECRET.as_bytes()), claims)
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let mut bits = 0;
        for at in 0..3 {
            bits = bits << 8 | u32::from(*piece.get(at).unwrap_or(&0));
        }
        for at in 0..=piece.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

#[tokio::test]
async fn tokens_signed_with_the_secret_are_believed() {
    let verifier = with_secret();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = token(algorithm, None, &key, &json!({"sub": "ada", "role": {"name": "x"}}));
        let claims = verifier.verify(&token).await.expect("a genuine token");
        assert_eq!(claims.user(), Some("ada"));
        assert_eq!(claims.members["role"], json!({"name": "x"}));
    }
}

#[tokio::test]
async fn forged_and_unsigned_tokens_are_refused() {
    let verifier = with_secret();
    let other = EncodingKey::from_secret(b"another secret");
    let forged = token(Algorithm::HS256, None, &other, &json!({"sub": "ada"}));
    assert_eq!(verifier.verify(&forged).await, Err(AuthError::BadSignature));

    let genuine = signed(&json!({"sub": "ada"}));
    let parts: Vec<&str> = genuine.split('.').collect();
    let claims = base64url(br#"{"sub":"eve"}"#);
    let changed = format!("{}.{claims}.{}", parts[0], parts[2]);
    assert_eq!(verifier.verify(&changed).await, Err(AuthError::BadSignature));
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = base64url(format!(r#"{{"typ":"JWT","alg":"{none}"}}"#).as_bytes());
        for signature in ["", parts[2]] {
            let unsigned = format!("{header}.{claims}.{signature}");
            let refused = verifier.verify(&unsigned).await.expect_err("it is not signed");
            assert!(matches!(refused, AuthError::Malformed { .. }), "{none}: {refused}");
        }
    }
    let without_signature = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(verifier.verify(&without_signature).await, Err(AuthError::BadSignature));
    let extended = base64url(br#"{"alg":"HS256","crit":["b64"],"b64":false}"#);
    for text in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "\u{1f600}.\u{0}.x",
        &format!("{extended}.{claims}.x"),
        &"x".repeat(100_000),
    ] {
        let refused = verifier.verify(text).await.expect_err("no token");
        assert!(matches!(refused, AuthError::Malformed { .. }), "{text}: {refused}");
    }
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_a_secret() {
    let public = jwk(&rsa(), Algorithm::RS256, "k");
    let mut of_any_algorithm = public.clone();
    of_any_algorithm.as_object_mut().expect("an object").remove("alg");
    for jwk in [public, of_any_algorithm] {
        let text = jwk.to_string();
        let settings = Settings { jwk: Some(text.clone()), ..Settings::default() };
        let verifier = verifier(&settings);
        let modulus = jwk["n"].as_str().expect("a modulus");
        for secret in [text.as_bytes(), modulus.as_bytes(), include_bytes!("test_keys/rsa.der")] {
            let key = EncodingKey::from_secret(secret);
            let confused = token(Algorithm::HS256, None, &key, &json!({"sub": "eve"}));
            let refused = verifier.verify(&confused).await.expect_err("signed by anybody");
            assert!(matches!(refused, AuthError::Algorithm { .. }), "{refused}");
        }
        let genuine = token(Algorithm::RS256, None, &rsa(), &json!({"sub": "ada"}));
        assert!(verifier.verify(&genuine).await.is_ok());
    }
}

#[tokio::test]
async fn each_kind_of_public_key_verifies_its_own_tokens_only() {
    let keys = [(rsa(), Algorithm::RS256), (ec(), Algorithm::ES256), (ed(), Algorithm::EdDSA)];
    for (key, algorithm) in &keys {
        let settings =
            Settings { jwk: Some(jwk(key, *algorithm, "k").to_string()), ..Settings::default() };
        let verifier = verifier(&settings);
        for (other, of_other) in &keys {
            let token = token(*of_other, Some("k"), other, &json!({"sub": "ada"}));
            assert_eq!(verifier.verify(&token).await.is_ok(), algorithm == of_other);
        }
    }
    // The key says RS256, so RS512 is another's.
    let settings = Settings {
        jwk: Some(jwk(&rsa(), Algorithm::RS256, "k").to_string()),
        ..Settings::default()
    };
    let longer = token(Algorithm::RS512, None, &rsa(), &json!({}));
    assert_eq!(
        verifier(&settings).verify(&longer).await,
        Err(AuthError::Algorithm { found: "RS512".into(), allowed: "RS256".into() })
    );
}

#[tokio::test]
async fn times_are_looked_at_with_a_little_leeway() {
    let verifier = with_secret();
    let at = |name: &str, after: f64| signed(&json!({ name: NOW + after }));
    assert!(verifier.verify(&at("exp", 1.0)).await.is_ok());
    assert!(verifier.verify(&at("exp", -9.5)).await.is_ok());
    assert_eq!(verifier.verify(&at("exp", -10.0)).await, Err(AuthError::Expired { seconds: 10.0 }));
    assert!(verifier.verify(&at("nbf", 10.0)).await.is_ok());
    assert_eq!(
        verifier.verify(&at("nbf", 10.5)).await,
        Err(AuthError::NotYetValid { seconds: 10.5 })
    );
    for odd in [json!({"exp": "tomorrow"}), json!({"exp": null}), json!({"nbf": [1]})] {
        let refused = verifier.verify(&signed(&odd)).await.expect_err("no time");
        assert!(matches!(refused, AuthError::Malformed { .. }), "{refused}");
    }
}

#[tokio::test]
async fn issuer_audience_and_user_are_as_expected() {
    let verifier = verifier(&Settings {
        secret: Some(SECRET.to_owned()),
        issuer: Some("https://issuer".to_owned()),
        audience: Some("app".to_owned()),
        ..Settings::default()
    });
    let good = json!({"iss": "https://issuer", "aud": ["other", "app"], "sub": "ada"});
    let good = signed(&good);
    assert!(verifier.verify_for(&good, Some("ada")).await.is_ok());
    assert_eq!(verifier.verify_for(&good, Some("eve")).await, Err(AuthError::WrongUser));
    assert_eq!(verifier.verify_for(&good, None).await, Err(AuthError::WrongUser));
    let aud_text = signed(&json!({"iss": "https://issuer", "aud": "app"}));
    assert!(verifier.verify(&aud_text).await.is_ok());
    for (claims, refusal) in [
        (json!({"aud": "app"}), AuthError::WrongIssuer),
        (json!({"iss": "https://other", "aud": "app"}), AuthError::WrongIssuer),
        (json!({"iss": "https://issuer"}), AuthError::WrongAudience),
        (json!({"iss": "https://issuer", "aud": ["x"]}), AuthError::WrongAudience),
    ] {
        assert_eq!(verifier.verify(&signed(&claims)).await, Err(refusal), "{claims}");
    }
}

#[tokio::test]
async fn without_keys_tokens_are_opaque() {
    let verifier = verifier(&Settings::default());
    assert!(verifier.is_opaque() && Verifier::opaque().is_opaque());
    let claims = verifier.verify_for("anything at all", Some("ada")).await;
    assert_eq!(claims, Ok(Claims::default()));
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let of = |settings: Settings| Verifier::new(&settings, Arc::new(|| NOW)).err();
    let text = |text: &str| Some(text.to_owned());
    let both = Settings { secret: text("x"), jwk: text("{}"), ..Settings::default() };
    assert_eq!(of(both), Some(SettingsError::SeveralKeys));
    let unverified = Settings { issuer: text("x"), ..Settings::default() };
    assert_eq!(of(unverified), Some(SettingsError::NoKeys));
    let empty = Settings { secret: text(""), ..Settings::default() };
    assert_eq!(of(empty), Some(SettingsError::EmptySecret));
    let mut encryption = jwk(&rsa(), Algorithm::RS256, "k");
    encryption["use"] = json!("enc");
    let mut confused = jwk(&rsa(), Algorithm::RS256, "k");
    confused["alg"] = json!("HS256");
    for key in ["no JSON".to_owned(), "{}".to_owned(), encryption.to_string(), confused.to_string()]
    {
        let refused = of(Settings { jwk: Some(key), ..Settings::default() });
        assert!(matches!(refused, Some(SettingsError::BadKey { .. })), "{refused:?}");
    }
    for url in ["no url", "file:///etc/passwd"] {
        let refused = of(Settings { jwks_url: text(url), ..Settings::default() });
        assert!(matches!(refused, Some(SettingsError::BadUrl { .. })), "{refused:?}");
    }
    let shown = format!("{:?}", Settings { secret: text("hush"), ..Settings::default() });
    assert!(!shown.contains("hush"), "{shown}");
}

/// A verifier of the keys that a server publishes, which may be asked again after so many seconds.
fn published(url: &str, pause: f64, renew_after: f64) -> Verifier {
    let mut set = KeySet::new(&format!("{url}/keys")).expect("a URL");
    set.pause = Duration::from_secs_f64(pause);
    set.renew_after = Duration::from_secs_f64(renew_after);
    Verifier { keys: Keys::Published(Arc::new(set)), ..with_secret() }
}

fn set(keys: &[Json]) -> String {
    json!({ "keys": keys }).to_string()
}

#[tokio::test]
async fn published_keys_rotate_and_outlive_their_server() {
    let first = set(&[jwk(&rsa(), Algorithm::RS256, "one"), json!({"kty": "odd", "kid": "odd"})]);
    let server = TestServer::start(move |_| (200, first.clone())).await;
    let verifier = published(&server.url, 0.0, 1e6);
    let by_one = token(Algorithm::RS256, Some("one"), &rsa(), &json!({"sub": "ada"}));
    let by_two = token(Algorithm::ES256, Some("two"), &ec(), &json!({"sub": "bob"}));
    assert!(server.asked().is_empty());
    assert!(verifier.verify(&by_one).await.is_ok());
    assert!(verifier.verify(&by_one).await.is_ok());
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    // The issuer is told nothing of the token.
    assert_eq!((asked[0].target.as_str(), &asked[0].body), ("/keys", &Json::Null));
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(
        verifier.verify(&by_two).await,
        Err(AuthError::UnknownKey { key: "two".to_owned() })
    );
    let second = set(&[jwk(&ec(), Algorithm::ES256, "two")]);
    server.answer(move |_| (200, second.clone()));
    assert!(verifier.verify(&by_two).await.is_ok());
    // The first key has been withdrawn.
    assert!(matches!(verifier.verify(&by_one).await, Err(AuthError::UnknownKey { .. })));
    // A wrong answer and no answer leave the keys as they are.
    let wrong =
        [(500, String::new()), (200, "no".into()), (200, set(&[])), (200, " ".repeat(2 << 20))];
    for answer in wrong {
        server.answer(move |_| answer.clone());
        assert!(matches!(verifier.verify(&by_one).await, Err(AuthError::UnknownKey { .. })));
        assert!(verifier.verify(&by_two).await.is_ok());
    }
    drop(server);
    assert!(matches!(verifier.verify(&by_one).await, Err(AuthError::UnknownKey { .. })));
    assert!(verifier.verify(&by_two).await.is_ok());
}

#[tokio::test]
async fn unknown_keys_do_not_make_the_issuer_work() {
    let keys = set(&[jwk(&ed(), Algorithm::EdDSA, "one")]);
    let server = TestServer::start(move |_| (200, keys.clone())).await;
    let verifier = published(&server.url, 1e6, 1e6);
    let mut checks = tokio::task::JoinSet::new();
    for id in 0..50 {
        let verifier = verifier.clone();
        let token = token(Algorithm::EdDSA, Some(&id.to_string()), &ed(), &json!({}));
        checks.spawn(async move { verifier.verify(&token).await });
    }
    while let Some(done) = checks.join_next().await {
        let refused = done.expect("no panic").expect_err("an unknown key");
        assert!(matches!(refused, AuthError::UnknownKey { .. }), "{refused}");
    }
    assert_eq!(server.asked().len(), 1);
    // A token that names no key may be signed with any.
    assert!(verifier.verify(&token(Algorithm::EdDSA, None, &ed(), &json!({}))).await.is_ok());
    assert!(
        verifier.verify(&token(Algorithm::ES256, Some("one"), &ec(), &json!({}))).await.is_err()
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn secrets_that_are_published_are_not_used() {
    let secret =
        json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": base64url(SECRET.as_bytes())});
    let keys = set(&[secret.clone(), jwk(&ec(), Algorithm::ES256, "one")]);
    let server = TestServer::start(move |_| (200, keys.clone())).await;
    let verifier = published(&server.url, 0.0, 1e6);
    let by_secret = token(
        Algorithm::HS256,
        Some("s"),
        &EncodingKey::from_secret(SECRET.as_bytes()),
        &json!({}),
    );
    assert!(matches!(verifier.verify(&by_secret).await, Err(AuthError::UnknownKey { .. })));
    // Configured as the key, it is one.
    let settings = Settings { jwk: Some(secret.to_string()), ..Settings::default() };
    assert!(super::tests::verifier(&settings).verify(&by_secret).await.is_ok());
}

#[tokio::test]
async fn no_keys_yet_passes_and_old_keys_are_renewed_beside_their_use() {
    let server = TestServer::start(|_| (503, String::new())).await;
    let verifier = published(&server.url, 0.0, 0.0);
    let by_one = token(Algorithm::ES256, Some("one"), &ec(), &json!({}));
    let refused = verifier.verify(&by_one).await.expect_err("no keys");
    assert!(matches!(refused, AuthError::NoKeys { .. }) && refused.is_passing(), "{refused}");
    assert!(refused.to_string().contains("503"), "{refused}");

    let keys = set(&[jwk(&ec(), Algorithm::ES256, "one")]);
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    server.answer(move |_| {
        *counted.lock().expect("not poisoned") += 1;
        (200, keys.clone())
    });
    assert!(verifier.verify(&by_one).await.is_ok());
    // Each use finds the keys old and has them fetched again.
    while *count.lock().expect("not poisoned") < 3 {
        assert!(verifier.verify(&by_one).await.is_ok());
        tokio::task::yield_now().await;
    }
}
