//! Lists of products: pages, sorting, filters, search.

use serde_json::json;
use shop_testkit::TestShop;

use crate::given::{PRODUCTS, catalog, category, delete, path, product, read, sold, with};

async fn found(shop: &TestShop, query: &str) -> Vec<String> {
    let list = read(shop, &format!("{PRODUCTS}?{query}")).await;
    assert_eq!(list.status, 200, "{query} gave {}", list.body);
    list.names().into_iter().map(str::to_owned).collect()
}

/// Apple 3.00, Cherry 2.00, Banana 1.00, in this order.
async fn fruit() -> TestShop {
    let (shop, _) = catalog().await;
    for (name, cents) in [("Apple", 300), ("Cherry", 200), ("Banana", 100)] {
        sold(&shop, &product(name, cents)).await;
    }
    shop
}

#[tokio::test]
async fn lists_are_sorted_as_asked_and_newest_first_otherwise() {
    let shop = fruit().await;
    for (query, names) in [
        ("", ["Banana", "Cherry", "Apple"]),
        ("sort=-createdAt", ["Banana", "Cherry", "Apple"]),
        ("sort=createdAt", ["Apple", "Cherry", "Banana"]),
        ("sort=price", ["Banana", "Cherry", "Apple"]),
        ("sort=-price", ["Apple", "Cherry", "Banana"]),
        ("sort=name", ["Apple", "Banana", "Cherry"]),
        ("sort=-name", ["Cherry", "Banana", "Apple"]),
    ] {
        assert_eq!(found(&shop, query).await, names, "{query}");
    }
}

#[tokio::test]
async fn pages_are_complete_and_do_not_overlap() {
    let shop = fruit().await;
    for name in ["Date", "Elder"] {
        sold(&shop, &product(name, 100)).await;
    }
    let mut seen = Vec::new();
    for (number, size) in [(1, 2), (2, 2), (3, 1)] {
        let list = read(&shop, &format!("{PRODUCTS}?sort=price&page={number}&size=2")).await;
        let mut page = list.body["page"].clone();
        let next = page.as_object_mut().unwrap().remove("nextCursor");
        assert_eq!(next.is_some(), number < 3, "{}", list.body);
        assert_eq!(page, json!({ "number": number, "size": 2, "total": 5, "pages": 3 }));
        assert_eq!(list.names().len(), size);
        seen.extend(list.names().into_iter().map(str::to_owned));
    }
    assert_eq!(seen[3..], ["Cherry", "Apple"]);
    seen[..3].sort();
    assert_eq!(seen[..3], ["Banana", "Date", "Elder"], "equal prices are told apart by id");
    let beyond = read(&shop, &format!("{PRODUCTS}?page=4&size=2")).await;
    assert_eq!((beyond.status, beyond.names().len(), &beyond.body["page"]["total"]), (200, 0, &json!(5)));
}

#[tokio::test]
async fn filters_narrow_the_list_together() {
    let shop = fruit().await;
    let berries = category(&shop, "Berries", None).await;
    let empty = category(&shop, "Empty", None).await;
    for (name, cents) in [("Bilberry", 200), ("Cranberry", 300)] {
        sold(&shop, &with(product(name, cents), json!({ "categoryId": berries.id() }))).await;
    }
    let gone = sold(&shop, &product("Gone", 200)).await;
    delete(&shop, &path(PRODUCTS, &gone), gone.etag()).await;
    let (of_berries, of_empty) = (format!("category={}", berries.id()), format!("category={}", empty.id()));
    for (query, names) in [
        (of_berries.clone(), vec!["Cranberry", "Bilberry"]),
        (of_empty, vec![]),
        ("minPrice=200".into(), vec!["Cranberry", "Bilberry", "Cherry", "Apple"]),
        ("maxPrice=200&sort=name".into(), vec!["Banana", "Bilberry", "Cherry"]),
        ("minPrice=200&maxPrice=200&sort=name".into(), vec!["Bilberry", "Cherry"]),
        (format!("{of_berries}&maxPrice=200"), vec!["Bilberry"]),
        (format!("{of_berries}&search=cranberry&minPrice=300"), vec!["Cranberry"]),
        (format!("{of_berries}&search=apple"), vec![]),
    ] {
        assert_eq!(found(&shop, &query).await, names, "{query}");
    }
}

