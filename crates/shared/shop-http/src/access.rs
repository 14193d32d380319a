//! Who may call which route: one table per service, default deny. What belongs here: the table and its check against
//! the routes that are really served. Reading the token is the guard's work.

mod method;

use shop_types::caller::Role;
use shop_types::{Caller, ErrorKind, ServiceError};
use utoipa::openapi::{OpenApi, PathItem};

pub use self::method::Method;
use crate::limit::Kind;

/// Which kinds of caller a route lets in. Whose data they then see, the service decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(u16);

impl Access {
    const ANYBODY: u16 = 1;
    const GUESTS: u16 = 2;
    const CUSTOMERS: u16 = 4;
    const STAFF_ROLE: u16 = 8;
    const ADMINS: u16 = 16;
    const SERVICES: u16 = 32;
    /// Not a caller: under which limit requests are counted.
    const GUESSED: u16 = 64;
    const UNCOUNTED: u16 = 128;
    /// Not a caller, either: whether it only reads, whatever its method.
    const READS: u16 = 256;

    /// Everybody, with or without a token. A bad token is refused all the same.
    pub const PUBLIC: Self = Self(63);
    /// Everybody who is logged in as a person: customers, staff, admins.
    pub const CUSTOMER: Self = Self(Self::CUSTOMERS | Self::STAFF_ROLE | Self::ADMINS);
    /// Everybody with an access token: customers, staff, admins, and programs with an API key.
    pub const LOGGED_IN: Self = Self(Self::CUSTOMERS | Self::STAFF_ROLE | Self::ADMINS | Self::SERVICES);
    /// The holder of a guest token, or everybody who is logged in as a person.
    pub const GUEST: Self = Self(Self::GUESTS | Self::CUSTOMERS | Self::STAFF_ROLE | Self::ADMINS);
    /// Staff and admins.
    pub const STAFF: Self = Self(Self::STAFF_ROLE | Self::ADMINS);
    /// Admins alone.
    pub const ADMIN: Self = Self(Self::ADMINS);
    /// Programs with an API key.
    pub const SERVICE: Self = Self(Self::SERVICES);
    /// Staff, admins, and programs with an API key.
    pub const STAFF_OR_SERVICE: Self = Self(Self::STAFF_ROLE | Self::ADMINS | Self::SERVICES);

    /// The same, for a route that checks a password or sends a letter: its requests fall under the stricter limit, counted
    /// one by one and by address, since accounts are what is being guessed there.
    #[must_use]
    pub const fn guarded_against_guessing(self) -> Self {
        Self(self.0 | Self::GUESSED)
    }

    /// The same, for a route where all the requests of one honest sender come from one address, and each proves itself: a
    /// limit per client would refuse them when most is going on.
    #[must_use]
    pub const fn uncounted(self) -> Self {
        Self(self.0 | Self::UNCOUNTED)
    }

    /// The same, for a route that changes nothing although its method is one of those that do: the audit log leaves it out.
    #[must_use]
    pub const fn reads(self) -> Self {
        Self(self.0 | Self::READS)
    }

    /// Whether nothing changes by it, whatever its method.
    pub(crate) const fn only_reads(self) -> bool {
        self.0 & Self::READS != 0
    }

    /// Under which limit its requests are counted, if they are.
    const fn limit(self) -> Option<Kind> {
        match (self.0 & Self::GUESSED != 0, self.0 & Self::UNCOUNTED != 0) {
            (true, _) => Some(Kind::Authentication),
            (false, true) => None,
            (false, false) => Some(Kind::General),
        }
    }

    /// The same, and everybody who has no token at all.
    #[must_use]
    pub const fn or_anybody(self) -> Self {
        Self(self.0 | Self::ANYBODY)
    }

