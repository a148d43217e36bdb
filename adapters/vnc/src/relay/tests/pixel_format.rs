//! The switch of the pixel format, at the very byte.

use passerelle_rfb::{ClientFramer, Fence, Reach, ServerFramer, Span};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const AREA: Rectangle = Rectangle { x: 8, y: 8, width: 5, height: 5 };

fn format(bytes_per_pixel: u8) -> PixelFormat {
    match bytes_per_pixel {
        4 => PixelFormat::BGRX,
        2 => PixelFormat {
            bits_per_pixel: 16,
            depth: 16,
            red_max: 31,
            green_max: 63,
            blue_max: 31,
            red_shift: 11,
            green_shift: 5,
            ..PixelFormat::BGRX
        },
        _ => PixelFormat { bits_per_pixel: 8, depth: 8, true_colour: false, ..PixelFormat::BGRX },
    }
}

fn set(bytes_per_pixel: u8) -> Vec<u8> {
    ClientMessage::SetPixelFormat(format(bytes_per_pixel)).encode()
}

fn fence(flags: u32, payload: &[u8]) -> Vec<u8> {
    Fence { flags, payload }.encode()
}

const ASK: u32 = Fence::REQUEST | Fence::SYNC_NEXT;

#[test]
fn before_anything_was_asked_the_switch_is_at_once() {
    let mut pair = Pair::new();
    pair.viewer_sends(&set(2)).unwrap();
    assert_eq!((pair.take_to_target(), &pair.switches[..]), (set(2), &[(0, format(2))][..]));
    pair.viewer_sends(&request()).unwrap();
    pair.target_sends(&raw_update(AREA, 2)).unwrap();
    assert!(pair.relay.target.at_message());
}

#[test]
fn a_target_with_fences_is_asked_where_it_switches() {
    let mut pair = Pair::new();
    pair.viewer_sends(&request()).unwrap();
    pair.target_sends(&fence(Fence::REQUEST, &[0])).unwrap();
    pair.take_to_target();
    pair.take_to_viewer();
    pair.viewer_sends(&set(2)).unwrap();
    let sent = pair.take_to_target();
    let (question, change) = sent.split_at(sent.len() - 20);
    assert_eq!(change, set(2));
    let mut answer = question.to_vec();
    assert_eq!(answer[4], 0x80);
    answer[4] = 0;
    let (old, new) = (raw_update(AREA, 4), raw_update(AREA, 2));
    let before = pair.target_lane.len() + old.len();
    pair.target_sends(&[&old[..], &answer, &new].concat()).unwrap();
    assert_eq!(pair.take_to_viewer(), [old, new].concat());
    assert_eq!(pair.switches, [(before, format(2))]);
}

#[test]
fn the_viewers_own_fence_serves() {
    let mut pair = Pair::new();
    pair.target_sends(&fence(Fence::REQUEST, &[0])).unwrap();
    pair.viewer_sends(&request()).unwrap();
    pair.take_to_target();
    pair.take_to_viewer();
    pair.viewer_sends(&fence(ASK, b"mine")).unwrap();
    assert_eq!(pair.take_to_target(), NOTHING);
    pair.viewer_sends(&set(2)).unwrap();
    assert_eq!(pair.take_to_target(), [fence(ASK, b"mine"), set(2)].concat());
    let answer = fence(Fence::SYNC_NEXT, b"mine");
    let stream = [raw_update(AREA, 4), answer, raw_update(AREA, 2)].concat();
    pair.target_sends(&stream).unwrap();
    assert_eq!(pair.take_to_viewer(), stream);
    assert_eq!(pair.switches.len(), 1);
    // Followed by something else, it is only forwarded.
    pair.viewer_sends(&[fence(ASK, b"else"), key(true, 1)].concat()).unwrap();
    assert_eq!(pair.take_to_target(), [fence(ASK, b"else"), key(true, 1)].concat());
}

#[test]
fn an_answer_that_kept_nothing_in_step_ends_the_session() {
    let mut pair = Pair::new();
    pair.target_sends(&fence(Fence::REQUEST, &[0])).unwrap();
    pair.viewer_sends(&[request(), fence(ASK, b"mine"), set(2)].concat()).unwrap();
    let error = pair.target_sends(&fence(0, b"mine")).unwrap_err();
    assert_eq!(error.side, Side::Target);
}

