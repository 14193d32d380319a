//! What a receiver of webhooks gets: signed, until it takes them, and whatever a test orders.

use std::time::Duration;

use reqwest::StatusCode;
use sandbox_psp::settings::Webhook;
use sandbox_psp::webhooks::signature;
use sandbox_psp::{Server, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::{KEY, Psp, settings};

const SECRET: &str = "secret-of-the-webhooks";

/// A webhook as it came.
#[derive(Debug)]
struct Got {
    signature: Option<String>,
    body: String,
}

impl Got {
    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What it tells of: kind and reference.
    fn told(&self) -> (String, String) {
        let event = self.event();
        (event["type"].as_str().unwrap().to_owned(), event["data"]["reference"].as_str().unwrap().to_owned())
    }
}

/// A receiver that gives these statuses one after the other, then 200.
async fn receiver(mut statuses: Vec<u16>) -> (String, mpsc::UnboundedReceiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let (sender, got) = mpsc::unbounded_channel();
    statuses.reverse();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut text = Vec::new();
            let body = loop {
                let mut part = [0; 4096];
                let read = connection.read(&mut part).await.unwrap();
                text.extend_from_slice(&part[..read]);
                let request = String::from_utf8(text.clone()).unwrap();
                let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
                if body.len() == header(head, "content-length").unwrap().parse::<usize>().unwrap() {
                    break Got { signature: header(head, "sandbox-signature"), body: body.to_owned() };
                }
            };
            let status = statuses.pop().unwrap_or(200);
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
            sender.send(body).unwrap();
        }
    });
    (url, got)
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

async fn telling(url: String) -> Psp {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, format!("{SECRET}\n")).unwrap();
    let settings = Settings { webhook: Some(Webhook { url, secret_file }), ..settings(folder.path(), None) };
    let server = Server::start(&settings).await.unwrap();
    Psp { server, client: reqwest::Client::new(), folder }
}

async fn next(got: &mut mpsc::UnboundedReceiver<Got>) -> Got {
    tokio::time::timeout(Duration::from_secs(10), got.recv()).await.unwrap().unwrap()
}

fn text(kind: &str, reference: &str) -> (String, String) {
    (kind.to_owned(), reference.to_owned())
}

#[tokio::test]
async fn every_booking_is_told_with_a_signature_of_time_and_body() {
    let (url, mut got) = receiver(vec![]).await;
    let psp = telling(url).await;

    let (_, held) = psp.authorize("o:1", "tok_visa").await;
    let first = next(&mut got).await;
    psp.post(&format!("/v1/authorizations/{}/capture", held["id"].as_str().unwrap()), "c", &json!({})).await;
    let second = next(&mut got).await;

    assert_eq!(
        (first.told(), second.told()),
        (text("authorization.authorized", "o:1"), text("authorization.captured", "o:1"))
    );
    assert_eq!(first.event()["data"]["authorization"], held["id"]);
    assert_ne!(first.event()["id"], second.event()["id"]);
    let sent = first.signature.unwrap();
    let time = sent.split_once(',').unwrap().0.strip_prefix("t=").unwrap().parse().unwrap();
    assert_eq!(sent, signature::header(SECRET.as_bytes(), time, first.body.as_bytes()).unwrap());
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_comes_again_as_the_same_event() {
    let (url, mut got) = receiver(vec![503, 400]).await;
    let psp = telling(url).await;

    psp.authorize("o:1", "tok_visa").await;

    let tries = [next(&mut got).await, next(&mut got).await, next(&mut got).await];
    assert!(tries.iter().all(|one| one.event() == tries[0].event()), "{tries:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(got.try_recv().is_err(), "it was taken");
}

#[tokio::test]
async fn webhooks_are_doubled_reordered_and_lost_when_a_test_wants_it() {
    let (url, mut got) = receiver(vec![]).await;
    let psp = telling(url).await;
    for delivery in ["duplicated", "lost", "reordered"] {
        assert_eq!(psp.post("/v1/test/webhooks", "", &json!({ "delivery": delivery })).await.0, StatusCode::OK);
    }

    for n in 1..=4 {
        psp.authorize(&format!("o:{n}"), "tok_visa").await;
    }

    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next(&mut got).await.told().1);
    }
    // The second is lost; the two tours of the first and of the third and fourth run side by side.
    assert_eq!(told.iter().filter(|reference| *reference == "o:1").count(), 2);
    told.retain(|reference| reference != "o:1");
    assert_eq!(told, ["o:4", "o:3"]);
}

#[tokio::test]
async fn one_that_shall_come_after_the_next_does_not_wait_for_ever() {
    let (url, mut got) = receiver(vec![]).await;
    let psp = telling(url).await;
    psp.post("/v1/test/webhooks", "", &json!({ "delivery": "reordered" })).await;

    psp.authorize("o:1", "tok_visa").await;

    assert_eq!(next(&mut got).await.told().1, "o:1");
}

#[tokio::test]
async fn forged_webhooks_are_wrong_in_the_way_that_was_ordered() {
    let (url, mut got) = receiver(vec![418; 6]).await;
    let psp = telling(url).await;
    for wrong in ["unsigned", "secret", "stale", "early", "altered", "lie"] {
        let forgery = json!({ "wrong": wrong, "kind": "captured", "reference": "o:1", "id": "evt_1" });
        let (status, body) = psp.post("/v1/test/webhooks/forged", "", &forgery).await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!(418)), "{wrong}");

        let forged = next(&mut got).await;

        assert_eq!((forged.told(), &forged.event()["id"]), (text("authorization.captured", "o:1"), &json!("evt_1")));
        let Some(sent) = forged.signature else {
            assert_eq!(wrong, "unsigned");
            continue;
        };
        let time: i64 = sent.split_once(',').unwrap().0.strip_prefix("t=").unwrap().parse().unwrap();
        let honest = signature::header(SECRET.as_bytes(), time, forged.body.as_bytes()).unwrap() == sent;
        assert_eq!(honest, ["stale", "early", "lie"].contains(&wrong), "{wrong}");
        let now = present_second();
        assert_eq!((time - now).abs() > 300, ["stale", "early"].contains(&wrong), "{wrong}");
    }
    assert!(psp.kinds().await.is_empty());
}

#[expect(clippy::disallowed_methods, reason = "compared with the time in a signature")]
fn present_second() -> i64 {
    jiff::Timestamp::now().as_second()
}