    /// The kinds of caller that are let in, as the API documents name them.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let kinds = [
            (Self::ANYBODY, "anonymous"),
            (Self::GUESTS, "guest"),
            (Self::CUSTOMERS, "customer"),
            (Self::STAFF_ROLE, "staff"),
            (Self::ADMINS, "admin"),
            (Self::SERVICES, "service"),
        ];
        kinds.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }

    /// Checks a caller.
    ///
    /// # Errors
    /// [`Refused::Unauthenticated`] when nobody is logged in, so that a token would help; [`Refused::Forbidden`] when
    /// the role does not do.
    pub const fn allows(self, caller: &Caller) -> Result<(), Refused> {
        let (bit, refused) = match caller {
            Caller::Anonymous => (Self::ANYBODY, Refused::Unauthenticated),
            Caller::Guest { .. } => (Self::GUESTS, Refused::Unauthenticated),
            Caller::User { role: Role::Customer, .. } => (Self::CUSTOMERS, Refused::Forbidden),
            Caller::User { role: Role::Staff, .. } => (Self::STAFF_ROLE, Refused::Forbidden),
            Caller::User { role: Role::Admin, .. } => (Self::ADMINS, Refused::Forbidden),
            Caller::User { role: Role::Service, .. } => (Self::SERVICES, Refused::Forbidden),
        };
        if self.0 & bit == 0 { Err(refused) } else { Ok(()) }
    }
}

/// A caller may not use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody is logged in (401).
    #[error("this call needs a token")]
    Unauthenticated,
    /// Somebody is, but in the wrong role (403).
    #[error("your role may not do this")]
    Forbidden,
}

impl ServiceError for Refused {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unauthenticated => ErrorKind::Unauthenticated,
            Self::Forbidden => ErrorKind::Forbidden,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
        }
    }
}

/// One line of an access table: method, path template as in the handler's attribute, and who is let in.
pub type Route = (Method, &'static str, Access);

/// The routes of one service and who may call them.
#[derive(Debug, Clone)]
pub struct AccessTable {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    method: Method,
    template: &'static str,
    /// What the template begins with, up to its first parameter, and how many slashes it has: spares most paths the rest.
    prefix: &'static str,
    slashes: usize,
    access: Access,
}

/// What a table says about a request: the verdict, the limit it falls under, and the first template that fits, for traces
/// and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) verdict: Verdict,
    pub(crate) template: Option<&'static str>,
    pub(crate) limit: Option<Kind>,
}

/// Whether a request may go on to its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A route is there, and the caller may use it.
    Allowed,
    /// A route is there, and the caller may not.
    Refused(Refused),
    /// The path is known, but not with this method.
    WrongMethod,
    /// No route of this table has the path.
    Unknown,
}

impl Entry {
    fn verdict(&self, caller: &Caller) -> Verdict {
        match self.access.allows(caller) {
            Ok(()) => Verdict::Allowed,
            Err(refused) => Verdict::Refused(refused),
        }
    }
}

fn slashes(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count()
}

/// Whether a path is one of a template, as actix-web's router decides it: a parameter stands for one segment that is not
/// empty. Compared as text, since the router's patterns cost several times what most handlers do.
fn is_of(template: &str, path: &str) -> bool {
    let (mut parts, mut segments) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return true,
            (Some(part), Some(segment)) if part == segment || is_parameter(part) && !segment.is_empty() => {}
            _ => return false,
        }
    }
}

fn is_parameter(part: &str) -> bool {
    part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains(['{', ':']))
}

impl AccessTable {
    /// A table of these routes.
    #[must_use]
    pub fn new(routes: &[Route]) -> Self {
        let entry = |&(method, template, access): &Route| Entry {
            method,
            template,
            prefix: template.split_once('{').map_or(template, |(prefix, _)| prefix),
            slashes: slashes(template),
            access,
        };
        Self { entries: routes.iter().map(entry).collect() }
    }

