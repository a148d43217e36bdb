//! The splice: frames what passes between two peers, lets through what is permitted.

mod channel;
mod clipboard;
mod devices;

use passerelle_desktop::{ClipboardLimits, Permissions};

/// What a relay is told about its session.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The viewer's channels.
    pub viewer: crate::Channels,
    /// The target's channels.
    pub target: crate::Channels,
    /// What the technician may do at first.
    pub permissions: Permissions,
    /// The largest clipboard content that passes.
    pub clipboard: ClipboardLimits,
    /// What the recording keeps of keys.
    pub keystrokes: KeystrokePolicy,
    /// Whether clipboard content is handed out with its notice, for the recording.
    pub store_clipboard: bool,
    /// Whether the session is recorded: what no decoder of ours follows is then kept out of the negotiation.
    pub recorded: bool,
    /// Whether the target's auto-reconnect cookie (MS-RDPBCGR 5.5) reaches the viewer.
    pub auto_reconnect: bool,
}

/// What the recording keeps of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeystrokePolicy {
    /// That some key was pressed.
    None,
    /// Which one.
    All,
}

/// The filter of a session.
#[derive(Debug)]
pub struct RdpRelay {}

/// A peer broke the protocol.
#[derive(Debug, thiserror::Error)]
pub enum RelayViolation {
    /// A channel's message makes no sense.
    #[error("a message in the channel {channel} is malformed: {what}")]
    Channel {
        /// The channel's name.
        channel: &'static str,
        /// What is wrong, in words.
        what: &'static str,
    },
}
