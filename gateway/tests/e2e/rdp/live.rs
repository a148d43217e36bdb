//! Permissions that change while a session runs.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::harness::clients::rdp::Rdp;
use crate::harness::clipboard::{copy, paste, wait_pasted};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};

#[test]
fn what_is_taken_away_from_a_running_session_can_be_given_back() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::Xrdp)?;
        let gateway = Gateway::start(lab, &["nla"], &target, Trust::Pin)?;
        let viewer = Rdp::XfreerdpNla(&[]).connect(lab, &gateway.long_login(&gateway.ticket()?), "before")?;
        target.wait_typed("before")?;
        let (here, there) = (viewer.display()?, target.display()?);
        let before = copy(lab, here, "copied before")?;
        wait_pasted(&there, "copied before")?;

        let session = gateway.wait_session()?;
        gateway.cli(&["sessions", "permit", &session, "view"])?;
        viewer.type_line("meanwhile")?;
        let meanwhile = copy(lab, here, "copied meanwhile")?;
        drop(before);
        sleep(Duration::from_secs(1));
        if target.typed().contains("meanwhile") {
            return Err("keys arrived that are no longer permitted".into());
        }
        if paste(&there).is_some_and(|text| text.contains("meanwhile")) {
            return Err("text arrived that may no longer be copied".into());
        }
        // The technician still sees.
        if viewer.picture()?.difference(&target.picture()?) > 1.0 {
            return Err("the picture no longer comes".into());
        }

        gateway.cli(&["sessions", "permit", &session, "view,pointer,keyboard,clipboard.to_target"])?;
        // What was copied meanwhile is offered now.
        wait_pasted(&there, "copied meanwhile")?;
        drop(meanwhile);
        viewer.type_line("after")?;
        target.wait_typed("after")?;
        let _after = copy(lab, here, "copied after")?;
        wait_pasted(&there, "copied after")?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("permission.changed", &[("permissions", json!(["view"]))])?;
        gateway.expect_event("permission.denied", &[("permission", json!("keyboard"))])?;
        gateway.expect_event("permission.denied", &[("permission", json!("clipboard.to_target"))])
    });
}
