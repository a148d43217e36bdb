//! What comes out does not depend on how the bytes arrive, and nothing panics on any bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::framer::{ClientFramer, ClientViolation};
use crate::message::{
    ClientMessage, CutText, DesktopLayout, Fence, ResizeReason, ResizeStatus, Screen, ScreenList,
};

/// Messages of each kind, to be put together at random.
fn server_messages() -> Vec<Vec<u8>> {
    let rect =
        |width, height, encoding, payload: &[u8]| rectangle(at(3, 4, width, height), encoding, payload);
    let screens = Screen::encode_all(&[Screen { id: 0, area: at(0, 0, WIDTH, HEIGHT), flags: 0 }]);
    let layout = DesktopLayout {
        reason: ResizeReason::SERVER,
        status: ResizeStatus::DONE,
        width: WIDTH,
        height: HEIGHT,
        screens: ScreenList::new(&screens),
    };
    let hextile = [&[0b01110][..], &[1; 8], &[2], &[3; 4], &[1], &[9; 4 * 16]].concat();
    let trle = [&[130][..], &[1; 6], &[0x80, 254, 1], &[129, 0x80, 15]].concat();
    vec![
        update(&[rect(5, 5, Encoding::RAW, &[7; 100])]),
        update(&[rect(5, 5, Encoding::COPY_RECT, &[0; 4]), rect(5, 5, Encoding::RAW, &[7; 100])]),
        update(&[rect(17, 16, Encoding::HEXTILE, &hextile), rect(17, 16, Encoding::TRLE, &trle)]),
        update(&[
            rect(9, 9, Encoding::TIGHT, &[0x50, 1, 1, 1, 1, 1, 1, 1, 1, 3, 9, 9, 9]),
            rect(9, 9, Encoding::TIGHT, &[0x90, 2, 9, 9]),
            rect(9, 9, Encoding::TIGHT, &[0x80, 2, 9, 9]),
            rect(2, 1, Encoding::TIGHT, &[0x00, 2, 9, 9, 1, 1, 1]),
        ]),
        update(&[
            rect(9, 9, Encoding::ZRLE, &[0, 0, 0, 3, 1, 1, 1]),
            rect(9, 9, Encoding::H264, &[0, 0, 0, 3, 0, 0, 0, 1, 1, 1, 1]),
            rect(9, 1, Encoding::CURSOR, &[0; 38]),
            rect(2, 1, Encoding::CURSOR_WITH_ALPHA, &[0; 12]),
        ]),
        update(&[rect(4, 4, Encoding::RRE, &[&[0, 0, 0, 1][..], &[1; 16]].concat()), layout.encode()]),
        update(&[ServerMessage::DesktopName(b"name").encode(), ServerMessage::ExtendedMouseButtons.encode()]),
        [&update_header(9)[..], &rect(0, 0, Encoding::LAST_RECT, &[])].concat(),
        update_header(0).to_vec(),
        ServerMessage::CutText(CutText::Plain(b"some text")).encode(),
        ServerMessage::Fence(Fence { flags: 1, payload: b"payload" }).encode(),
        [&ServerMessage::TextChat { len: 4 }.encode()[..], b"text"].concat(),
        [1, 0, 0, 0, 0, 2].into_iter().chain([5; 12]).collect(),
    ]
}

fn client_messages() -> Vec<Vec<u8>> {
    vec![
        ClientMessage::SetPixelFormat(PixelFormat::BGRX).encode(),
        crate::EncodingList::encode_message(&[Encoding::RAW, Encoding::ZRLE]),
        ClientMessage::UpdateRequest { incremental: true, area: at(1, 2, 3, 4) }.encode(),
        ClientMessage::Key { down: true, keysym: 7 }.encode(),
        ClientMessage::Pointer { buttons: 0x181, x: 1, y: 2 }.encode(),
        ClientMessage::CutText(CutText::Plain(b"some text")).encode(),
        ClientMessage::Fence(Fence { flags: 1, payload: b"payload" }).encode(),
        [&ClientMessage::Gii { len: 4 }.encode()[..], b"text"].concat(),
    ]
}

/// Messages in some order, with some bytes overwritten, and where to cut them.
fn stream(messages: Vec<Vec<u8>>) -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let overwritten = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (vec(prop::sample::select(messages), 1..12), overwritten, vec(1usize..40, 1..60)).prop_map(
        |(messages, overwritten, cuts)| {
            let mut bytes = messages.concat();
            for (index, byte) in overwritten {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            (bytes, cuts)
        },
    )
}

fn cut<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for len in cuts.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at((*len).min(bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

fn frame_client(chunks: &[&[u8]]) -> (Vec<Piece>, Result<usize, ClientViolation>) {
    let mut framer = ClientFramer::new(Limits::default());
    framer.set_extended_pointer(true);
    let (mut pieces, mut held) = (Vec::new(), Vec::new());
    for chunk in chunks {
        held.extend_from_slice(chunk);
        loop {
            let span = match framer.next(&held) {
                Ok(span) => span,
                Err(violation) => return (pieces, Err(violation)),
            };
            let Some(len) = record(&mut pieces, span, held.len()) else { break };
            held.drain(..len);
        }
    }
    (pieces, Ok(held.len()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_servers_stream_is_framed_alike_however_it_arrives((bytes, cuts) in stream(server_messages())) {
        let at_once = whole(&bytes);
        prop_assert_eq!(&frame(&mut framer(), cut(&bytes, &cuts), Reach::Buffer), &at_once);
        prop_assert_eq!(&frame(&mut framer(), cut(&bytes, &cuts), Reach::Message), &at_once);
        prop_assert_eq!(&frame(&mut framer(), cut(&bytes, &cuts), Reach::Rectangle), &at_once);
    }

    #[test]
    fn a_viewers_stream_is_framed_alike_however_it_arrives((bytes, cuts) in stream(client_messages())) {
        prop_assert_eq!(frame_client(&cut(&bytes, &cuts)), frame_client(&[&bytes]));
    }

    #[test]
    fn no_bytes_make_a_framer_panic(bytes in vec(any::<u8>(), 0..400), pixels in 0..3usize) {
        let mut framer = framer();
        let depth = [8, 16, 32][pixels];
        framer.set_pixel_format(PixelFormat { bits_per_pixel: depth, depth, ..PixelFormat::BGRX });
        let _ = frame(&mut framer, [&bytes[..]], Reach::Buffer);
        // Random bytes seldom get past the message type, so that they also start within an update.
        let _ = whole(&[&update_header(9)[..], &bytes].concat());
        for encoding in Encoding::FRAMED {
            let _ = whole(&update(&[rectangle(at(1, 1, 40, 40), *encoding, &bytes)]));
        }
        let _ = frame_client(&[&bytes]);
    }
}

#[test]
fn unspoilt_samples_are_framed_to_their_end() {
    for message in server_messages() {
        let mut framer = framer();
        assert_eq!(frame(&mut framer, [&message[..]], Reach::Buffer).1, Ok(0), "{message:?}");
        assert!(framer.at_message());
    }
    for message in client_messages() {
        assert_eq!(frame_client(&[&message]).1, Ok(0));
    }
}