    /// Decides on a request before it is routed. `path` must be the text that actix-web will route by.
    ///
    /// Where two templates fit one path (`/products/{id}` and `/products/exports`), the caller must be let in by **both**:
    /// so the answer does not depend on the order in which handlers were registered.
    pub(crate) fn check(&self, method: Option<Method>, path: &str, caller: &Caller) -> Found {
        let mut found = Found { verdict: Verdict::Unknown, template: None, limit: Some(Kind::General) };
        for entry in self.fitting(path) {
            let has_method = method == Some(entry.method);
            match entry.access.limit() {
                strict @ Some(Kind::Authentication) if has_method => found.limit = strict,
                None if has_method && found.limit != Some(Kind::Authentication) => found.limit = None,
                Some(Kind::Authentication | Kind::General) | None => {}
            }
            match (has_method, found.verdict) {
                (true, Verdict::Unknown | Verdict::WrongMethod) => {
                    found.template = Some(entry.template);
                    found.verdict = entry.verdict(caller);
                }
                (true, Verdict::Allowed) => found.verdict = entry.verdict(caller),
                (true, Verdict::Refused(_)) => break,
                (false, Verdict::Unknown) => {
                    (found.verdict, found.template) = (Verdict::WrongMethod, Some(entry.template));
                }
                (false, Verdict::WrongMethod | Verdict::Allowed | Verdict::Refused(_)) => {}
            }
        }
        found
    }

    /// The entries whose template has this path.
    fn fitting<'t>(&'t self, path: &'t str) -> impl Iterator<Item = &'t Entry> {
        let slashes = slashes(path);
        let may_fit = move |entry: &&Entry| entry.slashes == slashes && path.starts_with(entry.prefix);
        self.entries.iter().filter(may_fit).filter(move |entry| is_of(entry.template, path))
    }

    /// The methods that the path has, as the header `Allow` lists them; `None` for an unknown path.
    pub(crate) fn allow(&self, path: &str) -> Option<String> {
        // `/products/exports` is a resource of its own beside `/products/{id}`.
        let parameters = |entry: &Entry| entry.template.matches('{').count();
        let fewest = self.fitting(path).map(parameters).min();
        let has = |method| self.fitting(path).any(|entry| entry.method == method && Some(parameters(entry)) == fewest);
        let mut methods: Vec<&str> =
            Method::ALL.into_iter().filter(|method| has(*method)).map(Method::as_str).collect();
        if methods.is_empty() {
            return None;
        }
        if methods.first() == Some(&"GET") {
            methods.insert(1, "HEAD");
        }
        methods.push("OPTIONS");
        Some(methods.join(", "))
    }

    /// Compares the table with the routes that are really served; an empty list means that they agree. A service that
    /// has differences must not start.
    #[must_use]
    pub fn differences(&self, served: &OpenApi) -> Vec<String> {
        let mut differences = Vec::new();
        for (template, item) in &served.paths.paths {
            for word in words(item) {
                let listed = |entry: &Entry| entry.method.as_str() == word && entry.template == template;
                match self.entries.iter().filter(|entry| listed(entry)).count() {
                    0 => differences.push(format!("{word} {template} is served but not in the access table")),
                    1 => {}
                    _ => differences.push(format!("{word} {template} is in the access table twice")),
                }
            }
        }
        for Entry { method, template, .. } in &self.entries {
            if template.split('/').any(|part| part.contains('{') && !is_parameter(part)) {
                differences.push(format!("{method} {template} has a parameter that is not a whole segment"));
            }
            let item = served.paths.paths.get(*template);
            if !item.is_some_and(|item| words(item).contains(&method.as_str())) {
                differences.push(format!("{method} {template} is in the access table but not served"));
            }
        }
        differences
    }
}

/// Writes into a document who may call what, as the extension `x-callers` of each call.
pub(crate) fn name_callers(routes: &[Route], document: &mut OpenApi) {
    for (method, template, access) in routes {
        let Some(item) = document.paths.paths.get_mut(*template) else { continue };
        let operation = match method {
            Method::Get => &mut item.get,
            Method::Post => &mut item.post,
            Method::Put => &mut item.put,
            Method::Patch => &mut item.patch,
            Method::Delete => &mut item.delete,
        };
        if let Some(operation) = operation {
            let callers: Vec<_> = access.names().collect();
            let extensions = operation.extensions.get_or_insert_default();
            extensions.insert("x-callers".to_owned(), callers.into());
        }
    }
}

fn words(item: &PathItem) -> Vec<&'static str> {
    let operations = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("HEAD", &item.head),
        ("OPTIONS", &item.options),
        ("TRACE", &item.trace),
    ];
    operations.into_iter().filter(|(_, operation)| operation.is_some()).map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests;
