//! Imports whose pod has gone: who goes on with them, from where, and when nobody does.

use super::*;

#[tokio::test]
async fn an_import_whose_pod_died_goes_on_behind_the_last_row_that_counts() {
    let (shop, _) = catalog().await;
    // As a pod leaves it that dies after 100 rows: those are products, and its lease is the only trace of it.
    assert_eq!(told(&import(&shop, CSV, things(100)).await), ("done", [100, 0, 0, 0]));
    let file = things(250);
    let begun = answer(upload(&shop, CSV, file.clone())).await;
    ended(&shop, &begun).await;
    eventually("its upload is gone", || async { count(&shop, "import_chunks").await == 0 }).await;
    let mongo = shop.mongo("catalog").await;
    let left = doc! {
        "state": "running", "open": true, "holder": "a pod that died", "rows": 100_i64, "bytes_read": 1000_i64,
        "created": 100_i64, "changed": 0_i64, "unchanged": 0_i64, "failed": 0_i64,
    };
    let chunk = doc! { "_id": format!("{}:0", begun.id()), "at": DateTime::now(), "data": shop_mongo::bson::Binary {
        subtype: shop_mongo::bson::spec::BinarySubtype::Generic, bytes: file.clone().into_bytes(),
    } };
    mongo.collection::<Document>("import_chunks").insert_one(chunk).await.unwrap();
    let products = mongo.collection::<Document>("products");
    products
        .delete_many(doc! { "slug": { "$in": (100..250).map(|n| format!("s{n}")).collect::<Vec<_>>() } })
        .await
        .unwrap();
    let imports = mongo.collection::<Document>("imports");
    let long_ago =
        vec![doc! { "$set": { "renewed_at": { "$subtract": ["$$NOW", 60_000] } } }, doc! { "$unset": "finished_at" }];
    imports.update_one(doc! { "_id": begun.id() }, doc! { "$set": left }).await.unwrap();
    imports.update_one(doc! { "_id": begun.id() }, long_ago).await.unwrap();
    assert_eq!(told(&ended(&shop, &begun).await), ("done", [250, 0, 0, 0]));
    assert_eq!(count(&shop, "products").await, 250);
}

#[tokio::test]
async fn an_import_that_nobody_gets_further_with_is_given_up_after_three_times() {
    let (shop, _) = catalog().await;
    let begun = answer(upload(&shop, CSV, things(150))).await;
    assert_eq!(told(&ended(&shop, &begun).await), ("done", [150, 0, 0, 0]));
    let imports = shop.mongo("catalog").await.collection::<Document>("imports");
    let id = doc! { "_id": begun.id() };
    let taken = imports.find_one(id.clone()).await.unwrap().unwrap();
    assert_eq!(taken.get_i64("takes").unwrap(), 1, "whoever gets further begins to count anew");
    // As three pods leave it that died behind row 100, one after the other.
    let left = vec![
        doc! { "$set": {
            "state": "running", "open": true, "holder": "a pod that died", "rows": 100_i64, "created": 100_i64, "takes": 3_i64,
            "renewed_at": { "$subtract": ["$$NOW", 60_000] },
        } },
        doc! { "$unset": "finished_at" },
    ];
    imports.update_one(id, left).await.unwrap();
    let failed = ended(&shop, &begun).await;
    assert_eq!(told(&failed), ("failed", [100, 0, 0, 0]));
    let error = &failed["errors"][0];
    assert_eq!((&error["row"], error["code"].as_str()), (&json!(101), Some("given_up")));
    assert!(error["message"].as_str().unwrap().contains("behind row 100"), "{error}");
    eventually("its upload is gone", || async { count(&shop, "import_chunks").await == 0 }).await;
}

#[tokio::test]
async fn an_import_that_another_pod_works_on_is_left_to_it() {
    let (shop, _) = catalog().await;
    let begun = answer(upload(&shop, CSV, "sku\nmug\n")).await;
    ended(&shop, &begun).await;
    let imports = shop.mongo("catalog").await.collection::<Document>("imports");
    let held = vec![
        doc! { "$set": { "state": "running", "open": true, "holder": "another pod", "renewed_at": "$$NOW" } },
        doc! { "$unset": "finished_at" },
    ];
    imports.update_one(doc! { "_id": begun.id() }, held).await.unwrap();
    // What is begun later is worked on meanwhile.
    assert_eq!(told(&import(&shop, NDJSON, "").await), ("done", [0; 4]));
    let stored = imports.find_one(doc! { "_id": begun.id() }).await.unwrap().unwrap();
    assert_eq!(stored.get_str("holder").unwrap(), "another pod");
}
