//! What the `viewer` lane of a recording says of keys and pointer.

use passerelle_desktop::{InputError, InputReader, KeyKind, KeystrokePolicy, RecordedInput};
use passerelle_rfb::{ClientFramer, ClientMessage, Encoding, Limits, Span};

use crate::keys;

/// Reads the `viewer` lane of a recorded RFB session.
pub struct VncInputReader {
    keystrokes: KeystrokePolicy,
    framer: ClientFramer,
    /// The beginning of a message.
    held: Vec<u8>,
}

impl VncInputReader {
    /// For a session that was recorded with this policy.
    pub fn new(keystrokes: KeystrokePolicy) -> Self {
        Self { keystrokes, framer: ClientFramer::new(Limits::default()), held: Vec::new() }
    }

    fn key(&self, down: bool, keysym: u32) -> RecordedInput {
        let name = match self.keystrokes {
            _ if keysym == 0 => None,
            KeystrokePolicy::All => keys::name(keysym),
            KeystrokePolicy::Kinds => KeyKind::from_code(keysym).map(|kind| kind.name().to_owned()),
            KeystrokePolicy::None => None,
        };
        RecordedInput::Key { down, name }
    }
}

impl InputReader for VncInputReader {
    fn read(&mut self, bytes: &[u8], out: &mut Vec<RecordedInput>) -> Result<(), InputError> {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while !rest.is_empty() {
            let span = self.framer.next(rest).map_err(|error| InputError(error.to_string()))?;
            let len = match span {
                Span::NeedMore { .. } => break,
                Span::Pass { len } | Span::Body { len } => len,
                Span::Message { len, message } => {
                    match message {
                        ClientMessage::Key { down, keysym } | ClientMessage::QemuKey { down, keysym, .. } => {
                            out.push(self.key(down, keysym));
                        }
                        ClientMessage::Pointer { buttons, x, y } => {
                            out.push(RecordedInput::Pointer { x, y, buttons });
                        }
                        // Where the viewer knows more buttons, bit 7 is only recorded once the target knows them too.
                        ClientMessage::SetEncodings(encodings) => {
                            let extended =
                                encodings.iter().any(|one| one == Encoding::EXTENDED_MOUSE_BUTTONS);
                            self.framer.set_extended_pointer(extended);
                        }
                        _ => {}
                    }
                    len
                }
            };
            rest = rest.get(len..).unwrap_or_default();
        }
        self.held = rest.to_vec();
        Ok(())
    }
}
