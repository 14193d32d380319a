//! Products in and out as files.

mod large;
mod taking_over;
mod variants;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_mongo::bson::DateTime;
use shop_mongo::{Document, doc};
use shop_testkit::TestShop;

use crate::given::{
    Answer, NOBODY, PRODUCTS, answer, anybody, catalog, category, count, delete, eventually, patch, path, product,
    read, sold, staff, with,
};

const IMPORTS: &str = "/api/v1/products/imports";
const EXPORTS: &str = "/api/v1/products/exports";
const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

fn upload(shop: &TestShop, media: &str, file: impl Into<Vec<u8>>) -> RequestBuilder {
    staff(shop, Method::POST, IMPORTS).header("Content-Type", media).body(file.into())
}

/// A file of so many products: `s0`, `s1` and so on.
fn things(count: u32) -> String {
    let line = |n| format!("s{n},s{n},Thing {n},{n},EUR\n");
    let header = "sku,slug,name,price.amount,price.currency\n".to_owned();
    std::iter::once(header).chain((0..count).map(line)).collect()
}

/// What became of an import that was begun.
async fn ended(shop: &TestShop, begun: &Answer) -> Value {
    assert_eq!(begun.status, 202, "{}", begun.body);
    let location = format!("{IMPORTS}/{}", begun.id());
    assert_eq!(begun.header("location"), location);
    eventually("the import has ended", || async {
        let now = answer(staff(shop, Method::GET, &location)).await;
        assert_eq!(now.status, 200, "{}", now.body);
        now.body["finishedAt"].is_string()
    })
    .await;
    answer(staff(shop, Method::GET, &location)).await.body
}

/// Imports a file.
async fn import(shop: &TestShop, media: &str, file: impl Into<Vec<u8>>) -> Value {
    ended(shop, &answer(upload(shop, media, file)).await).await
}

/// State, and rows that were created, changed, unchanged and failed.
fn told(import: &Value) -> (&str, [u64; 4]) {
    let number = |name: &str| import[name].as_u64().unwrap();
    let counts = [number("created"), number("changed"), number("unchanged"), number("failed")];
    assert_eq!(number("rows"), counts.iter().sum::<u64>(), "{import}");
    (import["state"].as_str().unwrap(), counts)
}

async fn export(shop: &TestShop, accept: &str) -> String {
    let reply = staff(shop, Method::GET, EXPORTS).header("Accept", accept).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    reply.text().await.unwrap()
}

/// A product as anybody reads it, without what differs when it is made again.
async fn shown(shop: &TestShop, slug: &str) -> Value {
    let mut body = read(shop, &format!("{PRODUCTS}/{slug}")).await.body;
    for field in ["id", "version", "createdAt", "updatedAt"] {
        assert!(body.as_object_mut().unwrap().remove(field).is_some(), "{body}");
    }
    body
}

#[tokio::test]
async fn csv_creates_changes_and_tells_each_row_that_failed() {
    let (shop, _) = catalog().await;
    sold(&shop, &with(product("Mug", 500), json!({ "sku": "mug", "slug": "mug" }))).await;
    read(&shop, PRODUCTS).await;
    let file = "sku,slug,name,price.amount,price.currency,attributes\n\
        mug,,Jug,550,EUR,\n\
        cup,cup,\"Cup, red\",300,EUR,\"{\"\"colour\"\":\"\"red\"\"}\"\n\
        pot,,Pot,cheap,EUR,\n\
        pan,,Pan,100,USD,\n\
        ,,Nameless,1,EUR,\n\
        cup,cup,,,,\n";
    let done = import(&shop, CSV, file).await;
    assert_eq!(told(&done), ("done", [1, 1, 1, 3]), "{done}");
    assert_eq!((&done["progress"], &done["bytes"], &done["dryRun"]), (&json!(100), &json!(file.len()), &json!(false)));
    let errors: Vec<_> = done["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["row"].as_u64().unwrap(), one["field"].as_str().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        errors,
        [(3, "price.amount", "malformed_row"), (4, "price.currency", "invalid_field"), (5, "sku", "invalid_field"),]
    );
    let mut names = read(&shop, PRODUCTS).await.names().into_iter().map(str::to_owned).collect::<Vec<_>>();
    names.sort();
    assert_eq!(names, ["Cup, red", "Jug"], "lists that were kept are told of it");
    assert_eq!(shown(&shop, "cup").await["attributes"], json!({ "colour": "red" }));
    eventually("the upload is gone", || async { count(&shop, "import_chunks").await == 0 }).await;
}

