//! Spans of whose screen nothing is recorded.

use super::*;
use crate::decoder::RdpDecoder;
use crate::{Marker, RdpLog, Start};

const BEFORE: u8 = 0x11;
const SECRET: u8 = 0x5e;
const AFTER: u8 = 0x77;

const GRAPHICS: &str = "Microsoft::Windows::RDS::Graphics";

fn asked() -> Blackout {
    Blackout { whose: Whose::User, by: "alice".into(), reason: "a letter".into() }
}

fn with_blackouts() -> RelaySettings {
    RelaySettings { blackout: true, keystrokes: KeystrokePolicy::All, ..settings() }
}

/// `TS_UPDATE_BITMAP_DATA` (MS-RDPBCGR 2.2.9.1.1.3.1.2): a square of 8 pixels in one colour.
fn bitmap(left: u16, top: u16, colour: u8) -> Vec<u8> {
    let numbers = [1, 1, left, top, left + 7, top + 7, 8, 8, 32, 0, 8 * 8 * 4];
    let mut update = numbers.map(u16::to_le_bytes).concat();
    update.extend([colour; 8 * 8 * 4]);
    update
}

/// A fast-path PDU with one update, or a fragment of one.
fn fast(header: u8, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    let total = (len + 6) | 0x8000;
    [&[0][..], &total.to_be_bytes(), &[header], &len.to_le_bytes(), data].concat()
}

const UPDATE: u8 = 1;
const POINTER_DEFAULT: u8 = 6;
const FRAGMENT_LAST: u8 = 0x10;
const FRAGMENT_FIRST: u8 = 0x20;

/// An update of the slow path.
fn slow(body: &[u8]) -> Vec<u8> {
    let mut pdu = font_map();
    pdu.truncate(18);
    pdu.extend(body);
    let len = pdu.len() as u16;
    pdu[..2].copy_from_slice(&len.to_le_bytes());
    pdu[12..14].copy_from_slice(&(len - 14).to_le_bytes());
    pdu[14] = 2;
    pdu
}

/// A session, what its recording has, and what that shows.
struct Session {
    pair: Pair,
    log: RdpLog,
    decoder: RdpDecoder,
    dark: bool,
    /// All that the recording has of the target.
    lane: Vec<u8>,
}

impl Session {
    fn new(settings: RelaySettings) -> Self {
        let channels = settings.viewer.clone();
        let start = Start {
            version: 1,
            width: WIDTH,
            height: HEIGHT,
            user_channel: channels.user,
            io_channel: channels.io,
            message_channel: channels.message,
            static_channels: vec![("drdynvc".to_owned(), channel("drdynvc"))],
            compression: None,
            plain: true,
        };
        let mut decoder = RdpDecoder::new();
        decoder.state(&start.encode()).unwrap();
        Self { pair: Pair::new(settings), log: RdpLog::new(&start), decoder, dark: false, lane: vec![] }
    }

    /// A session that shows something.
    fn shown() -> Self {
        let mut session = Self::new(with_blackouts());
        session.pair.activate();
        session.record();
        session.draw(0, 0, BEFORE);
        session
    }

    /// In a blackout.
    fn dark() -> Self {
        let mut session = Self::shown();
        session.begin().unwrap();
        session
    }

    fn begin(&mut self) -> Result<(), BlackoutError> {
        let begun = self.pair.relay.begin_blackout(asked());
        self.settle();
        begun
    }

    /// Asks for the end; says what the target is asked.
    fn end(&mut self) -> Vec<u8> {
        self.pair.take_to_target();
        self.pair.relay.end_blackout();
        self.settle();
        self.pair.take_to_target()
    }

    fn settle(&mut self) {
        self.pair.relay.settled(&mut self.pair.notices);
        self.pair.run().unwrap();
        self.record();
    }

    /// The target sends; says what it is asked then.
    fn target(&mut self, pdu: &[u8]) -> Vec<u8> {
        self.pair.take_to_target();
        self.pair.target_sends(pdu).unwrap();
        assert!(self.pair.take_to_viewer().ends_with(pdu), "the viewer sees everything");
        self.record();
        self.pair.take_to_target()
    }

    fn draw(&mut self, left: u16, top: u16, colour: u8) -> Vec<u8> {
        self.target(&fast(UPDATE, &bitmap(left, top, colour)))
    }

    /// What an observer does: what passed is before what is told now.
    fn record(&mut self) {
        self.log.take(&std::mem::take(&mut self.pair.target_lane), !self.dark);
        let mut kept = Vec::new();
        while self.log.advance(&mut kept) {}
        self.decoder.target(&kept).unwrap();
        self.lane.extend(kept);
        for notice in self.pair.take_notices() {
            match notice {
                Notice::Marker(marker) => self.decoder.state(&marker).unwrap(),
                Notice::BlackoutBegan(_) => self.dark = true,
                Notice::BlackoutEnded => self.dark = false,
                _ => {}
            }
        }
    }

