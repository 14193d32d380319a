//! How long calls take, at both ends.

use std::net::SocketAddr;
use std::time::Duration;

use shop_mesh::PeerError;
use shop_proto::catalog::GetVariantsRequest;
use shop_proto::catalog::catalog_client::CatalogClient;
use shop_telemetry::context::{self, Context};
use shop_types::ErrorKind;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use crate::peer::{Order, Peer, nobody};

fn with_deadline(deadline: Duration) -> Context {
    Context {
        request_id: "r-1".into(),
        deadline: Some(Instant::now() + deadline),
        authorization: None,
        guest_token: None,
    }
}

/// A peer that tells how much time it was given.
async fn a_peer_with_a_watch() -> (Peer, UnboundedReceiver<Duration>) {
    let (sender, receiver) = unbounded_channel();
    let peer = Peer::start(move |_| {
        let sender = sender.clone();
        async move {
            sender.send(context::remaining().unwrap()).unwrap();
            Ok(())
        }
    })
    .await;
    (peer, receiver)
}

/// A peer that never answers, and tells when a call to it is dropped.
async fn a_peer_that_hangs() -> (Peer, UnboundedReceiver<()>) {
    struct Dropped(UnboundedSender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            // The test may be over.
            self.0.send(()).ok();
        }
    }
    let (sender, receiver) = unbounded_channel();
    let peer = Peer::start(move |_| {
        let dropped = Dropped(sender.clone());
        async move {
            std::future::pending::<()>().await;
            drop(dropped);
            Ok(())
        }
    })
    .await;
    (peer, receiver)
}

/// Never more than expected; a little less, for the way here on a busy machine.
fn is_about(time: Duration, expected_millis: u64) -> bool {
    let least = Duration::from_millis(expected_millis.saturating_sub(400));
    (least..=Duration::from_millis(expected_millis)).contains(&time)
}

/// Calls a peer that must be given so much time. On a busy machine some of it is gone when a call arrives: one of several
/// must have it.
async fn is_given(expected_millis: u64, call: impl AsyncFn(SocketAddr)) {
    let (peer, mut given) = a_peer_with_a_watch().await;
    let mut most = Duration::ZERO;
    for _ in 0..20 {
        call(peer.address).await;
        while let Ok(time) = given.try_recv() {
            most = most.max(time);
        }
        if is_about(most, expected_millis) {
            break;
        }
    }
    assert!(is_about(most, expected_millis), "{most:?} of {expected_millis} ms");
}

#[tokio::test]
async fn the_deadline_passes_on_from_hop_to_hop_and_shrinks() {
    // Two margins of 5 ms and the 200 ms of work are gone.
    is_given(790, async |last| {
        let middle = Peer::start(move |_| async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Order::calling(last).variants(&[]).await.map(|_| ())
        })
        .await;
        let order = Order::calling(middle.address);
        drop(context::scope(with_deadline(Duration::from_secs(1)), order.variants(&[])).await);
    })
    .await;
}

