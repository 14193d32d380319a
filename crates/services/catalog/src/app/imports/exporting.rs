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
