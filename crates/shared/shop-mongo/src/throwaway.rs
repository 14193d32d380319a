//! For tests alone: databases that are thrown away afterwards, and what was asked of them meanwhile that grows with the data.

use futures::TryStreamExt;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use shop_config::MongoConfig;

use crate::{Document, DriverError, Error, doc};

/// Has the server write down what pods of these services, whose names begin with `pod`, ask of their databases without an
/// index.
///
/// # Errors
/// As [`Error`] says.
pub async fn watch_plans(settings: &MongoConfig, services: &[&str], pod: &str) -> Result<(), Error> {
    let watch = async {
        let client = connect(settings).await?;
        let from = doc! { "appName": { "$regex": format!("^shopmesh-[a-z]+/{pod}") } };
        let filter = doc! { "$and": [from, without_index()] };
        for service in services {
            let profile = doc! { "profile": 1, "filter": filter.clone() };
            database(&client, settings, service).run_command(profile).await?;
        }
        client.shutdown().await;
        Ok::<(), DriverError>(())
    };
    watch.await.map_err(|error| Error::of("watch plans", error))
}

/// What was written down since [`watch_plans`]: the plan and the command of each.
///
/// # Errors
/// As [`Error`] says.
pub async fn unplanned(settings: &MongoConfig, services: &[&str]) -> Result<Vec<String>, Error> {
    let read = async {
        let client = connect(settings).await?;
        let mut found = Vec::new();
        for service in services {
            let profile = database(&client, settings, service).collection::<Document>("system.profile");
            let mut operations = profile.find(without_index()).await?;
            while let Some(operation) = operations.try_next().await? {
                let text = |field: &str| operation.get(field).map(ToString::to_string).unwrap_or_default();
                found.push(format!("{} {} {}", text("ns"), text("planSummary"), text("command")));
            }
        }
        client.shutdown().await;
        Ok::<_, DriverError>(found)
    };
    read.await.map_err(|error| Error::of("read plans", error))
}

/// Drops the databases of a prefix.
///
/// # Errors
/// As [`Error`] says.
pub async fn drop_databases(settings: &MongoConfig) -> Result<(), Error> {
    let drop_all = async {
        let client = connect(settings).await?;
        let prefix = format!("{}_", settings.database_prefix);
        for name in client.list_database_names().await?.into_iter().filter(|name| name.starts_with(&prefix)) {
            client.database(&name).drop().await?;
        }
        client.shutdown().await;
        Ok::<(), DriverError>(())
    };
    drop_all.await.map_err(|error| Error::of("drop test databases", error))
}

/// An empty collection may not have its indexes yet.
fn without_index() -> Document {
    doc! { "planSummary": { "$regex": "COLLSCAN" }, "docsExamined": { "$gt": 0 } }
}

async fn connect(settings: &MongoConfig) -> Result<Client, DriverError> {
    Client::with_options(ClientOptions::parse(settings.uri.expose()).await?)
}

fn database(client: &Client, settings: &MongoConfig, service: &str) -> Database {
    client.database(&format!("{}_{service}", settings.database_prefix))
}
