//! The server against an independent client, and against bytes that no client sends.

use std::time::Duration;

use passerelle_desktop::{Cursor, Framebuffer, InputEvent, Rect, Size};
use passerelle_rfb::{ClientMessage, Encoding, EncodingList, Parsed, PixelFormat, Rectangle};
use proptest::prelude::*;
use tokio::sync::mpsc;
use vnc::{VncClient, VncConnector, VncEncoding, VncEvent, X11Event};

use super::session::{Session, ViewerViolation};
use super::{Activity, AdmitError, Screen, ViewerEvent, admit, serve};

/// Not a multiple of a tile's 64 pixels.
const SIZE: Size = Size { width: 330, height: 200 };
const PASSWORD: &str = "pAss1234";

/// A picture whose tiles suit every way of encoding a tile: one colour, two, four, sixteen and a hundred of
/// them, in runs and not, and noise.
fn picture(size: Size) -> Vec<u32> {
    let mut noise = 0x2545_f491_u32;
    let mut random = move || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise
    };
    let mut pixels = Vec::with_capacity(size.pixels());
    for y in 0..u32::from(size.height) {
        for x in 0..u32::from(size.width) {
            let scattered = random();
            pixels.push(match (x / 64, y / 64) {
                (0, 0) => 0x33_6699,
                (1, 0) => 0xff_ffff * (x / 7 % 2),
                (2, 0) => 0x10_2030 * (scattered % 4),
                (3, 0) => 0x0f_0e0d * (scattered % 16),
                (4, 0) => 0x01_0203 * (scattered % 100),
                (0, 1) => 0x01_0203 * (y % 100),
                (1, 1) => x / 40 + (y << 8),
                (2, 1) => 0x05_0301 * (x / 3 % 40),
                (_, 1) => scattered & 0xff_ffff,
                _ => (x << 16 | y << 8) & 0xff_ffff,
            });
        }
    }
    pixels
}

fn framebuffer(size: Size) -> Framebuffer {
    let mut framebuffer = Framebuffer::new(size).unwrap();
    framebuffer.write(Rect::of(size), picture(size));
    framebuffer
}

fn arrow() -> Cursor {
    let pixels = (0..9 * 3).map(|i| if i % 4 == 0 { 0 } else { 0xff00_0000 | (i * 0x09_0501) }).collect();
    Cursor::new(Size { width: 9, height: 3 }, (4, 1), pixels).unwrap()
}

/// A screen with a viewer that draws what it receives.
struct Viewing {
    client: VncClient,
    screen: Screen,
    events: mpsc::Receiver<ViewerEvent>,
    size: (u16, u16),
    pixels: Vec<u32>,
    cursor: Option<(vnc::Rect, Vec<u8>)>,
    text: Option<String>,
}

impl Viewing {
    async fn start(encodings: &[VncEncoding]) -> Self {
        let screen = Screen::new("a test", framebuffer(SIZE), arrow());
        let (ours, theirs) = tokio::io::duplex(4096);
        let (sender, events) = mpsc::channel(16);
        let served = screen.clone();
        tokio::spawn(async move {
            let mut stream = ours;
            admit(&mut stream, PASSWORD, &mut |bytes: &mut [u8]| bytes.fill(7)).await.unwrap();
            serve(stream, &served, &sender).await.ok();
        });
        let mut connector = VncConnector::new(theirs)
            .set_auth_method(async move { Ok(PASSWORD.to_owned()) })
            .set_pixel_format(vnc::PixelFormat::bgra())
            .allow_shared(true);
        for encoding in encodings {
            connector = connector.add_encoding(*encoding);
        }
        let client = connector.build().unwrap().try_start().await.unwrap().finish().unwrap();
        let mut viewing =
            Self { client, screen, events, size: (0, 0), pixels: Vec::new(), cursor: None, text: None };
        assert_eq!(viewing.activity().await, Activity::Joined);
        viewing
    }

    async fn activity(&mut self) -> Activity {
        let event = tokio::time::timeout(Duration::from_secs(20), self.events.recv()).await;
        event.expect("the viewer's event comes in time").expect("the viewer is still there").activity
    }

    /// Takes what the server sends until `done`.
    async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let draw = async {
            while !done(self) {
                match self.client.poll_event().await.unwrap() {
                    Some(event) => self.draw(event),
                    None => {
                        self.client.input(X11Event::Refresh).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), draw).await.expect("the viewer sees what is awaited");
    }

    fn draw(&mut self, event: VncEvent) {
        match event {
            VncEvent::SetResolution(size) => self.resize(size.width, size.height),
            VncEvent::DesktopUpdate(update) => {
                if let Some(layout) = update.layout
                    && self.size != (layout.width, layout.height)
                {
                    self.resize(layout.width, layout.height);
                }
            }
            VncEvent::RawImage(area, data) => {
                let stride = usize::from(self.size.0);
                for (index, pixel) in data.chunks_exact(4).enumerate() {
                    let x = usize::from(area.x) + index % usize::from(area.width);
                    let y = usize::from(area.y) + index / usize::from(area.width);
                    self.pixels[y * stride + x] = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], 0]);
                }
            }
            VncEvent::SetCursor(area, data) => self.cursor = Some((area, data)),
            VncEvent::Text(text) => self.text = Some(text),
            VncEvent::Error(error) => panic!("{error}"),
            _ => {}
        }
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.pixels = vec![0; usize::from(width) * usize::from(height)];
    }

    fn shows(&self, expected: &[u32]) -> bool {
        self.pixels == expected
    }
}

