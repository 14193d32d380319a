//! What is kept of a person, as identity asks for it.

use futures::TryStreamExt as _;
use serde_json::Value;
use shop_mongo::doc;
use shop_proto::person::payments_client::PaymentsClient;
use shop_proto::person::{ExportPersonRequest, Record};
use shop_service::SystemClock;
use shop_types::{Clock as _, OrderId};
use tonic::transport::Endpoint;
use tonic::{Code, Status};

use crate::given::Given;

async fn kept(given: &Given, user_id: &str, received: u32) -> Result<Vec<Value>, Status> {
    let channel = Endpoint::from_shared(given.shop.grpc_url()).unwrap().connect().await.unwrap();
    let request = ExportPersonRequest { user_id: user_id.into(), received };
    let records: Vec<Record> =
        PaymentsClient::new(channel).export_person(request).await?.into_inner().try_collect().await?;
    assert!(records.iter().all(|record| record.kind == "payment"), "{records:?}");
    Ok(records.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect())
}

#[tokio::test]
async fn payments_of_a_person_are_given_and_nobody_elses() {
    let given = Given::new().await;
    let (ada, eve) = (given.shop.callers().customer(), given.shop.callers().customer());
    let order = || OrderId::from_uuid(SystemClock.new_id());
    let (first, second) = (order(), order());
    for (order, owner) in [(first, Some(&ada)), (order(), Some(&eve)), (second, Some(&ada)), (order(), None)] {
        let owner = owner.map(|owner| owner.id.to_string());
        let fields = doc! { "user_id": owner, "state": "CAPTURED", "hold": "h", "next_try_at": null };
        given.left_behind(order, fields).await;
    }
    let id = ada.id.to_string();
    let all = kept(&given, &id, 0).await.unwrap();
    let ids: Vec<_> = all.iter().map(|payment| payment["orderId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [first.to_string(), second.to_string()]);
    let (status, shown) = given.http("GET", &format!("/api/v1/payments/{second}:1"), Some(&ada)).await;
    assert_eq!((status, &shown["orderId"], &shown["status"]), (200, &all[1]["orderId"], &all[1]["status"]));
    assert_eq!(kept(&given, &id, 1).await.unwrap().len(), 1);
    assert!(kept(&given, &id, 2).await.unwrap().is_empty());
    assert_eq!(kept(&given, "7", 0).await.unwrap_err().code(), Code::NotFound);
}
