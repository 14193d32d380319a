//! What the process is told: addresses, the key file, the ledger file. No I/O.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Address of the API; `0.0.0.0:8080` by default.
pub const ADDRESS: &str = "SANDBOX_PSP_ADDRESS";
/// Address of `/livez`, `/readyz` and `/metrics`; `0.0.0.0:9091` by default.
pub const ADMIN_ADDRESS: &str = "SANDBOX_PSP_ADMIN_ADDRESS";
/// File with the API key that callers must send; required.
pub const API_KEY_FILE: &str = "SANDBOX_PSP_API_KEY_FILE";
/// File that the ledger is kept in; without it the ledger lives and dies with the process.
pub const LEDGER_FILE: &str = "SANDBOX_PSP_LEDGER_FILE";
/// Seconds that a lost try keeps its caller waiting, 1 to 300; 30 by default.
pub const HANG_SECONDS: &str = "SANDBOX_PSP_HANG_SECONDS";
/// Where buyers reach the API; its own address by default.
pub const PUBLIC_URL: &str = "SANDBOX_PSP_PUBLIC_URL";
/// URL that every booking is told to; without it nobody is told.
pub const WEBHOOK_URL: &str = "SANDBOX_PSP_WEBHOOK_URL";
/// File with the secret that webhooks are signed with; required with a webhook URL.
pub const WEBHOOK_SECRET_FILE: &str = "SANDBOX_PSP_WEBHOOK_SECRET_FILE";

/// Everything the process is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where probes and metrics listen.
    pub admin_address: SocketAddr,
    /// The file with the API key.
    pub api_key_file: PathBuf,
    /// The file that the ledger is kept in, if it is to outlive the process.
    pub ledger_file: Option<PathBuf>,
    /// How long a lost try keeps its caller waiting.
    pub hang: Duration,
    /// Where buyers reach the API, without a slash at the end; its own address without it.
    pub public_url: Option<String>,
    /// Who is told of bookings.
    pub webhook: Option<Webhook>,
}

/// Who is told of bookings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where they are sent to.
    pub url: String,
    /// The file with the secret that signs them.
    pub secret_file: PathBuf,
}

/// A setting is missing or wrong. Names the variable and what it must be, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {rule}")]
pub struct Invalid {
    /// The variable.
    pub name: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl Settings {
    /// A provider on free ports of this machine that keeps its ledger in memory and tells nobody: for tests.
    #[must_use]
    pub fn local(api_key_file: PathBuf) -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            address: anywhere,
            admin_address: anywhere,
            api_key_file,
            ledger_file: None,
            hang: Duration::from_secs(30),
            public_url: None,
            webhook: None,
        }
    }

    /// Reads the settings from any source of name and value; an empty value counts as absent.
    ///
    /// # Errors
    /// [`Invalid`] names the first variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let text = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let address = |name: &'static str, port: u16| match text(name) {
            None => Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            Some(value) => value.parse().map_err(|_| Invalid { name, rule: "must be an address such as 0.0.0.0:8080" }),
        };
        let url = |name: &'static str| match text(name) {
            Some(url) if !(url.starts_with("http://") || url.starts_with("https://")) => {
                Err(Invalid { name, rule: "must be a URL of http or https" })
            }
            url => Ok(url),
        };
        let webhook = match (url(WEBHOOK_URL)?, text(WEBHOOK_SECRET_FILE)) {
            (None, None) => None,
            (Some(url), Some(file)) => Some(Webhook { url, secret_file: file.into() }),
            (Some(_), None) => {
                return Err(Invalid {
                    name: WEBHOOK_SECRET_FILE,
                    rule: "must name the file with the secret of webhooks",
                });
            }
            (None, Some(_)) => return Err(Invalid { name: WEBHOOK_URL, rule: "must be set beside the secret" }),
        };
        let seconds = match text(HANG_SECONDS) {
            None => 30,
            Some(value) => value
                .parse()
                .ok()
                .filter(|seconds| (1..=300).contains(seconds))
                .ok_or(Invalid { name: HANG_SECONDS, rule: "must be 1 to 300" })?,
        };
        Ok(Self {
            address: address(ADDRESS, 8080)?,
            admin_address: address(ADMIN_ADDRESS, 9091)?,
            api_key_file: text(API_KEY_FILE)
                .ok_or(Invalid { name: API_KEY_FILE, rule: "must name the file with the API key" })?
                .into(),
            ledger_file: text(LEDGER_FILE).map(PathBuf::from),
            hang: Duration::from_secs(seconds),
            public_url: url(PUBLIC_URL)?.map(|url| url.trim_end_matches('/').to_owned()),
            webhook,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Invalid> {
        Settings::from_lookup(&|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    #[test]
    fn only_the_key_file_is_required() {
        let settings = read(&[(API_KEY_FILE, "/key")]).unwrap();

        assert_eq!(settings.address, "0.0.0.0:8080".parse().unwrap());
        assert_eq!(settings.admin_address, "0.0.0.0:9091".parse().unwrap());
        assert_eq!((settings.ledger_file, settings.hang), (None, Duration::from_secs(30)));
        assert_eq!((settings.public_url, settings.webhook), (None, None));
        assert_eq!(read(&[]).unwrap_err().name, API_KEY_FILE);
        assert_eq!(read(&[(API_KEY_FILE, "")]).unwrap_err().name, API_KEY_FILE);
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (name, value) in [(ADDRESS, "here"), (ADMIN_ADDRESS, "9091"), (HANG_SECONDS, "0"), (HANG_SECONDS, "301")] {
            assert_eq!(read(&[(API_KEY_FILE, "/key"), (name, value)]).unwrap_err().name, name, "{value}");
        }
        for name in [PUBLIC_URL, WEBHOOK_URL] {
            assert_eq!(read(&[(API_KEY_FILE, "/key"), (name, "ftp://x")]).unwrap_err().name, name);
        }
    }

    #[test]
    fn webhooks_need_a_receiver_and_a_secret() {
        let (url, file) = ((WEBHOOK_URL, "http://shop/hooks"), (WEBHOOK_SECRET_FILE, "/secret"));
        let key = (API_KEY_FILE, "/key");

        let both = read(&[key, url, file]).unwrap().webhook.unwrap();

        assert_eq!((both.url.as_str(), both.secret_file), ("http://shop/hooks", "/secret".into()));
        assert_eq!(read(&[key, url]).unwrap_err().name, WEBHOOK_SECRET_FILE);
        assert_eq!(read(&[key, file]).unwrap_err().name, WEBHOOK_URL);
    }
}
