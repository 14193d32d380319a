//! A Shop that is as declared costs no writes.

use std::time::Duration;

use crate::place::{Place, shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_as_declared_is_not_written_for_a_minute() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(5)).await;
    operator.writes();
    let before = place.versions().await;
    let asked = place.answers.asked();

    tokio::time::sleep(Duration::from_mins(1)).await;

    assert_eq!(operator.writes(), Vec::<String>::new());
    assert_eq!(place.versions().await, before);
    assert_eq!(place.answers.asked(), asked, "a ready Shop is not asked");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_starts_again_writes_nothing_when_all_is_as_declared() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(5)).await;
    operator.stop().await;
    let before = place.versions().await;

    let mut operator = place.operator().await;
    operator.quiet(Duration::from_secs(10)).await;

    assert_eq!(operator.writes(), Vec::<String>::new());
    assert_eq!(place.versions().await, before);
    operator.stop().await;
}
