//! The desktop's size changes while a session runs.

use std::thread::sleep;
use std::time::Duration;

use passerelle_rdp::decoder::RdpDecoder;
use serde_json::json;

use crate::harness::Outcome;
use crate::harness::clients::Viewer;
use crate::harness::clients::rdp::Rdp;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::screen::SIZE;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::rendering::draw;

/// What the client's window becomes.
const SMALLER: (usize, usize) = (640, 480);

/// A session with these permissions besides, of a client that asks for a desktop as large as its window.
fn session(lab: &Lab, server: Server, permissions: &str) -> Outcome<(Target, Gateway, Viewer)> {
    let target = Target::start(lab, server)?;
    let gateway = Gateway::start(lab, &["nla"], &target, Trust::Pin)?;
    let ticket = gateway.ticket_with(&["--permissions", &format!("view,pointer,keyboard{permissions}")])?;
    let client = Rdp::XfreerdpNla(&["/dynamic-resolution"]);
    let viewer = client.connect(lab, &gateway.long_login(&ticket), "before")?;
    target.wait_typed("before")?;
    Ok((target, gateway, viewer))
}

#[test]
fn a_client_that_may_changes_the_size_of_the_desktop() {
    Lab::run(|lab| {
        let (target, gateway, viewer) = session(lab, Server::Xrdp, ",resize")?;
        viewer.resize("FreeRDP", SMALLER)?;
        wait_for("the desktop getting the window's size", Duration::from_secs(10), || {
            let picture = target.picture().ok()?;
            ((picture.width, picture.height) == SMALLER).then_some(())
        })?;
        wait_for("the same picture at both ends", Duration::from_secs(10), || {
            let (seen, shown) = (viewer.picture().ok()?, target.picture().ok()?);
            (seen.difference_within(&shown) < 1.0).then_some(())
        })?;
        viewer.type_line("after")?;
        target.wait_typed("after")?;
        sleep(Duration::from_millis(500));
        let seen = viewer.picture()?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("channel.opened", &[("permission", json!("resize"))])?;
        gateway
            .expect_event("desktop.resized", &[("width", json!(SMALLER.0)), ("height", json!(SMALLER.1))])?;
        let (drawn, skipped) = draw(&gateway, &gateway.verify_recording()?, &mut RdpDecoder::new())?;
        match seen.difference_within(&drawn) {
            near if near < 1.0 => Ok(()),
            far => {
                Err(format!("the recording draws {far:.2} % of the pixels differently; not drawn: {skipped}"))
            }
        }
    });
}

#[test]
fn a_client_that_may_not_leaves_the_size_of_the_desktop() {
    Lab::run(|lab| {
        let (target, gateway, viewer) = session(lab, Server::Xrdp, "")?;
        viewer.resize("FreeRDP", SMALLER)?;
        sleep(Duration::from_secs(1));
        viewer.type_line("after")?;
        target.wait_typed("after")?;
        let picture = target.picture()?;
        if (picture.width, picture.height) != SIZE {
            return Err(format!("the desktop became {} by {}", picture.width, picture.height));
        }
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("channel.refused", &[("permission", json!("resize"))])
    });
}