#[test]
fn with_nothing_outstanding_the_switch_is_at_the_end_of_the_update() {
    let mut pair = Pair::new();
    pair.viewer_sends(&request()).unwrap();
    let (old, new) = (raw_update(AREA, 4), raw_update(AREA, 2));
    let (first, second) = old.split_at(30);
    pair.target_sends(first).unwrap();
    pair.take_to_target();
    pair.viewer_sends(&[set(2), request()].concat()).unwrap();
    assert_eq!(pair.take_to_target(), [set(2), request()].concat());
    assert_eq!(pair.switches, []);
    pair.target_sends(&[second, &new].concat()).unwrap();
    assert_eq!(pair.switches, [(old.len(), format(2))]);
    assert_eq!(pair.take_to_viewer(), [old, new].concat());

    pair.viewer_sends(&set(1)).unwrap();
    assert_eq!((pair.take_to_target(), pair.switches.len()), (set(1), 2));
}

#[test]
fn a_fast_viewer_waits_until_the_target_has_answered() {
    let mut pair = Pair::new();
    pair.viewer_sends(&[request(), request(), set(2), key(true, 1)].concat()).unwrap();
    let corner = |x, y| Rectangle { x, y, width: 1, height: 1 };
    let ask = |x, y| ClientMessage::UpdateRequest { incremental: false, area: corner(x, y) }.encode();
    assert_eq!(pair.take_to_target(), [request(), request(), ask(WIDTH - 1, HEIGHT - 1)].concat());
    pair.target_sends(&raw_update(AREA, 4)).unwrap();
    assert_eq!(pair.take_to_target(), NOTHING);
    pair.target_sends(&raw_update(corner(WIDTH - 1, HEIGHT - 1), 4)).unwrap();
    assert_eq!(pair.take_to_target(), ask(0, 0));
    pair.target_sends(&raw_update(corner(0, 0), 4)).unwrap();
    assert_eq!(pair.take_to_target(), [set(2), key(true, 1)].concat());
    assert_eq!(pair.switches, [(pair.target_lane.len(), format(2))]);
}

#[test]
fn continuous_updates_without_fences_must_end_first() {
    let area = Rectangle::of_size(WIDTH, HEIGHT);
    let continuous = |enable| ClientMessage::EnableContinuousUpdates { enable, area }.encode();
    let mut pair = Pair::new();
    pair.viewer_sends(&[continuous(true), continuous(false), set(2)].concat()).unwrap();
    assert_eq!(pair.take_to_target(), [continuous(true), continuous(false)].concat());
    pair.target_sends(&[raw_update(AREA, 4), vec![150]].concat()).unwrap();
    assert_eq!(pair.take_to_target(), set(2));
    let error = pair.viewer_sends(&[continuous(true), set(4)].concat()).unwrap_err();
    assert_eq!(error.side, Side::Viewer);
}

/// A target that handles one message after the other, and merges requests until it sends an update.
struct Target {
    fences: bool,
    inbox: Vec<u8>,
    format: u8,
    asked: bool,
    pixels: Vec<Rectangle>,
    sync: Option<Vec<u8>>,
}

impl Target {
    /// Handles a message, if there is one; gives what it sends.
    fn read(&mut self) -> Option<Vec<u8>> {
        let inbox = self.inbox.clone();
        let message = ClientFramer::new(Limits::default()).next(&inbox).unwrap();
        let Span::Message { len, message } = message else { return None };
        self.inbox.drain(..len);
        let due = self.sync.take();
        match message {
            ClientMessage::SetPixelFormat(format) => self.format = format.bits_per_pixel / 8,
            ClientMessage::UpdateRequest { incremental, area } => {
                self.asked = true;
                if !incremental {
                    self.pixels.push(area);
                }
            }
            ClientMessage::Fence(Fence { payload, .. }) => {
                assert!(self.fences && due.is_none());
                self.sync = Some(payload.to_vec());
            }
            _ => {}
        }
        Some(due.map_or(vec![], |payload| fence(Fence::SYNC_NEXT, &payload)))
    }

