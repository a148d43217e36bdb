//! `.rdp` files: a ticket that a technician opens instead of typing it.
//!
//! The file carries the ticket's reference as load-balancing information. The client sends it in its first
//! packet, in clear, as the routing token of its X.224 Connection Request (MS-RDPBCGR 2.2.1.1), which ends
//! with a carriage return and a line feed. A line of a file cannot hold these; clients add them.

mod issue;
mod sign;

use std::fmt;

use passerelle_config::HostPort;
use passerelle_desktop::{Permission, Permissions};

pub(crate) use issue::RdpFileError;
pub(crate) use sign::{SignError, Signer};

/// What a file says of one connection.
#[derive(Clone, Copy)]
pub(crate) struct Connection<'a> {
    /// Where clients reach the gateway.
    pub(crate) address: &'a HostPort,
    /// `technician:target`.
    pub(crate) username: &'a str,
    /// The ticket's reference.
    pub(crate) reference: &'a str,
    /// What the session may do: the client does not offer the rest.
    pub(crate) permissions: Permissions,
    /// Whether the client tries to come back after an interruption.
    pub(crate) auto_reconnect: bool,
}

/// A value that would break out of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{0}` has a control character, which a .rdp file cannot hold")]
pub(crate) struct ControlCharacter(&'static str);

/// The lines of a file.
pub(crate) struct RdpFile(Vec<Setting>);

struct Setting {
    name: &'static str,
    value: Value,
}

enum Value {
    Number(u32),
    Text(String),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Number(number) => write!(f, "{}:i:{number}", self.name),
            Value::Text(text) => write!(f, "{}:s:{text}", self.name),
        }
    }
}

impl RdpFile {
    /// The file for a connection.
    ///
    /// # Errors
    /// A value has a control character.
    pub(crate) fn new(connection: &Connection<'_>) -> Result<Self, ControlCharacter> {
        let address = connection.address.to_string();
        let mut settings = vec![
            text("full address", &address),
            // Signed with the other: a client prefers this one where it is present.
            text("alternate full address", &address),
            text("username", connection.username),
            text("loadbalanceinfo", connection.reference),
            number("use redirection server name", false),
            // A reference takes the place of a password, so it is TLS alone: NLA would ask for one.
            number("negotiate security layer", true),
            number("enablecredsspsupport", false),
            number("prompt for credentials", false),
            // Warn when the gateway's certificate is not trusted.
            Setting { name: "authentication level", value: Value::Number(2) },
            // A ticket is for one connection, directly to the gateway.
            number("disableconnectionsharing", true),
            number("gatewayusagemethod", false),
            number("gatewayprofileusagemethod", true),
            number("autoreconnection enabled", connection.auto_reconnect),
        ];
        settings.extend(redirections(connection.permissions));
        let broken = settings.iter().find(
            |setting| matches!(&setting.value, Value::Text(text) if text.chars().any(char::is_control)),
        );
        match broken {
            Some(setting) => Err(ControlCharacter(setting.name)),
            None => Ok(Self(settings)),
        }
    }

    /// The file's text, with CR LF at the end of each line.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|setting| format!("{setting}\r\n")).collect()
    }

    /// The file's text with a signature, so that clients show who published it.
    ///
    /// # Errors
    /// The key cannot sign.
    pub(crate) fn signed_text(&self, signer: &Signer) -> Result<String, SignError> {
        sign::signed(&self.0, signer)
    }
}

/// The bytes of a file's text: ASCII where that is enough, which every client reads, and UTF-16LE with its
/// mark otherwise, which is the only other form that all of them read.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    const MARK: u16 = 0xfeff;
    [MARK].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// What the client offers to share. The gateway does not rely on it; it spares the technician what would
/// not work.
fn redirections(permissions: Permissions) -> Vec<Setting> {
    use Permission::{
        AudioIn, AudioOut, Camera, ClipboardFromTarget, ClipboardToTarget, Drives, FilesFromTarget,
        FilesToTarget, ImagesFromTarget, ImagesToTarget, Location, OtherChannels, Ports, Printers, Resize,
        SmartCards, Usb,
    };
    let any = |wanted: &[Permission]| wanted.iter().any(|permission| permissions.allows(*permission));
    let every = |wanted| if any(&[wanted]) { "*" } else { "" };
    let clipboard = [
        ClipboardToTarget,
        ClipboardFromTarget,
        ImagesToTarget,
        ImagesFromTarget,
        FilesToTarget,
        FilesFromTarget,
    ];
    vec![
        number("redirectclipboard", any(&clipboard)),
        number("redirectdrives", any(&[Drives])),
        text("drivestoredirect", every(Drives)),
        number("redirectprinters", any(&[Printers])),
        number("redirectsmartcards", any(&[SmartCards])),
        number("redirectcomports", any(&[Ports])),
        // 0: play here; 2: play nowhere.
        Setting { name: "audiomode", value: Value::Number(if any(&[AudioOut]) { 0 } else { 2 }) },
        number("audiocapturemode", any(&[AudioIn])),
        text("camerastoredirect", every(Camera)),
        text("usbdevicestoredirect", every(Usb)),
        number("redirectlocation", any(&[Location])),
        number("dynamic resolution", any(&[Resize])),
        // Plug-and-play devices and WebAuthn have channels of their own, which no permission names.
        text("devicestoredirect", every(OtherChannels)),
        number("redirectposdevices", false),
        number("redirectwebauthn", any(&[OtherChannels])),
    ]
}

