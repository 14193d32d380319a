//! More is wanted than there is.

use futures::future::join_all;
use reqwest::StatusCode;

use crate::given::{Shop, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_sold_and_no_money_is_held() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 1).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 2).await;

    let refused = ada.order(&cart, "tok_visa", "try").await;

    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(refused.body["code"], "sold_out");
    assert_eq!(ada.look(&order_of(&refused)).await["status"], "rejected");
    shop.stock("mug", (1, 0, 0)).await;
    assert_eq!(shop.ledger().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_the_last_pieces_as_many_get_one_as_there_are() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 3).await;
    let people: Vec<_> = (0..8).map(|_| shop.customer()).collect();
    let buy = |number: usize| {
        let person = &people[number];
        async move {
            let cart = person.cart("mug", 1).await;
            person.order(&cart, "tok_visa", "last").await
        }
    };

    let answers = join_all((0..people.len()).map(buy)).await;

    let mut paid = 0;
    for (person, answer) in people.iter().zip(&answers) {
        match answer.status {
            StatusCode::CREATED | StatusCode::ACCEPTED => {
                person.status(&order_of(answer), "paid").await;
                paid += 1;
            }
            StatusCode::CONFLICT => assert_eq!(answer.body["code"], "sold_out", "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(paid, 3, "{answers:#?}");
    shop.stock("mug", (0, 0, 3)).await;
    let taken = shop.ledger().await.into_iter().filter(|(kind, _)| kind == "captured").count();
    assert_eq!(taken, 3);
}
