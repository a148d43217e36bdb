mod blackout;
mod clipboard;
mod injection;
mod permission;
mod pixel_format;
mod state;

use passerelle_desktop::*;
use passerelle_rfb::{
    ClientMessage, CutText, Encoding, EncodingList, Limits, PixelFormat, Rectangle, ServerInit,
    ServerMessage, rectangle_header, update_header,
};

use super::{Marker, RelaySettings, VncRelay};
use crate::VncInputReader;

const WIDTH: u16 = 64;
const HEIGHT: u16 = 48;
const NOTHING: [u8; 0] = [];

/// A relay between a viewer and a target whose streams are held in memory.
struct Pair {
    relay: VncRelay,
    from_viewer: Vec<u8>,
    from_target: Vec<u8>,
    to_viewer: Vec<u8>,
    to_target: Vec<u8>,
    /// The recording's lanes.
    viewer_lane: Vec<u8>,
    target_lane: Vec<u8>,
    notices: Vec<Notice>,
    /// Where in the target lane which pixel format begins.
    switches: Vec<(usize, PixelFormat)>,
    /// All markers, and where in the target lane they stand.
    markers: Vec<(usize, Vec<u8>)>,
}

fn note(
    notices: &[Notice],
    place: usize,
    switches: &mut Vec<(usize, PixelFormat)>,
    markers: &mut Vec<(usize, Vec<u8>)>,
) {
    for notice in notices {
        let Notice::Marker(marker) = notice else { continue };
        if let Marker::PixelFormat(format) = Marker::parse(marker).unwrap() {
            switches.push((place, format.into()));
        }
        markers.push((place, marker.clone()));
    }
}

fn settings() -> RelaySettings {
    RelaySettings {
        init: ServerInit {
            width: WIDTH,
            height: HEIGHT,
            pixel_format: PixelFormat::BGRX,
            name: "desk".into(),
        },
        permissions: Permission::ALL.iter().copied().collect(),
        clipboard: ClipboardLimits { to_target: 100, from_target: 50 },
        keystrokes: KeystrokePolicy::None,
        store_clipboard: false,
        recorded: false,
        limits: Limits::default(),
    }
}

impl Pair {
    /// A session in which everything is permitted and was offered, and nothing else happened yet.
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: RelaySettings) -> Self {
        let mut pair = Self {
            relay: VncRelay::new(settings),
            from_viewer: vec![],
            from_target: vec![],
            to_viewer: vec![],
            to_target: vec![],
            viewer_lane: vec![],
            target_lane: vec![],
            notices: vec![],
            switches: vec![],
            markers: vec![],
        };
        pair.viewer_sends(&EncodingList::encode_message(Encoding::FRAMED)).unwrap();
        pair.to_target.clear();
        pair.viewer_lane.clear();
        pair
    }

    fn viewer_sends(&mut self, bytes: &[u8]) -> Result<(), RelayError> {
        self.from_viewer.extend_from_slice(bytes);
        self.run()
    }

    fn target_sends(&mut self, bytes: &[u8]) -> Result<(), RelayError> {
        self.from_target.extend_from_slice(bytes);
        self.run()
    }

    fn take_to_target(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_target)
    }

    fn take_to_viewer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_viewer)
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn denials(&mut self) -> Vec<(Side, Permission)> {
        let denied = |notice| match notice {
            Notice::Denied(denied) => Some((denied.by, denied.permission)),
            _ => None,
        };
        self.take_notices().into_iter().filter_map(denied).collect()
    }

    fn set_permissions(&mut self, permissions: Permissions) {
        self.relay.set_permissions(permissions);
        self.inject();
    }

    /// Steps until neither side has anything that can be decided.
    fn run(&mut self) -> Result<(), RelayError> {
        let (mut viewer, mut target) = (true, true);
        while viewer || target {
            target = self.step(Side::Target)?;
            viewer = self.step(Side::Viewer)?;
        }
        Ok(())
    }

    fn step(&mut self, from: Side) -> Result<bool, RelayError> {
        let input = if from == Side::Viewer { &self.from_viewer } else { &self.from_target };
        let held = input.len();
        let mut notices = Vec::new();
        let step = self.relay.step(from, input, &mut notices)?;
        note(&notices, self.target_lane.len(), &mut self.switches, &mut self.markers);
        self.notices.extend(notices);
        let (len, sent, record) = match step {
            Step::NeedMore { total } => {
                assert!(total > held);
                (0, vec![], Record::Wire)
            }
            Step::Blocked => (0, vec![], Record::Wire),
            Step::Forward { len, record } => (len, input[..len].to_vec(), record),
            Step::Drop { len } => (len, vec![], Record::Wire),
            Step::Replace { len, with, record } => (len, with, record),
        };
        let (buffer, output, lane) = match from {
            Side::Viewer => (&mut self.from_viewer, &mut self.to_target, &mut self.viewer_lane),
            Side::Target => (&mut self.from_target, &mut self.to_viewer, &mut self.target_lane),
        };
        buffer.drain(..len);
        match record {
            Record::Wire => lane.extend_from_slice(&sent),
            Record::Redacted(kept) => lane.extend(kept),
        }
        output.extend(sent);
        let mut notices = Vec::new();
        self.relay.settled(&mut notices);
        note(&notices, self.target_lane.len(), &mut self.switches, &mut self.markers);
        self.notices.extend(notices);
        self.inject();
        Ok(len > 0)
    }

    fn inject(&mut self) {
        if let Some(bytes) = self.relay.take_injection(Side::Target) {
            self.to_target.extend(bytes);
        }
        if let Some(bytes) = self.relay.take_injection(Side::Viewer) {
            self.to_viewer.extend(bytes);
        }
    }
}

fn without(permission: Permission) -> Permissions {
    settings().permissions.without(permission)
}

fn key(down: bool, keysym: u32) -> Vec<u8> {
    ClientMessage::Key { down, keysym }.encode()
}

fn request() -> Vec<u8> {
    let area = Rectangle::of_size(WIDTH, HEIGHT);
    ClientMessage::UpdateRequest { incremental: true, area }.encode()
}

/// An update with one Raw rectangle.
fn raw_update(area: Rectangle, bytes_per_pixel: usize) -> Vec<u8> {
    let pixels = usize::try_from(area.pixels()).unwrap() * bytes_per_pixel;
    [&update_header(1)[..], &rectangle_header(area, Encoding::RAW), &vec![0xee; pixels]].concat()
}

fn rectangle_update(rectangle: &ServerMessage<'_>) -> Vec<u8> {
    [&update_header(1)[..], &rectangle.encode()].concat()
}

fn plain(side: Side, text: &[u8]) -> Vec<u8> {
    cut_text(side, CutText::Plain(text))
}

fn cut_text(side: Side, text: CutText<'_>) -> Vec<u8> {
    match side {
        Side::Viewer => ClientMessage::CutText(text).encode(),
        Side::Target => ServerMessage::CutText(text).encode(),
    }
}
