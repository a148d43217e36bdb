//! What the `state` lane of a recorded RDP session says.

use passerelle_desktop::Blackout;
use serde::{Deserialize, Serialize};

use crate::{Channels, ClientHello, ClientInfo, StaticChannel};

/// What a decoder must know before the first byte of the `target` lane; the first entry of the `state` lane, as
/// JSON.
///
/// The `target` lane holds the PDUs as the viewer received them, but for their bulk compression, which
/// [`RdpLog`](crate::RdpLog) undoes, and what a [`Marker`] says is missing, from the first one after Client Info on
/// (licensing, Demand Active, …). Channels and users have the numbers that the viewer knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Version of this form: 1.
    pub version: u32,
    /// Desktop size that the viewer asked for, in pixels. Demand Active says what it got.
    pub width: u16,
    /// See `width`.
    pub height: u16,
    /// The client's user channel.
    pub user_channel: u16,
    /// The I/O channel.
    pub io_channel: u16,
    /// The message channel, if there is one.
    pub message_channel: Option<u16>,
    /// Names and numbers of the static virtual channels, in the client's order.
    pub static_channels: Vec<(String, u16)>,
    /// The bulk compression that the viewer asked for (MS-RDPBCGR 2.2.1.11.1.1, `CompressionType`): 0 is 8K
    /// MPPC, 1 is 64K MPPC, 2 is NCRUSH, 3 is XCRUSH; nothing when it asked for none.
    pub compression: Option<u8>,
    /// Whether the `target` lane was written without that compression, by [`RdpLog`](crate::RdpLog), so that each PDU
    /// can be read without those before it. What is compressed in it nevertheless could not be decompressed. Older
    /// recordings, which do not say so, have all as it was on the wire.
    #[serde(default)]
    pub plain: bool,
}

/// A later entry of the `state` lane, as JSON: `"blackout_end"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// From here on what the target draws is missing, and what its channels carry.
    Blackout(Blackout),
    /// From here on it is there again. A picture of the whole desktop comes soon.
    BlackoutEnd,
}

impl Marker {
    /// Reads a marker from a recording.
    ///
    /// # Errors
    /// The bytes are no marker that this version knows.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The marker as it is recorded.
    pub fn encode(&self) -> Vec<u8> {
        // Strings have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The static virtual channel that carries the dynamic ones.
const DRDYNVC: &str = "drdynvc";

/// Bytes that are no [`Start`].
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not its JSON form.
    #[error("the recording does not begin with the state of an RDP session: {0}")]
    Form(#[from] serde_json::Error),
    /// A version that this program does not know.
    #[error("the recording's RDP state has the version {0}; this program knows version 1")]
    Version(u32),
}

/// Where `TS_INFO_PACKET` holds its flags, counted from the basic security header before it.
const INFO_FLAGS: std::ops::Range<usize> = 8..12;
/// `INFO_COMPRESSION` (MS-RDPBCGR 2.2.1.11.1.1).
const INFO_COMPRESSION: u32 = 0x80;
/// `CompressionTypeMask`: four bits from this one on.
const COMPRESSION_TYPE_SHIFT: u32 = 9;

impl Start {
    /// Of a session whose viewer said `hello` and `info` and was given `channels`.
    pub fn new(hello: &ClientHello, channels: &Channels, info: &ClientInfo) -> Self {
        let core = &hello.connect_initial.conference_create_request.gcc_blocks().core;
        let flags = info.user_data.get(INFO_FLAGS).and_then(|bytes| bytes.try_into().ok());
        let flags = flags.map_or(0, u32::from_le_bytes);
        let compression =
            (flags & INFO_COMPRESSION != 0).then_some(((flags >> COMPRESSION_TYPE_SHIFT) & 0xf) as u8);
        let name = |channel: &StaticChannel| {
            let name = channel.definition.name.as_str().unwrap_or_default();
            (name.trim_end_matches('\0').to_owned(), channel.id)
        };
        Self {
            version: 1,
            width: core.desktop_width,
            height: core.desktop_height,
            user_channel: channels.user,
            io_channel: channels.io,
            message_channel: channels.message,
            static_channels: channels.statics.iter().map(name).collect(),
            compression,
            plain: true,
        }
    }

    /// The channel that carries the dynamic ones, if there is one.
    pub(crate) fn drdynvc(&self) -> Option<u16> {
        let mut channels = self.static_channels.iter();
        channels.find(|(name, _)| name.eq_ignore_ascii_case(DRDYNVC)).map(|(_, id)| *id)
    }

    /// The entry in the `state` lane.
    pub fn encode(&self) -> Vec<u8> {
        // A struct of numbers and strings has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StartError> {
        let start: Self = serde_json::from_slice(bytes)?;
        if start.version == 1 { Ok(start) } else { Err(StartError::Version(start.version)) }
    }
}
