//! The signing key and the public key set.

use reqwest::Method;
use shop_auth::Verifier;
use shop_service::SystemClock;
use shop_types::{Caller, Clock as _, Role};

use crate::given::{Answer, identity, register, request};

#[tokio::test]
async fn the_published_key_set_verifies_a_token() {
    let shop = identity().await;
    let registered = register(&shop, "ada@example.org").await;
    let reply = request(&shop, Method::GET, "/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "application/json");
    assert_eq!(reply.headers()["cache-control"], "public, max-age=300");
    let keys = Answer::of(reply).await.body;

    let mut auth = shop.config().auth.clone();
    auth.key_set_file = shop.directory().join("published.json");
    std::fs::write(&auth.key_set_file, keys.to_string()).unwrap();
    let verifier = Verifier::load(&auth).await.unwrap();
    let caller = verifier.verify(&registered.text("token"), SystemClock.now()).unwrap();
    let Caller::User { id, role, .. } = caller else { panic!("{caller:?}") };
    assert_eq!((id.to_string().as_str(), role), (registered.body["user"]["id"].as_str().unwrap(), Role::Customer));
}

#[tokio::test]
async fn the_published_key_set_is_the_mounted_one_and_holds_nothing_private() {
    let shop = identity().await;
    let mounted = std::fs::read_to_string(&shop.config().auth.key_set_file).unwrap();
    let mut set: serde_json::Value = serde_json::from_str(&mounted).unwrap();
    let mut next = set["keys"][0].clone();
    next["kid"] = "next".into();
    next["d"] = "private".into();
    set["keys"].as_array_mut().unwrap().push(next);
    // Not read before: so it is published as it is now, also in the middle of a rotation.
    std::fs::write(&shop.config().auth.key_set_file, set.to_string()).unwrap();
    let reply = request(&shop, Method::GET, "/.well-known/jwks.json").send().await.unwrap();
    let published = Answer::of(reply).await.body;
    let kids: Vec<_> = published["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, [set["keys"][0]["kid"].as_str().unwrap(), "next"]);
    assert!(!published.to_string().contains("private"), "{published}");
    // A set that cannot be read is not published.
    std::fs::write(&shop.config().auth.key_set_file, "{").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5100)).await;
    let reply = request(&shop, Method::GET, "/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(Answer::of(reply).await.body, published);
}

#[tokio::test]
async fn without_a_usable_signing_key_the_service_does_not_start() {
    let shop = identity().await;
    let folder = shop.directory();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        Some(folder.join(name))
    };
    let foreign = identity().await;
    let cases = [
        (None, "SHOPMESH_SIGNING_KEY_FILE"),
        (Some(folder.join("nowhere.pem")), "nowhere.pem"),
        (file("empty.pem", ""), "empty.pem"),
        (file("text.pem", "-----BEGIN PRIVATE KEY-----\nsecret words\n-----END PRIVATE KEY-----\n"), "text.pem"),
        (foreign.config().identity.signing_key_file.clone(), "public half"),
    ];
    for (key, expected) in cases {
        let mut config = shop.config().clone();
        config.identity.signing_key_file = key;
        let error = format!("{:#}", identity::service(&config).await.err().unwrap());
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret words"), "{error}");
    }
}
