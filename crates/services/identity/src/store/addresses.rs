//! Addresses in MongoDB: one document for each person, so that their number and their default are decided in one write.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_mongo::idempotency::{self, Row, Start};
use shop_mongo::{Claim, Collection, Document, Error, IndexModel, Setup, UpdateOp, bson, doc};
use shop_types::UserId;

use super::documents::Unreadable;
use super::users::corrupt;
use super::{Store, USERS};
use crate::domain::address::{Address, AddressBook, Line, MOST, Place};

pub(super) const ADDRESSES: &str = "addresses";

#[derive(Debug, Serialize, Deserialize)]
struct BookDocument {
    /// The person.
    #[serde(rename = "_id")]
    id: String,
    version: i64,
    addresses: Vec<AddressDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AddressDocument {
    id: String,
    version: i64,
    default: bool,
    name: String,
    line1: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    country: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

pub(super) fn setup() -> Setup {
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    Setup::new(ADDRESSES, Vec::<IndexModel>::new()).validated(doc! { "$jsonSchema": {
        "required": ["_id", "version", "addresses"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "version": { "bsonType": "long", "minimum": 1_i64 },
            "addresses": { "bsonType": "array", "maxItems": most },
        },
    } })
}

impl Store {
    /// The addresses of a person.
    pub(crate) async fn address_book(&self, user: UserId) -> Result<AddressBook, Error> {
        const WHAT: &str = "find addresses";
        let books: Collection<BookDocument> = self.mongo.collection(ADDRESSES);
        let filter = doc! { "_id": user.to_string() };
        let found = self.mongo.run(WHAT, async move { books.find_one(filter).await }).await?;
        let Some(stored) = found else { return Ok(AddressBook::empty(user)) };
        let addresses = stored.addresses.into_iter().map(Address::try_from).collect::<Result<_, _>>();
        let addresses = addresses.map_err(|error| corrupt(WHAT, error))?;
        Ok(AddressBook { user, version: stored.version, addresses })
    }

    /// What is known of a request.
    pub(crate) async fn request(&self, claim: &Claim) -> Result<Option<Row>, Error> {
        idempotency::find(&self.mongo, claim.id()).await
    }

    /// Writes a book whose version before this change is still the stored one, and claims the key of the request; `false`
    /// when it is not, the key is claimed, or the account is gone. The account is written, too: whoever deletes it at the same
    /// time meets this write, and no address is left of somebody who is gone.
    pub(crate) async fn save_addresses(
        &self,
        book: &AddressBook,
        start: Option<Start>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const WHAT: &str = "save addresses";
        let document = bson::serialize_to_document(&BookDocument::from(book)).map_err(|error| corrupt(WHAT, error))?;
        let (before, start) = (book.version.saturating_sub(1), Arc::new(start));
        let owner = doc! { "_id": book.user.to_string() };
        let owner = UpdateOp::new(owner, doc! { "$set": { "addresses_at": bson::DateTime::from(now) } });
        let saved = self.mongo.transact(WHAT, move |txn| {
            let (document, owner, start) = (document.clone(), owner.clone(), Arc::clone(&start));
            Box::pin(async move {
                if txn.update_many_ops(USERS, vec![owner]).await?.matched == 0 {
                    return Ok(false);
                }
                if before == 0 {
                    txn.insert_many(ADDRESSES, vec![document]).await?;
                } else {
                    let mut set: Document = document;
                    let filter = doc! { "_id": set.remove("_id"), "version": before };
                    let updated = txn.update_many_ops(ADDRESSES, vec![UpdateOp::new(filter, doc! { "$set": set })]);
                    if updated.await?.matched == 0 {
                        return Ok(false);
                    }
                }
                if let Some(start) = &*start {
                    idempotency::insert(txn, std::slice::from_ref(start)).await?;
                }
                Ok(true)
            })
        });
        match saved.await {
            // Somebody else wrote the first address, or used the key.
            Err(error) if error.is_duplicate_of("_id_") => Ok(false),
            ended => ended,
        }
    }
}

impl From<&AddressBook> for BookDocument {
    fn from(book: &AddressBook) -> Self {
        let AddressBook { user, version, addresses } = book;
        let addresses = addresses.iter().map(AddressDocument::from).collect();
        Self { id: user.to_string(), version: *version, addresses }
    }
}

impl From<&Address> for AddressDocument {
    fn from(address: &Address) -> Self {
        let Address { id, version, is_default, place } = address;
        let Place { name, line1, line2, city, region, postal_code, country, phone } = place;
        let text = |line: &Line| line.as_str().to_owned();
        Self {
            id: id.to_string(),
            version: *version,
            default: *is_default,
            name: text(name),
            line1: text(line1),
            line2: line2.as_ref().map(text),
            city: text(city),
            region: region.as_ref().map(text),
            postal_code: postal_code.as_ref().map(text),
            country: country.as_str().to_owned(),
            phone: phone.as_ref().map(text),
        }
    }
}

impl TryFrom<AddressDocument> for Address {
    type Error = Unreadable;

    fn try_from(stored: AddressDocument) -> Result<Self, Unreadable> {
        let line = |text: String, field: &'static str| text.parse::<Line>().map_err(|_| Unreadable(field));
        let maybe = |text: Option<String>, field| text.map(|text| line(text, field)).transpose();
        let place = Place {
            name: line(stored.name, "name")?,
            line1: line(stored.line1, "line1")?,
            line2: maybe(stored.line2, "line2")?,
            city: line(stored.city, "city")?,
            region: maybe(stored.region, "region")?,
            postal_code: maybe(stored.postal_code, "postal_code")?,
            country: stored.country.parse().map_err(|_| Unreadable("country"))?,
            phone: maybe(stored.phone, "phone")?,
        };
        let id = stored.id.parse().map_err(|_| Unreadable("id"))?;
        Ok(Self { id, version: stored.version, is_default: stored.default, place })
    }
}
