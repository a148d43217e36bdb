//! Viewers that stop half-way, or send more than they should, at every step.

use std::time::Duration;

use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags as Early;
use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_rdp::viewer::{CredSspViolation, Pending, ViewerError};
use sspi::credssp::{ClientState, TsRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use crate::harness::{BOTH, TICKET, negotiate, prove, settings};
use passerelle_rdp_peers::client::{Client, Wrapping, connection_request as request};
use passerelle_rdp_peers::{client_blocks as blocks, connect_initial, read_ts_request};

const HYBRID: SecurityProtocol = SecurityProtocol::HYBRID;
const SSL: SecurityProtocol = SecurityProtocol::SSL;

/// The whole of a login with whatever it takes.
async fn served(server: DuplexStream) -> Result<(), ViewerError> {
    match negotiate(server, &settings(BOTH)).await? {
        Pending::Nla(nla) => {
            let (_, proven) = prove(nla, &[TICKET]).await?.unwrap();
            proven.refuse(passerelle_rdp::viewer::RdpRefusal::Denied).await
        }
        Pending::Reference { proven, .. } | Pending::Password { proven, .. } => {
            proven.refuse(passerelle_rdp::viewer::RdpRefusal::Denied).await
        }
    }
}

/// How far the client below goes before it sends `last` and waits.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Step {
    Nothing,
    Tls,
    Negotiate,
    Authenticate,
    Delegate,
    Greet,
    Join,
}

const STEPS: [Step; 7] =
    [Step::Nothing, Step::Tls, Step::Negotiate, Step::Authenticate, Step::Delegate, Step::Greet, Step::Join];

async fn up_to(step: Step, stream: DuplexStream, last: &[u8]) {
    if step == Step::Nothing {
        let mut stream = stream;
        stream.write_all(last).await.unwrap();
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return;
    }
    let mut client = Client::secure(stream, HYBRID).await.unwrap();
    let mut credssp = client.credssp("alice:desk", TICKET, Wrapping::Bare, 6);
    let mut received = TsRequest::default();
    for done in [Step::Negotiate, Step::Authenticate, Step::Delegate] {
        if step < done {
            break;
        }
        match credssp.process(received).resolve_to_result().unwrap() {
            ClientState::ReplyNeeded(request) => {
                client.send_ts_request(&request).await.unwrap();
                received = read_ts_request(&mut client.transport).await.unwrap();
            }
            ClientState::FinalMessage(request) => {
                client.send_ts_request(&request).await.unwrap();
                break;
            }
        }
    }
    if step >= Step::Greet {
        client.greet(blocks(&["cliprdr"], Early::empty())).await.unwrap();
    }
    // A connection that was given up takes no more.
    let _ = client.transport.send(last).await;
    if step >= Step::Join {
        return;
    }
    let _ = client.transport.shutdown().await;
    let _ = client.transport.read_to_end(&mut Vec::new()).await;
}

async fn outcome(step: Step, last: &[u8]) -> ViewerError {
    let (client, server) = duplex(256 * 1024);
    let both = async { tokio::join!(up_to(step, client, last), served(server)).1 };
    timeout(Duration::from_secs(20), both).await.unwrap().unwrap_err()
}

#[tokio::test]
async fn a_viewer_may_leave_at_every_step() {
    for step in STEPS {
        let error = outcome(step, b"").await;
        assert!(matches!(error, ViewerError::Closed), "{step:?}: {error}");
        // In the middle of a message, too.
        let partial = if step == Step::Nothing || step >= Step::Delegate {
            &b"\x03\0\0\x20\x02"[..]
        } else {
            b"\x30\x40\x02"
        };
        let error = outcome(step, partial).await;
        assert!(matches!(error, ViewerError::Closed), "{step:?}: {error}");
    }
}

