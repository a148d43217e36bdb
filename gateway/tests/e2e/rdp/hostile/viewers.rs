//! Viewers.

use std::sync::atomic::Ordering;

use passerelle_rdp_peers::target::Script;
use passerelle_rdp_peers::{Step, Walker, session};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Scene, end_on, expect_end, expect_sound, expect_welcome, logged};
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::peers::PATIENCE;
use crate::peers::rdp::{Targets, block_on, each, viewer};
use crate::peers::site::{Setup, Site, Ticket};

/// By how much the gateway may grow over all cases, in KiB. One length that is believed costs more.
const GROWTH: u64 = 24 * 1024;

/// How many cases are played at once, beside those that only wait.
const AT_ONCE: usize = 3;

/// What a viewer does at its step.
enum Deed {
    /// Sends the first half of what is due, then closes.
    Truncate,
    /// Sends the first half, closes its direction, and listens on.
    HalfClose,
    /// Sends the first half, then nothing.
    Stall,
    /// Sends these, and zeros behind them for as long as they are taken.
    Flood(Vec<u8>),
    /// Sends this as its MCS user on the I/O channel or a static one, and listens on.
    Say(fn(&Walker<TcpStream>) -> Vec<u8>),
}

/// What becomes of it.
#[derive(Clone, Copy)]
enum Fate {
    /// There is no session, and the log says this of the connection.
    Turned(&'static str),
    /// Its session ends for this reason, whose message says this.
    Ended(&'static str, &'static str),
}

struct Case {
    name: String,
    step: Step,
    deed: Deed,
    fate: Fate,
}

/// What begins each step's message with the greatest length.
fn longest(step: Step) -> Vec<u8> {
    match step {
        Step::Tls => vec![0x16, 3, 1, 0xff, 0xff],
        Step::Negotiate | Step::Authenticate | Step::Delegate => vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        Step::Session => vec![0x3c, 0xff, 0xff],
        _ => vec![3, 0, 0xff, 0xff, 2, 0xf0, 0x80, 0x64],
    }
}

/// The same four deeds at every step.
fn at_every_step() -> Vec<Case> {
    let mut cases = Vec::new();
    for step in Step::ALL {
        let left = match step {
            _ if step < Step::Greet => Fate::Turned("the viewer left before its login"),
            Step::Greet => Fate::Turned("the viewer left after its login"),
            _ => Fate::Ended("viewer_closed", ""),
        };
        let stalled = match step {
            _ if step < Step::Greet => Fate::Turned("the viewer did not log in in time"),
            Step::Greet => Fate::Turned("the viewer did not go on after its login"),
            _ if step < Step::License => Fate::Ended("viewer_failed", "did not finish the handshake in time"),
            _ => Fate::Ended("idle", ""),
        };
        let flooded = match step {
            Step::Tls => Fate::Turned("no TLS with the viewer"),
            Step::Greet => Fate::Turned("the viewer broke the protocol after its login"),
            _ if step < Step::Greet => Fate::Turned("announced"),
            _ if step < Step::License => Fate::Ended("viewer_violation", "announced a PDU of 65535 bytes"),
            _ => Fate::Ended("viewer_violation", ""),
        };
        let case = |what: &str, deed, fate| Case { name: format!("{step:?}, {what}"), step, deed, fate };
        cases.push(case("truncated", Deed::Truncate, left));
        cases.push(case("closed by halves", Deed::HalfClose, left));
        cases.push(case("stalled", Deed::Stall, stalled));
        cases.push(case("oversize", Deed::Flood(longest(step)), flooded));
    }
    cases
}

/// A chunk of a static channel (MS-RDPBCGR 2.2.6.1).
fn chunk(viewer: &Walker<TcpStream>, channel: usize, total: u32, flags: u32, data: &[u8]) -> Vec<u8> {
    let user_data = [&total.to_le_bytes()[..], &flags.to_le_bytes(), data].concat();
    session::request(viewer.user, viewer.statics[channel], &user_data)
}

/// Attacks of their own.
fn attacks() -> Vec<Case> {
    let before = |name: &str, bytes: &[u8], says| Case {
        name: name.to_owned(),
        step: Step::Request,
        deed: Deed::Flood(bytes.to_vec()),
        fate: Fate::Turned(says),
    };
    let within = |name: &str, say, says| Case {
        name: name.to_owned(),
        step: Step::Session,
        deed: Deed::Say(say),
        fate: Fate::Ended("viewer_violation", says),
    };
    vec![
        before("preconnection blob of 2^31 bytes", &[0xff, 0xff, 0xff, 0x7f], "does not speak RDP"),
        before(
            "preconnection blob with a payload beyond its end",
            &[20, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0],
            "preconnection blob is malformed",
        ),
        before("a web browser", b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", "does not speak RDP"),
        within("input of Standard RDP Security", |_| vec![0x84, 4, 0, 0x1e], "Standard RDP Security"),
        within("fast path of no bytes", |_| vec![4, 0], "shorter than any"),
        within(
            "share data of zeros",
            |viewer| session::request(viewer.user, viewer.io, &[0; 64]),
            "its length is not that of a PDU",
        ),
        within(
            "capability sets beyond the end",
            |viewer| {
                let mut pdu = session::confirm_active(viewer.user);
                // numberCapabilities, behind the source descriptor "MSTSC" with its end.
                let count = pdu.windows(6).position(|window| window == b"MSTSC\0").map_or(0, |at| at + 6);
                pdu[count..count + 2].fill(0xff);
                session::request(viewer.user, viewer.io, &pdu)
            },
            "capability sets",
        ),
        within(
            "data as somebody else",
            |viewer| session::request(viewer.user + 1, viewer.io, &[0; 8]),
            "which is not its own",
        ),
        within(
            "a channel that was not joined",
            |viewer| session::request(viewer.user, 9999, &[0; 8]),
            "which was not joined",
        ),
        within(
            "a chunk out of nowhere",
            |viewer| chunk(viewer, 0, 16, 2, &[0; 16]),
            "a chunk in the channel",
        ),
        within(
            "a chunk longer than its message",
            |viewer| chunk(viewer, 1, 1, 3, &[0; 1024]),
            "a chunk in the channel",
        ),
        within("a clipboard message of 2^32-1 bytes", |viewer| chunk(viewer, 0, u32::MAX, 3, &[2; 8]), ""),
    ]
}

fn play(gateway: u16, case: &Case, ticket: &Ticket) -> Outcome<u16> {
    block_on(async {
        let (mut viewer, port) = viewer(gateway, ticket, case.step).await?;
        let half = viewer.due[..viewer.due.len() / 2].to_vec();
        // The gateway may hang up before everything is sent.
        match &case.deed {
            Deed::Truncate => {
                let _ = viewer.transport.send(&half).await;
                return Ok(port);
            }
            Deed::HalfClose => {
                let _ = viewer.transport.send(&half).await;
                let _ = viewer.transport.shutdown().await;
            }
            Deed::Stall => drop(viewer.transport.send(&half).await),
            Deed::Flood(head) => {
                let flood = async {
                    viewer.transport.send(head).await?;
                    loop {
                        viewer.transport.send(&[0; 16 * 1024]).await?;
                    }
                };
                let flooded: Result<std::io::Result<()>, _> = timeout(PATIENCE, flood).await;
                if flooded.is_err() {
                    return Err("the gateway takes it without an end".to_owned());
                }
            }
            Deed::Say(say) => {
                let words = say(&viewer);
                let _ = viewer.transport.send(&words).await;
            }
        }
        let closed = timeout(PATIENCE, viewer.until_closed()).await;
        closed.map(|_| port).map_err(|_| "the gateway did not hang up".to_owned())
    })
}

#[test]
fn whatever_a_viewer_does_at_any_step_ends_its_own_session_only() {
    Lab::run(|lab| {
        let targets = Targets::new()?;
        let desk = targets.add(Script { shares: true, ..Script::tls() })?;
        let mut cases = at_every_step();
        cases.extend(attacks());
        // A target for each case, so that its session can be told from the others, all in the same place.
        let mut setup = Setup::rdp().target("beside", desk, "").with(
            "limits: { handshake: 8s, idle: 8s, per_technician: 100, per_target: 1 }\ntickets: { life: 5m }",
        );
        for number in 0..cases.len() {
            setup = setup.target(&format!("t{number}"), desk, "");
        }
        let scene = Scene::start(Site::start(lab, setup)?, cases.len())?;

        let ports: Vec<_> = cases.iter().map(|_| std::sync::atomic::AtomicU16::new(0)).collect();
        let (stalls, others): (Vec<usize>, Vec<usize>) =
            (0..cases.len()).partition(|number| matches!(cases[*number].deed, Deed::Stall));
        let (gateway, tickets) = (scene.site.port, &scene.tickets);
        let name = |number: &usize| cases[*number].name.clone();
        let work = |number: &usize| {
            let port = play(gateway, &cases[*number], &tickets[*number])?;
            ports[*number].store(port, Ordering::Relaxed);
            Ok(())
        };
        let (acting, waiting) = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| each(&stalls, stalls.len(), name, work));
            (each(&others, AT_ONCE, name, work), waiting.join())
        });
        let waiting = waiting.map_err(|_| "the stalled viewers panicked")?;
        acting.and(waiting)?;

        let (mut site, before) = scene.end()?;
        expect_sound(&mut site, before, GROWTH)?;
        let expected = cases.iter().filter(|case| matches!(case.fate, Fate::Ended(..))).count() + 1;
        site.wait_ends(expected)?;
        let ends = site.audit_of("session.ended")?;
        let mut wrong = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let checked = match case.fate {
                Fate::Ended(reason, says) => {
                    end_on(&ends, &format!("t{number}")).and_then(|end| expect_end(end, reason, says))
                }
                Fate::Turned(says) => {
                    let log = logged(&site, ports[number].load(Ordering::Relaxed))?;
                    if log.contains(says) {
                        Ok(())
                    } else {
                        Err(format!("{says:?} is not in the log: {log}"))
                    }
                }
            };
            wrong.extend(checked.err().map(|error| format!("{}: {error}", case.name)));
        }
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        if ends.len() != expected {
            return Err(format!("{} sessions, not {expected}", ends.len()));
        }
        // Places and leases were given back: there is one session for each target at a time.
        for number in [others[others.len() - 1], stalls[stalls.len() - 1]] {
            expect_welcome(&site, &site.ticket_for("bob", &format!("t{number}"))?)?;
        }
        site.wait_ends(expected + 2)?;
        site.expect_sealed()
    });
}
