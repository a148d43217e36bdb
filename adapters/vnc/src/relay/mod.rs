//! The relay between a viewer and a target that both speak RFB.
//!
//! Pixels go through as they are. What people may or may not do is decided message by message: `viewer`
//! has the decisions about the viewer's messages, `target` those about the target's.

mod blackout;
mod clipboard;
mod format_switch;
mod marker;
mod pressed;
mod settings;
mod target;
mod viewer;
mod violation;

#[cfg(test)]
mod tests;

use passerelle_desktop::{
    Blackout, BlackoutError, BlackoutState, ClipboardLimits, Denied, KeystrokePolicy, Notice, Permission,
    Permissions, Record, Relay, RelayError, Side, Step,
};
use passerelle_rfb::{
    ClientFramer, ClientMessage, CutText, Limits, PixelFormat, Rectangle, Screen, ServerFramer,
};

use blackout::Privacy;
use clipboard::Verdict;
use format_switch::FormatSwitch;
use pressed::Pressed;

pub use clipboard::clipboard_text;
pub use marker::{MarkedFormat, Marker};
pub use settings::RelaySettings;
pub use violation::RelayViolation;

/// Forwards RFB messages between a viewer and a target after ServerInit, as far as they are permitted.
///
/// When [`Permission::View`] is withdrawn, the viewer's requests for updates are withheld and continuous
/// updates are switched off. What the target still owes goes through, since the compressed streams of RFB
/// cannot miss a part; a session that must show nothing more from that moment on has to end.
pub struct VncRelay {
    viewer: ClientFramer,
    target: ServerFramer,
    permissions: Permissions,
    clipboard: ClipboardLimits,
    keystrokes: KeystrokePolicy,
    store_clipboard: bool,
    recorded: bool,
    switch: FormatSwitch,
    pressed: Pressed,
    privacy: Privacy,
    /// Width and height that were last told.
    desktop: (u16, u16),
    /// The target's screens as they lie on the wire.
    screens: Vec<u8>,
    buttons: ExtendedButtons,
    withheld: Withheld,
    reported: Reported,
    /// Whether the body that the target is sending goes to the viewer.
    target_body_passes: bool,
    to_viewer: Vec<u8>,
    to_target: Vec<u8>,
}

/// The negotiation of pointers with more than seven buttons.
#[derive(Clone, Copy, Default)]
struct ExtendedButtons {
    /// By the viewer's last list of encodings.
    offered: bool,
    /// By the target.
    confirmed: bool,
}

/// What the viewer asked for while it had no permission to see.
#[derive(Clone, Copy, Default)]
struct Withheld {
    request: bool,
    continuous_updates: Option<Rectangle>,
}

/// Denials that a viewer repeats many times a second without anybody's doing, and which were reported
/// since the permissions changed.
#[derive(Clone, Copy, Default)]
struct Reported {
    view: bool,
    motion: bool,
    /// Buttons that were pressed in the last pointer message that was withheld.
    buttons: u16,
}

impl VncRelay {
    /// A relay for a session in which ServerInit was sent to the viewer and nothing since.
    pub fn new(settings: RelaySettings) -> Self {
        let RelaySettings { init, permissions, clipboard, keystrokes, store_clipboard, recorded, limits } =
            settings;
        let limits_from = |side| Limits {
            cut_text: clipboard::longest_message(clipboard::limit_from(side, clipboard)),
            ..limits
        };
        let screen = Screen { id: 0, area: Rectangle::of_size(init.width, init.height), flags: 0 };
        Self {
            viewer: ClientFramer::new(limits_from(Side::Viewer)),
            target: ServerFramer::new(&init, limits_from(Side::Target)),
            permissions,
            clipboard,
            keystrokes,
            store_clipboard,
            recorded,
            switch: FormatSwitch::default(),
            pressed: Pressed::default(),
            privacy: Privacy::default(),
            desktop: (init.width, init.height),
            screens: Screen::encode_all(&[screen]),
            buttons: ExtendedButtons::default(),
            withheld: Withheld::default(),
            reported: Reported::default(),
            target_body_passes: false,
            to_viewer: Vec::new(),
            to_target: Vec::new(),
        }
    }

