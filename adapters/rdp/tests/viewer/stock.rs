//! FreeRDP's client on a screen that nobody sees.

use std::process::{Output, Stdio};
use std::time::Duration;

use passerelle_rdp::viewer::{Pending, RdpRefusal, ViewerError, ViewerSecurity};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{BOTH, TICKET, negotiate, prove, settings};

/// Starts the client against a listener. It ends when the server does with it.
async fn xfreerdp(options: &[&str]) -> (TcpListener, JoinHandle<Output>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("/v:{}", listener.local_addr().unwrap());
    let mut command = std::process::Command::new("timeout");
    command
        .args(["20", "xvfb-run", "-a", "xfreerdp", &address, "/cert:ignore", "/log-level:INFO"])
        .args(options)
        .env("HOME", std::env::temp_dir())
        .stdin(Stdio::null());
    let client = tokio::task::spawn_blocking(move || command.output().unwrap());
    (listener, client)
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    timeout(Duration::from_secs(15), listener.accept()).await.unwrap().unwrap().0
}

/// Both streams of what the client said.
async fn said(client: JoinHandle<Output>) -> String {
    let output = client.await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
#[ignore = "needs xfreerdp and xvfb-run"]
async fn nla_tells_a_wrong_ticket_and_lets_a_right_one_in() {
    let (listener, client) = xfreerdp(&["/sec:nla", "/u:alice:desk", "/p:WRONG"]).await;
    let Pending::Nla(nla) = negotiate(accepted(&listener).await, &settings(BOTH)).await.unwrap() else {
        panic!("no NLA")
    };
    assert_eq!(nla.login().resolve(), "alice:desk");
    assert!(prove(nla, &[TICKET]).await.unwrap().is_none());
    let said = said(client).await;
    assert!(said.contains("LOGON_FAILURE"), "{said}");

    for (user, typed) in [
        ("/u:alice:desk", "/p:ABCDEFGH01234567"),
        ("/u:CORP\\alice:desk", "/p:abcd-efgh-0123-4567"),
        ("/u:alice:desk@corp.example", "/p:ABCDEFGH-01234567"),
    ] {
        let (listener, client) = xfreerdp(&["/sec:nla", user, typed]).await;
        let Pending::Nla(nla) = negotiate(accepted(&listener).await, &settings(BOTH)).await.unwrap() else {
            panic!("no NLA")
        };
        assert_eq!(nla.login().resolve(), "alice:desk");
        let (index, proven) = prove(nla, &["another", TICKET]).await.unwrap().unwrap();
        assert_eq!((index, proven.facts().security), (1, ViewerSecurity::Nla));
        proven.refuse(RdpRefusal::TargetUnavailable).await.unwrap();
        let said = self::said(client).await;
        assert!(said.contains("ERRINFO_CB_DESTINATION_NOT_FOUND"), "{said}");
    }
}

#[tokio::test]
#[ignore = "needs xfreerdp and xvfb-run"]
async fn tls_brings_the_ticket_in_client_info_and_every_refusal_is_understood() {
    for (refusal, name) in [
        (RdpRefusal::FreshCredentials, "ERRINFO_SERVER_FRESH_CREDENTIALS_REQUIRED"),
        (RdpRefusal::Denied, "ERRINFO_SERVER_DENIED_CONNECTION"),
        (RdpRefusal::NotAllowed, "ERRINFO_SERVER_INSUFFICIENT_PRIVILEGES"),
        (RdpRefusal::TargetUnavailable, "ERRINFO_CB_DESTINATION_NOT_FOUND"),
        (RdpRefusal::Busy, "ERRINFO_OUT_OF_MEMORY"),
        (RdpRefusal::ShuttingDown, "ERRINFO_RPC_INITIATED_DISCONNECT"),
    ] {
        let (listener, client) = xfreerdp(&["/sec:tls", "/u:alice:desk", "/p:ABCDEFGH01234567"]).await;
        let pending = negotiate(accepted(&listener).await, &settings(BOTH)).await.unwrap();
        let Pending::Password { login, password, proven } = pending else { panic!("no password") };
        assert_eq!((login.resolve().as_str(), password.as_str()), ("alice:desk", TICKET));
        assert!(proven.promised().is_some_and(|channels| !channels.statics.is_empty()));
        proven.refuse(refusal).await.unwrap();
        let said = said(client).await;
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[tokio::test]
#[ignore = "needs xfreerdp and xvfb-run"]
async fn a_reference_comes_in_the_routing_token_or_the_preconnection_blob() {
    for option in ["/load-balance-info:Cookie: msts=passerelle-AB12", "/pcb:passerelle-AB12"] {
        let (listener, client) = xfreerdp(&["/u:x", "/p:y", option]).await;
        let pending = negotiate(accepted(&listener).await, &settings(BOTH)).await.unwrap();
        let Pending::Reference { reference, mut proven } = pending else { panic!("no reference: {option}") };
        assert_eq!(reference.as_str(), "passerelle-AB12");
        let core = &proven.hello().await.unwrap().connect_initial.conference_create_request.gcc_blocks().core;
        assert!(core.desktop_width > 0);
        proven.refuse(RdpRefusal::Denied).await.unwrap();
        let said = said(client).await;
        assert!(said.contains("ERRINFO_SERVER_DENIED_CONNECTION"), "{said}");
    }
}

#[tokio::test]
#[ignore = "needs xfreerdp and xvfb-run"]
async fn standard_rdp_security_is_told_what_is_needed() {
    for (security, needed) in
        [(BOTH, "SSL_REQUIRED_BY_SERVER"), (&[ViewerSecurity::Nla][..], "HYBRID_REQUIRED_BY_SERVER")]
    {
        let (listener, client) = xfreerdp(&["/sec:rdp", "/u:alice:desk", "/p:x"]).await;
        let error = negotiate(accepted(&listener).await, &settings(security)).await.unwrap_err();
        assert!(matches!(error, ViewerError::NoCommonSecurity { .. }), "{error}");
        let said = said(client).await;
        assert!(said.contains(needed), "{said}");
    }
}
