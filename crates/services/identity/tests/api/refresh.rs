//! Refresh tokens and the end of sessions.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use shop_mongo::doc;
use shop_testkit::FakeClock;

use crate::given::{
    Answer, PASSWORD, another_pod, counted, documents, events, identity, identity_at, login, logout, me, refresh,
    register,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Fails unless every token of the session is refused.
fn refused(answer: &Answer) {
    answer.must_be(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_refresh_token_brings_a_new_pair_of_the_same_session() {
    let shop = identity().await;
    let first = register(&shop, "ada@example.org").await;
    let second = refresh(&shop, &first.text("refreshToken")).await;
    assert_eq!(second.status, 200, "{second:?}");
    let fields: Vec<_> = second.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["token", "refreshToken", "expiresIn"]);
    assert_ne!(second.text("refreshToken"), first.text("refreshToken"));
    assert_ne!(second.text("token"), first.text("token"));
    assert_eq!(me(&shop, &second.text("token")).await.body, first.body["user"]);
    // The older access token lives on until it expires.
    assert_eq!(me(&shop, &first.text("token")).await.status, 200);
    assert_eq!(documents(&shop.mongo("identity").await, "sessions", doc! {}).await.len(), 1);
}

#[tokio::test]
async fn twenty_at_once_with_one_token_get_the_same_successor() {
    let shop = identity().await;
    let first = register(&shop, "ada@example.org").await.text("refreshToken");
    let answers = join_all((0..20).map(|_| refresh(&shop, &first))).await;
    let successor = answers[0].text("refreshToken");
    for answer in &answers {
        assert_eq!((answer.status, answer.text("refreshToken")), (200, successor.clone()), "{answer:?}");
        assert_eq!(me(&shop, &answer.text("token")).await.status, 200);
    }
    assert_eq!(refresh(&shop, &successor).await.status, 200);
    assert!(events(&shop.mongo("identity").await, "session.revoked").await.is_empty());
}

#[tokio::test]
async fn two_pods_give_the_same_successor() {
    let shop = identity().await;
    let other = another_pod(shop.config()).await;
    let first = register(&shop, "ada@example.org").await.text("refreshToken");
    let (one, two) = tokio::join!(refresh(&shop, &first), refresh(&other, &first));
    assert_eq!((one.status, two.status), (200, 200));
    assert_eq!(one.text("refreshToken"), two.text("refreshToken"));
    assert_eq!(me(&other, &one.text("token")).await.status, 200);
}

#[tokio::test]
async fn an_old_token_ends_the_session_once_its_successor_was_used() {
    let shop = identity().await;
    let registered = register(&shop, "ada@example.org").await;
    let (first, access) = (registered.text("refreshToken"), registered.text("token"));
    let elsewhere = login(&shop, "ada@example.org", PASSWORD).await;
    let second = refresh(&shop, &first).await.text("refreshToken");
    let third = refresh(&shop, &second).await;
    refused(&refresh(&shop, &first).await);
    // Who holds the last token may be the thief.
    for token in [third.text("refreshToken"), second, first] {
        refused(&refresh(&shop, &token).await);
    }
    for token in [access, third.text("token")] {
        me(&shop, &token).await.must_be(401, "invalid_token");
    }
    assert_eq!(me(&shop, &elsewhere.text("token")).await.status, 200);
    assert_eq!(refresh(&shop, &elsewhere.text("refreshToken")).await.status, 200);
    assert_eq!(events(&shop.mongo("identity").await, "session.revoked").await.len(), 1);
    assert_eq!(counted(&shop, "sessions_revoked_total", "reason=\"refresh_token_reused\"").await, 1);
}

#[tokio::test]
async fn a_lost_reply_may_be_fetched_again_for_ten_seconds() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let first = register(&shop, "ada@example.org").await.text("refreshToken");
    let second = refresh(&shop, &first).await.text("refreshToken");
    clock.advance(Duration::from_secs(10));
    assert_eq!(refresh(&shop, &first).await.text("refreshToken"), second);
    clock.advance(Duration::from_millis(1));
    refused(&refresh(&shop, &first).await);
    refused(&refresh(&shop, &second).await);
}

#[tokio::test]
async fn a_very_old_token_is_still_known_again() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let first = register(&shop, "ada@example.org").await.text("refreshToken");
    let mut last = first.clone();
    for _ in 0..5 {
        clock.advance(DAY);
        last = refresh(&shop, &last).await.text("refreshToken");
    }
    refused(&refresh(&shop, &first).await);
    refused(&refresh(&shop, &last).await);
    assert_eq!(events(&shop.mongo("identity").await, "session.revoked").await.len(), 1);
}

