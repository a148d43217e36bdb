//! Network Level Authentication: CredSSP (MS-CSSP) with NTLMv2, bare or within SPNEGO, as the server.
//!
//! The acceptor of the crate `sspi` is not used for it: it never looks at the proof of NTLMv2, does not say
//! which of several secrets matched, and reads the system's clock and randomness. Here the proof is what is
//! checked first, in constant time. Whether the client's delegated credentials are those of the proof does not
//! matter, and they are not even parsed: identity comes from what was proven. Clients that delegate nothing
//! (`/restricted-admin`) are therefore welcome as well.

mod der;
mod forms;
mod ntlm;
mod seal;
mod spnego;
#[cfg(test)]
mod tests;
mod ts_request;

use std::hint::black_box;
use std::time::SystemTime;

use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use self::ntlm::Authenticate;
use self::seal::Session;
use self::ts_request::{KeyBinding, LOGON_FAILURE, TsRequest};
use super::opening::Chosen;
use super::{LoginName, Proven, Random, ViewerError, ViewerSecurity, ViewerSettings};

/// The longest message of CredSSP that is read, in bytes. A long one has about 2,000.
const LONGEST: usize = 16 * 1024;

/// So many secrets are tried at least, so that a refusal does not tell by its time how many there were.
const TRIED_AT_LEAST: usize = 4;

/// Tried in the place of secrets that there are not.
const AS_LONG_AS_A_TICKET: &str = "AAAAAAAAAAAAAAAA";

/// EarlyUserAuthResult (MS-RDPBCGR 5.4.2.2): AUTHZ_SUCCESS.
const AUTHORIZED: [u8; 4] = [0; 4];

/// How a client breaks CredSSP, or wants it in a way that is not supported.
#[derive(Debug, thiserror::Error)]
pub enum CredSspViolation {
    /// Not a message of CredSSP.
    #[error("a TSRequest is malformed")]
    TsRequest,
    /// Longer than any.
    #[error("a TSRequest of {0} bytes was announced where at most {LONGEST} are accepted")]
    TooLong(usize),
    /// Version 1, or none.
    #[error("the client speaks version {0} of CredSSP; 2 or later is needed")]
    Version(u32),
    /// The version changed on the way.
    #[error("the client changed its version of CredSSP on the way")]
    VersionChanged,
    /// A message without the token that belongs into it.
    #[error("a TSRequest lacks its {0}")]
    Missing(&'static str),
    /// Neither SPNEGO nor NTLM.
    #[error("the client's first token is neither SPNEGO nor NTLM")]
    Token,
    /// A malformed message of SPNEGO.
    #[error("a message of SPNEGO is malformed")]
    Spnego,
    /// A client that insists on Kerberos.
    #[error("the client does not offer NTLM, and there is no Kerberos here")]
    NoNtlm,
    /// A malformed message of NTLM.
    #[error("NTLM's {0} is malformed")]
    Ntlm(&'static str),
    /// Flags without Unicode, extended session security or 128-bit keys.
    #[error(
        "the client wants NTLM without its protections (flags {0:#010x}); allow NTLMv2 with 128-bit keys in it"
    )]
    WeakNtlm(u32),
    /// NTLMv1 or an anonymous client.
    #[error("the client does not answer with NTLMv2")]
    NotNtlmV2,
    /// The signature over NTLM's messages is wrong: somebody changed them on the way.
    #[error("the signature over NTLM's messages is wrong")]
    Mic,
    /// The signature over SPNEGO's list of mechanisms is wrong: somebody changed it on the way.
    #[error("the signature over SPNEGO's list of mechanisms is wrong")]
    MechListMic,
    /// A sealed message that cannot be opened.
    #[error("a sealed message cannot be opened")]
    Seal,
    /// The client sees another certificate.
    #[error("the client sees another certificate than this gateway's: somebody sits between")]
    KeyBinding,
    /// No nonce, which versions from 5 on must send.
    #[error("the client sent no nonce")]
    NoNonce,
}

/// A viewer that has sent its proof and waits for the verdict.
pub struct Nla<S> {
    transport: Transport<S>,
    chosen: Chosen,
    public_key: Vec<u8>,
    login: LoginName,
    exchange: Box<Exchange>,
}

/// A secret that a viewer's user knows.
pub struct Match {
    index: usize,
    /// The key that follows from it.
    base: Zeroizing<[u8; 16]>,
}

impl Match {
    /// Which of the candidates it is.
    pub const fn index(&self) -> usize {
        self.index
    }
}

/// Shows no key.
impl std::fmt::Debug for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Match").field("index", &self.index).finish_non_exhaustive()
    }
}

