//! What order and identity do with carts: reading and copying one by gRPC, clearing and dropping it by event.

use futures::TryStreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use shop_proto::cart::cart_client::CartClient;
use shop_proto::cart::{CartLine, GetCartReply, GetCartRequest, RefreshPricesRequest};
use shop_proto::person::carts_client::CartsClient;
use shop_proto::person::{ExportPersonRequest, Record};
use shop_redis::{Entry, Redis};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_testkit::TestShop;
use shop_types::event::{CartFact, OrderFact, UserFact};
use shop_types::{CartId, Clock as _, Envelope, Event, EventId, Money, OrderId, UserId};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::given::{
    Buyer, a_customer_cart, a_guest_cart, add, answer, cart_service, eventually, id_of, path_of, request, show,
};

pub(crate) async fn get_cart(shop: &TestShop, buyer: Option<&Buyer>, path: &str) -> Result<GetCartReply, Status> {
    let asked = GetCartRequest { cart_id: id_of(path).to_owned(), number: None };
    client(shop).await.get_cart(by(buyer, asked)).await.map(tonic::Response::into_inner)
}

async fn refresh_prices(shop: &TestShop, buyer: &Buyer, path: &str) -> Result<(), Status> {
    let asked = RefreshPricesRequest { cart_id: id_of(path).to_owned() };
    client(shop).await.refresh_prices(by(Some(buyer), asked)).await.map(|_| ())
}

async fn client(shop: &TestShop) -> CartClient<Channel> {
    let endpoint = Endpoint::from_shared(shop.grpc_url()).unwrap();
    CartClient::new(endpoint.connect().await.unwrap())
}

