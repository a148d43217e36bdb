//! What the gateway decides about a relay before it starts.

use passerelle_desktop::{ClipboardLimits, KeystrokePolicy, Permissions};

use crate::Channels;

/// What an [`RdpRelay`](crate::RdpRelay) starts from.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The viewer's channels.
    pub viewer: Channels,
    /// The target's channels: the same static channels in the same order.
    pub target: Channels,
    /// What the technician may do at first.
    pub permissions: Permissions,
    /// What the technician may ever do in this session. A channel is refused only for what is not in it; for what is
    /// withheld at present it is kept so that it can be used later.
    pub granted: Permissions,
    /// The largest clipboard content that passes.
    pub clipboard: ClipboardLimits,
    /// What the recording keeps of keys.
    pub keystrokes: KeystrokePolicy,
    /// Whether clipboard content is handed out with its notice, for the recording.
    pub store_clipboard: bool,
    /// Whether the session is recorded: what no decoder of ours follows is then kept out of the negotiation.
    pub recorded: bool,
    /// Whether blackouts may be asked for: what can be drawn only with what came before it is then kept out of the
    /// negotiation, too. The target must have been connected with
    /// [`ConnectOptions::plain_updates`](crate::target::ConnectOptions::plain_updates).
    pub blackout: bool,
    /// Whether the target's auto-reconnect cookie (MS-RDPBCGR 5.5) reaches the viewer.
    pub auto_reconnect: bool,
}
