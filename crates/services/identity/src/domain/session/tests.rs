//! What refresh tokens bring, one rule a test.

use uuid::Uuid;

use super::*;

const LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::from_secs(600),
    absolute: Duration::from_secs(30 * 86_400),
    idle: Duration::from_secs(7 * 86_400),
};

fn key() -> RefreshKey {
    RefreshKey::derive("a signing key")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + seconds).unwrap()
}

fn opened() -> (Session, RefreshToken) {
    let (id, user) = (SessionId::from_uuid(Uuid::from_u128(1)), UserId::from_uuid(Uuid::from_u128(2)));
    Session::open(id, user, [9; BYTES], &key(), LIFETIMES, at(0))
}

#[test]
fn the_last_token_brings_the_next_one() {
    let (session, first) = opened();
    assert_eq!(session.judge(&first, &key(), at(60)), Presented::Rotate);
    let (session, second) = session.rotate(&key(), LIFETIMES, at(60));
    assert!(!first.is_same(&second));
    assert_eq!(session.judge(&second, &key(), at(120)), Presented::Rotate);
}

#[test]
fn a_repeat_within_ten_seconds_brings_the_same_successor() {
    let (session, first) = opened();
    let (session, second) = session.rotate(&key(), LIFETIMES, at(60));
    for now in [at(60), at(65), at(70)] {
        assert_eq!(session.judge(&first, &key(), now), Presented::Repeat(second.clone()));
    }
    // The clock of another pod may be behind.
    assert_eq!(session.judge(&first, &key(), at(58)), Presented::Repeat(second));
}

#[test]
fn a_repeat_after_ten_seconds_is_reuse() {
    let (session, first) = opened();
    let (session, _) = session.rotate(&key(), LIFETIMES, at(60));
    assert_eq!(session.judge(&first, &key(), at(71)), Presented::Reused);
}

#[test]
fn a_repeat_after_the_successor_was_used_is_reuse() {
    let (session, first) = opened();
    let (session, _) = session.rotate(&key(), LIFETIMES, at(60));
    let (session, _) = session.rotate(&key(), LIFETIMES, at(61));
    assert_eq!(session.judge(&first, &key(), at(62)), Presented::Reused);
}

#[test]
fn an_invented_token_neither_counts_nor_ends_the_session() {
    let (session, _) = opened();
    let (session, _) = session.rotate(&key(), LIFETIMES, at(60));
    let (session, _) = session.rotate(&key(), LIFETIMES, at(61));
    let foreign = RefreshKey::derive("another signing key");
    for counter in [0, 1, 2, 3, u32::MAX] {
        let invented = RefreshToken::derive(&foreign, &session.salt, session.id, counter);
        assert_eq!(session.judge(&invented, &key(), at(62)), Presented::Refused, "{counter}");
    }
    let ahead = session.token_at(&key(), 3);
    assert_eq!(session.judge(&ahead, &key(), at(62)), Presented::Refused);
}

#[test]
fn a_session_ends_when_idle_and_at_last_absolutely() {
    let (mut session, mut token) = opened();
    assert_eq!(session.judge(&token, &key(), at(7 * 86_400 - 1)), Presented::Rotate);
    assert_eq!(session.judge(&token, &key(), at(7 * 86_400)), Presented::Refused);
    for day in [6, 12, 18, 24, 29] {
        assert_eq!(session.judge(&token, &key(), at(day * 86_400)), Presented::Rotate, "day {day}");
        (session, token) = session.rotate(&key(), LIFETIMES, at(day * 86_400));
    }
    assert_eq!(session.judge(&token, &key(), at(30 * 86_400 - 1)), Presented::Rotate);
    assert_eq!(session.judge(&token, &key(), at(30 * 86_400)), Presented::Refused);
}

#[test]
fn nothing_of_a_revoked_session_counts() {
    let (session, first) = opened();
    let (session, second) = session.rotate(&key(), LIFETIMES, at(60));
    let session = Session { revoked_until: Some(at(700)), ..session };
    for token in [first, second] {
        assert_eq!(session.judge(&token, &key(), at(61)), Presented::Refused);
    }
}

#[test]
fn a_new_signing_key_ends_no_session() {
    let (session, _) = opened();
    let (session, second) = session.rotate(&key(), LIFETIMES, at(60));
    let new = RefreshKey::derive("a new signing key");
    assert_eq!(session.judge(&second, &new, at(90)), Presented::Rotate);
    let (session, third) = session.rotate(&new, LIFETIMES, at(90));
    assert_eq!(session.judge(&third, &new, at(100)), Presented::Rotate);
    // What was used before is still recognised, and its session ended.
    assert_eq!(session.judge(&second, &new, at(120)), Presented::Reused);
}

#[test]
fn a_repeat_across_a_new_signing_key_is_refused_without_harm() {
    let (session, first) = opened();
    let (session, _) = session.rotate(&key(), LIFETIMES, at(60));
    assert_eq!(session.judge(&first, &RefreshKey::derive("a new signing key"), at(62)), Presented::Refused);
}

#[test]
fn a_revocation_outlives_every_access_token_also_under_a_shorter_setting() {
    let (session, _) = opened();
    // A clock ahead, or a call on its way, may make one that ends later than the session knows.
    assert_eq!(session.last_access(LIFETIMES, at(0)), at(630));
    assert_eq!(session.last_access(LIFETIMES, at(500)), at(1130));
    let shorter = Lifetimes { access: Duration::from_secs(60), ..LIFETIMES };
    assert_eq!(session.last_access(shorter, at(10)), at(610));
    let (session, _) = session.rotate(&key(), shorter, at(20));
    assert_eq!(session.last_access(shorter, at(20)), at(610));
}
