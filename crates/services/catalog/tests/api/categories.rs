//! Categories: a tree of names that products stand in.

use reqwest::Method;
use serde_json::json;
use shop_mongo::{Document, doc};

use crate::given::{
    Answer, CATEGORIES, NOBODY, PRODUCTS, answer, catalog, category, delete, patch, path, post, product, read, sold,
    staff, with,
};

fn of(answer: &Answer) -> String {
    path(CATEGORIES, answer)
}

#[tokio::test]
async fn categories_are_created_read_and_listed_as_a_tree() {
    let (shop, _) = catalog().await;
    let kitchen = category(&shop, "Kitchen", None).await;
    let mugs = category(&shop, "Mugs", Some(kitchen.id())).await;
    category(&shop, "Art", None).await;
    assert_eq!(mugs.header("location"), of(&mugs));
    assert_eq!(mugs.body["parentId"], kitchen.body["id"]);
    let found = read(&shop, &of(&mugs)).await;
    assert_eq!((found.status, &found.body, found.etag()), (200, &mugs.body, mugs.etag()));
    let all = read(&shop, CATEGORIES).await;
    assert_eq!(all.names(), ["Art", "Kitchen", "Mugs"]);
    assert_eq!(all.body["items"][2], mugs.body);
    for id in [NOBODY, "7", "%00", "mugs", "%7B%22$gt%22:%22%22%7D"] {
        let missing = read(&shop, &format!("{CATEGORIES}/{id}")).await;
        assert_eq!((missing.status, missing.code()), (404, "not_found"), "{id}");
    }
}