#[tokio::test]
async fn invented_tokens_are_refused_and_harm_nobody() {
    let shop = identity().await;
    let good = register(&shop, "ada@example.org").await.text("refreshToken");
    // The session's id stands in the first 22 characters, and in every access token.
    let session = &good[..22];
    let flipped = if good.ends_with('A') { "B" } else { "A" };
    for text in [
        String::new(),
        "nonsense".into(),
        format!("{session}{}", "A".repeat(48)),
        format!("{}{flipped}", &good[..69]),
        format!("{good}A"),
        format!(" {good}"),
        "x".repeat(10_000),
        "../../etc/passwd".into(),
    ] {
        refused(&refresh(&shop, &text).await);
    }
    assert_eq!(refresh(&shop, &good).await.status, 200);
    assert!(events(&shop.mongo("identity").await, "session.revoked").await.is_empty());
}

#[tokio::test]
async fn a_session_ends_after_a_week_without_use_and_after_a_month_at_last() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let idle = register(&shop, "idle@example.org").await.text("refreshToken");
    let mut busy = register(&shop, "busy@example.org").await.text("refreshToken");
    clock.advance(6 * DAY);
    busy = refresh(&shop, &busy).await.text("refreshToken");
    clock.advance(DAY);
    refused(&refresh(&shop, &idle).await);
    for days in [5, 6, 6] {
        clock.advance(days * DAY);
        busy = refresh(&shop, &busy).await.text("refreshToken");
    }
    // Day 30, six days after its last use.
    clock.advance(6 * DAY);
    refused(&refresh(&shop, &busy).await);
    assert_eq!(login(&shop, "idle@example.org", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_access_token_expires_and_a_refresh_goes_on() {
    let clock = Arc::new(FakeClock::default());
    let shop = identity_at(&clock).await;
    let first = register(&shop, "ada@example.org").await;
    clock.advance(Duration::from_secs(631));
    me(&shop, &first.text("token")).await.must_be(401, "token_expired");
    let second = refresh(&shop, &first.text("refreshToken")).await;
    assert_eq!(me(&shop, &second.text("token")).await.status, 200);
}

#[tokio::test]
async fn logout_ends_the_session_of_its_token_and_no_other() {
    let shop = identity().await;
    let here = register(&shop, "ada@example.org").await;
    let there = login(&shop, "ada@example.org", PASSWORD).await;
    let refreshed = refresh(&shop, &here.text("refreshToken")).await;
    assert_eq!(logout(&shop, &here.text("token")).await.status, 204);
    for token in [here.text("token"), refreshed.text("token")] {
        me(&shop, &token).await.must_be(401, "invalid_token");
    }
    for token in [here.text("refreshToken"), refreshed.text("refreshToken")] {
        refused(&refresh(&shop, &token).await);
    }
    logout(&shop, &here.text("token")).await.must_be(401, "invalid_token");
    assert_eq!(me(&shop, &there.text("token")).await.status, 200);
    assert_eq!(refresh(&shop, &there.text("refreshToken")).await.status, 200);
    assert_eq!(events(&shop.mongo("identity").await, "session.revoked").await.len(), 1);
}

#[tokio::test]
async fn many_logouts_and_refreshes_at_once_end_the_session_once() {
    let shop = identity().await;
    let opened = register(&shop, "ada@example.org").await;
    let (access, token) = (opened.text("token"), opened.text("refreshToken"));
    let logouts = join_all((0..10).map(|_| logout(&shop, &access)));
    let refreshes = join_all((0..10).map(|_| refresh(&shop, &token)));
    let (logouts, refreshes) = tokio::join!(logouts, refreshes);
    assert!(logouts.iter().all(|answer| [204, 401].contains(&answer.status)), "{logouts:?}");
    assert!(logouts.iter().any(|answer| answer.status == 204), "{logouts:?}");
    for answer in refreshes {
        match answer.status {
            // It came first; what it brought has ended with the session.
            200 => {
                refused(&refresh(&shop, &answer.text("refreshToken")).await);
                me(&shop, &answer.text("token")).await.must_be(401, "invalid_token");
            }
            _ => refused(&answer),
        }
    }
    assert_eq!(events(&shop.mongo("identity").await, "session.revoked").await.len(), 1);
}
