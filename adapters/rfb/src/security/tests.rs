//! Both roles joined in memory, and what they make of peers that break the protocol.

use proptest::prelude::*;

use super::*;

const VERSIONS: [ProtocolVersion; 3] = [ProtocolVersion::V3_3, ProtocolVersion::V3_7, ProtocolVersion::V3_8];

fn random(bytes: &mut [u8]) {
    for (byte, value) in bytes.iter_mut().zip((3..=255).cycle()) {
        *byte = value;
    }
}

/// The two roles with what is under way between them.
struct Pair {
    version: ProtocolVersion,
    server: ViewerHandshake,
    client: TargetHandshake,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    tls: bool,
}

/// How the two ended: who presented what, and the client's login, which waits for its result.
struct Joined {
    proof: ViewerProof,
    login: TargetLogin,
    to_client: Vec<u8>,
    tls: bool,
}

impl Pair {
    fn new(version: ProtocolVersion, offer: ViewerSecurity, allow: TargetSecurity) -> Self {
        Self {
            version,
            server: ViewerHandshake::new(&[offer], false),
            client: TargetHandshake::new(&[allow], CredentialKind::UsernameAndPassword),
            to_server: Vec::new(),
            to_client: Vec::new(),
            tls: false,
        }
    }

    fn join(mut self, credentials: &Credentials) -> Joined {
        while self.step_client() | self.step_server() {}
        let mut login = self.client.finish().expect("the client has chosen");
        login.start(credentials.clone()).unwrap();
        loop {
            match login.wants() {
                Wants::Send(bytes) => self.to_server.extend(bytes),
                Wants::Receive(len) if self.to_client.len() >= len => {
                    let bytes: Vec<u8> = self.to_client.drain(..len).collect();
                    login.receive(&bytes, &mut random).unwrap();
                }
                _ => break,
            }
            while Self::step(&mut self.server, &mut self.to_server, &mut self.to_client) {}
        }
        assert!(self.to_server.is_empty(), "the client says nothing that the server has not asked for");
        let proof = self.server.finish().expect("the client has presented something");
        Joined { proof, login, to_client: self.to_client, tls: self.tls }
    }

    fn step_server(&mut self) -> bool {
        let announces = self.to_client.is_empty();
        let stepped = Self::step(&mut self.server, &mut self.to_server, &mut self.to_client);
        if announces && self.to_client == ProtocolVersion::V3_8.banner() {
            self.to_client = self.version.banner().to_vec();
        }
        stepped
    }

    fn step(server: &mut ViewerHandshake, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
        match server.wants() {
            Wants::Send(bytes) => output.extend(bytes),
            Wants::Receive(len) if input.len() >= len => {
                let bytes: Vec<u8> = input.drain(..len).collect();
                server.receive(&bytes, &mut random).unwrap();
            }
            _ => return false,
        }
        true
    }

    fn step_client(&mut self) -> bool {
        match self.client.wants() {
            Wants::Send(bytes) => self.to_server.extend(bytes),
            Wants::Receive(len) if self.to_client.len() >= len => {
                let bytes: Vec<u8> = self.to_client.drain(..len).collect();
                self.client.receive(&bytes).unwrap();
            }
            Wants::UpgradeToTls if self.server.wants() == Wants::UpgradeToTls => {
                assert!(self.to_client.is_empty() && self.to_server.is_empty());
                self.client.upgraded();
                self.server.upgraded(&mut random);
                self.tls = true;
            }
            _ => return false,
        }
        true
    }
}

impl Joined {
    fn answer(mut self, answer: &[u8]) -> Result<(), TargetHandshakeError> {
        self.to_client.extend(answer);
        let mut input = self.to_client.as_slice();
        while let Wants::Receive(len) = self.login.wants() {
            let (bytes, rest) = input.split_at(len);
            self.login.receive(bytes, &mut random)?;
            input = rest;
        }
        assert!(self.login.is_accepted() && input.is_empty());
        Ok(())
    }
}