#[tokio::test]
async fn ndjson_has_the_same_fields_and_no_others() {
    let (shop, _) = catalog().await;
    let mugs = category(&shop, "Mugs", None).await;
    let mug = json!({
        "sku": "mug", "slug": "mug", "name": "Mug", "description": "Holds tea", "categoryId": mugs.id(),
        "price": { "amount": 500, "currency": "EUR" }, "attributes": { "colour": "blue" },
        "variants": [{ "sku": "mug-l", "name": "L", "options": { "size": "l" }, "price": { "amount": 700, "currency": "EUR" } }],
    });
    let lines = [
        mug.to_string(),
        json!({ "sku": "cup", "stock": 5 }).to_string(),
        json!({ "sku": "cup", "name": "Cup", "price": 5 }).to_string(),
        json!({ "sku": "mug", "categoryId": NOBODY }).to_string(),
        "{".to_owned(),
        json!({ "sku": "mug", "categoryId": null }).to_string(),
    ];
    let done = import(&shop, NDJSON, lines.join("\n")).await;
    assert_eq!(told(&done), ("done", [1, 1, 0, 4]), "{done}");
    let errors = done["errors"].as_array().unwrap();
    let codes: Vec<_> = errors.iter().map(|one| (&one["row"], &one["field"], &one["code"])).collect();
    assert_eq!(
        codes,
        [
            (&json!(2), &json!("stock"), &json!("unknown_field")),
            (&json!(3), &json!("price"), &json!("malformed_row")),
            (&json!(4), &json!("categoryId"), &json!("invalid_field")),
            (&json!(5), &json!(""), &json!("malformed_row")),
        ]
    );
    let shown = shown(&shop, "mug").await;
    assert_eq!((shown["variants"][1]["sku"].as_str(), shown.get("categoryId")), (Some("mug-l"), None));
    let mug_l = read(&shop, &format!("{PRODUCTS}?attr.size=l")).await;
    assert_eq!(mug_l.names(), ["Mug"], "options of imported variants are found");
}

#[tokio::test]
async fn what_was_exported_can_be_imported_again_here_and_elsewhere() {
    let (shop, _) = catalog().await;
    let large = json!({ "sku": "mug-l", "name": "L, \"large\"", "options": { "size": "l" }, "price": { "amount": 7, "currency": "EUR" } });
    let more = json!({ "sku": "mug", "slug": "mug", "description": "Two\nlines; =1+1", "attributes": { "colour": "dark, blue" }, "variants": [large] });
    let mug = sold(&shop, &with(product("Tasse ü \"1\", 2", 500), more)).await;
    let options = json!({ "name": "S", "options": { "size": "s" } });
    patch(&shop, &format!("{}/variants/mug", path(PRODUCTS, &mug)), "\"1\"", &options).await;
    // What spreadsheets would run, and what looks like our mark before it.
    let formula = json!({ "sku": "-cup", "slug": "cup", "description": "'=not a formula" });
    sold(&shop, &with(product("=HYPERLINK(\"x\")", 0), formula)).await;
    let gone = sold(&shop, &product("Gone", 1)).await;
    delete(&shop, &path(PRODUCTS, &gone), gone.etag()).await;
    for media in [CSV, NDJSON] {
        let file = export(&shop, media).await;
        assert_eq!(told(&import(&shop, media, file.clone()).await), ("done", [0, 0, 2, 0]), "{file}");
        let (other, _) = catalog().await;
        assert_eq!(told(&import(&other, media, file.clone()).await), ("done", [2, 0, 0, 0]), "{file}");
        for slug in ["mug", "cup"] {
            assert_eq!(shown(&other, slug).await, shown(&shop, slug).await);
        }
        assert_eq!(export(&other, media).await.lines().count(), file.lines().count());
    }
    let file = export(&shop, "*/*").await;
    assert!(file.starts_with("sku,slug,name,"));
    assert!(file.contains(r#"'-cup,cup,"'=HYPERLINK(""x"")",''=not a formula,"#), "{file}");
}

#[tokio::test]
async fn an_export_of_many_pages_names_each_product_once() {
    let (shop, _) = catalog().await;
    assert_eq!(export(&shop, NDJSON).await, "");
    assert_eq!(export(&shop, CSV).await.lines().count(), 1, "a header and nothing else");
    let done = import(&shop, CSV, things(450)).await;
    assert_eq!(told(&done), ("done", [450, 0, 0, 0]));
    let exported = export(&shop, NDJSON).await;
    let mut skus: Vec<_> =
        exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["sku"].to_string()).collect();
    skus.sort();
    skus.dedup();
    assert_eq!((exported.lines().count(), skus.len()), (450, 450));
}

#[tokio::test]
async fn a_dry_run_tells_what_would_become_of_the_rows_and_writes_none() {
    let (shop, _) = catalog().await;
    sold(&shop, &with(product("Mug", 500), json!({ "sku": "mug" }))).await;
    let file = "sku,name,price.amount,price.currency\nmug,Jug,500,EUR\ncup,Cup,300,EUR\nbad,,1,EUR\n";
    let sent = staff(&shop, Method::POST, &format!("{IMPORTS}?dryRun=true")).header("Content-Type", CSV).body(file);
    let done = ended(&shop, &answer(sent).await).await;
    assert_eq!((told(&done), &done["dryRun"]), (("done", [1, 1, 0, 1]), &json!(true)));
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
    assert_eq!(told(&import(&shop, CSV, file).await), ("done", [1, 1, 0, 1]), "and then it is so");
}

#[tokio::test]
async fn a_file_without_a_header_fails_as_a_whole() {
    let (shop, _) = catalog().await;
    for (file, code) in [("", "missing_column"), ("mug,5\n", "unknown_column"), ("sku,sku\n", "repeated_column")] {
        let failed = import(&shop, CSV, file).await;
        assert_eq!((told(&failed), &failed["errors"][0]["code"]), (("failed", [0; 4]), &json!(code)), "{file}");
        assert_eq!(failed["errors"][0]["row"], 0);
    }
}

#[tokio::test]
async fn a_quotation_that_nothing_ends_fails_the_import_and_rows_before_it_count() {
    let (shop, _) = catalog().await;
    let header = "sku,slug,name,price.amount,price.currency\nmug,mug,Mug,5,EUR\n";
    let failed = import(&shop, CSV, format!("{header}cup,cup,\"Cup,5,EUR\npot,pot,Pot,5,EUR\n")).await;
    assert_eq!(told(&failed), ("failed", [1, 0, 0, 0]), "{failed}");
    let error = &failed["errors"][0];
    assert_eq!((&error["row"], error["code"].as_str()), (&json!(2), Some("unclosed_quote")));
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
}

#[tokio::test]
async fn the_same_key_begins_one_import() {
    let (shop, _) = catalog().await;
    let file = "sku,name,price.amount,price.currency\nmug,Mug,500,EUR\n";
    // Keys are those of one person.
    let bearer = shop.callers().staff().bearer();
    let send = |file: &'static str| {
        let request = anybody(&shop, Method::POST, IMPORTS).header("Authorization", &bearer);
        answer(request.header("Content-Type", CSV).header("Idempotency-Key", "k1").body(file))
    };
    let all = futures::future::join_all((0..10).map(|_| send(file))).await;
    assert!(all.iter().all(|one| one.status == 202 && one.id() == all[0].id()), "{all:?}");
    let other = send("sku\nmug\n").await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    assert_eq!(told(&ended(&shop, &all[0]).await), ("done", [1, 0, 0, 0]));
    assert_eq!(count(&shop, "imports").await, 1);
    eventually("all uploads are gone", || async { count(&shop, "import_chunks").await == 0 }).await;
}

