//! Errors on their way from one service to another.

use shop_mesh::{PeerError, status};
use shop_types::{Detail, ErrorKind, ServiceError};
use tonic::{Code, Status};

use crate::peer::{Order, Peer};

#[derive(Debug, thiserror::Error)]
#[error("nothing on mongodb-0.internal, größer als 3")]
struct Failure(ErrorKind);

impl ServiceError for Failure {
    fn kind(&self) -> ErrorKind {
        self.0
    }

    fn code(&self) -> &'static str {
        "sold_out"
    }

    fn details(&self) -> Vec<Detail> {
        vec![Detail::new("lines[0].quantity", "größer als 3")]
    }
}

#[tokio::test]
async fn every_kind_survives_the_way_with_its_code_and_details() {
    let kinds = [
        ErrorKind::Malformed,
        ErrorKind::Unauthenticated,
        ErrorKind::PaymentDeclined,
        ErrorKind::Forbidden,
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::Gone,
        ErrorKind::Stale,
        ErrorKind::TooLarge,
        ErrorKind::UnsupportedMedia,
        ErrorKind::Invalid,
        ErrorKind::PreconditionRequired,
        ErrorKind::RateLimited,
        ErrorKind::Unavailable,
        ErrorKind::Internal,
    ];
    for kind in kinds {
        let peer = Peer::start(move |_| async move { Err(status(&Failure(kind))) }).await;
        let error = PeerError::from(("payment", Order::calling(peer.address).authorize().await.unwrap_err()));
        assert_eq!((error.peer, error.kind, error.code.as_str()), ("payment", kind, "sold_out"));
        assert_eq!(error.details, Failure(kind).details());
        let hidden = matches!(kind, ErrorKind::Unavailable | ErrorKind::Internal);
        assert_eq!(error.message == Failure(kind).to_string(), !hidden, "{error}");
        assert_eq!(error.message.contains("mongodb-0"), !hidden, "{error}");
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_peer_goes_on() {
    let peer = Peer::start(async |call| {
        assert!(call.number > 1, "the secret of call {}", call.number);
        Ok(())
    })
    .await;
    let order = Order::calling(peer.address);
    let error = PeerError::from_status("payment", order.authorize().await.unwrap_err());
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Internal, "internal"));
    assert!(!error.message.contains("secret"), "{error}");
    order.authorize().await.unwrap();
}

#[test]
fn a_status_that_no_service_wrote_has_a_kind_too() {
    let cases = [
        (Code::Unavailable, ErrorKind::Unavailable),
        (Code::Cancelled, ErrorKind::Unavailable),
        (Code::Unknown, ErrorKind::Unavailable),
        (Code::DeadlineExceeded, ErrorKind::Unavailable),
        (Code::Unimplemented, ErrorKind::Internal),
        (Code::InvalidArgument, ErrorKind::Internal),
        (Code::Unauthenticated, ErrorKind::Unauthenticated),
        (Code::NotFound, ErrorKind::NotFound),
    ];
    for (code, kind) in cases {
        assert_eq!(PeerError::from_status("catalog", Status::new(code, "")).kind, kind, "{code:?}");
    }
}

#[test]
fn a_kind_that_we_do_not_know_falls_back_to_the_code() {
    let mut status = Status::not_found("gone");
    status.metadata_mut().insert("x-error-kind", "brand_new".parse().unwrap());
    let error = PeerError::from_status("catalog", status);
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::NotFound, "not_found"));
}
