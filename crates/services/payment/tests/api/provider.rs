//! The provider of these tests from the outside: its ledger, the faults it is ordered, the buyer at its page.

use reqwest::Method;
use serde_json::{Value, json};
use shop_types::OrderId;

use crate::given::{API_KEY, Given};

impl Given {
    /// Asks the provider something with its API key.
    pub(crate) async fn provider(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("http://{}{path}", self.psp.address());
        let mut request = self.shop.client().request(method, url).bearer_auth(API_KEY);
        if let Some(body) = body {
            // The same request is the same request.
            let key = format!("{path}:{body}").replace(' ', "_");
            request = request.header("Idempotency-Key", key).json(body);
        }
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    /// Orders what goes wrong with requests about an order.
    pub(crate) async fn fault(&self, order: OrderId, operation: &str, fault: &str) {
        let body = json!({ "operation": operation, "fault": fault, "reference": order.to_string() });
        assert_eq!(self.provider(Method::POST, "/v1/test/faults", Some(&body)).await.0, 200);
    }

    /// What the provider has done, oldest first: the entries of its ledger about an order.
    pub(crate) async fn entries(&self, order: OrderId) -> Vec<Value> {
        let path = format!("/v1/ledger?reference={order}:1");
        let (_, ledger) = self.provider(Method::GET, &path, None).await;
        ledger["entries"].as_array().unwrap().clone()
    }

    /// The amount that the provider has booked as this kind, all in all.
    pub(crate) async fn booked(&self, order: OrderId, kind: &str) -> i64 {
        let entries = self.entries(order).await;
        entries.iter().filter(|entry| entry["kind"] == kind).map(|entry| entry["amount"].as_i64().unwrap()).sum()
    }

    /// The provider's id of the hold of an order's first attempt.
    pub(crate) async fn hold_of(&self, order: OrderId) -> String {
        self.entries(order).await[0]["authorization"].as_str().unwrap().to_owned()
    }

    /// Sends a forged webhook to the service and gives the status that it was answered with.
    pub(crate) async fn forge(&self, wrong: &str, kind: &str, reference: &str, id: Option<&str>) -> u64 {
        let body = json!({ "wrong": wrong, "kind": kind, "reference": reference, "id": id });
        let (status, answer) = self.provider(Method::POST, "/v1/test/webhooks/forged", Some(&body)).await;
        assert_eq!(status, 200, "{answer}");
        answer["status"].as_u64().unwrap()
    }

    /// What the buyer does at the provider's page: `confirm` or `refuse`.
    pub(crate) async fn buyer(&self, page: &str, what: &str) -> u16 {
        self.shop.client().post(format!("{page}/{what}")).send().await.unwrap().status().as_u16()
    }
}
