//! Lists of orders, and reading one that is known already.

use reqwest::Method;

use crate::given::{Answer, Buyer, Given, answer, mugs};

/// The orders of a list, in its sequence.
fn listed(list: &Answer) -> Vec<&str> {
    let items = list.body["items"].as_array().unwrap_or_else(|| panic!("no list: {}", list.body));
    items.iter().map(|order| order["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn customers_list_their_own_orders_and_staff_list_all_newest_first() {
    let given = Given::new().await;
    let (one, two) = (given.shop.callers().customer(), given.customer());
    let staff = Buyer::of(&given.shop.callers().staff());
    let first = given.place(&Buyer::of(&one), "1", &mugs(1, "tok_visa")).await;
    let second = given.place(&two, "2", &mugs(1, "tok_visa")).await.order();
    let third = given.place(&Buyer::of(&one), "3", &mugs(1001, "tok_visa")).await.order();
    let (created, first) = (first.body["createdAt"].as_str().unwrap().to_owned(), first.order());
    let get = |buyer: Buyer, query: String| {
        let given = &given;
        async move { given.send(Method::GET, &format!("/api/v1/orders{query}"), &buyer).await }
    };
    let own = Buyer::of(&one);

    assert_eq!(listed(&get(own.clone(), String::new()).await), [&*third, &*first]);
    assert_eq!(listed(&get(two.clone(), String::new()).await), [&*second]);
    assert_eq!(listed(&get(staff.clone(), String::new()).await), [&*third, &*second, &*first]);
    assert_eq!(listed(&get(staff.clone(), "?status=rejected".into()).await), [&*third]);
    assert_eq!(listed(&get(staff.clone(), format!("?userId={}", one.id)).await), [&*third, &*first]);
    assert_eq!(listed(&get(own.clone(), format!("?userId={}", one.id)).await), [&*third, &*first]);
    assert!(listed(&get(two.clone(), format!("?userId={}", one.id)).await).is_empty(), "nobody's filter widens");
    assert_eq!(listed(&get(staff.clone(), format!("?to={created}")).await), Vec::<&str>::new());
    assert_eq!(listed(&get(staff.clone(), format!("?from={created}&sort=-createdAt")).await).len(), 3);

    let page = get(staff.clone(), "?page=2&size=2".into()).await;
    assert_eq!(listed(&page), [&*first]);
    assert_eq!((page.body["page"]["total"].as_u64(), page.body["page"]["pages"].as_u64()), (Some(3), Some(2)));
    let counted = get(own, "?status=confirmed".into()).await;
    assert_eq!((listed(&counted), counted.body["page"]["total"].as_u64()), (vec![&*first], Some(1)));
}

#[tokio::test]
async fn a_version_that_is_known_is_not_sent_again() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    let read = |tag: &'static str| {
        let request = given.shop.client().get(given.shop.url(&format!("/api/v1/orders/{order}")));
        answer(request.header(buyer.0, &buyer.1).header("If-None-Match", tag))
    };
    let known = read("\"2\"").await;
    assert_eq!((known.status, known.etag.as_deref()), (304, Some("\"2\"")));
    assert_eq!(read("\"1\"").await.status, 200);
}
