//! Many buyers, several pods, one database.

use std::sync::Arc;

use inventory::app::App;
use inventory::domain::{Line, Lines, State};
use shop_service::SystemClock;
use shop_testkit::TestShop;
use shop_types::{OrderId, Quantity};
use tokio_util::sync::CancellationToken;

use crate::given::{an_order, assert_sound, counts, inventory, stocked};

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
            Err(inventory::app::Error::Store(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    panic!("order {order} got no answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_600_buyers_on_three_pods_exactly_200_get_one_of_200_pieces() {
    let shop = inventory().await;
    stocked(&shop, "hot", 200).await;
    let pods = pods(&shop).await;
    let buyers = (0..600).map(|n| {
        let pod = Arc::clone(&pods[n % PODS]);
        tokio::spawn(async move { ask(&pod, an_order(), lines(&[("hot", 1)])).await })
    });
    let states = futures::future::join_all(buyers.collect::<Vec<_>>()).await;
    let held = states.iter().filter(|state| state.as_ref().unwrap() == &State::Held).count();
    let refused = states.iter().filter(|state| matches!(state.as_ref().unwrap(), State::Refused { .. })).count();
    assert_eq!((held, refused), (200, 400));
    assert_eq!(counts(&shop, "hot").await, (0, 200, 0));
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
