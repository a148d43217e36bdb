//! The RFB messages of both sides.

use passerelle_rfb::{
    ClientFramer, Encoding, Limits, Parsed, PixelFormat, Reach, ServerFramer, ServerInit, Span,
};

/// A desktop small enough for a fuzzer to draw.
pub(crate) fn desktop() -> ServerInit {
    ServerInit { width: 64, height: 48, pixel_format: PixelFormat::BGRX, name: "fuzz".into() }
}

/// What a framer made of bytes: the lengths of what it found, without how it was cut, or that it refused.
#[derive(Debug, Default, PartialEq)]
struct Framed {
    consumed: usize,
    messages: usize,
    refused: bool,
}

/// Calls `next` on `data` as far as it goes, with at most `chunk` more bytes at a time than were needed.
fn frame(data: &[u8], chunk: usize, mut next: impl FnMut(&[u8]) -> Result<Span<()>, ()>) -> Framed {
    let mut framed = Framed::default();
    let mut received = chunk.min(data.len());
    loop {
        let input = &data[framed.consumed..received];
        match next(input) {
            Err(()) => return Framed { refused: true, ..framed },
            Ok(Span::NeedMore { total }) => {
                assert!(total > input.len(), "more was asked for than is there");
                assert!(total <= 4 << 20, "a peer could make us hold {total} bytes");
                if received == data.len() {
                    return framed;
                }
                received = data.len().min(received + chunk);
            }
            Ok(Span::Message { len, .. }) => {
                framed.messages += 1;
                framed.consumed += taken(len, input);
            }
            Ok(Span::Pass { len } | Span::Body { len }) => framed.consumed += taken(len, input),
        }
    }
}

/// What matters here of a framer's answer.
fn lengths<M, E>(answer: Result<Span<M>, E>) -> Result<Span<()>, ()> {
    match answer {
        Ok(Span::NeedMore { total }) => Ok(Span::NeedMore { total }),
        Ok(Span::Pass { len }) => Ok(Span::Pass { len }),
        Ok(Span::Message { len, .. }) => Ok(Span::Message { len, message: () }),
        Ok(Span::Body { len }) => Ok(Span::Body { len }),
        Err(_) => Err(()),
    }
}

fn taken(len: usize, input: &[u8]) -> usize {
    assert!((1..=input.len()).contains(&len), "{len} of {} bytes were taken", input.len());
    len
}

/// Framing what a target sends does not depend on how it arrives, nor on whether it is looked at message
/// by message.
pub(crate) fn server_framer(data: &[u8]) {
    let mut whole = ServerFramer::new(&desktop(), Limits::default());
    for encoding in Encoding::FRAMED {
        whole.offer(*encoding);
    }
    let mut slow = whole.clone();
    let once = frame(data, data.len().max(1), |input| lengths(whole.next(input, Reach::Buffer)));
    let bytewise = frame(data, 1, |input| lengths(slow.next(input, Reach::Message)));
    assert_eq!(once, bytewise);
    assert_eq!(whole.desktop_size(), slow.desktop_size());
    assert_eq!(whole.updates(), slow.updates());
}

/// Framing what a viewer sends does not depend on how it arrives.
pub(crate) fn client_framer(data: &[u8]) {
    let mut whole = ClientFramer::new(Limits::default());
    let mut slow = ClientFramer::new(Limits::default());
    let once = frame(data, data.len().max(1), |input| lengths(whole.next(input)));
    let bytewise = frame(data, 1, |input| lengths(slow.next(input)));
    assert_eq!(once, bytewise);
}

/// What is accepted says the same when it is encoded again.
pub(crate) fn server_init(data: &[u8]) {
    let limits = Limits::default();
    match ServerInit::parse(data, &limits) {
        Ok(Parsed::Done { value, len }) => {
            assert!(len <= data.len() && limits.allows_desktop(value.width, value.height));
            let encoded = value.encode();
            let Ok(Parsed::Done { value: again, .. }) =
                ServerInit::parse(&encoded, &Limits { name: u32::MAX, ..limits })
            else {
                panic!("what was encoded cannot be parsed");
            };
            assert_eq!(value, again);
        }
        Ok(Parsed::NeedMore { total }) => assert!(total > data.len() && total <= 24 + limits.name as usize),
        Err(_) => {}
    }
}
