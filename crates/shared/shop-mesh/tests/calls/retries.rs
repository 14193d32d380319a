//! Which calls are repeated, and how often.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::peer::{Order, Peer, nobody};

/// A peer that is unavailable for its first calls.
async fn unavailable_for(calls: usize) -> Peer {
    Peer::start(move |call| async move {
        if call.number <= calls {
            return Err(Status::unavailable("not yet"));
        }
        // Says of itself which try it is.
        let previous = call.metadata.get("grpc-previous-rpc-attempts").map(|value| value.to_str().unwrap());
        assert_eq!(previous.map(str::to_owned), (calls > 0).then(|| calls.to_string()));
        Ok(())
    })
    .await
}

/// The same peer behind a wire that the test can cut; calls to it never end.
async fn behind_a_wire(cut: Arc<Notify>) -> (Peer, SocketAddr) {
    let peer = Peer::start({
        let cut = Arc::clone(&cut);
        move |_| {
            let cut = Arc::clone(&cut);
            async move {
                cut.notify_one();
                std::future::pending().await
            }
        }
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (wire, target) = (listener.local_addr().unwrap(), peer.address);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(target).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = cut.notified() => {}
            }
        }
    });
    (peer, wire)
}

#[tokio::test]
async fn an_idempotent_call_is_tried_up_to_three_times() {
    for failures in 0..=2 {
        let peer = unavailable_for(failures).await;
        let order = Order::calling(peer.address);
        assert_eq!(order.variants(&["mug"]).await.unwrap().len(), 1);
        assert_eq!(peer.calls(), failures + 1);
        let page = order.page();
        assert!(
            page.contains(
                r#"code="ok",method="shopmesh.catalog.v1.Catalog/GetVariants",peer="catalog",service="order"} 1"#
            ),
            "{page}"
        );
    }
    let peer = unavailable_for(3).await;
    let order = Order::calling(peer.address);
    assert_eq!(order.variants(&[]).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(peer.calls(), 3);
    let page = order.page();
    assert!(
        page.contains(
            r#"mesh_retries_total{method="shopmesh.catalog.v1.Catalog/GetVariants",peer="catalog",service="order"} 2"#
        ),
        "{page}"
    );
}

#[tokio::test]
async fn a_call_that_is_not_idempotent_is_made_once() {
    let peer = unavailable_for(1).await;
    assert_eq!(Order::calling(peer.address).authorize().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(peer.calls(), 1);
}

#[tokio::test]
async fn only_an_unavailable_peer_is_asked_again() {
    for code in [Code::Internal, Code::NotFound, Code::Aborted, Code::ResourceExhausted, Code::DeadlineExceeded] {
        let peer = Peer::start(move |_| async move { Err(Status::new(code, "no")) }).await;
        assert_eq!(Order::calling(peer.address).variants(&[]).await.unwrap_err().code(), code);
        assert_eq!(peer.calls(), 1, "{code:?}");
    }
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_repeated_only_if_it_is_idempotent() {
    let (peer, wire) = behind_a_wire(Arc::new(Notify::new())).await;
    assert_eq!(Order::calling(wire).variants(&[]).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(peer.calls(), 3);

    let (peer, wire) = behind_a_wire(Arc::new(Notify::new())).await;
    assert_eq!(Order::calling(wire).authorize().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(peer.calls(), 1);
}

#[tokio::test]
async fn a_call_that_never_left_is_repeated_even_if_it_is_not_idempotent() {
    let order = Order::calling(nobody().await);
    order.authorize().await.unwrap_err();
    let page = order.page();
    assert!(
        page.contains(
            r#"mesh_retries_total{method="shopmesh.payment.v1.Payment/Authorize",peer="payment",service="order"} 2"#
        ),
        "{page}"
    );
}

#[tokio::test]
async fn the_budget_bounds_the_retries_of_many_calls() {
    let peer = unavailable_for(usize::MAX).await;
    let order = Order::calling(peer.address);
    let calls = (0..100).map(|_| order.variants(&[]));
    assert!(futures::future::join_all(calls).await.iter().all(Result::is_err));
    // 10 at rest, 20 for 100 calls, and what up to two seconds bring. Without a budget: 300.
    assert!((120..=150).contains(&peer.calls()), "{}", peer.calls());
}

#[tokio::test]
async fn retries_do_not_multiply_from_hop_to_hop() {
    let last = unavailable_for(usize::MAX).await;
    let order = Order::calling(last.address);
    let middle = Peer::start(move |_| {
        let order = order.clone();
        async move { order.variants(&[]).await.map(|_| ()) }
    })
    .await;
    Order::calling(middle.address).variants(&[]).await.unwrap_err();
    // Three tries for the first call of the middle, one for each of its repetitions.
    assert_eq!((middle.calls(), last.calls()), (3, 5));
}

#[tokio::test]
async fn a_large_request_arrives_whole_and_is_sent_once() {
    let skus: Vec<String> = (0..10_000).map(|n| format!("sku-{n}")).collect();
    let skus: Vec<&str> = skus.iter().map(String::as_str).collect();
    let peer = unavailable_for(0).await;
    let variants = Order::calling(peer.address).variants(&skus).await.unwrap();
    assert!(variants.iter().map(|variant| variant.sku.as_str()).eq(skus.iter().copied()));

    let peer = unavailable_for(1).await;
    assert_eq!(Order::calling(peer.address).variants(&skus).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(peer.calls(), 1);
}

#[tokio::test]
async fn a_peer_that_the_service_table_does_not_name_is_unavailable() {
    let peer = unavailable_for(0).await;
    let order = Order::calling(peer.address);
    for name in ["edge", "nonsense", ""] {
        let mut client = shop_proto::catalog::catalog_client::CatalogClient::new(order.mesh.channel(name));
        let status = client.get_variants(shop_proto::catalog::GetVariantsRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    }
    assert_eq!(peer.calls(), 0);
}
