//! Reservations by gRPC, as order and catalog use them.

use shop_mesh::PeerError;
use shop_proto::inventory::{CommitRequest, Line, ReleaseRequest, ReservationState, ReserveRequest, SetOnHandRequest};
use shop_types::ErrorKind;
use tonic::Code;

use crate::given::{an_order, assert_sound, client, counts, inventory, reserve, stock, stocked};

fn state(word: i32) -> ReservationState {
    ReservationState::try_from(word).unwrap()
}

#[tokio::test]
async fn a_hold_is_sold_or_given_back_and_every_call_may_be_repeated() {
    let shop = inventory().await;
    let mut inventory = client(&shop).await;
    stocked(&shop, "mug", 5).await;
    let (sold, back) = (an_order(), an_order());
    for _ in 0..2 {
        for order in [sold, back] {
            let reply = inventory.reserve(reserve(order, &[("mug", 2)])).await.unwrap().into_inner();
            assert_eq!(state(reply.state), ReservationState::Held);
        }
    }
    assert_eq!(counts(&shop, "mug").await, (1, 4, 0));
    for _ in 0..2 {
        let reply = inventory.commit(CommitRequest { order_id: sold.to_string() }).await.unwrap();
        assert_eq!(state(reply.into_inner().state), ReservationState::Committed);
        let reply = inventory.release(ReleaseRequest { order_id: back.to_string() }).await.unwrap();
        assert_eq!(state(reply.into_inner().state), ReservationState::Released);
    }
    assert_eq!(counts(&shop, "mug").await, (3, 0, 2));
    let late = inventory.reserve(reserve(back, &[("mug", 2)])).await.unwrap().into_inner();
    assert_eq!(state(late.state), ReservationState::Released);
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn a_release_before_the_reservation_leaves_a_tombstone() {
    let shop = inventory().await;
    let mut inventory = client(&shop).await;
    stocked(&shop, "mug", 5).await;
    let order = an_order();
    inventory.release(ReleaseRequest { order_id: order.to_string() }).await.unwrap();
    let late = inventory.reserve(reserve(order, &[("mug", 2)])).await.unwrap().into_inner();
    assert_eq!(state(late.state), ReservationState::Released);
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
}

#[tokio::test]
async fn an_order_that_does_not_fit_whole_takes_nothing_and_is_told_what_is_missing() {
    let shop = inventory().await;
    let mut inventory = client(&shop).await;
    stocked(&shop, "mug", 5).await;
    stocked(&shop, "cup", 1).await;
    let order = an_order();
    let request = reserve(order, &[("mug", 5), ("cup", 2), ("pot", 1)]);
    let refused = inventory.reserve(request.clone()).await.unwrap().into_inner();
    assert_eq!(state(refused.state), ReservationState::Refused);
    let missing: Vec<_> = refused.shortages.iter().map(|s| (s.sku.as_str(), s.requested, s.available)).collect();
    assert_eq!(missing, [("cup", 2, 1), ("pot", 1, 0)]);
    stocked(&shop, "cup", 9).await;
    stocked(&shop, "pot", 9).await;
    assert_eq!(inventory.reserve(request).await.unwrap().into_inner(), refused, "a refusal is an answer for ever");
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn an_order_cannot_ask_for_something_else_later() {
    let shop = inventory().await;
    let mut inventory = client(&shop).await;
    stocked(&shop, "mug", 5).await;
    let order = an_order();
    inventory.reserve(reserve(order, &[("mug", 1)])).await.unwrap();
    let refused = inventory.reserve(reserve(order, &[("mug", 2)])).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(counts(&shop, "mug").await, (4, 1, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_an_invalid_argument_and_changes_nothing() {
    let shop = inventory().await;
    let mut inventory = client(&shop).await;
    stocked(&shop, "mug", 5).await;
    let good = an_order().to_string();
    let line = |sku: &str, quantity| Line { sku: sku.to_owned(), quantity };
    let requests = [
        (String::new(), vec![line("mug", 1)]),
        (r#"{"$gt":""}"#.to_owned(), vec![line("mug", 1)]),
        (good.clone(), vec![]),
        (good.clone(), vec![line("mug", 0)]),
        (good.clone(), vec![line("mug", u32::MAX)]),
        (good.clone(), vec![line("m u g", 1)]),
        (good.clone(), vec![line("mug", 1), line("mug", 1)]),
        (good, (0..201).map(|n| line(&format!("s{n}"), 1)).collect()),
    ];
    for (order_id, lines) in requests {
        let refused = inventory.reserve(ReserveRequest { order_id, lines }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let unknown = inventory.commit(CommitRequest { order_id: an_order().to_string() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
}

#[tokio::test]
async fn catalog_sets_what_is_on_hand_once_per_key() {
    let shop = inventory().await;
    let mut inventory = client(&shop).await;
    let set = |quantity, key: &str| SetOnHandRequest { sku: "mug".into(), quantity, key: key.into() };
    assert_eq!(inventory.set_on_hand(set(5, "a")).await.unwrap().into_inner().available, 5);
    inventory.reserve(reserve(an_order(), &[("mug", 2)])).await.unwrap();
    assert_eq!(inventory.set_on_hand(set(5, "a")).await.unwrap().into_inner().available, 5, "a replay");
    assert_eq!(counts(&shop, "mug").await, (3, 2, 0));
    assert_eq!(inventory.set_on_hand(set(9, "b")).await.unwrap().into_inner().available, 7);
    assert_eq!(inventory.set_on_hand(set(8, "b")).await.unwrap_err().code(), Code::InvalidArgument);
    let held = PeerError::from_status("inventory", inventory.set_on_hand(set(1, "c")).await.unwrap_err());
    assert_eq!(
        (held.kind, held.code.as_str()),
        (ErrorKind::Conflict, "stock_below_zero"),
        "catalog knows it by this word"
    );
    assert_eq!(inventory.set_on_hand(set(1, "")).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(counts(&shop, "mug").await, (7, 2, 0));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn a_sku_that_catalog_has_set_to_zero_is_known() {
    let shop = inventory().await;
    let request = SetOnHandRequest { sku: "mug".into(), quantity: 0, key: "a".into() };
    client(&shop).await.set_on_hand(request).await.unwrap();
    assert_eq!(stock(&shop, "mug").await.0, 200);
}
