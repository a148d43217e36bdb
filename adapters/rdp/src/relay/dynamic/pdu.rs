//! PDUs of dynamic virtual channels (MS-RDPEDYC 2.2).

const CREATE: u8 = 1;
const DATA_FIRST: u8 = 2;
const DATA: u8 = 3;
const CLOSE: u8 = 4;
const CAPABILITY: u8 = 5;
const DATA_FIRST_COMPRESSED: u8 = 6;
const DATA_COMPRESSED: u8 = 7;
const SOFT_SYNC_REQUEST: u8 = 8;
const SOFT_SYNC_RESPONSE: u8 = 9;

/// The newest version that has neither compression nor a move to another transport.
pub(in crate::relay) const MOST_VERSION: u16 = 2;

/// `CreationStatus` of a channel that nobody listens to.
const NO_LISTENER: u32 = 0xc000_0001;

/// Longest name of a channel that is looked at, in bytes.
const LONGEST_NAME: usize = 256;

/// A PDU, judged by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay) enum Pdu {
    Capability {
        version: u16,
    },
    /// A request from the server, a response from the client.
    Create {
        id: u32,
    },
    DataFirst {
        id: u32,
        /// Length of the header.
        header: usize,
        /// Length of the message.
        len: u32,
    },
    Data {
        id: u32,
        header: usize,
    },
    Close {
        id: u32,
    },
    /// Data in the forms that version 3 has.
    Compressed,
    SoftSync,
}

impl Pdu {
    /// Reads the header of the PDU at the front of `data`, all of which must be there.
    pub(in crate::relay) fn parse(data: &[u8]) -> Option<Self> {
        let &[first, ref rest @ ..] = data else { return None };
        match first >> 4 {
            CAPABILITY => {
                let &[_, low, high, ..] = rest else { return None };
                Some(Pdu::Capability { version: u16::from_le_bytes([low, high]) })
            }
            DATA_FIRST_COMPRESSED | DATA_COMPRESSED => Some(Pdu::Compressed),
            SOFT_SYNC_REQUEST | SOFT_SYNC_RESPONSE => Some(Pdu::SoftSync),
            command => {
                let (id, rest) = number(first, rest)?;
                let header = data.len() - rest.len();
                match command {
                    CREATE => Some(Pdu::Create { id }),
                    DATA_FIRST => {
                        let (len, rest) = number(first >> 2, rest)?;
                        Some(Pdu::DataFirst { id, header: data.len() - rest.len(), len })
                    }
                    DATA => Some(Pdu::Data { id, header }),
                    CLOSE => Some(Pdu::Close { id }),
                    _ => None,
                }
            }
        }
    }
}

/// A number of as many bytes as the low two bits of `width` say.
fn number(width: u8, bytes: &[u8]) -> Option<(u32, &[u8])> {
    match width & 3 {
        0 => bytes.split_first().map(|(number, rest)| (u32::from(*number), rest)),
        1 => bytes.split_first_chunk().map(|(number, rest)| (u32::from(u16::from_le_bytes(*number)), rest)),
        2 => bytes.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest)),
        _ => None,
    }
}

/// What follows the channel's number in a Create PDU.
fn after_id(data: &[u8]) -> Option<&[u8]> {
    let (first, rest) = data.split_first()?;
    number(*first, rest).map(|(_, rest)| rest)
}

/// The channel's name in a Create Request.
pub(in crate::relay) fn name(data: &[u8]) -> Option<String> {
    let rest = after_id(data)?;
    let end = rest.iter().take(LONGEST_NAME + 1).position(|byte| *byte == 0)?;
    rest.get(..end).map(|name| String::from_utf8_lossy(name).into_owned())
}

/// A Create Request without what follows the channel's name, if anything does.
pub(in crate::relay) fn request(data: &[u8]) -> &[u8] {
    let header = data.len() - after_id(data).map_or(0, <[u8]>::len);
    let end = data.iter().skip(header).position(|byte| *byte == 0);
    end.and_then(|end| data.get(..header + end + 1)).unwrap_or(data)
}

/// `CreationStatus` in a Create Response.
pub(in crate::relay) fn status(data: &[u8]) -> Option<i32> {
    after_id(data)?.first_chunk().map(|status| i32::from_le_bytes(*status))
}

/// The response to the Create Request `request` of a client that has no such channel.
pub(in crate::relay) fn create_response(request: &[u8]) -> Vec<u8> {
    let header = request.len() - after_id(request).map_or(0, <[u8]>::len);
    let mut response: Vec<u8> = request.iter().take(header).copied().collect();
    if let Some(first) = response.first_mut() {
        // A request has its channel's priority where a response has nothing.
        *first &= 0xf3;
    }
    response.extend(NO_LISTENER.to_le_bytes());
    response
}

/// A Data PDU with a whole message.
pub(in crate::relay) fn data(id: u32, message: &[u8]) -> Vec<u8> {
    let mut pdu = data_header(id, None);
    pdu.extend(message);
    pdu
}

/// The header of a Data PDU, or of the first of several whose message has `total` bytes.
pub(in crate::relay) fn data_header(id: u32, total: Option<usize>) -> Vec<u8> {
    let mut header = Vec::with_capacity(9);
    let total = total.map(|total| u32::try_from(total).unwrap_or(u32::MAX));
    let first = total.map_or(DATA << 4, |_| DATA_FIRST << 4 | 2 << 2);
    if let Ok(id) = u8::try_from(id) {
        header.extend([first, id]);
    } else if let Ok(id) = u16::try_from(id) {
        header.push(first | 1);
        header.extend(id.to_le_bytes());
    } else {
        header.push(first | 2);
        header.extend(id.to_le_bytes());
    }
    header.extend(total.map(u32::to_le_bytes).as_slice().as_flattened());
    header
}
