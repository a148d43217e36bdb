//! The relay between a viewer and a target that both speak RFB.

mod settings;

use passerelle_desktop::{Notice, Permissions, Relay, RelayError, Side, Step};

pub use settings::{KeystrokePolicy, RelaySettings};

/// Forwards RFB messages between a viewer and a target after ServerInit, as far as they are permitted.
pub struct VncRelay {
    settings: RelaySettings,
}

impl VncRelay {
    /// A relay for a session in which ServerInit was sent to the viewer and nothing since.
    pub fn new(settings: RelaySettings) -> Self {
        Self { settings }
    }
}

impl Relay for VncRelay {
    fn step(&mut self, from: Side, _input: &[u8], _notices: &mut Vec<Notice>) -> Result<Step, RelayError> {
        Err(RelayError { side: from, error: "messages cannot be framed yet".into() })
    }

    fn take_injection(&mut self, _to: Side) -> Option<Vec<u8>> {
        None
    }

    fn set_permissions(&mut self, permissions: Permissions) {
        self.settings.permissions = permissions;
    }
}
