//! Rows on products.

use uuid::Uuid;

use super::*;

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id(n: u128) -> ProductId {
    ProductId::from_uuid(Uuid::from_u128(n))
}

fn row(sku: &str) -> Row {
    Row { sku: Some(sku.parse().unwrap()), ..Row::default() }
}

fn whole(sku: &str, name: &str, cents: i64) -> Row {
    Row { slug: Some(sku.to_owned()), name: Some(name.to_owned()), price: Some(Money::new(cents, eur())), ..row(sku) }
}

fn variant(sku: &str, cents: i64) -> RowVariant {
    let options = BTreeMap::from([("size".to_owned(), "l".to_owned())]);
    let said = VariantChange { name: None, options: Some(options), price: Some(Money::new(cents, eur())) };
    RowVariant { sku: sku.parse().unwrap(), said }
}

/// Settles rows, numbered from 1, on what is stored.
fn settled(stored: &[Product], rows: impl IntoIterator<Item = Row>) -> Settled {
    let numbered = |(n, row): (u64, Row)| Numbered { number: n, id: id(100 + u128::from(n)), row: Ok(row) };
    let rows: Vec<_> = (1..).zip(rows).map(numbered).collect();
    settle(stored.to_vec(), HashSet::from([CategoryId::from_uuid(Uuid::from_u128(1))]), &rows, eur(), at(9))
}

fn counts(settled: &Settled) -> [u64; 4] {
    let Tally { created, changed, unchanged, failed, faults: _ } = &settled.tally;
    [*created, *changed, *unchanged, *failed]
}

fn only_fault(settled: &Settled) -> (u64, &str, &str) {
    let [fault] = settled.tally.faults.as_slice() else { panic!("{:?}", settled.tally) };
    (fault.row, fault.field.as_str(), fault.code.as_str())
}

fn mug() -> Product {
    Product { id: id(1), ..settled(&[], [whole("mug", "Mug", 500)]).created.remove(0) }
}

#[test]
fn a_row_makes_a_product_once_and_changes_it_afterwards() {
    let first = settled(&[], [whole("mug", "Mug", 500)]);
    assert_eq!(counts(&first), [1, 0, 0, 0]);
    assert_eq!((first.created[0].id, first.created[0].version), (id(101), 1));
    let again = settled(&first.created, [whole("mug", "Mug", 500)]);
    assert_eq!((counts(&again), again.created.len(), again.changed.len()), ([0, 0, 1, 0], 0, 0));
    let changed = settled(&first.created, [Row { price: Some(Money::new(600, eur())), ..row("mug") }]);
    assert_eq!(counts(&changed), [0, 1, 0, 0]);
    let Changed { before, after } = &changed.changed[0];
    assert_eq!((before.version, after.version, after.updated_at), (1, 2, at(9)));
    assert_eq!((after.name.as_str(), after.variants[0].price.amount), ("Mug", 600));
}

#[test]
fn a_row_sees_what_those_before_it_have_made() {
    let rows = [whole("mug", "Mug", 500), whole("mug", "Jug", 500), whole("mug", "Jug", 500)];
    let settled = settled(&[], rows);
    assert_eq!(counts(&settled), [1, 1, 1, 0]);
    assert_eq!((settled.created.len(), settled.changed.len()), (1, 0));
    assert_eq!(settled.created[0].name, "Jug");
}

#[test]
fn a_slug_names_a_product_as_its_sku_does_but_not_another_one() {
    let (mug, cup) = (mug(), settled(&[mug()], [whole("cup", "Cup", 300)]).created.remove(0));
    let cup = Product { id: id(2), ..cup };
    let stored = [mug, cup];
    let by_slug = Row { slug: Some("mug".to_owned()), name: Some("Jug".to_owned()), ..Row::default() };
    assert_eq!(settled(&stored, [by_slug]).changed[0].after.name, "Jug");
    for (sku, slug, field) in [("mug", "cup", "slug"), ("mug", "new", "slug"), ("new", "mug", "sku")] {
        let refused = settled(&stored, [Row { slug: Some(slug.to_owned()), ..whole(sku, "X", 1) }]);
        assert_eq!(only_fault(&refused), (1, field, "invalid_field"), "{sku} {slug}");
    }
    assert_eq!(only_fault(&settled(&stored, [Row::default()])), (1, "sku", "invalid_field"));
}

