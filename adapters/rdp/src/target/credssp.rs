//! CredSSP as the client, with NTLM (MS-CSSP, MS-NLMP).

use std::io;

use passerelle_transport::Transport;
use sspi::credssp::{ClientMode, ClientState, CredSspClient, CredSspMode, NStatusCode, TsRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, Credentials, Username};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::subscriber::{NoSubscriber, with_default};
use zeroize::Zeroizing;

use super::credentials::{Account, CredentialsError, TargetCredentials};
use super::{LogonFailure, TargetError, TargetViolation};

/// The longest TSRequest that is accepted. Challenges of Windows have a few hundred bytes.
const REQUEST_LIMIT: usize = 16 * 1024;
/// Version 5 binds TLS by a hash with a nonce; before it, someone between could relay (CVE-2018-0886).
const OLDEST_VERSION: u32 = 5;
/// The newest that is defined (MS-CSSP 2.2.1).
const NEWEST_VERSION: u32 = 6;
/// Length of the NTLM signature that a sealed message begins with (MS-NLMP 2.2.2.9).
const SIGNATURE: usize = 16;
/// What the PDUs below CredSSP begin with (RFC 2126, 6).
const TPKT: u8 = 3;

const DOING: &str = "checking the credentials";

/// The connection to which the credentials are bound.
pub(super) struct Context<'a> {
    /// The key of the target's certificate, as the content of `subjectPublicKey`.
    pub(super) public_key: &'a [u8],
    /// The target's name, for the service principal name.
    pub(super) server_name: &'a str,
    /// Our own name.
    pub(super) client_name: &'a str,
    /// Whether the target ends with an Early User Authorization Result (PROTOCOL_HYBRID_EX).
    pub(super) early_authorization: bool,
}

/// Logs in. The password is sent, sealed, only after the target has shown that it knows the NTLM session key and
/// has this connection's public key.
pub(super) async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    credentials: &TargetCredentials,
    context: &Context<'_>,
) -> Result<(), TargetError> {
    let identity = identity(&credentials.complete().ok_or(CredentialsError::Missing)?)?;
    if context.public_key.is_empty() {
        return Err(TargetError::CredSsp("the public key of the target's certificate cannot be read".into()));
    }
    let mut client = CredSspClient::new(
        context.public_key.to_vec(),
        Credentials::AuthIdentity(identity),
        CredSspMode::WithCredentials,
        ClientMode::Ntlm(NtlmConfig::new(context.client_name.to_owned())),
        format!("TERMSRV/{}", context.server_name),
    )
    .map_err(|error| TargetError::CredSsp(error.description))?;

    let negotiate =
        step(&mut client, TsRequest::default()).map_err(|error| TargetError::CredSsp(error.description))?;
    send(transport, negotiate).await?;

    let challenge = receive(transport).await?;
    if challenge.nego_tokens.is_none() {
        return Err(TargetViolation::TsRequestLacks("the NTLM challenge").into());
    }
    let authenticate =
        step(&mut client, challenge).map_err(|error| TargetViolation::Challenge(error.description))?;
    send(transport, authenticate).await?;

    let proof = receive(transport).await.map_err(unsaid)?;
    // sspi takes the signature off without looking at the length.
    if proof.pub_key_auth.as_ref().is_none_or(|key| key.len() < SIGNATURE) {
        return Err(TargetViolation::TsRequestLacks("the sealed public key").into());
    }
    let delegate = step(&mut client, proof).map_err(|_| TargetError::Unproven)?;
    send(transport, delegate).await?;

    if context.early_authorization {
        early_authorization(transport).await?;
    }
    Ok(())
}

/// A refusal without status: FreeRDP's servers close the connection, gnome-remote-desktop sends an MCS good-bye
/// first.
fn unsaid(error: TargetError) -> TargetError {
    match error {
        TargetError::Closed(_) | TargetError::Violation(TargetViolation::NotTsRequest(TPKT)) => {
            LogonFailure::Unsaid.into()
        }
        error => error,
    }
}

fn identity(account: &Account<'_>) -> Result<AuthIdentity, CredentialsError> {
    if account.password.starts_with(sspi::ntlm::NTLM_HASH_PREFIX) {
        return Err(CredentialsError::LooksLikeHash);
    }
    let domain = Some(account.domain).filter(|domain| !domain.is_empty());
    let username = Username::new(account.username, domain).map_err(|_| CredentialsError::Name)?;
    Ok(AuthIdentity { username, password: account.password.to_owned().into() })
}

