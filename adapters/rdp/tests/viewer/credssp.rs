//! Network Level Authentication with another implementation's client.

use std::io;

use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_rdp::viewer::{CredSspViolation, Nla, Pending, Proven, ViewerError};
use sspi::credssp::{ClientState, CredSspMode, NStatusCode, TsRequest};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use crate::harness::{BOTH, TICKET, negotiate, prove, settings};
use passerelle_rdp_peers::client::{Client, Wrapping};
use passerelle_rdp_peers::read_ts_request;

const HYBRID: SecurityProtocol = SecurityProtocol::HYBRID;

async fn presented(server: DuplexStream) -> Result<Nla<DuplexStream>, ViewerError> {
    match negotiate(server, &settings(BOTH)).await? {
        Pending::Nla(nla) => Ok(nla),
        other => panic!("no NLA: {other:?}"),
    }
}

/// What client and server make of a login.
async fn login(
    user: &str,
    typed: &str,
    candidates: &[&str],
    wrapping: Wrapping,
    version: u32,
) -> (Result<(), Option<NStatusCode>>, Result<Option<(usize, Proven<DuplexStream>)>, ViewerError>) {
    let (client, server) = duplex(16 * 1024);
    tokio::join!(
        async {
            let mut client = Client::secure(client, HYBRID).await.unwrap();
            let credssp = client.credssp(user, typed, wrapping, version);
            client.log_in(credssp).await
        },
        async { prove(presented(server).await?, candidates).await }
    )
}

#[tokio::test]
async fn a_right_secret_is_recognized_in_every_version_and_wrapping() {
    for wrapping in [Wrapping::Bare, Wrapping::Spnego] {
        for version in 2..=6 {
            let (client, server) = login("alice:desk", TICKET, &[TICKET], wrapping, version).await;
            assert_eq!(client, Ok(()), "{wrapping:?} {version}");
            let (index, proven) = server.unwrap().unwrap();
            assert_eq!(index, 0);
            assert_eq!(proven.facts().protocol, HYBRID);
            assert!(proven.facts().tls.is_some());
        }
    }
}

#[tokio::test]
async fn the_candidate_that_matched_is_told() {
    let candidates = ["first", "second", TICKET, "fourth", "fifth", "sixth"];
    for typed in [TICKET, "abcdefgh01234567", "abcd-efgh-0123-4567", "ABCDEFGH-01234567"] {
        let (client, server) = login("alice:desk", typed, &candidates, Wrapping::Bare, 6).await;
        assert_eq!(client, Ok(()), "{typed}");
        assert_eq!(server.unwrap().unwrap().0, 2, "{typed}");
    }
}

#[tokio::test]
async fn the_login_is_read_in_the_forms_that_clients_send() {
    for (user, username, domain) in [
        ("alice:desk", "alice:desk", ""),
        ("CORP\\alice:desk", "alice:desk", "CORP"),
        ("alice:desk@corp.example", "alice:desk@corp.example", ""),
        ("élodie:accueil", "élodie:accueil", ""),
    ] {
        let (client, server) = duplex(16 * 1024);
        let (client, ()) = tokio::join!(
            async {
                let mut client = Client::secure(client, HYBRID).await.unwrap();
                let credssp = client.credssp(user, TICKET, Wrapping::Bare, 6);
                client.log_in(credssp).await
            },
            async {
                let nla = presented(server).await.unwrap();
                assert_eq!((nla.login().username.as_str(), nla.login().domain.as_str()), (username, domain));
                prove(nla, &[TICKET]).await.unwrap();
            }
        );
        assert_eq!(client, Ok(()), "{user}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_a_logon_failure() {
    for wrapping in [Wrapping::Bare, Wrapping::Spnego] {
        for candidates in [&[TICKET][..], &[], &["a", "b", "c", "d", "e"]] {
            let (client, server) = login("alice:desk", "WRONG", candidates, wrapping, 6).await;
            assert_eq!(client, Err(Some(NStatusCode::LOGON_FAILURE)));
            assert!(matches!(server, Ok(None)));
        }
    }
    // Version 2 has no way to say it.
    let (client, server) = login("alice:desk", "WRONG", &[TICKET], Wrapping::Bare, 2).await;
    assert_eq!(client, Err(None));
    assert!(matches!(server, Ok(None)));
}

#[tokio::test]
async fn an_unknown_user_hears_what_a_wrong_secret_hears() {
    let (client, server) = duplex(16 * 1024);
    let (client, server) = tokio::join!(
        async {
            let mut client = Client::secure(client, HYBRID).await.unwrap();
            let credssp = client.credssp("nobody", TICKET, Wrapping::Bare, 6);
            client.log_in(credssp).await
        },
        async { presented(server).await.unwrap().refuse().await }
    );
    assert_eq!(client, Err(Some(NStatusCode::LOGON_FAILURE)));
    server.unwrap();
}

#[tokio::test]
async fn a_client_that_delegates_nothing_is_who_it_proved_to_be() {
    let (client, server) = duplex(16 * 1024);
    let (client, server) = tokio::join!(
        async {
            let mut client = Client::secure(client, HYBRID).await.unwrap();
            let mode = CredSspMode::CredentialLess;
            let credssp = client.credssp_with("alice:desk", TICKET, Wrapping::Bare, 6, mode);
            client.log_in(credssp).await
        },
        async { prove(presented(server).await.unwrap(), &[TICKET]).await }
    );
    assert_eq!(client, Ok(()));
    assert_eq!(server.unwrap().unwrap().0, 0);
}

#[tokio::test]
async fn early_user_authorization_follows_where_it_was_agreed_on() {
    let (client, server) = duplex(16 * 1024);
    let (result, server) = tokio::join!(
        async {
            let mut client = Client::secure(client, HYBRID | SecurityProtocol::HYBRID_EX).await.unwrap();
            assert_eq!(client.selected, SecurityProtocol::HYBRID_EX);
            let credssp = client.credssp("alice:desk", TICKET, Wrapping::Bare, 6);
            client.log_in(credssp).await.unwrap();
            let mut result = [0xFF; 4];
            client.transport.read_exact(&mut result).await.map(|_| result)
        },
        async { prove(presented(server).await.unwrap(), &[TICKET]).await }
    );
    assert_eq!(result.unwrap(), [0; 4]);
    assert_eq!(server.unwrap().unwrap().1.facts().protocol, SecurityProtocol::HYBRID_EX);
}

#[tokio::test]
async fn a_client_that_sees_another_certificate_is_refused() {
    for version in [4, 6] {
        let (client, server) = duplex(16 * 1024);
        let (client, server) = tokio::join!(
            async {
                let mut client = Client::secure(client, HYBRID).await.unwrap();
                *client.public_key.last_mut().unwrap() ^= 1;
                let credssp = client.credssp("alice:desk", TICKET, Wrapping::Bare, version);
                client.log_in(credssp).await
            },
            async { prove(presented(server).await?, &[TICKET]).await }
        );
        assert_eq!(client, Err(None));
        assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::KeyBinding))), "{version}");
    }
}

