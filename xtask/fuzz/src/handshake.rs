//! Both roles of the security handshake.

use passerelle_rfb::security::{
    CredentialKind, Credentials, TargetHandshake, TargetLogin, TargetSecurity, ViewerHandshake,
    ViewerSecurity, Wants,
};

/// More steps than any handshake has.
const STEPS: usize = 64;

/// Bytes that look random enough and are the same each time.
fn random() -> impl FnMut(&mut [u8]) + Send {
    let mut state = 1_u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(5).wrapping_add(17);
            *byte = state;
        }
    }
}

/// The next `len` bytes that the peer sends, if it sends that many. None are asked for when a user name
/// and a password are announced as empty.
fn receive<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    assert!(len <= Wants::MAX_RECEIVE, "{len} bytes were asked for");
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

/// A viewer reaches the end of the handshake by what was offered, or not at all.
pub(crate) fn viewer(data: &[u8]) {
    let mut rest = data;
    let mut random = random();
    let offers =
        [ViewerSecurity::X509Plain, ViewerSecurity::X509Vnc, ViewerSecurity::Ard, ViewerSecurity::VncAuth];
    let mut handshake = ViewerHandshake::new(&offers, false);
    for _ in 0..STEPS {
        match handshake.wants() {
            Wants::Send(bytes) => assert!(!bytes.is_empty()),
            Wants::Receive(len) => {
                let Some(bytes) = receive(&mut rest, len) else { return };
                if handshake.receive(bytes, &mut random).is_err() {
                    return;
                }
            }
            Wants::UpgradeToTls => handshake.upgraded(&mut random),
            Wants::Finished => {
                assert!(handshake.finish().is_some(), "the handshake ended without an outcome");
                return;
            }
        }
    }
    panic!("the handshake does not end");
}

/// A target reaches the login by something that we can do, or not at all.
pub(crate) fn target(data: &[u8]) {
    let mut rest = data;
    let mut handshake =
        TargetHandshake::new(&TargetSecurity::STRONGEST_FIRST, CredentialKind::UsernameAndPassword);
    for _ in 0..STEPS {
        match handshake.wants() {
            Wants::Send(bytes) => assert!(!bytes.is_empty()),
            Wants::Receive(len) => {
                let Some(bytes) = receive(&mut rest, len) else { return };
                if handshake.receive(bytes).is_err() {
                    return;
                }
            }
            Wants::UpgradeToTls => handshake.upgraded(),
            Wants::Finished => {
                return login(handshake.finish().expect("a way to log in"), rest);
            }
        }
    }
    panic!("the handshake does not end");
}

fn login(mut login: TargetLogin, mut rest: &[u8]) {
    let mut random = random();
    let credentials = Credentials { username: "user".into(), password: "password".to_owned().into() };
    if login.start(credentials).is_err() {
        return;
    }
    for _ in 0..STEPS {
        match login.wants() {
            Wants::Send(bytes) => assert!(!bytes.is_empty()),
            Wants::Receive(len) => {
                let Some(bytes) = receive(&mut rest, len) else { return };
                if login.receive(bytes, &mut random).is_err() {
                    return;
                }
            }
            Wants::UpgradeToTls => panic!("TLS in the middle of a login"),
            Wants::Finished => {
                assert!(login.is_accepted());
                return;
            }
        }
    }
    panic!("the login does not end");
}