    /// The colour of a pixel in what is recorded.
    fn colour(&self, x: u16, y: u16) -> u8 {
        self.decoder.framebuffer().rows(Rect { x, y, width: 1, height: 1 }).next().unwrap()[0] as u8
    }

    fn has(&self, colour: u8) -> bool {
        self.lane.windows(16).any(|window| window == [colour; 16])
    }

    fn state(&self) -> BlackoutState {
        self.pair.relay.blackout()
    }
}

/// The area of the only Refresh Rect PDU in what the target is sent.
fn refreshed(sent: &[u8]) -> [u16; 4] {
    let pdu = only(sent);
    assert_eq!((pdu[14], &pdu[18..22]), (33, &[1, 0, 0, 0][..]));
    let numbers = pdu[22..30].as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    numbers.collect::<Vec<_>>().try_into().unwrap()
}

const LAST: [u16; 4] = [WIDTH - 16, HEIGHT - 16, WIDTH - 1, HEIGHT - 1];
const FIRST_CORNER: [u16; 4] = [0, 0, 15, 15];

#[test]
fn a_span_is_left_out_and_what_follows_can_be_drawn() {
    let mut session = Session::shown();
    assert_eq!(session.colour(3, 3), BEFORE);
    session.begin().unwrap();
    assert_eq!(session.state(), BlackoutState::On);
    assert_eq!((session.colour(3, 3), session.decoder.blackout()), (0, Some(&asked())));
    session.draw(0, 0, SECRET);
    session.pair.target(IO, &slow(&bitmap(0, 0, SECRET))).unwrap();
    session.record();
    // A pointer's shape may be named again later.
    session.target(&fast(POINTER_DEFAULT, &[]));
    assert!(session.lane.ends_with(&fast(POINTER_DEFAULT, &[])));
    session.pair.target(channel("rdpsnd"), &message(&[SECRET; 64])).unwrap();
    session.record();

    assert_eq!(refreshed(&session.end()), LAST);
    assert_eq!(session.state(), BlackoutState::Ending);
    // What was under way is no answer.
    assert!(session.draw(100, 100, SECRET).is_empty());
    let (right, bottom) = (WIDTH - 8, HEIGHT - 8);
    assert_eq!(refreshed(&session.draw(right, bottom, SECRET)), FIRST_CORNER);
    assert!(session.draw(right, bottom, SECRET).is_empty());
    assert_eq!(refreshed(&session.draw(0, 0, SECRET)), LAST);
    // In fragments, and in the slow path.
    let update = bitmap(right, bottom, SECRET);
    assert!(session.target(&fast(UPDATE | FRAGMENT_FIRST, &update[..9])).is_empty());
    assert_eq!(refreshed(&session.target(&fast(UPDATE | FRAGMENT_LAST, &update[9..]))), FIRST_CORNER);
    session.pair.target(IO, &slow(&bitmap(0, 0, SECRET))).unwrap();
    session.record();
    assert_eq!(refreshed(&session.pair.take_to_target()), [0, 0, WIDTH - 1, HEIGHT - 1]);
    assert_eq!((session.state(), session.decoder.blackout()), (BlackoutState::Off, None));
    assert!(!session.has(SECRET), "nothing of the span is kept");

    session.draw(0, 0, AFTER);
    assert_eq!(session.colour(3, 3), AFTER);
    assert_eq!(session.decoder.skipped(), []);
    session.begin().unwrap();
}

#[test]
fn of_an_update_in_fragments_nothing_is_kept_that_passes_in_the_span_or_goes_on_after_it() {
    let (head, tail) =
        (|colour| bitmap(64, 64, colour)[..40].to_vec(), |colour| vec![colour; 8 * 8 * 4 - 14]);
    let mut session = Session::shown();
    session.target(&fast(UPDATE | FRAGMENT_FIRST, &head(BEFORE)));
    session.begin().unwrap();
    session.target(&fast(UPDATE | FRAGMENT_LAST, &tail(SECRET)));
    session.end();
    for (x, y) in [(WIDTH - 8, HEIGHT - 8), (0, 0), (WIDTH - 8, HEIGHT - 8)] {
        session.draw(x, y, SECRET);
    }
    // The span ends between the fragments of an update.
    session.target(&fast(UPDATE | FRAGMENT_FIRST, &head(SECRET)));
    session.pair.target(IO, &slow(&bitmap(0, 0, SECRET))).unwrap();
    session.record();
    assert_eq!(session.state(), BlackoutState::Off);
    session.target(&fast(UPDATE | FRAGMENT_LAST, &tail(SECRET)));
    session.draw(64, 64, AFTER);
    assert!(!session.has(SECRET));
    assert_eq!((session.colour(70, 70), session.colour(3, 3)), (AFTER, 0));
    assert!(session.decoder.skipped().is_empty());
}

