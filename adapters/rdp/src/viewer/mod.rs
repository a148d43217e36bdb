//! The server's role towards a technician's viewer.
//!
//! [`negotiate`] leads a viewer up to the point where it has presented something to judge, which is one of the
//! three kinds of [`Pending`]. Once it is judged, [`Proven::enter`] completes the connection up to Client Info,
//! or [`Proven::refuse`] ends it with a reason that the viewer shows.

mod error;
mod info;
mod layout;
mod login;
mod mcs;
mod nla;
mod opening;
mod proven;
mod refusal;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_transport::{Transport, accept};
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

pub use self::error::ViewerError;
pub use self::login::LoginName;
pub use self::nla::{CredSspViolation, Match, Nla};
pub use self::proven::{Proven, ViewerFacts, ViewerLeg};
pub use self::refusal::RdpRefusal;

/// The most that a viewer may send before it is let in, in bytes: TLS handshake, CredSSP, Connect Initial with
/// every channel and monitor, Client Info, and some room.
const LOGIN_BUDGET: usize = 32 * 1024;

/// A source of randomness that fills what it is given.
pub type Random<'a> = &'a mut (dyn FnMut(&mut [u8]) + Send);

/// What is offered to viewers.
#[derive(Clone, Debug)]
pub struct ViewerSettings {
    /// What protects connections, in any order: the best that viewer and gateway have in common is used.
    pub security: Vec<ViewerSecurity>,
    /// Certificate and key.
    pub tls: Arc<rustls::ServerConfig>,
    /// The certificate's key, as the content of the BIT STRING `subjectPublicKey` (RFC 5280, 4.1.2.7). Network
    /// Level Authentication binds the login to it.
    pub public_key: Vec<u8>,
    /// Name of this computer for NTLM; some clients show it. The first 15 characters count.
    pub node: String,
}

impl ViewerSettings {
    /// The usual [`node`](Self::node).
    pub const NODE: &'static str = "PASSERELLE";
}

/// What protects a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewerSecurity {
    /// TLS and Network Level Authentication (CredSSP, with or without Early User Authorization). The secret must
    /// be known to the gateway, as that of a ticket is.
    Nla,
    /// TLS alone. The secret comes in Client Info, or there is a reference in its place.
    Tls,
}

impl ViewerSecurity {
    /// As in configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nla => "nla",
            Self::Tls => "tls",
        }
    }
}

/// A viewer that has presented something to judge.
pub enum Pending<S> {
    /// A name, and the proof that its user knows the secret.
    Nla(Nla<S>),
    /// A reference that the gateway gave out, in the routing token or the preconnection blob. It begins with
    /// `passerelle-`. It came in clear: it must be good for one use only.
    Reference {
        /// All of it.
        reference: Zeroizing<String>,
        /// The viewer, once the reference is found to be right.
        proven: Proven<S>,
    },
    /// Name and password in Client Info, both perhaps empty. The viewer was told its channels already.
    Password {
        /// The name.
        login: LoginName,
        /// The password.
        password: Zeroizing<String>,
        /// The viewer, once the password is found to be right.
        proven: Proven<S>,
    },
}

/// Shows no secret.
impl<S> fmt::Debug for Pending<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nla(nla) => f.debug_tuple("Nla").field(nla).finish(),
            Self::Reference { proven, .. } => {
                f.debug_struct("Reference").field("proven", proven).finish_non_exhaustive()
            }
            Self::Password { login, proven, .. } => f
                .debug_struct("Password")
                .field("login", login)
                .field("proven", proven)
                .finish_non_exhaustive(),
        }
    }
}

/// Leads a viewer up to the point where there is something to judge. `now` goes into NTLM's challenge.
///
/// Sets no deadline. Holds less than 64 KiB for the viewer whatever it sends.
///
/// # Errors
/// The viewer went away, broke the protocol, or cannot be let in with what `settings` offer; where the protocol
/// can carry the reason, the viewer was told.
pub async fn negotiate<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    settings: &ViewerSettings,
    now: SystemTime,
    random: Random<'_>,
) -> Result<Pending<S>, ViewerError> {
    let mut transport = Transport::with_budget(stream, LOGIN_BUDGET);
    let (chosen, reference) = opening::open(&mut transport, &settings.security).await?;
    // Nobody resumes these sessions, and tickets right behind the handshake confuse some clients.
    let mut tls = rustls::ServerConfig::clone(&settings.tls);
    tls.send_tls13_tickets = 0;
    let transport = accept(transport, Arc::new(tls)).await.map_err(ViewerError::tls)?;
    if chosen.selected != SecurityProtocol::SSL {
        return nla::begin(transport, chosen, settings, now, random).await.map(Pending::Nla);
    }
    let proven = Proven::new(transport, chosen, ViewerSecurity::Tls);
    match reference {
        Some(reference) => Ok(Pending::Reference { reference, proven }),
        None => {
            let (login, password, proven) = proven.read_password().await?;
            Ok(Pending::Password { login, password, proven })
        }
    }
}
