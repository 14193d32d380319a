//! The databases of a shop, read as plain documents: from one snapshot of all of them, a page at a time, by id.
//!
//! What belongs here: connecting, snapshots, pages. Nothing here writes. What the documents mean stands in `record`.

use std::collections::{HashSet, VecDeque};

use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use shop_config::MongoConfig;
use shop_mongo::options::{DatabaseOptions, ReadConcern, SessionOptions};
use shop_mongo::{Bson, ClientSession, Collection, Database, Document, DriverError, Mongo, doc};
use shop_telemetry::metrics::Metrics;

use crate::Error;

/// Documents of one page: what fits into one answer of the server.
const PAGE: i64 = 500;

/// One collection of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) service: &'static str,
    pub(crate) collection: &'static str,
}

pub(crate) const ORDERS: Place = Place { service: "order", collection: "orders" };
pub(crate) const STOCK: Place = Place { service: "inventory", collection: "stock" };
pub(crate) const RESERVATIONS: Place = Place { service: "inventory", collection: "reservations" };
pub(crate) const MOVEMENTS: Place = Place { service: "inventory", collection: "movements" };
pub(crate) const PAYMENTS: Place = Place { service: "payment", collection: "payments" };

/// The services that tell of something.
pub(crate) const PRODUCERS: [&str; 6] = ["identity", "catalog", "inventory", "cart", "payment", "order"];
/// The services that listen.
pub(crate) const CONSUMERS: [&str; 6] = ["identity", "catalog", "inventory", "cart", "payment", "order"];

/// All that must be there before anything is judged.
fn required() -> Vec<Place> {
    let named = |collection| move |service: &'static str| Place { service, collection };
    let mut places = vec![ORDERS, STOCK, RESERVATIONS, MOVEMENTS, PAYMENTS];
    places.extend(PRODUCERS.map(named("outbox")));
    places.extend(CONSUMERS.map(named("inbox")));
    places.extend(CONSUMERS.map(named("dead_letters")));
    places
}

/// The databases of one shop.
#[derive(Debug)]
pub(crate) struct Databases {
    mongo: Mongo,
    prefix: String,
}

impl Databases {
    /// Prepares a client; MongoDB is asked later.
    pub(crate) async fn open(settings: &MongoConfig) -> Result<Self, Error> {
        let mongo = Mongo::connect("order", settings, &Metrics::new("order-check")).await?;
        Ok(Self { mongo, prefix: settings.database_prefix.clone() })
    }

    /// Whether every collection is there that is judged: a shop that has none would hold every invariant.
    pub(crate) async fn require(&self) -> Result<(), Error> {
        let mut known: Option<(&str, HashSet<String>)> = None;
        let mut places = required();
        places.sort_by_key(|place| place.service);
        for Place { service, collection } in places {
            if known.as_ref().is_none_or(|(of, _)| *of != service) {
                let database = self.database(service, ReadConcern::majority());
                let names = self.mongo.run("list collections", async move { database.list_collection_names().await });
                known = Some((service, names.await?.into_iter().collect()));
            }
            if known.as_ref().is_none_or(|(_, names)| !names.contains(collection)) {
                return Err(Error::Missing { database: self.name(service), collection });
            }
        }
        Ok(())
    }

    /// The clock of the database.
    pub(crate) async fn now(&self) -> Result<Timestamp, Error> {
        let database = self.database("order", ReadConcern::majority());
        let hello =
            self.mongo.run("ask the time", async move { database.run_command(doc! { "hello": 1 }).await }).await?;
        match hello.get("localTime") {
            Some(Bson::DateTime(now)) => Ok(now.to_jiff()),
            Some(_) | None => Err(Error::Id("the server's greeting")),
        }
    }

    /// Everything as it is at one moment, in all databases; without `still`, the moment is that of the first reading.
    pub(crate) async fn look(&self, still: bool) -> Result<Look, Error> {
        let options = SessionOptions::builder().snapshot(!still).build();
        let client = self.mongo.database().client().clone();
        let started =
            self.mongo.run("begin to look", async move { client.start_session().with_options(options).await });
        let concern = if still { ReadConcern::majority() } else { ReadConcern::snapshot() };
        let collections = Collections { mongo: self.mongo.clone(), prefix: self.prefix.clone(), concern };
        Ok(Look { collections, session: Some(started.await?) })
    }

    /// A collection, read as the majority has it.
    pub(crate) fn collection(&self, place: Place) -> Collection<Document> {
        self.database(place.service, ReadConcern::majority()).collection(place.collection)
    }

