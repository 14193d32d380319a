//! Every promised call, made once: the table `calls.yaml` against a running shop, and the shop's own list of its calls
//! against the table. Then who may call what, tried for every call and every kind of caller.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod access;
mod faults;
mod given;
mod runner;
mod table;

use std::collections::BTreeSet;

use crate::given::{Call, Shop};
use crate::runner::Runner;

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_table_answers_as_promised_and_the_shop_has_no_others() {
    let shop = Shop::open().await;
    let rows = table::rows();
    let listed: BTreeSet<String> = rows.iter().map(|row| row.call.clone()).collect();
    let served: BTreeSet<String> = shop.calls().await.iter().map(Call::name).collect();
    let missing: Vec<_> = served.difference(&listed).collect();
    assert!(missing.is_empty(), "calls without a row in calls.yaml: {missing:#?}");
    let gone: Vec<_> = listed.difference(&served).collect();
    assert!(gone.is_empty(), "rows of calls that the shop does not have: {gone:#?}");

    let mut runner = Runner::new(shop.url(), shop.tokens());
    let mut broken = Vec::new();
    for row in &rows {
        if let Err(why) = runner.make(row).await {
            broken.push(format!("{} {}: {why}", row.id, row.call));
        }
    }
    assert!(broken.is_empty(), "{} of {} calls:\n{}", broken.len(), rows.len(), broken.join("\n"));
}