/// Everything that both roles speak, with the versions in which it exists.
fn pairs() -> impl Iterator<Item = (ProtocolVersion, ViewerSecurity, TargetSecurity)> {
    let kinds = [
        (ViewerSecurity::VncAuth, TargetSecurity::VncAuth),
        (ViewerSecurity::Ard, TargetSecurity::Ard),
        (ViewerSecurity::X509Vnc, TargetSecurity::X509Vnc),
        (ViewerSecurity::X509Plain, TargetSecurity::X509Plain),
    ];
    VERSIONS
        .into_iter()
        .flat_map(move |version| kinds.into_iter().map(move |(offer, allow)| (version, offer, allow)))
        .filter(|(version, offer, _)| version.client_chooses() || *offer == ViewerSecurity::VncAuth)
}

#[test]
fn every_version_carries_every_type() {
    let credentials =
        Credentials { username: "alice:front-desk".into(), password: "7K2M9QXZ".to_owned().into() };
    for (version, offer, allow) in pairs() {
        let joined = Pair::new(version, offer, allow).join(&credentials);
        assert_eq!((joined.proof.version, joined.proof.security), (version, offer));
        assert_eq!(joined.tls, offer.uses_tls());
        match &joined.proof.presented {
            Presented::VncAuth(proof) => assert!(proof.matches("7K2M9QXZ") && !proof.matches("7K2M9QXY")),
            Presented::Password { username, password } => {
                assert_eq!((username.as_str(), password.as_str()), ("alice:front-desk", "7K2M9QXZ"));
            }
        }
        joined.answer(&SecurityResult::accepted()).unwrap();
    }
}

#[test]
fn every_version_tells_the_client_what_it_can() {
    for (version, offer, allow) in pairs() {
        let refused = Pair::new(version, offer, allow)
            .join(&Credentials::default())
            .answer(&SecurityResult::refused(version, "The ticket has expired."));
        let reason = version.has_reasons().then(|| "The ticket has expired.".to_owned());
        assert_eq!(refused, Err(TargetHandshakeError::Refused(reason)));
    }
}

#[test]
fn no_secret_is_shown() {
    let credentials = Credentials { username: "alice".into(), password: "7K2M9QXZ".to_owned().into() };
    for (version, offer, allow) in pairs() {
        let joined = Pair::new(version, offer, allow).join(&credentials);
        assert!(!format!("{:?}", joined.proof).contains("7K2M"));
    }
}

/// Plays `script` to the server's role and gives its error and last words.
fn viewer(offers: &[ViewerSecurity], script: &[&[u8]]) -> (Result<(), ViewerHandshakeError>, Vec<u8>) {
    let mut server = ViewerHandshake::new(offers, false);
    let mut sent = Vec::new();
    for bytes in script {
        loop {
            match server.wants() {
                Wants::Send(bytes) => sent = bytes,
                Wants::UpgradeToTls => server.upgraded(&mut random),
                Wants::Receive(_) | Wants::Finished => break,
            }
        }
        if let Err(error) = server.receive(bytes, &mut random) {
            let farewell = match server.wants() {
                Wants::Send(farewell) => farewell,
                _ => Vec::new(),
            };
            assert_eq!(server.wants(), Wants::Finished);
            assert!(server.finish().is_none());
            return (Err(error), farewell);
        }
    }
    (Ok(()), sent)
}

#[test]
fn a_viewer_gets_nothing_that_was_not_offered() {
    use ViewerSecurity::{Ard, Plain, VncAuth, X509Plain, X509Vnc};
    let offers = [Ard, X509Vnc, Plain];
    for choice in [0, 1, 2, 18, 255] {
        let (error, farewell) = viewer(&offers, &[b"RFB 003.008\n", &[choice]]);
        let expected = ViewerHandshakeError::NotOffered(SecurityType(choice));
        assert_eq!(farewell, SecurityResult::refused(ProtocolVersion::V3_8, &expected.to_string()));
        assert_eq!(error, Err(expected));
    }
    for choice in [0, 1, 256, 258, 260, 262, u32::MAX] {
        let script: [&[u8]; 4] = [b"RFB 003.008\n", &[19], &[0, 2], &choice.to_be_bytes()];
        let (error, farewell) = viewer(&offers, &script);
        assert_eq!(error, Err(ViewerHandshakeError::SubtypeNotOffered(VencryptSubtype(choice))));
        assert_eq!(farewell, [0]);
    }
    let (_, subtypes) =
        viewer(&[X509Plain, VncAuth, X509Vnc], &[b"RFB 003.008\n", &[19], &[0, 2], &[0, 0, 1, 5]]);
    assert_eq!(subtypes, [0, 2, 0, 0, 1, 6, 0, 0, 1, 5], "in the order of the offers");
    let (error, farewell) = viewer(&offers, &[b"RFB 003.008\n", &[19], &[0, 1]]);
    assert_eq!(error, Err(ViewerHandshakeError::VencryptVersion([0, 1])));
    assert_eq!(farewell, [0xff]);
}

