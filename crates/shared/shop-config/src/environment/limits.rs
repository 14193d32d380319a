//! How often clients may ask, as environment variables.

use std::time::Duration;

use ipnet::IpNet;

use super::{ConfigError, Source, invalid, names};
use crate::config::{LimitsConfig, RateConfig};

const NETWORKS: &str = "must be networks such as 192.0.2.0/24 or 2001:db8::/32, separated by commas";

pub(super) fn read(source: &Source<'_>) -> Result<LimitsConfig, ConfigError> {
    let rate = |requests, window, default| -> Result<RateConfig, ConfigError> {
        Ok(RateConfig {
            requests: source.number(requests, default, 1, 1_000_000, "must be 1 to 1000000")?,
            window: source.seconds(window, 900, 1, 86_400, "must be 1 to 86400")?,
        })
    };
    Ok(LimitsConfig {
        general: rate(names::RATE_LIMIT_REQUESTS, names::RATE_LIMIT_WINDOW_SECONDS, 5_000)?,
        authentication: rate(names::AUTH_RATE_LIMIT_REQUESTS, names::AUTH_RATE_LIMIT_WINDOW_SECONDS, 500)?,
        trusted_proxies: match source.text(names::TRUSTED_PROXIES) {
            None => Vec::new(),
            Some(text) => networks(&text)?,
        },
    })
}

fn networks(text: &str) -> Result<Vec<IpNet>, ConfigError> {
    let network = |word: &str| word.trim().parse().map_err(|_| invalid(names::TRUSTED_PROXIES, NETWORKS));
    text.split(',').map(network).collect()
}

pub(super) fn write(limits: &LimitsConfig) -> Vec<(&'static str, String)> {
    let LimitsConfig { general, authentication, trusted_proxies } = limits;
    let seconds = |window: Duration| window.as_secs().to_string();
    let mut env = vec![
        (names::RATE_LIMIT_REQUESTS, general.requests.to_string()),
        (names::RATE_LIMIT_WINDOW_SECONDS, seconds(general.window)),
        (names::AUTH_RATE_LIMIT_REQUESTS, authentication.requests.to_string()),
        (names::AUTH_RATE_LIMIT_WINDOW_SECONDS, seconds(authentication.window)),
    ];
    if !trusted_proxies.is_empty() {
        let networks: Vec<_> = trusted_proxies.iter().map(ToString::to_string).collect();
        env.push((names::TRUSTED_PROXIES, networks.join(",")));
    }
    env
}

/// Some limits, for the test that reads back what is written.
#[cfg(test)]
pub(super) fn any(requests: u32, seconds: u64) -> LimitsConfig {
    let rate = RateConfig { requests, window: Duration::from_secs(seconds) };
    let networks =
        ["192.0.2.0/24", "2001:db8::/32"].into_iter().take(usize::try_from(requests % 3).unwrap_or_default());
    LimitsConfig {
        general: rate,
        authentication: RateConfig { requests: requests * 7, ..rate },
        trusted_proxies: networks.filter_map(|network| network.parse().ok()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    use super::*;

    fn limits(env: &[(&str, &str)]) -> Result<LimitsConfig, ConfigError> {
        let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_lookup(&lookup).map(|config| config.limits)
    }

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let fifteen_minutes = Duration::from_secs(900);
        let expected = LimitsConfig {
            general: RateConfig { requests: 5_000, window: fifteen_minutes },
            authentication: RateConfig { requests: 500, window: fifteen_minutes },
            trusted_proxies: Vec::new(),
        };
        assert_eq!(limits(&[]), Ok(expected));
    }

    #[test]
    fn networks_are_listed_with_commas_and_anything_else_is_refused() {
        let proxies = |text| limits(&[(names::TRUSTED_PROXIES, text)]).map(|limits| limits.trusted_proxies);
        let expected: Vec<IpNet> = ["192.0.2.0/24", "2001:db8::/32"].map(|text| text.parse().unwrap()).into();
        assert_eq!(proxies("192.0.2.0/24, 2001:db8::/32"), Ok(expected));
        for bad in ["192.0.2.1", "192.0.2.0/33", "proxy.example", ",", "192.0.2.0/24,"] {
            assert_eq!(proxies(bad), Err(invalid(names::TRUSTED_PROXIES, NETWORKS)), "{bad}");
        }
    }

    #[test]
    fn rates_have_bounds() {
        for (name, value) in [
            (names::RATE_LIMIT_REQUESTS, "0"),
            (names::RATE_LIMIT_REQUESTS, "1000001"),
            (names::AUTH_RATE_LIMIT_REQUESTS, "many"),
            (names::RATE_LIMIT_WINDOW_SECONDS, "0"),
            (names::AUTH_RATE_LIMIT_WINDOW_SECONDS, "86401"),
        ] {
            assert!(limits(&[(name, value)]).is_err(), "{name}={value}");
        }
    }
}
