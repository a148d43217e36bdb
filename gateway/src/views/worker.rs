//! The process that renders: `passerelle render-worker`, started by the gateway.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;

use passerelle_desktop::Decoder;
use passerelle_rdp::decoder::RdpDecoder;
use passerelle_recorder::Lane;
use passerelle_recorder::view::{Renderer, ViewSink, WrittenChunk};
use passerelle_vnc::decoder::VncDecoder;

use super::confine::{confine, limit};
use super::protocol::{Answer, Order, Setup, order, send_answer};

/// A summary comes with the first flush after so much of the session's time, in milliseconds.
const SUMMARY: u32 = 5_000;
/// How far the rendering is, is told after so many bytes of entries.
const REACHED: usize = 256 << 10;

/// Confines the process and renders what comes on standard input.
pub(crate) fn work(memory: u64, unconfined: bool) -> ExitCode {
    // What a panic has to say would be lost, and it cannot be said any more.
    std::panic::set_hook(Box::new(|_| {}));
    let confined = limit(memory).and_then(|()| if unconfined { Ok(()) } else { confine() });
    let mut output = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let worked = match confined {
        Ok(()) => render(&mut BufReader::with_capacity(64 << 10, io::stdin()), &mut output),
        Err(error) => Err(Error::Confine(error.to_string())),
    };
    let code = match worked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever would read it may be gone.
            let _ = send_answer(&mut output, Answer::Failed, 0, error.to_string().as_bytes());
            ExitCode::FAILURE
        }
    };
    let _ = output.flush();
    code
}

/// Why nothing more is rendered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the process that renders refuses to run, for it is not confined: {0}")]
    Confine(String),
    #[error("the gateway does not say what to render")]
    Setup,
    #[error("sessions over {0} cannot be rendered")]
    Protocol(String),
    #[error("the process that renders has lost the gateway: {0}")]
    Pipe(#[from] io::Error),
}

fn render(input: &mut impl Read, output: &mut impl Write) -> Result<(), Error> {
    let mut body = Vec::new();
    let setup = match order(input, &mut body)? {
        Some((Order::Setup, _)) => serde_json::from_slice::<Setup>(&body).map_err(|_| Error::Setup)?,
        _ => return Err(Error::Setup),
    };
    let mut renderer = Renderer::new(decoder(&setup.protocol)?, setup.length_ms);
    let mut sink = Pipe(output);
    let (mut told, mut since, mut summed_up) = (0, 0, 0);
    while let Some((order, t_ms)) = order(input, &mut body)? {
        match order {
            Order::Setup => return Err(Error::Setup),
            Order::State => renderer.entry(Lane::State, t_ms, &body, &mut sink)?,
            Order::Target => renderer.entry(Lane::Target, t_ms, &body, &mut sink)?,
            Order::Input => renderer.input(t_ms),
            Order::Whole => renderer.roll(),
            Order::Watched => renderer.watched(body.first() == Some(&1)),
            Order::Flush => {
                renderer.flush(t_ms, &mut sink)?;
                if t_ms >= summed_up {
                    summed_up = t_ms.saturating_add(SUMMARY);
                    let summary = serde_json::to_vec(&renderer.summary(t_ms)).map_err(io::Error::from)?;
                    send_answer(sink.0, Answer::Summary, t_ms, &summary)?;
                }
                (told, since) = (t_ms, 0);
                send_answer(sink.0, Answer::Reached, told, &[])?;
                sink.0.flush()?;
            }
            Order::End => {
                let summary = renderer.finish(t_ms, &mut sink)?;
                let summary = serde_json::to_vec(&summary).map_err(io::Error::from)?;
                send_answer(sink.0, Answer::Done, t_ms, &summary)?;
                return Ok(sink.0.flush()?);
            }
        }
        since += body.len();
        if since >= REACHED && t_ms > told {
            (told, since) = (t_ms, 0);
            send_answer(sink.0, Answer::Reached, told, &[])?;
            sink.0.flush()?;
        }
    }
    // The gateway is gone, and with it the view.
    Err(Error::Pipe(io::ErrorKind::UnexpectedEof.into()))
}