#[tokio::test]
async fn messages_longer_than_their_step_needs_are_not_read() {
    for step in STEPS {
        match step {
            Step::Nothing => {
                let error = outcome(step, b"\x03\0\xFF\xFF").await;
                assert!(matches!(error, ViewerError::TooLong { len: 0xFFFF, limit: 512 }), "{error}");
                let error = outcome(step, b"\x01\x08\0\0").await;
                assert!(matches!(error, ViewerError::NotRdp(_)), "{error}");
            }
            Step::Tls | Step::Negotiate | Step::Authenticate => {
                let error = outcome(step, b"\x30\x82\x40\x01").await;
                let too_long = matches!(error, ViewerError::CredSsp(CredSspViolation::TooLong(0x4001)));
                assert!(too_long, "{step:?}: {error}");
                let error = outcome(step, b"\x30\x84\xFF\xFF\xFF\xFF").await;
                assert!(matches!(error, ViewerError::CredSsp(CredSspViolation::TooLong(_))), "{error}");
                let error = outcome(step, b"\x30\x80").await;
                assert!(matches!(error, ViewerError::CredSsp(CredSspViolation::TsRequest)), "{error}");
            }
            Step::Delegate => {
                let error = outcome(step, b"\x03\0\x40\x01").await;
                assert!(matches!(error, ViewerError::TooLong { limit: 16_384, .. }), "{error}");
            }
            Step::Greet | Step::Join => {
                let error = outcome(step, b"\x03\0\x20\x01").await;
                assert!(matches!(error, ViewerError::TooLong { limit: 8192, .. }), "{error}");
                let error = outcome(step, b"\x03\0\0\x03").await;
                assert!(matches!(error, ViewerError::TooShort(3)), "{error}");
                let error = outcome(step, b"\x04\0\0\x20").await;
                assert!(matches!(error, ViewerError::NotTpkt(4)), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn garbage_ends_the_connection_at_every_step() {
    for step in STEPS {
        let garbage = if step == Step::Nothing || step >= Step::Delegate {
            &b"\x03\0\0\x0B\x06\x42\x42\x42\x42\x42\x42"[..]
        } else {
            b"\x30\x06\x42\x42\x42\x42\x42\x42"
        };
        let error = outcome(step, garbage).await;
        let refused = matches!(
            error,
            ViewerError::Request(_)
                | ViewerError::CredSsp(CredSspViolation::TsRequest)
                | ViewerError::Malformed { .. }
        );
        assert!(refused, "{step:?}: {error}");
    }
}

#[tokio::test]
async fn what_a_stranger_may_send_is_limited() {
    // As one endless TLS handshake.
    let (mut client, server) = duplex(256 * 1024);
    client.write_all(&request(SSL, None)).await.unwrap();
    let mut handshake = b"\x01\x00\xFF\xF0\x03\x03".to_vec();
    handshake.resize(0xFFF4, 0);
    for fragment in handshake.chunks(16_000) {
        client.write_all(&[0x16, 3, 1]).await.unwrap();
        client.write_all(&u16::try_from(fragment.len()).unwrap().to_be_bytes()).await.unwrap();
        client.write_all(fragment).await.unwrap();
    }
    assert!(matches!(served(server).await, Err(ViewerError::Tls(_) | ViewerError::Io(_))));

    // Or as many messages of its own accord, each short enough.
    let (client, server) = duplex(256 * 1024);
    let (_client, error) = tokio::join!(
        async {
            let mut client = Client::secure(client, SSL).await.unwrap();
            let mut hello = connect_initial(blocks(&[], Early::empty()));
            client.transport.send(&hello).await.unwrap();
            hello.resize(8192, 0);
            hello[2..4].copy_from_slice(&8192u16.to_be_bytes());
            // An Erect Domain Request with much behind it.
            hello[4..14].copy_from_slice(&[2, 0xF0, 0x80, 4, 1, 0, 1, 0, 0, 0]);
            for _ in 0..8 {
                let _ = client.transport.send(&hello).await;
            }
            client
        },
        served(server)
    );
    assert!(matches!(error, Err(ViewerError::Io(_))), "{error:?}");
}

#[tokio::test]
async fn as_many_channels_as_the_protocol_has_are_taken_and_not_one_more() {
    for (count, taken) in [(31, true), (32, false)] {
        let names: Vec<_> = (0..31).map(|number| format!("c{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut hello = connect_initial(blocks(&names, Early::empty()));
        // TS_UD_CS_NET, its length, then the count.
        let block = hello.windows(2).rposition(|bytes| bytes == [0x03, 0xC0]).unwrap();
        hello[block + 4] = count;
        let (client, server) = duplex(64 * 1024);
        let (_client, error) = tokio::join!(
            async {
                let mut client = Client::secure(client, SSL).await.unwrap();
                client.transport.send(&hello).await.unwrap();
                let _ = client.transport.shutdown().await;
                client
            },
            served(server)
        );
        match error {
            Err(ViewerError::Closed) => assert!(taken),
            Err(ViewerError::Malformed { .. }) => assert!(!taken),
            other => panic!("{other:?}"),
        }
    }
}
