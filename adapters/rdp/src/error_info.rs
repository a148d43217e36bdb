//! How a viewer learns why it is disconnected.

/// The initiator of what an MCS server says of its own accord.
pub(crate) const SERVER: u16 = 1002;

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
