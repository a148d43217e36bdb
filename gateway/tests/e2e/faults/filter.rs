//! What a technician may not do does not reach the target, and the session goes on.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use passerelle_rfb::{ClientMessage, Encoding, Rectangle, Screen, ScreenList, update_header};

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::wait_for;
use crate::peers::read_some;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// What reached the target.
type Arrived = Arc<Mutex<Vec<u8>>>;

/// A target that says `first` and then keeps whatever comes.
fn keeping(first: Vec<u8>) -> Outcome<(Target, Arrived)> {
    let arrived = Arrived::default();
    let keep = Arc::clone(&arrived);
    let target = Target::start(move |mut stream: TcpStream, _| {
        if stream.write_all(&first).is_err() {
            return;
        }
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = read_some(&mut stream, &mut bytes) {
            keep.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..count]);
        }
    })?;
    Ok((target, arrived))
}

/// Waits until these bytes, and nothing else, have reached the target.
fn expect_arrived(arrived: &Arrived, wanted: &[u8]) -> Outcome {
    let look = || arrived.lock().unwrap_or_else(PoisonError::into_inner).clone();
    wait_for("the last message's arrival", SOON, || (look().len() >= wanted.len()).then_some(()))
        .and_then(|()| if look() == wanted { Ok(()) } else { Err("something else".into()) })
        .map_err(|error| format!("{error}: {:02x?} arrived", look()))
}

/// The permissions and actions that the audit log says were denied.
fn denied(site: &Site<'_>) -> Outcome<Vec<String>> {
    let events = site.audit_of("permission.denied")?;
    Ok(events
        .iter()
        .map(|event| format!("{} {}", event["detail"]["permission"], event["message"]).replace('"', ""))
        .collect())
}

fn expect_denied(site: &Site<'_>, wanted: &[&str]) -> Outcome {
    let denied = denied(site)?;
    match wanted.iter().find(|wanted| !denied.iter().any(|denied| denied.contains(*wanted))) {
        None => Ok(()),
        Some(missing) => Err(format!("no denial of {missing:?}: {denied:?}")),
    }
}

#[test]
fn a_view_only_session_sends_nothing_to_the_target() {
    Lab::run(|lab| {
        let (target, arrived) = keeping(wire::raw_screen())?;
        let site = Site::start(lab, Setup::new(&target).permissions("view"))?;
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        let screens = [Screen { id: 0, area: Rectangle::of_size(32, 32), flags: 0 }];
        let screens = Screen::encode_all(&screens);
        let resize =
            ClientMessage::SetDesktopSize { width: 32, height: 32, screens: ScreenList::new(&screens) };
        for message in [
            wire::key(true, 0x61),
            wire::key(false, 0x61),
            wire::pointer(0, 5, 5),
            wire::pointer(1, 5, 5),
            wire::pointer(0, 5, 5),
            wire::viewer_text(b"secret of the technician's"),
            resize.encode(),
            ClientMessage::Xvp { version: 1, code: 2 }.encode(),
        ] {
            viewer.send(&message)?;
        }
        viewer.send(&wire::request())?;
        expect_arrived(&arrived, &wire::request())?;
        viewer.receive(wire::raw_screen().len())?;
        drop(viewer);
        site.expect_end(1, "viewer_closed")?;
        expect_denied(&site, &["keyboard", "pointer", "clipboard.to_target", "resize", "other_channels"])?;
        site.expect_sealed()
    });
}

#[test]
fn clipboard_passes_in_the_permitted_direction_and_size() {
    Lab::run(|lab| {
        let from_target = wire::target_text(b"of the target's");
        let (target, arrived) = keeping([from_target, wire::raw_screen()].concat())?;
        let setup = Setup::new(&target)
            .permissions("view, clipboard.to_target")
            .with("limits: { clipboard: { to_target: 16B, from_target: 16B } }");
        let site = Site::start(lab, setup)?;
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        // What the target had in its clipboard is not there.
        if viewer.receive(wire::raw_screen().len())? != wire::raw_screen() {
            return Err("something else than the screen came from the target".into());
        }
        let fitting = wire::viewer_text(b"sixteen bytes ok");
        viewer.send(&wire::viewer_text(b"seventeen bytes..."))?;
        viewer.send(&wire::viewer_text(&[b'x'; 300_000]))?;
        viewer.send(&fitting)?;
        viewer.send(&wire::request())?;
        expect_arrived(&arrived, &[fitting, wire::request()].concat())?;
        drop(viewer);
        site.expect_end(1, "viewer_closed")?;
        expect_denied(&site, &["clipboard.from_target", "longer than 16 bytes"])?;
        match site.audit_of("clipboard.transferred")?.len() {
            1 => Ok(()),
            other => Err(format!("{other} times clipboard.transferred")),
        }
    });
}

/// A viewer that may not resize is told so by the answer that the extension has for it.
#[test]
fn a_denied_resize_is_answered() {
    Lab::run(|lab| {
        let (target, arrived) = keeping(Vec::new())?;
        let site = Site::start(lab, Setup::new(&target).permissions("view, pointer"))?;
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        let encodings = wire::encodings(&[Encoding::RAW, Encoding::EXTENDED_DESKTOP_SIZE]);
        let screens = Screen::encode_all(&[Screen { id: 0, area: Rectangle::of_size(32, 32), flags: 0 }]);
        let resize =
            ClientMessage::SetDesktopSize { width: 32, height: 32, screens: ScreenList::new(&screens) };
        viewer.send(&encodings)?;
        viewer.send(&resize.encode())?;
        viewer.send(&wire::request())?;
        expect_arrived(&arrived, &[encodings, wire::request()].concat())?;
        let answer = viewer.receive(16)?;
        // Reason 1: this viewer's request; status 1: prohibited; the size as it was.
        let head = passerelle_rfb::rectangle_header(
            Rectangle { x: 1, y: 1, width: wire::SIZE.0, height: wire::SIZE.1 },
            Encoding::EXTENDED_DESKTOP_SIZE,
        );
        if answer != [&update_header(1)[..], &head].concat() {
            return Err(format!("the resize is answered with {answer:02x?}"));
        }
        expect_denied(&site, &["resize"])
    });
}
