//! Whether a database can hold a shop: what `shopmesh check-database` asks before a roll-out (ruling 33).
//!
//! Each verdict is a stable code and a sentence that says what to do. Neither ever holds the connection string.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::error::{Error as DriverError, ErrorKind as Driver};
use mongodb::options::{ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database};
use shop_config::MongoConfig;

/// The oldest server whose transactions we trust.
const OLDEST: i64 = 6;
/// How long each question may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// Where the owner of a database is written down.
const OWNER: &str = "shopmesh_owner";

/// Whether the database fits, and what to do if not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Stable: `ok`, `invalid_uri`, `connection_failed`, `authentication_failed`, `not_a_replica_set`,
    /// `version_too_old`, `permission_denied`, `database_in_use`.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

impl Verdict {
    /// Whether a shop can run on it.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.code == "ok"
    }

    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Connects, looks at version and topology, and writes the owner into the database of each of `services`; a database
/// that names another owner is left alone. Without an owner in the settings nothing is claimed.
pub async fn check(settings: &MongoConfig, services: &[&str]) -> Verdict {
    match tokio::time::timeout(PATIENCE * 3, ask(settings, services)).await {
        Ok(Ok(version)) => Verdict::new("ok", format!("MongoDB {version} answers and takes transactions")),
        Ok(Err(verdict)) => verdict,
        Err(_) => Verdict::new(
            "connection_failed",
            "MongoDB gave no answer in time; check the address, the network and the IP access list",
        ),
    }
}

async fn ask(settings: &MongoConfig, services: &[&str]) -> Result<String, Verdict> {
    let options = options(settings).await?;
    let has_credential = options.credential.is_some();
    let client = Client::with_options(options)
        .map_err(|_| Verdict::new("invalid_uri", "the connection string holds options that cannot be used together"))?;
    let admin = client.database("admin");
    let hello = admin.run_command(doc! { "hello": 1 }).await.map_err(|error| sort(&error))?;
    takes_transactions(&hello)?;
    let built = admin.run_command(doc! { "buildInfo": 1 }).await.map_err(|error| sort(&error))?;
    let version = built.get_str("version").unwrap_or("0").to_owned();
    new_enough(&version)?;
    for service in services {
        let database = client.database(&format!("{}_{service}", settings.database_prefix));
        claim(&database, settings.owner.as_deref()).await.map_err(|verdict| match verdict.code {
            "permission_denied" if !has_credential => {
                Verdict::new("authentication_failed", "MongoDB wants a user name and password in the connection string")
            }
            _ => verdict,
        })?;
    }
    Ok(version)
}

async fn options(settings: &MongoConfig) -> Result<ClientOptions, Verdict> {
    let mut options = ClientOptions::parse(settings.uri.expose()).await.map_err(|error| unusable(&error))?;
    options.server_selection_timeout = Some(PATIENCE);
    options.connect_timeout = Some(PATIENCE);
    options.app_name = Some("shopmesh-check".into());
    // As the services do, whatever the connection string says: a lagging secondary would not know the owner yet.
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.write_concern = Some(WriteConcern::majority());
    options.read_concern = Some(ReadConcern::majority());
    options.retry_writes = Some(true);
    Ok(options)
}

/// The host of a `mongodb+srv` string that no name server knows is a matter of the network, anything else of the text.
#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's kinds are many and not ours")]
fn unusable(error: &DriverError) -> Verdict {
    match &*error.kind {
        Driver::DnsResolve { .. } | Driver::Io(_) => {
            Verdict::new("connection_failed", "the host of the connection string is not known to the name servers")
        }
        _ => Verdict::new(
            "invalid_uri",
            "the connection string cannot be read; it must start with mongodb:// or mongodb+srv://",
        ),
    }
}

fn takes_transactions(hello: &Document) -> Result<(), Verdict> {
    let sharded = hello.get_str("msg").is_ok_and(|word| word == "isdbgrid");
    if sharded || hello.get_str("setName").is_ok() {
        return Ok(());
    }
    Err(Verdict::new(
        "not_a_replica_set",
        "transactions need a replica set or a sharded cluster; this is a single server, or a set not yet initiated",
    ))
}

fn new_enough(version: &str) -> Result<(), Verdict> {
    let major: i64 = version.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0);
    if major >= OLDEST {
        return Ok(());
    }
    Err(Verdict::new("version_too_old", format!("MongoDB {version} is too old; {OLDEST}.0 or later is needed")))
}