#[test]
fn keys_are_left_out_until_the_end_is_asked_for() {
    let key = |code: u8| [0x04, 4, 0, code];
    let mut session = Session::dark();
    session.pair.forget();
    session.pair.viewer_sends(&key(0x1e)).unwrap();
    session.end();
    session.pair.viewer_sends(&key(0x1f)).unwrap();
    let lane = session.pair.viewer_lane;
    assert!(!lane.windows(4).any(|event| event == key(0x1e)) && lane.ends_with(&key(0x1f)), "{lane:?}");
}

#[test]
fn an_end_waits_until_the_viewer_may_see_and_asks_again_after_a_change_of_size() {
    let mut session = Session::dark();
    session.pair.permit(all().without(Permission::View));
    session.record();
    assert!(session.end().is_empty(), "nothing is asked for that may not be seen");
    session.pair.permit(all());
    session.settle();
    let sent = session.pair.take_to_target();
    assert_eq!(refreshed(&sent[sent.len() - 45..]), LAST);

    session.pair.target(IO, &demand_active(800, 600)).unwrap();
    session.record();
    session.pair.viewer(IO, &confirm_active()).unwrap();
    session.pair.take_to_target();
    let sent = session.target(&indication(SERVER, IO, &font_map()));
    assert_eq!(refreshed(&sent), [800 - 16, 600 - 16, 799, 599]);
    assert_eq!(session.decoder.framebuffer().size(), Size { width: 800, height: 600 });
}

#[test]
fn blackouts_are_refused_where_they_cannot_be() {
    let begin = |settings| Session::new(settings).begin();
    assert_eq!(begin(settings()), Err(BlackoutError::Unsupported));
    assert_eq!(begin(with_blackouts()), Err(BlackoutError::NothingShown));
    let mut session = Session::dark();
    assert_eq!(session.begin(), Err(BlackoutError::Already));
    session.end();
    assert_eq!(session.begin(), Err(BlackoutError::Already));
    let mut session = Session::shown();
    session.pair.permit(all().without(Permission::View));
    assert_eq!(session.begin(), Err(BlackoutError::NothingShown));
}

/// A Demand Active whose target can draw again what it is asked for, or only all.
fn demand(refresh: bool, suppress: bool) -> Vec<u8> {
    let mut pdu = demand_active(WIDTH, HEIGHT);
    // The general set is the first.
    let general = pdu.windows(4).position(|head| head == [1, 0, 24, 0]).unwrap();
    (pdu[general + 22], pdu[general + 23]) = (refresh.into(), suppress.into());
    pdu
}

#[test]
fn a_target_that_knows_no_areas_draws_everything_again() {
    for (refresh, suppress, begun) in
        [(true, false, Ok(())), (false, true, Ok(())), (false, false, Err(BlackoutError::Unsupported))]
    {
        let mut session = Session::new(with_blackouts());
        session.pair.target(IO, &license_valid()).unwrap();
        session.pair.target(IO, &demand(refresh, suppress)).unwrap();
        session.pair.viewer(IO, &confirm_active()).unwrap();
        session.pair.target(IO, &font_map()).unwrap();
        assert_eq!(session.begin(), begun);
        if begun.is_ok() {
            let asked = messages(&session.end());
            let kinds: Vec<u8> = asked.iter().map(|(_, _, pdu)| pdu[14]).collect();
            assert_eq!(kinds, if refresh { vec![33] } else { vec![35, 35] });
        }
    }
}

#[test]
fn what_builds_on_what_came_before_is_not_negotiated() {
    let mut pair = Pair::new(with_blackouts());
    pair.target(IO, &license_valid()).unwrap();
    pair.forget();
    pair.target(IO, &demand_active(WIDTH, HEIGHT)).unwrap();
    pair.viewer(IO, &confirm_active()).unwrap();
    let remote_fx = b"\x12\x2f\x77\x76\x72\xbd\x63\x44\xaf\xb3\xb7\x3c\x9c\x6f\x78\x86";
    let has = |bytes: &[u8]| bytes.windows(16).any(|window| window == remote_fx);
    assert!(has(&demand_active(WIDTH, HEIGHT)) && has(&confirm_active()));
    assert!(!has(&pair.take_to_viewer()) && !has(&pair.take_to_target()));

    pair.target(IO, &font_map()).unwrap();
    pair.take_notices();
    let create = [&[0x10, 7][..], GRAPHICS.as_bytes(), &[0]].concat();
    pair.target(channel("drdynvc"), &message(&create)).unwrap();
    assert_eq!(pair.channels(), [(GRAPHICS.to_owned(), false)]);
}

#[test]
fn markers_come_back() {
    for marker in [Marker::Blackout(asked()), Marker::BlackoutEnd] {
        assert_eq!(Marker::parse(&marker.encode()).unwrap(), marker);
    }
    assert!(RdpDecoder::new().state(b"\"blackout_end\"").is_err(), "before the start");
}
