//! Exporting products as rows that can be imported: page by page, so that the whole is never held in memory.

use std::sync::Arc;

use bytes::Bytes;
use csv::Writer;
use futures::Stream;
use futures::stream::try_unfold;
use shop_types::ProductId;

use super::row::RowBody;
use super::{App, cells};
use crate::domain::Product;
use crate::domain::import::Format;

/// Products of one page.
const PAGE: u32 = 200;

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// The next page cannot be read.
    #[error("products cannot be read")]
    Store(#[from] shop_mongo::Error),
    /// A row cannot be written: a defect.
    #[error("a row cannot be written as CSV")]
    Csv(#[from] csv::Error),
    /// A row cannot be written: a defect.
    #[error("a row cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A page of rows cannot be put together: a defect.
    #[error("rows cannot be put together")]
    Flush(#[from] std::io::Error),
}

/// Where the next page begins.
enum Place {
    Beginning,
    After(ProductId),
    End,
}

impl App {
    /// All products for sale as rows, by id. Each page shows the products as they are when it is asked for.
    pub(crate) fn export(self: Arc<Self>, format: Format) -> impl Stream<Item = Result<Bytes, ExportError>> {
        try_unfold((self, Place::Beginning), move |(app, place)| async move {
            let after = match place {
                Place::Beginning => None,
                Place::After(id) => Some(id),
                Place::End => return Ok(None),
            };
            let products = app.store.products_after(after, PAGE).await?;
            let next = match products.last() {
                Some(last) if products.len() >= PAGE as usize => Place::After(last.id),
                Some(_) | None => Place::End,
            };
            let page = match format {
                Format::Csv => csv_page(after.is_none(), products)?,
                Format::Ndjson => json_page(products)?,
            };
            Ok(Some((Bytes::from(page), (app, next))))
        })
    }
}

fn csv_page(first: bool, products: Vec<Product>) -> Result<Vec<u8>, ExportError> {
    let mut writer = Writer::from_writer(Vec::new());
    if first {
        cells::write_header(&mut writer)?;
    }
    for product in products {
        cells::write(&mut writer, &RowBody::from(product))?;
    }
    writer.into_inner().map_err(|error| ExportError::Flush(error.into_error()))
}

fn json_page(products: Vec<Product>) -> Result<Vec<u8>, ExportError> {
    let mut page = Vec::new();
    for product in products {
        serde_json::to_writer(&mut page, &RowBody::from(product))?;
        page.push(b'\n');
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use shop_types::{CategoryId, Money, Sku};
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;
    use crate::app::imports::reader::{Piece, read};
    use crate::domain::{NewProduct, NewVariant, VariantChange};

    /// A text of so many characters that is as long as a line of a file can make it.
    fn long(characters: usize) -> String {
        "\u{10348}".repeat(characters)
    }

    fn values(n: usize) -> BTreeMap<String, String> {
        (0..20).map(|m| (format!("{n:0>20}{m:0>20}"), long(100))).collect()
    }

    fn sku(n: usize) -> Sku {
        format!("{n:->64}").parse().unwrap()
    }

    /// A product of which everything is as large as the rules let it be.
    fn largest() -> Product {
        let (eur, id) = ("EUR".parse().unwrap(), ProductId::from_uuid(Uuid::from_u128(1)));
        let price = Money::new(1_000_000_000_000, eur);
        let variant = |n| NewVariant { sku: sku(n), name: Some(long(200)), options: values(n), price };
        let new = NewProduct {
            name: long(200),
            slug: Some("s".repeat(80)),
            description: Some(long(10_000)),
            category: Some(CategoryId::from_uuid(Uuid::from_u128(2))),
            category_name: None,
            attributes: values(0),
            price,
            sku: Some(sku(0)),
            variants: (1..100).map(variant).collect(),
            stock: None,
        };
        let named = VariantChange { name: Some(Some(long(200))), options: Some(values(0)), price: None };
        let product = Product::create(id, new, eur, Timestamp::UNIX_EPOCH).unwrap();
        product.change_variant(&sku(0), named, eur, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn the_largest_product_is_exported_as_a_row_that_can_be_imported() {
        for (format, page) in
            [(Format::Csv, csv_page(true, vec![largest()])), (Format::Ndjson, json_page(vec![largest()]))]
        {
            let file = page.unwrap();
            let (out, mut pieces) = mpsc::channel(10);
            read(format, file.as_slice(), 0, &out);
            let first = pieces.try_recv().unwrap();
            let Piece::Row { row: Ok(row), .. } = first else { panic!("{} bytes gave {first:?}", file.len()) };
            assert_eq!((row.name.as_deref(), row.variants.len()), (Some(largest().name.as_str()), 100), "{format:?}");
        }
    }
}
