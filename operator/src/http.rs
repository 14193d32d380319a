//! One GET over plain HTTP: what the operator asks of a shop, and what `probe` asks of the operator.
//!
//! What does not belong here: TLS, redirects, and whatever else a browser can do.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is read of an answer at most; the rest is of no interest.
const LONGEST: u64 = 64 * 1024;

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// The body, up to 64 KiB with the head.
    pub(crate) body: String,
}

/// Sends one GET and reads the answer to its end. It waits as long as the other side lets it: bound it.
///
/// # Errors
/// When the connection breaks or the answer is not HTTP.
pub(crate) async fn get(mut stream: TcpStream, host: &str, path: &str) -> anyhow::Result<Reply> {
    // HTTP/1.0: the answer ends with the connection and comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("failed to send the request")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await.context("failed to read the answer")?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> anyhow::Result<Reply> {
    let mut words = answer.lines().next().unwrap_or_default().split(' ');
    let (Some(version), Some(status)) = (words.next(), words.next()) else { bail!("the answer is not HTTP") };
    ensure!(version.starts_with("HTTP/1."), "the answer is not HTTP");
    let status = status.parse().context("the answer has no status")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Reply { status, body: body.to_owned() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    use std::net::SocketAddr;

    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    /// What a server does after its answer.
    pub(crate) enum Then {
        Close,
        Wait,
    }

    /// A server that answers one request with this text; its task ends with the request.
    pub(crate) async fn answering(text: impl Into<String>, then: Then) -> (SocketAddr, JoinHandle<String>) {
        let text = text.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
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
        (address, server)
    }

    /// An address where nobody listens.
    pub(crate) async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    async fn asked(text: &str) -> anyhow::Result<Reply> {
        let (address, _server) = answering(text, Then::Close).await;
        get(TcpStream::connect(address).await.unwrap(), "shop.example", "/health?all").await
    }

    #[tokio::test]
    async fn status_and_body_of_an_answer_are_read() {
        let (address, server) =
            answering("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot\nyet", Then::Close).await;
        let reply = get(TcpStream::connect(address).await.unwrap(), "shop.example", "/health?all").await.unwrap();
        assert_eq!(reply, Reply { status: 503, body: "not\nyet".to_owned() });
        let request = server.await.unwrap();
        assert!(request.starts_with("GET /health?all HTTP/1.0\r\nHost: shop.example\r\n"), "{request}");
    }

    #[tokio::test]
    async fn what_is_not_http_is_an_error() {
        for (text, error) in [
            ("", "the answer is not HTTP"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
            ("SSH-2.0 OpenSSH 9.2\r\n", "the answer is not HTTP"),
            ("HTTP/1.1 no\r\n\r\n", "the answer has no status"),
        ] {
            assert_eq!(asked(text).await.unwrap_err().to_string(), error, "{text:?}");
        }
    }

    #[tokio::test]
    async fn no_more_is_read_than_is_of_interest() {
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20));
        let (address, server) = answering(long, Then::Close).await;
        let reply = get(TcpStream::connect(address).await.unwrap(), "shop.example", "/").await.unwrap();
        assert!(reply.body.len() < 65_536);
        server.abort();
    }
}