/// What draws recordings of this protocol.
pub(super) fn decoder(protocol: &str) -> Result<Box<dyn Decoder>, Error> {
    match protocol {
        "vnc" => Ok(Box::new(VncDecoder::new())),
        "rdp" => Ok(Box::new(RdpDecoder::new())),
        other => Err(Error::Protocol(other.chars().take(20).collect())),
    }
}

struct Pipe<'a, W>(&'a mut W);

impl<W: Write> ViewSink for Pipe<'_, W> {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        send_answer(self.0, Answer::Data, 0, bytes)
    }

    fn end_of_chunk(&mut self, chunk: WrittenChunk) -> io::Result<()> {
        let mut body = Vec::with_capacity(20);
        body.extend_from_slice(&chunk.bytes.to_le_bytes());
        body.extend_from_slice(&chunk.plain.to_le_bytes());
        body.extend_from_slice(&chunk.size.width.to_le_bytes());
        body.extend_from_slice(&chunk.size.height.to_le_bytes());
        send_answer(self.0, Answer::EndOfChunk, chunk.from_ms, &body)
    }

    fn thumbnail(&mut self, t_ms: u32, file: &[u8]) -> io::Result<()> {
        send_answer(self.0, Answer::Thumbnail, t_ms, file)
    }

    fn watched(&mut self, whole: bool, messages: &[u8]) -> io::Result<()> {
        let answer = if whole { Answer::WatchedWhole } else { Answer::Watched };
        send_answer(self.0, answer, 0, messages)
    }
}

#[cfg(test)]
mod tests {
    use passerelle_recorder::view::ViewSummary;

    use super::super::protocol::{answer, send_order};
    use super::*;

    type Answers = Vec<(Answer, Vec<u8>)>;

    /// What is answered to these orders, and how it ends.
    fn answers(orders: &[(Order, u32, &[u8])]) -> (Answers, Result<(), Error>) {
        let (mut input, mut output) = (Vec::new(), Vec::new());
        for (order, t_ms, body) in orders {
            send_order(&mut input, *order, *t_ms, body).unwrap();
        }
        let rendered = render(&mut &input[..], &mut output);
        let (mut rest, mut body, mut found) = (&output[..], Vec::new(), Vec::new());
        while let Some((answer, _)) = answer(&mut rest, &mut body).unwrap() {
            found.push((answer, body.clone()));
        }
        (found, rendered)
    }

    const RDP: &[u8] = br#"{"protocol":"rdp","length_ms":null}"#;

    #[test]
    fn a_recording_that_cannot_be_drawn_still_has_an_end() {
        let orders = [
            (Order::Setup, 0, RDP),
            (Order::State, 1, b"{}"),
            (Order::Target, 2, b"\xffgarbage"),
            (Order::End, 9, b""),
        ];
        let (answers, rendered) = answers(&orders);
        rendered.unwrap();
        let (Answer::Done, summary) = answers.last().unwrap() else { panic!("{answers:?}") };
        let summary: ViewSummary = serde_json::from_slice(summary).unwrap();
        assert_eq!((summary.duration_ms, summary.stopped.unwrap().t_ms), (9, 1));
        // The picture is black, and it is there.
        assert!(answers.iter().any(|(answer, _)| *answer == Answer::EndOfChunk));
    }

    #[test]
    fn what_is_no_order_ends_the_rendering() {
        for (orders, expected) in [
            (&[(Order::End, 0, &b""[..])][..], "does not say what to render"),
            (&[(Order::Setup, 0, b"nonsense")], "does not say what to render"),
            (&[(Order::Setup, 0, br#"{"protocol":"x11","length_ms":null}"#)], "sessions over x11"),
            (&[(Order::Setup, 0, RDP), (Order::Setup, 0, RDP)], "does not say what to render"),
            (&[(Order::Setup, 0, RDP)], "lost the gateway"),
        ] {
            let (_, rendered) = answers(orders);
            let error = rendered.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
