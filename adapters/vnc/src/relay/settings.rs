//! What the gateway decides about a relay before it starts.

use passerelle_desktop::{ClipboardLimits, KeystrokePolicy, Permissions};
use passerelle_rfb::{Limits, ServerInit};

/// What a [`VncRelay`](crate::VncRelay) starts from.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// What the target sent and the viewer was shown.
    pub init: ServerInit,
    /// What the technician may do at first.
    pub permissions: Permissions,
    /// The largest clipboard content that passes.
    pub clipboard: ClipboardLimits,
    /// What the recording keeps of keys.
    pub keystrokes: KeystrokePolicy,
    /// Whether the recording's wire lanes keep clipboard content.
    pub store_clipboard: bool,
    /// Whether the session is recorded: what no decoder of ours follows is then not offered to the target.
    pub recorded: bool,
    /// Bounds on what the peers send. [`Limits::cut_text`] is derived from `clipboard` and ignored.
    pub limits: Limits,
}