fn by<T>(buyer: Option<&Buyer>, asked: T) -> Request<T> {
    let mut request = Request::new(asked);
    if let Some(Buyer(header, secret)) = buyer {
        let name = if *header == "Authorization" { "authorization" } else { "x-guest-token" };
        request.metadata_mut().insert(name, secret.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn order_reads_a_cart_with_the_buyers_own_token_at_the_prices_shown_last() {
    let (shop, catalog) = cart_service().await;
    for (buyer, cart) in [a_customer_cart(&shop).await, a_guest_cart(&shop).await] {
        catalog.sell("mug", 500).await;
        add(&shop, &buyer, &cart, "mug", 2).await;
        catalog.sell("mug", 900).await;
        crate::given::age_prices(&shop).await;
        let read = get_cart(&shop, Some(&buyer), &cart).await.unwrap();
        let shown = CartLine { sku: "mug".into(), quantity: 2, shown_price: 500, currency: "EUR".into() };
        assert_eq!((read.version, read.lines), (2, vec![shown]));
        assert_eq!(read.user_id.is_empty(), buyer.0 == "X-Guest-Token");
    }
}

#[tokio::test]
async fn a_cart_whose_order_was_refused_shows_the_prices_of_now_however_young_its_own_are() {
    let (shop, catalog) = cart_service().await;
    catalog.sell("mug", 500).await;
    for (buyer, cart) in [a_customer_cart(&shop).await, a_guest_cart(&shop).await] {
        catalog.sell("mug", 500).await;
        add(&shop, &buyer, &cart, "mug", 2).await;
        catalog.sell("mug", 900).await;
        assert_eq!(show(&shop, &buyer, &cart).await.total(), 1000, "trusted for a minute");

        refresh_prices(&shop, &buyer, &cart).await.unwrap();

        let shown = show(&shop, &buyer, &cart).await;
        assert_eq!((shown.total(), shown.etag.as_deref()), (1800, Some("\"3\"")));
        assert_eq!(get_cart(&shop, Some(&buyer), &cart).await.unwrap().version, 2, "its owner has changed nothing");
        let stranger = Buyer::customer(&shop);
        assert_eq!(refresh_prices(&shop, &stranger, &cart).await.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn nobody_reads_a_strangers_cart() {
    let (shop, _) = cart_service().await;
    let (owner, cart) = a_customer_cart(&shop).await;
    let code = |buyer: Option<Buyer>, path: String| {
        let shop = &shop;
        async move { get_cart(shop, buyer.as_ref(), &path).await.unwrap_err().code() }
    };
    assert_eq!(code(None, cart.clone()).await, Code::Unauthenticated);
    let expired = Buyer("Authorization", shop.callers().expired().bearer());
    assert_eq!(code(Some(expired), cart.clone()).await, Code::Unauthenticated);
    assert_eq!(code(Some(Buyer("Authorization", format!("{}x", owner.1))), cart.clone()).await, Code::Unauthenticated);
    assert_eq!(code(Some(Buyer::guest("short")), cart.clone()).await, Code::Unauthenticated);
    assert_eq!(code(Some(Buyer::guest(&"A".repeat(43))), cart.clone()).await, Code::NotFound);
    assert_eq!(code(Some(Buyer::customer(&shop)), cart.clone()).await, Code::NotFound);
    let staff = Buyer("Authorization", shop.callers().staff().bearer());
    assert_eq!(code(Some(staff), cart).await, Code::NotFound);
    for malformed in ["", "7", r#"{"$gt":""}"#] {
        assert_eq!(code(Some(owner.clone()), malformed.to_owned()).await, Code::NotFound);
    }
}

/// The event of an order that was confirmed.
fn confirmed(cart: Option<CartFact>) -> Envelope {
    let order_id = OrderId::from_uuid(SystemClock.new_id());
    let fact = OrderFact {
        order_id,
        number: 1,
        user_id: None,
        cart,
        lines: Vec::new(),
        total: Money::new(100, "EUR".parse().unwrap()),
        payment_id: Some(format!("{order_id}:1")),
        reason: None,
    };
    Envelope {
        id: EventId::from_uuid(SystemClock.new_id()),
        aggregate: order_id.to_string(),
        version: 2,
        occurred_at: SystemClock.now(),
        traceparent: None,
        event: Event::OrderConfirmed(fact),
    }
}

/// Tells cart that an order was confirmed, so many times, and waits until it has heard.
async fn confirm(shop: &TestShop, cart: Option<CartFact>, times: usize) {
    deliver(shop, &confirmed(cart), times).await;
}

/// Puts an event into the stream so many times, and waits until cart has heard.
pub(crate) async fn deliver(shop: &TestShop, envelope: &Envelope, times: usize) {
    let redis = Redis::connect(shop.config().redis.as_ref().unwrap(), &Metrics::new("test")).unwrap();
    let topic = envelope.event.topic();
    let stream = redis.stream(topic.producers()[0]);
    let entry = Entry {
        event_id: envelope.id.to_string(),
        topic: topic.name().into(),
        json: serde_json::to_string(envelope).unwrap(),
        mirror: None,
    };
    let mark = stream.open("test").await.unwrap();
    for _ in 0..times {
        stream.append(&mark, std::slice::from_ref(&entry)).await.unwrap();
    }
    eventually("everything is acknowledged", || async {
        let floor = stream.floor(&mark, &["cart"]).await.unwrap();
        floor.groups.iter().any(|group| group.name == "cart" && group.lag == 0)
    })
    .await;
}

fn fact(path: &str, version: i64) -> CartFact {
    let id: CartId = path.rsplit('/').next().unwrap().parse().unwrap();
    CartFact { id, version }
}

#[tokio::test]
async fn a_confirmed_order_empties_its_cart_once_however_often_it_is_told() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    confirm(&shop, Some(fact(&cart, 2)), 3).await;
    let inbox = shop.mongo("cart").await.collection::<shop_mongo::Document>("inbox");
    assert_eq!(inbox.count_documents(shop_mongo::doc! {}).await.unwrap(), 1);
    let cleared = show(&shop, &buyer, &cart).await;
    assert_eq!((cleared.lines().len(), cleared.etag.as_deref(), cleared.total()), (0, Some("\"3\""), 0));
}

#[tokio::test]
async fn an_order_that_is_told_again_leaves_what_was_put_in_since() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    let told = confirmed(Some(fact(&cart, 2)));
    deliver(&shop, &told, 1).await;
    assert!(show(&shop, &buyer, &cart).await.lines().is_empty());
    add(&shop, &buyer, &cart, "cup", 1).await;
    deliver(&shop, &told, 2).await;
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("cup", 1)]);
}

#[tokio::test]
async fn a_price_that_changes_while_an_order_is_on_its_way_keeps_nothing_in_the_cart() {
    let (shop, catalog) = cart_service().await;
    for (buyer, cart) in [a_customer_cart(&shop).await, a_guest_cart(&shop).await] {
        catalog.sell("mug", 500).await;
        add(&shop, &buyer, &cart, "mug", 2).await;
        let ordered = get_cart(&shop, Some(&buyer), &cart).await.unwrap().version;
        catalog.sell("mug", 900).await;
        crate::given::age_prices(&shop).await;
        assert_eq!(show(&shop, &buyer, &cart).await.etag.as_deref(), Some("\"3\""), "another price to look at");
        assert_eq!(get_cart(&shop, Some(&buyer), &cart).await.unwrap().version, ordered, "the same cart to order");
        confirm(&shop, Some(fact(&cart, ordered)), 1).await;
        assert!(show(&shop, &buyer, &cart).await.lines().is_empty());
    }
}

#[tokio::test]
async fn what_a_pod_of_before_put_in_stays() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    let ordered = get_cart(&shop, Some(&buyer), &cart).await.unwrap().version;
    let carts = shop.mongo("cart").await.collection::<shop_mongo::Document>("carts");
    // It knows of lines and version alone.
    let by_old_pod = shop_mongo::doc! { "$set": { "lines.0.quantity": 5, "version": 3_i64 } };
    carts.update_one(shop_mongo::doc! { "_id": id_of(&cart) }, by_old_pod).await.unwrap();
    confirm(&shop, Some(fact(&cart, ordered)), 1).await;
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("mug", 5)]);
}