#[tokio::test]
async fn pictures_and_changes_arrive_in_every_encoding() {
    for encodings in [&[VncEncoding::Raw][..], &[VncEncoding::Zrle, VncEncoding::Raw]] {
        let mut viewing = Viewing::start(encodings).await;
        let mut expected = picture(SIZE);
        viewing.until(|viewing| viewing.shows(&expected)).await;

        for (x, y, colour) in [(3, 3, 0x12_3456), (300, 190, 0xab_cdef), (60, 60, 0x00_ff00)] {
            let spot = Rect { x, y, width: 20, height: 9 };
            viewing.screen.draw(|framebuffer| framebuffer.write(spot, [colour; 20 * 9]));
            for row in usize::from(y)..usize::from(y) + 9 {
                let start = row * usize::from(SIZE.width) + usize::from(x);
                expected[start..start + 20].fill(colour);
            }
        }
        viewing.until(|viewing| viewing.shows(&expected)).await;
    }
}

#[tokio::test]
async fn the_cursor_arrives_with_its_shape() {
    let mut viewing = Viewing::start(&[VncEncoding::Raw, VncEncoding::CursorPseudo]).await;
    viewing.until(|viewing| viewing.cursor.is_some()).await;
    let (area, data) = viewing.cursor.take().unwrap();
    assert_eq!((area.x, area.y, area.width, area.height), (4, 1, 9, 3));
    let shown: Vec<_> = data.chunks_exact(4).map(|p| u32::from_le_bytes([p[0], p[1], p[2], p[3]])).collect();
    assert_eq!(shown, arrow().pixels());
}

#[tokio::test]
async fn input_and_clipboard_pass_in_both_directions() {
    let mut viewing = Viewing::start(&[VncEncoding::Raw]).await;
    for event in [
        X11Event::KeyEvent((0xff0d, true).into()),
        X11Event::PointerEvent((12, 34, 5).into()),
        X11Event::PointerEvent((9999, 9999, 0).into()),
        X11Event::CopyText("copied".to_owned()),
    ] {
        viewing.client.input(event).await.unwrap();
    }
    for expected in [
        InputEvent::Key { keysym: 0xff0d, scancode: None, pressed: true },
        InputEvent::Pointer { x: 12, y: 34, buttons: 5 },
        InputEvent::Pointer { x: SIZE.width - 1, y: SIZE.height - 1, buttons: 0 },
        InputEvent::Clipboard("copied".to_owned()),
    ] {
        assert_eq!(viewing.activity().await, Activity::Input(expected));
    }
    let viewer = super::ViewerId::from(1);
    viewing.screen.offer_clipboard(viewer, "for you");
    viewing.until(|viewing| viewing.text.as_deref() == Some("for you")).await;

    viewing.client.close().await.unwrap();
    drop(viewing.client);
    assert_eq!(viewing.events.recv().await.map(|event| event.activity), Some(Activity::Left));
    assert_eq!(viewing.screen.viewers(), 0);
}

