//! Which channel needs which permission.

use passerelle_desktop::Permission::{self, *};
use passerelle_desktop::Side;

/// What is decided about a channel by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its name. Compared without regard to case, as some servers do.
    name: &'static str,
    /// What it is opened with, and what its use is reported under.
    pub(super) permission: Permission,
    /// When it may be opened.
    pub(super) admission: Admission,
    /// What data towards the target need.
    to_target: Option<Permission>,
    /// What data towards the viewer need.
    to_viewer: Option<Permission>,
    /// Whether the recording keeps its data: those that are seen and heard, and the pointer's.
    pub(super) recorded: bool,
    /// What is in it, where that is looked at.
    pub(super) content: Content,
}

/// When a channel may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// With the permission that is its own. Where that could still come, one whose content is looked at opens before,
    /// and another when it has come.
    Permitted,
    /// Always; what passes in it is decided bit by bit.
    Always,
    /// When the session is not recorded: no decoder of ours follows.
    Unrecorded,
    /// Never: what it carries could pass round a filter.
    Never,
}

/// What is in a channel, where that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Passes as it is or not at all.
    Opaque,
    /// MS-RDPECLIP.
    Clipboard,
    /// MS-RDPEFS.
    Devices,
    /// MS-RDPEDYC.
    Dynamic,
    /// MS-RDPEA: a message may belong together with the one that follows it.
    Sound,
    /// MS-RDPEGFX.
    Graphics,
    /// MS-RDPEDISP.
    DisplayControl,
    /// MS-RDPEI.
    Touch,
    /// FreeRDP's own channel for the pointer.
    AdvancedInput,
}

impl Rule {
    /// What data from `from` need beyond the channel being open.
    pub(super) fn need(&self, from: Side) -> Option<Permission> {
        match from {
            Side::Viewer => self.to_target,
            Side::Target => self.to_viewer,
        }
    }

    const fn of(name: &'static str, permission: Permission) -> Self {
        Self {
            name,
            permission,
            admission: Admission::Permitted,
            to_target: Some(permission),
            to_viewer: Some(permission),
            recorded: false,
            content: Content::Opaque,
        }
    }

    /// Data towards the viewer need nothing.
    const fn towards_target(self) -> Self {
        Self { to_viewer: None, ..self }
    }

    /// Data towards the target need nothing.
    const fn towards_viewer(self) -> Self {
        Self { to_target: None, ..self }
    }

    const fn admitted(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    const fn recorded(self) -> Self {
        Self { recorded: true, ..self }
    }

    const fn holds(self, content: Content) -> Self {
        Self { content, ..self }
    }
}

/// The static virtual channel with this name.
pub(super) fn static_channel(name: &str) -> &'static Rule {
    find(STATIC, name)
}

/// The dynamic virtual channel with this name.
pub(super) fn dynamic_channel(name: &str) -> &'static Rule {
    let camera = name.get(..CAMERA.len()).is_some_and(|start| start.eq_ignore_ascii_case(CAMERA));
    if camera { &CAMERA_DEVICE } else { find(DYNAMIC, name) }
}

fn find(rules: &'static [Rule], name: &str) -> &'static Rule {
    rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(name)).unwrap_or(&OTHER)
}

static OTHER: Rule = Rule::of("", OtherChannels);

static STATIC: &[Rule] = &[
    // The filters of these decide by content, and follow from the start so that a permission can come later.
    Rule::of("cliprdr", ClipboardFromTarget).admitted(Admission::Always).holds(Content::Clipboard),
    Rule::of("rdpdr", Drives).admitted(Admission::Always).holds(Content::Devices),
    Rule::of("drdynvc", OtherChannels).admitted(Admission::Always).recorded().holds(Content::Dynamic),
    Rule::of("rdpsnd", AudioOut).recorded().holds(Content::Sound),
    Rule::of("rail", RemoteApps).recorded(),
    Rule::of("rail_ri", RemoteApps).recorded(),
    Rule::of("rail_wi", RemoteApps).recorded(),
];

/// How the enumerator of cameras and, by custom, the channels of single cameras begin (MS-RDPECAM 1.3.1).
const CAMERA: &str = "RDCamera_Device_";