#[tokio::test]
async fn what_was_put_in_after_ordering_stays() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    add(&shop, &buyer, &cart, "cup", 1).await;
    confirm(&shop, Some(fact(&cart, 2)), 1).await;
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("mug", 2), ("cup", 1)]);
}

#[tokio::test]
async fn a_confirmation_of_an_older_version_empties_nothing() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    confirm(&shop, Some(fact(&cart, 2)), 1).await;
    let refill = request(&shop, &buyer, Method::POST, &format!("{cart}/items"));
    assert_eq!(answer(refill.json(&json!({ "sku": "cup", "quantity": 1 }))).await.lines(), [("cup", 1)]);
    confirm(&shop, Some(fact(&cart, 2)), 1).await;
    assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("cup", 1)]);
}

#[tokio::test]
async fn orders_without_a_cart_or_of_one_that_is_gone_hold_up_nobody() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    confirm(&shop, None, 2).await;
    confirm(&shop, Some(fact("/0190b3c0-0000-7000-8000-00000000dead", 1)), 2).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    confirm(&shop, Some(fact(&cart, 2)), 1).await;
    assert!(show(&shop, &buyer, &cart).await.lines().is_empty());
    let inbox = shop.mongo("cart").await.collection::<shop_mongo::Document>("inbox");
    assert_eq!(inbox.count_documents(shop_mongo::doc! {}).await.unwrap(), 3, "each event was had once");
}

#[tokio::test]
async fn what_a_guest_has_bought_does_not_come_back_with_their_cart() {
    let (shop, _) = cart_service().await;
    for (policy, left) in [("merge", vec![("mug", 2), ("cup", 3)]), ("keep_guest", vec![("cup", 3)])] {
        let ((buyer, cart), (guest, guests)) = (a_customer_cart(&shop).await, a_guest_cart(&shop).await);
        add(&shop, &buyer, &cart, "mug", 2).await;
        add(&shop, &guest, &guests, "mug", 1).await;
        add(&shop, &guest, &guests, "cup", 4).await;
        // Ordered at version 3, and not confirmed yet.
        let told = confirmed(Some(fact(&guests, 3)));
        let merging = request(&shop, &buyer, Method::POST, &format!("{cart}/merge")).header(guest.0, &guest.1);
        let merged = answer(merging.json(&json!({ "from": id_of(&guests), "policy": policy }))).await;
        assert_eq!(merged.status, 200, "{}", merged.body);
        assert_eq!(add(&shop, &buyer, &cart, "cup", 3).await.status, 200, "new ones");
        // Of another version, and of another cart: neither is this one.
        confirm(&shop, Some(fact(&guests, 2)), 1).await;
        confirm(&shop, Some(fact("/0190b3c0-0000-7000-8000-00000000dead", 3)), 1).await;
        let before = show(&shop, &buyer, &cart).await;
        let pieces: u64 = before.lines().iter().map(|(_, pieces)| pieces).sum();
        assert_eq!(pieces, if policy == "merge" { 10 } else { 8 });
        deliver(&shop, &told, 3).await;
        let shown = show(&shop, &buyer, &cart).await;
        assert_eq!((shown.lines(), shown.etag.as_deref()), (left, Some("\"5\"")), "{policy}");
    }
}