#[test]
fn old_viewers_are_told_when_nothing_suits_them() {
    let (error, farewell) = viewer(&[ViewerSecurity::Ard], &[b"RFB 003.003\n"]);
    let expected = ViewerHandshakeError::NothingToOffer(ProtocolVersion::V3_3);
    assert_eq!(farewell[..4], [0; 4]);
    assert_eq!(farewell[8..], *expected.to_string().as_bytes());
    assert_eq!(error, Err(expected));
    let (error, farewell) = viewer(&[ViewerSecurity::Plain], &[b"RFB 003.007\n"]);
    assert_eq!(error, Err(ViewerHandshakeError::NothingToOffer(ProtocolVersion::V3_7)));
    assert_eq!(farewell[..3], [0; 3]);
}

#[test]
fn plain_passwords_travel_inside_tls_alone() {
    let mut inside = ViewerHandshake::new(&[ViewerSecurity::Plain], true);
    let mut script: &[&[u8]] =
        &[b"RFB 003.008\n", &[19], &[0, 2], &[0, 0, 1, 0], &[0, 0, 0, 1, 0, 0, 0, 2], b"abc"];
    let mut sent = Vec::new();
    loop {
        match inside.wants() {
            Wants::Send(bytes) => sent.push(bytes),
            Wants::Receive(_) => {
                let (bytes, rest) = script.split_first().unwrap();
                inside.receive(bytes, &mut random).unwrap();
                script = rest;
            }
            Wants::UpgradeToTls => panic!("it is inside TLS already"),
            Wants::Finished => break,
        }
    }
    assert_eq!(sent[1..], [vec![1, 19], vec![0, 2], vec![0, 1, 0, 0, 1, 0]]);
    assert!(matches!(
        inside.finish().unwrap().presented,
        Presented::Password { username, password } if username == "a" && *password == "bc"
    ));
}

#[test]
fn oversized_credentials_are_refused_before_they_are_read() {
    let script: [&[u8]; 5] =
        [b"RFB 003.008\n", &[19], &[0, 2], &[0, 0, 1, 6], &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]];
    let (error, farewell) = viewer(&[ViewerSecurity::X509Plain], &script);
    assert_eq!(error, Err(PlainError::UsernameTooLong(0x8000_0000).into()));
    assert_eq!(farewell[..4], [0, 0, 0, 1]);
}

/// Plays `script` to the client's role, which may use everything.
fn target(script: &[&[u8]]) -> Result<TargetHandshake, TargetHandshakeError> {
    let mut client =
        TargetHandshake::new(&TargetSecurity::STRONGEST_FIRST, CredentialKind::UsernameAndPassword);
    for bytes in script {
        while let Wants::Send(_) = client.wants() {}
        client.receive(bytes)?;
    }
    Ok(client)
}

