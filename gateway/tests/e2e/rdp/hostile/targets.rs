//! Targets.

use passerelle_rdp_peers::Step as ViewerStep;
use passerelle_rdp_peers::session::{UPDATE, demand_active, indication};
use passerelle_rdp_peers::target::{Deed, IO, STATICS, Script, Step};
use tokio::time::timeout;

use super::{Scene, end_on, expect_end, expect_sound, expect_welcome};
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::peers::PATIENCE;
use crate::peers::rdp::{Targets, block_on, each, viewer};
use crate::peers::site::{Setup, Site, Ticket};

/// By how much the gateway may grow over all cases, in KiB. One length that is believed costs more.
const GROWTH: u64 = 24 * 1024;

/// How many cases are played at once, beside those that only wait.
const AT_ONCE: usize = 3;

/// What a viewer is told: `ERRINFO_CB_DESTINATION_NOT_FOUND`, `ERRINFO_RPC_INITIATED_DISCONNECT_BYUSER`,
/// `ERRINFO_IDLE_TIMEOUT`.
const UNAVAILABLE: u32 = 0x400;
const FAILED: u32 = 0xb;
const IDLE: u32 = 3;

struct Case {
    name: String,
    step: Step,
    deed: fn(Step) -> Deed,
    stalls: bool,
    /// Why its session ends, what the message says, and what the viewer is told.
    fate: (&'static str, &'static str, u32),
}

const STEPS: [Step; 10] = [
    Step::Confirm,
    Step::Challenge,
    Step::Proof,
    Step::Authorization,
    Step::Response,
    Step::Attach,
    Step::Join,
    Step::License,
    Step::Demand,
    Step::Session,
];

/// Whether the viewer is let in before this step.
const fn in_session(step: Step) -> bool {
    matches!(step, Step::License | Step::Demand | Step::Session)
}

fn flood(step: Step) -> Deed {
    Deed::Flood(match step {
        Step::Challenge | Step::Proof => vec![0x30, 0x82, 0xff, 0xff],
        Step::Authorization => vec![0xff; 4],
        _ => vec![3, 0, 0xff, 0xff, 2, 0xf0, 0x80, 0x68],
    })
}

/// The same four deeds at every step.
fn at_every_step() -> Vec<Case> {
    let mut cases = Vec::new();
    for step in STEPS {
        let within = in_session(step);
        let left =
            if within { ("target_closed", "", UNAVAILABLE) } else { ("target_refused", "", UNAVAILABLE) };
        let stalled = if within {
            ("idle", "", IDLE)
        } else {
            ("target_refused", "did not finish the login within 20 s", UNAVAILABLE)
        };
        let flooded = match step {
            Step::Authorization => ("target_violation", "0xffffffff", UNAVAILABLE),
            _ if within => ("target_violation", "", FAILED),
            _ => ("target_violation", "65535 bytes", UNAVAILABLE),
        };
        let mut case = |what: &str, deed: fn(Step) -> Deed, stalls, fate| {
            cases.push(Case { name: format!("{step:?}, {what}"), step, deed, stalls, fate });
        };
        case("truncated", |_| Deed::Truncate, false, left);
        case("closed by halves", |_| Deed::HalfClose, false, left);
        case("stalled", |_| Deed::Stall, true, stalled);
        case("oversize", flood, false, flooded);
    }
    cases
}