#[tokio::test]
async fn what_their_owner_wants_of_a_merged_line_stays() {
    // Also a quantity that it has already was said by its owner.
    for brought in [1, 2] {
        let (shop, _) = cart_service().await;
        let ((buyer, cart), (guest, guests)) = (a_customer_cart(&shop).await, a_guest_cart(&shop).await);
        add(&shop, &guest, &guests, "mug", brought).await;
        let merging = request(&shop, &buyer, Method::POST, &format!("{cart}/merge")).header(guest.0, &guest.1);
        assert_eq!(answer(merging.json(&json!({ "from": id_of(&guests), "policy": "merge" }))).await.status, 200);
        let set = request(&shop, &buyer, Method::PATCH, &format!("{cart}/items/mug")).header("If-Match", "\"2\"");
        assert_eq!(answer(set.json(&json!({ "quantity": 2 }))).await.lines(), [("mug", 2)]);
        confirm(&shop, Some(fact(&guests, 2)), 1).await;
        assert_eq!(show(&shop, &buyer, &cart).await.lines(), [("mug", 2)], "{brought} were brought");
    }
}

/// The event of an account that was deleted.
pub(crate) fn deleted(user_id: UserId) -> Envelope {
    Envelope {
        id: EventId::from_uuid(SystemClock.new_id()),
        aggregate: user_id.to_string(),
        version: 2,
        occurred_at: SystemClock.now(),
        traceparent: None,
        event: Event::UserDeleted(UserFact { user_id, number: 1 }),
    }
}

#[tokio::test]
async fn the_cart_of_a_deleted_account_is_dropped_and_nobody_elses() {
    let (shop, catalog) = cart_service().await;
    catalog.sell("mug", 500).await;
    let (ada, adas) = a_customer_cart(&shop).await;
    let (eve, eves) = a_customer_cart(&shop).await;
    let (guest, guests) = a_guest_cart(&shop).await;
    for (buyer, cart) in [(&ada, &adas), (&eve, &eves), (&guest, &guests)] {
        assert_eq!(add(&shop, buyer, cart, "mug", 2).await.status, 200);
    }
    let owner = get_cart(&shop, Some(&ada), &adas).await.unwrap().user_id;
    let event = deleted(owner.parse().unwrap());
    deliver(&shop, &event, 2).await;
    assert_eq!(show(&shop, &ada, &adas).await.status, 404);
    // Her last token lives on for minutes: what it opens is not for a late delivery to drop.
    let again = path_of(&answer(request(&shop, &ada, Method::POST, "/api/v1/carts")).await);
    deliver(&shop, &event, 1).await;
    assert_eq!(show(&shop, &ada, &again).await.status, 200);
    for (buyer, cart) in [(&eve, &eves), (&guest, &guests)] {
        assert_eq!(show(&shop, buyer, cart).await.lines(), [("mug", 2)]);
    }
    let stranger = deleted(UserId::from_uuid(SystemClock.new_id()));
    deliver(&shop, &stranger, 1).await;
    assert_eq!(show(&shop, &eve, &eves).await.status, 200);
}

#[tokio::test]
async fn the_cart_of_a_person_is_given_for_their_copy_and_nobody_elses() {
    let (shop, catalog) = cart_service().await;
    catalog.sell("mug", 500).await;
    let (ada, adas) = a_customer_cart(&shop).await;
    add(&shop, &ada, &adas, "mug", 2).await;
    let (guest, guests) = a_guest_cart(&shop).await;
    add(&shop, &guest, &guests, "mug", 1).await;
    let kept = async |user_id: &str, received: u32| -> Result<Vec<Value>, Status> {
        let channel = Endpoint::from_shared(shop.grpc_url()).unwrap().connect().await.unwrap();
        let request = ExportPersonRequest { user_id: user_id.into(), received };
        let records: Vec<Record> =
            CartsClient::new(channel).export_person(request).await?.into_inner().try_collect().await?;
        Ok(records.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect())
    };
    let owner = get_cart(&shop, Some(&ada), &adas).await.unwrap().user_id;
    assert_eq!(kept(&owner, 0).await.unwrap(), [show(&shop, &ada, &adas).await.body]);
    assert!(kept(&owner, 1).await.unwrap().is_empty());
    let nobody = UserId::from_uuid(SystemClock.new_id()).to_string();
    assert!(kept(&nobody, 0).await.unwrap().is_empty());
    assert_eq!(kept("7", 0).await.unwrap_err().code(), Code::NotFound);
}