    pub(crate) fn mongo(&self) -> &Mongo {
        &self.mongo
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    fn name(&self, service: &str) -> String {
        format!("{}_{service}", self.prefix)
    }

    fn database(&self, service: &str, concern: ReadConcern) -> Database {
        let options = DatabaseOptions::builder().read_concern(concern).build();
        self.mongo.database().client().database_with_options(&self.name(service), options)
    }
}

struct Collections {
    mongo: Mongo,
    prefix: String,
    concern: ReadConcern,
}

impl Collections {
    fn get(&self, place: Place) -> Collection<Document> {
        let options = DatabaseOptions::builder().read_concern(self.concern.clone()).build();
        let name = format!("{}_{}", self.prefix, place.service);
        self.mongo.database().client().database_with_options(&name, options).collection(place.collection)
    }
}

/// One moment of the shop.
pub(crate) struct Look {
    collections: Collections,
    /// Taken while a reading is under way; gone after one has failed.
    session: Option<ClientSession>,
}

impl Look {
    /// Documents that match, by id, at most a page of them.
    pub(crate) async fn find(
        &mut self,
        place: Place,
        filter: Document,
        fields: &'static [&'static str],
    ) -> Result<Vec<Document>, Error> {
        let collection = self.collections.get(place);
        let projection: Document = fields.iter().map(|field| ((*field).to_owned(), Bson::from(1))).collect();
        self.ask(place.collection, move |session| {
            async move {
                let found = collection.find(filter).projection(projection).sort(doc! { "_id": 1 }).limit(PAGE);
                let mut found = found.batch_size(500).session(&mut *session).await?;
                found.stream(session).try_collect().await
            }
            .boxed()
        })
        .await
    }

    /// How many documents match.
    pub(crate) async fn count(&mut self, place: Place, filter: Document) -> Result<u64, Error> {
        let collection = self.collections.get(place);
        self.ask(place.collection, move |session| {
            async move { collection.count_documents(filter).session(session).await }.boxed()
        })
        .await
    }

    /// Hands the session to a task of its own, so that no reading is dropped half-way.
    async fn ask<T, Q>(&mut self, what: &'static str, question: Q) -> Result<T, Error>
    where
        T: Send + 'static,
        Q: for<'s> FnOnce(&'s mut ClientSession) -> BoxFuture<'s, Result<T, DriverError>> + Send + 'static,
    {
        let Some(mut session) = self.session.take() else { return Err(Error::TooSlow) };
        let asked = self.collections.mongo.run(what, async move {
            let answer = question(&mut session).await;
            answer.map(|answer| (session, answer))
        });
        let (session, answer) = asked.await.map_err(too_slow)?;
        self.session = Some(session);
        Ok(answer)
    }
}

/// The server forgets snapshots after a while.
fn too_slow(error: shop_mongo::Error) -> Error {
    let mut next = Some(&error as &dyn std::error::Error);
    while let Some(cause) = next {
        if cause.to_string().contains("SnapshotTooOld") {
            return Error::TooSlow;
        }
        next = cause.source();
    }
    Error::Database(error)
}

/// The documents of a collection in the order of their ids.
#[derive(Debug)]
pub(crate) struct Walk {
    place: Place,
    fields: &'static [&'static str],
    page: VecDeque<(String, Document)>,
    last: Option<String>,
    ended: bool,
}

impl Walk {
    pub(crate) fn over(place: Place, fields: &'static [&'static str]) -> Self {
        Self { place, fields, page: VecDeque::new(), last: None, ended: false }
    }

    /// Reads on when nothing is left of what was read.
    pub(crate) async fn fill(&mut self, look: &mut Look) -> Result<(), Error> {
        if self.ended || !self.page.is_empty() {
            return Ok(());
        }
        let filter = self.last.as_ref().map_or_else(Document::new, |last| doc! { "_id": { "$gt": last } });
        let found = look.find(self.place, filter, self.fields).await?;
        for document in found {
            let Ok(id) = document.get_str("_id").map(str::to_owned) else {
                return Err(Error::Id(self.place.collection));
            };
            self.page.push_back((id, document));
        }
        self.last = self.page.back().map(|(id, _)| id.clone());
        self.ended = self.page.is_empty();
        Ok(())
    }

    /// The id of the next document; asks what was filled.
    pub(crate) fn head(&self) -> Option<&str> {
        self.page.front().map(|(id, _)| id.as_str())
    }

    /// The next document.
    pub(crate) fn take(&mut self) -> Option<Document> {
        self.page.pop_front().map(|(_, document)| document)
    }

    /// The next document, read on where needed.
    pub(crate) async fn next(&mut self, look: &mut Look) -> Result<Option<Document>, Error> {
        self.fill(look).await?;
        Ok(self.take())
    }
}
