//! What becomes of the target's messages.

use passerelle_desktop::{Notice, Permission, Record, Side, Step};
use passerelle_rfb::{Encoding, Fence, Reach, Rectangle, ServerMessage, Span};

use super::{RelayViolation, VncRelay, deny, forward, mark};

impl VncRelay {
    pub(super) fn step_target(
        &mut self,
        input: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        let begins = self.target.at_message();
        let rectangle = self.target.at_rectangle() && !begins;
        let reach = if self.privacy.looks_at_rectangles() {
            Reach::Rectangle
        } else if self.switch.needs_boundaries() || !self.to_viewer.is_empty() {
            Reach::Message
        } else {
            Reach::Buffer
        };
        let span = self.target.next(input, reach)?;
        if self.privacy.looks_at_rectangles() && !matches!(span, Span::NeedMore { .. }) {
            if let (true, Some(first)) = (begins, input.first()) {
                self.privacy.message(*first);
            }
            if let (true, Some((area, encoding))) = (rectangle, rectangle_head(input)) {
                self.privacy.rectangle(area, encoding);
            }
        }
        Ok(match span {
            Span::NeedMore { total } => Step::NeedMore { total },
            Span::Pass { len } if self.privacy.keeps() => forward(len),
            Span::Pass { len } => unrecorded(len),
            Span::Body { len } if !self.target_body_passes => Step::Drop { len },
            // Sound.
            Span::Body { len } if self.privacy.is_dark() => unrecorded(len),
            Span::Body { len } => forward(len),
            Span::Message { len, message } => {
                let bytes = input.get(..len).unwrap_or_default();
                let step = self.decide_target(&message, bytes, notices)?;
                let picture = !begins || matches!(message, ServerMessage::QemuAudio { .. });
                match step {
                    // A part of an update, or sound.
                    Step::Forward { len, .. } if picture && self.privacy.is_dark() => unrecorded(len),
                    step => step,
                }
            }
        })
    }

    fn decide_target(
        &mut self,
        message: &ServerMessage<'_>,
        bytes: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        let len = bytes.len();
        match *message {
            ServerMessage::DesktopSize { .. } => self.follow_size(notices),
            ServerMessage::Layout(layout) => {
                if layout.takes_effect() {
                    self.screens = layout.screens.bytes().to_vec();
                }
                self.follow_size(notices);
            }
            ServerMessage::DesktopName(name) => notices.push(Notice::Renamed(readable(name))),
            ServerMessage::ExtendedMouseButtons => {
                self.buttons.confirmed = true;
                self.follow_buttons();
            }
            ServerMessage::EndOfContinuousUpdates => self.switch.end_of_continuous_updates(),
            ServerMessage::Fence(fence) => return self.target_fence(fence, len, notices),
            ServerMessage::CutText(text) => return Ok(self.cut_text(Side::Target, &text, bytes, notices)),
            ServerMessage::CutTextTooLong { .. } => {
                self.cut_text_too_long(Side::Target, notices);
                return Ok(self.withhold(len));
            }
            ServerMessage::FileTransfer { .. } => {
                let reason = "file transfer is not supported over VNC".to_owned();
                deny(notices, Side::Target, Permission::FilesFromTarget, "transfer files", Some(reason));
                return Ok(self.withhold(len));
            }
            ServerMessage::TextChat { .. } => {
                let reason = "chat is not supported over VNC".to_owned();
                deny(notices, Side::Target, Permission::OtherChannels, "chat", Some(reason));
                return Ok(self.withhold(len));
            }
            ServerMessage::QemuAudio { .. } => {
                self.target_body_passes = self.permissions.allows(Permission::AudioOut);
                // A viewer without the permission was told so when it switched sound on.
                return Ok(if self.target_body_passes { forward(len) } else { Step::Drop { len } });
            }
            ServerMessage::Bell | ServerMessage::Xvp { .. } => {}
        }
        Ok(forward(len))
    }

    fn withhold(&mut self, len: usize) -> Step {
        self.target_body_passes = false;
        Step::Drop { len }
    }

    fn target_fence(
        &mut self,
        fence: Fence<'_>,
        len: usize,
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        let answer = self.switch.target_fence(fence, &mut self.target)?;
        if let Some(format) = answer.switch {
            mark(notices, format);
        } else if answer.ours {
            self.privacy.fence_answered();
        }
        Ok(if answer.ours { Step::Drop { len } } else { forward(len) })
    }

    fn follow_size(&mut self, notices: &mut Vec<Notice>) {
        let desktop = self.target.desktop_size();
        if desktop != self.desktop {
            self.desktop = desktop;
            let (width, height) = desktop;
            notices.push(Notice::Resized { width, height });
        }
    }
}

/// Where a rectangle is, and how it is encoded.
fn rectangle_head(rectangle: &[u8]) -> Option<(Rectangle, Encoding)> {
    let [x0, x1, y0, y1, w0, w1, h0, h1, number @ ..] = rectangle.first_chunk::<12>()?;
    let [x, y, width, height] =
        [[x0, x1], [y0, y1], [w0, w1], [h0, h1]].map(|[high, low]| u16::from_be_bytes([*high, *low]));
    Some((Rectangle { x, y, width, height }, Encoding(i32::from_be_bytes(*number))))
}

/// What goes on and is not recorded.
fn unrecorded(len: usize) -> Step {
    Step::Forward { len, record: Record::Redacted(Vec::new()) }
}

/// A name fit for a log: one line, without control characters. Its length was bounded by the framer.
fn readable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