    /// A cut text message of either side. `message` is all of its bytes.
    fn cut_text(&self, from: Side, text: &CutText<'_>, message: &[u8], notices: &mut Vec<Notice>) -> Step {
        let len = message.len();
        match clipboard::judge(from, text, self.permissions, self.clipboard) {
            Verdict::Pass => forward(len),
            Verdict::Rewritten(with) => Step::Replace { len, with, record: Record::Wire },
            Verdict::Content { kind, bytes } => {
                if from == Side::Viewer {
                    notices.push(Notice::Input);
                }
                notices.push(Notice::Clipboard {
                    from,
                    kind,
                    bytes,
                    complete: true,
                    message: message.to_vec(),
                });
                let record = if self.store_clipboard && !self.privacy.is_dark() {
                    Record::Wire
                } else {
                    Record::Redacted(clipboard::empty(from))
                };
                Step::Forward { len, record }
            }
            Verdict::Deny { permission, action, reason } => {
                deny(notices, from, permission, action, reason);
                Step::Drop { len }
            }
        }
    }

    /// The head of a cut text message that is longer than any permitted content.
    fn cut_text_too_long(&self, from: Side, notices: &mut Vec<Notice>) {
        let permission = clipboard::permission_from(from);
        let limit = clipboard::limit_from(from, self.clipboard);
        let reason = self.permissions.allows(permission).then(|| clipboard::too_long(limit));
        deny(notices, from, permission, "send clipboard content", reason);
    }
}

impl Relay for VncRelay {
    fn step(&mut self, from: Side, input: &[u8], notices: &mut Vec<Notice>) -> Result<Step, RelayError> {
        if let Some(format) = self.switch.follow(&mut self.target) {
            mark(notices, format);
        }
        match from {
            Side::Viewer => self.step_viewer(input, notices),
            Side::Target => self.step_target(input, notices),
        }
        .map_err(|violation| violation.by(from))
    }

    fn take_injection(&mut self, to: Side) -> Option<Vec<u8>> {
        let injection = match to {
            // Bodies of the viewer's messages never go to the target, so that it always sees whole ones.
            Side::Target => &mut self.to_target,
            Side::Viewer if self.target.at_message() => &mut self.to_viewer,
            Side::Viewer if self.target.in_body() && !self.target_body_passes => &mut self.to_viewer,
            Side::Viewer => return None,
        };
        (!injection.is_empty()).then(|| std::mem::take(injection))
    }

    fn set_permissions(&mut self, permissions: Permissions) {
        let before = std::mem::replace(&mut self.permissions, permissions);
        self.reported = Reported::default();
        let withdrawn = |permission| before.allows(permission) && !permissions.allows(permission);
        if withdrawn(Permission::Keyboard) {
            self.to_target.extend(self.pressed.release_keys());
        }
        if withdrawn(Permission::Pointer) {
            self.to_target.extend(self.pressed.release_buttons());
        }
        if withdrawn(Permission::View) {
            self.stop_updates();
        }
        if permissions.allows(Permission::View) && !before.allows(Permission::View) {
            self.resume_updates();
            self.resume_privacy();
        }
    }

    fn begin_blackout(&mut self, asked: Blackout) -> Result<(), BlackoutError> {
        self.begin_privacy(asked)
    }

    fn end_blackout(&mut self) {
        self.end_privacy();
    }

    fn blackout(&self) -> BlackoutState {
        self.privacy.state()
    }

    fn settled(&mut self, notices: &mut Vec<Notice>) {
        self.settle_privacy(notices);
    }
}

impl VncRelay {
    fn stop_updates(&mut self) {
        if self.switch.is_continuous() {
            let area = Rectangle::of_size(self.desktop.0, self.desktop.1);
            self.withheld.continuous_updates = Some(area);
            self.enable_continuous_updates(false, area);
        }
    }

    /// Asks for what the viewer was refused and still waits for.
    fn resume_updates(&mut self) {
        let Withheld { request, continuous_updates } = std::mem::take(&mut self.withheld);
        if let Some(area) = continuous_updates {
            self.enable_continuous_updates(true, area);
        }
        if request || continuous_updates.is_some() {
            let area = Rectangle::of_size(self.desktop.0, self.desktop.1);
            self.switch.requested();
            let request = ClientMessage::UpdateRequest { incremental: false, area };
            self.to_target.extend(request.encode());
        }
    }

    fn enable_continuous_updates(&mut self, enable: bool, area: Rectangle) {
        self.switch.continuous_updates(enable);
        self.to_target.extend(ClientMessage::EnableContinuousUpdates { enable, area }.encode());
    }
}

fn forward(len: usize) -> Step {
    Step::Forward { len, record: Record::Wire }
}

fn mark(notices: &mut Vec<Notice>, format: PixelFormat) {
    notices.push(Notice::Marker(Marker::PixelFormat(format.into()).encode()));
}

fn deny(
    notices: &mut Vec<Notice>,
    by: Side,
    permission: Permission,
    action: &'static str,
    reason: Option<String>,
) {
    notices.push(Notice::Denied(Denied { by, permission, action: action.into(), reason }));
}
