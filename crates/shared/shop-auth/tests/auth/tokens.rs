//! Tokens that must not pass, one by one, and those that must.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::ToSpan;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use shop_auth::{Refusal, Verifier};
use shop_types::{Caller, ErrorKind, Role, ServiceError};

use crate::keys::{Keys, now, session, user};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token of any header and claims, signed as asked.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&str) -> String) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = sign(&message);
    format!("{message}.{signature}")
}

fn with(mut value: Value, name: &str, field: Value) -> Value {
    value[name] = field;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name).unwrap();
    value
}

async fn fixture() -> (Keys, std::sync::Arc<Verifier>) {
    let keys = Keys::new();
    let verifier = Verifier::load(&keys.auth).await.unwrap();
    (keys, verifier)
}

#[tokio::test]
async fn a_token_that_we_signed_names_its_user() {
    let (keys, verifier) = fixture().await;
    let token = keys.token(now());
    let caller = Caller::User { id: user(), role: Role::Staff, session: session() };
    assert_eq!(verifier.verify(&token, now()), Ok(caller));
}

#[tokio::test]
async fn unsigned_tokens_are_refused() {
    let (keys, verifier) = fixture().await;
    for alg in ["none", "None", "NONE", ""] {
        let header = with(keys.header(), "alg", alg.into());
        let unsigned = token(&header, &keys.claims(), |_| String::new());
        assert_eq!(verifier.verify(&unsigned, now()), Err(Refusal::Malformed), "{alg}");
        let signed = token(&header, &keys.claims(), |message| keys.signature(message));
        assert_eq!(verifier.verify(&signed, now()), Err(Refusal::Malformed), "{alg}");
    }
    let empty = token(&keys.header(), &keys.claims(), |_| String::new());
    assert_eq!(verifier.verify(&empty, now()), Err(Refusal::BadSignature));
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret() {
    let (keys, verifier) = fixture().await;
    let jwk = keys.signer.jwk();
    let x = jwk["x"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(x).unwrap();
    let secrets = [raw.clone(), x.as_bytes().to_vec(), jwk.to_string().into_bytes(), STANDARD.encode(raw).into_bytes()];
    for secret in secrets {
        let key = EncodingKey::from_secret(&secret);
        let sign = |message: &str| jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        let named = token(&with(keys.header(), "alg", "HS256".into()), &keys.claims(), sign);
        assert_eq!(verifier.verify(&named, now()), Err(Refusal::Malformed));
        let disguised = token(&keys.header(), &keys.claims(), sign);
        assert_eq!(verifier.verify(&disguised, now()), Err(Refusal::BadSignature));
    }
}

#[tokio::test]
async fn the_signature_must_be_that_of_the_named_key_over_this_very_text() {
    let (keys, verifier) = fixture().await;
    let stranger = Keys::new();
    let forged = token(&keys.header(), &keys.claims(), |message| stranger.signature(message));
    assert_eq!(verifier.verify(&forged, now()), Err(Refusal::BadSignature));

    let good = keys.token(now());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let swapped = format!("{header}.{}.{signature}", part(&with(keys.claims(), "role", "admin".into())));
    assert_eq!(verifier.verify(&swapped, now()), Err(Refusal::BadSignature));

    let short = &good[..good.len() - 4];
    assert_eq!(verifier.verify(short, now()), Err(Refusal::BadSignature));
    assert_eq!(verifier.verify(&format!("{good}AAAA"), now()), Err(Refusal::BadSignature));
    assert_eq!(verifier.verify(&format!("{good}="), now()), Err(Refusal::BadSignature));
}

#[tokio::test]
async fn no_signature_has_a_second_spelling() {
    let (keys, verifier) = fixture().await;
    let good = keys.token(now());
    // 64 bytes leave four unused bits in the last of 86 characters.
    let last = good.chars().last().unwrap();
    let others = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|other| *other != last);
    for other in others {
        let spelled = format!("{}{other}", &good[..good.len() - 1]);
        assert_eq!(verifier.verify(&spelled, now()), Err(Refusal::BadSignature), "{other}");
    }
}

#[tokio::test]
async fn what_has_not_three_parts_is_no_token() {
    let (keys, verifier) = fixture().await;
    let good = keys.token(now());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let texts = [
        String::new(),
        "..".into(),
        ".".into(),
        "...".into(),
        "not a token".into(),
        message.to_owned(),
        format!("{message}.."),
        format!("{message}..{signature}"),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{good}."),
        format!(" {good}"),
        format!("Bearer {good}"),
        format!("{}.{signature}", "a".repeat(5000)),
        "ü.ü.ü".into(),
        r#"{"payload":"x","signatures":[]}"#.into(),
    ];
    for text in texts {
        assert_eq!(verifier.verify(&text, now()), Err(Refusal::Malformed), "{text}");
    }
}

#[tokio::test]
async fn only_the_three_headers_of_ours_are_taken() {
    let (keys, verifier) = fixture().await;
    let stranger = Keys::new();
    let mut headers = vec![
        with(keys.header(), "typ", "JWT".into()),
        with(keys.header(), "typ", "at+JWT".into()),
        with(keys.header(), "alg", json!(["EdDSA"])),
        with(keys.header(), "alg", "ES256".into()),
        with(keys.header(), "alg", "RS256".into()),
        with(keys.header(), "kid", Value::Null),
        json!([]),
        json!("at+jwt"),
    ];
    headers.extend(["typ", "alg", "kid"].map(|name| without(keys.header(), name)));
    let smuggled = [
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("jwk", stranger.signer.jwk()),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ];
    headers.extend(smuggled.map(|(name, value)| with(keys.header(), name, value)));
    for header in headers {
        // Whoever signs: nothing in the header may choose the key.
        for signer in [&keys, &stranger] {
            let token = token(&header, &keys.claims(), |message| signer.signature(message));
            assert_eq!(verifier.verify(&token, now()), Err(Refusal::Malformed), "{header}");
        }
    }
}

#[tokio::test]
async fn a_header_said_twice_is_refused() {
    let (keys, verifier) = fixture().await;
    let kid = keys.signer.kid();
    let twice = format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}","alg":"none"}}"#);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(twice), part(&keys.claims()));
    let token = format!("{message}.{}", keys.signature(&message));
    assert_eq!(verifier.verify(&token, now()), Err(Refusal::Malformed));
}

