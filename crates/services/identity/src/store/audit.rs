//! The audit log in MongoDB. What was done to accounts is written in the transaction of the change and never changed. Calls of
//! staff and programs come by events, of which either may be first: each writes the whole call under its id, and the one that
//! knows the status sets it. Nothing is ever removed.

use std::sync::Arc;

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_mongo::options::IndexOptions;
use shop_mongo::{Bson, Collection, Document, Error, IndexModel, Setup, UpdateOp, doc, inbox};
use shop_types::{EventId, Role, StaffCall, UserId};

use super::documents::Unreadable;
use super::users::corrupt;
use super::{GROUP, Store, pages};
use crate::domain::audit::{About, Action, CALL, Entry, Line, Word};

pub(super) const AUDIT: &str = "audit";

/// Which entries a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AuditFilter {
    /// Done to this account.
    pub(crate) user: Option<UserId>,
    /// Done by this one.
    pub(crate) actor: Option<UserId>,
    /// With this word.
    pub(crate) action: Option<Word>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AuditDocument {
    #[serde(rename = "_id")]
    id: String,
    at: DateTime,
    actor: String,
    /// Whose account it was; none for a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<CallDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CallDocument {
    service: String,
    role: Role,
    method: String,
    route: String,
    path: String,
    request: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

pub(super) fn setup() -> Setup {
    let latest_first = |first: Option<&str>| {
        let mut keys: Document = first.map(|field| (field.to_owned(), Bson::Int32(1))).into_iter().collect();
        keys.extend(doc! { "at": -1, "_id": -1 });
        IndexModel::builder().keys(keys).options(IndexOptions::default()).build()
    };
    let indexes = [None, Some("user"), Some("actor"), Some("action")].map(latest_first);
    Setup::new(AUDIT, indexes).validated(doc! { "$jsonSchema": {
        "required": ["_id", "at", "actor", "action"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "at": { "bsonType": "date" },
            "actor": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "action": { "bsonType": "string" },
            "call": { "bsonType": "object", "required": ["service", "role", "method", "route", "path", "request"] },
        },
        "anyOf": [{ "required": ["user"] }, { "required": ["call"] }],
    } })
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
        user: Some(user.to_string()),
        action: action.word().to_owned(),
        from,
        to,
        order: order.map(|order| order.to_string()),
        call: None,
    };
    bson::serialize_to_document(&document).map_err(|error| corrupt(what, error))
}

/// What an event says about a call. Nothing of it changes what another has said.
fn told(call: &StaffCall) -> UpdateOp {
    let StaffCall { id, at, service, actor, role, method, route, path, request_id, status } = call;
    let first = doc! {
        "at": DateTime::from(*at),
        "actor": actor.to_string(),
        "action": CALL,
        "call.service": service,
        "call.role": role.as_str(),
        "call.method": method,
        "call.route": route,
        "call.path": path,
        "call.request": request_id,
    };
    let mut change = doc! { "$setOnInsert": first };
    if let Some(status) = status {
        change.insert("$set", doc! { "call.status": i32::from(*status) });
    }
    UpdateOp::new(doc! { "_id": id.to_string() }, change).upsert()
}

impl Store {
    /// Writes calls down, as events tell of them, each event once.
    pub(crate) async fn write_calls(&self, told_by: Vec<(EventId, StaffCall)>) -> Result<(), Error> {
        let shared = Arc::new(told_by);
        let written = self.mongo.transact("write calls", move |txn| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let events: Vec<EventId> = shared.iter().map(|(event, _)| *event).collect();
                let seen = inbox::claim(txn, GROUP, &events).await?;
                let new = shared.iter().filter(|(event, _)| !seen.contains(event));
                txn.update_many_ops(AUDIT, new.map(|(_, call)| told(call)).collect()).await.map(drop)
            })
        });
        written.await
    }

    /// A page of what was done, the latest first, and how much there is.
    pub(crate) async fn audit_page(
        &self,
        filter: AuditFilter,
        number: u32,
        size: u32,
    ) -> Result<(Vec<Line>, u64), Error> {
        const WHAT: &str = "list audit";
        let AuditFilter { user, actor, action } = filter;
        let fields = [
            ("user", user.map(|id| id.to_string())),
            ("actor", actor.map(|id| id.to_string())),
            ("action", action.map(|Word(word)| word.to_owned())),
        ];
        let filter = fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?.into())));
        let entries: Collection<AuditDocument> = self.mongo.collection(AUDIT);
        let latest_first = pages::options(doc! { "at": -1, "_id": -1 }, number, size);
        let (found, total) = self.page(WHAT, entries, filter.collect(), latest_first).await?;
        let read = |stored: AuditDocument| stored.try_into().map_err(|error: Unreadable| corrupt(WHAT, error));
        Ok((found.into_iter().map(read).collect::<Result<_, _>>()?, total))
    }
}

impl TryFrom<AuditDocument> for Line {
    type Error = Unreadable;

    fn try_from(stored: AuditDocument) -> Result<Self, Unreadable> {
        let AuditDocument { id, at, actor, user, action, from, to, order, call } = stored;
        let (at, actor) = (at.to_jiff(), actor.parse().map_err(|_| Unreadable("actor"))?);
        if let Some(CallDocument { service, role, method, route, path, request, status }) = call {
            let id = id.parse().map_err(|_| Unreadable("_id"))?;
            return Ok(Self::Call(StaffCall {
                id,
                at,
                service,
                actor,
                role,
                method,
                route,
                path,
                request_id: request,
                status,
            }));
        }
        let order = order.map(|order| order.parse()).transpose().map_err(|_| Unreadable("order"))?;
        let about = About { roles: from.zip(to), order };
        Ok(Self::Entry(Entry {
            id: id.parse().map_err(|_| Unreadable("_id"))?,
            at,
            actor,
            user: user.and_then(|user| user.parse().ok()).ok_or(Unreadable("user"))?,
            action: Action::from_stored(&action, about).ok_or(Unreadable("action"))?,
        }))
    }
}