#[tokio::test]
async fn each_call_has_its_default_and_less_may_be_asked_for() {
    is_given(2000, async |peer| drop(Order::calling(peer).variants(&[]).await)).await;
    is_given(3000, async |peer| drop(Order::calling(peer).authorize().await)).await;
    is_given(2000, async |peer| {
        let order = Order::calling(peer);
        drop(context::scope(with_deadline(Duration::from_secs(60)), order.variants(&[])).await);
    })
    .await;
    for (asked, expected) in [(1, 1000), (60, 2000)] {
        is_given(expected, async |peer| {
            let mut request = Request::new(GetVariantsRequest::default());
            request.set_timeout(Duration::from_secs(asked));
            drop(CatalogClient::new(Order::calling(peer).mesh.channel("catalog")).get_variants(request).await);
        })
        .await;
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_in_time_is_given_up_and_stops_working() {
    let (peer, mut dropped) = a_peer_that_hangs().await;
    let order = Order::calling(peer.address);
    let start = Instant::now();

    let status = context::scope(with_deadline(Duration::from_millis(1_500)), order.variants(&[])).await.unwrap_err();

    let took = start.elapsed();
    assert!(took > Duration::from_millis(1_490) && took < Duration::from_secs(5), "{took:?}");
    let error = PeerError::from_status("catalog", status);
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "deadline_exceeded"));
    tokio::time::timeout(Duration::from_secs(10), dropped.recv()).await.unwrap().unwrap();
    assert_eq!(peer.calls(), 1);
    assert!(order.page().contains(r#"code="deadline_exceeded""#), "{}", order.page());
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_work_of_its_peers() {
    for _ in 0..5 {
        // On a busy machine the deadline of 2 s may come before that.
        if ends_with_its_caller().await {
            return;
        }
    }
    panic!("the work goes on");
}

async fn ends_with_its_caller() -> bool {
    let (last, mut dropped) = a_peer_that_hangs().await;
    let last_address = last.address;
    let middle =
        Peer::start(move |_| async move { Order::calling(last_address).variants(&[]).await.map(|_| ()) }).await;
    let order = Order::calling(middle.address);
    let call = tokio::spawn({
        let order = order.clone();
        async move { order.variants(&[]).await }
    });
    while last.calls() == 0 {
        if call.is_finished() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    call.abort();

    if tokio::time::timeout(Duration::from_secs(1), dropped.recv()).await.is_err() {
        return false;
    }
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(order.page().contains(r#"code="cancelled""#), "{}", order.page());
    true
}

#[tokio::test]
async fn a_call_without_time_left_is_not_made() {
    let (peer, _given) = a_peer_with_a_watch().await;
    let order = Order::calling(peer.address);
    for left in [0, 5] {
        let spent = with_deadline(Duration::from_millis(left));
        let status = context::scope(spent, order.variants(&[])).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn nothing_takes_longer_than_the_cap_whatever_the_caller_says() {
    let client = async |peer: SocketAddr| {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{peer}")).unwrap();
        CatalogClient::new(channel.connect().await.unwrap())
    };
    is_given(5000, async |peer| {
        let mut patient = Request::new(GetVariantsRequest::default());
        patient.set_timeout(Duration::from_secs(3600));
        client(peer).await.get_variants(patient).await.unwrap();
    })
    .await;
    is_given(5000, async |peer| {
        client(peer).await.get_variants(GetVariantsRequest::default()).await.unwrap();
    })
    .await;
}

async fn fails_fast(address: SocketAddr, call: impl AsyncFn(&Order) -> Status) {
    let order = Order::calling(address);
    let start = Instant::now();
    let status = call(&order).await;
    assert_eq!(status.code(), Code::Unavailable);
    // Two waits of 250 ms at most; the deadline would be 2 or 3 s.
    assert!(start.elapsed() < Duration::from_millis(1_900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_dead_peer_is_unavailable_at_once() {
    let address = nobody().await;
    fails_fast(address, async |order| order.variants(&[]).await.unwrap_err()).await;
    fails_fast(address, async |order| order.authorize().await.unwrap_err()).await;
}

#[tokio::test]
async fn a_peer_that_comes_back_is_found_again() {
    let first = Peer::start(async |_| Ok(())).await;
    let order = Order::calling(first.address);
    order.variants(&[]).await.unwrap();
    first.stop.cancel();
    first.served.await.unwrap().unwrap();
    assert_eq!(order.variants(&[]).await.unwrap_err().code(), Code::Unavailable);

    let listener = tokio::net::TcpListener::bind(first.address).await.unwrap();
    let _second = Peer::start_on(listener, async |_| Ok(()));
    order.variants(&[]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_answers_what_is_under_way() {
    let peer = Peer::start(async |_| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(())
    })
    .await;
    let order = Order::calling(peer.address);
    let call = tokio::spawn(async move { order.variants(&["mug"]).await });
    while peer.calls() == 0 {
        assert!(!call.is_finished(), "it never arrived");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    peer.stop.cancel();
    assert_eq!(call.await.unwrap().unwrap().len(), 1);
    peer.served.await.unwrap().unwrap();
}
