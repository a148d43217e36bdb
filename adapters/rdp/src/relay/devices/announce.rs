//! Which devices the target knows.

use passerelle_desktop::{Permission, Side};

use super::message::{self, Completion, STATUS_ACCESS_DENIED, malformed};
use super::{Context, RelayViolation, State, Whole, permission_of};
use super::{DRIVE_TYPE, PARALLEL_TYPE, PRINTER_TYPE, SERIAL_TYPE, SMART_CARD_TYPE};

/// How many devices are followed, and how long their entries may be together.
const MOST_DEVICES: usize = 256;
const LONGEST_ENTRIES: usize = 512 << 10;

/// A device that the viewer has announced.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) device_type: u32,
    pub(super) name: String,
    /// Whether the target knows of it.
    pub(super) announced: bool,
    /// Whether the viewer has had the target's reply.
    replied: bool,
    /// How the viewer announced it.
    entry: Vec<u8>,
}

impl Device {
    pub(super) fn permission(&self) -> Permission {
        permission_of(self.device_type)
    }

    /// It, for people.
    pub(super) fn describe(&self) -> String {
        describe(self.device_type, &self.name)
    }
}

fn describe(device_type: u32, name: &str) -> String {
    match device_type {
        SERIAL_TYPE => format!("the serial port {name}"),
        PARALLEL_TYPE => format!("the parallel port {name}"),
        PRINTER_TYPE => format!("the printer {name}"),
        DRIVE_TYPE => format!("the drive {name}"),
        SMART_CARD_TYPE => "smart cards".to_owned(),
        other => format!("the device {name} of type {other:#x}"),
    }
}

impl State {
    /// The viewer announces devices: those that are permitted go on.
    pub(super) fn announce(&mut self, message: &[u8], cx: &mut Context<'_>) -> Result<Whole, RelayViolation> {
        let announced = message::announced(message).ok_or(malformed("its device list ends too early"))?;
        let count = announced.len();
        let mut passed: Vec<&[u8]> = Vec::new();
        for new in announced {
            let permission = permission_of(new.device_type);
            let action = format!("redirect {}", describe(new.device_type, &new.name));
            // A number that is used again means another device.
            self.forget(new.id, cx);
            let held: usize = self.devices.values().map(|device| device.entry.len()).sum();
            if self.devices.len() == MOST_DEVICES || held + new.entry.len() > LONGEST_ENTRIES {
                self.deny(Side::Viewer, permission, action, Some("there are too many devices"), cx);
                continue;
            }
            let announced = cx.permissions.allows(permission);
            if announced {
                passed.push(new.entry);
            } else {
                self.deny(Side::Viewer, permission, action, None, cx);
            }
            let (device_type, name, entry) = (new.device_type, new.name, new.entry.to_vec());
            self.devices.insert(new.id, Device { device_type, name, announced, replied: false, entry });
        }
        Ok(match passed.len() {
            all if all == count => Whole::Pass,
            0 => Whole::Withhold,
            _ => Whole::Instead(message::announce(passed.into_iter())),
        })
    }

    /// The viewer takes devices away.
    pub(super) fn remove(&mut self, message: &[u8], cx: &mut Context<'_>) -> Result<Whole, RelayViolation> {
        let removed = message::removed(message).ok_or(malformed("its device list ends too early"))?;
        let known = |device: &u32| self.devices.get(device).is_some_and(|device| device.announced);
        let passed: Vec<u32> = removed.iter().copied().filter(known).collect();
        for device in &removed {
            self.forget(*device, cx);
        }
        Ok(match passed.len() {
            all if all == removed.len() => Whole::Pass,
            0 => Whole::Withhold,
            _ => Whole::Instead(message::remove(&passed)),
        })
    }

    /// The target has replied to the announcement of a device. The viewer gets one reply for each that it made.
    pub(super) fn reply(&mut self, device: u32) -> Whole {
        match self.devices.get_mut(&device) {
            Some(device) if device.announced && !device.replied => {
                device.replied = true;
                Whole::Pass
            }
            _ => Whole::Withhold,
        }
    }

    /// The permissions have changed: devices that are no longer permitted go away, and come back when they are.
    pub(super) fn permissions_changed(&mut self, cx: &mut Context<'_>) {
        self.denials.forget();
        let removable = self.viewer_removes && self.target_removes;
        let devices: Vec<u32> = self.devices.keys().copied().collect();
        let (mut withdrawn, mut granted) = (Vec::new(), Vec::new());
        for id in devices {
            let Some(device) = self.devices.get_mut(&id) else { continue };
            match (device.announced, cx.permissions.allows(device.permission())) {
                (true, false) => {
                    device.announced = !removable;
                    if removable {
                        withdrawn.push(id);
                    }
                    self.cancel(id, cx);
                }
                (false, true) => {
                    device.announced = true;
                    granted.push(id);
                }
                (true, true) | (false, false) => {}
            }
        }
        if !withdrawn.is_empty() {
            cx.injections.push((Side::Target, message::remove(&withdrawn)));
        }
        if !granted.is_empty() {
            let entries: Vec<&[u8]> =
                granted.iter().filter_map(|id| Some(&self.devices.get(id)?.entry[..])).collect();
            cx.injections.push((Side::Target, message::announce(entries.into_iter())));
        }
        for open in self.open.values_mut() {
            if !cx.permissions.allows(Permission::FilesToTarget) {
                open.end_reading(cx.notices);
            }
            if !cx.permissions.allows(Permission::FilesFromTarget) && open.is_file() {
                open.end_writing(false, cx.notices);
            }
        }
    }

    /// Ends all that is under way with a device, and tells the target so.
    fn cancel(&mut self, device: u32, cx: &mut Context<'_>) {
        let (cancelled, kept) =
            std::mem::take(&mut self.pending).into_iter().partition(|((of, _), _)| *of == device);
        self.pending = kept;
        let cancelled: std::collections::BTreeMap<(u32, u32), _> = cancelled;
        for (device, completion) in cancelled.into_keys() {
            let failed = Completion { device, completion, status: STATUS_ACCESS_DENIED };
            cx.injections.push((Side::Target, failed.encode()));
        }
        self.close_all(device, cx);
    }

    /// A device is gone, and all that was under way with it.
    pub(super) fn forget(&mut self, device: u32, cx: &mut Context<'_>) {
        self.pending.retain(|(of, _), _| *of != device);
        self.close_all(device, cx);
        self.devices.remove(&device);
    }

    fn close_all(&mut self, device: u32, cx: &mut Context<'_>) {
        self.open.retain(|(of, _), open| {
            if *of == device {
                open.end_reading(cx.notices);
                open.end_writing(false, cx.notices);
            }
            *of != device
        });
    }
}
