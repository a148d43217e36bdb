//! Spans of whose screen nothing is recorded.

use flate2::{Compress, Compression, FlushCompress};
use passerelle_rfb::{DesktopLayout, Fence, ResizeReason, ResizeStatus, Screen, ScreenList};

use super::*;
use crate::decoder::VncDecoder;

const BEFORE: u8 = 0x11;
const SECRET: u8 = 0x5e;
const AFTER: u8 = 0x77;

fn asked() -> Blackout {
    Blackout { whose: Whose::User, by: "alice".into(), reason: "a letter".into() }
}

/// A target's side of a session: what it has been asked for, and its zlib stream.
struct Target {
    zlib: Compress,
}

impl Target {
    fn new() -> Self {
        Self { zlib: Compress::new(Compression::default(), true) }
    }

    /// An update of the whole screen in one colour, compressed with what came before.
    fn zlib(&mut self, colour: u8) -> Vec<u8> {
        let plain = [colour].repeat(usize::from(WIDTH) * usize::from(HEIGHT) * 4);
        let mut packed = Vec::with_capacity(plain.len());
        self.zlib.compress_vec(&plain, &mut packed, FlushCompress::Sync).unwrap();
        let len = u32::try_from(packed.len()).unwrap().to_be_bytes();
        [&update_header(1)[..], &rectangle_header(screen(), Encoding::ZLIB), &len, &packed].concat()
    }
}

fn screen() -> Rectangle {
    Rectangle::of_size(WIDTH, HEIGHT)
}

fn raw(area: Rectangle, colour: u8) -> Vec<u8> {
    let pixels = [colour].repeat(usize::try_from(area.pixels()).unwrap() * 4);
    [&update_header(1)[..], &rectangle_header(area, Encoding::RAW), &pixels].concat()
}

fn pixel(x: u16, y: u16) -> Rectangle {
    Rectangle { x, y, width: 1, height: 1 }
}

fn request_of(area: Rectangle) -> Vec<u8> {
    ClientMessage::UpdateRequest { incremental: false, area }.encode()
}

/// Answers the two questions for a pixel with `colour`.
fn answer(pair: &mut Pair, colour: u8) {
    for (x, y) in [(WIDTH - 1, HEIGHT - 1), (0, 0)] {
        assert!(pair.take_to_target().ends_with(&request_of(pixel(x, y))), "asks for {x}, {y}");
        pair.target_sends(&raw(pixel(x, y), colour)).unwrap();
    }
}

/// A session with a picture, and its target.
fn shown() -> (Pair, Target) {
    let mut pair =
        Pair::with(RelaySettings { recorded: true, keystrokes: KeystrokePolicy::All, ..settings() });
    let mut target = Target::new();
    pair.viewer_sends(&EncodingList::encode_message(&LIST)).unwrap();
    pair.viewer_sends(&request()).unwrap();
    pair.take_to_target();
    pair.target_sends(&target.zlib(BEFORE)).unwrap();
    (pair, target)
}

const LIST: [Encoding; 6] = [
    Encoding::ZLIB,
    Encoding::HEXTILE,
    Encoding::CURSOR_WITH_ALPHA,
    Encoding::CURSOR,
    Encoding::EXTENDED_DESKTOP_SIZE,
    Encoding::FENCE,
];
const WITHOUT_HISTORY: [Encoding; 4] =
    [Encoding::HEXTILE, Encoding::CURSOR, Encoding::EXTENDED_DESKTOP_SIZE, Encoding::FENCE];

/// In a blackout.
fn dark() -> (Pair, Target) {
    let (mut pair, target) = shown();
    pair.begin_blackout().unwrap();
    answer(&mut pair, BEFORE);
    assert_eq!(pair.relay.blackout(), BlackoutState::On);
    pair.take_notices();
    pair.take_to_target();
    (pair, target)
}

impl Pair {
    fn begin_blackout(&mut self) -> Result<(), BlackoutError> {
        let begun = self.relay.begin_blackout(asked());
        self.inject();
        begun
    }

