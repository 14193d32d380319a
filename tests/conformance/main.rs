//! Every promised call, made once against all services in one process (`tests::calls`; tests/e2e makes them through NGINX), and
//! who may call what, tried for every call and every kind of caller.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod access;
mod faults;
mod given;

use tests::calls::broken_promises;

use crate::given::{ADMIN_EMAIL, ADMIN_PASSWORD, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_table_answers_as_promised_and_the_shop_has_no_others() {
    let shop = Shop::open().await;
    let mut given = shop.tokens();
    given.insert("bossEmail".to_owned(), ADMIN_EMAIL.to_owned());
    given.insert("bossPassword".to_owned(), ADMIN_PASSWORD.to_owned());
    let broken = broken_promises(&shop.url(), given).await;
    assert!(broken.is_empty(), "{} promises:\n{}", broken.len(), broken.join("\n"));
}
