//! Copies of what is kept of people: wished for by them, made on a task of their own, by any pod.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use futures::stream::{self, Stream};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shop_mongo::Claim;
use shop_proto::person::Record;
use shop_types::UserId;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{App, Error};
use crate::domain::address::{Address, Line, Place};
use crate::domain::export::{Export, ExportId, ExportState, Keeper};
use crate::domain::{Session, User};
use crate::peers::Peer;
use crate::store::{Held, Wished};

/// How often a pod looks for exports that nobody makes, when it has heard of none.
const LOOK: Duration = Duration::from_secs(1);
/// Sessions in a copy: nobody has more that could matter to them.
const SESSIONS: u32 = 100;

/// One line of a copy.
#[derive(Serialize)]
struct Entry<'a> {
    service: &'static str,
    kind: &'a str,
    data: &'a RawValue,
}

impl App {
    /// Begins a copy of what is kept of a person. While one is on its way it is that one; one that is done is replaced. With
    /// a claimed key once, however often it is asked for.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::KeyReused`]; [`Error::NoSuchExport`] when the key began one that was replaced since.
    pub(crate) async fn begin_export(&self, user: UserId, claim: Option<Claim>) -> Result<(Export, bool), Error> {
        let id = ExportId::from_uuid(self.clock.new_id());
        // Another turn follows only when somebody else used the claimed key meanwhile, or deleted the account.
        loop {
            self.user(user).await?;
            if let Some(claim) = &claim
                && let Some(row) = self.store.request(claim).await?
            {
                if !claim.fits(&row) {
                    return Err(Error::KeyReused);
                }
                let id = row.resource.parse().map_err(|_| Error::NoSuchExport)?;
                return Ok((self.export(user, id).await?, true));
            }
            let start = claim.as_ref().map(|claim| claim.start(id.to_string()));
            match self.store.begin_export(id, user, start).await? {
                Wished::Begun(export) => {
                    tracing::info!(user.id = %user, "Began to copy what is kept of {user}");
                    self.exports.notify_one();
                    return Ok((export, false));
                }
                Wished::OnItsWay(export) => return Ok((export, false)),
                Wished::Missed => {}
            }
        }
    }

    /// One's own export.
    ///
    /// # Errors
    /// [`Error::NoSuchExport`], also for other people's.
    pub(crate) async fn export(&self, user: UserId, id: ExportId) -> Result<Export, Error> {
        self.store.export(user, id).await?.ok_or(Error::NoSuchExport)
    }

    /// The text of an export that is done, piece by piece.
    pub(crate) fn archive(self: Arc<Self>, export: &Export) -> impl Stream<Item = Result<String, Error>> + use<> {
        let (id, pieces) = (export.id, export.pieces);
        let pieces = stream::try_unfold((self, 0), move |(app, place)| async move {
            if place == pieces {
                return Ok(None);
            }
            // It was replaced or deleted while it was read.
            let text = app.store.export_piece(id, place).await?.ok_or(Error::NoSuchExport)?;
            Ok(Some((text, (app, place + 1))))
        });
        // The answer has begun: all that its reader sees is that it breaks off.
        pieces.inspect_err(move |error: &Error| {
            let error = error as &(dyn std::error::Error + 'static);
            tracing::warn!(error, export.id = %id, "Broke off an export that was being read");
        })
    }

    /// Makes exports until told to stop, also those that another pod has left.
    pub(crate) async fn make_exports(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.make_export(&stop).await {
                Ok(true) => {}
                Ok(false) => {
                    // Whether it was told of one or not, it looks.
                    let told = timeout(LOOK, self.exports.notified());
                    stop.run_until_cancelled(told).await;
                }
                Err(error) => {
                    log_pause(&error);
                    stop.run_until_cancelled(tokio::time::sleep(LOOK)).await;
                }
            }
        }
    }