/// What was said so far.
struct Exchange {
    version: u32,
    negotiate: Vec<u8>,
    challenge: [u8; 8],
    challenge_message: Vec<u8>,
    authenticate: Authenticate,
    /// The list of mechanisms, when it goes through SPNEGO.
    mech_types: Option<Vec<u8>>,
    mech_list_mic: Option<Vec<u8>>,
    pub_key_auth: Option<Vec<u8>>,
    client_nonce: Option<[u8; 32]>,
}

/// Leads a viewer through CredSSP until it has sent its proof.
pub(super) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    mut transport: Transport<S>,
    chosen: Chosen,
    settings: &ViewerSettings,
    now: SystemTime,
    random: Random<'_>,
) -> Result<Nla<S>, ViewerError> {
    let mut request = receive(&mut transport, None).await?;
    let version = request.version;
    let mut token = request.token.ok_or(CredSspViolation::Missing("token"))?;
    let mut mech_types = None;
    let mut named = false;
    if spnego::is_initial(&token) {
        let init = spnego::Init::decode(&token)?;
        mech_types = Some(init.mech_types);
        token = match init.token {
            Some(token) => token,
            None => {
                send(&mut transport, &ts_request::reply(version, Some(&spnego::choose_ntlm()), None)).await?;
                named = true;
                request = receive(&mut transport, Some(version)).await?;
                let response = request.token.ok_or(CredSspViolation::Missing("token"))?;
                spnego::Response::decode(&response)?.token.ok_or(CredSspViolation::Missing("NTLM message"))?
            }
        };
    } else if !ntlm::is_message(&token) {
        return Err(CredSspViolation::Token.into());
    }
    let wanted = ntlm::negotiate_flags(&token)?;
    let negotiate = token;

    let mut challenge = [0; 8];
    random(&mut challenge);
    let node: String = settings.node.chars().take(LONGEST_NODE).collect();
    let challenge_message = ntlm::challenge(wanted, challenge, &node, now);
    let token = match mech_types {
        Some(_) => spnego::challenge(&challenge_message, !named),
        None => challenge_message.clone(),
    };
    send(&mut transport, &ts_request::reply(version, Some(&token), None)).await?;

    let request = receive(&mut transport, Some(version)).await?;
    let mut token = request.token.ok_or(CredSspViolation::Missing("token"))?;
    let mut mech_list_mic = None;
    if mech_types.is_some() {
        let response = spnego::Response::decode(&token)?;
        token = response.token.ok_or(CredSspViolation::Missing("NTLM message"))?;
        mech_list_mic = response.mech_list_mic;
        // Where NTLM was not the client's first choice, somebody may have talked it into that (RFC 4178, 5).
        if named && mech_list_mic.is_none() {
            return Err(CredSspViolation::MechListMic.into());
        }
    }
    let authenticate = Authenticate::decode(token)?;
    Ok(Nla {
        transport,
        chosen,
        public_key: settings.public_key.clone(),
        login: LoginName {
            username: String::from_utf16_lossy(&authenticate.user),
            domain: String::from_utf16_lossy(&authenticate.domain),
        },
        exchange: Box::new(Exchange {
            version,
            negotiate,
            challenge,
            challenge_message,
            authenticate,
            mech_types,
            mech_list_mic,
            pub_key_auth: request.pub_key_auth,
            client_nonce: request.client_nonce,
        }),
    })
}

/// NetBIOS names have so many characters.
const LONGEST_NODE: usize = 15;

impl<S> Nla<S> {
    /// The name with which the viewer logs in. What it says is not proven yet.
    pub const fn login(&self) -> &LoginName {
        &self.login
    }
}

