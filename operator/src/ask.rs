//! Between apply and report: asks a shop through its own NGINX whether it is well, before the shop is called ready.
//!
//! Deployments are available a moment before the nodes know their pods, and until then NGINX finds nobody. What does not
//! belong here: whether an answer is needed, and what it means (`report`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::BoxFuture;
use kube::ResourceExt;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::apply::Applied;
use crate::build::names;
use crate::http;
use crate::plan::Plan;

/// How long a shop may take. Its own services are asked in turn for that answer, so it is no short one.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a shop said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it was not asked.
    NotAsked,
    /// That it is well.
    Well,
    /// That it is not, or nothing that could be understood; in words for users.
    Unwell(String),
}

/// Where a shop is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// NGINX' Service. An address and not a name: a name server may not know it yet.
    pub address: SocketAddr,
    /// The host name that the shop answers to.
    pub host: String,
}

/// Asks shops. Tests without a node answer themselves.
pub trait Ask: Send + Sync {
    /// Asks a shop whether it is well. It takes a few seconds at most.
    fn ask<'a>(&'a self, door: &'a Door) -> BoxFuture<'a, Answer>;
}

/// Asks for `/health`, as anybody may.
#[derive(Debug, Clone, Copy)]
pub struct OverHttp;

impl Ask for OverHttp {
    fn ask<'a>(&'a self, door: &'a Door) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match health(door, DEADLINE).await {
                Ok(()) => Answer::Well,
                Err(error) => Answer::Unwell(format!("{error:#}")),
            }
        })
    }
}

/// The door of a shop with a bundled NGINX, once its Service has an address.
pub(crate) fn door(plan: &Plan, applied: &Applied) -> Option<Door> {
    let name = names::nginx(&plan.shop.name);
    let service = applied.objects.services.iter().find(|service| service.name_any() == name)?;
    let address: IpAddr = service.spec.as_ref()?.cluster_ip.as_ref()?.parse().ok()?;
    let inside = || format!("{name}.{}.svc", plan.shop.namespace);
    Some(Door { address: SocketAddr::new(address, names::NGINX_PORT), host: plan.host.clone().unwrap_or_else(inside) })
}

/// What is of interest of `/health`.
#[derive(Deserialize)]
struct Health {
    status: String,
    #[serde(default)]
    services: Vec<Service>,
}

/// One service in it.
#[derive(Deserialize)]
struct Service {
    name: String,
    status: String,
}

async fn health(door: &Door, deadline: Duration) -> anyhow::Result<()> {
    let Door { address, host } = door;
    let asking = async {
        let stream = TcpStream::connect(address).await.with_context(|| format!("failed to connect to {address}"))?;
        http::get(stream, host, "/health").await
    };
    let answer = tokio::time::timeout(deadline, asking).await;
    let reply = answer.with_context(|| format!("no answer from http://{address}/health within {deadline:?}"))??;
    match serde_json::from_str::<Health>(&reply.body) {
        Ok(health) if reply.status == 200 && health.status != "DOWN" => Ok(()),
        Ok(health) if !health.services.is_empty() => {
            let unwell = health.services.iter().filter(|service| service.status != "OK");
            let unwell: Vec<_> = unwell.map(|Service { name, status }| format!("{name} is {status}")).collect();
            anyhow::bail!("/health answered {}: {}", reply.status, unwell.join(", "))
        }
        Err(error) if reply.status == 200 => Err(error).context("/health answered 200 with something else"),
        // NGINX itself, or whatever stands before it: its page says no more than its status.
        Ok(_) | Err(_) => anyhow::bail!("/health answered {}", reply.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::http::tests::{Then, answering, nobody};

    async fn answer_to(text: &str) -> (Answer, String) {
        let (address, server) = answering(text, Then::Close).await;
        let answer = OverHttp.ask(&Door { address, host: "shop.example".to_owned() }).await;
        (answer, server.await.unwrap())
    }

    fn unwell(text: &str) -> Answer {
        Answer::Unwell(text.to_owned())
    }

    #[tokio::test]
    async fn a_shop_that_says_so_is_well() {
        let (answer, request) = answer_to("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"OK\",\"services\":[]}").await;
        assert_eq!(answer, Answer::Well);
        assert!(request.starts_with("GET /health HTTP/1.0\r\nHost: shop.example\r\n"), "{request}");
    }

    #[tokio::test]
    async fn whoever_is_not_well_is_named() {
        let body =
            r#"{"status":"DEGRADED","services":[{"name":"cart","status":"DOWN"},{"name":"order","status":"OK"}]}"#;
        let (answer, _) = answer_to(&format!("HTTP/1.1 503 Service Unavailable\r\n\r\n{body}")).await;
        assert_eq!(answer, unwell("/health answered 503: cart is DOWN"));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_the_shops_is_not_well() {
        let own = r#"{"error":"The service cannot be reached","code":"unavailable","status":503}"#;
        for (text, said) in [
            (format!("HTTP/1.1 503 Service Unavailable\r\n\r\n{own}"), "/health answered 503"),
            ("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"DOWN\"}".to_owned(), "/health answered 200"),
            (
                "HTTP/1.1 200 OK\r\n\r\n<html>".to_owned(),
                "/health answered 200 with something else: expected value at line 1 column 1",
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "the answer is not HTTP"),
        ] {
            assert_eq!(answer_to(&text).await.0, unwell(said));
        }
    }

    #[tokio::test]
    async fn silence_and_a_closed_door_are_told_apart() {
        let (address, server) = answering("", Then::Wait).await;
        let door = Door { address, host: "shop.example".to_owned() };
        let error = health(&door, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no answer from http://{address}/health within 50ms"));
        server.abort();
        let address = nobody().await;
        let answer = OverHttp.ask(&Door { address, ..door }).await;
        let Answer::Unwell(said) = answer else { panic!("{answer:?}") };
        assert!(said.starts_with(&format!("failed to connect to {address}: ")), "{said}");
    }
}
