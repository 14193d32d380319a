//! Which web pages of other origins may call, as environment variables.

use super::{ConfigError, Source, invalid, names};
use crate::config::CorsConfig;

const ORIGINS: &str = "must be `*` or origins such as https://shop.example, separated by commas";
const CREDENTIALS: &str = "must be Omit or Include";
const ANYBODY: &str = "must be Omit when SHOPMESH_CORS_ORIGINS lets everybody call";

pub(super) fn read(source: &Source<'_>) -> Result<CorsConfig, ConfigError> {
    let origins: Vec<String> = match source.text(names::CORS_ORIGINS) {
        None => Vec::new(),
        Some(text) => text.split(',').map(|origin| origin.trim().to_owned()).collect(),
    };
    if !origins.iter().all(|origin| origin == "*" || is_origin(origin)) {
        return Err(invalid(names::CORS_ORIGINS, ORIGINS));
    }
    let credentials = match source.text(names::CORS_CREDENTIALS).as_deref() {
        None | Some("Omit") => false,
        Some("Include") if origins.iter().any(|origin| origin == "*") => {
            return Err(invalid(names::CORS_CREDENTIALS, ANYBODY));
        }
        Some("Include") => true,
        Some(_) => return Err(invalid(names::CORS_CREDENTIALS, CREDENTIALS)),
    };
    let max_age_seconds = source.number(names::CORS_MAX_AGE_SECONDS, 600, 0, 86_400, "must be 0 to 86400")?;
    Ok(CorsConfig { origins, credentials, max_age_seconds })
}

/// As browsers write it: lower case, no path, not even a slash.
fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
    let is_host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub(super) fn write(cors: &CorsConfig) -> Vec<(&'static str, String)> {
    let CorsConfig { origins, credentials, max_age_seconds } = cors;
    let mut env = vec![
        (names::CORS_CREDENTIALS, if *credentials { "Include" } else { "Omit" }.to_owned()),
        (names::CORS_MAX_AGE_SECONDS, max_age_seconds.to_string()),
    ];
    if !origins.is_empty() {
        env.push((names::CORS_ORIGINS, origins.join(",")));
    }
    env
}

/// Some settings, for the test that reads back what is written.
#[cfg(test)]
pub(super) fn any(number: u32) -> CorsConfig {
    let origins = match number % 3 {
        0 => vec![],
        1 => vec!["https://shop.example".to_owned(), "http://localhost:3000".to_owned()],
        _ => vec!["*".to_owned()],
    };
    CorsConfig { credentials: origins.len() == 2 && number.is_multiple_of(2), origins, max_age_seconds: number }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    use super::*;

    fn cors(env: &[(&str, &str)]) -> Result<CorsConfig, ConfigError> {
        let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_lookup(&lookup).map(|config| config.cors)
    }

    #[test]
    fn no_page_may_call_unless_its_origin_is_named() {
        let off = CorsConfig { origins: Vec::new(), credentials: false, max_age_seconds: 600 };
        assert_eq!(cors(&[]), Ok(off));
        let origins = cors(&[(names::CORS_ORIGINS, "https://shop.example, http://localhost:3000")]).unwrap().origins;
        assert_eq!(origins, ["https://shop.example", "http://localhost:3000"]);
    }

    #[test]
    fn what_no_browser_sends_as_an_origin_is_refused() {
        for bad in [
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://Shop.example",
            "https://*.example",
            "https://shop.example:0",
            "https://shop.example:99999",
            "ftp://shop.example",
            "null",
            "https://a.example,",
        ] {
            assert_eq!(cors(&[(names::CORS_ORIGINS, bad)]), Err(invalid(names::CORS_ORIGINS, ORIGINS)), "{bad}");
        }
    }

    #[test]
    fn everybody_and_credentials_do_not_go_together() {
        let with = |origins| cors(&[(names::CORS_ORIGINS, origins), (names::CORS_CREDENTIALS, "Include")]);
        assert_eq!(with("*"), Err(invalid(names::CORS_CREDENTIALS, ANYBODY)));
        assert!(with("https://shop.example").unwrap().credentials);
        assert!(cors(&[(names::CORS_CREDENTIALS, "yes")]).is_err());
    }
}
