//! Seeking in recordings of stock servers shows what playing to the same time shows.

use std::io;
use std::path::{Path, PathBuf};

use passerelle_desktop::{Decoder, Framebuffer, Rect};
use passerelle_recorder::Lane;
use passerelle_recorder::view::{Message, Messages, Renderer, ViewPicture, ViewSink, WrittenChunk};

use super::worker::decoder;

/// How many times are sought.
const TIMES: usize = 200;
/// Entries of a recording are as long here, in bytes.
const PIECE: usize = 350;

#[derive(Default)]
struct Chunks {
    done: Vec<(WrittenChunk, Vec<u8>)>,
    open: Vec<u8>,
}

impl ViewSink for Chunks {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.extend_from_slice(bytes);
        Ok(())
    }

    fn end_of_chunk(&mut self, chunk: WrittenChunk) -> io::Result<()> {
        self.done.push((chunk, std::mem::take(&mut self.open)));
        Ok(())
    }

    fn thumbnail(&mut self, _: u32, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn watched(&mut self, _: bool, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Entries with their times.
type Entries = Vec<(u32, Lane, Vec<u8>)>;

/// Numbers below `most`, the same in every run.
fn numbers(most: u32) -> impl Iterator<Item = u32> {
    let mut state = 1u32;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % most
    })
}

/// What a server sent, as it could have come in the course of an hour: often in bursts, sometimes after a while.
fn entries(path: &Path, start: Option<Vec<u8>>) -> Entries {
    let wire = std::fs::read(path).unwrap();
    let mut t_ms = 7;
    let mut entries: Entries = start.map(|start| (t_ms, Lane::State, start)).into_iter().collect();
    let mut random = numbers(1000);
    for piece in wire.chunks(PIECE) {
        let pause = random.next().unwrap();
        t_ms += if pause < 700 { pause % 25 } else { pause * 60 };
        entries.push((t_ms, Lane::Target, piece.to_vec()));
    }
    entries
}

fn feed(decoder: &mut dyn Decoder, (_, lane, bytes): &(u32, Lane, Vec<u8>)) {
    match lane {
        Lane::State => decoder.state(bytes).unwrap(),
        _ => decoder.target(bytes).unwrap(),
    }
}

fn same(a: &Framebuffer, b: &Framebuffer) -> bool {
    a.size() == b.size() && a.rows(Rect::of(a.size())).eq(b.rows(Rect::of(b.size())))
}

/// The picture of a chunk at a time, and the time of its last frame.
fn seek(chunk: &[u8], t_ms: u32) -> (ViewPicture, Option<u32>) {
    let (mut messages, mut picture) = (Messages::new(chunk).unwrap(), ViewPicture::new().unwrap());
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

/// Renders the recording, and compares what is seen after seeking with what its decoder has drawn by then. Answers with
/// how many chunks there are.
fn check(name: &str, protocol: &str, entries: &Entries) -> usize {
    let mut chunks = Chunks::default();
    let end = entries.last().unwrap().0 + 1000;
    let mut renderer = Renderer::new(decoder(protocol).unwrap(), Some(end));
    for (t_ms, lane, bytes) in entries {
        renderer.entry(*lane, *t_ms, bytes, &mut chunks).unwrap();
    }
    let summary = renderer.finish(end, &mut chunks).unwrap();
    assert!(summary.stopped.is_none() && summary.lossy.is_empty(), "{name}: {summary:?}");

    let mut times: Vec<u32> = numbers(end).take(TIMES).chain([end]).collect();
    times.sort_unstable();
    let (mut played, mut fed) = (decoder(protocol).unwrap(), 0);
    let mut compared = 0;
    for t_ms in times {
        let chunk = chunks.done.iter().rev().find(|(chunk, _)| chunk.from_ms <= t_ms);
        // Before there is a desktop there is nothing to see.
        let Some((_, chunk)) = chunk else { continue };
        let (picture, frame) = seek(chunk, t_ms);
        let frame = frame.unwrap();
        for entry in entries.iter().skip(fed).take_while(|(at, _, _)| *at <= frame) {
            feed(&mut *played, entry);
            fed += 1;
        }
        assert!(same(picture.framebuffer(), played.framebuffer()), "{name} at {t_ms} ms");
        assert_eq!(picture.pointer_position(), played.pointer_position(), "{name} at {t_ms} ms");
        compared += 1;
    }
    assert!(compared > TIMES / 2, "{name}: {compared}");
    // What came after the last frame changed nothing.
    let (shown, _) = seek(&chunks.done.last().unwrap().1, end);
    for entry in &entries[fed..] {
        feed(&mut *played, entry);
    }
    assert!(same(shown.framebuffer(), played.framebuffer()), "{name}: the end is not shown");
    chunks.done.len()
}

fn fixtures(protocol: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../adapters/{protocol}/tests/decoder/fixtures"))
}

#[test]
fn any_time_of_a_vnc_session_is_sought() {
    let mut chunks = 0;
    for name in
        ["x11vnc-corre", "x11vnc-tight", "xvnc-hextile", "xvnc-tight-jpeg", "xvnc-zrle", "xvnc-zrle-565"]
    {
        chunks += check(name, "vnc", &entries(&fixtures("vnc").join(format!("{name}.bin")), None));
    }
    assert!(chunks > 6, "{chunks}");
}

#[test]
fn any_time_of_an_rdp_session_is_sought() {
    let mut chunks = 0;
    for name in [
        "classic-8k",
        "classic-xcrush",
        "graphics-progressive",
        "graphics-remotefx",
        "remotefx",
        "resize",
        "slow-path",
    ] {
        let file = fixtures("rdp").join(name);
        let start = std::fs::read(file.with_extension("json")).unwrap();
        chunks += check(name, "rdp", &entries(&file.with_extension("bin"), Some(start)));
    }
    assert!(chunks > 7, "{chunks}");
}
