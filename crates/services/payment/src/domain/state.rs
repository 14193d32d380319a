//! The states of a payment, with what each carries. How one becomes another stands in `transitions`.

/// How far a payment has come, with what only that state has. `hold` is the provider's own id of the hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Written down (W3); the provider may or may not hold the money.
    Created,
    /// The provider holds nothing before the buyer has confirmed there.
    RequiresAction {
        /// The provider's id of what may become a hold.
        hold: String,
        /// Where the buyer confirms.
        url: String,
    },
    /// The provider holds the money (W5).
    Authorized {
        /// The provider's id.
        hold: String,
    },
    /// The provider said no (W5).
    Declined {
        /// Its word for why.
        reason: String,
    },
    /// The money is being taken (W7): from here on it cannot be voided.
    Capturing {
        /// The provider's id.
        hold: String,
        /// What comes next.
        then: AfterCapture,
    },
    /// The money was taken (W8).
    Captured {
        /// The provider's id.
        hold: String,
    },
    /// The provider refused the capture for good (ruling 15).
    Failed {
        /// The provider's id.
        hold: String,
        /// Its word for why.
        reason: String,
    },
    /// The hold is being given back.
    Voiding {
        /// The provider's id.
        hold: String,
    },
    /// The hold was given back.
    Voided {
        /// The provider's id.
        hold: String,
    },
    /// Cancelled while nobody knew whether the provider holds the money: it is looked for until it cannot appear any more.
    Cancelling,
    /// A tombstone: cancelled, and the provider holds nothing (orders 1.5 e).
    Cancelled,
    /// All of the money that was taken, or what is left of it, is being given back.
    Refunding {
        /// The provider's id.
        hold: String,
    },
    /// All of the money was given back.
    Refunded {
        /// The provider's id.
        hold: String,
    },
}

/// What happens to the money once it has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCapture {
    /// The shop keeps it.
    Keep,
    /// The order was cancelled while the capture was under way: it goes back.
    Refund,
}

/// A state without what it carries: its word in documents, answers and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// See [`State::Created`].
    Created,
    /// See [`State::RequiresAction`].
    RequiresAction,
    /// See [`State::Authorized`].
    Authorized,
    /// See [`State::Declined`].
    Declined,
    /// See [`State::Capturing`].
    Capturing,
    /// See [`State::Captured`].
    Captured,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Voiding`].
    Voiding,
    /// See [`State::Voided`].
    Voided,
    /// See [`State::Cancelling`].
    Cancelling,
    /// See [`State::Cancelled`].
    Cancelled,
    /// See [`State::Refunding`].
    Refunding,
    /// See [`State::Refunded`].
    Refunded,
}

impl Kind {
    /// Every kind of state.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::RequiresAction,
        Self::Authorized,
        Self::Declined,
        Self::Capturing,
        Self::Captured,
        Self::Failed,
        Self::Voiding,
        Self::Voided,
        Self::Cancelling,
        Self::Cancelled,
        Self::Refunding,
        Self::Refunded,
    ];

    /// The word in documents, answers and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::RequiresAction => "REQUIRES_ACTION",
            Self::Authorized => "AUTHORIZED",
            Self::Declined => "DECLINED",
            Self::Capturing => "CAPTURING",
            Self::Captured => "CAPTURED",
            Self::Failed => "FAILED",
            Self::Voiding => "VOIDING",
            Self::Voided => "VOIDED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
        }
    }
}

impl State {
    /// The state without what it carries.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Created => Kind::Created,
            Self::RequiresAction { .. } => Kind::RequiresAction,
            Self::Authorized { .. } => Kind::Authorized,
            Self::Declined { .. } => Kind::Declined,
            Self::Capturing { .. } => Kind::Capturing,
            Self::Captured { .. } => Kind::Captured,
            Self::Failed { .. } => Kind::Failed,
            Self::Voiding { .. } => Kind::Voiding,
            Self::Voided { .. } => Kind::Voided,
            Self::Cancelling => Kind::Cancelling,
            Self::Cancelled => Kind::Cancelled,
            Self::Refunding { .. } => Kind::Refunding,
            Self::Refunded { .. } => Kind::Refunded,
        }
    }

    /// The provider's id of the hold, once there is one.
    #[must_use]
    pub fn hold(&self) -> Option<&str> {
        match self {
            Self::RequiresAction { hold, .. }
            | Self::Authorized { hold }
            | Self::Capturing { hold, .. }
            | Self::Captured { hold }
            | Self::Failed { hold, .. }
            | Self::Voiding { hold }
            | Self::Voided { hold }
            | Self::Refunding { hold }
            | Self::Refunded { hold } => Some(hold),
            Self::Created | Self::Declined { .. } | Self::Cancelling | Self::Cancelled => None,
        }
    }

    /// The provider's word for a refusal.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Declined { reason } | Self::Failed { reason, .. } => Some(reason),
            Self::Created
            | Self::RequiresAction { .. }
            | Self::Authorized { .. }
            | Self::Capturing { .. }
            | Self::Captured { .. }
            | Self::Voiding { .. }
            | Self::Voided { .. }
            | Self::Cancelling
            | Self::Cancelled
            | Self::Refunding { .. }
            | Self::Refunded { .. } => None,
        }
    }

    /// Where the buyer confirms, while they have to.
    #[must_use]
    pub fn next_action(&self) -> Option<&str> {
        match self {
            Self::RequiresAction { url, .. } => Some(url),
            Self::Created
            | Self::Authorized { .. }
            | Self::Declined { .. }
            | Self::Capturing { .. }
            | Self::Captured { .. }
            | Self::Failed { .. }
            | Self::Voiding { .. }
            | Self::Voided { .. }
            | Self::Cancelling
            | Self::Cancelled
            | Self::Refunding { .. }
            | Self::Refunded { .. } => None,
        }
    }
}