    fn end_blackout(&mut self) {
        self.relay.end_blackout();
        self.inject();
    }

    fn began(&self) -> bool {
        self.notices.contains(&Notice::BlackoutBegan(asked()))
    }

    fn ended(&self) -> bool {
        self.notices.contains(&Notice::BlackoutEnded)
    }

    /// Draws what was recorded. Tells each byte of the picture's first pixel after each marker, and at the end.
    fn drawn(&self) -> (Vec<u8>, VncDecoder) {
        let mut decoder = VncDecoder::new();
        decoder.target(&settings().init.encode()).unwrap();
        let (mut from, mut colours) = (0, Vec::new());
        let blue = |decoder: &VncDecoder| {
            decoder.framebuffer().rows(Rect { x: 5, y: 5, width: 1, height: 1 }).next().unwrap()[0] as u8
        };
        for (place, marker) in &self.markers {
            decoder.target(&self.target_lane[from..*place]).unwrap();
            colours.push(blue(&decoder));
            decoder.state(marker).unwrap();
            colours.push(blue(&decoder));
            from = *place;
        }
        decoder.target(&self.target_lane[from..]).unwrap();
        colours.push(blue(&decoder));
        (colours, decoder)
    }
}

#[test]
fn a_span_is_left_out_and_what_follows_can_be_drawn() {
    let (mut pair, mut target) = shown();
    pair.begin_blackout().unwrap();
    assert_eq!(pair.relay.blackout(), BlackoutState::Beginning);
    assert_eq!(pair.relay.begin_blackout(asked()), Err(BlackoutError::Already));
    let told = [EncodingList::encode_message(&WITHOUT_HISTORY), request_of(pixel(WIDTH - 1, HEIGHT - 1))];
    assert_eq!(pair.take_to_target(), told.concat());
    // It was under way.
    let under_way = target.zlib(BEFORE + 1);
    pair.target_sends(&under_way).unwrap();
    assert!(pair.target_lane.ends_with(&under_way));
    answer(&mut pair, BEFORE + 2);
    assert!(pair.began());
    let recorded = pair.target_lane.len();

    // The viewer goes on seeing everything, in pieces too.
    pair.take_to_viewer();
    let secret = raw(screen(), SECRET);
    for piece in secret.chunks(1001) {
        pair.target_sends(piece).unwrap();
    }
    assert_eq!(pair.take_to_viewer(), secret);
    pair.viewer_sends(&key(true, 0x73)).unwrap();
    pair.viewer_sends(&plain(Side::Viewer, b"password")).unwrap();
    assert!(!pair.viewer_lane.windows(8).any(|window| window == b"password"));
    assert!(!pair.viewer_lane.windows(4).any(|window| window == [0, 0, 0, 0x73]));
    let map = [1, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3];
    pair.target_sends(&map).unwrap();
    assert_eq!(pair.target_lane[recorded..], map);

    // What the viewer wants meanwhile is kept for the end.
    let wanted = [Encoding::ZLIB, Encoding::TIGHT, Encoding::RRE];
    pair.take_to_target();
    pair.viewer_sends(&EncodingList::encode_message(&wanted)).unwrap();
    assert_eq!(pair.take_to_target(), EncodingList::encode_message(&[Encoding::RRE]));

    pair.end_blackout();
    assert_eq!(pair.relay.blackout(), BlackoutState::Ending);
    // Drawn in the span and sent late.
    pair.target_sends(&raw(Rectangle::of_size(WIDTH, HEIGHT - 1), SECRET)).unwrap();
    answer(&mut pair, SECRET);
    assert!(pair.ended());
    assert_eq!(pair.relay.blackout(), BlackoutState::Off);
    assert_eq!(pair.take_to_target(), [EncodingList::encode_message(&wanted), request_of(screen())].concat());
    assert_eq!(pair.target_lane[recorded..], map, "nothing of the span");
    pair.target_sends(&target.zlib(AFTER)).unwrap();
    pair.viewer_sends(&key(true, 0x73)).unwrap();
    assert!(pair.viewer_lane.ends_with(&key(true, 0x73)), "keys are kept again");

    let (colours, decoder) = pair.drawn();
    assert_eq!(colours, [BEFORE + 1, 0, 0, 0, AFTER]);
    assert_eq!(decoder.skipped(), []);
    let marker = Marker::parse(&pair.markers[0].1).unwrap();
    assert_eq!(marker, Marker::Blackout(asked()));
}

