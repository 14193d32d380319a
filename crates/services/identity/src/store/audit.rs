//! What was done to accounts, in MongoDB: written in the transaction of the change, never changed, never removed.

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_mongo::options::IndexOptions;
use shop_mongo::{Bson, Collection, Document, Error, IndexModel, Setup, doc};
use shop_types::{Role, UserId};

use super::documents::Unreadable;
use super::users::corrupt;
use super::{Store, pages};
use crate::domain::audit::{About, Action, Entry};

pub(super) const AUDIT: &str = "audit";

/// Which entries a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AuditFilter {
    /// Done to this account.
    pub(crate) user: Option<UserId>,
    /// Done by this one.
    pub(crate) actor: Option<UserId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AuditDocument {
    #[serde(rename = "_id")]
    id: String,
    at: DateTime,
    actor: String,
    user: String,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
}

pub(super) fn setup() -> Setup {
    let latest_first = |first: Option<&str>| {
        let mut keys: Document = first.map(|field| (field.to_owned(), Bson::Int32(1))).into_iter().collect();
        keys.extend(doc! { "at": -1, "_id": -1 });
        IndexModel::builder().keys(keys).options(IndexOptions::default()).build()
    };
    Setup::new(AUDIT, [latest_first(None), latest_first(Some("user")), latest_first(Some("actor"))]).validated(
        doc! { "$jsonSchema": {
            "required": ["_id", "at", "actor", "user", "action"],
            "properties": {
                "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
                "at": { "bsonType": "date" },
                "actor": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
                "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
                "action": { "bsonType": "string" },
            },
        } },
    )
}

/// An entry as it is stored.
pub(super) fn document(what: &'static str, entry: &Entry) -> Result<Document, Error> {
    let Entry { id, at, actor, user, action } = entry;
    let About { roles, order } = action.about();
    let (from, to) = roles.unzip();
    let document = AuditDocument {
        id: id.to_string(),
        at: (*at).into(),
        actor: actor.to_string(),
        user: user.to_string(),
        action: action.word().to_owned(),
        from,
        to,
        order: order.map(|order| order.to_string()),
    };
    bson::serialize_to_document(&document).map_err(|error| corrupt(what, error))
}

impl Store {
    /// A page of what was done, the latest first, and how much there is.
    pub(crate) async fn audit_page(
        &self,
        filter: AuditFilter,
        number: u32,
        size: u32,
    ) -> Result<(Vec<Entry>, u64), Error> {
        const WHAT: &str = "list audit";
        let fields = [("user", filter.user), ("actor", filter.actor)];
        let filter = fields.into_iter().filter_map(|(field, id)| Some((field.to_owned(), id?.to_string().into())));
        let entries: Collection<AuditDocument> = self.mongo.collection(AUDIT);
        let latest_first = pages::options(doc! { "at": -1, "_id": -1 }, number, size);
        let (found, total) = self.page(WHAT, entries, filter.collect(), latest_first).await?;
        let read = |stored: AuditDocument| stored.try_into().map_err(|error: Unreadable| corrupt(WHAT, error));
        Ok((found.into_iter().map(read).collect::<Result<_, _>>()?, total))
    }
}

impl TryFrom<AuditDocument> for Entry {
    type Error = Unreadable;

    fn try_from(stored: AuditDocument) -> Result<Self, Unreadable> {
        let order = stored.order.map(|order| order.parse()).transpose().map_err(|_| Unreadable("order"))?;
        let about = About { roles: stored.from.zip(stored.to), order };
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            at: stored.at.to_jiff(),
            actor: stored.actor.parse().map_err(|_| Unreadable("actor"))?,
            user: stored.user.parse().map_err(|_| Unreadable("user"))?,
            action: Action::from_stored(&stored.action, about).ok_or(Unreadable("action"))?,
        })
    }
}