#[tokio::test]
async fn a_search_finds_all_its_words_in_any_case_and_takes_none_as_an_operator() {
    let (shop, _) = catalog().await;
    for (name, description) in [
        ("Blue mug", "Holds the tea"),
        ("Blue cup", "Für den Café au lait"),
        ("Red mug", "Well-made, 0.3 l"),
        ("Mug rug", "Not for drinking"),
    ] {
        sold(&shop, &with(product(name, 1), json!({ "description": description }))).await;
    }
    for (search, names) in [
        ("blue", vec!["Blue cup", "Blue mug"]),
        ("BLUE", vec!["Blue cup", "Blue mug"]),
        ("blue+mug", vec!["Blue mug"]),
        ("mug+blue", vec!["Blue mug"]),
        ("blue+tea", vec!["Blue mug"]),
        ("the", vec!["Blue mug"]),
        ("not", vec!["Mug rug"]),
        ("mug+-blue", vec!["Blue mug"]),
        ("-mug", vec!["Mug rug", "Red mug", "Blue mug"]),
        ("%22mug+blue%22", vec!["Blue mug"]),
        ("%22blue", vec!["Blue cup", "Blue mug"]),
        ("mug,", vec!["Mug rug", "Red mug", "Blue mug"]),
        ("cafe", vec!["Blue cup"]),
        ("well-made", vec!["Red mug"]),
        ("0.3", vec!["Red mug"]),
        ("%7B%22$gt%22:%22%22%7D", vec![]),
        (".*", vec![]),
        ("mug+saucer", vec![]),
    ] {
        if search == ".*" {
            let refused = read(&shop, &format!("{PRODUCTS}?search={search}")).await;
            assert_eq!((refused.status, refused.code(), refused.field()), (422, "invalid_parameter", "search"));
            continue;
        }
        assert_eq!(found(&shop, &format!("search={search}")).await, names, "{search}");
    }
}

#[tokio::test]
async fn of_several_words_one_stands_by_itself_and_the_others_may_be_part_of_longer_ones() {
    let (shop, _) = catalog().await;
    sold(&shop, &product("Party gallery", 1)).await;
    for (search, finds) in [
        ("party", true),
        ("art", false),
        ("art+gallery", true),
        ("art+gall", false),
        ("art+museum", false),
        ("party+gallery", true),
    ] {
        assert_eq!(!found(&shop, &format!("search={search}")).await.is_empty(), finds, "{search}");
    }
}

#[tokio::test]
async fn parameters_that_cannot_be_are_refused_by_name() {
    let shop = fruit().await;
    let long = format!("search={}", "x".repeat(65));
    for (query, code, field) in [
        ("page=0", "invalid_parameter", "page"),
        ("page=-1", "invalid_parameter", "page"),
        ("page=two", "invalid_parameter", "page"),
        ("page=4294967296", "invalid_parameter", "page"),
        ("page=4294967295", "invalid_parameter", "page"),
        ("page=102&size=100", "invalid_parameter", "page"),
        ("size=0", "invalid_parameter", "size"),
        ("size=101", "invalid_parameter", "size"),
        ("sort=stock", "invalid_parameter", "sort"),
        ("sort=$where", "invalid_parameter", "sort"),
        ("sort=", "invalid_parameter", "sort"),
        ("minPrice=-1", "invalid_parameter", "minPrice"),
        ("minPrice=1.5", "invalid_parameter", "minPrice"),
        ("maxPrice=9223372036854775808", "invalid_parameter", "maxPrice"),
        ("minPrice=2&maxPrice=1", "invalid_parameter", "minPrice"),
        ("minPrice=1&minPrice=2", "invalid_parameter", "minPrice"),
        ("category=mugs", "invalid_parameter", "category"),
        ("category[$ne]=x", "unknown_parameter", "category[$ne]"),
        ("inStock=yes", "invalid_parameter", "inStock"),
        ("cursor=", "invalid_parameter", "cursor"),
        ("cursor=price.2.x.1", "invalid_parameter", "cursor"),
        ("cursor=price.2.00000000-0000-0000-0000-000000000007.1&sort=name", "invalid_parameter", "cursor"),
        ("cursor=price.2.00000000-0000-0000-0000-000000000007.1&page=2", "invalid_parameter", "page"),
        ("attr.=x", "invalid_parameter", "attr"),
        ("attr.$where=x", "invalid_parameter", "attr"),
        ("attr.a=x&attr.a=y", "invalid_parameter", "attr.a"),
        ("attr.a=1&attr.b=1&attr.c=1&attr.d=1&attr.e=1&attr.f=1", "invalid_parameter", "attr"),
        ("attribute=x", "unknown_parameter", "attribute"),
        ("search=", "invalid_parameter", "search"),
        ("search=%00", "invalid_parameter", "search"),
        ("search=---", "invalid_parameter", "search"),
        (long.as_str(), "invalid_parameter", "search"),
        ("$where=1", "unknown_parameter", "$where"),
        ("limit=5", "unknown_parameter", "limit"),
    ] {
        let refused = read(&shop, &format!("{PRODUCTS}?{query}")).await;
        assert_eq!(
            (refused.status, refused.code(), refused.field()),
            (422, code, field),
            "{query} gave {}",
            refused.body
        );
        assert_eq!(refused.header("cache-control"), "no-store");
    }
    assert_eq!(read(&shop, &format!("{PRODUCTS}?page=101&size=100")).await.status, 200);
    assert_eq!(read(&shop, &format!("{PRODUCTS}?maxPrice=9223372036854775807")).await.names().len(), 3);
}
