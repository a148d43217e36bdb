//! Device redirection (MS-RDPEFS and its relatives), over the static channel `rdpdr`.
//!
//! The viewer announces devices, the target sends them requests. A device without permission is not announced, and
//! no request reaches it. On a drive every request is judged by what it does: reading brings a file to the target,
//! writing brings one from it. Contents of files pass in a stream and are hashed.

mod announce;
mod io;
mod message;
mod open;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use passerelle_desktop::{Denied, Notice, Permission, Side};

use self::announce::Device;
use self::io::{Passing, Pending};
use self::message::{CORE, PRINTER, malformed, packet};
use self::open::Open;
use super::RelayViolation;
use super::bytes::Reader;
use super::channel::{ChannelFilter, Chunk, Context, Verdict};
use super::messages::{Denials, Messages, Plan, UnderWay, Whole};

/// `DeviceType` (MS-RDPEFS 2.2.1.3).
const SERIAL_TYPE: u32 = 1;
const PARALLEL_TYPE: u32 = 2;
const PRINTER_TYPE: u32 = 4;
const DRIVE_TYPE: u32 = 8;
const SMART_CARD_TYPE: u32 = 0x20;

/// How long a device list may be; that of a printer holds its settings.
const LONGEST_LIST: u32 = 256 << 10;
/// How long a request may be that must be seen whole.
const LONGEST_REQUEST: u32 = 128 << 10;
/// How long the messages may be that peers begin with.
const LONGEST_CONTROL: u32 = 4 << 10;

/// The filter of `rdpdr`.
#[derive(Debug)]
pub(super) struct Devices {
    under_way: UnderWay<Passing>,
    state: State,
}

impl Devices {
    /// A filter at the beginning of the channel.
    pub(super) fn new() -> Self {
        Self { under_way: UnderWay::new(), state: State::default() }
    }
}

impl ChannelFilter for Devices {
    fn chunk(
        &mut self,
        from: Side,
        chunk: Chunk<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, RelayViolation> {
        self.under_way.chunk(&mut self.state, from, chunk, cx)
    }

    fn permissions_changed(&mut self, cx: &mut Context<'_>) {
        self.state.permissions_changed(cx);
    }

    fn finish(&mut self, notices: &mut Vec<Notice>) {
        for (_, open) in std::mem::take(&mut self.state.open) {
            open.end(false, notices);
        }
    }
}

/// What is known of the devices and of what is done with them.
#[derive(Debug, Default)]
struct State {
    /// Whether the viewer, and whether the target, takes part in removing devices.
    viewer_removes: bool,
    target_removes: bool,
    devices: BTreeMap<u32, Device>,
    /// Requests that are not completed, by device and completion id.
    pending: BTreeMap<(u32, u32), Pending>,
    /// Open files, by device and file id.
    open: BTreeMap<(u32, u32), Open>,
    denials: Denials,
}

/// What a type of device needs.
fn permission_of(device_type: u32) -> Permission {
    match device_type {
        SERIAL_TYPE | PARALLEL_TYPE => Permission::Ports,
        PRINTER_TYPE => Permission::Printers,
        DRIVE_TYPE => Permission::Drives,
        SMART_CARD_TYPE => Permission::SmartCards,
        _ => Permission::OtherChannels,
    }
}

impl State {
    fn deny(
        &mut self,
        by: Side,
        permission: Permission,
        action: impl Into<Cow<'static, str>>,
        reason: Option<&str>,
        cx: &mut Context<'_>,
    ) {
        let reason = reason.map(str::to_owned);
        self.denials.tell(Denied { by, permission, action: action.into(), reason }, cx);
    }

    /// A message about printers that names none of those that were announced.
    fn printer_settings(&mut self, cx: &mut Context<'_>) -> Plan<Passing> {
        if cx.permissions.allows(Permission::Printers) {
            return Plan::Pass(Passing::other());
        }
        self.deny(Side::Target, Permission::Printers, "change the settings of a printer", None, cx);
        Plan::Withhold
    }