/// Writes the owner where none stands; by upsert on one id, so that of two Shops at once one wins. Asks for the rights of
/// a service on the way: to read, to write, and to set a validator.
async fn claim(database: &Database, owner: Option<&str>) -> Result<(), Verdict> {
    let owners = database.collection::<Document>(OWNER);
    let filter = doc! { "_id": "owner" };
    if let Some(owner) = owner {
        let change = doc! { "$setOnInsert": { "owner": owner } };
        let written = owners.update_one(filter.clone(), change.clone()).upsert(true).await;
        let written = match written {
            // Two upserts met: the other one has written.
            Err(error) if is_duplicate(&error) => owners.update_one(filter.clone(), change).await,
            other => other,
        };
        written.map_err(|error| sort(&error))?;
    }
    let found = owners.find_one(filter).await.map_err(|error| sort(&error))?;
    let Some(owner) = owner else { return Ok(()) };
    match found.as_ref().map(|found| found.get_str("owner")) {
        Some(Ok(present)) if present == owner => {}
        Some(Ok(other)) => {
            return Err(Verdict::new(
                "database_in_use",
                format!(
                    "the database {} belongs to the Shop {other}; set spec.mongodb.databasePrefix to another one",
                    database.name()
                ),
            ));
        }
        Some(Err(_)) | None => {
            let text = format!("the database {} has no readable owner", database.name());
            return Err(Verdict::new("database_in_use", text));
        }
    }
    let validator = doc! { "owner": { "$type": "string" } };
    let validated = database.run_command(doc! { "collMod": OWNER, "validator": validator }).await;
    validated.map(drop).map_err(|error| sort(&error))
}

fn is_duplicate(error: &DriverError) -> bool {
    matches!(*error.kind, Driver::Write(mongodb::error::WriteFailure::WriteError(ref write)) if write.code == 11000)
}

/// Sorts an error; the driver's text may hold hosts and user names, so it is never passed on.
#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's kinds are many and not ours")]
fn sort(error: &DriverError) -> Verdict {
    match &*error.kind {
        Driver::Authentication { .. } => authentication(),
        Driver::Command(command) if is_refusal(command.code, &command.message) => Verdict::new(
            "permission_denied",
            "the user may not do what a shop needs; grant readWrite and dbAdmin on its databases",
        ),
        Driver::Command(command) if matches!(command.code, LOGIN_FAILED | ATLAS) => authentication(),
        _ => Verdict::new(
            "connection_failed",
            "MongoDB cannot be reached; check the address, the name of the replica set, the network and the IP access list",
        ),
    }
}

/// Atlas has one code for everything that it refuses, and tells logins from rights in the text alone.
fn is_refusal(code: i32, message: &str) -> bool {
    code == UNAUTHORIZED || (code == ATLAS && message.contains("not allowed"))
}

// https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml
const UNAUTHORIZED: i32 = 13;
const LOGIN_FAILED: i32 = 18;
const ATLAS: i32 = 8000;

fn authentication() -> Verdict {
    Verdict::new("authentication_failed", "MongoDB refuses the user name or password in the connection string")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, Verdict>) -> &'static str {
        result.map_or_else(|verdict| verdict.code, |_| "ok")
    }

    #[test]
    fn only_replica_sets_and_sharded_clusters_take_transactions() {
        assert_eq!(code(takes_transactions(&doc! { "setName": "rs0" })), "ok");
        assert_eq!(code(takes_transactions(&doc! { "msg": "isdbgrid" })), "ok");
        assert_eq!(code(takes_transactions(&doc! { "isWritablePrimary": true })), "not_a_replica_set");
        assert_eq!(code(takes_transactions(&doc! { "isreplicaset": true })), "not_a_replica_set");
    }

    #[test]
    fn old_servers_are_refused() {
        for (version, expected) in
            [("6.0.5", "ok"), ("10.1.0", "ok"), ("5.0.31", "version_too_old"), ("?", "version_too_old")]
        {
            assert_eq!(code(new_enough(version)), expected, "{version}");
        }
    }

    #[test]
    fn a_missing_right_is_told_from_a_failed_login() {
        assert!(is_refusal(13, "not authorized on shop_order to execute command"));
        assert!(is_refusal(8000, "user is not allowed to do action [find] on [shop.owner]"));
        assert!(!is_refusal(8000, "bad auth : authentication failed"));
        assert!(!is_refusal(18, "Authentication failed."));
    }
}
