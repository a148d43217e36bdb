//! What becomes of the viewer's messages.

use passerelle_desktop::{KeystrokePolicy, Notice, Permission, Record, Side, Step};
use passerelle_rfb::{
    ClientMessage, DesktopLayout, Encoding, EncodingList, Fence, PixelFormat, QemuAudioRequest, Rectangle,
    ResizeReason, ResizeStatus, ScreenList, ServerMessage, Span, allowed_encodings, update_header,
};

use crate::decoder;

use super::format_switch::Change;
use super::pressed::Key;
use super::{RelayViolation, VncRelay, deny, forward, mark};
use crate::keys;

impl VncRelay {
    pub(super) fn step_viewer(
        &mut self,
        input: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        Ok(match self.viewer.next(input)? {
            Span::NeedMore { total } => Step::NeedMore { total },
            Span::Pass { len } | Span::Body { len } => Step::Drop { len },
            Span::Message { len, message } => {
                let (bytes, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
                self.decide_viewer(&message, bytes, rest, notices)?
            }
        })
    }

    fn decide_viewer(
        &mut self,
        message: &ClientMessage<'_>,
        bytes: &[u8],
        rest: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        let len = bytes.len();
        Ok(match *message {
            ClientMessage::SetPixelFormat(format) => return self.set_pixel_format(format, bytes, notices),
            ClientMessage::SetEncodings(encodings) => self.set_encodings(encodings, len),
            ClientMessage::UpdateRequest { .. } => self.update_request(len, notices),
            ClientMessage::EnableContinuousUpdates { enable, area } => {
                self.continuous_updates(enable, area, len, notices)
            }
            ClientMessage::Fence(fence) => return self.viewer_fence(fence, len, rest, notices),
            ClientMessage::Key { down, keysym } => {
                self.key(Key { keysym, keycode: None }, down, len, notices)
            }
            ClientMessage::QemuKey { down, keysym, keycode } => {
                self.key(Key { keysym, keycode: Some(keycode) }, down, len, notices)
            }
            ClientMessage::Pointer { buttons, x, y } => self.pointer(buttons, x, y, len, notices),
            ClientMessage::CutText(text) => self.cut_text(Side::Viewer, &text, bytes, notices),
            ClientMessage::CutTextTooLong { .. } => {
                self.cut_text_too_long(Side::Viewer, notices);
                Step::Drop { len }
            }
            ClientMessage::SetDesktopSize { .. } => self.set_desktop_size(len, notices),
            ClientMessage::Xvp { .. } => {
                self.permitted(Permission::OtherChannels, "shut down or restart the machine", len, notices)
            }
            ClientMessage::QemuAudio(QemuAudioRequest::Disable) => forward(len),
            ClientMessage::QemuAudio(_) => {
                self.permitted(Permission::AudioOut, "hear the target", len, notices)
            }
            ClientMessage::FileTransfer { .. } => {
                let reason = "file transfer is not supported over VNC".to_owned();
                deny(notices, Side::Viewer, Permission::FilesToTarget, "transfer files", Some(reason));
                Step::Drop { len }
            }
            ClientMessage::TextChat { .. } => {
                let reason = "chat is not supported over VNC".to_owned();
                deny(notices, Side::Viewer, Permission::OtherChannels, "chat", Some(reason));
                Step::Drop { len }
            }
            ClientMessage::Gii { .. } => {
                let reason = "the general input interface is not supported".to_owned();
                deny(
                    notices,
                    Side::Viewer,
                    Permission::OtherChannels,
                    "use another way of input",
                    Some(reason),
                );
                Step::Drop { len }
            }
        })
    }

    /// A message that needs nothing but a permission.
    fn permitted(
        &self,
        permission: Permission,
        action: &'static str,
        len: usize,
        notices: &mut Vec<Notice>,
    ) -> Step {
        if self.permissions.allows(permission) {
            return forward(len);
        }
        deny(notices, Side::Viewer, permission, action, None);
        Step::Drop { len }
    }
}

/// What the picture looks like and when it comes.
impl VncRelay {
    fn set_pixel_format(
        &mut self,
        format: PixelFormat,
        bytes: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        let len = bytes.len();
        Ok(match self.switch.change(format, &mut self.target)? {
            Change::Now => {
                mark(notices, format);
                forward(len)
            }
            Change::Later => forward(len),
            Change::Fenced(fence) => {
                Step::Replace { len, with: [&fence, bytes].concat(), record: Record::Wire }
            }
            Change::Wait(question) => {
                self.to_target.extend(question);
                Step::Blocked
            }
        })
    }

    fn set_encodings(&mut self, wanted: EncodingList<'_>, len: usize) -> Step {
        let mut allowed = allowed_encodings(wanted.iter());
        if self.recorded {
            allowed.retain(|encoding| !decoder::NOT_DRAWN.contains(encoding));
        }
        for encoding in &allowed {
            self.target.offer(*encoding);
        }
        self.buttons.offered = allowed.contains(&Encoding::EXTENDED_MOUSE_BUTTONS);
        self.follow_buttons();
        let offered = self.privacy.offer(allowed);
        if offered.iter().copied().eq(wanted.iter()) {
            forward(len)
        } else {
            Step::Replace { len, with: EncodingList::encode_message(&offered), record: Record::Wire }
        }
    }

    pub(super) fn follow_buttons(&mut self) {
        self.viewer.set_extended_pointer(self.buttons.offered && self.buttons.confirmed);
    }