    /// The target begins anew; it knows no device any more.
    fn begin_anew(&mut self, cx: &mut Context<'_>) {
        let devices: Vec<u32> = self.devices.keys().copied().collect();
        devices.into_iter().for_each(|device| self.forget(device, cx));
    }
}

impl Messages for State {
    type Passing = Passing;

    fn begin(
        &mut self,
        from: Side,
        total: u32,
        head: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Plan<Passing>, RelayViolation> {
        let mut reader = Reader::new(head);
        let (Some(component), Some(id)) = (reader.u16(), reader.u16()) else {
            return Err(malformed("its header is not within its first chunk"));
        };
        match (component, id, from) {
            (CORE, packet::IO_REQUEST, Side::Target) => self.request_begins(total, head, cx),
            (CORE, packet::IO_COMPLETION, Side::Viewer) => self.completion_begins(total, head, cx),
            (CORE, packet::DEVICE_LIST_ANNOUNCE, Side::Viewer) if total > LONGEST_LIST => {
                let reason = format!("its list is longer than {LONGEST_LIST} bytes");
                self.deny(from, Permission::OtherChannels, "redirect devices", Some(&reason), cx);
                Ok(Plan::Withhold)
            }
            (CORE, packet::DEVICE_LIST_ANNOUNCE | packet::DEVICE_LIST_REMOVE, Side::Viewer)
                if total <= LONGEST_LIST =>
            {
                Ok(Plan::Gather)
            }
            (
                CORE,
                packet::SERVER_ANNOUNCE
                | packet::CLIENT_ID_CONFIRM
                | packet::SERVER_CAPABILITY
                | packet::DEVICE_REPLY
                | packet::USER_LOGGED_ON,
                Side::Target,
            )
            | (
                CORE,
                packet::CLIENT_ID_CONFIRM | packet::CLIENT_NAME | packet::CLIENT_CAPABILITY,
                Side::Viewer,
            ) if total <= LONGEST_CONTROL => Ok(Plan::Gather),
            (PRINTER, packet::CACHE_DATA | packet::USING_XPS, Side::Target) => Ok(self.printer_settings(cx)),
            _ => {
                let action = format!("send a device message of type {component:04x}:{id:04x}");
                self.deny(from, Permission::OtherChannels, action, Some("it has no place here"), cx);
                Ok(Plan::Withhold)
            }
        }
    }

    fn whole(&mut self, from: Side, message: &[u8], cx: &mut Context<'_>) -> Result<Whole, RelayViolation> {
        let mut reader = Reader::new(message);
        match (reader.u16(), reader.u16(), from) {
            (Some(CORE), Some(packet::SERVER_ANNOUNCE), _) => self.begin_anew(cx),
            (Some(CORE), Some(packet::SERVER_CAPABILITY | packet::CLIENT_CAPABILITY), _) => {
                let removes = message::allows_removal(message);
                let removes = removes.ok_or(malformed("its capabilities end too early"))?;
                match from {
                    Side::Viewer => self.viewer_removes = removes,
                    Side::Target => self.target_removes = removes,
                }
            }
            (Some(CORE), Some(packet::DEVICE_REPLY), _) => {
                let device = reader.u32().ok_or(malformed("it names no device"))?;
                return Ok(self.reply(device));
            }
            (Some(CORE), Some(packet::DEVICE_LIST_ANNOUNCE), _) => return self.announce(message, cx),
            (Some(CORE), Some(packet::DEVICE_LIST_REMOVE), _) => return self.remove(message, cx),
            (Some(CORE), Some(packet::IO_REQUEST), _) => return self.whole_request(message, cx),
            _ => {}
        }
        Ok(Whole::Pass)
    }

    fn passing(&mut self, _: Side, passing: &mut Passing, part: &[u8]) {
        self.part(passing, part);
    }

    fn passed(&mut self, _: Side, passing: Passing, cx: &mut Context<'_>) {
        self.has_passed(&passing, cx);
    }

    fn truncated() -> RelayViolation {
        malformed("it ends before it is complete")
    }
}
