//! Connections that never log in.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::now;
use crate::peers::read_some;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::{Viewer, connect_from};

/// What one of them may cost, in KiB. The promise is 64; a connection that has sent one byte should stay
/// far below.
const EACH: u64 = 16;

/// Connections with one byte of a banner each.
fn idle(site: &Site<'_>, count: u32) -> Outcome<Vec<TcpStream>> {
    (0..count)
        .map(|number| {
            // A thousand ports from each address: no address has more than 28 thousand.
            let [.., third, fourth] = (number / 1000 + 2).to_be_bytes();
            let mut stream = connect_from(Ipv4Addr::new(127, 0, third, fourth), site.port)?;
            stream.write_all(b"R").map_err(|error| format!("connection {number}: {error}"))?;
            Ok(stream)
        })
        .collect()
}

/// Lets this process open as many files as the system allows it.
fn allow_files(wanted: u64) -> Outcome {
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.map_or(wanted, |maximum| maximum.max(wanted));
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: Some(maximum) })
        .map_err(|error| format!("this test needs {wanted} files and connections: {error}"))
}

fn expect_let_in(site: &Site<'_>) -> Outcome {
    let ticket = site.ticket()?;
    let start = now();
    Viewer::login(site, &ticket)?.refresh()?;
    if start.elapsed() > SOON {
        return Err(format!("the technician waited for {:?}", start.elapsed()));
    }
    Ok(())
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_keep_nobody_out() {
    Lab::run(|lab| {
        allow_files(12_000)?;
        let target = Target::quiet()?;
        let setup =
            Setup::new(&target).with("limits: { pre_auth_connections: 20000, handshake: 60s }").files(20_000);
        let mut site = Site::start(lab, setup)?;
        expect_let_in(&site)?;
        let before = site.memory()?;
        let crowd = idle(&site, 10_000)?;
        expect_let_in(&site)?;
        let after = site.memory()?;
        let waiting = crowd.iter().filter(|stream| is_open(stream)).count();
        if waiting < 10_000 {
            return Err(format!("only {waiting} connections wait although there is room for all"));
        }
        if after > before + 10_000 * EACH {
            return Err(format!("the gateway grew from {before} to {after} KiB"));
        }
        Ok(())
    });
}

/// With room for only a few, the oldest idle ones give way.
#[test]
fn a_full_waiting_room_keeps_nobody_out() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("limits: { pre_auth_connections: 50, handshake: 60s }");
        let site = Site::start(lab, setup)?;
        let crowd = idle(&site, 500)?;
        expect_let_in(&site)?;
        let waiting = crowd.iter().filter(|stream| is_open(stream)).count();
        if waiting > 50 { Err(format!("{waiting} connections wait in a room for 50")) } else { Ok(()) }
    });
}

/// The same when the system's limit on open files is lower than the configured one.
#[test]
fn a_low_limit_on_open_files_keeps_nobody_out() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target).with("limits: { handshake: 60s }").files(256))?;
        let crowd = idle(&site, 400)?;
        expect_let_in(&site)?;
        drop(crowd);
        Ok(())
    });
}

/// Whether the gateway has not hung up; it has nothing more to say to a viewer that says nothing.
fn is_open(stream: &TcpStream) -> bool {
    let mut bytes = [0; 64];
    let mut look = || -> std::io::Result<()> {
        stream.set_nonblocking(true)?;
        loop {
            // The banner comes first.
            if read_some(&mut &*stream, &mut bytes)? == 0 {
                return Ok(());
            }
        }
    };
    matches!(look(), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
