//! What an admin does with events that were given up.

mod discarded;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shop_events::{DeadLetter, DeadLetters, HandleError, Handler, LetterError};
use shop_mongo::{Document, doc};
use shop_types::{Envelope, EventId};
use tokio::sync::Notify;

use crate::shop::{Running, Shop, eventually, with_shop};

const SOON: Duration = Duration::from_secs(5);

/// Handles nothing until it is mended, then remembers.
struct Broken {
    mended: Arc<AtomicBool>,
    handler: Handler,
}

impl Broken {
    async fn new(shop: &Shop, error: fn() -> HandleError) -> Self {
        let mended = Arc::new(AtomicBool::new(false));
        let (works, remembering) = (Arc::clone(&mended), shop.remembering().await);
        let handler: Handler = Arc::new(move |events: Vec<Envelope>| {
            if works.load(Ordering::SeqCst) {
                return remembering(events);
            }
            Box::pin(async move { events.iter().map(|_| Err(error())).collect() })
        });
        Self { mended, handler }
    }

    fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }
}

fn poison() -> HandleError {
    HandleError::Poison("too odd".into())
}

async fn page(letters: &DeadLetters) -> Vec<DeadLetter> {
    letters.list(100, None).await.unwrap().letters
}

/// Events that were told and given up, and what runs.
async fn given_up(shop: &Shop, handler: &Handler, count: i64) -> (DeadLetters, [Running; 2]) {
    let running = [shop.relay().await, shop.consumer(Arc::clone(handler)).await];
    let letters = shop.letters(Arc::clone(handler)).await;
    shop.tell_stock(0..count).await;
    let expected = usize::try_from(count).unwrap();
    eventually("all are dead letters", SOON, async || page(&letters).await.len() == expected).await;
    (letters, running)
}

async fn end(running: [Running; 2]) {
    for one in running {
        one.stop().await;
    }
}

/// Sends everything again, as after a flush of Redis, and waits until it was delivered.
async fn deliver_again(shop: &Shop) {
    let published = shop.metric("events_published_total{topic=\"stock.changed\"}");
    let outbox = shop.mongo("inventory").await.collection::<Document>("outbox");
    let again = doc! { "$set": { "published": null, "confirmed": false } };
    outbox.update_many(doc! {}, again).await.unwrap();
    eventually("all are sent again", SOON, async || {
        shop.metric("events_published_total{topic=\"stock.changed\"}") > published
    })
    .await;
    eventually("all are handled", Duration::from_secs(15), async || shop.unconfirmed().await == 0).await;
}

#[tokio::test]
async fn a_letter_tells_what_was_given_up_and_why() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;

        let letter = page(&letters).await.remove(0);

        let told: Envelope = serde_json::from_str(&letter.body).unwrap();
        assert_eq!(letter.id, told.id.to_string());
        assert_eq!((letter.producer.as_str(), letter.topic.as_str()), ("inventory", "stock.changed"));
        assert_eq!((letter.reason.as_str(), letter.deliveries), ("too odd", 1));
        eventually("the gauge shows it", Duration::from_secs(10), async || {
            shop.metric("dead_letters{service=\"test\"}") == 1
        })
        .await;
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn the_gauge_comes_from_the_database_and_so_survives_a_restart() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 2).await;
        end(running).await;
        letters.discard(&page(&letters).await[0].id).await.unwrap();

        let again = shop.consumer(Arc::clone(&broken.handler)).await;

        eventually("it shows what is left", Duration::from_secs(10), async || {
            shop.metric("dead_letters{service=\"test\"}") == 1
        })
        .await;
        again.stop().await;
    })
    .await;
}