/// One step of sspi's client, of which nothing is logged: it writes the credentials into the spans of levels
/// debug and trace.
fn step(client: &mut CredSspClient, request: TsRequest) -> sspi::Result<TsRequest> {
    let state = with_default(NoSubscriber::default(), || client.process(request).resolve_to_result())?;
    let (ClientState::ReplyNeeded(reply) | ClientState::FinalMessage(reply)) = state;
    Ok(reply)
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    request: TsRequest,
) -> Result<(), TargetError> {
    let failed = |error: io::Error| TargetError::CredSsp(error.to_string());
    let len = request.buffer_len().map_err(|error| TargetError::CredSsp(error.description))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(len.into()));
    request.encode_ts_request(&mut *bytes).map_err(failed)?;
    transport.send(&bytes).await.map_err(|error| TargetError::io(error, DOING))
}

/// Reads a TSRequest that reports no error, and not a byte more.
async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
) -> Result<TsRequest, TargetError> {
    let lost = |error| TargetError::io(error, DOING);
    let mut bytes = transport.receive(2).await.map_err(lost)?;
    let (tag, form) = match bytes[..] {
        [tag, form] => (tag, form),
        _ => return Err(TargetError::Closed(DOING)),
    };
    // SEQUENCE, constructed; lengths of at most two octets.
    if tag != 0x30 {
        return Err(TargetViolation::NotTsRequest(tag).into());
    }
    let octets = match form {
        0..=0x7f => 0,
        0x81 => 1,
        0x82 => 2,
        form => return Err(TargetViolation::TsRequestLength(form).into()),
    };
    let len = transport.receive(octets).await.map_err(lost)?;
    bytes.extend_from_slice(&len);
    let len = match len[..] {
        [] => usize::from(form),
        [low] => usize::from(low),
        [high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
    };
    if len > REQUEST_LIMIT {
        return Err(TargetViolation::TooLong { len, limit: REQUEST_LIMIT }.into());
    }
    bytes.extend_from_slice(&transport.receive(len).await.map_err(lost)?);
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<TsRequest, TargetError> {
    let request = TsRequest::from_buffer(bytes)
        .map_err(|error| TargetViolation::Malformed { pdu: "TSRequest", error: error.to_string() })?;
    if let Some(status) = request.error_code.filter(|status| *status != NStatusCode::SUCCESS) {
        return Err(LogonFailure::from_status(status.0).into());
    }
    if !(OLDEST_VERSION..=NEWEST_VERSION).contains(&request.version) {
        return Err(TargetViolation::CredSspVersion(request.version).into());
    }
    Ok(request)
}

/// Reads the Early User Authorization Result (MS-RDPBCGR 2.2.10.2).
async fn early_authorization<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
) -> Result<(), TargetError> {
    let result = transport.receive(4).await.map_err(|error| TargetError::io(error, DOING))?;
    match result.iter().rev().fold(0, |value: u32, byte| value << 8 | u32::from(*byte)) {
        0 => Ok(()),
        5 => Err(LogonFailure::NotAuthorized.into()),
        other => Err(TargetViolation::AuthorizationResult(other).into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(request: &TsRequest) -> Vec<u8> {
        let mut bytes = Vec::new();
        request.encode_ts_request(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_status_counts_before_anything_else() {
        let request = TsRequest {
            version: 3,
            error_code: Some(NStatusCode::ACCOUNT_LOCKED_OUT),
            ..TsRequest::default()
        };
        assert!(matches!(parse(&encoded(&request)), Err(TargetError::Logon(LogonFailure::LockedOut))));
    }

    #[test]
    fn versions_that_can_be_relayed_are_refused() {
        for (version, safe) in [(2, false), (4, false), (5, true), (6, true), (7, false)] {
            let request = TsRequest { version, nego_tokens: Some(vec![1]), ..TsRequest::default() };
            assert_eq!(parse(&encoded(&request)).is_ok(), safe, "{version}");
        }
    }

    #[test]
    fn a_password_is_not_taken_for_a_hash() {
        let account = Account { domain: "", username: "alice", password: "$NTLM$:00" };
        assert_eq!(identity(&account), Err(CredentialsError::LooksLikeHash));
        let account = Account { domain: "a@b", username: "alice", password: "" };
        assert_eq!(identity(&account), Err(CredentialsError::Name));
    }

    proptest! {
        #[test]
        fn nothing_that_a_target_sends_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse(&bytes);
        }
    }
}
