//! What becomes of one PDU, before it is put into the other leg's numbers.

use passerelle_desktop::{Record, Side, Step};

use super::frame::{MOST_DATA, SEND_DATA_HEADER, SendData, renumber, send_data};

/// What becomes of the user data of an MCS PDU.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They pass.
    Pass(Keep),
    /// These pass in their place.
    Edited(Vec<u8>, Keep),
    /// These whole PDUs pass in their place; the recording keeps nothing of them.
    Instead(Vec<u8>),
    /// They are withheld.
    Drop,
}

/// What the recording keeps of user data that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All.
    Wire,
    /// Nothing.
    Nothing,
    /// These user data in their place; nothing when they are empty.
    Other(Vec<u8>),
}

/// The numbers under which user data go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) initiator: u16,
    pub(super) channel: u16,
}

impl Outcome {
    /// The step for `pdu`, whose header is `header`, towards `to`.
    pub(super) fn step(self, pdu: &[u8], header: SendData, to: Side, address: Address) -> Step {
        let len = header.len;
        let frame = |data: &[u8]| {
            let mut out = Vec::with_capacity(SEND_DATA_HEADER + data.len());
            send_data(&mut out, to, address.initiator, address.channel, data.len().min(MOST_DATA));
            out.extend(data.iter().take(MOST_DATA));
            out
        };
        let record = |keep| match keep {
            Keep::Wire => Record::Wire,
            Keep::Nothing => Record::Redacted(Vec::new()),
            Keep::Other(data) if data.is_empty() => Record::Redacted(Vec::new()),
            Keep::Other(data) => Record::Redacted(frame(&data)),
        };
        match self {
            Outcome::Pass(keep)
                if (header.initiator, header.channel) == (address.initiator, address.channel) =>
            {
                Step::Forward { len, record: record(keep) }
            }
            Outcome::Pass(keep) => {
                let mut with = pdu.get(..len).unwrap_or(pdu).to_vec();
                renumber(&mut with, address.initiator, address.channel);
                Step::Replace { len, with, record: record(keep) }
            }
            Outcome::Edited(data, keep) => Step::Replace { len, with: frame(&data), record: record(keep) },
            Outcome::Instead(with) if with.is_empty() => Step::Drop { len },
            Outcome::Instead(with) => Step::Replace { len, with, record: Record::Redacted(Vec::new()) },
            Outcome::Drop => Step::Drop { len },
        }
    }
}