    /// Sends an update, if one was asked for. Its pixels say in which format they are.
    fn update(&mut self) -> Vec<u8> {
        if !std::mem::take(&mut self.asked) {
            return vec![];
        }
        self.pixels.push(AREA);
        let mut bytes = update_header(u16::try_from(self.pixels.len()).unwrap()).to_vec();
        for area in self.pixels.drain(..) {
            let len = usize::try_from(area.pixels()).unwrap() * usize::from(self.format);
            bytes.extend(rectangle_header(area, Encoding::RAW));
            bytes.extend(vec![self.format; len]);
        }
        bytes
    }
}

#[derive(Clone, Debug)]
enum Turn {
    Request,
    Format(u8),
    FenceAndFormat(u8),
    Key,
    TargetReads,
    TargetUpdates,
    /// So many bytes of what the target sent arrive.
    Arrive(usize),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let format = || prop::sample::select(vec![1u8, 2, 4]);
    vec(
        prop_oneof![
            3 => Just(Turn::Request),
            1 => format().prop_map(Turn::Format),
            1 => format().prop_map(Turn::FenceAndFormat),
            1 => Just(Turn::Key),
            4 => Just(Turn::TargetReads),
            3 => Just(Turn::TargetUpdates),
            4 => (1usize..150).prop_map(Turn::Arrive),
        ],
        1..60,
    )
}

/// Frames the recorded lane with the recorded switches, as a decoder does, and looks at each pixel.
fn check_recording(pair: &Pair) {
    let mut framer = ServerFramer::new(&settings().init, Limits::default());
    framer.offer(Encoding::FENCE);
    let mut switches = pair.switches.iter().peekable();
    let mut at = 0;
    while at < pair.target_lane.len() {
        while let Some((_, format)) = switches.next_if(|(position, _)| *position <= at) {
            assert!(framer.at_message());
            framer.set_pixel_format(*format);
        }
        let span = framer.next(&pair.target_lane[at..], Reach::Message).unwrap();
        let (Span::Pass { len } | Span::Message { len, .. }) = span else { panic!("{span:?}") };
        if matches!(span, Span::Pass { .. }) {
            let pixels = &pair.target_lane[at + 4 + 12..at + len];
            let bytes = framer.pixel_format().bits_per_pixel / 8;
            assert_eq!((pixels.first(), pixels.last()), (Some(&bytes), Some(&bytes)));
        }
        at += len;
    }
    assert!(framer.at_message());
}

fn play(fences: bool, turns: Vec<Turn>) {
    let mut pair = Pair::new();
    let mut target = Target { fences, inbox: vec![], format: 4, asked: false, pixels: vec![], sync: None };
    let mut wire = Vec::new();
    if fences {
        pair.target_sends(&fence(Fence::REQUEST, &[0])).unwrap();
    }
    let mut payload = 0u8;
    for turn in turns {
        match turn {
            Turn::Request => pair.viewer_sends(&request()).unwrap(),
            Turn::Format(bytes) => pair.viewer_sends(&set(bytes)).unwrap(),
            Turn::FenceAndFormat(bytes) if fences => {
                payload = payload.wrapping_add(1);
                pair.viewer_sends(&[fence(ASK, &[payload]), set(bytes)].concat()).unwrap();
            }
            Turn::FenceAndFormat(_) => {}
            Turn::Key => pair.viewer_sends(&key(true, 1)).unwrap(),
            Turn::TargetReads => wire.extend(target.read().unwrap_or_default()),
            Turn::TargetUpdates => wire.extend(target.update()),
            Turn::Arrive(len) => {
                let rest = wire.split_off(len.min(wire.len()));
                pair.target_sends(&wire).unwrap();
                wire = rest;
            }
        }
        target.inbox.extend(pair.take_to_target());
    }
    // In the end everything that is under way arrives, and nobody waits for ever.
    loop {
        pair.target_sends(&std::mem::take(&mut wire)).unwrap();
        target.inbox.extend(pair.take_to_target());
        if target.inbox.is_empty() && !target.asked {
            break;
        }
        while let Some(bytes) = target.read() {
            wire.extend(bytes);
        }
        wire.extend(target.update());
    }
    assert_eq!(pair.from_viewer, NOTHING, "the viewer is still blocked");
    assert!(pair.relay.target.at_message());
    assert_eq!(pair.relay.target.pixel_format(), format(target.format));
    check_recording(&pair);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_pixel_is_recorded_in_the_format_it_has(turns in turns(), fences: bool) {
        play(fences, turns);
    }
}
