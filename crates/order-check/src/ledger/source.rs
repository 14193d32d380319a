//! Where the ledger comes from: a file that the provider appends to, or its HTTP API.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Entry;
use crate::Error;

/// Where to read the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerSource {
    /// A file of JSON lines; it may be appended to while it is read.
    File(PathBuf),
    /// `GET` of this URL with `after` (a sequence number) and `limit` gives `{entries, more}`.
    Url {
        /// Of the ledger, or of the API that has it under `/v1/ledger`.
        url: reqwest::Url,
        /// Sent as bearer token.
        key: Option<String>,
    },
}

impl LedgerSource {
    /// Takes an `http` or `https` URL, or else the path of a file.
    ///
    /// # Errors
    /// When a URL cannot be read.
    pub fn new(place: &str, key: Option<String>) -> Result<Self, BadUrl> {
        if !place.starts_with("http://") && !place.starts_with("https://") {
            return Ok(Self::File(PathBuf::from(place)));
        }
        let url = reqwest::Url::parse(place).map_err(|error| BadUrl(error.to_string()))?;
        Ok(Self::Url { url, key })
    }
}

/// A text looks like a URL and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the ledger cannot be read: {0}")]
pub struct BadUrl(String);

/// Most entries asked for at once.
const ENTRIES: usize = 1000;

/// How long the provider may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ledger, read from where the last reading ended.
#[derive(Debug)]
pub(crate) struct Ledger {
    source: Source,
    last: u64,
}

#[derive(Debug)]
enum Source {
    File { path: PathBuf, offset: u64, lines: u64 },
    Url { client: reqwest::Client, url: reqwest::Url, key: Option<String> },
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    more: bool,
}

impl Ledger {
    pub(crate) fn open(source: &LedgerSource) -> Result<Self, Error> {
        let source = match source.clone() {
            LedgerSource::File(path) => Source::File { path, offset: 0, lines: 0 },
            LedgerSource::Url { mut url, key } => {
                if url.path() == "/" {
                    url.set_path("/v1/ledger");
                }
                let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(Error::Provider)?;
                Source::Url { client, url, key }
            }
        };
        Ok(Self { source, last: 0 })
    }

    /// Hands over the entries that came since the last call; gives how many.
    pub(crate) async fn more(&mut self, take: &mut impl FnMut(Entry) -> Result<(), Error>) -> Result<u64, Error> {
        let mut count = 0;
        let mut after = self.last;
        let last = &mut self.last;
        let mut counted = |entry: Entry| {
            if entry.sequence <= *last {
                return Err(Error::LedgerOrder { last: *last, found: entry.sequence });
            }
            *last = entry.sequence;
            count += 1;
            take(entry)
        };
        match &mut self.source {
            Source::File { path, offset, lines } => {
                let failed = |source| Error::File(path.clone(), source);
                let mut file = File::open(&*path).map_err(failed)?;
                file.seek(SeekFrom::Start(*offset)).map_err(failed)?;
                let (mut file, mut text) = (BufReader::new(file), Vec::new());
                loop {
                    text.clear();
                    let read = file.read_until(b'\n', &mut text).map_err(failed)?;
                    // A line counts from its line feed on: without one it is still being written.
                    if text.last() != Some(&b'\n') {
                        break;
                    }
                    *offset += u64::try_from(read).unwrap_or(u64::MAX);
                    *lines += 1;
                    let entry = serde_json::from_slice(&text).map_err(|source| Error::Line {
                        what: "entries of a ledger",
                        line: *lines,
                        path: path.clone(),
                        source,
                    })?;
                    counted(entry)?;
                }
            }
            Source::Url { client, url, key } => loop {
                let Page { entries, more } = page(client, url, key.as_deref(), after).await?;
                let is_last = entries.is_empty() || !more;
                for entry in entries {
                    after = entry.sequence;
                    counted(entry)?;
                }
                if is_last {
                    break;
                }
            },
        }
        Ok(count)
    }
}

async fn page(client: &reqwest::Client, url: &reqwest::Url, key: Option<&str>, after: u64) -> Result<Page, Error> {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("after", &after.to_string()).append_pair("limit", &ENTRIES.to_string());
    let mut request = client.get(url);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let asked = async { request.send().await?.error_for_status()?.json().await };
    // The URL may hold what is nobody's business.
    asked.await.map_err(|error: reqwest::Error| Error::Provider(error.without_url()))
}
