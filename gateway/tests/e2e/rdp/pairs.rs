//! Which stock client works with which stock server, through the gateway.
//!
//! Each pair shows the same picture at both ends, what is typed in the client arrives on the target, the
//! recording is sealed and draws the same picture again, and the audit log is intact.

use std::time::Duration;

use passerelle_rdp::decoder::RdpDecoder;

use crate::harness::Outcome;
use crate::harness::clients::rdp::Rdp;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{BACKGROUND, Server, Target};
use crate::harness::wait::wait_for;

use crate::rendering::draw;

/// What technicians type.
const LINE: &str = "hello from 3 viewers";

/// How many percent of the pixels may differ: where RemoteFX blurs an edge.
const DIFFERENCE: f64 = 1.0;

fn pair(client: Rdp, server: Server) {
    pair_trusting(client, server, Trust::Pin);
}

fn pair_trusting(client: Rdp, server: Server, trust: Trust) {
    Lab::run(|lab| {
        let target = Target::start(lab, server)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, trust)?;
        let ticket = gateway.ticket()?;
        let viewer = client.connect(lab, &gateway.long_login(&ticket), LINE)?;
        target.wait_typed(LINE)?;

        let mut difference = 100.0;
        let same = wait_for("the same picture at both ends", Duration::from_secs(10), || {
            difference = viewer.picture().ok()?.difference(&target.picture().ok()?);
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
        let (drawn, skipped) = draw(&gateway, &recording, &mut RdpDecoder::new())?;
        let difference = drawn.difference(&seen);
        if difference >= DIFFERENCE {
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
    ($($name:ident: $client:ident[$($option:literal),*], $server:ident;)+) => {
        $(
            #[test]
            fn $name() {
                pair(Rdp::$client(&[$($option),*]), Server::$server);
            }
        )+
    };
}

pairs! {
    xfreerdp_nla_to_xrdp: XfreerdpNla[], Xrdp;
    xfreerdp_tls_to_xrdp: XfreerdpTls[], Xrdp;
    xfreerdp_nla_16_to_xrdp: XfreerdpNla["/bpp:16"], Xrdp;
    xfreerdp_nla_24_to_xrdp: XfreerdpNla["/bpp:24"], Xrdp;
    xfreerdp_tls_32_to_xrdp: XfreerdpTls["/bpp:32"], Xrdp;
    xfreerdp_nla_gfx_to_xrdp: XfreerdpNla["/gfx"], Xrdp;
    xfreerdp_tls_rfx_to_xrdp: XfreerdpTls["/rfx"], Xrdp;
    xfreerdp_nla_lan_to_xrdp: XfreerdpNla["/network:lan"], Xrdp;
    xfreerdp_nla_to_shadow_nla: XfreerdpNla[], ShadowNla;
    xfreerdp_tls_to_shadow_nla: XfreerdpTls[], ShadowNla;
    xfreerdp_nla_to_shadow_tls: XfreerdpNla[], ShadowTls;
    xfreerdp_tls_to_shadow_tls: XfreerdpTls[], ShadowTls;
    xfreerdp_nla_16_to_shadow_nla: XfreerdpNla["/bpp:16"], ShadowNla;
    xfreerdp_tls_24_to_shadow_nla: XfreerdpTls["/bpp:24"], ShadowNla;
    xfreerdp_nla_32_to_shadow_tls: XfreerdpNla["/bpp:32"], ShadowTls;
    xfreerdp_nla_gfx_to_shadow_nla: XfreerdpNla["/gfx"], ShadowNla;
    xfreerdp_tls_gfx_rfx_to_shadow_nla: XfreerdpTls["/gfx:RFX"], ShadowNla;
    xfreerdp_nla_rfx_to_shadow_tls: XfreerdpNla["/rfx"], ShadowTls;
    xfreerdp_tls_lan_to_shadow_nla: XfreerdpTls["/network:lan"], ShadowNla;
    xfreerdp_nla_to_grd: XfreerdpNla[], Grd;
    xfreerdp_tls_to_grd: XfreerdpTls[], Grd;
    xfreerdp_nla_gfx_to_grd: XfreerdpNla["/gfx"], Grd;
    xfreerdp_tls_gfx_rfx_to_grd: XfreerdpTls["/gfx:RFX"], Grd;
    xfreerdp_nla_lan_to_grd: XfreerdpNla["/network:lan"], Grd;
    xfreerdp_nla_to_weston: XfreerdpNla[], Weston;
    xfreerdp_tls_to_weston: XfreerdpTls[], Weston;
    xfreerdp_nla_16_to_weston: XfreerdpNla["/bpp:16"], Weston;
    xfreerdp_tls_gfx_to_weston: XfreerdpTls["/gfx"], Weston;
    xfreerdp_nla_rfx_to_weston: XfreerdpNla["/rfx"], Weston;
    xfreerdp_tls_lan_to_weston: XfreerdpTls["/network:lan"], Weston;
    rdesktop_to_xrdp: Rdesktop[], Xrdp;
    rdesktop_24_to_xrdp: Rdesktop["-a", "24"], Xrdp;
    rdesktop_lan_compressed_to_xrdp: Rdesktop["-x", "l", "-z"], Xrdp;
    rdesktop_to_shadow_nla: Rdesktop["-a", "32"], ShadowNla;
    rdesktop_to_shadow_tls: Rdesktop["-a", "32"], ShadowTls;
}

/// The gateway accepts the target's certificate because an authority signed it.
#[test]
fn xfreerdp_nla_to_shadow_nla_by_authority() {
    pair_trusting(Rdp::XfreerdpNla(&["/gfx"]), Server::ShadowNla, Trust::Authority);
}

/// The gateway accepts the target's certificate because it is the first one.
#[test]
fn xfreerdp_tls_to_xrdp_at_first_use() {
    pair_trusting(Rdp::XfreerdpTls(&[]), Server::Xrdp, Trust::FirstUse);
}
