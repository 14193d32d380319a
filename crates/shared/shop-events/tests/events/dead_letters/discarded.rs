//! Letters that nobody wants handled any more.

use std::sync::Arc;

use shop_events::LetterError;
use shop_types::EventId;

use super::{Broken, SOON, deliver_again, end, given_up, page, poison};
use crate::shop::{eventually, with_shop};

#[tokio::test]
async fn a_discarded_letter_never_comes_back() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;
        let letter = page(&letters).await.remove(0);

        letters.discard(&letter.id).await.unwrap();

        assert!(page(&letters).await.is_empty());
        assert!(matches!(letters.discard(&letter.id).await, Err(LetterError::NoSuchLetter)));
        assert!(matches!(letters.retry(&letter.id).await, Err(LetterError::NoSuchLetter)));
        broken.mend();
        deliver_again(&shop).await;
        assert!(shop.remembered().await.is_empty() && page(&letters).await.is_empty());
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn discarding_during_a_retry_that_died_leaves_the_event_had() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;
        let letter = page(&letters).await.remove(0);
        // What a process leaves behind that dies with the event in hand.
        let event: EventId = letter.id.parse().unwrap();
        let taken_up = shop.mongo("catalog").await.transact("take up", move |txn| {
            Box::pin(async move { shop_mongo::inbox::take_up(txn, "catalog", event).await })
        });
        taken_up.await.unwrap();

        letters.discard(&letter.id).await.unwrap();

        broken.mend();
        deliver_again(&shop).await;
        assert!(shop.remembered().await.is_empty());
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_event_cannot_be_retried_and_can_be_discarded() {
    with_shop("inventory", |shop| async move {
        let handler = shop.remembering().await;
        let consumer = shop.consumer(Arc::clone(&handler)).await;
        let letters = shop.letters(handler).await;
        let relay = shop.relay().await;
        shop.tell_stock(0..1).await;
        eventually("the way is open", SOON, async || shop.remembered().await.len() == 1).await;
        let key = "t:events:{inventory}";
        let forged = serde_json::to_string(&shop.stock(7)).unwrap();
        shop.server.cli(&["XADD", key, "*", "id", "1", "topic", "stock.changed", "json", "{not json"]);
        shop.server.cli(&["XADD", key, "*", "id", "another", "topic", "stock.changed", "json", &forged]);
        eventually("both are dead letters", SOON, async || page(&letters).await.len() == 2).await;

        for letter in page(&letters).await {
            let ended = letters.retry(&letter.id).await;
            assert!(matches!(ended, Err(LetterError::Unreadable(_))), "{ended:?}");
            letters.discard(&letter.id).await.unwrap();
        }

        assert!(page(&letters).await.is_empty());
        assert_eq!(shop.remembered().await, [0]);
        end([relay, consumer]).await;
    })
    .await;
}
