//! Targets that are not there, not willing, not trustworthy or suddenly gone.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::free_port;
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::{self, Target, drain, take};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// Expects that the technician is told `wanted`, and that the audit log has it too.
fn expect_told(site: &Site<'_>, name: &str, wanted: &str, (ends, reason): (usize, &str)) -> Outcome {
    let said = Viewer::login(site, &site.ticket_for("alice", name)?).map(drop);
    expect_refusal(said.clone(), name)?;
    expect_refusal(said, wanted)?;
    let end = site.expect_end(ends, reason)?;
    if !end["message"].as_str().is_some_and(|message| message.contains(wanted)) {
        return Err(format!("the end does not say {wanted:?}: {end}"));
    }
    match site.audit_of("target.refused")?.len() {
        refusals if refusals == ends => Ok(()),
        refusals => Err(format!("{refusals} times target.refused, not {ends}")),
    }
}

#[test]
fn the_technician_is_told_what_is_wrong_with_the_target() {
    Lab::run(|lab| {
        let refusing = Target::raw(|mut stream, _| {
            if target::version(&mut stream).is_ok() {
                let _ = stream.write_all(b"\0\0\0\0\x11Somebody is at it");
                drain(stream);
            }
        })?;
        let leaving = Target::raw(|mut stream, _| drop(target::version(&mut stream)))?;
        let speaking_http = Target::raw(|mut stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            drain(stream);
        })?;
        let locked = Target::with_password("another", |stream, _| drain(stream))?;
        let password = lab.write_secret("locked.password", "not that one")?;
        let password = format!("credentials: {{ password: file:{} }}", password.display());
        let setup = Setup::new(&refusing)
            .target("leaving", leaving.port, "")
            .target("web", speaking_http.port, "")
            .target("locked", locked.port, &password)
            .target("absent", free_port()?, "");
        let site = Site::start(lab, setup)?;
        expect_told(&site, "desk", "Somebody is at it", (1, "target_refused"))?;
        expect_told(&site, "leaving", "closed the connection", (2, "target_refused"))?;
        expect_told(&site, "web", "HTTP", (3, "target_violation"))?;
        expect_told(&site, "locked", "Authentication failure", (4, "target_refused"))?;
        expect_told(&site, "absent", "cannot be reached", (5, "target_refused"))?;
        site.expect_sealed()
    });
}

/// The longest that a target may take is 20 s; this test takes as long.
#[test]
fn a_silent_target_is_given_up() {
    Lab::run(|lab| {
        let silent = Target::raw(|stream, _| drain(stream))?;
        let site = Site::start(lab, Setup::new(&silent))?;
        let told = Viewer::login(&site, &site.ticket()?);
        expect_refusal(told, "did not finish the login within 20 s")?;
        site.expect_end(1, "target_refused").map(drop)
    });
}

/// A server's TLS with a certificate that nobody has seen before.
fn fresh_tls() -> Outcome<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
        })
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

/// Serves X509None.
fn serve_tls(mut stream: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
    target::version(&mut stream)?;
    stream.write_all(&[1, 19])?;
    take::<1>(&mut stream)?;
    stream.write_all(&[0, 2])?;
    take::<2>(&mut stream)?;
    stream.write_all(&[&[0, 1][..], &260_u32.to_be_bytes()].concat())?;
    take::<4>(&mut stream)?;
    stream.write_all(&[1])?;
    let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(&[0; 4])?;
    take::<1>(&mut stream)?;
    stream.write_all(&wire::init().encode())?;
    drain(stream);
    Ok(())
}

#[test]
fn a_target_with_another_certificate_is_refused() {
    Lab::run(|lab| {
        let (first, second) = (fresh_tls()?, fresh_tls()?);
        let target = Target::raw(move |stream, number| {
            let tls = if number < 2 { &first } else { &second };
            // The gateway hangs up on the last connection, which is an error here.
            let _ = serve_tls(stream, Arc::clone(tls));
        })?;
        let setup = Setup::new(&target).target("again", target.port, "tls: { verify: tofu }");
        let site = Site::start(lab, setup)?;
        for ends in 1..=2 {
            drop(Viewer::login(&site, &site.ticket_for("alice", "again")?)?);
            site.expect_end(ends, "viewer_closed")?;
        }
        let told = Viewer::login(&site, &site.ticket_for("alice", "again")?);
        expect_refusal(told, "certificate")?;
        site.expect_end(3, "target_refused")?;
        match (
            site.audit_of("target.certificate.trusted")?.len(),
            site.audit_of("target.certificate.changed")?.len(),
        ) {
            (1, 1) => Ok(()),
            (trusted, changed) => Err(format!("trusted {trusted} times, changed {changed} times")),
        }
    });
}

#[test]
fn a_target_that_resets_the_connection_ends_the_session_after_its_last_words() {
    Lab::run(|lab| {
        let target = Target::start(|mut stream, number| {
            if take::<10>(&mut stream).is_err() || stream.write_all(&wire::raw_screen()).is_err() {
                return;
            }
            if number == 0 {
                // The gateway has the screen before the connection breaks.
                std::thread::sleep(Duration::from_millis(300));
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            } else {
                let _ = stream.shutdown(Shutdown::Write);
                drain(stream);
            }
        })?;
        let site = Site::start(lab, Setup::new(&target))?;
        for ends in 1..=2 {
            let mut viewer = Viewer::login(&site, &site.ticket()?)?;
            viewer.send(&wire::request())?;
            if viewer.until_closed(SOON)? != wire::raw_screen() {
                return Err("the last update did not arrive".into());
            }
            site.expect_end(ends, "target_closed")?;
        }
        site.expect_sealed()
    });
}

#[test]
fn a_viewer_that_only_stops_sending_ends_its_session() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target))?;
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        viewer.refresh()?;
        viewer.stream.shutdown(Shutdown::Write).map_err(|error| error.to_string())?;
        viewer.until_closed(SOON)?;
        site.expect_end(1, "viewer_closed")?;
        site.expect_sealed()
    });
}
