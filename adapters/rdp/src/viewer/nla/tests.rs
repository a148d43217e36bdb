//! Clients that like another mechanism better than NTLM.

use std::sync::Arc;
use std::time::SystemTime;

use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_transport::Transport;
use tokio::io::{DuplexStream, duplex};
use zeroize::Zeroizing;

use super::seal::tests::authenticate;
use super::spnego::tests::{KERBEROS, init};
use super::*;

const SECRET: &str = "ABCDEFGH01234567";
const PUBLIC_KEY: &[u8] = b"the certificate's key";

fn settings() -> ViewerSettings {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    ViewerSettings {
        security: vec![ViewerSecurity::Nla],
        tls: Arc::new(tls),
        public_key: PUBLIC_KEY.to_vec(),
        node: ViewerSettings::NODE.into(),
    }
}

async fn serve(stream: DuplexStream) -> Result<usize, ViewerError> {
    let chosen = Chosen { requested: SecurityProtocol::HYBRID, selected: SecurityProtocol::HYBRID };
    let mut random = |bytes: &mut [u8]| bytes.fill(9);
    let settings = settings();
    let transport = Transport::plain(stream);
    let nla = begin(transport, chosen, &settings, SystemTime::UNIX_EPOCH, &mut random).await?;
    let matched = nla.matching(&[Zeroizing::new(SECRET.to_owned())]).unwrap();
    let index = matched.index();
    nla.accept(matched).await.map(|_| index)
}

async fn ask(transport: &mut Transport<DuplexStream>, request: &TsRequest) -> Result<TsRequest, ViewerError> {
    transport.send(&encoded(request)).await.unwrap();
    receive(transport, None).await
}

/// As another implementation writes it.
fn encoded(request: &TsRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    sspi::credssp::TsRequest {
        // The certificate's key is sealed itself, not its hash.
        version: 4,
        nego_tokens: request.token.clone(),
        auth_info: request.auth_info.as_deref().cloned(),
        pub_key_auth: request.pub_key_auth.clone(),
        error_code: None,
        client_nonce: None,
    }
    .encode_ts_request(&mut bytes)
    .unwrap();
    bytes
}

fn token(token: Vec<u8>) -> TsRequest {
    TsRequest { token: Some(token), ..TsRequest::default() }
}

/// Likes Kerberos best, then takes NTLM as the server wants it. `sign` makes the signature over the list.
async fn talked_into_ntlm(
    stream: DuplexStream,
    sign: impl Fn(&mut Session, &[u8]) -> Option<Vec<u8>>,
) -> Result<(), ViewerError> {
    let mut transport = Transport::plain(stream);
    let first = init(&[KERBEROS, spnego::NTLMSSP], Some(b"AP-REQ"));
    let list = spnego::Init::decode(&first).unwrap().mech_types;
    let chosen = ask(&mut transport, &token(first)).await?;
    // NegTokenResp: request-mic, NTLMSSP.
    assert_eq!(chosen.token.unwrap()[..9], [0xA1, 0x15, 0x30, 0x13, 0xA0, 3, 0x0A, 1, 3]);

    let mut negotiate = b"NTLMSSP\0\x01\0\0\0".to_vec();
    negotiate.extend(ntlm::flags::ACCEPTED.to_le_bytes());
    let challenge = ask(&mut transport, &token(spnego::client_response(&negotiate, None))).await?;
    let challenge = spnego::Response::decode(&challenge.token.unwrap()).unwrap().token.unwrap();
    let challenge: [u8; 8] = challenge[24..32].try_into().unwrap();
    assert_eq!(challenge, [9; 8]);

    let message = authenticate("alice:desk", SECRET, challenge);
    let read = Authenticate::decode(message.clone()).unwrap();
    let base = seal::session_base_key(SECRET, challenge, &read).unwrap();
    let mut session = Session::new(base, &read).mirrored();
    let mic = sign(&mut session, &list);
    let completed = token(spnego::client_response(&message, mic.as_deref()));
    let completed = ask(&mut transport, &completed).await?.token.unwrap();
    let mic = spnego::Response::decode(&completed).unwrap().mech_list_mic.unwrap();
    assert!(session.verify_list(&list, &mic));

    let pub_key_auth = Some(session.seal(PUBLIC_KEY));
    let bound = ask(&mut transport, &TsRequest { pub_key_auth, ..TsRequest::default() }).await?;
    let bound = session.open(&bound.pub_key_auth.unwrap()).unwrap();
    assert_eq!((bound[0], &bound[1..]), (PUBLIC_KEY[0] + 1, &PUBLIC_KEY[1..]));

    let auth_info = Some(session.seal(b"whatever").into());
    transport.send(&encoded(&TsRequest { auth_info, ..TsRequest::default() })).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn a_client_that_likes_kerberos_best_takes_ntlm() {
    let (client, server) = duplex(8192);
    let sign = |session: &mut Session, list: &[u8]| Some(session.sign_list(list).to_vec());
    let (client, server) = tokio::join!(talked_into_ntlm(client, sign), serve(server));
    client.unwrap();
    assert_eq!(server.unwrap(), 0);
}

#[tokio::test]
async fn nobody_is_talked_into_ntlm_without_a_right_signature() {
    let unsigned = |_: &mut Session, _: &[u8]| None;
    let (client, server) = duplex(8192);
    let (client, server) = tokio::join!(talked_into_ntlm(client, unsigned), serve(server));
    assert!(matches!(client, Err(ViewerError::Closed)));
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::MechListMic))));

    // Over the list as somebody on the way might have changed it.
    let other = |session: &mut Session, list: &[u8]| Some(session.sign_list(&list[1..]).to_vec());
    let (client, server) = duplex(8192);
    let (client, server) = tokio::join!(talked_into_ntlm(client, other), serve(server));
    assert!(matches!(client, Err(ViewerError::Closed)));
    assert!(matches!(server, Err(ViewerError::CredSsp(CredSspViolation::MechListMic))));
}
