//! The mounted key set: what it may hold, and how a running service follows it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shop_auth::{Error, Refusal, Signer, Verifier, jwk_from_public, key_set_json};
use tokio_util::sync::CancellationToken;

use crate::keys::{Keys, now};

async fn load(keys: &Keys, text: &str) -> Result<Arc<Verifier>, Error> {
    std::fs::write(&keys.auth.key_set_file, text).unwrap();
    Verifier::load(&keys.auth).await
}

#[test]
fn the_key_id_is_the_thumbprint_of_rfc_8037() {
    // RFC 8037, appendix A.
    let raw = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
        0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];
    let jwk = jwk_from_public(&raw);
    assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(jwk["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_signing_key_of_either_pkcs8_form_is_taken() {
    let keys = Keys::new();
    // RFC 8410, section 10.3: the form that openssl writes, without the public key.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
               -----END PRIVATE KEY-----\n";
    let signer = Signer::from_pem(pem, &keys.auth).unwrap();
    assert_eq!(signer.jwk()["x"], "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
    assert_eq!(signer.jwk()["kid"], signer.kid());
}

#[test]
fn what_is_no_signing_key_is_refused_without_showing_it() {
    let keys = Keys::new();
    let rsa_like = "-----BEGIN PRIVATE KEY-----\nc2Vrcml0\n-----END PRIVATE KEY-----\n";
    for pem in ["", "sekrit", rsa_like] {
        let error = Signer::from_pem(pem, &keys.auth).unwrap_err();
        assert!(matches!(error, Error::SigningKey(_)) && !format!("{error:?}").contains("sekrit"), "{error:?}");
    }
}

#[tokio::test]
async fn a_missing_or_useless_key_set_stops_the_start_and_names_the_file() {
    let keys = Keys::new();
    let jwk = keys.signer.jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        key_set_json(&[jwk])
    };
    let bad = [
        String::new(),
        "{}".into(),
        "not json".into(),
        key_set_json(&[]),
        // Wrong curve, other kinds, another use: passed over, and then nothing is left.
        with("crv", "X25519".into()),
        with("kty", "EC".into()),
        with("use", "enc".into()),
        key_set_json(&[json!({ "kty": "oct", "k": "c2Vrcml0", "kid": "1" })]),
        with("kid", Value::Null),
        with("kid", "".into()),
        with("x", "AAAA".into()),
        with("x", "not base64url!".into()),
        with("d", "c2Vrcml0".into()),
        key_set_json(&[jwk.clone(), jwk.clone()]),
    ];
    for text in bad {
        let error = load(&keys, &text).await.unwrap_err().to_string();
        assert!(error.contains(keys.auth.key_set_file.to_str().unwrap()), "{text}: {error}");
    }
    std::fs::remove_file(&keys.auth.key_set_file).unwrap();
    assert!(matches!(Verifier::load(&keys.auth).await, Err(Error::Read { .. })));
}

#[tokio::test]
async fn keys_of_other_kinds_beside_ours_are_passed_over() {
    let keys = Keys::new();
    let other = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa" });
    let verifier = load(&keys, &key_set_json(&[other, keys.signer.jwk()])).await.unwrap();
    assert!(verifier.verify(&keys.token(now()), now()).is_ok());
}

/// Waits until the verifier decides otherwise about a token; the clock of these tests runs by itself.
async fn until(verifier: &Verifier, token: &str, wanted: Result<(), Refusal>) {
    let decided = async {
        while verifier.verify(token, now()).map(|_| ()) != wanted {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(6), decided).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rotation_of_keys_refuses_nobody_whose_key_is_in_the_set() {
    let (old, new) = (Keys::new(), Keys::new());
    let stop = CancellationToken::new();
    let verifier = Verifier::load(&old.auth).await.unwrap();
    let watch = verifier.watch(stop.clone());
    let (by_old, by_new) = (old.token(now()), new.token(now()));
    assert_eq!(verifier.verify(&by_new, now()), Err(Refusal::UnknownKey));

    old.mount(&key_set_json(&[old.signer.jwk(), new.signer.jwk()]));
    until(&verifier, &by_new, Ok(())).await;
    assert!(verifier.verify(&by_old, now()).is_ok());

    old.mount(&key_set_json(&[new.signer.jwk()]));
    until(&verifier, &by_old, Err(Refusal::UnknownKey)).await;
    assert!(verifier.verify(&by_new, now()).is_ok());

    stop.cancel();
    watch.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_set_gone_bad_changes_nothing_until_it_is_good_again() {
    let (old, new) = (Keys::new(), Keys::new());
    let stop = CancellationToken::new();
    let verifier = Verifier::load(&old.auth).await.unwrap();
    let watch = verifier.watch(stop.clone());
    let token = old.token(now());
    for text in ["", "{", "{\"keys\":[]}"] {
        old.mount(text);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(verifier.verify(&token, now()).is_ok(), "{text}");
    }
    std::fs::remove_file(&old.auth.key_set_file).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(verifier.verify(&token, now()).is_ok());

    old.mount(&key_set_json(&[new.signer.jwk()]));
    until(&verifier, &new.token(now()), Ok(())).await;
    stop.cancel();
    watch.await.unwrap();
}
