//! Views are written and read again.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use passerelle_desktop::{
    Blackout, Cursor, Damage, DecodeError, Decoder, Framebuffer, Pointer, Rect, Size, Skipped, Whose,
};

use super::*;
use crate::{Clock, Identity, Lane, SigningKey, Verdict};

/// Draws entries of its own: `area, seed`, in 32-bit numbers; an entry of the state lane is a new size, or a single number:
/// whether nothing is kept from there on.
struct Scribbler {
    framebuffer: Framebuffer,
    pointer: Pointer,
    position: Option<(u16, u16)>,
    blackout: Option<Blackout>,
}

impl Scribbler {
    fn boxed() -> Box<dyn Decoder> {
        Box::new(Self {
            framebuffer: Framebuffer::default(),
            pointer: Pointer::Default,
            position: None,
            blackout: None,
        })
    }
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect()
}

fn entry(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn asked() -> Blackout {
    Blackout { whose: Whose::Technician, by: "alice".into(), reason: "a password".into() }
}

/// Pixels that do not compress to nothing.
fn noise(seed: u16) -> impl Iterator<Item = u32> {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    })
}

impl Decoder for Scribbler {
    fn state(&mut self, entry: &[u8]) -> Result<(), DecodeError> {
        if let [dark] = numbers(entry)[..] {
            self.framebuffer.fill(Rect::of(self.framebuffer.size()), 0);
            self.blackout = (dark > 0).then(asked);
            return Ok(());
        }
        let [width, height] = numbers(entry)[..] else { return Err(DecodeError::State("odd".into())) };
        self.framebuffer = Framebuffer::new(Size { width, height })?;
        Ok(())
    }

    fn target(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        match numbers(bytes)[..] {
            [x, y, width, height, seed] => {
                let area = Rect { x, y, width, height };
                self.framebuffer.write(area, noise(seed).take(area.pixels()));
            }
            [x, y] => self.position = Some((x, y)),
            [side] => {
                let size = Size { width: side, height: side };
                let cursor = Cursor::new(size, (0, 0), vec![0x80ff_0102; size.pixels()]);
                self.pointer = cursor.map_or(Pointer::Hidden, Pointer::Shape);
            }
            _ => return Err(DecodeError::Framing("odd".into())),
        }
        Ok(())
    }

    fn framebuffer(&self) -> &Framebuffer {
        &self.framebuffer
    }

    fn take_damage(&mut self) -> Damage {
        self.framebuffer.take_damage()
    }

    fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    fn pointer_position(&self) -> Option<(u16, u16)> {
        self.position
    }

    fn blackout(&self) -> Option<&Blackout> {
        self.blackout.as_ref()
    }

    fn skipped(&self) -> &[Skipped] {
        &[]
    }
}

/// What a view comes to.
#[derive(Default)]
struct Written {
    chunks: Vec<(WrittenChunk, Vec<u8>)>,
    open: Vec<u8>,
    thumbnails: Vec<u32>,
    watched: Vec<(bool, Vec<u8>)>,
}

impl ViewSink for Written {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.extend_from_slice(bytes);
        Ok(())
    }

    fn end_of_chunk(&mut self, chunk: WrittenChunk) -> io::Result<()> {
        self.chunks.push((chunk, std::mem::take(&mut self.open)));
        Ok(())
    }

    fn thumbnail(&mut self, t_ms: u32, file: &[u8]) -> io::Result<()> {
        assert!(file.starts_with(b"\xff\xd8"));
        self.thumbnails.push(t_ms);
        Ok(())
    }

    fn watched(&mut self, whole: bool, messages: &[u8]) -> io::Result<()> {
        self.watched.push((whole, messages.to_vec()));
        Ok(())
    }
}