#[tokio::test]
async fn uploads_that_are_too_large_or_of_another_kind_are_refused_and_forgotten() {
    let (shop, _) = catalog().await;
    let limit = 16 * 1024 * 1024;
    let announced = answer(upload(&shop, CSV, vec![b'x'; limit + 1])).await;
    assert_eq!((announced.status, announced.code()), (413, "import_too_large"));
    for (media, coding) in [
        ("application/json", None),
        ("multipart/form-data", None),
        ("text/csv; charset=latin1", None),
        (CSV, Some("gzip")),
        ("", None),
    ] {
        let request = upload(&shop, media, "sku\n");
        let refused = answer(match coding {
            Some(coding) => request.header("Content-Encoding", coding),
            None => request,
        })
        .await;
        assert_eq!((refused.status, refused.code(), refused.field()), (415, "unsupported_media_type", "Content-Type"));
    }
    let unknown = staff(&shop, Method::POST, &format!("{IMPORTS}?dry=1")).header("Content-Type", CSV).body("sku\n");
    assert_eq!(answer(unknown).await.code(), "unknown_parameter");
    for id in [NOBODY, "7", "%00"] {
        let missing = answer(staff(&shop, Method::GET, &format!("{IMPORTS}/{id}"))).await;
        assert_eq!((missing.status, missing.code()), (404, "not_found"), "{id}");
    }
    assert_eq!(count(&shop, "imports").await, 0);
    assert_eq!(count(&shop, "import_chunks").await, 0);
    let fits =
        answer(upload(&shop, "text/csv; charset=UTF-8", [b"sku\n".to_vec(), vec![b'\n'; limit - 4]].concat())).await;
    assert_eq!(told(&ended(&shop, &fits).await), ("done", [0; 4]));
}

#[tokio::test]
async fn nobody_but_staff_sees_imports_and_exports() {
    let (shop, _) = catalog().await;
    for caller in [None, Some(shop.callers().customer().bearer())] {
        let status = if caller.is_some() { 403 } else { 401 };
        for (method, path) in [
            (Method::POST, IMPORTS.to_owned()),
            (Method::GET, format!("{IMPORTS}/{NOBODY}")),
            (Method::GET, EXPORTS.to_owned()),
        ] {
            let request = anybody(&shop, method, &path).header("Content-Type", CSV).body("sku\n");
            let request = match &caller {
                Some(bearer) => request.header("Authorization", bearer),
                None => request,
            };
            assert_eq!(answer(request).await.status, status, "{path}");
        }
    }
}
