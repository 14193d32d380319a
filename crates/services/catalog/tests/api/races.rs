//! Writes beside each other: whatever order they commit in, what the rules promise holds.

use serde_json::json;

use crate::given::{CATEGORIES, PRODUCTS, catalog, category, delete, patch, path, post, product, read, sold, with};

const ROUNDS: usize = 10;

#[tokio::test]
async fn a_category_is_either_deleted_or_used() {
    let (shop, _) = catalog().await;
    let waiting = sold(&shop, &product("Waiting", 1)).await;
    let mut version = 1;
    for round in 0..ROUNDS {
        let shelf = category(&shop, &format!("Shelf {round}"), None).await;
        let shelf_path = path(CATEGORIES, &shelf);
        let new = with(product("Mug", 1), json!({ "categoryId": shelf.id() }));
        let below = json!({ "name": format!("Below {round}"), "parentId": shelf.id() });
        let (waiting_path, tag) = (path(PRODUCTS, &waiting), format!("\"{version}\""));
        let moved = json!({ "categoryId": shelf.id() });
        let (deleted, made, child, moved) = tokio::join!(
            delete(&shop, &shelf_path, shelf.etag()),
            post(&shop, PRODUCTS, &new),
            post(&shop, CATEGORIES, &below),
            patch(&shop, &waiting_path, &tag, &moved),
        );
        let users = [made.status, child.status, moved.status];
        match deleted.status {
            204 => assert_eq!(users, [422, 422, 422], "{} {}", made.body, child.body),
            409 => assert!(users.iter().any(|status| matches!(status, 200 | 201)), "{users:?}"),
            other => panic!("{other}: {}", deleted.body),
        }
        assert_eq!(read(&shop, &shelf_path).await.status == 404, deleted.status == 204);
        version += i64::from(moved.status == 200);
    }
}

#[tokio::test]
async fn two_moves_at_once_never_close_a_circle() {
    let (shop, _) = catalog().await;
    for round in 0..ROUNDS {
        let one = category(&shop, &format!("One {round}"), None).await;
        let other = category(&shop, &format!("Other {round}"), None).await;
        let between = category(&shop, &format!("Between {round}"), Some(other.id())).await;
        let (one_path, other_path) = (path(CATEGORIES, &one), path(CATEGORIES, &other));
        let (below_between, below_one) = (json!({ "parentId": between.id() }), json!({ "parentId": one.id() }));
        let (first, second) = tokio::join!(
            patch(&shop, &one_path, one.etag(), &below_between),
            patch(&shop, &other_path, other.etag(), &below_one),
        );
        let mut codes = [first.status, second.status];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409], "{} {}", first.body, second.body);
    }
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_stale() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &product("Mug", 1)).await;
    let mug = path(PRODUCTS, &made);
    for version in 1..=ROUNDS {
        let tag = format!("\"{version}\"");
        let (red, blue) = (json!({ "name": "Red" }), json!({ "name": "Blue" }));
        let (first, second) = tokio::join!(patch(&shop, &mug, &tag, &red), patch(&shop, &mug, &tag, &blue));
        let mut codes = [first.status, second.status];
        codes.sort_unstable();
        assert_eq!(codes, [200, 412], "{} {}", first.body, second.body);
        let winner = if first.status == 200 { first } else { second };
        assert_eq!(read(&shop, &mug).await.body, winner.body);
    }
}