#[tokio::test]
async fn a_new_size_reaches_the_viewer_with_its_picture() {
    for pseudo in [VncEncoding::DesktopSizePseudo, VncEncoding::ExtendedDesktopSizePseudo] {
        let mut viewing = Viewing::start(&[VncEncoding::Zrle, pseudo]).await;
        viewing.until(|viewing| viewing.shows(&picture(SIZE))).await;
        let larger = Size { width: 401, height: 260 };
        viewing.screen.replace(framebuffer(larger), None);
        viewing.until(|viewing| viewing.size == (401, 260) && viewing.shows(&picture(larger))).await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let client = tokio::spawn(async move {
        let connector = VncConnector::new(theirs)
            .set_auth_method(async move { Ok("pAss1235".to_owned()) })
            .add_encoding(VncEncoding::Raw);
        connector.build().unwrap().try_start().await.is_err()
    });
    let admitted = admit(&mut ours, PASSWORD, &mut |bytes: &mut [u8]| bytes.fill(7)).await;
    assert!(matches!(admitted, Err(AdmitError::WrongPassword)));
    assert!(client.await.unwrap());
}

/// A session at the level of bytes.
struct Bare {
    screen: Screen,
    seat: super::screen::Seated,
    session: Session,
}

impl Bare {
    fn new() -> Self {
        let screen = Screen::new("a test", framebuffer(SIZE), arrow());
        let seat = screen.join();
        let (session, _) = Session::start(screen.name(), screen.size());
        Self { screen, seat, session }
    }

    /// Hands over `bytes` and counts what comes back.
    fn receive(&mut self, bytes: &[u8]) -> Result<usize, ViewerViolation> {
        let mut rest = bytes;
        let mut events = 0;
        loop {
            let parsed = self.seat.look(|view| self.session.receive(rest, view.seat)).unwrap()?;
            let Parsed::Done { value, len } = parsed else { return Ok(events) };
            assert!(len > 0 && len <= rest.len());
            events += usize::from(value.is_some());
            rest = &rest[len..];
        }
    }

    fn request(&mut self, incremental: bool) {
        let area = Rectangle::of_size(SIZE.width, SIZE.height);
        self.receive(&ClientMessage::UpdateRequest { incremental, area }.encode()).unwrap();
    }

    fn owed(&mut self) -> Vec<u8> {
        self.seat.look(|view| self.session.owed(view)).unwrap()
    }
}

#[test]
fn a_viewer_that_asks_for_nothing_is_sent_nothing() {
    let mut bare = Bare::new();
    assert_eq!(bare.owed(), b"");
    bare.request(false);
    let whole = 4 + 12 + 4 * SIZE.pixels();
    assert_eq!(bare.owed().len(), whole);

    let spot = Rect { x: 1, y: 1, width: 2, height: 2 };
    for colour in 0..100 {
        bare.screen.draw(|framebuffer| framebuffer.write(spot, [colour; 4]));
        assert_eq!(bare.owed(), b"");
    }
    bare.request(true);
    let update = bare.owed();
    assert_eq!(update[16..20], [99, 0, 0, 0]);
    assert_eq!(update.len(), 4 + 12 + 16);
    bare.request(true);
    assert_eq!(bare.owed(), b"", "nothing changed since");
}

#[test]
fn a_large_picture_comes_in_several_updates() {
    let huge = Size { width: 4096, height: 2048 };
    let mut bare = Bare::new();
    bare.receive(&EncodingList::encode_message(&[Encoding::RAW, Encoding::DESKTOP_SIZE])).unwrap();
    bare.screen.replace(Framebuffer::new(huge).unwrap(), None);
    bare.request(true);
    assert_eq!(bare.owed().len(), 4 + 12, "the size comes first and alone");
    let mut pixels = 0;
    while pixels < huge.pixels() {
        let area = Rectangle::of_size(huge.width, huge.height);
        bare.receive(&ClientMessage::UpdateRequest { incremental: true, area }.encode()).unwrap();
        let update = bare.owed();
        assert!(update.len() > 16 && update.len() <= (16 << 20) + 16);
        pixels += (update.len() - 16) / 4;
    }
    assert_eq!(pixels, huge.pixels());
}

#[test]
fn colour_maps_are_refused() {
    let indexed = PixelFormat { bits_per_pixel: 8, depth: 8, true_colour: false, ..PixelFormat::BGRX };
    let message = ClientMessage::SetPixelFormat(indexed).encode();
    assert_eq!(Bare::new().receive(&message), Err(ViewerViolation::ColourMap));
}

#[test]
fn clipboard_content_over_the_limit_is_skipped() {
    let mut bare = Bare::new();
    let length = (1_u32 << 20) + 1;
    let mut bytes = [&[6, 0, 0, 0][..], &length.to_be_bytes()].concat();
    bytes.resize(bytes.len() + length as usize, b'x');
    bytes.extend(ClientMessage::Key { down: true, keysym: 0x61 }.encode());
    assert_eq!(bare.receive(&bytes), Ok(1), "the key counts, the text does not");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a viewer sends, the session neither panics nor owes more than an update and some messages.
    #[test]
    fn any_bytes_are_survived(
        kinds in proptest::collection::vec((0_usize..9, proptest::collection::vec(any::<u8>(), 0..40)), 1..40),
    ) {
        let mut bare = Bare::new();
        let encodings = [
            Encoding::ZRLE,
            Encoding::CURSOR,
            Encoding::EXTENDED_DESKTOP_SIZE,
            Encoding::EXTENDED_CLIPBOARD,
            Encoding::EXTENDED_MOUSE_BUTTONS,
            Encoding::QEMU_EXTENDED_KEY,
        ];
        bare.receive(&EncodingList::encode_message(&encodings)).unwrap();
        for (kind, noise) in kinds {
            let mut bytes = vec![[0, 2, 3, 4, 5, 6, 251, 255, 248][kind]];
            bytes.extend(noise);
            if bare.receive(&bytes).is_err() {
                break;
            }
            bare.request(kind % 2 == 0);
            prop_assert!(bare.owed().len() < 2 * 4 * SIZE.pixels());
        }
    }
}
