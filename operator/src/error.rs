//! How a reconciliation can fail, and who must act. What does not belong here: when it is tried again (`backoff`).

use kube::core::response::Status;

/// Who can end a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The user: the Shop or what it names must change. Tried again when that happens.
    User,
    /// Time: the API server was away, busy or another write came first.
    Retry,
    /// The cluster's administrator or our developers.
    Bug,
}

/// Why a Shop could not be reconciled. `Display` is what users read in conditions: it names objects, never values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the schema does not hold; seen when an older definition is installed than this operator's.
    #[error("the Shop is not valid: {0}")]
    Invalid(String),
    /// A Secret that the Shop names does not exist.
    #[error("`{field}` names Secret {name}, which does not exist")]
    SecretNotFound {
        /// Path of the reference in the Shop.
        field: &'static str,
        /// Name of the Secret.
        name: String,
    },
    /// A Secret that the Shop names lacks the key.
    #[error("`{field}` names key `{key}` of Secret {name}, which is absent or empty")]
    SecretKeyNotFound {
        /// Path of the reference in the Shop.
        field: &'static str,
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
    /// What a Secret holds cannot be used.
    #[error("key `{key}` of Secret {name} {rule}")]
    SecretUnusable {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
        /// What it must be.
        rule: &'static str,
    },
    /// An object of that name exists and is not ours; it is left alone.
    #[error("{kind} {name} exists already and does not belong to this Shop")]
    NameTaken {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// An object of that name belongs to an earlier Shop of the same name and is about to be deleted.
    #[error("{kind} {name} of an earlier Shop of this name is not deleted yet")]
    Leftover {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The API server failed or refused.
    #[error("failed to {verb} {what}: {}", describe(source))]
    Api {
        /// What was being done.
        verb: &'static str,
        /// To which object or kind.
        what: String,
        /// Its answer.
        source: kube::Error,
    },
    /// Something that cannot happen.
    #[error("failed to {what}")]
    Internal {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// An error for `map_err` after a call to the API server.
    pub fn api(verb: &'static str, what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { verb, what, source }
    }

    /// An error for `map_err` where no error is expected.
    pub fn internal<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Internal { what, source: Box::new(source) }
    }

    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Invalid(_)
            | Self::SecretNotFound { .. }
            | Self::SecretKeyNotFound { .. }
            | Self::SecretUnusable { .. }
            | Self::NameTaken { .. } => Class::User,
            Self::Leftover { .. } => Class::Retry,
            Self::Internal { .. } => Class::Bug,
            Self::Api { source, .. } => match status(source).map(|status| status.code) {
                Some(400 | 422) => Class::User,
                // A namespace that is being deleted refuses new objects with 403 as well: that ends by itself.
                Some(401 | 403) if !is_terminating(source) => Class::Bug,
                Some(_) | None => Class::Retry,
            },
        }
    }

    /// The reason of the condition: a closed list.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidSpec",
            Self::SecretNotFound { .. } => "SecretNotFound",
            Self::SecretKeyNotFound { .. } => "SecretKeyNotFound",
            Self::SecretUnusable { .. } => "SecretUnusable",
            Self::NameTaken { .. } => "NameTaken",
            Self::Leftover { .. } => "WaitingForDeletion",
            Self::Internal { .. } => "InternalError",
            Self::Api { source, .. } => match status(source).map(|status| status.code) {
                Some(400 | 422) => "InvalidSpec",
                Some(401 | 403) if !is_terminating(source) => "PermissionDenied",
                Some(_) | None => "ApiServerUnavailable",
            },
        }
    }
}

fn status(error: &kube::Error) -> Option<&Status> {
    if let kube::Error::Api(status) = error { Some(status) } else { None }
}

fn is_terminating(error: &kube::Error) -> bool {
    let causes = status(error).and_then(|status| status.details.as_ref()).map(|details| details.causes.as_slice());
    causes.unwrap_or_default().iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// The server's own words without the debug print that kube appends.
fn describe(error: &kube::Error) -> String {
    status(error).map_or_else(|| error.to_string(), |status| status.message.clone())
}