/// A compressed update of slow path, whose content is noise.
fn noise() -> Vec<u8> {
    let body: Vec<u8> = (0..64_u32).map(|number| (number.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    // Share control header, share data header with PACKET_COMPRESSED of K64, then what it says of itself.
    let len = u8::try_from(18 + body.len()).unwrap_or(u8::MAX);
    let header = [len, 0, 0x17, 0, 0xea, 3, 0xea, 3, 1, 0, 0, 1, 0xff, 0xff, 2, 0x21, 0xff, 0xff];
    indication(IO, &[&header[..], &body].concat())
}

/// A chunk of a static channel (MS-RDPBCGR 2.2.6.1).
fn chunk(channel: u16, total: u32, flags: u32, data: &[u8]) -> Vec<u8> {
    indication(channel, &[&total.to_le_bytes()[..], &flags.to_le_bytes(), data].concat())
}

/// Attacks of their own.
fn attacks() -> Vec<Case> {
    let case = |name: &str, step, deed, fate| Case { name: name.to_owned(), step, deed, stalls: false, fate };
    let violation = |says| ("target_violation", says, FAILED);
    vec![
        case(
            "something else than TLS",
            Step::Confirm,
            |_| {
                Deed::Edit(|mut confirm| {
                    confirm.extend([0x5a; 64]);
                    confirm
                })
            },
            ("target_refused", "", UNAVAILABLE),
        ),
        case(
            "a negotiation that fails",
            Step::Confirm,
            |_| {
                Deed::Replace(
                    // SSL_CERT_NOT_ON_SERVER
                    vec![3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, 3, 0, 8, 0, 3, 0, 0, 0],
                )
            },
            ("target_refused", "certificate", UNAVAILABLE),
        ),
        case(
            "more channels than were asked for",
            Step::Response,
            |_| {
                Deed::Edit(|mut response| {
                    // channelCount of SC_NET, behind its header and the I/O channel.
                    if let Some(at) = response.windows(2).rposition(|window| window == [3, 0x0c]) {
                        response[at + 6] = 0xff;
                    }
                    response
                })
            },
            ("target_violation", "", UNAVAILABLE),
        ),
        case(
            "another user's channel",
            Step::Join,
            |_| {
                Deed::Edit(|mut confirm| {
                    if let Some(last) = confirm.last_mut() {
                        *last ^= 0x55;
                    }
                    confirm
                })
            },
            ("target_violation", "", UNAVAILABLE),
        ),
        case(
            "a way to another machine",
            Step::License,
            |_| {
                Deed::Replace(indication(
                    IO,
                    // SEC_REDIRECTION_PKT (2.2.13.2), then a target net address.
                    &[
                        &[0, 4, 0, 0, 0, 4, 0x20, 0, 1, 0, 0, 0, 1, 0, 0, 0][..],
                        &[12, 0, 0, 0],
                        &[0x41, 0].repeat(6)[..],
                    ]
                    .concat(),
                ))
            },
            violation(""),
        ),
        case(
            "capability sets beyond the end",
            Step::Demand,
            |_| {
                let mut pdu = demand_active();
                let count = pdu.windows(4).position(|window| window == b"RDP\0").map_or(0, |at| at + 4);
                pdu[count..count + 2].fill(0xff);
                Deed::Replace(indication(IO, &pdu))
            },
            violation("capability sets"),
        ),
        case(
            "a fast-path update of no bytes",
            Step::Session,
            |_| Deed::Replace(vec![0, 0]),
            violation("shorter"),
        ),
        case(
            "an update of Standard RDP Security",
            Step::Session,
            |_| Deed::Replace(vec![0x80, 5, 3, 0, 0]),
            violation("Standard RDP Security"),
        ),
        case(
            "a web server",
            Step::Session,
            |_| Deed::Replace(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            violation(""),
        ),
        case(
            "a channel that was not joined",
            Step::Session,
            |_| Deed::Replace(indication(9999, &[0; 8])),
            violation("which was not joined"),
        ),
        case(
            "share data of zeros",
            Step::Session,
            |_| Deed::Replace(indication(IO, &[0; 64])),
            violation("its length is not that of a PDU"),
        ),
        case(
            "a chunk out of nowhere",
            Step::Session,
            |_| Deed::Replace(chunk(STATICS[1], 16, 2, &[0; 16])),
            violation("a chunk in the channel"),
        ),
        case(
            "data of a dynamic channel without a length",
            Step::Session,
            |_| Deed::Replace(chunk(STATICS[1], 2, 3, &[0x24, 7])),
            violation(""),
        ),
        case(
            "a clipboard message of 2^32-1 bytes",
            Step::Session,
            |_| Deed::Replace(chunk(STATICS[0], u32::MAX, 3, &[2; 8])),
            violation(""),
        ),
    ]
}

/// A viewer that is told why there is no target, or no more. Gives the code of Set Error Info.
fn told(gateway: u16, ticket: &Ticket) -> Outcome<u32> {
    block_on(async {
        let told = async {
            match viewer(gateway, ticket, ViewerStep::Session).await {
                Ok((mut viewer, _)) => {
                    viewer.until_closed().await.ok_or_else(|| "it was not told".to_owned())
                }
                Err(said) => said
                    .strip_prefix("refused with 0x")
                    .and_then(|code| u32::from_str_radix(code, 16).ok())
                    .ok_or_else(|| format!("it was not told: {said}")),
            }
        };
        timeout(PATIENCE, told).await.map_err(|_| "the viewer still waits".to_owned())?
    })
}

/// The longest that a target may take is 20 s; the cases that wait take as long, all at once.
#[test]
fn whatever_a_target_does_at_any_step_is_told_to_its_viewer_only() {
    Lab::run(|lab| {
        let targets = Targets::new()?;
        let mut cases = at_every_step();
        cases.extend(attacks());
        let password = lab.write_secret("target.password", "correct horse")?;
        let credentials = format!("credentials: {{ username: desk, password: file:{} }}", password.display());
        let good = Script { shares: true, ..Script::default() };
        let mut setup = Setup::rdp()
            .target("beside", targets.add(good)?, &credentials)
            .with("limits: { idle: 8s, per_technician: 100, per_target: 1 }\ntickets: { life: 5m }");
        for (number, case) in cases.iter().enumerate() {
            let script = Script { shares: true, ..Script::doing(case.step, (case.deed)(case.step)) };
            setup = setup.target(&format!("t{number}"), targets.add(script)?, &credentials);
        }
        // What is compressed goes on as it is, noise included: the viewer unpacks it, not the gateway.
        let noisy = Deed::Replace([noise(), UPDATE.to_vec()].concat());
        let noisy = Script { shares: true, ..Script::doing(Step::Session, noisy) };
        setup = setup.target("noisy", targets.add(noisy)?, &credentials);
        let scene = Scene::start(Site::start(lab, setup)?, cases.len())?;

        let (stalls, others): (Vec<usize>, Vec<usize>) =
            (0..cases.len()).partition(|number| cases[*number].stalls);
        let (gateway, tickets) = (scene.site.port, &scene.tickets);
        let name = |number: &usize| cases[*number].name.clone();
        let work = |number: &usize| match (told(gateway, &tickets[*number])?, cases[*number].fate.2) {
            (code, wanted) if code == wanted => Ok(()),
            (code, wanted) => Err(format!("the viewer was told {code:#x} and not {wanted:#x}")),
        };
        let (acting, waiting) = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| each(&stalls, stalls.len(), name, work));
            (each(&others, AT_ONCE, name, work), waiting.join())
        });
        let waiting = waiting.map_err(|_| "the stalled targets' viewers panicked")?;
        acting.and(waiting)?;

        let (mut site, before) = scene.end()?;
        site.wait_ends(cases.len() + 1)?;
        expect_sound(&mut site, before, GROWTH)?;
        let ends = site.audit_of("session.ended")?;
        let mut wrong = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let (reason, says, _) = case.fate;
            let end = end_on(&ends, &format!("t{number}")).and_then(|end| expect_end(end, reason, says));
            wrong.extend(end.err().map(|error| format!("{}: {error}", case.name)));
        }
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        let violations = cases.iter().filter(|case| case.fate.0 == "target_violation").count();
        match site.audit_of("protocol.violation")?.len() {
            audited if audited == violations => {}
            audited => return Err(format!("{audited} times protocol.violation for {violations} violations")),
        }
        let passed_on = block_on(async {
            let ticket = site.ticket_for("alice", "noisy")?;
            let (mut viewer, _) = viewer(site.port, &ticket, ViewerStep::Session).await?;
            passerelle_rdp_peers::read_pdu(&mut viewer.transport).await.map_err(|error| error.to_string())
        })?;
        if passed_on != noise() {
            return Err(format!("the noise was passed on as {passed_on:02x?}"));
        }
        expect_welcome(&site, &site.ticket_for("alice", "beside")?)?;
        site.wait_ends(cases.len() + 3)?;
        site.expect_sealed()
    });
}
