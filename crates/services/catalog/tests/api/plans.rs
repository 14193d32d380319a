//! Every list is answered from an index: the server's own plans say so, for the queries that the service really sent.

use serde_json::json;
use shop_mongo::{Bson, Document, doc};

use crate::given::{CATEGORIES, PRODUCTS, catalog, category, product, read, sold, with};

/// All stages of a plan, from the top.
fn stages(plan: &Bson) -> Vec<&str> {
    if let Some(part) = plan.as_document() {
        let own = part.get_str("stage").ok();
        return own.into_iter().chain(part.values().flat_map(stages)).collect();
    }
    plan.as_array().map(|parts| parts.iter().flat_map(stages).collect()).unwrap_or_default()
}

#[tokio::test]
async fn every_list_is_answered_from_an_index() {
    let (shop, _) = catalog().await;
    let mugs = category(&shop, "Mugs", None).await;
    for n in 0..20 {
        let attributes = json!({ "colour": if n % 2 == 0 { "blue" } else { "red" } });
        let more = json!({ "categoryId": mugs.id(), "slug": format!("mug-{n}"), "attributes": attributes });
        sold(&shop, &with(product("Mug", n), more)).await;
    }
    let mongo = shop.mongo("catalog").await;
    let database = mongo.database();
    database.run_command(doc! { "profile": 2, "filter": "unset" }).await.unwrap();
    let of_mugs = format!("category={}", mugs.id());
    let mut queries = Vec::new();
    for sort in ["createdAt", "-createdAt", "price", "-price", "name", "-name"] {
        for filter in ["", "inStock=true", "minPrice=3&maxPrice=9", "search=mug", "attr.colour=red", &of_mugs] {
            queries.push(format!("{PRODUCTS}?sort={sort}&page=2&size=5&{filter}"));
        }
        let first = read(&shop, &format!("{PRODUCTS}?sort={sort}&size=5")).await;
        let cursor = first.body["page"]["nextCursor"].as_str().unwrap();
        queries.push(format!("{PRODUCTS}?sort={sort}&size=5&cursor={cursor}"));
    }
    queries.extend([
        format!("{PRODUCTS}/mug-7"),
        format!("{PRODUCTS}?{of_mugs}&inStock=true&search=mug"),
        CATEGORIES.into(),
    ]);
    for query in &queries {
        let answer = read(&shop, query).await;
        assert_eq!(answer.status, 200, "{query} gave {}", answer.body);
    }
    database.run_command(doc! { "profile": 0 }).await.unwrap();

    let profile = database.collection::<Document>("system.profile");
    let lists = ["products", "categories"].map(|name| format!("{}.{name}", database.name())).to_vec();
    let reads = vec![doc! { "op": "query" }, doc! { "command.aggregate": { "$exists": true } }];
    let asked = doc! { "$or": reads, "ns": { "$in": lists } };
    let mut cursor = profile.find(asked).await.unwrap();
    let mut looked_at = 0;
    while cursor.advance().await.unwrap() {
        let entry = cursor.deserialize_current().unwrap();
        let summary = entry.get_str("planSummary").unwrap_or_default();
        let good = ["IXSCAN", "IDHACK", "TEXT", "COUNT_SCAN"].iter().any(|word| summary.contains(word));
        assert!(good && !summary.contains("COLLSCAN"), "{summary}: {entry}");
        let stages = entry.get("execStats").map(stages).unwrap_or_default();
        assert!(!stages.contains(&"COLLSCAN"), "{stages:?}");
        // Only where words or a price range choose the index, the found ones are sorted afterwards.
        let filter = format!("{}", entry.get_document("command").unwrap());
        if stages.contains(&"SORT") {
            assert!(
                ["$search", "$gte", "$facet", "facets", "\"category\""].iter().any(|word| filter.contains(word)),
                "{filter}: {stages:?}"
            );
        }
        looked_at += 1;
    }
    assert!(looked_at >= queries.len(), "each list was one query at least, and the profiler saw {looked_at}");
}
