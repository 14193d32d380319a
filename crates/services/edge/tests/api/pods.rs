//! Pods as a test wants them: one server plays all of them, since every peer has the same address.

use std::sync::Arc;

use serde_json::{Value, json};
use shop_proto::pod::pod_server::{Pod, PodServer};
use shop_proto::pod::{
    DeadLetter, Dependency, DiscardDeadLetterReply, DiscardDeadLetterRequest, HealthReply, HealthRequest,
    ListDeadLettersReply, ListDeadLettersRequest, OpenApiReply, OpenApiRequest, RetryDeadLetterReply,
    RetryDeadLetterRequest,
};
use tokio::sync::Mutex;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// What the pods say of themselves. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakePods(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    away: bool,
    redis_lost: bool,
    document: String,
    asked: u32,
    letters: Vec<DeadLetter>,
    refusal: Option<Status>,
    /// What was asked about dead letters, each with the token that came along.
    admins: Vec<(String, String)>,
}

impl FakePods {
    /// Pods that serve orders and have two codes of their own, not in their order, and one that all services share.
    pub(crate) async fn new() -> Self {
        let pods = Self::default();
        pods.give(&document().to_string()).await;
        pods
    }

    /// Changes the document that they give.
    pub(crate) async fn give(&self, document: &str) {
        document.clone_into(&mut self.0.lock().await.document);
    }

    /// They go away, or come back.
    pub(crate) async fn set_away(&self, away: bool) {
        self.0.lock().await.away = away;
    }

    /// Their Redis goes away.
    pub(crate) async fn lose_redis(&self) {
        self.0.lock().await.redis_lost = true;
    }

    /// Gives them dead letters.
    pub(crate) async fn give_up(&self, letters: Vec<DeadLetter>) {
        self.0.lock().await.letters = letters;
    }

    /// They refuse everything about dead letters from now on.
    pub(crate) async fn refuse(&self, status: Status) {
        self.0.lock().await.refusal = Some(status);
    }

    /// What was asked about dead letters since the last time, each with the token that came along.
    pub(crate) async fn admins(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().await.admins)
    }

    async fn note<T>(&self, what: &str, request: &Request<T>) -> Result<(), Status> {
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let mut state = self.0.lock().await;
        state.admins.push((what.to_owned(), token.unwrap_or_default()));
        state.refusal.clone().map_or(Ok(()), Err)
    }

    /// How often they were asked.
    pub(crate) async fn asked(&self) -> u32 {
        self.0.lock().await.asked
    }

    /// The server to mount.
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(PodServer::new(self.clone()))
    }
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "order", "version": "1" },
        "paths": {
            "/api/v1/orders": {
                "get": { "operationId": "list_orders", "responses": { "200": { "description": "A page" } } },
                "post": {
                    "operationId": "place_order",
                    "responses": { "201": { "description": "Confirmed", "content": {
                        "application/json": { "schema": { "$ref": "#/components/schemas/OrderBody" } },
                    } } },
                },
            },
            "/api/v1/carts": {
                "post": { "operationId": "open_cart", "responses": { "201": { "description": "Opened" } } },
            },
        },
        "components": { "schemas": { "OrderBody": { "type": "object" } } },
        "x-shopmesh-errors": [
            { "code": "sold_out", "status": 409, "meaning": "There is not enough." },
            { "code": "payment_declined", "status": 402, "meaning": "The payment was declined." },
            { "code": "not_found", "status": 404, "meaning": "There is no such thing, or it is not yours." },
        ],
    })
}

#[tonic::async_trait]
impl Pod for FakePods {
    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthReply>, Status> {
        let mut state = self.0.lock().await;
        state.asked += 1;
        if state.away {
            return Err(Status::unavailable("away"));
        }
        let store = |name: &str, reachable| Dependency { name: name.to_owned(), reachable };
        let dependencies = vec![store("mongodb", true), store("redis", !state.redis_lost)];
        let reply = HealthReply { service: "pod".into(), version: "9.9.9".into(), uptime_seconds: 42, dependencies };
        Ok(Response::new(reply))
    }

    async fn open_api(&self, _: Request<OpenApiRequest>) -> Result<Response<OpenApiReply>, Status> {
        let mut state = self.0.lock().await;
        state.asked += 1;
        if state.away {
            return Err(Status::unavailable("away"));
        }
        Ok(Response::new(OpenApiReply { json: state.document.clone() }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersReply>, Status> {
        let ListDeadLettersRequest { service, limit, after } = request.get_ref();
        self.note(&format!("list {service} {limit} '{after}'"), &request).await?;
        let letters = self.0.lock().await.letters.clone();
        let next = if after.is_empty() { "the-next" } else { "" };
        Ok(Response::new(ListDeadLettersReply { letters, next: next.into(), total: 21 }))
    }

    async fn retry_dead_letter(
        &self,
        request: Request<RetryDeadLetterRequest>,
    ) -> Result<Response<RetryDeadLetterReply>, Status> {
        let RetryDeadLetterRequest { service, id } = request.get_ref();
        self.note(&format!("retry {service} {id}"), &request).await?;
        Ok(Response::new(RetryDeadLetterReply {}))
    }

    async fn discard_dead_letter(
        &self,
        request: Request<DiscardDeadLetterRequest>,
    ) -> Result<Response<DiscardDeadLetterReply>, Status> {
        let DiscardDeadLetterRequest { service, id } = request.get_ref();
        self.note(&format!("discard {service} {id}"), &request).await?;
        Ok(Response::new(DiscardDeadLetterReply {}))
    }
}
