//! Lists of products in MongoDB: one page, how many there are in all, and what they could be narrowed to.

use std::time::Duration;

use bson::{Bson, Document, doc};
use futures::TryStreamExt as _;
use serde::Deserialize;
use shop_mongo::Error;
use shop_mongo::options::{CountOptions, FindOptions};
use shop_types::CategoryId;
use shop_types::id::MalformedId;

use super::Store;
use super::documents::AttributeDocument;
use super::products::read;
use crate::domain::facets::{self, MOST_COUNTED, MOST_TOLD};
use crate::domain::{Cursor, Facets, Listing, Mark, Search, Sort, Tree, search};

/// How long the server works on a list before it gives up: nobody waits longer.
const LONGEST: Duration = Duration::from_secs(2);

/// Where a page begins, for the database.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// So many before it.
    Skip(u64),
    After(Cursor),
}

impl Store {
    /// Up to `size` of the active products that match, from `start` on; whether others follow them; and how many match in
    /// all.
    pub(crate) async fn products(
        &self,
        search: &Search,
        start: Start,
        size: u32,
    ) -> Result<(Vec<Listing>, bool, u64), Error> {
        const WHAT: &str = "list products";
        let filter = filter_of(search);
        let (page_filter, skip) = match start {
            Start::Skip(skip) => (filter.clone(), skip),
            Start::After(cursor) => (doc! { "$and": [filter.clone(), after(&cursor)] }, 0),
        };
        let options = FindOptions::builder()
            .sort(sort_of(search.sort))
            .skip(skip)
            // One more than asked for tells whether there are more.
            .limit(i64::from(size) + 1)
            .max_time(LONGEST)
            .build();
        let (products, counted) = (self.product_collection(), self.product_collection());
        let page = self.mongo.run(WHAT, async move {
            products.find(page_filter).with_options(options).await?.try_collect::<Vec<_>>().await
        });
        let counting = CountOptions::builder().max_time(LONGEST).build();
        let total =
            self.mongo.run("count products", async move { shop_mongo::count(&counted, filter, counting).await });
        let (mut page, total) = futures::try_join!(page, total)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = page.len() > size;
        page.truncate(size);
        let page = page.into_iter().map(|stored| read(stored, WHAT)).collect::<Result<_, _>>()?;
        Ok((page, more, total))
    }

    /// What the active products that match could be narrowed to.
    pub(crate) async fn facets(&self, search: &Search) -> Result<Facets, Error> {
        const WHAT: &str = "count facets";
        let (products, pipeline) = (self.product_collection(), counting(filter_of(search)));
        let counted = self.mongo.run(WHAT, async move {
            let mut cursor = products.aggregate(pipeline).max_time(LONGEST).await?;
            cursor.try_next().await
        });
        let (counted, tree) = futures::try_join!(counted, Box::pin(self.tree()))?;
        let Some(counted) = counted else { return Ok(Facets::default()) };
        let counts: Counts = bson::deserialize_from_document(counted).map_err(|error| Error::corrupt(WHAT, error))?;
        counts.into_facets(&tree, &search.categories).map_err(|error| Error::corrupt(WHAT, error))
    }
}

#[derive(Debug, Deserialize)]
struct Counts {
    categories: Vec<Counted<String>>,
    attributes: Vec<Counted<AttributeDocument>>,
    all: Vec<Everything>,
}

#[derive(Debug, Deserialize)]
struct Counted<T> {
    #[serde(rename = "_id")]
    what: T,
    count: u32,
}

#[derive(Debug, Deserialize)]
struct Everything {
    least: i64,
    most: i64,
    in_stock: u32,
    count: u32,
}

impl Counts {
    fn into_facets(self, tree: &Tree, within: &[CategoryId]) -> Result<Facets, MalformedId> {
        let all = self.all.into_iter().next();
        let own = self.categories.into_iter().map(|one| Ok((one.what.parse()?, u64::from(one.count))));
        let own = own.collect::<Result<_, MalformedId>>()?;
        let attributes = self.attributes.into_iter().map(|one| (one.what.name, one.what.value, u64::from(one.count)));
        Ok(Facets {
            categories: facets::of_categories(own, tree, within),
            attributes: attributes.collect(),
            prices: all.as_ref().map(|all| (all.least, all.most)),
            in_stock: all.as_ref().map_or(0, |all| u64::from(all.in_stock)),
            exact: all.is_none_or(|all| all.count < MOST_COUNTED),
        })
    }
}