/// The picture of a chunk at a time, and the time of its last frame.
fn seek(chunk: &[u8], t_ms: u32) -> (ViewPicture, Option<u32>) {
    let mut messages = Messages::new(chunk).unwrap();
    let mut picture = ViewPicture::new().unwrap();
    let mut frame = None;
    while let Some((at, message)) = messages.next_message().unwrap() {
        if at > t_ms {
            break;
        }
        picture.apply(&message).unwrap();
        if message == Message::Frame {
            frame = Some(at);
        }
    }
    (picture, frame)
}

fn same(a: &Framebuffer, b: &Framebuffer) -> bool {
    a.size() == b.size() && a.rows(Rect::of(a.size())).eq(b.rows(Rect::of(b.size())))
}

type Entries = Vec<(u32, Lane, Vec<u8>)>;

fn render(entries: &Entries, length: u32) -> (Written, ViewSummary) {
    let mut written = Written::default();
    let mut renderer = Renderer::new(Scribbler::boxed(), Some(length));
    for (t_ms, lane, bytes) in entries {
        renderer.entry(*lane, *t_ms, bytes, &mut written).unwrap();
    }
    let summary = renderer.finish(length, &mut written).unwrap();
    (written, summary)
}

/// The picture after all entries up to `t_ms`.
fn truth(entries: &Entries, t_ms: u32) -> Box<dyn Decoder> {
    let mut decoder = Scribbler::boxed();
    for (_, lane, bytes) in entries.iter().filter(|(at, _, _)| *at <= t_ms) {
        feed(&mut *decoder, *lane, bytes);
    }
    decoder
}

fn feed(decoder: &mut dyn Decoder, lane: Lane, bytes: &[u8]) {
    match lane {
        Lane::State => decoder.state(bytes).unwrap(),
        _ => decoder.target(bytes).unwrap(),
    }
}

/// Work on a desktop: small changes with pauses, now and then everything, and two sizes.
fn work() -> Entries {
    let mut entries = vec![(5, Lane::State, entry(&[160, 100]))];
    let mut random = noise(77).map(|number| number as u16);
    let mut next = |below: u16| random.next().unwrap() % below;
    let mut t_ms = 40;
    for step in 0..300u16 {
        t_ms += u32::from(next(900));
        let area = match step % 40 {
            9 | 19 | 29 | 39 => [0, 0, 160, 100, step],
            _ => [next(150), next(95), next(60) + 1, next(40) + 1, step],
        };
        entries.push((t_ms, Lane::Target, entry(&area)));
        match step % 50 {
            7 => entries.push((t_ms, Lane::Target, entry(&[next(150), next(95)]))),
            8 => entries.push((t_ms + 1, Lane::Target, entry(&[next(30) + 1]))),
            _ => {}
        }
        if step == 200 {
            entries.push((t_ms + 1, Lane::State, entry(&[100, 120])));
        }
    }
    entries
}

