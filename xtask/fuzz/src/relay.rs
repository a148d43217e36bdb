//! The relay between a viewer and a target.

use passerelle_desktop::{ClipboardLimits, KeystrokePolicy, Permission, Permissions, Relay, Side, Step};
use passerelle_rfb::Limits;
use passerelle_vnc::{RelaySettings, VncRelay};

use super::rfb::desktop;

/// The relay takes no more than there is and never makes both sides wait for each other.
///
/// The input is a list of turns: who speaks and with what permissions, how many bytes, the bytes.
pub(crate) fn relay(data: &[u8]) {
    let mut relay = VncRelay::new(RelaySettings {
        init: desktop(),
        permissions: Permission::ALL.iter().copied().collect(),
        clipboard: ClipboardLimits { to_target: 64, from_target: 64 },
        keystrokes: KeystrokePolicy::None,
        store_clipboard: false,
        recorded: true,
        limits: Limits::default(),
    });
    let (mut viewer, mut target) = (Vec::new(), Vec::new());
    let mut rest = data;
    while let Some(([turn, len], tail)) = rest.split_first_chunk() {
        let (bytes, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        if turn & 0x40 != 0 {
            relay.set_permissions(if turn & 0x20 != 0 {
                Permissions::NONE
            } else {
                Permissions::NONE.with(Permission::View)
            });
        }
        if turn & 1 == 0 {
            viewer.extend(bytes)
        } else {
            target.extend(bytes)
        }
        loop {
            let moved = drain(&mut relay, Side::Viewer, &mut viewer);
            let Some(moved_back) = drain(&mut relay, Side::Target, &mut target) else { return };
            match moved {
                None => return,
                Some(moved) if moved || moved_back => {}
                Some(_) => break,
            }
        }
    }
}

/// Whether something was consumed; `None` when the session is over.
fn drain(relay: &mut VncRelay, from: Side, unread: &mut Vec<u8>) -> Option<bool> {
    let mut moved = false;
    let mut notices = Vec::new();
    loop {
        let step = relay.step(from, unread, &mut notices).ok()?;
        for side in [Side::Viewer, Side::Target] {
            if let Some(bytes) = relay.take_injection(side) {
                assert!(!bytes.is_empty(), "nothing was injected");
            }
        }
        let len = match step {
            Step::NeedMore { total } => {
                assert!(total > unread.len() && total <= 4 << 20, "{total} bytes were asked for");
                return Some(moved);
            }
            Step::Blocked => return Some(moved),
            Step::Forward { len, .. } | Step::Drop { len } | Step::Replace { len, .. } => len,
        };
        assert!((1..=unread.len()).contains(&len), "{len} of {} bytes were taken", unread.len());
        unread.drain(..len);
        moved = true;
    }
}