    /// Goes on with one export as far as it gets; `false` when there is none.
    async fn make_export(&self, stop: &CancellationToken) -> Result<bool, Error> {
        let Some(mut held) = self.store.take_over_export(self.clock.new_id()).await? else { return Ok(false) };
        if held.export.state == ExportState::Failed {
            tracing::error!(user.id = %held.export.user, "Gave up to copy what is kept of {}", held.export.user);
            return Ok(true);
        }
        while held.export.state == ExportState::Running && !stop.is_cancelled() {
            match self.advance_export(&held).await {
                Ok(Some(next)) => held.export = next,
                Ok(None) => return Ok(true),
                Err(error) => {
                    self.store.rest_export(&held).await?;
                    return Err(error);
                }
            }
        }
        if held.export.state == ExportState::Running {
            // This pod stops: another one need not wait for the lease to end.
            self.store.rest_export(&held).await?;
        }
        Ok(true)
    }

    /// Asks the keeper whose turn it is; `None` when the export is another pod's by now.
    async fn advance_export(&self, held: &Held) -> Result<Option<Export>, Error> {
        let Export { user, keeper, received, .. } = held.export;
        let records = match keeper {
            Keeper::Identity => self.own_records(user, received).await?,
            Keeper::Order => self.peers.kept_of(Peer::Order, user, received).await?,
            Keeper::Cart => self.peers.kept_of(Peer::Cart, user, received).await?,
            Keeper::Payment => self.peers.kept_of(Peer::Payment, user, received).await?,
        };
        let next = held.export.after(u32::try_from(records.len()).unwrap_or(u32::MAX));
        let text = if records.is_empty() { None } else { Some(lines(keeper, &records)?) };
        let is_ours = self.store.advance_export(held, &next, text).await?;
        Ok(is_ours.then_some(next))
    }

    /// What this service keeps of a person: all at once, and none behind it.
    async fn own_records(&self, id: UserId, received: u32) -> Result<Vec<Record>, Error> {
        if received > 0 {
            return Ok(Vec::new());
        }
        let user = self.user(id).await?;
        let book = self.store.address_book(id).await?;
        let (sessions, _) = self.store.open_sessions(id, self.now(), 1, SESSIONS).await?;
        let mut records = vec![record("account", &account(&user))];
        records.extend(book.addresses.iter().map(|kept| record("address", &address(kept))));
        records.extend(sessions.iter().map(|kept| record("session", &session(kept))));
        Ok(records)
    }
}

/// Apart, since what is logged cannot be held while a task waits.
fn log_pause(error: &Error) {
    let error = error as &(dyn std::error::Error + 'static);
    tracing::warn!(error, "Failed to copy what is kept of a person; it goes on later");
}

fn record(kind: &str, data: &Value) -> Record {
    Record { kind: kind.to_owned(), json: data.to_string() }
}

fn account(user: &User) -> Value {
    let User { id, number, email, name, role, version: _, created_at, updated_at, is_verified, deactivated_at: _ } =
        user;
    json!({
        "id": id, "number": number, "email": email, "emailVerified": is_verified, "name": name.as_str(), "role": role,
        "createdAt": created_at, "updatedAt": updated_at,
    })
}

fn address(kept: &Address) -> Value {
    let Address { id, version: _, is_default, place } = kept;
    let Place { name, line1, line2, city, region, postal_code, country, phone } = place;
    let maybe = |line: &Option<Line>| line.as_ref().map(|line| line.as_str().to_owned());
    json!({
        "id": id, "isDefault": is_default, "name": name.as_str(), "line1": line1.as_str(), "line2": maybe(line2),
        "city": city.as_str(), "region": maybe(region), "postalCode": maybe(postal_code), "country": country.as_str(),
        "phone": maybe(phone),
    })
}

fn session(kept: &Session) -> Value {
    json!({ "id": kept.id, "lastUsedAt": kept.refreshed_at, "endsAt": kept.ends_at })
}

/// Records as lines of JSON, as they came.
fn lines(keeper: Keeper, records: &[Record]) -> Result<String, Error> {
    let mut text = String::new();
    for Record { kind, json } in records {
        let data = serde_json::from_str(json).map_err(Error::Record)?;
        let entry = Entry { service: keeper.word(), kind, data };
        text.push_str(&serde_json::to_string(&entry).map_err(Error::Record)?);
        text.push('\n');
    }
    Ok(text)
}
