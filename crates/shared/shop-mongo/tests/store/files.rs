//! Files in GridFS.

use shop_mongo::{Document, Part, doc};

use crate::database::with_store;

#[tokio::test]
async fn a_file_is_read_as_it_was_written_and_gone_when_it_is_deleted() {
    with_store(|store| async move {
        let files = store.mongo.files("pictures");
        assert_eq!(files.get("a").await.unwrap(), None);
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for (id, bytes) in [("a", large.clone()), ("b", b"small".to_vec()), ("c", Vec::new())] {
            files.put(id, bytes).await.unwrap();
        }
        assert_eq!(files.get("a").await.unwrap(), Some(large));
        assert_eq!(files.get("b").await.unwrap().as_deref(), Some(&b"small"[..]));
        assert_eq!(files.get("c").await.unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(store.count("pictures.chunks", doc! {}).await, 4, "a MiB each");
        files.delete(&["a".to_owned(), "never".to_owned()]).await.unwrap();
        assert_eq!(files.get("a").await.unwrap(), None);
        assert_eq!(store.count("pictures.chunks", doc! {}).await, 1);
    })
    .await;
}

#[tokio::test]
async fn ids_are_listed_in_order_also_those_of_chunks_without_a_file() {
    with_store(|store| async move {
        let files = store.mongo.files("pictures");
        for id in ["a", "b", "c", "d"] {
            files.put(id, vec![0; 1_100_000]).await.unwrap();
        }
        let named = store.mongo.collection::<Document>("pictures.files");
        named.delete_one(doc! { "_id": "b" }).await.unwrap();
        assert_eq!(files.ids_after(Part::Files, "", "d", 10).await.unwrap(), ["a", "c"]);
        assert_eq!(files.ids_after(Part::Chunks, "", "d", 10).await.unwrap(), ["a", "b", "c"]);
        assert_eq!(files.ids_after(Part::Chunks, "", "z", 3).await.unwrap(), ["a", "b"]);
        assert_eq!(files.ids_after(Part::Files, "a", "z", 1).await.unwrap(), ["c"]);
        files.delete(&["b".to_owned()]).await.unwrap();
        assert_eq!(files.ids_after(Part::Chunks, "a", "z", 10).await.unwrap(), ["c", "d"]);
    })
    .await;
}