#[test]
fn variants_are_added_and_changed_and_others_stay() {
    let with = |variants: Vec<RowVariant>| Row { variants, ..row("mug") };
    let large = settled(&[mug()], [with(vec![variant("mug-l", 700), variant("mug", 550)])]);
    let large = large.changed[0].after.clone();
    let told: Vec<_> = large.variants.iter().map(|one| (one.sku.as_str(), one.price.amount)).collect();
    assert_eq!((told, large.version), (vec![("mug", 550), ("mug-l", 700)], 2));
    let more = settled(std::slice::from_ref(&large), [with(vec![variant("mug-xl", 900)])]);
    assert_eq!(more.changed[0].after.variants.len(), 3);
    assert_eq!(counts(&settled(std::slice::from_ref(&large), [with(vec![variant("mug-l", 700)])])), [0, 0, 1, 0]);

    let taken =
        settled(std::slice::from_ref(&large), [Row { variants: vec![variant("mug-l", 1)], ..whole("cup", "Cup", 1) }]);
    assert_eq!(only_fault(&taken), (1, "variants[0].sku", "sku_taken"));
    assert_eq!(only_fault(&settled(&[large], [whole("mug-l", "Large", 1)])), (1, "sku", "sku_taken"));
    let dear = settled(&[mug()], [with(vec![variant("mug-l", 1), variant("mug-m", -1)])]);
    assert_eq!(only_fault(&dear), (1, "variants[1].price.amount", "invalid_field"));
    let many = (0..100).map(|n| variant(&format!("v{n}"), 1)).collect();
    assert_eq!(only_fault(&settled(&[mug()], [with(many)])), (1, "variants[99]", "too_many_variants"));
}

#[test]
fn what_a_row_does_not_say_of_a_variant_stays_as_it_is() {
    let row_of = |said| Row { variants: vec![RowVariant { sku: "mug-l".parse().unwrap(), said }], ..row("mug") };
    let after = |product: &Product, said| {
        let settled = settled(std::slice::from_ref(product), [row_of(said)]);
        settled.changed.into_iter().next().map(|changed| changed.after)
    };
    let price = |cents| VariantChange { price: Some(Money::new(cents, eur())), ..VariantChange::default() };
    let bare = after(&mug(), price(700)).unwrap();
    assert_eq!((&bare.variants[1].name, bare.variants[1].options.iter().next()), (&None, None));
    let options = BTreeMap::from([("size".to_owned(), "l".to_owned())]);
    let named = VariantChange { name: Some(Some("L".to_owned())), options: Some(options), price: None };
    let named = after(&bare, named).unwrap();
    let mut dearer = named.clone();
    dearer.variants[1].price = Money::new(800, eur());
    dearer.version += 1;
    assert_eq!(after(&named, price(800)), Some(dearer));
    assert_eq!(after(&named, VariantChange::default()), None);
    let refused = settled(&[mug()], [row_of(VariantChange::default())]);
    assert_eq!(only_fault(&refused), (1, "variants[0].price", "invalid_field"));
}

#[test]
fn rules_of_products_hold_for_rows() {
    let category = |n| Row { category: Some(Some(CategoryId::from_uuid(Uuid::from_u128(n)))), ..row("mug") };
    assert_eq!(counts(&settled(&[mug()], [category(1)])), [0, 1, 0, 0]);
    assert_eq!(only_fault(&settled(&[mug()], [category(2)])), (1, "categoryId", "invalid_field"));
    assert_eq!(only_fault(&settled(&[], [row("mug")])), (1, "name", "invalid_field"));
    assert_eq!(
        only_fault(&settled(&[], [Row { price: None, ..whole("mug", "Mug", 1) }])),
        (1, "price", "invalid_field")
    );
    assert_eq!(only_fault(&settled(&[mug()], [Row { name: Some(" ".into()), ..row("mug") }])).1, "name");
    let archived = mug().archive(at(1)).unwrap();
    assert_eq!(only_fault(&settled(&[archived], [row("mug")])), (1, "", "product_archived"));
    let draft = Product { status: Status::Draft, ..mug() };
    assert_eq!(only_fault(&settled(&[draft], [row("mug")])), (1, "sku", "sku_taken"));
}

#[test]
fn a_row_that_fails_changes_nothing_and_stands_in_nobodys_way() {
    let rows = [whole("mug", "", 500), whole("cup", "Cup", 300), whole("mug", "Mug", 500)];
    let settled = settled(&[], rows);
    assert_eq!((counts(&settled), only_fault(&settled).0), ([2, 0, 0, 1], 1));
}

#[test]
fn the_faults_that_are_kept_are_the_first_hundred() {
    let settled = settled(&[], (0..150).map(|_| Row::default()));
    assert_eq!((settled.tally.failed, settled.tally.faults.len()), (150, MOST_FAULTS));
    assert_eq!(settled.tally.faults[99].row, 100);
}