#[test]
fn the_strongest_type_that_the_target_offers_is_taken() {
    use TargetSecurity::{Ard, None, VncAuth, X509None, X509Plain, X509Vnc};
    let chosen = |types: &[u8], subtypes: &[u32], credentials| {
        let mut client = TargetHandshake::new(&TargetSecurity::STRONGEST_FIRST, credentials);
        let count = [u8::try_from(types.len()).unwrap()];
        let subtype_count = [u8::try_from(subtypes.len()).unwrap()];
        let subtypes: Vec<u8> = subtypes.iter().flat_map(|subtype| subtype.to_be_bytes()).collect();
        let script: [&[u8]; 7] = [b"RFB 003.889\n", &count, types, &[0, 2], &[0], &subtype_count, &subtypes];
        let mut sent = Vec::new();
        for bytes in script.into_iter().chain([&[1][..]]) {
            loop {
                match client.wants() {
                    Wants::Send(bytes) => sent.push(bytes),
                    Wants::Receive(len) => {
                        assert_eq!(len, bytes.len());
                        client.receive(bytes).unwrap();
                        break;
                    }
                    Wants::UpgradeToTls | Wants::Finished => break,
                }
            }
        }
        assert_eq!(sent[0], b"RFB 003.008\n");
        client.upgraded();
        client.finish().unwrap().security()
    };
    use CredentialKind::{Nothing, Password, UsernameAndPassword};
    assert_eq!(chosen(&[1, 2, 30, 19], &[257, 260, 261, 262], UsernameAndPassword), X509Plain);
    assert_eq!(chosen(&[1, 2, 30, 19], &[257, 260, 261, 262], Password), X509Vnc);
    assert_eq!(chosen(&[1, 2, 30, 19], &[257, 260, 261, 262], Nothing), X509None);
    assert_eq!(chosen(&[1, 2, 30], &[], UsernameAndPassword), Ard);
    assert_eq!(chosen(&[36, 1, 2, 30], &[], Password), VncAuth);
    assert_eq!(chosen(&[2, 1], &[], Nothing), None);
}

#[test]
fn an_unusable_target_is_described() {
    let Err(error) = target(&[b"RFB 003.008\n", &[4], &[5, 6, 113, 200]]) else { panic!("it is unusable") };
    assert_eq!(
        error.to_string(),
        "the target offers RA2, RA2ne, UltraVNC MS-Logon II, type 200; the configuration allows X509Plain, \
         X509Vnc, X509None, ARD, VncAuth, None with the credentials it gives"
    );
    let script: [&[u8]; 6] = [b"RFB 003.008\n", &[2], &[2, 19], &[0, 2], &[0], &[2]];
    let subtypes = [0, 0, 1, 1, 0, 0, 1, 2];
    let Err(error) = target(&[&script[..], &[&subtypes]].concat()) else { panic!("it is unusable") };
    assert!(error.to_string().starts_with("the target offers VeNCrypt TLSNone, VeNCrypt TLSVnc; "));
    assert!(matches!(
        error,
        TargetHandshakeError::NoUsableSubtype { instead: Some(TargetSecurity::VncAuth), .. }
    ));
    let only = TargetHandshake::new(&[TargetSecurity::None], CredentialKind::Nothing);
    let mut only = only;
    only.receive(b"RFB 003.003\n").unwrap();
    assert!(matches!(
        only.receive(&[0, 0, 0, 2]),
        Err(TargetHandshakeError::NothingUsable { offered, .. }) if offered == [SecurityType::VNC_AUTH]
    ));
}

#[test]
fn targets_that_refuse_at_once_are_quoted() {
    let refused = |script: &[&[u8]]| target(script).map(|_| ()).unwrap_err();
    let busy = TargetHandshakeError::Refused(Some("busy".into()));
    assert_eq!(refused(&[b"RFB 003.003\n", &[0; 4], &[0, 0, 0, 4], b"busy"]), busy);
    assert_eq!(refused(&[b"RFB 003.007\n", &[0], &[0, 0, 0, 4], b"busy"]), busy);
    assert_eq!(
        refused(&[b"RFB 003.008\n", &[0], &[0, 0, 0, 26], b"Too many security failures"]),
        TargetHandshakeError::TooManyAttempts(Some("Too many security failures".into()))
    );
    assert_eq!(refused(&[b"RFB 003.008\n", &[0], &[0; 4]]), TargetHandshakeError::Refused(None));
    // A length that is a lie costs no more than MAX_REASON.
    let mut client = target(&[b"RFB 003.008\n", &[0], &[0xff; 4]]).unwrap();
    assert_eq!(client.wants(), Wants::Receive(MAX_REASON));
    assert_eq!(client.closed(), Some(TargetHandshakeError::Refused(None)));
    assert_eq!(refused(&[b"RFB 003.003\n", &[0, 0, 1, 2]]), TargetHandshakeError::TypeNumber(258));
    let vencrypt: [&[u8]; 3] = [b"RFB 003.008\n", &[1], &[19]];
    assert_eq!(refused(&[&vencrypt[..], &[&[0, 1]]].concat()), TargetHandshakeError::VencryptVersion([0, 1]));
    assert_eq!(refused(&[&vencrypt[..], &[&[0, 2], &[1]]].concat()), TargetHandshakeError::VencryptRefused);
    let x509: [&[u8]; 4] = [&[0, 2], &[0], &[1], &[0, 0, 1, 4]];
    assert_eq!(refused(&[&vencrypt[..], &x509, &[&[0]]].concat()), TargetHandshakeError::VencryptRefused);
}