fn counting(filter: Document) -> Vec<Document> {
    let most = i64::try_from(MOST_TOLD).unwrap_or(i64::MAX);
    let available = doc! { "$gt": [{ "$max": "$variants.available" }, 0_i64] };
    vec![
        doc! { "$match": filter },
        doc! { "$limit": i64::from(MOST_COUNTED) },
        doc! { "$facet": {
            // All of them, which are a thousand at most: what is below them counts, too.
            "categories": [
                { "$match": { "category": { "$ne": Bson::Null } } },
                { "$group": { "_id": "$category", "count": { "$sum": 1 } } },
            ],
            "attributes": [
                { "$unwind": "$facets" },
                { "$group": { "_id": "$facets", "count": { "$sum": 1 } } },
                // Ties by name, so that the same catalog always gives the same answer.
                { "$sort": { "count": -1, "_id": 1 } },
                { "$limit": most },
            ],
            "all": [{ "$group": {
                "_id": Bson::Null,
                "least": { "$min": "$price" },
                "most": { "$max": "$price" },
                "in_stock": { "$sum": { "$cond": [available, 1, 0] } },
                "count": { "$sum": 1 },
            } }],
        } },
    ]
}

fn sort_of(sort: Sort) -> Document {
    match sort {
        Sort::Newest => doc! { "created_at": -1, "_id": -1 },
        Sort::Oldest => doc! { "created_at": 1, "_id": 1 },
        Sort::Cheapest => doc! { "price": 1, "_id": 1 },
        Sort::Dearest => doc! { "price": -1, "_id": -1 },
        Sort::Name => doc! { "name": 1, "_id": 1 },
        Sort::NameDescending => doc! { "name": -1, "_id": -1 },
    }
}

/// What comes after a product. The bound on the field alone is what the index can use; the rest tells equal ones apart.
fn after(cursor: &Cursor) -> Document {
    let (bound, beyond) = match cursor.sort {
        Sort::Newest | Sort::Dearest | Sort::NameDescending => ("$lte", "$lt"),
        Sort::Oldest | Sort::Cheapest | Sort::Name => ("$gte", "$gt"),
    };
    let (field, value) = match &cursor.mark {
        Mark::Created(time) => ("created_at", Bson::DateTime((*time).into())),
        Mark::Price(price) => ("price", Bson::Int64(*price)),
        Mark::Name(name) => ("name", Bson::String(name.clone())),
    };
    doc! {
        field: { bound: value.clone() },
        "$or": [{ field: { beyond: value } }, { "_id": { beyond: cursor.id.to_string() } }],
    }
}

fn filter_of(search: &Search) -> Document {
    let Search { words, categories, min_price, max_price, in_stock, attributes, sort: _ } = search;
    let mut filter = doc! { "status": "active" };
    if let Some(words) = words {
        // Each word as a phrase of its own: all of them must be there, and none is an operator. The index finds products
        // that have any of them as a word; that they have the others, too, the server tells by their text, where a part of a
        // longer word is enough. An expression for whole words would tell accents apart, which the index does not.
        let phrases: Vec<_> = search::terms(words).map(|word| format!("\"{word}\"")).collect();
        filter.insert("$text", doc! { "$search": phrases.join(" ") });
    }
    if !categories.is_empty() {
        let ids: Vec<_> = categories.iter().map(ToString::to_string).collect();
        filter.insert("category", doc! { "$in": ids });
    }
    if *in_stock {
        filter.insert("variants.available", doc! { "$gt": 0_i64 });
    }
    if !attributes.is_empty() {
        let wanted: Vec<_> = attributes.iter().map(|(name, value)| doc! { "name": name, "value": value }).collect();
        filter.insert("facets", doc! { "$all": wanted });
    }
    let mut price = Document::new();
    if let Some(least) = min_price {
        price.insert("$gte", *least);
    }
    if let Some(most) = max_price {
        price.insert("$lte", *most);
    }
    if !price.is_empty() {
        filter.insert("price", price);
    }
    filter
}
