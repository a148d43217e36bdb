//! Viewers that stop reading for a while, and gateways that are killed.

use std::time::Duration;

use passerelle_rdp_peers::target::{Deed, Script, Step};
use passerelle_rdp_peers::{Step as ViewerStep, read_pdu, session};
use tokio::time::sleep;

use super::{exchange, expect_welcome};
use crate::harness::lab::Lab;
use crate::peers::failed;
use crate::peers::rdp::{Targets, block_on, viewer};
use crate::peers::site::{Setup, Site};

/// By how much the gateway may grow, in KiB, for a viewer that reads nothing. It is a fraction of what the target has
/// to say and the sockets do not hold; a session alone takes some of it, as pages of the program.
const STALLED: u64 = 16 * 1024;

/// Many times what the sockets between the peers hold. No two updates of the fast path are alike; they are of orders, which
/// a recording keeps as they came.
fn updates() -> Vec<Vec<u8>> {
    let update = |number: u32| {
        let orders = number.to_be_bytes().repeat(4000);
        let len = u16::try_from(orders.len()).unwrap_or(u16::MAX);
        let content = [&[0][..], &len.to_le_bytes(), &orders].concat();
        let len = u16::try_from(content.len() + 3).unwrap_or(u16::MAX) | 0x8000;
        [&[0][..], &len.to_be_bytes(), &content].concat()
    };
    (0..4096).map(update).collect()
}

#[test]
fn a_viewer_that_reads_again_has_missed_nothing() {
    Lab::run(|lab| {
        let targets = Targets::new()?;
        let sent = updates();
        let busy = Script {
            shares: true,
            deed: Some((Step::Session, Deed::Replace(sent.concat()))),
            ..Script::tls()
        };
        let mut site = Site::start(lab, Setup::rdp().target("desk", targets.add(busy)?, ""))?;
        let ticket = site.ticket()?;
        let before = site.memory()?;
        block_on(async {
            let (mut viewer, _) = viewer(site.port, &ticket, ViewerStep::Session).await?;
            // The buffers between target and viewer fill up first.
            sleep(Duration::from_secs(3)).await;
            let stalled = site.memory()?;
            if stalled > before + STALLED {
                return Err(format!("the gateway grew from {before} to {stalled} KiB"));
            }
            for (number, update) in sent.iter().enumerate() {
                let read = read_pdu(&mut viewer.transport).await.map_err(failed("reading again"))?;
                if read != *update {
                    return Err(format!("update {number} is another"));
                }
            }
            exchange(&mut viewer).await
        })?;
        site.expect_end(1, "viewer_closed")?;
        site.expect_sealed()?;
        let recordings = site.json(&["recordings", "verify", "--all"])?;
        let recording = recordings[0]["id"].as_str().ok_or("there is no recording")?;
        let recorded = site.cli(&["recordings", "cat", recording, "--lane", "target", "--raw"])?;
        let all = [sent.concat(), session::UPDATE.to_vec()].concat();
        if recorded.ends_with(&all) { Ok(()) } else { Err("the recording is not what was sent".into()) }
    });
}

#[test]
fn a_killed_gateway_s_session_is_sealed_at_the_next_start() {
    Lab::run(|lab| {
        let targets = Targets::new()?;
        let desk = targets.add(Script { shares: true, ..Script::tls() })?;
        let setup = Setup::rdp().target("desk", desk, "").with("limits: { per_target: 1 }");
        let mut site = Site::start(lab, setup)?;
        let ticket = site.ticket()?;
        let told = block_on(async {
            let (mut viewer, _) = viewer(site.port, &ticket, ViewerStep::Session).await?;
            exchange(&mut viewer).await?;
            // Longer than what a crash may lose.
            sleep(Duration::from_millis(500)).await;
            site.kill()?;
            Ok(viewer.until_closed().await)
        })?;
        // Nobody was left to say anything.
        if let Some(code) = told {
            return Err(format!("the viewer was told {code:#x}"));
        }
        site.restart()?;
        site.expect_end(1, "interrupted")?;
        let answers = site.json(&["recordings", "verify", "--all", "--require-sealed"])?;
        if answers[0]["verdict"] != "interrupted" {
            return Err(format!("not interrupted: {answers}"));
        }
        let recording = answers[0]["id"].as_str().ok_or("there is no recording")?;
        let recorded = site.cli(&["recordings", "cat", recording, "--lane", "target", "--raw"])?;
        if !recorded.ends_with(&session::UPDATE) {
            return Err("what the target drew last is not in the recording".into());
        }
        expect_welcome(&site, &site.ticket()?)
    });
}