    fn update_request(&mut self, len: usize, notices: &mut Vec<Notice>) -> Step {
        if !self.permissions.allows(Permission::View) {
            self.withheld.request = true;
            self.report_blindness(notices);
            return Step::Drop { len };
        }
        self.switch.requested();
        forward(len)
    }

    fn continuous_updates(
        &mut self,
        enable: bool,
        area: Rectangle,
        len: usize,
        notices: &mut Vec<Notice>,
    ) -> Step {
        if !self.permissions.allows(Permission::View) {
            self.withheld.continuous_updates = enable.then_some(area);
            if enable {
                self.report_blindness(notices);
                return Step::Drop { len };
            }
        }
        self.switch.continuous_updates(enable);
        forward(len)
    }

    fn report_blindness(&mut self, notices: &mut Vec<Notice>) {
        if !self.reported.view {
            self.reported.view = true;
            deny(notices, Side::Viewer, Permission::View, "see the screen", None);
        }
    }

    /// A fence that keeps the next message in step is held until that message is there: if it is
    /// SetPixelFormat, both go together and the answer tells where the format changes.
    fn viewer_fence(
        &mut self,
        fence: Fence<'_>,
        len: usize,
        rest: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        if !fence.has(Fence::REQUEST) {
            return Ok(forward(len));
        }
        if !self.switch.has_room_for_fence() {
            return Ok(Step::Blocked);
        }
        if !fence.has(Fence::SYNC_NEXT) || !self.switch.knows_fences() {
            self.switch.viewer_fence(fence, None);
            return Ok(forward(len));
        }
        // The copy is only to look ahead: a message with a body would change the framer.
        match self.viewer.clone().next(rest)? {
            Span::NeedMore { total } => Ok(Step::NeedMore { total: len + total }),
            Span::Message { len: next, message: ClientMessage::SetPixelFormat(format) } => {
                if self.switch.change_with_fence(fence, format, &mut self.target) {
                    mark(notices, format);
                }
                Ok(forward(len + next))
            }
            _ => {
                self.switch.viewer_fence(fence, None);
                Ok(forward(len))
            }
        }
    }

    fn set_desktop_size(&mut self, len: usize, notices: &mut Vec<Notice>) -> Step {
        let step = self.permitted(Permission::Resize, "set the desktop size", len, notices);
        let denied = matches!(step, Step::Drop { .. });
        if denied && self.to_viewer.is_empty() && self.target.was_offered(Encoding::EXTENDED_DESKTOP_SIZE) {
            let (width, height) = self.desktop;
            let layout = DesktopLayout {
                reason: ResizeReason::THIS_VIEWER,
                status: ResizeStatus::PROHIBITED,
                width,
                height,
                screens: ScreenList::new(&self.screens),
            };
            self.to_viewer.extend(update_header(1));
            self.to_viewer.extend(ServerMessage::Layout(layout).encode());
        }
        step
    }
}

/// Input.
impl VncRelay {
    fn key(&mut self, key: Key, down: bool, len: usize, notices: &mut Vec<Notice>) -> Step {
        if !self.permissions.allows(Permission::Keyboard) {
            // A release follows each press and tells nothing new.
            if down {
                deny(notices, Side::Viewer, Permission::Keyboard, "press a key", None);
            }
            return Step::Drop { len };
        }
        notices.push(Notice::Input);
        self.pressed.key(key, down);
        let keystrokes = if self.privacy.hides_keys() { KeystrokePolicy::None } else { self.keystrokes };
        let record = match keystrokes {
            KeystrokePolicy::All => Record::Wire,
            KeystrokePolicy::Kinds => {
                let kind =
                    Key { keysym: keys::kind(key.keysym).code().into(), keycode: key.keycode.map(|_| 0) };
                Record::Redacted(kind.message(down))
            }
            KeystrokePolicy::None => Record::Redacted(Vec::new()),
        };
        Step::Forward { len, record }
    }

    fn pointer(&mut self, buttons: u16, x: u16, y: u16, len: usize, notices: &mut Vec<Notice>) -> Step {
        if !self.permissions.allows(Permission::Pointer) {
            self.report_pointer(buttons, notices);
            return Step::Drop { len };
        }
        notices.push(Notice::Input);
        // Before the target's confirmation reaches the viewer, the two may read bit 7 differently, and the
        // target would take the next message's first byte for more buttons.
        let ambiguous = self.buttons.offered && !self.buttons.confirmed && buttons & 0x80 != 0;
        let buttons = if ambiguous { buttons & 0x7f } else { buttons };
        self.pressed.pointer(buttons, x, y);
        if ambiguous {
            let with = ClientMessage::Pointer { buttons, x, y }.encode();
            return Step::Replace { len, with, record: Record::Wire };
        }
        forward(len)
    }

    /// Movement is reported once, and a press each time: viewers send movement without end.
    fn report_pointer(&mut self, buttons: u16, notices: &mut Vec<Notice>) {
        let pressed = buttons & !self.reported.buttons != 0;
        self.reported.buttons = buttons;
        if pressed {
            deny(notices, Side::Viewer, Permission::Pointer, "press a pointer button", None);
        } else if !self.reported.motion {
            self.reported.motion = true;
            deny(notices, Side::Viewer, Permission::Pointer, "move the pointer", None);
        }
    }
}
