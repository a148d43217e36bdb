//! A target that sleeps until it is woken over the network.

use std::net::UdpSocket;
use std::process::Command;
use std::thread::spawn;
use std::time::Duration;

use crate::harness::Outcome;
use crate::harness::clients::{Client, Login};
use crate::harness::lab::Lab;
use crate::harness::net::free_port;
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

const MAC: [u8; 6] = [0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc];

/// How long a packet may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What wakes the machine with that address, by its definition.
fn magic() -> Vec<u8> {
    [vec![0xff; 6], MAC.repeat(16)].concat()
}

/// What a target needs to be woken by a packet to this socket.
fn key(socket: &UdpSocket, wait: &str) -> Outcome<String> {
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    Ok(format!("wake_on_lan: {{ mac: '00:11:22:aa:bb:cc', address: '{address}', wait: {wait} }}"))
}

fn socket() -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    Ok(socket)
}

/// The next packet.
fn packet(socket: &UdpSocket) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; 2000];
    let length = socket.recv(&mut bytes).map_err(|error| format!("no packet came: {error}"))?;
    bytes.truncate(length);
    Ok(bytes)
}

/// All that have come, of which there is one at least.
fn packets(socket: &UdpSocket) -> Outcome<Vec<Vec<u8>>> {
    let mut packets = vec![packet(socket)?];
    socket.set_nonblocking(true).map_err(|error| error.to_string())?;
    while let Ok(packet) = packet(socket) {
        packets.push(packet);
    }
    socket.set_nonblocking(false).map_err(|error| error.to_string())?;
    Ok(packets)
}

/// Xvnc does not run before the packet has come; the viewer, which has connected before, gets its desktop.
#[test]
fn a_stock_viewer_gets_to_a_desktop_that_had_to_be_woken() {
    Lab::run(|lab| {
        let (port, network) = (free_port()?, socket()?);
        let woken = lab.path("woken");
        let script = format!(
            "until [ -e {woken} ]; do sleep 0.1; done; exec Xvnc -displayfd 1 -rfbport {port} -interface 127.0.0.1 \
             -SecurityTypes None -geometry 800x600 -depth 24",
            woken = woken.display()
        );
        let _desktop = lab.start("xvnc", Command::new("sh").args(["-c", &script]))?;
        let awake = Target::quiet()?;
        let setup = Setup::new(&awake).target("annex", port, &key(&network, "60s")?);
        let site = Site::start(lab, setup)?;
        let alarm = spawn(move || -> Outcome<Vec<u8>> {
            let packet = packet(&network)?;
            std::fs::write(woken, "").map_err(|error| error.to_string())?;
            Ok(packet)
        });
        let ticket = site.ticket_for("alice", "annex")?;
        let login = Login {
            port: site.port,
            username: Some(ticket.username),
            password: ticket.ticket,
            authority: lab.path("none"),
        };
        drop(Client::VncdotoolArd.connect(lab, &login, "good morning")?);
        if alarm.join().map_err(|_| "the receiver panicked")?? != magic() {
            return Err("it was not the packet that wakes the machine".into());
        }
        site.expect_end(1, "viewer_closed")?;
        let events = site.audit_of("target.woken")?;
        match &events[..] {
            [event] if event["target"] == "annex" && event["session"].is_string() => Ok(()),
            other => Err(format!("the audit log does not say once that the target was woken: {other:?}")),
        }
    });
}

/// It is told what happened, and the API and the command line wake targets too.
#[test]
fn a_target_that_does_not_wake_is_given_up() {
    Lab::run(|lab| {
        let (port, network, awake) = (free_port()?, socket()?, Target::quiet()?);
        let setup = Setup::new(&awake).target("annex", port, &key(&network, "2s")?);
        let site = Site::start(lab, setup)?;
        let told = Viewer::login(&site, &site.ticket_for("alice", "annex")?);
        expect_refusal(told, "did not answer within 2s after it was woken over the network")?;
        site.expect_end(1, "target_refused")?;
        // One that answers is not woken.
        drop(Viewer::login(&site, &site.ticket()?)?);
        site.expect_end(2, "viewer_closed")?;
        for packet in packets(&network)? {
            if packet != magic() {
                return Err("it was not the packet that wakes the machine".into());
            }
        }

        site.cli(&["targets", "wake", "annex"])?;
        if packet(&network)? != magic() {
            return Err("it was not the packet that wakes the machine".into());
        }
        wait_for("target.woken in the audit log", PATIENCE, || {
            let events = site.audit_of("target.woken").ok()?;
            (events.len() == 2
                && events[1]["detail"]["sent_to"].is_string()
                && events[1]["outcome"] == "success")
                .then_some(())
        })?;
        let done = site.run(&["targets", "wake", "desk"])?;
        if done.success || !done.stderr.contains("wake_on_lan") {
            return Err(format!("a target that cannot be woken: {}", done.stderr));
        }
        let shown = site.json(&["targets", "show", "annex"])?;
        match shown["wakes"] == true && shown["source"] == "configuration" {
            true => Ok(()),
            false => Err(format!("the target is not shown as it is: {shown}")),
        }
    });
}
