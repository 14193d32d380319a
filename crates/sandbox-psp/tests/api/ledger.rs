//! The ledger and what survives a restart; probes and metrics.

use std::time::Duration;

use reqwest::StatusCode;
use sandbox_psp::Server;
use serde_json::json;

use crate::{Psp, settings};

#[tokio::test]
async fn a_ledger_in_a_file_survives_a_restart_with_its_keys() {
    let psp = Psp::start_in(tempfile::tempdir().unwrap(), Some("ledger")).await;
    let (_, held) = psp.authorize("o:1", "tok_visa").await;

    let psp = psp.restart().await;

    let (status, again) = psp.authorize("o:1", "tok_visa").await;
    assert_eq!((status, &again), (StatusCode::CREATED, &held));
    assert_eq!(psp.authorize("o:2", "tok_declined").await.1["status"], "declined");
    let path = format!("/v1/authorizations/{}/capture", held["id"].as_str().unwrap());
    assert_eq!(psp.post(&path, "o:1:capture", &json!({})).await.0, StatusCode::OK);
    assert_eq!(psp.restart().await.kinds().await, ["authorized", "declined", "captured"]);
}

#[tokio::test]
async fn the_ledger_is_read_in_parts() {
    let psp = Psp::start().await;
    for n in 0..3 {
        psp.authorize(&format!("o:{n}"), "tok_visa").await;
    }

    let (_, first) = psp.get("/v1/ledger?limit=2").await;
    let (_, rest) = psp.get("/v1/ledger?limit=2&after=2").await;

    assert_eq!((first["entries"].as_array().unwrap().len(), &first["more"]), (2, &json!(true)));
    assert_eq!((&rest["entries"][0]["sequence"], &rest["more"]), (&json!(3), &json!(false)));
    let entry = &rest["entries"][0];
    assert_eq!((&entry["reference"], &entry["key"], &entry["amount"]), (&json!("o:2"), &json!("o:2"), &json!(500)));
}

#[tokio::test]
async fn the_ledger_is_read_by_reference_and_from_a_time_on() {
    let psp = Psp::start().await;
    for reference in ["o:1", "o:2"] {
        psp.authorize(reference, "tok_visa").await;
    }
    let (_, clock) = psp.post("/v1/test/clock", "", &json!({ "advanceSeconds": 3600 })).await;
    psp.authorize("o:3", "tok_visa").await;

    let (_, later) = psp.get(&format!("/v1/ledger?since={}", clock["now"].as_str().unwrap())).await;
    let (_, second) = psp.get("/v1/ledger?reference=o:2").await;
    let (_, none) = psp.get("/v1/ledger?reference=o:2&after=2").await;

    let references = |page: &serde_json::Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["reference"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((references(&later), references(&second)), (vec!["o:3".to_owned()], vec!["o:2".to_owned()]));
    assert!(references(&none).is_empty());
}

#[tokio::test]
async fn probes_and_metrics_need_no_key() {
    let psp = Psp::start().await;
    psp.authorize("o:1", "tok_visa").await;
    let admin = format!("http://{}", psp.server.admin_address());

    for path in ["/livez", "/readyz"] {
        assert_eq!(psp.client.get(format!("{admin}{path}")).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let text = psp.client.get(format!("{admin}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#"http_requests_total{method="POST",route="/v1/authorizations",status="201"} 1"#), "{text}");
    assert!(text.contains(r#"sandbox_psp_answers_total{kind="authorized"} 1"#), "{text}");
}

#[tokio::test]
async fn it_does_not_start_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Server::start(&settings(folder.path(), None)).await.unwrap_err();
    assert!(format!("{missing:#}").contains("key"), "{missing:#}");

    std::fs::write(folder.path().join("key"), " \n").unwrap();
    let empty = Server::start(&settings(folder.path(), None)).await.unwrap_err();
    assert!(empty.to_string().contains("is empty"), "{empty:#}");
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_lost_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), crate::KEY).unwrap();
    let slow = sandbox_psp::Settings { hang: Duration::from_secs(300), ..settings(folder.path(), None) };
    let server = Server::start(&slow).await.unwrap();
    let request = reqwest::Client::new()
        .post(format!("http://{}/v1/authorizations", server.address()))
        .bearer_auth(crate::KEY)
        .header("Idempotency-Key", "k")
        .json(&crate::hold("o:1", "tok_timeout_always"))
        .send();
    let waiting = tokio::spawn(request);
    tokio::time::timeout(Duration::from_secs(30), hangs(&server)).await.unwrap();

    tokio::time::timeout(Duration::from_secs(10), server.stop()).await.unwrap().unwrap();

    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
}

/// Waits until a request is kept waiting.
async fn hangs(server: &Server) {
    let metrics = format!("http://{}/metrics", server.admin_address());
    while !reqwest::get(&metrics).await.unwrap().text().await.unwrap().contains(r#"mishaps_total{kind="timeout"} 1"#) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