static CAMERA_DEVICE: Rule = Rule::of(CAMERA, Camera);

static DYNAMIC: &[Rule] = &[
    // Refusing it would leave some servers without any picture to send later; what it carries waits for `view`.
    Rule::of("Microsoft::Windows::RDS::Graphics", View)
        .admitted(Admission::Always)
        .towards_viewer()
        .recorded()
        .holds(Content::Graphics),
    Rule::of("Microsoft::Windows::RDS::Geometry::v08.01", View)
        .admitted(Admission::Unrecorded)
        .towards_viewer(),
    Rule::of("Microsoft::Windows::RDS::Video::Control::v08.01", View)
        .admitted(Admission::Unrecorded)
        .towards_viewer(),
    Rule::of("Microsoft::Windows::RDS::Video::Data::v08.01", View)
        .admitted(Admission::Unrecorded)
        .towards_viewer(),
    // Pointers that come here no longer come among the updates that a decoder follows.
    Rule::of("Microsoft::Windows::RDS::MouseCursor", View).admitted(Admission::Unrecorded).towards_viewer(),
    Rule::of("Microsoft::Windows::RDS::DisplayControl", Resize)
        .towards_target()
        .recorded()
        .holds(Content::DisplayControl),
    Rule::of("Microsoft::Windows::RDS::Input", Pointer).towards_target().recorded().holds(Content::Touch),
    Rule::of("FreeRDP::Advanced::Input", Pointer).towards_target().recorded().holds(Content::AdvancedInput),
    // Keys and pointer in one stream, which we do not take apart: neither view-only nor the recording's policy on
    // keys could be kept. Clients fall back on the fast path.
    Rule::of("Microsoft::Windows::RDS::CoreInput", Keyboard).admitted(Admission::Never),
    Rule::of("TextInput_ServerToClientDVC", Keyboard).admitted(Admission::Never),
    Rule::of("TextInput_ClientToServerDVC", Keyboard).admitted(Admission::Never),
    Rule::of("AUDIO_INPUT", AudioIn),
    Rule::of("AUDIO_PLAYBACK_DVC", AudioOut).recorded().holds(Content::Sound),
    Rule::of("AUDIO_PLAYBACK_LOSSY_DVC", AudioOut).recorded().holds(Content::Sound),
    Rule::of("URBDRC", Usb),
    // Plug and play devices (MS-RDPEPNP): one channel for their list, one for each open device.
    Rule::of("PNPDR", Usb),
    Rule::of("FileRedirectorChannel", Usb),
    Rule::of("Microsoft::Windows::RDS::Location", Location),
    Rule::of("XPSRD", Printers),
    // What these carry is filtered in the static channels of these names, and nowhere else.
    Rule::of("cliprdr", ClipboardFromTarget).admitted(Admission::Never),
    Rule::of("rdpdr", Drives).admitted(Admission::Never),
    Rule::of("drdynvc", OtherChannels).admitted(Admission::Never),
    Rule::of("rdpsnd", AudioOut).recorded().holds(Content::Sound),
    Rule::of("rail", RemoteApps).recorded(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        for (name, permission) in [
            ("cliprdr", ClipboardFromTarget),
            ("CLIPRDR", ClipboardFromTarget),
            ("rdpsnd", AudioOut),
            ("rail_wi", RemoteApps),
            ("remdesk", OtherChannels),
            ("", OtherChannels),
        ] {
            assert_eq!(static_channel(name).permission, permission, "{name}");
        }
        for (name, permission) in [
            ("AUDIO_INPUT", AudioIn),
            ("audio_input", AudioIn),
            ("RDCamera_Device_Enumerator", Camera),
            ("RDCamera_Device_0", Camera),
            ("RDCamera", OtherChannels),
            ("FileRedirectorChannel", Usb),
            ("ECHO", OtherChannels),
            ("é", OtherChannels),
        ] {
            assert_eq!(dynamic_channel(name).permission, permission, "{name}");
        }
    }

    #[test]
    fn every_name_is_there_once() {
        for table in [STATIC, DYNAMIC] {
            for rule in table {
                assert_eq!(
                    table.iter().filter(|other| other.name.eq_ignore_ascii_case(rule.name)).count(),
                    1
                );
            }
        }
    }
}