#[test]
fn seeking_to_any_time_gives_the_picture_of_that_time() {
    let entries = work();
    let length = 150_000;
    let (written, summary) = render(&entries, length);
    assert!(written.chunks.len() > 2, "{} chunks", written.chunks.len());
    assert!(written.open.is_empty());
    assert_eq!((summary.width, summary.height), (160, 120));
    assert!(summary.lossy.is_empty() && summary.stopped.is_none());
    let mut times: Vec<u32> = noise(3).map(|number| number % length).take(200).collect();
    times.sort_unstable();
    let (mut truth, mut now) = (Scribbler::boxed(), Scribbler::boxed());
    let (mut fed, mut now_fed, mut compared) = (0, 0, 0);
    for t_ms in times {
        let chunk = written.chunks.iter().rev().find(|(chunk, _)| chunk.from_ms <= t_ms);
        let Some((_, chunk)) = chunk else { continue };
        let (picture, frame) = seek(chunk, t_ms);
        let new = entries.iter().skip(fed).take_while(|(at, _, _)| *at <= frame.unwrap());
        fed += new.inspect(|(_, lane, bytes)| feed(&mut *truth, *lane, bytes)).count();
        assert!(same(picture.framebuffer(), truth.framebuffer()), "at {t_ms}");
        assert_eq!(picture.pointer_position(), truth.pointer_position());
        // Nothing is held back for longer than a frame.
        let new = entries.iter().skip(now_fed).take_while(|(at, _, _)| *at <= t_ms);
        now_fed += new.inspect(|(_, lane, bytes)| feed(&mut *now, *lane, bytes)).count();
        if entries.iter().all(|(at, _, _)| *at > t_ms || *at + 70 < t_ms) {
            assert!(same(picture.framebuffer(), now.framebuffer()), "late at {t_ms}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn a_span_of_which_nothing_is_kept_is_black_and_listed() {
    let draw = |seed| entry(&[0, 0, 64, 48, seed]);
    let entries = vec![
        (5, Lane::State, entry(&[64, 48])),
        (40, Lane::Target, draw(1)),
        // In the same frame as what came right before.
        (41, Lane::State, entry(&[1])),
        (5000, Lane::State, entry(&[0])),
        (5100, Lane::Target, draw(2)),
        (9000, Lane::State, entry(&[1])),
    ];
    let (written, summary) = render(&entries, 10_000);
    let span = |from_ms, until_ms| BlackoutSpan { from_ms, until_ms, asked: asked() };
    assert_eq!(summary.blackouts, [span(41, 5000), span(9000, 10_000)]);
    for (t_ms, dark) in [(41, true), (3000, true), (5100, false), (8000, false), (9000, true)] {
        let chunk = written.chunks.iter().rfind(|(chunk, _)| chunk.from_ms <= t_ms).unwrap();
        let (picture, _) = seek(&chunk.1, t_ms);
        let black =
            picture.framebuffer().rows(Rect { x: 0, y: 0, width: 64, height: 48 }).flatten().all(|p| *p == 0);
        assert_eq!(black, dark, "at {t_ms} ms");
    }
    let json = serde_json::to_value(&summary.blackouts[0]).unwrap();
    let expected = serde_json::json!({ "from_ms": 41, "until_ms": 5000, "for": "technician", "by": "alice", "reason": "a password" });
    assert_eq!(json, expected);
}

#[test]
fn every_chunk_is_small_enough_to_be_sought_in() {
    let (written, _) = render(&work(), 150_000);
    let screen = 160 * 120 * 4;
    for (chunk, bytes) in &written.chunks {
        assert!(chunk.plain < 23 * screen, "{chunk:?}");
        assert_eq!(chunk.bytes, bytes.len() as u64);
        // A browser takes no larger window: the frame header says which it is.
        assert_eq!(bytes[..4], [0x28, 0xb5, 0x2f, 0xfd]);
        let single_segment = bytes[4] & 0x20 != 0;
        assert!(single_segment || 10 + (bytes[5] >> 3) <= 23);
    }
}

/// What is read to see the picture of a time: bytes of the stream, bytes of messages, and messages.
fn read(chunk: &[u8], t_ms: u32) -> (usize, usize, usize) {
    let mut messages = Messages::new(chunk).unwrap();
    let (mut bytes, mut count) = (0, 0);
    while let Some((at, message)) = messages.next_message().unwrap() {
        if at > t_ms {
            break;
        }
        let mut message_bytes = Vec::new();
        message.put(at, &mut message_bytes);
        bytes += message_bytes.len();
        count += 1;
    }
    (chunk.len(), bytes, count)
}

/// Eight hours of everything that makes chunks long: small changes all the time, large ones, and pointers that change
/// thirty times a second.
#[test]
fn any_time_of_eight_hours_is_in_one_chunk_of_bounded_size() {
    const HOURS: u32 = 8 * 3_600_000;
    let (width, height) = (96, 64);
    let mut entries = vec![(0, Lane::State, entry(&[width, height]))];
    let mut random = noise(5).map(|number| number as u16);
    let mut next = |below: u16| random.next().unwrap() % below;
    let mut t_ms = 0;
    while t_ms < HOURS {
        let minute = t_ms / 60_000 % 60;
        // A little at a time, then all, then only the pointer, then nothing for a while.
        let (pause, numbers) = match minute {
            0..=1 => (34, vec![next(width), next(height), 1, 1, next(9000)]),
            2 => (500, vec![0, 0, width, height, next(9000)]),
            3 => (34, vec![next(64) + 1]),
            4..=40 => (7000, vec![next(width - 8), next(height - 8), 8, 8, next(9000)]),
            _ => (400_000, vec![next(width), next(height), 1, 1, next(9000)]),
        };
        t_ms += pause;
        entries.push((t_ms, Lane::Target, entry(&numbers)));
    }
    let (written, _) = render(&entries, HOURS + 1_000_000);
    assert!(written.chunks.len() > 50, "{}", written.chunks.len());

    let screen = usize::from(width) * usize::from(height) * 4;
    // A key frame, twenty screens, and what one more frame adds: a screen and a pointer.
    let most = 22 * screen + 64 * 64 * 4 + 200;
    let frames = 300_000 / 33 + 2;
    let times = noise(11).map(|number| number % HOURS).take(200);
    for t_ms in [0].into_iter().chain(times) {
        let chunk = written.chunks.iter().rev().find(|(chunk, _)| chunk.from_ms <= t_ms);
        let (chunk, stream) = chunk.unwrap_or(&written.chunks[0]);
        let (bytes, plain, messages) = read(stream, t_ms.max(chunk.from_ms));
        assert!(plain <= most, "{plain} bytes of messages at {t_ms}");
        assert!(bytes <= most + most / 16, "{bytes} bytes at {t_ms}");
        // Two tiles, a pointer and its place besides.
        assert!(messages <= frames * 5, "{messages} messages at {t_ms}");
        // It needs nothing that came before.
        let (picture, frame) = seek(stream, t_ms.max(chunk.from_ms));
        assert!(frame.is_some());
        assert_eq!(picture.framebuffer().size(), Size { width, height });
    }
}

#[test]
fn a_chunk_ends_after_five_minutes_but_not_while_nothing_changes() {
    let mut entries = vec![(0, Lane::State, entry(&[64, 64])), (10, Lane::Target, entry(&[0, 0, 9, 9, 1]))];
    for t_ms in [200_000, 310_500, 900_000] {
        entries.push((t_ms, Lane::Target, entry(&[0, 0, 9, 9, (t_ms / 1000) as u16])));
    }
    let (written, summary) = render(&entries, 1_000_000);
    let starts: Vec<u32> = written.chunks.iter().map(|(chunk, _)| chunk.from_ms).collect();
    assert_eq!(starts, [10, 310_500, 900_000]);
    assert_eq!(written.thumbnails, [10, 200_000, 310_500, 900_000]);
    let idle: Vec<_> = summary.idle.iter().map(|span| (span.from_ms, span.until_ms)).collect();
    assert_eq!(idle, [(10, 1_000_000)], "eighty-one pixels are a caret");
}

#[test]
fn motion_becomes_lossy_and_the_picture_is_exact_afterwards() {
    let mut entries = vec![(0, Lane::State, entry(&[640, 384]))];
    let video = [128, 64, 256, 192];
    for step in 0..200u16 {
        let t_ms = u32::from(step) * 60;
        entries.push((t_ms, Lane::Target, entry(&[&video[..], &[step]].concat())));
        if step % 20 == 0 {
            entries.push((t_ms, Lane::Target, entry(&[0, 0, 20, 20, step])));
        }
    }
    entries.push((60_000, Lane::Target, entry(&[0, 0, 20, 20, 9999])));
    let (written, summary) = render(&entries, 70_000);
    let [lossy] = summary.lossy[..] else { panic!("{:?}", summary.lossy) };
    assert!((3_000..7_000).contains(&lossy.from_ms) && lossy.until_ms == 12_940, "{lossy:?}");
    let bytes: u64 = written.chunks.iter().map(|(chunk, _)| chunk.bytes).sum();
    // 196 KB of noise some sixteen times a second; once it is lossy, less than a quarter of a megabyte a second.
    assert!(bytes < 6 * 3_300_000 + 9 * 300_000, "{bytes}");
    let (picture, frame) = seek(&written.chunks.last().unwrap().1, 40_000);
    assert_eq!(frame, Some(12_940));
    assert!(same(picture.framebuffer(), truth(&entries, 40_000).framebuffer()));
    let during = written.chunks.iter().rev().find(|(chunk, _)| chunk.from_ms <= 9_000).unwrap();
    let (picture, frame) = seek(&during.1, 9_000);
    let truth = truth(&entries, frame.unwrap());
    assert!(!same(picture.framebuffer(), truth.framebuffer()));
    let still = Rect { x: 0, y: 0, width: 128, height: 384 };
    assert!(picture.framebuffer().rows(still).eq(truth.framebuffer().rows(still)));
}

#[test]
fn what_the_decoder_cannot_go_on_with_ends_the_drawing_and_not_the_view() {
    let mut entries = work();
    entries.truncate(100);
    let broken_at = entries.last().unwrap().0 + 100;
    entries.push((broken_at, Lane::Target, vec![1, 2, 3, 4, 5, 6]));
    let mut written = Written::default();
    let mut renderer = Renderer::new(Scribbler::boxed(), None);
    for (t_ms, lane, bytes) in &entries {
        renderer.entry(*lane, *t_ms, bytes, &mut written).unwrap();
    }
    renderer.entry(Lane::Target, broken_at + 500, &entry(&[0, 0, 5, 5, 5]), &mut written).unwrap();
    let summary = renderer.finish(broken_at + 1000, &mut written).unwrap();
    let stopped = summary.stopped.unwrap();
    assert_eq!(stopped.t_ms, broken_at);
    assert!(stopped.message.contains("not understood"), "{}", stopped.message);
    entries.pop();
    let (picture, _) = seek(&written.chunks.last().unwrap().1, u32::MAX);
    assert!(same(picture.framebuffer(), truth(&entries, broken_at).framebuffer()));
}

#[test]
fn who_comes_to_watch_gets_a_chunk_and_everything_is_flushed() {
    let mut written = Written::default();
    let mut renderer = Renderer::new(Scribbler::boxed(), None);
    let entries = work();
    for (t_ms, lane, bytes) in &entries[..20] {
        renderer.entry(*lane, *t_ms, bytes, &mut written).unwrap();
        renderer.flush(*t_ms + 40, &mut written).unwrap();
    }
    let before = written.chunks.len();
    renderer.watched(true);
    renderer.roll();
    renderer.flush(entries[19].0 + 50, &mut written).unwrap();
    assert_eq!(written.chunks.len(), before + 1);
    // The chunk is not over, and yet all of it can be read.
    let mut decoder = zstd::stream::raw::Decoder::new().unwrap();
    let mut plain = vec![0; 1 << 20];
    use zstd::stream::raw::Operation as _;
    let status = decoder.run_on_buffers(&written.open, &mut plain).unwrap();
    let read = picture_of(&plain[..status.bytes_written]);
    let truth = truth(&entries, entries[19].0);
    assert!(same(read.framebuffer(), truth.framebuffer()));
    // Whoever watches gets the same as it is.
    let [(true, messages)] = &written.watched[..] else { panic!("{}", written.watched.len()) };
    assert!(same(picture_of(messages).framebuffer(), truth.framebuffer()));
}

fn picture_of(mut messages: &[u8]) -> ViewPicture {
    let mut picture = ViewPicture::new().unwrap();
    while let Some((_, message, len)) = Message::parse(messages).unwrap() {
        picture.apply(&message).unwrap();
        messages = &messages[len..];
    }
    assert!(messages.is_empty());
    picture
}

struct Still;

impl Clock for Still {
    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn store(directory: &std::path::Path) -> ViewStore {
    let identity = Identity::load_or_create(&directory.join("identity")).unwrap();
    let signer = Arc::new(SigningKey::from_seed(&[7; 32]).unwrap());
    let random: crate::Random = Arc::new(|bytes: &mut [u8]| bytes.fill(9));
    ViewStore::new(directory.join("views"), identity, signer, Arc::new(Still), random).unwrap()
}

#[test]
fn a_stored_view_is_sealed_and_its_parts_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert!(store.open("one").unwrap().is_none());
    let (written, summary) = render(&work(), 150_000);
    let mut builder = store.create("one").unwrap();
    // Larger than a record, with a thumbnail in the middle.
    let long: Vec<u8> = noise(1).take(400_000).flat_map(u32::to_le_bytes).collect();
    builder.data(&long[..1_000_000]).unwrap();
    builder.thumbnail(3, b"small").unwrap();
    builder.data(&long[1_000_000..]).unwrap();
    let size = Size { width: 1, height: 1 };
    let chunk = |from_ms, bytes| WrittenChunk { from_ms, bytes, plain: 0, size };
    builder.end_of_chunk(chunk(3, long.len() as u64)).unwrap();
    let contents = builder.contents();
    assert_eq!(contents.chunk(0).unwrap(), long, "it can be read while the view is written");
    for (chunk, bytes) in &written.chunks {
        builder.data(bytes).unwrap();
        builder.end_of_chunk(WrittenChunk { from_ms: chunk.from_ms + 100, ..*chunk }).unwrap();
    }
    assert!(store.open("one").unwrap().is_none(), "it is not whole yet");
    let index = builder.finish(summary.clone()).unwrap();
    assert_eq!(index.summary, summary);

    let view = store.open("one").unwrap().unwrap();
    assert_eq!(view.index, index);
    assert_eq!(view.index.chunks[0].from_ms, 0);
    assert_eq!(view.index.chunks[0].until_ms, view.index.chunks[1].from_ms);
    assert_eq!(view.index.chunks.last().unwrap().until_ms, 150_000);
    assert_eq!(view.contents.chunk(0).unwrap(), long);
    assert_eq!(view.contents.thumbnail(0).unwrap(), b"small");
    for (number, (_, bytes)) in (1..).zip(&written.chunks) {
        assert_eq!(view.contents.chunk(number).unwrap(), *bytes);
    }
    let beyond = u32::try_from(view.index.chunks.len()).unwrap();
    assert!(matches!(view.contents.chunk(beyond), Err(ViewError::Missing)));

    let key = SigningKey::from_seed(&[7; 32]).unwrap().public_key();
    let verdict = crate::verify(&store.directory("one"), &key).unwrap().verdict;
    assert!(matches!(verdict, Verdict::Sealed { .. }), "{verdict}");
    let [(id, bytes, Some(_))] = &store.list().unwrap()[..] else { panic!() };
    assert_eq!(id, "one");
    assert!(*bytes > long.len() as u64);
    let plain = std::fs::read(store.directory("one").join("000001.seg")).unwrap();
    assert!(!plain.windows(64).any(|window| window == &long[..64]), "it is not encrypted");

    // Another gateway's, and damage.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = self::store(elsewhere.path());
    std::fs::create_dir_all(other.directory("one")).unwrap();
    for file in std::fs::read_dir(store.directory("one")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), other.directory("one").join(file.file_name())).unwrap();
    }
    assert!(matches!(other.open("one"), Err(ViewError::Keys(_))));
    let segment = store.directory("one").join("000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert!(matches!(view.contents.chunk(0), Err(ViewError::Damaged(_))));

    store.remove("one").unwrap();
    assert!(store.open("one").unwrap().is_none());
}