#[test]
fn a_target_with_fences_answers_one_first() {
    let (mut pair, mut target) = shown();
    let question = Fence { flags: Fence::REQUEST, payload: b"?" }.encode();
    pair.target_sends(&question).unwrap();
    pair.begin_blackout().unwrap();
    let told = pair.take_to_target();
    let fence = told.strip_prefix(&EncodingList::encode_message(&WITHOUT_HISTORY)[..]).unwrap().to_vec();
    assert_eq!(fence[..8], [248, 0, 0, 0, 0x80, 0, 0, 1], "a fence and no request yet");
    pair.target_sends(&target.zlib(BEFORE)).unwrap();
    assert_eq!(pair.take_to_target(), NOTHING);
    let mut reply = fence;
    reply[4] = 0;
    pair.take_to_viewer();
    pair.target_sends(&reply).unwrap();
    assert_eq!(pair.take_to_viewer(), NOTHING, "the viewer never asked");
    answer(&mut pair, BEFORE);
    assert!(pair.began());
}

#[test]
fn an_update_with_history_begins_the_questions_anew() {
    let (mut pair, mut target) = shown();
    pair.begin_blackout().unwrap();
    pair.take_to_target();
    let last = pixel(WIDTH - 1, HEIGHT - 1);
    pair.target_sends(&raw(last, 0)).unwrap();
    assert_eq!(pair.take_to_target(), request_of(pixel(0, 0)));
    pair.target_sends(&target.zlib(BEFORE)).unwrap();
    answer(&mut pair, BEFORE);
    assert!(pair.began());
}

#[test]
fn a_target_that_never_answers_leaves_everything_as_it_was() {
    let (mut pair, mut target) = shown();
    pair.begin_blackout().unwrap();
    pair.take_to_target();
    let update = target.zlib(BEFORE);
    pair.target_sends(&update).unwrap();
    pair.take_to_target();
    pair.end_blackout();
    assert_eq!(pair.relay.blackout(), BlackoutState::Off);
    assert_eq!(pair.take_to_target(), EncodingList::encode_message(&LIST));
    let more = target.zlib(AFTER);
    pair.target_sends(&more).unwrap();
    assert!(pair.target_lane.ends_with(&[update, more].concat()));
    assert_eq!((pair.markers.len(), pair.began(), pair.ended()), (0, false, false));
    pair.begin_blackout().unwrap();
    answer(&mut pair, AFTER);
    assert!(pair.began(), "it can be tried again");
}

#[test]
fn late_updates_are_no_answers_however_many_are_owed() {
    let (mut pair, _) = dark();
    for _ in 0..2 {
        pair.viewer_sends(&request()).unwrap();
    }
    pair.end_blackout();
    let recorded = pair.target_lane.len();
    for _ in 0..2 {
        pair.target_sends(&raw(screen(), SECRET)).unwrap();
    }
    assert!(!pair.ended());
    pair.target_sends(&raw(pixel(WIDTH - 1, HEIGHT - 1), SECRET)).unwrap();
    assert!(pair.ended());
    assert_eq!(pair.target_lane.len(), recorded);
}

