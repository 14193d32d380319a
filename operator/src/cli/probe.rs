//! Asks a URL whether all is well: for tests inside a cluster, from an image that holds no other program.
//!
//! What does not belong here: HTTP itself (`http`).

use std::time::Duration;

use actix_web::http::Uri;
use anyhow::{Context as _, bail, ensure};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::http::{Reply, get};

/// How long connecting may take. `helm test` runs right after `helm install --wait`, which knows that the pods are ready,
/// but not that the name server and the node's proxy know the new Service: they need a moment, name servers up to 5 s.
const CONNECT: Duration = Duration::from_secs(8);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// How long an answer may take, once somebody took the connection. There is one request and no second.
const ANSWER: Duration = Duration::from_secs(2);

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    answer: Duration,
}

/// Sends one GET and gives the status line of the answer in short: status and first line of the body.
///
/// # Errors
/// When nobody takes the connection or there is no answer in time, when it is no HTTP, or when its status is not 2xx.
pub(super) async fn probe(url: &Uri) -> anyhow::Result<String> {
    let Reply { status, body } = ask(url, Limits { connect: CONNECT, answer: ANSWER }).await?;
    let line = body.lines().next().unwrap_or_default();
    ensure!((200..300).contains(&status), "{url} answered {status} {line}");
    Ok(format!("{status} {line}"))
}

async fn ask(url: &Uri, limits: Limits) -> anyhow::Result<Reply> {
    ensure!(url.scheme_str() == Some("http"), "{url} does not start with http://");
    let host = url.host().with_context(|| format!("{url} names no host"))?;
    let port = url.port_u16().unwrap_or(80);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let stream = connect(host, port, limits.connect).await?;
    let reply = timeout(limits.answer, get(stream, &format!("{host}:{port}"), path)).await;
    reply.with_context(|| format!("no answer from {url} within {:?}", limits.answer))?
}

async fn connect(host: &str, port: u16, patience: Duration) -> anyhow::Result<TcpStream> {
    let until = Instant::now() + patience;
    // A name server and a socket want the bare address of an IPv6 host.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    loop {
        match timeout_at(until, TcpStream::connect((bare, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(_)) if Instant::now() + PAUSE < until => sleep(PAUSE).await,
            Ok(Err(error)) => return Err(error).with_context(|| format!("failed to connect to {host}:{port}")),
            Err(_) => bail!("nobody took the connection to {host}:{port} within {patience:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::net::TcpListener;

    use crate::http::tests::{Then, answering, nobody};

    const SHORT: Limits = Limits { connect: Duration::from_millis(300), answer: Duration::from_millis(50) };

    fn url(address: std::net::SocketAddr) -> Uri {
        format!("http://{address}/readyz?verbose").parse().unwrap()
    }

    #[tokio::test]
    async fn a_good_answer_gives_its_status_and_first_line() {
        let (address, server) =
            answering("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok\nmore\n", Then::Close).await;
        assert_eq!(probe(&url(address)).await.unwrap(), "200 ok");
        assert!(server.await.unwrap().starts_with("GET /readyz?verbose HTTP/1.0\r\n"));
    }

    #[tokio::test]
    async fn an_answer_that_refuses_is_an_error_at_once() {
        let (address, _server) =
            answering("HTTP/1.0 503 Service Unavailable\r\n\r\nnot watching Shops\n", Then::Close).await;
        let url = url(address);
        let error = probe(&url).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{url} answered 503 not watching Shops"));
    }

    #[tokio::test]
    async fn silence_is_an_error_after_the_deadline() {
        let (address, server) = answering("", Then::Wait).await;
        let url = url(address);
        let error = ask(&url, SHORT).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no answer from {url} within 50ms"));
        server.abort();
    }

    #[tokio::test]
    async fn a_service_that_leads_nowhere_yet_is_waited_for() {
        let address = nobody().await;
        let late = tokio::spawn(async move {
            sleep(Duration::from_millis(300)).await;
            TcpListener::bind(address).await.unwrap().accept().await.unwrap()
        });
        let stream = connect(&address.ip().to_string(), address.port(), CONNECT).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        late.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_there_and_other_schemes_are_errors() {
        let https = "https://127.0.0.1/".parse().unwrap();
        let error = probe(&https).await.unwrap_err();
        assert_eq!(error.to_string(), "https://127.0.0.1/ does not start with http://");
        let free = nobody().await;
        let error = ask(&url(free), SHORT).await.unwrap_err();
        assert_eq!(error.to_string(), format!("failed to connect to {free}"));
    }
}