#[test]
fn type_none_has_a_result_from_3_8_on() {
    for version in VERSIONS {
        let mut client = TargetHandshake::new(&[TargetSecurity::None], CredentialKind::Nothing);
        client.receive(version.banner()).unwrap();
        if version.client_chooses() {
            client.receive(&[1]).unwrap();
            client.receive(&[1]).unwrap();
        } else {
            client.receive(&[0, 0, 0, 1]).unwrap();
        }
        let mut login = client.finish().unwrap();
        login.start(Credentials::default()).unwrap();
        assert_eq!(login.is_accepted(), !version.has_reasons());
        if version.has_reasons() {
            assert_eq!(login.wants(), Wants::Receive(4));
            login.receive(&[0; 4], &mut random).unwrap();
            assert!(login.is_accepted());
        }
    }
}

#[test]
fn results_are_told_apart() {
    let answer = |answer: &[u8]| {
        Pair::new(ProtocolVersion::V3_8, ViewerSecurity::VncAuth, TargetSecurity::VncAuth)
            .join(&Credentials::default())
            .answer(answer)
            .unwrap_err()
    };
    assert_eq!(answer(&[0, 0, 0, 3]), TargetHandshakeError::Result(3));
    assert_eq!(
        answer(&[0, 0, 0, 2, 0, 0, 0, 4, b'w', b'a', b'i', b't']),
        TargetHandshakeError::TooManyAttempts(Some("wait".into()))
    );
    assert_eq!(answer(&[0, 0, 0, 1, 0, 0, 0, 0]), TargetHandshakeError::Refused(None));
}

proptest! {
    /// Whatever a peer sends, the roles neither panic nor ask for more than they say they do.
    #[test]
    fn no_peer_breaks_a_role(
        version in prop::sample::select(&[b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"][..]),
        choices in prop::collection::vec(prop::sample::select(&[0u8, 1, 2, 4, 5, 6, 19, 30, 255][..]), 0..40),
        noise in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        let input = [&version[..], &choices, &noise].concat();
        let offers = [ViewerSecurity::VncAuth, ViewerSecurity::Ard, ViewerSecurity::X509Plain];
        let mut server = ViewerHandshake::new(&offers, false);
        let mut rest = input.as_slice();
        loop {
            match server.wants() {
                Wants::Send(_) => {}
                Wants::UpgradeToTls => server.upgraded(&mut random),
                Wants::Finished => break,
                Wants::Receive(len) => {
                    prop_assert!(len <= Wants::MAX_RECEIVE);
                    let Some((bytes, after)) = rest.split_at_checked(len) else { break };
                    rest = after;
                    if server.receive(bytes, &mut random).is_err() { break }
                }
            }
        }

        let mut client =
            TargetHandshake::new(&TargetSecurity::STRONGEST_FIRST, CredentialKind::UsernameAndPassword);
        let mut rest = input.as_slice();
        loop {
            match client.wants() {
                Wants::Send(_) => {}
                Wants::UpgradeToTls => client.upgraded(),
                Wants::Finished => break,
                Wants::Receive(len) => {
                    prop_assert!(len <= Wants::MAX_RECEIVE);
                    let Some((bytes, after)) = rest.split_at_checked(len) else { break };
                    rest = after;
                    if client.receive(bytes).is_err() { break }
                }
            }
        }
        if let Some(mut login) = client.finish() {
            login.start(Credentials::default()).unwrap();
            while let Wants::Receive(len) = login.wants() {
                prop_assert!(len <= Wants::MAX_RECEIVE);
                let Some((bytes, after)) = rest.split_at_checked(len) else { break };
                rest = after;
                if login.receive(bytes, &mut random).is_err() { break }
                while let Wants::Send(_) = login.wants() {}
            }
        }
    }
}
