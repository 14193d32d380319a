//! Many buyers, several pods, one database.

use std::sync::Arc;

use inventory::app::{App, Error};
use inventory::domain::{Line, Lines, State};
use serde_json::json;
use shop_mongo::{Document, doc};
use shop_proto::inventory::ReservationState;
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_service::SystemClock;
use shop_testkit::TestShop;
use shop_types::{OrderId, Quantity};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;

use crate::given::{
    adjust, an_order, assert_sound, client, counts, counts_at, inventory, opened, reserve, stocked, stocked_at,
};

const PODS: usize = 3;

/// Instances with groups and database handles of their own, as three pods have them.
async fn pods(shop: &TestShop) -> Vec<Arc<App>> {
    let mut pods = Vec::new();
    for _ in 0..PODS {
        let mongo = shop.mongo("inventory").await;
        pods.push(Arc::new(App::new(&mongo, Arc::new(SystemClock), CancellationToken::new())));
    }
    pods
}

fn lines(wanted: &[(&str, u32)]) -> Lines {
    let line =
        |(sku, quantity): &(&str, u32)| Line { sku: sku.parse().unwrap(), quantity: Quantity::new(*quantity).unwrap() };
    Lines::new(wanted.iter().map(line).collect()).unwrap()
}

/// Asks until there is an answer: "unavailable" means that nobody knows, and the same order may ask again.
async fn ask(pod: &App, order: OrderId, lines: Lines) -> State {
    for _ in 0..20 {
        match pod.reserve(order, lines.clone()).await {
            Ok(reservation) => return reservation.state,
            Err(Error::Store(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    panic!("order {order} got no answer");
}

/// Asks by gRPC as order does: until there is an answer, always for the same order.
async fn call(mut pod: InventoryClient<Channel>) -> ReservationState {
    let request = reserve(an_order(), &[("hot", 1)]);
    for _ in 0..20 {
        match pod.reserve(request.clone()).await {
            Ok(reply) => return ReservationState::try_from(reply.into_inner().state).unwrap(),
            Err(status) => assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}"),
        }
    }
    panic!("order {} got no answer", request.order_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_2000_buyers_at_three_instances_exactly_500_get_one_of_500_pieces() {
    let shop = inventory().await;
    stocked(&shop, "hot", 500).await;
    let mut others = Vec::new();
    for _ in 1..PODS {
        let config = shop.config().clone();
        others.push(TestShop::start(|_| async move { inventory::service(&config).await }).await);
    }
    let mut pods = vec![client(&shop).await];
    for other in &others {
        pods.push(client(other).await);
    }
    let buyers = (0..2000).map(|n| tokio::spawn(call(pods[n % PODS].clone())));
    let states: Vec<_> = futures::future::join_all(buyers).await.into_iter().map(Result::unwrap).collect();
    let so_many = |wanted| states.iter().filter(|state| **state == wanted).count();
    assert_eq!((so_many(ReservationState::Held), so_many(ReservationState::Refused)), (500, 1500));
    assert_eq!(counts(&shop, "hot").await, (0, 500, 0));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_sent_to_all_pods_at_once_is_held_once() {
    let shop = inventory().await;
    stocked(&shop, "mug", 1000).await;
    let pods = pods(&shop).await;
    let calls = (0..20).flat_map(|_| {
        let order = an_order();
        pods.iter().map(move |pod| {
            let pod = Arc::clone(pod);
            tokio::spawn(async move { ask(&pod, order, lines(&[("mug", 3)])).await })
        })
    });
    let states = futures::future::join_all(calls.collect::<Vec<_>>()).await;
    assert!(states.iter().all(|state| state.as_ref().unwrap() == &State::Held));
    assert_eq!(counts(&shop, "mug").await, (940, 60, 0));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_want_the_same_skus_crosswise_all_get_an_answer() {
    let shop = inventory().await;
    stocked(&shop, "cup", 100).await;
    stocked(&shop, "mug", 100).await;
    let pods = pods(&shop).await;
    let calls = (0..150).map(|n| {
        let pod = Arc::clone(&pods[n % PODS]);
        let wanted = if n % 2 == 0 { lines(&[("cup", 1), ("mug", 1)]) } else { lines(&[("mug", 1), ("cup", 1)]) };
        tokio::spawn(async move { ask(&pod, an_order(), wanted).await })
    });
    let states = futures::future::join_all(calls.collect::<Vec<_>>()).await;
    let held = states.iter().filter(|state| state.as_ref().unwrap() == &State::Held).count();
    assert_eq!(held, 100);
    assert_eq!((counts(&shop, "cup").await, counts(&shop, "mug").await), ((0, 100, 0), (0, 100, 0)));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_race_over_several_locations_get_each_piece_once() {
    let shop = inventory().await;
    opened(&shop, &["berlin", "zoo"]).await;
    for (location, pieces) in [("main", 1), ("berlin", 20), ("zoo", 9)] {
        stocked_at(&shop, location, "mug", pieces).await;
    }
    let pods = pods(&shop).await;
    let calls = (0..90).map(|n| {
        let pod = Arc::clone(&pods[n % PODS]);
        tokio::spawn(async move { ask(&pod, an_order(), lines(&[("mug", 1)])).await })
    });
    // Meanwhile staff brings more, as often as it takes to be done.
    let bringing = async {
        let body = json!({ "delta": 1, "reason": "delivery", "location": "zoo" });
        let mut brought = 0;
        while brought < 10 {
            let (status, answer) = adjust(&shop, &shop.callers().staff(), "mug", &body).await;
            assert!(matches!(status, 201 | 503), "{answer}");
            brought += i32::from(status == 201);
        }
    };
    let (states, ()) = tokio::join!(futures::future::join_all(calls.collect::<Vec<_>>()), bringing);
    let held = states.iter().filter(|state| state.as_ref().unwrap() == &State::Held).count();
    let mut reserved = 0;
    for location in ["main", "berlin", "zoo"] {
        reserved += counts_at(&shop, location, "mug").await.1;
    }
    assert_eq!(i64::try_from(held).unwrap(), reserved);
    assert!(held >= 30, "{held} of 30 pieces, and those that came in meanwhile");
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_that_want_the_last_piece_of_two_locations_each_gets_one() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    let pods = pods(&shop).await;
    for round in 0..10 {
        let sku = format!("mug{round}");
        stocked(&shop, &sku, 1).await;
        stocked_at(&shop, "berlin", &sku, 1).await;
        let race = (0..PODS).map(|n| {
            let (pod, wanted) = (Arc::clone(&pods[n]), lines(&[(&sku, 1)]));
            tokio::spawn(async move { ask(&pod, an_order(), wanted).await })
        });
        let states = futures::future::join_all(race.collect::<Vec<_>>()).await;
        let held = states.iter().filter(|state| state.as_ref().unwrap() == &State::Held).count();
        assert_eq!(held, 2, "three orders and two pieces of {sku}");
        assert_eq!((counts(&shop, &sku).await, counts_at(&shop, "berlin", &sku).await), ((0, 1, 0), (0, 1, 0)));
    }
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_reservation_cannot_be_read_fails_alone_in_its_group() {
    let shop = inventory().await;
    stocked(&shop, "mug", 1000).await;
    let pods = pods(&shop).await;
    let bad = an_order();
    let twice = vec![doc! { "sku": "mug", "quantity": 1_i64 }; 2];
    let reservations = shop.mongo("inventory").await.collection::<Document>("reservations");
    reservations.insert_one(doc! { "_id": bad.to_string(), "state": "HELD", "lines": twice }).await.unwrap();
    let calls = (0..90).map(|n| {
        let (pod, order) = (Arc::clone(&pods[0]), if n % 30 == 7 { bad } else { an_order() });
        tokio::spawn(async move { (order, pod.reserve(order, lines(&[("mug", 1)])).await) })
    });
    for ended in futures::future::join_all(calls.collect::<Vec<_>>()).await {
        match ended.unwrap() {
            (order, answer) if order == bad => {
                assert!(matches!(answer, Err(Error::Store(shop_mongo::Error::Corrupt { .. }))), "{answer:?}");
            }
            (_, answer) => assert_eq!(answer.unwrap().state, State::Held),
        }
    }
    assert_eq!(counts(&shop, "mug").await, (913, 87, 0));
}
