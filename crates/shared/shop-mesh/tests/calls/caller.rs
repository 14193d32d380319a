//! Who a call comes from, verified again at its end.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use shop_auth::{Refusal, Signer, Verifier, key_set_json};
use shop_config::AuthConfig;
use shop_mesh::caller;
use shop_types::caller::GuestToken;
use shop_types::{Caller, Role, SessionId, UserId};
use tonic::Request;
use uuid::Uuid;

/// RFC 8410, section 10.3.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";

fn request(metadata: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_bad_token_is_refused_and_never_anonymous() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    let auth = AuthConfig { key_set_file: file.clone(), issuer: "i".into(), audience: "a".into() };
    let signer = Signer::from_pem(PEM, &auth).unwrap();
    std::fs::write(file, key_set_json(&[signer.jwk()])).unwrap();
    let verifier = Verifier::load(&auth).await.unwrap();
    let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let (user, session) = (UserId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)));
    let token = signer.sign(user, session, Role::Customer, now, Duration::from_secs(600), Uuid::from_u128(3)).unwrap();
    let who = |metadata: &[(&'static str, &str)]| caller(&request(metadata), &verifier, now);
    let known = Caller::User { id: user, role: Role::Customer, session };
    let secret = "g".repeat(43);
    let guest = Caller::Guest { token: GuestToken::parse(&secret).unwrap() };

    assert_eq!(who(&[]), Ok(Caller::Anonymous));
    assert_eq!(who(&[("authorization", &format!("Bearer {token}"))]), Ok(known.clone()));
    assert_eq!(who(&[("authorization", &format!("bearer {token}")), ("x-guest-token", &secret)]), Ok(known));
    assert_eq!(who(&[("x-guest-token", &secret)]), Ok(guest));

    assert_eq!(who(&[("x-guest-token", "short")]), Err(Refusal::Malformed));
    for bad in ["", "Bearer", "Bearer ", "Basic dXNlcjpwdw==", &token, "Bearer a.b.c"] {
        assert_eq!(who(&[("authorization", bad)]), Err(Refusal::Malformed), "{bad}");
        assert_eq!(who(&[("authorization", bad), ("x-guest-token", &secret)]), Err(Refusal::Malformed), "{bad}");
    }
    let late = caller(&request(&[("authorization", &format!("Bearer {token}"))]), &verifier, now + 1.hour());
    assert_eq!(late, Err(Refusal::Expired));
}
