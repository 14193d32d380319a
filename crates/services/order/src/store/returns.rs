//! Returns as they are stored, and reading them.

use bson::{DateTime, doc};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use shop_mongo::{Collection, Document, Error, IndexModel, Setup, UpdateOp, options::IndexOptions};

use super::documents::{GuestDocument, Unreadable, owner_fields, read_owner};
use super::queries::{newest_first, within_longest};
use super::{RETURNS, Store, Viewer};
use crate::domain::{Return, ReturnId, ReturnReason, ReturnState};

/// A return.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ReturnDocument {
    #[serde(rename = "_id")]
    id: String,
    order: String,
    user: Option<String>,
    guest: Option<GuestDocument>,
    reason: String,
    state: String,
    version: i64,
    created_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided_at: Option<DateTime>,
}

pub(super) fn setup() -> Setup {
    // The backstop of the rule that one return of an order is open: its writer asks first.
    let open = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(doc! { "state": ReturnState::Requested.as_str() })
        .build();
    let states = ReturnState::ALL.map(ReturnState::as_str);
    let indexes = [
        IndexModel::builder().keys(doc! { "order": 1 }).options(open).build(),
        IndexModel::builder().keys(doc! { "order": 1, "created_at": 1 }).build(),
        IndexModel::builder().keys(doc! { "state": 1, "created_at": -1, "_id": -1 }).build(),
        IndexModel::builder().keys(doc! { "created_at": -1, "_id": -1 }).build(),
    ];
    Setup::new(RETURNS, indexes).validated(doc! { "$jsonSchema": {
        "required": ["_id", "order", "reason", "state", "version", "created_at"],
        "properties": {
            "state": { "enum": states.as_slice() },
            "version": { "bsonType": "long", "minimum": 1_i64 },
        },
    } })
}

impl Store {
    /// One return, if the viewer may see it.
    pub(crate) async fn found_return(&self, viewer: &Viewer, id: ReturnId) -> Result<Option<Return>, Error> {
        const WHAT: &str = "find return";
        let returns: Collection<ReturnDocument> = self.mongo.collection(RETURNS);
        let filter = viewer.narrow(doc! { "_id": id.to_string() });
        let found = self.mongo.run(WHAT, async move { returns.find_one(filter).await }).await?;
        found.map(|stored| stored.try_into().map_err(|error| Error::corrupt(WHAT, error))).transpose()
    }
}

impl Store {
    /// A page of all returns, or of those in a state, newest first, and how many there are.
    pub(crate) async fn returns(
        &self,
        state: Option<ReturnState>,
        number: u32,
        size: u32,
    ) -> Result<(Vec<Return>, u64), Error> {
        const WHAT: &str = "list returns";
        let filter = state.map_or_else(Document::new, |state| doc! { "state": state.as_str() });
        let (returns, counted): (Collection<ReturnDocument>, Collection<Document>) =
            (self.mongo.collection(RETURNS), self.mongo.collection(RETURNS));
        let (options, count_filter) = (newest_first(number, size), filter.clone());
        let page = self
            .mongo
            .run(WHAT, async move { returns.find(filter).with_options(options).await?.try_collect::<Vec<_>>().await });
        let total = self
            .mongo
            .run("count returns", async move { shop_mongo::count(&counted, count_filter, within_longest()).await });
        let (page, total) = futures::try_join!(page, total)?;
        let read = |stored: ReturnDocument| stored.try_into().map_err(|error| Error::corrupt(WHAT, error));
        Ok((page.into_iter().map(read).collect::<Result<_, _>>()?, total))
    }
}

/// A new return.
pub(super) fn insertion(what: &'static str, asked: &Return) -> Result<Document, Error> {
    let Return { id, order, owner, reason, state, version, created_at, decided_at } = asked;
    let (user, guest) = owner_fields(owner);
    let document = ReturnDocument {
        id: id.to_string(),
        order: order.to_string(),
        user,
        guest,
        reason: reason.as_str().to_owned(),
        state: state.as_str().to_owned(),
        version: *version,
        created_at: (*created_at).into(),
        decided_at: decided_at.map(DateTime::from),
    };
    bson::serialize_to_document(&document).map_err(|error| Error::corrupt(what, error))
}

/// What was decided or forgotten, under the version that was read.
pub(super) fn replacement(decided: &Return, stored_version: i64) -> UpdateOp {
    let set = doc! {
        "state": decided.state.as_str(),
        "reason": decided.reason.as_str(),
        "version": decided.version,
        "decided_at": decided.decided_at.map(DateTime::from),
    };
    UpdateOp::new(doc! { "_id": decided.id.to_string(), "version": stored_version }, doc! { "$set": set })
}

impl TryFrom<ReturnDocument> for Return {
    type Error = Unreadable;

    fn try_from(stored: ReturnDocument) -> Result<Self, Unreadable> {
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            order: stored.order.parse().map_err(|_| Unreadable("order"))?,
            owner: read_owner(stored.user, stored.guest)?,
            reason: ReturnReason::from_stored(stored.reason),
            state: ReturnState::from_word(&stored.state).ok_or(Unreadable("state"))?,
            version: stored.version,
            created_at: stored.created_at.to_jiff(),
            decided_at: stored.decided_at.map(DateTime::to_jiff),
        })
    }
}
