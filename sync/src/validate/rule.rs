//! The rules, and what it looks like when one is broken.

use std::fmt;

/// A rule of the protocol that a server's frames obey. Each is worded as what must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The answer to the upgrade echoes `Sec-WebSocket-Protocol` exactly; else no client connects.
    UpgradeEchoesProtocol,
    /// The first frame is `connected`, or an `error`.
    ConnectedFirst,
    /// There is one `connected` per socket.
    ConnectedOnce,
    /// `connected` carries the `wsid` of the request.
    ConnectedNamesSocket,
    /// Frames are text, never binary.
    TextOnly,
    /// A frame is the JSON array `[type, body]`, and the body has the fields of its type.
    WellFormed,
    /// The type of a message is one that clients know.
    KnownType,
    /// A poke ends before the next begins.
    OnePokeAtATime,
    /// Parts and end of a poke carry the id with which it began.
    OnePokeId,
    /// A poke starts from the cookie that the client holds.
    BaseIsClientsCookie,
    /// Only a client that holds nothing is poked from `null`.
    NullBaseOnlyForEmpty,
    /// Cookies grow, compared as JavaScript strings.
    CookieGrows,
    /// A cookie is not empty: an empty one reads as none at the next connect.
    CookieNotEmpty,
    /// A poke that changes something has a new cookie; with an old one it is ignored.
    PatchNeedsNewCookie,
    /// Every connection is sent a poke, be it an empty one.
    InitialPoke,
    /// Patches of queries never hold `clear`, which drops the rows too.
    NoClearOfQueries,
    /// In a poke nothing comes before `clear`, which would drop it. Within one part the patches of
    /// queries come before those of rows, in whatever order its fields are written.
    ClearComesFirst,
    /// A row that is put has every column of the client's schema, each of its type.
    WholeRows,
    /// A row that is deleted or updated is named by exactly its primary key.
    ExactKeys,
    /// Only rows that the client holds are updated.
    UpdateOfKnownRow,
    /// Only what some client desires is got.
    GotIsDesired,
    /// What a query needs is there no later than the query is got.
    GotAfterRows,
    /// The last mutation id of a client never decreases.
    MutationIdsGrow,
    /// No mutation is acknowledged that was not sent.
    NoUnsentMutation,
    /// A result that is poked is of a mutation that failed.
    ResultsAreFailures,
    /// An error says where it comes from.
    ErrorHasOrigin,
    /// An error that ends the connection is its last frame, and the socket is closed.
    ClosesAfterError,
    /// Every `ping` is answered by a `pong`.
    PongForPing,
    /// Nothing is sent on a closed socket.
    NothingAfterClose,
    /// A poke that has begun ends.
    PokeEnds,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 30] = [
        Self::UpgradeEchoesProtocol,
        Self::ConnectedFirst,
        Self::ConnectedOnce,
        Self::ConnectedNamesSocket,
        Self::TextOnly,
        Self::WellFormed,
        Self::KnownType,
        Self::OnePokeAtATime,
        Self::OnePokeId,
        Self::BaseIsClientsCookie,
        Self::NullBaseOnlyForEmpty,
        Self::CookieGrows,
        Self::CookieNotEmpty,
        Self::PatchNeedsNewCookie,
        Self::InitialPoke,
        Self::NoClearOfQueries,
        Self::ClearComesFirst,
        Self::WholeRows,
        Self::ExactKeys,
        Self::UpdateOfKnownRow,
        Self::GotIsDesired,
        Self::GotAfterRows,
        Self::MutationIdsGrow,
        Self::NoUnsentMutation,
        Self::ResultsAreFailures,
        Self::ErrorHasOrigin,
        Self::ClosesAfterError,
        Self::PongForPing,
        Self::NothingAfterClose,
        Self::PokeEnds,
    ];
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// How many frames the server had sent on the socket, this one included; 0 for the upgrade.
    pub frame: usize,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {}: {:?}: {}", self.frame, self.rule, self.found)
    }
}
