//! Counting for lists.

use shop_mongo::options::{Collation, CountOptions};
use shop_mongo::{Document, count, count_up_to, doc};

use crate::database::with_store;

#[tokio::test]
async fn what_matches_is_counted_as_far_as_is_wanted_and_all_there_is_by_the_collection() {
    with_store(|store| async move {
        let lists = store.mongo.collection::<Document>("lists");
        let documents: Vec<_> = (0..7_i64).map(|n| doc! { "kind": if n < 5 { "order" } else { "Order" } }).collect();
        lists.insert_many(documents).await.unwrap();
        let counted = async |most, filter: Document, options: CountOptions| {
            count_up_to(most, &lists, filter, options).await.unwrap()
        };
        let orders = doc! { "kind": "order" };

        assert_eq!(count(&lists, orders.clone(), CountOptions::default()).await.unwrap(), 5);
        assert_eq!(counted(5, orders.clone(), CountOptions::default()).await, 5);
        assert_eq!(counted(3, orders.clone(), CountOptions::default()).await, 3, "at least");
        assert_eq!(counted(3, doc! {}, CountOptions::default()).await, 7, "nothing is read for that");
        let either = CountOptions::builder()
            .collation(
                Collation::builder().locale("en").strength(shop_mongo::options::CollationStrength::Secondary).build(),
            )
            .limit(2)
            .build();
        assert_eq!(counted(6, orders, either).await, 6);
    })
    .await;
}
