//! Answers that a broken or lying provider may give: none of them counts as done.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

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
    Sandbox::new(&format!("http://{address}"), Secret::new("key")).unwrap()
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
        let answer = answering(201, body.to_string()).await.authorize(hold(), LIMIT).await;
        assert!(matches!(answer, Err(Unknown::Nonsense(_))), "{body}: {answer:?}");
        assert!(answer.unwrap_err().needs_somebody());
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_no_json_is_no_hold() {
    let endless = with("decline_code", json!("x".repeat(ANSWER_BYTES))).to_string();
    for body in [endless, String::new(), "<html>".into(), format!("{}x", authorization("authorized"))] {
        let answer = answering(201, body).await.authorize(hold(), LIMIT).await;
        assert!(matches!(answer, Err(Unknown::Nonsense(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_good_answer_is_understood_whatever_else_it_holds() {
    let body = with("riskScore", json!(7)).to_string();
    assert_eq!(answering(201, body).await.authorize(hold(), LIMIT).await.unwrap(), Verdict::Done("auth_1".to_owned()));
}

#[tokio::test]
async fn a_decline_without_a_proper_word_is_still_a_decline() {
    for code in [json!(null), json!("<script>"), json!("x".repeat(65))] {
        let mut body = authorization("declined");
        body["declineCode"] = code;
        let answer = answering(201, body.to_string()).await.authorize(hold(), LIMIT).await.unwrap();
        assert_eq!(answer, Verdict::Refused("declined".into()));
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
        (409, refusal("reference_in_use", None), true),
        (422, refusal("idempotency_key_reused", None), true),
        (200, authorization("authorized").to_string(), true),
    ] {
        let provider = answering(status, body).await;
        let authorized = provider.authorize(hold(), LIMIT).await.unwrap_err();
        assert!(matches!(authorized, Unknown::Unexpected { status: got, .. } if got == status), "{authorized:?}");
        assert_eq!(authorized.needs_somebody(), needs_somebody, "{authorized:?}");
        if status != 200 {
            assert!(provider.capture(placed(), LIMIT).await.is_err(), "{status}");
            assert!(provider.void(placed(), LIMIT).await.is_err(), "{status}");
            assert!(provider.refund(placed(), LIMIT).await.is_err(), "{status}");
            assert!(provider.find(PAYMENT.parse().unwrap(), amount(), LIMIT).await.is_err(), "{status}");
        }
    }
}

#[tokio::test]
async fn only_what_the_bank_itself_refuses_is_refused_for_good() {
    let capture = async |status, body: String| answering(status, body).await.capture(placed(), LIMIT).await;
    let refused = |code: &str| Verdict::Refused(code.to_owned());
    assert_eq!(capture(402, refusal("capture_refused", None)).await.unwrap(), refused("capture_refused"));
    assert_eq!(capture(409, refusal("wrong_status", Some("voided"))).await.unwrap(), refused("wrong_status"));
    assert!(capture(409, refusal("wrong_status", Some("captured"))).await.is_err());
    assert!(capture(200, authorization("authorized").to_string()).await.is_err());
    assert_eq!(capture(200, authorization("captured").to_string()).await.unwrap(), Verdict::Done(()));
}

#[tokio::test]
async fn a_hold_that_is_gone_already_counts_as_given_back() {
    let void = async |status: &str| {
        answering(409, refusal("wrong_status", Some(status))).await.void(placed(), LIMIT).await.is_ok()
    };
    assert!(void("voided").await && void("failed").await);
    assert!(!void("captured").await && !void("authorized").await);
}

#[tokio::test]
async fn a_refund_of_another_amount_is_no_refund() {
    let refund = async |body: Value| answering(201, body.to_string()).await.refund(placed(), LIMIT).await;
    let mut partial = authorization("refunded");
    assert!(refund(partial.clone()).await.is_ok());
    partial["amount"] = json!(499);
    assert!(refund(partial).await.is_err());
}

#[tokio::test]
async fn a_look_up_tells_nothing_held_and_settled_apart() {
    let find = async |items: Value| {
        let provider = answering(200, json!({ "items": items }).to_string()).await;
        provider.find(PAYMENT.parse().unwrap(), amount(), LIMIT).await
    };
    assert_eq!(find(json!([])).await.unwrap(), Found::Nothing);
    assert_eq!(find(json!([authorization("authorized")])).await.unwrap(), Found::Held("auth_1".into()));
    for status in ["declined", "failed", "voided"] {
        assert_eq!(find(json!([authorization(status)])).await.unwrap(), Found::Settled("declined".into()));
    }
    assert!(find(json!([authorization("captured")])).await.is_err());
    assert!(find(json!([with("amount", json!(1))])).await.is_err());
    assert!(find(json!([authorization("authorized"), authorization("authorized")])).await.is_err());
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = Sandbox::new(&url, Secret::new("key")).unwrap();
    let begun = std::time::Instant::now();

    let answer = provider.authorize(hold(), Duration::from_millis(300)).await;

    assert!(matches!(answer, Err(Unknown::NoAnswer(_))), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn only_http_urls_are_taken_and_the_key_is_never_printed() {
    for url in ["", "psp", "ftp://psp", "unix:/run/psp"] {
        assert!(Sandbox::new(url, Secret::new("key")).is_err(), "{url}");
    }
    for url in ["http://psp", "http://psp/", "https://psp/base"] {
        assert!(Sandbox::new(url, Secret::new("key")).is_ok(), "{url}");
    }
    assert!(!format!("{:?}", Sandbox::new("http://psp", Secret::new("s3cret")).unwrap()).contains("s3cret"));
}
