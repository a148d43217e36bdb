//! Connections that break the protocol before they have logged in.

use std::io::{Read, Write};
use std::time::Duration;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::now;
use crate::peers::failed;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::{Viewer, connect, until_closed};

/// What is sent in place of a login. The gateway offers ARD and VncAuth.
fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let after_version = |bytes: &[u8]| [b"RFB 003.008\n", bytes].concat();
    vec![
        ("a web browser", b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec()),
        ("TLS", [&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0xaa; 64]].concat()),
        ("zeros", vec![0; 4096]),
        ("version 9", b"RFB 009.000\n".to_vec()),
        ("type None", after_version(&[1, 1])),
        ("type 0", after_version(&[0])),
        ("VeNCrypt, which was not offered", after_version(&[19, 0, 2])),
        ("Tight, which was not offered", after_version(&[16])),
        ("type 255", after_version(&[255; 1024])),
    ]
}

fn sent(site: &Site<'_>, bytes: &[u8]) -> Outcome {
    let mut stream = connect(site.port)?;
    // The gateway may hang up before everything is sent.
    let _ = stream.write_all(bytes);
    until_closed(&mut stream, SOON).map(drop)
}

#[test]
fn a_broken_login_is_turned_away() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target))?;
        for (name, bytes) in attacks() {
            sent(&site, &bytes).map_err(|error| format!("{name}: {error}"))?;
        }
        if !site.audit_of("session.started")?.is_empty() || target.connections() > 0 {
            return Err("a session was started for somebody without a ticket".into());
        }
        if site.audit_of("viewer.refused")?.is_empty() {
            return Err("the audit log has no viewer.refused".into());
        }
        Viewer::login(&site, &site.ticket()?)?.refresh()
    });
}

/// Each byte comes in time, the login does not.
#[test]
fn a_slow_login_meets_its_deadline() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target).with("limits: { handshake: 2s }"))?;
        let mut stream = connect(site.port)?;
        let mut banner = [0; 12];
        stream.read_exact(&mut banner).map_err(failed("the banner"))?;
        let start = now();
        for byte in b"RFB 003.008\n" {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        until_closed(&mut stream, SOON)?;
        let lasted = start.elapsed();
        if !(Duration::from_millis(1500)..SOON).contains(&lasted) {
            return Err(format!("the connection was ended after {lasted:?}"));
        }
        Viewer::login(&site, &site.ticket()?)?.refresh()
    });
}