#[tokio::test]
async fn pages_hold_every_letter_once_the_oldest_first() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 7).await;
        let all: Vec<String> = page(&letters).await.into_iter().map(|letter| letter.id).collect();

        let (mut found, mut after, mut sizes) = (Vec::new(), None::<String>, Vec::new());
        loop {
            let page = letters.list(3, after.as_deref()).await.unwrap();
            assert_eq!(page.total, 7);
            sizes.push(page.letters.len());
            found.extend(page.letters.into_iter().map(|letter| letter.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }

        assert_eq!((found, sizes), (all, vec![3, 3, 1]));
        for bad in ["", "x", ".", "x.y", "9223372036854775808.y"] {
            assert!(matches!(letters.list(3, Some(bad)).await, Err(LetterError::Cursor)), "{bad}");
        }
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_has_the_effect_once_and_takes_the_letter_away() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 2).await;
        let [first, second] = page(&letters).await.try_into().unwrap();
        broken.mend();

        letters.retry(&first.id).await.unwrap();

        assert_eq!(shop.remembered().await.len(), 1);
        assert_eq!(page(&letters).await, std::slice::from_ref(&second), "the other one is left alone");
        assert!(matches!(letters.retry(&first.id).await, Err(LetterError::NoSuchLetter)));
        deliver_again(&shop).await;
        assert_eq!(shop.remembered().await.len(), 1, "neither comes by itself");
        letters.retry(&second.id).await.unwrap();
        let mut remembered = shop.remembered().await;
        remembered.sort_unstable();
        assert_eq!(remembered, [0, 1]);
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn many_retries_at_once_have_one_effect() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;
        let letter = page(&letters).await.remove(0);
        broken.mend();

        let ended = futures::future::join_all((0..8).map(|_| letters.retry(&letter.id))).await;

        assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1, "{ended:?}");
        let may_end = |ended: &_| matches!(ended, Ok(()) | Err(LetterError::NoSuchLetter | LetterError::Away(_)));
        assert!(ended.iter().all(may_end), "{ended:?}");
        assert_eq!(shop.remembered().await, [0]);
        assert!(page(&letters).await.is_empty());
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn a_letter_stays_while_nothing_has_its_effect() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;
        let letter = page(&letters).await.remove(0);
        let (entered, may_fail) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&entered), Arc::clone(&may_fail));
        let slow = shop.letters(crate::shop::each(move |_| {
            let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
            async move {
                tell.notify_one();
                wait.notified().await;
                Err(HandleError::Away("no provider".into()))
            }
        }));
        let (slow, id) = (slow.await, letter.id.clone());
        let first = tokio::spawn(async move { slow.retry(&id).await });
        entered.notified().await;

        broken.mend();
        let second = letters.retry(&letter.id).await;
        assert!(matches!(&second, Err(LetterError::Away(reason)) if reason.contains("another retry")), "{second:?}");
        // The same as when its consumer gives it up again while a retry is at work.
        let (mongo, event) = (shop.mongo("catalog").await, letter.id.parse::<EventId>().unwrap());
        let rests = doc! { "$unset": { "tried_at": "" } };
        mongo.collection::<Document>("dead_letters").update_one(doc! { "_id": &letter.id }, rests).await.unwrap();
        let marked = doc! { "_id": format!("catalog:{event}"), "group": "catalog", "given_up": true };
        let remembering = shop.remembering().await;
        let marking = shop.letters(Arc::new(move |events: Vec<Envelope>| {
            let (mongo, marked, done) = (mongo.clone(), marked.clone(), Arc::clone(&remembering));
            Box::pin(async move {
                mongo.collection::<Document>("inbox").insert_one(marked).await.unwrap();
                done(events).await
            })
        }));
        let third = marking.await.retry(&letter.id).await;
        assert!(matches!(&third, Err(LetterError::Away(reason)) if reason.contains("given up")), "{third:?}");
        may_fail.notify_one();
        assert!(matches!(first.await.unwrap(), Err(LetterError::Away(_))));

        assert_eq!((shop.remembered().await, page(&letters).await.len()), (vec![], 1));
        letters.retry(&letter.id).await.unwrap();
        assert_eq!((shop.remembered().await, page(&letters).await.len()), (vec![0], 0));
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_that_fails_keeps_the_letter_and_says_why() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;
        let letter = page(&letters).await.remove(0);
        let failing = shop.letters(crate::shop::each(|_| async { Err(HandleError::Retry("still odd".into())) })).await;
        let panicking = shop.letters(crate::shop::each(|_| async { panic!("odder") })).await;
        let away = shop.letters(crate::shop::each(|_| async { Err(HandleError::Away("no provider".into())) })).await;

        assert!(
            matches!(failing.retry(&letter.id).await, Err(LetterError::FailedAgain(reason)) if reason == "still odd")
        );
        let Err(LetterError::FailedAgain(reason)) = panicking.retry(&letter.id).await else { panic!("it panicked") };
        assert!(reason.contains("panicked"), "{reason}");
        assert!(matches!(away.retry(&letter.id).await, Err(LetterError::Away(_))));

        let kept = page(&letters).await.remove(0);
        assert_eq!((kept.reason.as_str(), kept.deliveries), ("no provider", 3), "what is away does not count");
        broken.mend();
        deliver_again(&shop).await;
        assert!(shop.remembered().await.is_empty(), "it counts as had again");
        letters.retry(&letter.id).await.unwrap();
        assert_eq!(shop.remembered().await, [0]);
        end(running).await;
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_effect_has_happened_is_only_taken_away() {
    with_shop("inventory", |shop| async move {
        let broken = Broken::new(&shop, poison).await;
        let (letters, running) = given_up(&shop, &broken.handler, 1).await;
        let letter = page(&letters).await.remove(0);
        broken.mend();
        let rows = shop.mongo("catalog").await.collection::<Document>("dead_letters");
        let row = rows.find_one(doc! {}).await.unwrap().unwrap();
        letters.retry(&letter.id).await.unwrap();
        // As if the process had died between the effect and the removal of the letter.
        rows.insert_one(row).await.unwrap();

        letters.retry(&letter.id).await.unwrap();

        assert_eq!(shop.remembered().await, [0]);
        assert!(page(&letters).await.is_empty());
        end(running).await;
    })
    .await;
}
