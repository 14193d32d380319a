//! What is never logged.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use reqwest::Method;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::given::{Answer, events, eventually, identity_with, login, logout, post, refresh, request};

/// Everything of ours, and what a pod shows by default of the rest.
const FILTER: &str = "info,identity=trace,shop_auth=trace,shop_events=trace,shop_http=trace,shop_mongo=trace,\
                      shop_redis=trace,shop_service=trace,shop_telemetry=trace";

/// The file that all logs of this process go to.
fn logs() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let start = || {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
        let file = Arc::new(File::create(&path).unwrap());
        tracing_subscriber::fmt().json().with_env_filter(EnvFilter::new(FILTER)).with_writer(file).init();
        path
    };
    FILE.get_or_init(start).clone()
}

#[tokio::test]
async fn no_log_line_shows_an_address_a_password_or_a_token() {
    let path = logs();
    let (email, boss) = ("canary.address@example.org", "canary.boss@example.org");
    let (password, mounted, wrong) = ("canary-password-1", "canary-mounted-2", "canary-wrong-3");
    let shop = identity_with(|config| {
        let folder = config.auth.key_set_file.parent().unwrap().to_owned();
        for (name, text) in [("email", boss), ("password", mounted)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        config.identity.admin_email_file = Some(folder.join("email"));
        config.identity.admin_password_file = Some(folder.join("password"));
    })
    .await;
    let body = json!({ "email": email, "password": password, "name": "Canary" });
    let opened = post(&shop, "/api/v1/auth/register", &body).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    assert_eq!(post(&shop, "/api/v1/auth/register", &body).await.status, 409);
    assert_eq!(login(&shop, email, wrong).await.status, 401);
    assert_eq!(login(&shop, boss, mounted).await.status, 200);
    let (first, access) = (opened.text("refreshToken"), opened.text("token"));
    let second = refresh(&shop, &first).await.text("refreshToken");
    let third = refresh(&shop, &second).await.text("refreshToken");
    assert_eq!(refresh(&shop, &first).await.status, 401);
    logout(&shop, &access).await.must_be(401, "invalid_token");
    let elsewhere = login(&shop, email, password).await.text("token");
    assert_eq!(logout(&shop, &elsewhere).await.status, 204);
    assert_eq!(post(&shop, "/api/v1/auth/password/forgot", &json!({ "email": email })).await.status, 202);
    let mongo = shop.mongo("identity").await;
    eventually("the letter is on its way", async || !events(&mongo, "password.forgotten").await.is_empty()).await;
    let letters = [events(&mongo, "password.forgotten").await, events(&mongo, "email.entered").await].concat();
    let letters = letters.iter().map(|letter| letter["body"]["token"].as_str().unwrap().to_owned());
    let letters: Vec<String> = letters.collect();
    let chosen = json!({ "token": letters[0], "password": "canary-chosen-4" });
    assert_eq!(post(&shop, "/api/v1/auth/password/reset", &chosen).await.status, 204);
    let spent = post(&shop, "/api/v1/auth/password/reset", &chosen).await;
    spent.must_be(410, "token_spent");
    assert!(!spent.body.to_string().contains(&letters[0]), "{spent:?}");
    let odd =
        request(&shop, Method::POST, "/api/v1/auth/login").json(&json!({ "email": email, "password": [password] }));
    assert_eq!(Answer::of(odd.send().await.unwrap()).await.status, 400);

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("Opened account") && text.contains("was used twice"), "the logs are in {}", path.display());
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let secrets = [
        "canary.address".to_owned(),
        "canary.boss".into(),
        password.into(),
        mounted.into(),
        wrong.into(),
        "canary-chosen-4".into(),
        "argon2id".into(),
        first[22..].into(),
        second[22..].into(),
        third[22..].into(),
        signature(&access),
        signature(&elsewhere),
    ];
    for secret in secrets.into_iter().chain(letters) {
        let lines: Vec<_> = text.lines().filter(|line| line.contains(&secret)).collect();
        assert!(lines.is_empty(), "{secret}: {lines:#?}");
    }
    std::fs::remove_file(path).unwrap();
}
