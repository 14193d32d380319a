//! Answers that a broken or lying provider may give: none of them counts as done.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::domain::RefundId;
use crate::domain::reconciliation::Booking;
use crate::peers::Booked;

const PAYMENT: &str = "00000000-0000-7000-8000-000000000001:1";
const LIMIT: Duration = Duration::from_secs(2);

/// A provider that gives one answer to everything.
async fn answering(status: u16, body: impl Into<String>) -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = body.into();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let read = connection.read(&mut request).await.unwrap();
                assert!(read > 0);
                // The client may leave in the middle of an answer that is too long.
                drop(connection.write_all(answer.as_bytes()).await);
            });
        }
    });
    sandbox(&format!("http://{address}"))
}

fn sandbox(url: &str) -> Sandbox {
    Sandbox::new(url, Secret::new("key"), Some(Secret::new("secret"))).unwrap()
}

fn key() -> String {
    "key of the request".into()
}

fn amount() -> Money {
    Money::new(500, "EUR".parse().unwrap())
}

fn hold() -> Hold {
    Hold { payment: PAYMENT.parse().unwrap(), amount: amount(), method: "tok_visa".parse().unwrap() }
}

fn placed() -> Placed {
    Placed { payment: PAYMENT.parse().unwrap(), hold: "auth_1".into(), amount: amount() }
}

fn back() -> Return {
    let refund: RefundId = format!("{PAYMENT}:refund:1").parse().unwrap();
    Return { refund, hold: "auth_1".into(), amount: amount() }
}

fn authorization(status: &str) -> Value {
    json!({ "id": "auth_1", "reference": PAYMENT, "amount": 500, "currency": "EUR", "status": status })
}

fn with(field: &str, value: Value) -> Value {
    let mut body = authorization("authorized");
    body[field] = value;
    body
}

fn refusal(code: &str, status: Option<&str>) -> String {
    json!({ "error": { "code": code, "message": "no", "status": status } }).to_string()
}

