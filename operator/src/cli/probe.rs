//! Asks a URL whether all is well: for tests inside a cluster, from an image that holds no other program.
//!
//! What does not belong here: TLS, redirects, and whatever else a browser can do.

use std::time::Duration;

use actix_web::http::Uri;
use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long all of it may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);
/// Between two tries to connect: a Service that was made a moment ago may not lead anywhere yet.
const PAUSE: Duration = Duration::from_millis(200);
/// What is read of an answer at most; the rest is of no interest.
const LONGEST: u64 = 64 * 1024;

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// The first line of the body.
    pub(super) line: String,
}

impl Answer {
    /// Whether the status is 2xx.
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Sends one GET, as soon as somebody takes the connection.
///
/// # Errors
/// When there is no answer in time, or none that is HTTP.
pub(super) async fn probe(url: &Uri, deadline: Duration) -> anyhow::Result<Answer> {
    let answer = tokio::time::timeout(deadline, get(url, Instant::now() + deadline)).await;
    answer.with_context(|| format!("no answer from {url} within {deadline:?}"))?
}

async fn get(url: &Uri, until: Instant) -> anyhow::Result<Answer> {
    ensure!(url.scheme_str() == Some("http"), "{url} does not start with http://");
    let host = url.host().with_context(|| format!("{url} names no host"))?;
    let port = url.port_u16().unwrap_or(80);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    // A name server and a socket want the bare address of an IPv6 host.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = loop {
        match TcpStream::connect((bare, port)).await {
            Ok(stream) => break stream,
            Err(_) if Instant::now() + PAUSE * 2 < until => sleep(PAUSE).await,
            Err(error) => return Err(error).with_context(|| format!("failed to connect to {host}:{port}")),
        }
    };
    // HTTP/1.0: the answer ends with the connection and comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("failed to send the request")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await.context("failed to read the answer")?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> anyhow::Result<Answer> {
    let mut words = answer.lines().next().unwrap_or_default().split(' ');
    let (Some(version), Some(status)) = (words.next(), words.next()) else { bail!("the answer is not HTTP") };
    ensure!(version.starts_with("HTTP/1."), "the answer is not HTTP");
    let status = status.parse().context("the answer has no status")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Answer { status, line: body.lines().next().unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::net::TcpListener;

    /// A server that answers one request with this text, and then closes or goes silent.
    async fn answering(text: &'static str, then: Then) -> (Uri, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/readyz?verbose", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(text.as_bytes()).await.unwrap();
            match then {
                Then::Close => {}
                Then::Wait => std::future::pending::<()>().await,
            }
            String::from_utf8(request).unwrap()
        });
        (url, server)
    }

    enum Then {
        Close,
        Wait,
    }

    #[tokio::test]
    async fn a_good_answer_is_good_and_gives_its_first_line() {
        let (url, server) =
            answering("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok\nmore\n", Then::Close).await;
        let answer = probe(&url, DEADLINE).await.unwrap();
        assert_eq!(answer, Answer { status: 200, line: "ok".to_owned() });
        assert!(answer.is_good());
        assert!(server.await.unwrap().starts_with("GET /readyz?verbose HTTP/1.0\r\n"));
    }

    #[tokio::test]
    async fn an_answer_that_refuses_is_not_good() {
        let (url, _server) =
            answering("HTTP/1.0 503 Service Unavailable\r\n\r\nnot watching Shops\n", Then::Close).await;
        let answer = probe(&url, DEADLINE).await.unwrap();
        assert_eq!(answer, Answer { status: 503, line: "not watching Shops".to_owned() });
        assert!(!answer.is_good());
    }

    #[tokio::test]
    async fn silence_is_an_error_after_the_deadline() {
        let (url, _server) = answering("", Then::Wait).await;
        let error = probe(&url, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no answer from {url} within 50ms"));
    }

    #[tokio::test]
    async fn nobody_there_other_protocols_and_other_schemes_are_errors() {
        let (url, _server) = answering("SSH-2.0-OpenSSH_9.2\r\n", Then::Close).await;
        assert_eq!(probe(&url, DEADLINE).await.unwrap_err().to_string(), "the answer is not HTTP");
        let (url, _server) = answering("HTTP/1.1 no\r\n\r\n", Then::Close).await;
        assert_eq!(probe(&url, DEADLINE).await.unwrap_err().to_string(), "the answer has no status");
        let https = "https://127.0.0.1/".parse().unwrap();
        let error = probe(&https, DEADLINE).await.unwrap_err();
        assert_eq!(error.to_string(), "https://127.0.0.1/ does not start with http://");
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = probe(&format!("http://{free}").parse().unwrap(), DEADLINE).await.unwrap_err();
        assert_eq!(error.to_string(), format!("failed to connect to {free}"));
    }
}
