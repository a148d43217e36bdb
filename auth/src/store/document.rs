//! Small values that the nodes share under a name.

use std::fmt;

use crate::Timestamp;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a [`Document`] is for. Each kind has names of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DocumentKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DocumentKind {
            /// Every kind.
            pub const ALL: &'static [DocumentKind] = &[$(DocumentKind::$variant,)+];

            /// The name in the store, which never changes.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DocumentKind::$variant => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A target that was added through the API, by its name.
    Target = "target",
    /// A login to the API, by the hash of its token.
    Token = "token",
    /// A program that uses the API, by its name.
    ServiceAccount = "service_account",
    /// Somebody's wish for a second person's consent, by its identifier.
    Approval = "approval",
    /// The answer to a request, by the idempotency key that came with it.
    Idempotency = "idempotency",
    /// A JWT that was used, by issuer and `jti`.
    JwtId = "jwt_id",
    /// The last time step for which a user gave a one-time password, by user.
    OtpStep = "otp_step",
    /// A recovery code that was used, by user and code.
    RecoveryCode = "recovery_code",
}

impl DocumentKind {
    /// Whether a change of such a document changes what is allowed, and so the store's
    /// [epoch](crate::Store::epoch).
    pub const fn raises_epoch(self) -> bool {
        matches!(self, Self::Target | Self::ServiceAccount)
    }
}

/// A document that is to be kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is for.
    pub kind: DocumentKind,
    /// Its name among those of its kind.
    pub key: String,
    /// What it says. The store does not look into it.
    pub value: Vec<u8>,
    /// From when on it is absent, if it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value may be a secret, and the key may name one.
        f.debug_struct("Document").field("kind", &self.kind).field("expires_at", &self.expires_at).finish()
    }
}

/// A document as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its name among those of its kind.
    pub key: String,
    /// What it says.
    pub value: Vec<u8>,
    /// The number of the change that made it so. No later change of any document has the same.
    pub version: u64,
    /// From when on it is absent, if it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for StoredDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredDocument")
            .field("version", &self.version)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// What has to be there for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing. Of any number of concurrent changes that expect this exactly one is made, which is how
    /// something is used once.
    Absent,
    /// This version.
    Version(u64),
    /// Anything or nothing.
    Any,
}

/// What became of a document that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is kept.
    Stored {
        /// As which version.
        version: u64,
    },
    /// Something else is there than was expected. Nothing was changed.
    Conflict,
}