/// Shows no proof: it would let a secret be guessed.
impl<S> std::fmt::Debug for Nla<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nla")
            .field("chosen", &self.chosen)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Nla<S> {
    /// Looks which of `candidates` the viewer's user knows. Each counts as it was issued, without hyphens, in
    /// groups of four and in two halves, in both cases.
    ///
    /// The viewer waits for [`accept`](Self::accept) or [`refuse`](Self::refuse).
    pub fn matching(&self, candidates: &[Zeroizing<String>]) -> Option<Match> {
        self.exchange.matching(candidates)
    }

    /// Lets the viewer go on, whose user knows the secret `matched`.
    ///
    /// Lifts the limit on what the viewer may send.
    ///
    /// # Errors
    /// The viewer went away or broke the protocol.
    pub async fn accept(mut self, matched: Match) -> Result<Proven<S>, ViewerError> {
        self.transport.lift_budget();
        let exchange = &mut self.exchange;
        let mut session = Session::new(matched.base, &exchange.authenticate);
        session.verify_mic(&exchange.negotiate, &exchange.challenge_message, &exchange.authenticate)?;
        let mut token = None;
        if let Some(mech_types) = &exchange.mech_types {
            let mic = match &exchange.mech_list_mic {
                Some(mic) => Some(session.exchange_mech_list_mic(mech_types, mic)?),
                None => None,
            };
            // Without a signature a client that has sent its proof about the certificate needs no more.
            if mic.is_some() || exchange.pub_key_auth.is_none() {
                token = Some(spnego::completed(mic.as_ref().map(<[u8; 16]>::as_slice)));
            }
        }
        let (pub_key_auth, client_nonce) = match exchange.pub_key_auth.take() {
            Some(proof) => (proof, exchange.client_nonce),
            None => {
                if let Some(token) = token.take() {
                    send(&mut self.transport, &ts_request::reply(exchange.version, Some(&token), None))
                        .await?;
                }
                let request = receive(&mut self.transport, Some(exchange.version)).await?;
                let proof = request.pub_key_auth.ok_or(CredSspViolation::Missing("pubKeyAuth"))?;
                (proof, request.client_nonce.or(exchange.client_nonce))
            }
        };
        let binding =
            KeyBinding { version: exchange.version, nonce: client_nonce, public_key: &self.public_key };
        binding.verify(&session.open(&pub_key_auth)?)?;
        let answer = session.seal(&binding.answer()?);
        send(&mut self.transport, &ts_request::reply(exchange.version, token.as_deref(), Some(&answer)))
            .await?;

        let request = receive(&mut self.transport, Some(exchange.version)).await?;
        let delegated = request.auth_info.ok_or(CredSspViolation::Missing("authInfo"))?;
        session.open(&delegated)?;
        if self.chosen.selected.contains(SecurityProtocol::HYBRID_EX) {
            send(&mut self.transport, &AUTHORIZED).await?;
        }
        Ok(Proven::new(self.transport, self.chosen, ViewerSecurity::Nla))
    }

    /// Tells the viewer that its secret is wrong (`STATUS_LOGON_FAILURE`), and closes the connection.
    ///
    /// # Errors
    /// The viewer went away.
    pub async fn refuse(mut self) -> Result<(), ViewerError> {
        if let Some(failure) = ts_request::failure(self.exchange.version, LOGON_FAILURE) {
            send(&mut self.transport, &failure).await?;
        }
        self.transport.shutdown().await.map_err(ViewerError::io)
    }
}

impl Exchange {
    /// The first candidate that was proven, and the key that follows.
    fn matching(&self, candidates: &[Zeroizing<String>]) -> Option<Match> {
        let mut matched = None;
        for (index, candidate) in candidates.iter().enumerate() {
            for form in forms::forms(candidate) {
                let base = seal::session_base_key(&form, self.challenge, &self.authenticate);
                matched = matched.or(base.map(|base| Match { index, base }));
            }
        }
        for _ in candidates.len()..TRIED_AT_LEAST {
            for form in forms::forms(AS_LONG_AS_A_TICKET) {
                black_box(seal::session_base_key(&form, self.challenge, &self.authenticate));
            }
        }
        matched
    }
}

/// Reads one message, of the version that the ones before had.
async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    version: Option<u32>,
) -> Result<TsRequest, ViewerError> {
    let mut bytes = transport.receive(2).await.map_err(ViewerError::io)?;
    let &[tag, first] = &**bytes else { return Err(CredSspViolation::TsRequest.into()) };
    if tag != der::SEQUENCE {
        return Err(CredSspViolation::TsRequest.into());
    }
    let len = if first < 0x80 {
        usize::from(first)
    } else {
        let digits = der::length_digits(first).ok_or(CredSspViolation::TsRequest)?;
        let digits = transport.receive(digits).await.map_err(ViewerError::io)?;
        bytes.extend_from_slice(&digits);
        der::length(&digits)
    };
    if len > LONGEST {
        return Err(CredSspViolation::TooLong(len).into());
    }
    let content = transport.receive(len).await.map_err(ViewerError::io)?;
    let mut message = Zeroizing::new(Vec::with_capacity(bytes.len() + content.len()));
    message.extend_from_slice(&bytes);
    message.extend_from_slice(&content);
    let request = TsRequest::decode(&message)?;
    match version {
        Some(version) if version != request.version => Err(CredSspViolation::VersionChanged.into()),
        _ => Ok(request),
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    message: &[u8],
) -> Result<(), ViewerError> {
    transport.send(message).await.map_err(ViewerError::io)
}
