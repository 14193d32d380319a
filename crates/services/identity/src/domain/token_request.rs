//! How a program asks for an access token: OAuth 2.0 with client credentials (RFC 6749 sections 4.4 and 5.2).

use shop_types::UserId;

use super::secret::Secret;

/// The one grant there is.
const GRANT: &str = "client_credentials";

/// A request that says all it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    pub(crate) key: UserId,
    pub(crate) secret: Secret,
    /// What the program asks for; it gets all that its key allows in any case.
    pub(crate) scope: Option<String>,
}

/// Why there is no token. `Display` is for people; programs read [`Refused::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} must be sent once")]
    Parameter(&'static str),
    #[error("grant_type must be client_credentials")]
    Grant,
    #[error("client_id and client_secret do not name an API key that counts")]
    Client,
    #[error("scope must be left out, or be the role of the API key")]
    Scope,
}

impl Refused {
    /// The word of RFC 6749 section 5.2.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Parameter(_) => "invalid_request",
            Self::Grant => "unsupported_grant_type",
            Self::Client => "invalid_client",
            Self::Scope => "invalid_scope",
        }
    }
}

impl TokenRequest {
    /// Reads the parameters of a form. A parameter without a value counts as left out, and unknown ones are passed over, as
    /// RFC 6749 section 3.2 wants it.
    ///
    /// # Errors
    /// The first [`Refused`] met; without credentials, or with ones that cannot be ours, [`Refused::Client`].
    pub(crate) fn read(form: &[(String, String)]) -> Result<Self, Refused> {
        match parameter(form, "grant_type")? {
            Some(GRANT) => {}
            Some(_) => return Err(Refused::Grant),
            None => return Err(Refused::Parameter("grant_type")),
        }
        let (id, secret) = (parameter(form, "client_id")?, parameter(form, "client_secret")?);
        let scope = parameter(form, "scope")?.map(ToOwned::to_owned);
        let (id, secret) = id.zip(secret).ok_or(Refused::Client)?;
        let key = id.parse().map_err(|_| Refused::Client)?;
        let secret = Secret::parse(secret).map_err(|_| Refused::Client)?;
        Ok(Self { key, secret, scope })
    }
}

fn parameter<'f>(form: &'f [(String, String)], name: &'static str) -> Result<Option<&'f str>, Refused> {
    let mut sent =
        form.iter().filter(|(sent, value)| sent == name && !value.is_empty()).map(|(_, value)| value.as_str());
    match (sent.next(), sent.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refused::Parameter(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000001";

    fn read(form: &[(&str, &str)]) -> Result<TokenRequest, Refused> {
        let owned: Vec<_> = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TokenRequest::read(&owned)
    }

    #[test]
    fn a_whole_request_is_read() {
        let secret = "A".repeat(43);
        let form = [
            ("client_id", ID),
            ("client_secret", &secret),
            ("grant_type", "client_credentials"),
            ("scope", ""),
            ("audience", "x"),
            ("audience", "y"),
        ];
        let request = read(&form).unwrap();
        assert_eq!((request.key.to_string().as_str(), request.secret.expose()), (ID, secret.clone()));
        assert_eq!(request.scope, None);
    }

    #[test]
    fn every_fault_has_its_word() {
        let secret = "A".repeat(43);
        let grant = ("grant_type", GRANT);
        let (id, secret) = (("client_id", ID), ("client_secret", secret.as_str()));
        for (form, word) in [
            (vec![], "invalid_request"),
            (vec![("grant_type", ""), id, secret], "invalid_request"),
            (vec![grant, grant, id, secret], "invalid_request"),
            (vec![grant, id, id, secret], "invalid_request"),
            (vec![grant, id, secret, ("scope", "a"), ("scope", "b")], "invalid_request"),
            (vec![("grant_type", "password"), id, secret], "unsupported_grant_type"),
            (vec![grant], "invalid_client"),
            (vec![grant, id], "invalid_client"),
            (vec![grant, secret], "invalid_client"),
            (vec![grant, ("client_id", "1"), secret], "invalid_client"),
            (vec![grant, id, ("client_secret", "guess")], "invalid_client"),
        ] {
            assert_eq!(read(&form).map_err(Refused::word), Err(word), "{form:?}");
        }
    }
}
