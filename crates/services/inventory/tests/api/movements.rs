//! The history of stock.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::bson::DateTime;
use shop_mongo::{Bson, Document, doc};
use shop_testkit::TestShop;

use crate::given::{adjust, an_order, client, inventory, opened, reserve, stocked};

/// A page of the history.
async fn history(shop: &TestShop, query: &str) -> (u16, Value) {
    let request = shop.client().request(Method::GET, shop.url(&format!("/api/v1/movements?{query}")));
    let reply = request.header("Authorization", shop.callers().staff().bearer()).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

/// The ids of the movements of a page.
async fn ids(shop: &TestShop, query: &str) -> Vec<String> {
    let (status, body) = history(shop, query).await;
    assert_eq!(status, 200, "{body}");
    body["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// SKU and version of all movements, page by page.
async fn all(shop: &TestShop, query: &str) -> Vec<(String, i64)> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = history(shop, &format!("{query}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let told = |one: &Value| (one["sku"].as_str().unwrap().to_owned(), one["version"].as_i64().unwrap());
        seen.extend(page["items"].as_array().unwrap().iter().map(told));
        let Some(next) = page["page"]["nextCursor"].as_str() else { return seen };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn every_movement_tells_what_why_and_by_whom() {
    let shop = inventory().await;
    stocked(&shop, "mug", 5).await;
    let order = an_order();
    client(&shop).await.reserve(reserve(order, &[("mug", 2)])).await.unwrap();
    let (_, body) = history(&shop, "sku=mug").await;
    let [reserved, adjusted] = body["items"].as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!((&reserved["cause"], &reserved["orderId"]), (&json!("reserved"), &json!(order.to_string())));
    let changes = |one: &Value| {
        ["availableChange", "reservedChange", "soldChange", "available", "reserved"]
            .map(|name| one[name].as_i64().unwrap())
    };
    assert_eq!((changes(reserved), changes(adjusted)), ([-2, 2, 0, 3, 2], [5, 0, 0, 5, 0]));
    assert_eq!(
        (&adjusted["id"], &adjusted["location"], &adjusted["version"]),
        (&json!("mug@main:1"), &json!("main"), &json!(1))
    );
    assert_eq!((&adjusted["cause"], &adjusted["reason"]), (&json!("adjusted"), &json!("delivery")));
    assert!(
        adjusted["by"].is_string() && adjusted["at"].is_string() && adjusted.get("orderId").is_none(),
        "{adjusted}"
    );
    assert_eq!(body["page"], json!({ "size": 20 }));
}

#[tokio::test]
async fn pages_follow_each_other_whatever_comes_meanwhile() {
    let shop = inventory().await;
    for _ in 0..5 {
        stocked(&shop, "mug", 1).await;
    }
    let (_, first) = history(&shop, "size=2").await;
    assert_eq!(first["items"][0]["id"], "mug@main:5");
    stocked(&shop, "mug", 1).await;
    let mut seen = Vec::new();
    let mut next = first["page"]["nextCursor"].as_str().map(str::to_owned);
    while let Some(cursor) = next {
        let (status, page) = history(&shop, &format!("size=2&cursor={cursor}")).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["version"].as_i64().unwrap()));
        next = page["page"]["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, [3, 2, 1]);
}

#[tokio::test]
async fn movements_of_one_batch_come_in_the_order_in_which_they_happened() {
    let shop = inventory().await;
    stocked(&shop, "mug", 500).await;
    // All of one time, as a batch writes them, and on both sides of where the number of the version gains a digit.
    let at = DateTime::from_millis(1_700_000_000_000);
    let movement = |sku: &str, version: i64| {
        doc! {
            "_id": format!("{sku}@main:{version}"), "sku": sku, "location": "main", "version": version,
            "cause": "reserved", "available": -1_i64, "reserved": 1_i64, "sold": 0_i64, "at": at,
            "after": { "available": 0_i64, "reserved": 0_i64, "sold": 0_i64, "received": 0_i64 },
        }
    };
    let batch: Vec<Document> =
        (2..130).map(|version| movement("mug", version)).chain([movement("cup", 99), movement("cup", 100)]).collect();
    shop.mongo("inventory").await.collection("movements").insert_many(batch).await.unwrap();
    let mut mugs = vec![1];
    mugs.extend((2..130).rev());
    for size in [1, 7, 100] {
        let seen = all(&shop, &format!("sku=mug&size={size}")).await;
        assert_eq!(seen.into_iter().map(|(_, version)| version).collect::<Vec<_>>(), mugs, "by {size}");
        let everything = all(&shop, &format!("size={size}")).await;
        assert_eq!(everything.len(), 131, "by {size}: each once");
        assert!(everything[1..].windows(2).all(|pair| pair[0].1 >= pair[1].1), "by {size}: {everything:?}");
    }
}

#[tokio::test]
async fn the_history_is_narrowed_by_sku_location_and_time() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 1).await;
    stocked(&shop, "cup", 1).await;
    let there = json!({ "delta": 4, "reason": "moved", "location": "berlin" });
    assert_eq!(adjust(&shop, &shop.callers().staff(), "mug", &there).await.0, 201);
    assert_eq!(ids(&shop, "").await, ["mug@berlin:1", "cup@main:1", "mug@main:1"]);
    assert_eq!(ids(&shop, "sku=mug").await, ["mug@berlin:1", "mug@main:1"]);
    assert_eq!(ids(&shop, "location=berlin").await, ["mug@berlin:1"]);
    assert_eq!(ids(&shop, "sku=cup&location=berlin").await, Vec::<String>::new());
    let (_, all) = history(&shop, "").await;
    let at = all["items"][1]["at"].as_str().unwrap();
    assert_eq!(ids(&shop, &format!("from={at}")).await, ["mug@berlin:1", "cup@main:1"]);
    assert_eq!(ids(&shop, &format!("to={at}")).await, ["mug@main:1"]);
    assert_eq!(ids(&shop, &format!("from={at}&to={at}")).await, Vec::<String>::new());
}

#[tokio::test]
async fn parameters_that_cannot_be_are_refused() {
    let shop = inventory().await;
    for (query, field) in [
        ("sku=a%20b", "sku"),
        ("location=Berlin", "location"),
        ("from=yesterday", "from"),
        ("to=1", "to"),
        ("cursor=7", "cursor"),
        ("cursor=7.%7B%22$gt%22:1%7D", "cursor"),
        ("size=0", "size"),
        ("size=101", "size"),
        ("size=x", "size"),
    ] {
        let (status, body) = history(&shop, query).await;
        assert_eq!((status, body["code"].as_str()), (422, Some("invalid_parameter")), "{query} gave {body}");
        assert_eq!(body["details"][0]["field"], field, "{query}");
    }
    let (status, body) = history(&shop, "order=1").await;
    assert_eq!((status, body["code"].as_str()), (422, Some("unknown_parameter")));
}

/// All stages of a plan, from the top.
fn stages(plan: &Bson) -> Vec<&str> {
    if let Some(part) = plan.as_document() {
        let own = part.get_str("stage").ok();
        return own.into_iter().chain(part.values().flat_map(stages)).collect();
    }
    plan.as_array().map(|parts| parts.iter().flat_map(stages).collect()).unwrap_or_default()
}

#[tokio::test]
async fn every_page_is_read_in_the_order_of_an_index() {
    let shop = inventory().await;
    for _ in 0..20 {
        stocked(&shop, "mug", 1).await;
    }
    let database = shop.mongo("inventory").await.database().clone();
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    let (_, first) = history(&shop, "size=5").await;
    let cursor = first["page"]["nextCursor"].as_str().unwrap();
    let from = "from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    let queries = [
        "sku=mug",
        "location=main",
        "sku=mug&location=berlin",
        from,
        &format!("sku=mug&{from}"),
        &format!("sku=mug&size=5&cursor={cursor}"),
        &format!("size=5&cursor={cursor}"),
    ];
    for query in queries {
        history(&shop, query).await;
    }
    let (status, _) = crate::given::stock(&shop, "mug").await;
    assert_eq!(status, 200);
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let read = [format!("{}.movements", database.name()), format!("{}.stock", database.name())];
    let profile = database.collection::<Document>("system.profile");
    let mut found = profile.find(doc! { "op": "query", "ns": { "$in": read.to_vec() } }).await.unwrap();
    let mut looked_at = 0;
    while found.advance().await.unwrap() {
        let entry = found.deserialize_current().unwrap();
        let stages = entry.get("execStats").map(stages).unwrap_or_default();
        let examined = entry.get_i32("docsExamined").unwrap();
        assert!(examined <= entry.get_i32("nreturned").unwrap() + 1, "{entry}");
        assert!(stages.contains(&"IXSCAN") && !stages.contains(&"COLLSCAN") && !stages.contains(&"SORT"), "{entry}");
        looked_at += 1;
    }
    assert_eq!(looked_at, queries.len() + 2);
}
