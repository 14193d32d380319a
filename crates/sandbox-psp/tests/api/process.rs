//! The program itself: started by its variables, killed, stopped.

use std::path::Path;
use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{KEY, answer, hold};

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox-psp"));
    command
        .env_clear()
        .env("SANDBOX_PSP_ADDRESS", "127.0.0.1:0")
        .env("SANDBOX_PSP_ADMIN_ADDRESS", "127.0.0.1:0")
        .env("SANDBOX_PSP_API_KEY_FILE", folder.join("key"))
        .env("SANDBOX_PSP_LEDGER_FILE", folder.join("ledger"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts the program and reads from its log where it listens.
async fn start(folder: &Path) -> (Child, String) {
    let mut child = program(folder).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let line: Value = serde_json::from_str(&line).unwrap();
        if let Some(address) = line["fields"]["address"].as_str() {
            return (child, format!("http://{address}/v1/authorizations"));
        }
    }
    panic!("the program ended before it listened");
}

async fn authorize(url: &str) -> (StatusCode, Value) {
    let request = reqwest::Client::new().post(url).bearer_auth(KEY).header("Idempotency-Key", "o:1");
    answer(request.json(&hold("o:1", "tok_visa"))).await
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let (mut child, url) = start(folder.path()).await;
    let first = authorize(&url).await;
    assert_eq!(first.0, StatusCode::CREATED);

    child.kill().await.unwrap();
    let (_child, url) = start(folder.path()).await;

    assert_eq!(authorize(&url).await, first);
}

#[tokio::test]
async fn it_stops_in_order_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let (mut child, _) = start(folder.path()).await;

    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());

    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn without_its_key_it_says_which_variable_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path()).env_remove("SANDBOX_PSP_API_KEY_FILE").output().await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("SANDBOX_PSP_API_KEY_FILE"));
}
