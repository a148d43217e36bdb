//! The splice: frames what passes between two peers, lets through what is permitted.

mod bytes;
mod channel;
mod clipboard;
mod devices;
mod frame;
mod legs;
mod messages;
mod outcome;
mod passage;
#[cfg(test)]
mod rig;
mod settings;
mod violation;

use passerelle_desktop::{Notice, Permissions, Record, Relay, RelayError, Side, Step};

use frame::{Frame, frame};
use legs::Legs;
use outcome::{Keep, Outcome};

pub use settings::{KeystrokePolicy, RelaySettings};
pub use violation::RelayViolation;

/// Forwards PDUs between a viewer and a target after Client Info, as far as they are permitted.
#[derive(Debug)]
pub struct RdpRelay {
    legs: Legs,
    permissions: Permissions,
}

impl RdpRelay {
    /// A relay for a session in which Client Info was sent to the target and nothing since.
    pub fn new(settings: RelaySettings) -> Self {
        let RelaySettings { viewer, target, permissions, .. } = settings;
        Self { legs: Legs::new(viewer, target), permissions }
    }

    fn decide(
        &mut self,
        from: Side,
        input: &[u8],
        _notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        Ok(match frame(from, input)? {
            Err(total) => Step::NeedMore { total },
            Ok(Frame::FastPath { len, .. } | Frame::Disconnect { len, .. }) => {
                Step::Forward { len, record: Record::Wire }
            }
            Ok(Frame::Data(header)) => {
                let place = self.legs.place(from, header)?;
                let Some(address) = self.legs.address(from.other(), place) else {
                    return Ok(Step::Drop { len: header.len });
                };
                Outcome::Pass(Keep::Wire).step(input, header, from.other(), address)
            }
        })
    }
}

impl Relay for RdpRelay {
    fn step(&mut self, from: Side, input: &[u8], notices: &mut Vec<Notice>) -> Result<Step, RelayError> {
        self.decide(from, input, notices).map_err(|violation| violation.by(from))
    }

    fn take_injection(&mut self, _: Side) -> Option<Vec<u8>> {
        None
    }

    fn set_permissions(&mut self, permissions: Permissions) {
        self.permissions = permissions;
    }
}