/// Lets `change` change the client's AUTHENTICATE_MESSAGE, and what goes with it, before it is sent.
async fn tampered(
    change: impl Fn(&mut TsRequest),
) -> (io::Result<TsRequest>, Result<Option<(usize, Proven<DuplexStream>)>, ViewerError>) {
    let (client, server) = duplex(16 * 1024);
    tokio::join!(
        async {
            let mut client = Client::secure(client, HYBRID).await.unwrap();
            let mut credssp = client.credssp("alice:desk", TICKET, Wrapping::Bare, 6);
            let mut received = TsRequest::default();
            for step in 0..2 {
                let ClientState::ReplyNeeded(mut request) =
                    credssp.process(received).resolve_to_result().unwrap()
                else {
                    panic!("it is over early")
                };
                if step == 1 {
                    change(&mut request);
                }
                client.send_ts_request(&request).await.unwrap();
                received = match read_ts_request(&mut client.transport).await {
                    Ok(received) => received,
                    error => return error,
                };
            }
            Ok(received)
        },
        async { prove(presented(server).await?, &[TICKET]).await }
    )
}

/// Where the proof is in the client's AUTHENTICATE_MESSAGE.
fn proof(message: &[u8]) -> usize {
    u32::from_le_bytes(message[24..28].try_into().unwrap()).try_into().unwrap()
}

#[tokio::test]
async fn an_untouched_login_passes_through_the_tampering() {
    let (client, server) = tampered(|_| ()).await;
    assert!(client.unwrap().pub_key_auth.is_some());
    // The client of this test leaves before it delegates.
    assert!(matches!(server, Err(ViewerError::Closed)));
}

/// A server that relies on the signature over the messages lets in whoever leaves it out: the proof itself must
/// be checked.
#[tokio::test]
async fn a_random_proof_without_a_signature_is_refused() {
    let (client, server) = tampered(|request| {
        let message = request.nego_tokens.as_mut().unwrap();
        let proof = proof(message);
        message[proof..proof + 16].copy_from_slice(b"any sixteen byte");
        // MsvAvFlags (6), 4 bytes: no signature.
        let flags = message.windows(8).position(|pair| pair == [6, 0, 4, 0, 2, 0, 0, 0]).unwrap();
        message[flags + 4] = 0;
        message[72..88].fill(0);
    })
    .await;
    assert!(matches!(server, Ok(None)));
    assert_eq!(client.unwrap().error_code, Some(NStatusCode::LOGON_FAILURE));
}

#[tokio::test]
async fn a_changed_message_is_refused() {
    // The domain is in the proof, the workstation's flags only in the signature.
    let (client, server) = tampered(|request| {
        let message = request.nego_tokens.as_mut().unwrap();
        let proof = proof(message);
        message[proof] ^= 1;
    })
    .await;
    assert!(matches!(server, Ok(None)));
    assert_eq!(client.unwrap().error_code, Some(NStatusCode::LOGON_FAILURE));

    let (client, server) = tampered(|request| request.nego_tokens.as_mut().unwrap()[60] ^= 0x10).await;
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::Mic))));
    assert!(client.is_err());

    let (client, server) = tampered(|request| *request.pub_key_auth.as_mut().unwrap() = vec![1; 15]).await;
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::Seal))));
    assert!(client.is_err());

    let (client, server) = tampered(|request| request.client_nonce = None).await;
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::NoNonce))));
    assert!(client.is_err());

    let (client, server) = tampered(|request| request.version = 5).await;
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::VersionChanged))));
    assert!(client.is_err());

    let (client, server) = tampered(|request| request.nego_tokens = None).await;
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::Missing("token")))));
    assert!(client.is_err());
}
