//! Which stock viewer works with which stock server, through the gateway.
//!
//! Each pair shows the same picture at both ends, what is typed in the viewer arrives on the target, the
//! recording is sealed, begins with the target's desktop and draws the same picture again, and the audit log is intact.

use std::time::Duration;

use passerelle_vnc::decoder::VncDecoder;

use crate::harness::Outcome;
use crate::harness::clients::Client;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::screen::SIZE;
use crate::harness::servers::{BACKGROUND, Server, Target};
use crate::harness::wait::wait_for;
use crate::rendering::draw;

/// What technicians type: letters that need Shift or another layout's keys are the viewers' business.
const LINE: &str = "hello from 7 viewers";

/// How many percent of the pixels may differ: a pointer that one side draws, blurred edges in JPEG.
const DIFFERENCE: f64 = 1.0;

fn pair(client: Client, server: Server) {
    pair_trusting(client, server, Trust::Pin);
}

fn pair_trusting(client: Client, server: Server, trust: Trust) {
    Lab::run(|lab| {
        let target = Target::start(lab, server)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, trust)?;
        let ticket = gateway.ticket()?;
        let viewer = client.connect(lab, &gateway.login(client, &ticket), LINE)?;
        target.wait_typed(LINE)?;

        let mut difference = 100.0;
        let same = wait_for("the same picture at both ends", Duration::from_secs(10), || {
            difference = viewer.picture().ok()?.difference_within(&target.picture().ok()?);
            (difference < DIFFERENCE).then_some(())
        });
        let (seen, shown) = (viewer.picture()?, target.picture()?);
        if let Err(error) = same {
            seen.save(&lab.path("viewer.png"))?;
            shown.save(&lab.path("target.png"))?;
            return Err(format!(
                "{error}: {difference:.2} % of the pixels differ, see viewer.png and target.png"
            ));
        }
        if seen.share(BACKGROUND) < 20.0 {
            return Err("both ends show the same, but not the desktop".into());
        }

        drop(viewer);
        gateway.wait_idle()?;
        let recording = check_evidence(&gateway)?;
        let (drawn, skipped) = draw(&gateway, &recording, &mut VncDecoder::new())?;
        let difference = seen.difference_within(&drawn);
        if difference >= DIFFERENCE || !skipped.is_empty() {
            seen.save(&lab.path("viewer.png"))?;
            drawn.save(&lab.path("drawn.png"))?;
            return Err(format!(
                "the recording draws {difference:.2} % of the pixels differently, see viewer.png and \
                 drawn.png; not drawn: {skipped}"
            ));
        }
        Ok(())
    });
}

/// Checks the recording and the audit log, and returns the recording's name.
fn check_evidence(gateway: &Gateway) -> Outcome<String> {
    let recording = gateway.verify_recording()?;
    let wire = gateway.recorded(&recording, "target")?;
    let size = [SIZE.0 as u16, SIZE.1 as u16].map(u16::to_be_bytes);
    if !wire.starts_with(size.as_flattened()) {
        return Err(format!("the recording does not begin with the desktop's size: {:02x?}", wire.get(..8)));
    }
    // Framebuffer updates are most of a session.
    if wire.len() < 1000 {
        return Err(format!("the recording keeps only {} bytes of the target's", wire.len()));
    }
    let events = [
        "gateway.started",
        "ticket.issued",
        "login.accepted",
        "session.started",
        "session.ended",
        "recording.read",
    ];
    gateway.expect_audit(&events).map(|()| recording)
}

macro_rules! pairs {
    ($($name:ident: $client:ident, $server:ident;)+) => {
        $(
            #[test]
            fn $name() {
                pair(Client::$client, Server::$server);
            }
        )+
    };
}

pairs! {
    tigervnc_vncauth_to_xvnc_none: TigervncVncAuth, XvncNone;
    tigervnc_vncauth_to_xvnc_vncauth: TigervncVncAuth, XvncVncAuth;
    tigervnc_vncauth_to_xvnc_x509none: TigervncVncAuth, XvncX509None;
    tigervnc_vncauth_to_x11vnc: TigervncVncAuth, X11vnc;
    tigervnc_vncauth_to_wayvnc: TigervncVncAuth, Wayvnc;
    tigervnc_x509vnc_to_xvnc_vncauth: TigervncX509Vnc, XvncVncAuth;
    tigervnc_x509plain_to_xvnc_vncauth: TigervncX509Plain, XvncVncAuth;
    tigervnc_x509plain_to_xvnc_x509plain: TigervncX509Plain, XvncX509Plain;
    tigervnc_x509plain_to_wayvnc_x509plain: TigervncX509Plain, WayvncX509Plain;
    vncdotool_vncauth_to_xvnc_none: VncdotoolVncAuth, XvncNone;
    vncdotool_vncauth_to_x11vnc: VncdotoolVncAuth, X11vnc;
    vncdotool_vncauth_to_wayvnc: VncdotoolVncAuth, Wayvnc;
    vncdotool_ard_to_xvnc_vncauth: VncdotoolArd, XvncVncAuth;
    vncdotool_ard_to_x11vnc: VncdotoolArd, X11vnc;
    gtkvnc_vncauth_to_xvnc_vncauth: GtkvncVncAuth, XvncVncAuth;
    gtkvnc_ard_to_xvnc_x509plain: GtkvncArd, XvncX509Plain;
    gtkvnc_ard_to_x11vnc: GtkvncArd, X11vnc;
    gtkvnc_vncauth_to_wayvnc: GtkvncVncAuth, Wayvnc;
    remmina_vncauth_to_xvnc_vncauth: RemminaVncAuth, XvncVncAuth;
    remmina_ard_to_xvnc_none: RemminaArd, XvncNone;
    remmina_vncauth_to_x11vnc: RemminaVncAuth, X11vnc;
    remmina_ard_to_wayvnc: RemminaArd, Wayvnc;
    novnc_vncauth_to_xvnc_vncauth: NovncVncAuth, XvncVncAuth;
    novnc_ard_to_xvnc_x509plain: NovncArd, XvncX509Plain;
    novnc_vncauth_to_x11vnc: NovncVncAuth, X11vnc;
    novnc_vncauth_to_wayvnc: NovncVncAuth, Wayvnc;
}

/// The gateway accepts the target's certificate because an authority signed it.
#[test]
fn tigervnc_x509plain_to_xvnc_x509vnc_by_authority() {
    pair_trusting(Client::TigervncX509Plain, Server::XvncX509Vnc, Trust::Authority);
}

/// The gateway accepts the target's certificate because it is the first one.
#[test]
fn vncdotool_ard_to_xvnc_x509none_at_first_use() {
    pair_trusting(Client::VncdotoolArd, Server::XvncX509None, Trust::FirstUse);
}