#[tokio::test]
async fn names_are_unique_for_new_and_for_renamed_categories() {
    let (shop, _) = catalog().await;
    category(&shop, "Mugs", None).await;
    let cups = category(&shop, "Cups", None).await;
    let second = post(&shop, CATEGORIES, &json!({ "name": " Mugs " })).await;
    assert_eq!((second.status, second.code()), (409, "category_name_taken"));
    let renamed = patch(&shop, &of(&cups), cups.etag(), &json!({ "name": "Mugs" })).await;
    assert_eq!((renamed.status, renamed.code()), (409, "category_name_taken"), "{}", renamed.body);
    assert_eq!(read(&shop, &of(&cups)).await.body, cups.body);
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_read() {
    let (shop, _) = catalog().await;
    let (kitchen, mugs) = (category(&shop, "Kitchen", None).await, category(&shop, "Mugs", None).await);
    let blind = answer(staff(&shop, Method::PATCH, &of(&mugs)).json(&json!({ "name": "Cups" }))).await;
    assert_eq!((blind.status, blind.code()), (428, "if_match_required"));
    assert_eq!(patch(&shop, &of(&mugs), "\"2\"", &json!({ "name": "Cups" })).await.code(), "version_conflict");
    let body = json!({ "description": "For tea", "parentId": kitchen.id() });
    let moved = patch(&shop, &of(&mugs), mugs.etag(), &body).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!((&moved.body["name"], &moved.body["version"]), (&json!("Mugs"), &json!(2)));
    assert_eq!(moved.body["parentId"], kitchen.body["id"]);
    assert_eq!(read(&shop, &of(&mugs)).await.body, moved.body);
    let root = patch(&shop, &of(&mugs), "\"2\"", &json!({ "parentId": null })).await;
    assert_eq!((root.status, root.body.get("parentId")), (200, None));
    let kitchen_again = read(&shop, &of(&kitchen)).await;
    assert_eq!(kitchen_again.body, kitchen.body, "what is put below a category is no change of it");
}

#[tokio::test]
async fn no_category_stands_below_itself() {
    let (shop, _) = catalog().await;
    let top = category(&shop, "Top", None).await;
    let middle = category(&shop, "Middle", Some(top.id())).await;
    let bottom = category(&shop, "Bottom", Some(middle.id())).await;
    for below in [&top, &middle, &bottom] {
        let refused = patch(&shop, &of(&top), top.etag(), &json!({ "parentId": below.id() })).await;
        assert_eq!((refused.status, refused.code()), (409, "category_cycle"), "{}", refused.body);
    }
    let up = patch(&shop, &of(&bottom), bottom.etag(), &json!({ "parentId": top.id() })).await;
    assert_eq!(up.status, 200, "{}", up.body);
    assert_eq!(read(&shop, &of(&top)).await.body, top.body);
}

#[tokio::test]
async fn every_answer_tells_the_path_from_the_root() {
    let (shop, _) = catalog().await;
    let top = category(&shop, "Top", None).await;
    let middle = category(&shop, "Middle", Some(top.id())).await;
    let bottom = category(&shop, "Bottom", Some(middle.id())).await;
    let step = |answer: &Answer, name: &str| json!({ "id": answer.id(), "name": name });
    assert_eq!(top.body["path"], json!([]));
    assert_eq!(bottom.body["path"], json!([step(&top, "Top"), step(&middle, "Middle")]));
    assert_eq!(read(&shop, &of(&bottom)).await.body, bottom.body);
    patch(&shop, &of(&top), top.etag(), &json!({ "name": "Up" })).await;
    let again = read(&shop, &of(&bottom)).await;
    assert_eq!(again.body["path"], json!([step(&top, "Up"), step(&middle, "Middle")]));
    assert_eq!(again.body["version"], 1);
    assert_ne!(again.etag(), bottom.etag(), "other bytes, another tag");
    let moved = patch(&shop, &of(&middle), middle.etag(), &json!({ "parentId": null })).await;
    assert_eq!((moved.status, &moved.body["path"]), (200, &json!([])));
    let all = read(&shop, CATEGORIES).await;
    let paths: Vec<_> = all.body["items"].as_array().unwrap().iter().map(|item| item["path"].clone()).collect();
    assert_eq!(paths, [json!([step(&middle, "Middle")]), json!([]), json!([])]);
}

#[tokio::test]
async fn the_tree_is_at_most_eight_levels_deep() {
    let (shop, _) = catalog().await;
    let mut deepest = category(&shop, "Level 1", None).await;
    let second_root = category(&shop, "Other", None).await;
    for level in 2..=8 {
        deepest = category(&shop, &format!("Level {level}"), Some(deepest.id())).await;
    }
    let too_deep = post(&shop, CATEGORIES, &json!({ "name": "Level 9", "parentId": deepest.id() })).await;
    assert_eq!((too_deep.status, too_deep.code()), (409, "category_too_deep"));
    let first = deepest.body["path"][0]["id"].as_str().unwrap();
    let pushed_down = json!({ "parentId": second_root.id() });
    let refused = patch(&shop, &format!("{CATEGORIES}/{first}"), "\"1\"", &pushed_down).await;
    assert_eq!((refused.status, refused.code()), (409, "category_too_deep"), "what is below it moves along");
    assert_eq!(patch(&shop, &of(&deepest), deepest.etag(), &pushed_down).await.status, 200);
}

#[tokio::test]
async fn a_list_of_a_category_holds_what_is_below_it() {
    let (shop, _) = catalog().await;
    let kitchen = category(&shop, "Kitchen", None).await;
    let mugs = category(&shop, "Mugs", Some(kitchen.id())).await;
    let art = category(&shop, "Art", None).await;
    for (name, shelf) in [("Pan", &kitchen), ("Mug", &mugs), ("Print", &art)] {
        sold(&shop, &with(product(name, 1), json!({ "categoryId": shelf.id() }))).await;
    }
    for (shelf, names) in [(&kitchen, vec!["Mug", "Pan"]), (&mugs, vec!["Mug"]), (&art, vec!["Print"])] {
        let list = read(&shop, &format!("{PRODUCTS}?sort=name&category={}", shelf.id())).await;
        assert_eq!(list.names(), names, "{}", list.body);
    }
    assert!(read(&shop, &format!("{PRODUCTS}?category={NOBODY}")).await.names().is_empty());
}

#[tokio::test]
async fn a_category_or_parent_that_is_not_there_is_a_wrong_value() {
    let (shop, _) = catalog().await;
    let mugs = category(&shop, "Mugs", None).await;
    let refusals = [
        (post(&shop, CATEGORIES, &json!({ "name": "Cups", "parentId": NOBODY })).await, "parentId"),
        (patch(&shop, &of(&mugs), mugs.etag(), &json!({ "parentId": NOBODY })).await, "parentId"),
        (post(&shop, PRODUCTS, &with(product("Mug", 1), json!({ "categoryId": NOBODY }))).await, "categoryId"),
    ];
    for (refused, field) in refusals {
        assert_eq!((refused.status, refused.code(), refused.field()), (422, "invalid_field", field));
    }
    assert_eq!(read(&shop, CATEGORIES).await.names(), ["Mugs"]);
    assert!(read(&shop, PRODUCTS).await.names().is_empty());
}

#[tokio::test]
async fn only_an_empty_category_is_deleted() {
    let (shop, _) = catalog().await;
    let kitchen = category(&shop, "Kitchen", None).await;
    let mugs = category(&shop, "Mugs", Some(kitchen.id())).await;
    let mug = sold(&shop, &with(product("Mug", 1), json!({ "categoryId": mugs.id() }))).await;
    assert_eq!(answer(staff(&shop, Method::DELETE, &of(&mugs))).await.status, 428);
    assert_eq!(delete(&shop, &of(&mugs), "\"9\"").await.code(), "version_conflict");
    for full in [&kitchen, &mugs] {
        let refused = delete(&shop, &of(full), full.etag()).await;
        assert_eq!((refused.status, refused.code()), (409, "category_in_use"));
    }
    patch(&shop, &path(PRODUCTS, &mug), mug.etag(), &json!({ "categoryId": null })).await;
    let gone = sold(&shop, &with(product("Cup", 1), json!({ "categoryId": mugs.id() }))).await;
    assert_eq!(delete(&shop, &path(PRODUCTS, &gone), gone.etag()).await.status, 204);
    assert_eq!(read(&shop, &path(PRODUCTS, &gone)).await.body.get("categoryId"), None);
    // As it was left by versions that archived products where they were.
    let products = shop.mongo("catalog").await.collection::<Document>("products");
    let left = doc! { "$set": { "category": mugs.id() } };
    products.update_one(doc! { "_id": gone.id() }, left).await.unwrap();
    for empty in [&mugs, &kitchen] {
        assert_eq!(delete(&shop, &of(empty), empty.etag()).await.status, 204);
        assert_eq!(delete(&shop, &of(empty), empty.etag()).await.status, 404);
        assert_eq!(read(&shop, &of(empty)).await.status, 404);
    }
    assert!(read(&shop, CATEGORIES).await.names().is_empty());
    category(&shop, "Mugs", None).await;
}
