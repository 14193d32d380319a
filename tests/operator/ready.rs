//! A Shop is ready when it says so itself, and is not asked again after that.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DeleteParams;
use operator::ask::Answer;
use tests::wait::until;

use crate::place::{Place, shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_ready_once_it_answers_and_stays_so_when_it_does_not() {
    let place = Place::new().await;
    place.answers.say(Answer::Unwell("/health answered 503: cart is DOWN".to_owned()));
    let operator = place.operator().await;
    place.apply(&shop()).await;

    let ingress = place.condition("IngressReady", "False", "NotAnswering").await;
    assert!(ingress.message.ends_with("cart is DOWN"), "{}", ingress.message);
    place.condition("Ready", "False", "NotAnswering").await;
    let asked = place.answers.asked();
    until("it is asked again", || async { place.answers.asked() }, |now| *now > asked).await;

    place.answers.say(Answer::Well);
    place.ready().await;

    place.answers.say(Answer::Unwell("silence".to_owned()));
    let asked = place.answers.asked();
    let maps = place.api::<ConfigMap>();
    maps.delete("demo-keys", &DeleteParams::default()).await.unwrap();
    until("a round was made", || async { maps.get_opt("demo-keys").await.unwrap() }, Option::is_some).await;
    place.ready().await;
    assert_eq!(place.answers.asked(), asked, "a ready Shop is not asked");
    operator.stop().await;
}