fn text(name: &'static str, value: &str) -> Setting {
    Setting { name, value: Value::Text(value.to_owned()) }
}

fn number(name: &'static str, value: bool) -> Setting {
    Setting { name, value: Value::Number(value.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "passerelle-01arz3ndektsv4rrffq69g5fav";

    fn file(username: &str, permissions: &[Permission]) -> Result<RdpFile, ControlCharacter> {
        RdpFile::new(&Connection {
            address: &"[2001:db8::5]:3390".parse().unwrap(),
            username,
            reference: REFERENCE,
            permissions: permissions.iter().copied().collect(),
            auto_reconnect: false,
        })
    }

    #[test]
    fn a_file_for_watching_only_shares_nothing() {
        let text = file("alice:front-desk", &[Permission::View]).unwrap().text();
        assert_eq!(
            text.split("\r\n").collect::<Vec<_>>(),
            [
                "full address:s:[2001:db8::5]:3390",
                "alternate full address:s:[2001:db8::5]:3390",
                "username:s:alice:front-desk",
                &format!("loadbalanceinfo:s:{REFERENCE}"),
                "use redirection server name:i:0",
                "negotiate security layer:i:1",
                "enablecredsspsupport:i:0",
                "prompt for credentials:i:0",
                "authentication level:i:2",
                "disableconnectionsharing:i:1",
                "gatewayusagemethod:i:0",
                "gatewayprofileusagemethod:i:1",
                "autoreconnection enabled:i:0",
                "redirectclipboard:i:0",
                "redirectdrives:i:0",
                "drivestoredirect:s:",
                "redirectprinters:i:0",
                "redirectsmartcards:i:0",
                "redirectcomports:i:0",
                "audiomode:i:2",
                "audiocapturemode:i:0",
                "camerastoredirect:s:",
                "usbdevicestoredirect:s:",
                "redirectlocation:i:0",
                "dynamic resolution:i:0",
                "devicestoredirect:s:",
                "redirectposdevices:i:0",
                "redirectwebauthn:i:0",
                "",
            ]
        );
    }

    #[test]
    fn each_permission_shares_its_own() {
        let watching = file("a:b", &[Permission::View]).unwrap().text();
        for (permission, lines) in [
            (Permission::View, &[][..]),
            (Permission::Keyboard, &[]),
            (Permission::ClipboardToTarget, &["redirectclipboard:i:1"]),
            (Permission::ClipboardFromTarget, &["redirectclipboard:i:1"]),
            (Permission::ImagesFromTarget, &["redirectclipboard:i:1"]),
            (Permission::FilesToTarget, &["redirectclipboard:i:1"]),
            (Permission::Drives, &["redirectdrives:i:1", "drivestoredirect:s:*"]),
            (Permission::Printers, &["redirectprinters:i:1"]),
            (Permission::SmartCards, &["redirectsmartcards:i:1"]),
            (Permission::Ports, &["redirectcomports:i:1"]),
            (Permission::AudioOut, &["audiomode:i:0"]),
            (Permission::AudioIn, &["audiocapturemode:i:1"]),
            (Permission::Camera, &["camerastoredirect:s:*"]),
            (Permission::Usb, &["usbdevicestoredirect:s:*"]),
            (Permission::Location, &["redirectlocation:i:1"]),
            (Permission::Resize, &["dynamic resolution:i:1"]),
            (Permission::OtherChannels, &["devicestoredirect:s:*", "redirectwebauthn:i:1"]),
        ] {
            let text = file("a:b", &[Permission::View, permission]).unwrap().text();
            let new: Vec<_> =
                text.lines().filter(|line| !watching.lines().any(|known| known == *line)).collect();
            assert_eq!(new, lines, "{permission}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        for username in ["a:b\r\nalternate shell:s:calc", "a:b\n", "a\0:b", "a:b\u{85}", "a\t:b"] {
            assert_eq!(file(username, &[]).err(), Some(ControlCharacter("username")), "{username:?}");
        }
    }

    #[test]
    fn files_are_ascii_where_that_is_enough() {
        assert_eq!(bytes("a:i:1\r\n"), b"a:i:1\r\n");
        assert_eq!(bytes("é\r\n"), [0xff, 0xfe, 0xe9, 0, 0x0d, 0, 0x0a, 0]);
        assert_eq!(bytes("🖥")[2..], [0x3d, 0xd8, 0xa5, 0xdd]);
    }
}