#[tokio::test]
async fn a_key_id_is_only_ever_looked_up_in_the_set() {
    let (keys, verifier) = fixture().await;
    let path = keys.auth.key_set_file.to_str().unwrap().to_owned();
    let ids = ["", "other", "../../../../dev/null", &path, "' OR 1=1 --", "\u{0}", "*", "{\"$ne\":null}"];
    for kid in ids {
        let header = with(keys.header(), "kid", kid.into());
        let token = token(&header, &keys.claims(), |message| keys.signature(message));
        assert_eq!(verifier.verify(&token, now()), Err(Refusal::UnknownKey), "{kid}");
    }
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_leaves_good_tokens_alone() {
    let (keys, verifier) = fixture().await;
    for n in 0..10_000 {
        let header = with(keys.header(), "kid", format!("unknown-{n}").into());
        let token = token(&header, &keys.claims(), |_| "AAAA".into());
        assert_eq!(verifier.verify(&token, now()), Err(Refusal::UnknownKey));
    }
    assert!(verifier.verify(&keys.token(now()), now()).is_ok());
}

#[tokio::test]
async fn a_token_lives_from_its_start_to_its_end_and_no_more_than_the_leeway_beyond() {
    let (keys, verifier) = fixture().await;
    let token = keys.token(now());
    let at = |seconds: i64| verifier.verify(&token, now() + seconds.seconds());
    assert_eq!(at(-31), Err(Refusal::NotYet));
    assert!(at(-30).is_ok());
    assert!(at(600).is_ok());
    assert!(at(630).is_ok());
    assert_eq!(at(631), Err(Refusal::Expired));
    assert_eq!(at(86_400), Err(Refusal::Expired));
}

#[tokio::test]
async fn claims_that_are_signed_but_not_for_us_are_refused() {
    let (keys, verifier) = fixture().await;
    let second = now().as_second();
    let cases = [
        ("iss", json!("https://evil.example"), Refusal::WrongIssuer),
        ("iss", json!(""), Refusal::WrongIssuer),
        ("iss", json!("SHOPMESH"), Refusal::WrongIssuer),
        ("aud", json!("other"), Refusal::WrongAudience),
        ("aud", json!(["shopmesh", "other"]), Refusal::Malformed),
        ("nbf", json!(second + 31), Refusal::NotYet),
        ("iat", json!(second + 31), Refusal::NotYet),
        ("exp", json!(second - 31), Refusal::Expired),
        ("exp", json!(0), Refusal::Expired),
        ("exp", json!(-1), Refusal::Expired),
        ("exp", json!("4102444800"), Refusal::Malformed),
        ("exp", json!(1e30), Refusal::Malformed),
        ("exp", json!(i64::MAX), Refusal::Malformed),
        ("nbf", json!("soon"), Refusal::Malformed),
        ("role", json!("root"), Refusal::Malformed),
        ("role", json!(["admin"]), Refusal::Malformed),
        ("sub", json!("1"), Refusal::Malformed),
        ("sub", json!({ "$gt": "" }), Refusal::Malformed),
        ("sid", json!(null), Refusal::Malformed),
    ];
    for (name, value, refusal) in cases {
        let claims = with(keys.claims(), name, value);
        let token = token(&keys.header(), &claims, |message| keys.signature(message));
        assert_eq!(verifier.verify(&token, now()), Err(refusal), "{claims}");
    }
    let begun = with(keys.claims(), "nbf", json!(second + 30));
    let token = token(&keys.header(), &begun, |message| keys.signature(message));
    assert!(verifier.verify(&token, now()).is_ok());
}

#[tokio::test]
async fn every_claim_but_the_start_is_needed() {
    let (keys, verifier) = fixture().await;
    for name in ["iss", "aud", "sub", "sid", "role", "iat", "exp", "jti"] {
        let claims = without(keys.claims(), name);
        let token = token(&keys.header(), &claims, |message| keys.signature(message));
        assert_eq!(verifier.verify(&token, now()), Err(Refusal::Malformed), "{name}");
    }
}

#[tokio::test]
async fn claims_that_we_do_not_know_do_no_harm_until_the_token_is_too_long() {
    let (keys, verifier) = fixture().await;
    for (length, expected) in [(100, Ok(())), (4096, Err(Refusal::Malformed))] {
        let claims = with(keys.claims(), "note", "x".repeat(length).into());
        let token = token(&keys.header(), &claims, |message| keys.signature(message));
        assert_eq!(verifier.verify(&token, now()).map(|_| ()), expected, "{length}");
    }
}

#[tokio::test]
async fn nothing_is_believed_before_the_signature_holds() {
    let (keys, verifier) = fixture().await;
    let expired = with(keys.claims(), "exp", json!(0));
    let token = token(&keys.header(), &expired, |_| "AAAA".into());
    assert_eq!(verifier.verify(&token, now()), Err(Refusal::BadSignature));
}

#[tokio::test]
async fn a_revoked_session_is_refused_until_its_tokens_are_dead() {
    let (keys, verifier) = fixture().await;
    let token = keys.token(now());
    let expiry = now() + 600.seconds();
    verifier.revocations().revoke(session(), expiry);
    verifier.revocations().revoke(session(), now());
    assert_eq!(verifier.verify(&token, now()), Err(Refusal::Revoked));

    // The leeway counts here too: forgotten at its expiry, the token would live for 30 s more.
    for seconds in [0, 600, 630] {
        let later = now() + seconds.seconds();
        verifier.revocations().forget_expired(later);
        assert_eq!(verifier.verify(&token, later), Err(Refusal::Revoked), "{seconds}");
    }
    verifier.revocations().forget_expired(now() + 631.seconds());
    assert!(!verifier.revocations().is_revoked(session()));
}

#[test]
fn refusals_are_401_with_two_codes() {
    assert_eq!((Refusal::Expired.kind(), Refusal::Expired.code()), (ErrorKind::Unauthenticated, "token_expired"));
    assert_eq!((Refusal::Revoked.kind(), Refusal::Revoked.code()), (ErrorKind::Unauthenticated, "invalid_token"));
}
