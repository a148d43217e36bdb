//! How a viewer learns why it is disconnected.

/// The initiator of what an MCS server says of its own accord.
pub(crate) const SERVER: u16 = 1002;

/// License Error PDU - Valid Client (MS-RDPBCGR 2.2.1.12) with its security header. Clients understand Set Error Info
/// only behind it.
pub(crate) const VALID_CLIENT: [u8; 20] = [
    0x80, 0x00, 0x00, 0x00, // SEC_LICENSE_PKT
    0xFF, 0x03, 0x10, 0x00, // ERROR_ALERT, PREAMBLE_VERSION_3_0, 16 bytes
    0x07, 0x00, 0x00, 0x00, // STATUS_VALID_CLIENT
    0x02, 0x00, 0x00, 0x00, // ST_NO_TRANSITION
    0x04, 0x00, 0x00, 0x00, // BB_ERROR_BLOB, empty
];

/// Set Error Info PDU (MS-RDPBCGR 2.2.5.1) as user data of the I/O channel; `share_id` is 0 before there is a share.
pub(crate) fn set_error_info(share_id: u32, code: u32) -> Vec<u8> {
    let mut pdu = Vec::with_capacity(22);
    pdu.extend(22u16.to_le_bytes());
    // PDUTYPE_DATAPDU, version 1
    pdu.extend(0x0017u16.to_le_bytes());
    pdu.extend(SERVER.to_le_bytes());
    pdu.extend(share_id.to_le_bytes());
    // Padding, STREAM_LOW, length from pduType2 on, PDUTYPE2_SET_ERROR_INFO_PDU, not compressed.
    pdu.extend([0, 1, 8, 0, 0x2F, 0, 0, 0]);
    pdu.extend(code.to_le_bytes());
    pdu
}
