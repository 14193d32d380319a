//! What is kept of a person, as identity asks for it.

use futures::TryStreamExt as _;
use serde_json::{Value, json};
use shop_proto::person::orders_client::OrdersClient;
use shop_proto::person::{ExportPersonRequest, Record};
use tonic::transport::Endpoint;
use tonic::{Code, Status};

use crate::given::{Buyer, Given, mugs};

async fn kept(given: &Given, user_id: &str, received: u32) -> Result<Vec<Value>, Status> {
    let channel = Endpoint::from_shared(given.shop.grpc_url()).unwrap().connect().await.unwrap();
    let request = ExportPersonRequest { user_id: user_id.into(), received };
    let records: Vec<Record> =
        OrdersClient::new(channel).export_person(request).await?.into_inner().try_collect().await?;
    assert!(records.iter().all(|record| record.kind == "order"), "{records:?}");
    Ok(records.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect())
}

#[tokio::test]
async fn orders_of_a_person_are_given_with_their_returns_and_nobody_elses() {
    let given = Given::new().await;
    let ada = given.shop.callers().customer();
    let (id, ada) = (ada.id.to_string(), Buyer::of(&ada));
    let first = given.shipped(&ada, &mugs(1, "tok_visa")).await;
    assert_eq!(given.send_back(&ada, &first, "back", "It is broken.").await.status, 201);
    let second = given.place(&ada, "second", &mugs(2, "tok_visa")).await.order();
    given.becomes(&ada, &second, "confirmed").await;
    assert_eq!(given.place(&given.customer(), "other", &mugs(1, "tok_visa")).await.status, 201);
    let all = kept(&given, &id, 0).await.unwrap();
    let ids: Vec<_> = all.iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&first, &second]);
    let reasons: Vec<_> = all[0]["returns"].as_array().unwrap().iter().map(|back| back["reason"].clone()).collect();
    assert_eq!((reasons, &all[1]["returns"]), (vec![json!("It is broken.")], &json!([])));
    let mut shown = given.show(&ada, &second).await.body;
    shown["returns"] = json!([]);
    assert_eq!(all[1], shown);
    assert_eq!(kept(&given, &id, 1).await.unwrap(), all[1..]);
    assert!(kept(&given, &id, 2).await.unwrap().is_empty());
    let nobody = given.shop.callers().customer().id.to_string();
    assert!(kept(&given, &nobody, 0).await.unwrap().is_empty());
    assert_eq!(kept(&given, "7", 0).await.unwrap_err().code(), Code::NotFound);
}