#[tokio::test]
async fn an_answer_about_something_else_is_no_hold() {
    for body in [
        with("reference", json!("00000000-0000-7000-8000-000000000002:1")),
        with("amount", json!(501)),
        with("amount", json!("500")),
        with("currency", json!("USD")),
        with("status", json!("captured")),
        with("status", json!("fine")),
        with("id", json!("")),
        with("id", json!("../../v1/ledger")),
        with("id", json!("a".repeat(129))),
        json!({}),
        json!([]),
    ] {
        let answer = answering(201, body.to_string()).await.authorize(hold(), key(), LIMIT).await;
        assert!(matches!(answer, Err(Unknown::Nonsense(_))), "{body}: {answer:?}");
        assert!(answer.unwrap_err().needs_somebody());
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_no_json_is_no_hold() {
    let endless = with("decline_code", json!("x".repeat(ANSWER_BYTES))).to_string();
    for body in [endless, String::new(), "<html>".into(), format!("{}x", authorization("authorized"))] {
        let answer = answering(201, body).await.authorize(hold(), key(), LIMIT).await;
        assert!(matches!(answer, Err(Unknown::Nonsense(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_good_answer_is_understood_whatever_else_it_holds() {
    let body = with("riskScore", json!(7)).to_string();
    assert_eq!(
        answering(201, body).await.authorize(hold(), key(), LIMIT).await.unwrap(),
        Placement::Held("auth_1".to_owned())
    );
}

#[tokio::test]
async fn a_decline_without_a_proper_word_is_still_a_decline() {
    for code in [json!(null), json!("<script>"), json!("x".repeat(65))] {
        let mut body = authorization("declined");
        body["declineCode"] = code;
        let answer = answering(201, body.to_string()).await.authorize(hold(), key(), LIMIT).await.unwrap();
        assert_eq!(answer, Placement::Refused("declined".into()));
    }
}

#[tokio::test]
async fn failures_of_the_provider_leave_the_outcome_unknown() {
    for (status, body, needs_somebody) in [
        (500, String::new(), false),
        (503, refusal("unavailable", None), false),
        (504, refusal("timeout", None), false),
        (429, "slow down".into(), false),
        (302, String::new(), true),
        (401, refusal("unauthorized", None), true),
        (402, "<html>".into(), true),
        (404, refusal("not_found", None), true),
        (409, refusal("wrong_status", Some("refunded")), true),
        (422, refusal("idempotency_key_reused", None), true),
        (200, authorization("authorized").to_string(), true),
    ] {
        let provider = answering(status, body).await;
        let authorized = provider.authorize(hold(), key(), LIMIT).await.unwrap_err();
        assert!(matches!(authorized, Unknown::Unexpected { status: got, .. } if got == status), "{authorized:?}");
        assert_eq!(authorized.needs_somebody(), needs_somebody, "{authorized:?}");
        if status != 200 {
            assert!(provider.capture(placed(), key(), LIMIT).await.is_err(), "{status}");
            assert!(provider.void(placed(), key(), LIMIT).await.is_err(), "{status}");
            assert!(provider.refund(back(), key(), LIMIT).await.is_err(), "{status}");
            assert!(provider.find(PAYMENT.parse().unwrap(), amount(), LIMIT).await.is_err(), "{status}");
        }
    }
}

#[tokio::test]
async fn only_what_the_bank_itself_refuses_is_refused_for_good() {
    let capture = async |status, body: String| answering(status, body).await.capture(placed(), key(), LIMIT).await;
    let refused = |code: &str| Verdict::Refused(code.to_owned());
    assert_eq!(capture(402, refusal("capture_refused", None)).await.unwrap(), refused("capture_refused"));
    assert_eq!(capture(409, refusal("wrong_status", Some("voided"))).await.unwrap(), refused("wrong_status"));
    assert!(capture(409, refusal("wrong_status", Some("captured"))).await.is_err());
    assert!(capture(200, authorization("authorized").to_string()).await.is_err());
    assert_eq!(capture(200, authorization("captured").to_string()).await.unwrap(), Verdict::Done);
}

#[tokio::test]
async fn a_hold_that_is_gone_already_counts_as_given_back() {
    let void = async |status: &str| {
        answering(409, refusal("wrong_status", Some(status))).await.void(placed(), key(), LIMIT).await.is_ok()
    };
    assert!(void("voided").await && void("failed").await && void("cancelled").await && void("declined").await);
    assert!(!void("captured").await && !void("authorized").await && !void("requires_action").await);
}

#[tokio::test]
async fn a_refund_of_another_amount_is_no_refund() {
    let refund = async |status, body: String| answering(status, body).await.refund(back(), key(), LIMIT).await;
    let mut partial = authorization("refunded");
    assert_eq!(refund(201, partial.to_string()).await.unwrap(), Verdict::Done);
    partial["amount"] = json!(499);
    assert!(refund(201, partial.to_string()).await.is_err());
    let refused = refund(409, refusal("over_refund", None)).await.unwrap();
    assert_eq!(refused, Verdict::Refused("over_refund".into()));
    assert!(refund(409, refusal("wrong_status", Some("authorized"))).await.is_err());
}

#[tokio::test]
async fn a_hold_that_the_buyer_must_confirm_says_where() {
    let answer = async |url: Value| {
        let mut body = authorization("requires_action");
        body["nextActionUrl"] = url;
        answering(201, body.to_string()).await.authorize(hold(), key(), LIMIT).await
    };
    let good = answer(json!("https://bank/pay?x=1")).await.unwrap();
    assert_eq!(good, Placement::ActionNeeded { hold: "auth_1".into(), url: "https://bank/pay?x=1".into() });
    let long = format!("https://bank/{}", "x".repeat(2048));
    for url in [json!(null), json!(""), json!("/pay"), json!("javascript:alert(1)"), json!(7), json!(long)] {
        assert!(matches!(answer(url.clone()).await, Err(Unknown::Nonsense(_))), "{url}");
    }
}

#[tokio::test]
async fn a_look_up_tells_all_standings_apart() {
    let find = async |items: Value| {
        let provider = answering(200, json!({ "items": items }).to_string()).await;
        provider.find(PAYMENT.parse().unwrap(), amount(), LIMIT).await
    };
    assert_eq!(find(json!([])).await.unwrap(), Standing::Unheard);
    assert_eq!(find(json!([authorization("authorized")])).await.unwrap(), Standing::Held { hold: "auth_1".into() });
    for (status, standing) in [
        ("declined", Standing::Refused { reason: "declined".into() }),
        ("failed", Standing::Failed { reason: "capture_refused".into() }),
        ("voided", Standing::GivenBack),
        ("cancelled", Standing::GivenBack),
        ("captured", Standing::Captured { refunds: vec![], is_all_back: false }),
    ] {
        assert_eq!(find(json!([authorization(status)])).await.unwrap(), standing);
    }
    let mut waiting = authorization("requires_action");
    assert!(find(json!([waiting])).await.is_err(), "it must say where");
    waiting["nextActionUrl"] = json!("https://bank/1");
    let url = "https://bank/1".to_owned();
    assert_eq!(find(json!([waiting])).await.unwrap(), Standing::Waiting { hold: "auth_1".into(), url });
    let mut captured = authorization("captured");
    let other = "00000000-0000-7000-8000-000000000002:1:refund:1";
    captured["refunds"] = json!([
        { "reference": format!("{PAYMENT}:refund:2") }, { "reference": other }, { "reference": null }, { "reference": "x" },
    ]);
    let found = Standing::Captured { refunds: vec![2], is_all_back: false };
    assert_eq!(find(json!([captured])).await.unwrap(), found);
    captured["refundedAmount"] = captured["amount"].clone();
    let found = Standing::Captured { refunds: vec![2], is_all_back: true };
    assert_eq!(find(json!([captured])).await.unwrap(), found);
    assert!(find(json!([with("amount", json!(1))])).await.is_err());
    assert!(find(json!([authorization("authorized"), authorization("authorized")])).await.is_err());
}

#[tokio::test]
async fn bookings_are_those_that_moved_money() {
    let entry = |sequence: u64, kind: &str| json!({ "sequence": sequence, "kind": kind, "reference": "r", "amount": 5, "currency": "EUR", "at": "2026-11-20T12:00:00Z" });
    let kinds = ["requires_action", "authorized", "captured", "refunded", "voided", "capture_refused", "declined"];
    let entries: Vec<_> = (1..).zip(kinds).map(|(n, kind)| entry(n, kind)).collect();
    let provider = answering(200, json!({ "entries": entries, "more": true }).to_string()).await;

    let page = provider.bookings(Bookings::Since(Timestamp::UNIX_EPOCH), None, LIMIT).await.unwrap();

    let booked: Vec<_> = page.bookings.iter().map(|one| one.booking).collect();
    let expected = [Booking::Held, Booking::Captured, Booking::Refunded, Booking::Released, Booking::Released];
    assert_eq!((booked.as_slice(), page.next.as_deref()), (&expected[..], Some("7")));
    let (amount, at) = (Money::new(5, "EUR".parse().unwrap()), "2026-11-20T12:00:00Z".parse().unwrap());
    assert_eq!(page.bookings[0], Booked { reference: "r".into(), booking: Booking::Held, amount, at });
    for bad in [json!({ "entries": [entry(1, "stolen")], "more": false }), json!({ "entries": [], "more": true })] {
        let provider = answering(200, bad.to_string()).await;
        let read = provider.bookings(Bookings::Of("a&b=c".into()), Some("7".into()), LIMIT).await;
        assert!(matches!(read, Err(Unknown::Nonsense(_))), "{bad}");
    }
}

#[tokio::test]
async fn a_key_in_use_is_waited_for_until_the_limit() {
    let provider = answering(409, refusal("idempotency_key_in_use", None)).await;
    let begun = Instant::now();
    let busy = provider.authorize(hold(), key(), Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(busy, Unknown::Busy) && !busy.needs_somebody() && !busy.was_answered(), "{busy:?}");
    assert!(begun.elapsed() >= Duration::from_millis(100), "it asked more than once");
}

#[test]
fn a_webhook_is_a_hint_when_its_signature_holds() {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let provider = sandbox("http://psp");
    let event = |id: Value, reference: &str| {
        json!({ "id": id, "type": "authorization.captured", "data": { "reference": reference, "amount": 5 } })
            .to_string()
    };
    let hint = |provider: &Sandbox, body: &str, header: Option<&str>| {
        let named = |name: &str| header.filter(|_| name == "sandbox-signature");
        provider.hint(Webhook { header: &named, body: body.as_bytes() }, now)
    };
    let sign =
        |body: &str| sandbox_psp::webhooks::signature::header(b"secret", 1_700_000_000, body.as_bytes()).unwrap();

    let ours = event(json!("evt_1"), PAYMENT);
    let taken = hint(&provider, &ours, Some(&sign(&ours))).unwrap();
    assert_eq!((taken.event.as_str(), taken.payment), ("evt_1", Some(PAYMENT.parse().unwrap())));
    let strangers = event(json!("evt_2"), "somebody else's");
    assert_eq!(hint(&provider, &strangers, Some(&sign(&strangers))).unwrap().payment, None);

    assert_eq!(hint(&provider, &ours, None), Err(Untrusted::Unsigned));
    assert_eq!(hint(&provider, &ours, Some(&sign(&strangers))), Err(Untrusted::WrongSignature));
    for nonsense in
        [String::new(), "{}".into(), event(json!(""), PAYMENT), event(json!("a b"), PAYMENT), event(json!(7), PAYMENT)]
    {
        assert_eq!(hint(&provider, &nonsense, Some(&sign(&nonsense))), Err(Untrusted::NotAnEvent), "{nonsense}");
    }
    let deaf = Sandbox::new("http://psp", Secret::new("key"), None).unwrap();
    assert_eq!(hint(&deaf, &ours, Some(&sign(&ours))), Err(Untrusted::NoSecret));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = sandbox(&url);
    let begun = std::time::Instant::now();

    let answer = provider.authorize(hold(), key(), Duration::from_millis(300)).await;

    assert!(matches!(answer, Err(Unknown::NoAnswer(_))), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn only_http_urls_are_taken_and_no_secret_is_ever_printed() {
    let made = |url: &str| Sandbox::new(url, Secret::new("s3cret"), Some(Secret::new("s3cret")));
    for url in ["", "psp", "ftp://psp", "unix:/run/psp"] {
        assert!(made(url).is_err(), "{url}");
    }
    for url in ["http://psp", "http://psp/", "https://psp/base"] {
        assert!(made(url).is_ok(), "{url}");
    }
    assert!(!format!("{:?}", made("http://psp").unwrap()).contains("s3cret"));
}