#[test]
fn size_and_format_that_change_in_the_span_are_known_after_it() {
    let (mut pair, _) = dark();
    let (width, height) = (20, 10);
    let screens = Screen::encode_all(&[Screen { id: 1, area: Rectangle::of_size(width, height), flags: 0 }]);
    let layout = DesktopLayout {
        reason: ResizeReason::SERVER,
        status: ResizeStatus::DONE,
        width,
        height,
        screens: ScreenList::new(&screens),
    };
    let resize = rectangle_update(&ServerMessage::Layout(layout));
    let recorded = pair.target_lane.len();
    pair.target_sends(&resize).unwrap();
    assert!(pair.notices.contains(&Notice::Resized { width, height }));
    pair.end_blackout();
    for (x, y) in [(width - 1, height - 1), (0, 0)] {
        assert!(pair.take_to_target().ends_with(&request_of(pixel(x, y))));
        pair.target_sends(&raw(pixel(x, y), SECRET)).unwrap();
    }
    assert!(pair.ended());
    assert_eq!(pair.target_lane.len(), recorded);
    pair.target_sends(&raw(Rectangle::of_size(width, height), AFTER)).unwrap();
    let (colours, decoder) = pair.drawn();
    assert_eq!(*colours.last().unwrap(), AFTER);
    assert_eq!(decoder.framebuffer().size(), Size { width, height });
}

#[test]
fn a_resize_makes_the_relay_ask_again() {
    let (mut pair, _) = shown();
    pair.begin_blackout().unwrap();
    pair.take_to_target();
    pair.target_sends(&rectangle_update(&ServerMessage::DesktopSize { width: 8, height: 8 })).unwrap();
    assert_eq!(pair.take_to_target(), request_of(pixel(7, 7)));
}

#[test]
fn a_target_that_uses_a_stream_nevertheless_is_kept_from_it_afterwards() {
    let (mut pair, mut target) = dark();
    pair.target_sends(&target.zlib(SECRET)).unwrap();
    pair.end_blackout();
    answer(&mut pair, SECRET);
    let told = pair.take_to_target();
    assert_eq!(told, [EncodingList::encode_message(&WITHOUT_HISTORY), request_of(screen())].concat());
    pair.target_sends(&raw(screen(), AFTER)).unwrap();
    assert_eq!(*pair.drawn().0.last().unwrap(), AFTER);
    // It still does: that is not drawn, and said.
    pair.target_sends(&target.zlib(SECRET)).unwrap();
    let (colours, decoder) = pair.drawn();
    assert_eq!(*colours.last().unwrap(), AFTER);
    assert_eq!(decoder.skipped().len(), 1);
}

#[test]
fn nothing_is_asked_for_that_the_viewer_may_not_see() {
    let (mut pair, _) = shown();
    pair.set_permissions(without(Permission::View));
    assert_eq!(pair.begin_blackout(), Err(BlackoutError::NothingShown));
    let (mut pair, _) = dark();
    pair.set_permissions(without(Permission::View));
    pair.end_blackout();
    assert_eq!(pair.take_to_target(), NOTHING);
    pair.viewer_sends(&key(true, 0x61)).unwrap();
    assert!(pair.viewer_lane.ends_with(&key(true, 0x61)), "keys are kept from here on");
    pair.set_permissions(settings().permissions);
    answer(&mut pair, SECRET);
    assert!(pair.ended());
}

#[test]
fn an_update_may_pass_when_the_span_begins_or_ends() {
    let (mut pair, mut target) = shown();
    let update = target.zlib(BEFORE + 1);
    let (first, last) = update.split_at(40.min(update.len() - 1));
    pair.target_sends(first).unwrap();
    pair.begin_blackout().unwrap();
    pair.target_sends(last).unwrap();
    assert!(pair.target_lane.ends_with(&update));
    answer(&mut pair, BEFORE + 1);
    assert!(pair.began());
    let recorded = pair.target_lane.len();
    let secret = raw(Rectangle::of_size(WIDTH, HEIGHT - 1), SECRET);
    let (first, last) = secret.split_at(3000);
    pair.target_sends(first).unwrap();
    pair.end_blackout();
    pair.target_sends(last).unwrap();
    assert!(!pair.ended());
    answer(&mut pair, SECRET);
    assert!(pair.ended());
    assert_eq!(pair.target_lane.len(), recorded);
}
