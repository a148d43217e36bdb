//! Framing, and messages as bytes.

use std::io;

use ironrdp_core::{Encode, encode_vec};
use sspi::credssp::TsRequest;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a peer comes to; the error is for whoever reads the test's output.
pub type Played<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Reads one TPKT with its header.
///
/// # Errors
/// The other end left.
pub async fn read_tpkt(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut pdu = vec![0; 4];
    from.read_exact(&mut pdu).await?;
    pdu.resize(usize::from(u16::from_be_bytes([pdu[2], pdu[3]])).max(4), 0);
    from.read_exact(&mut pdu[4..]).await?;
    Ok(pdu)
}

/// Reads one PDU of a session: a TPKT or one of the fast path (MS-RDPBCGR 2.2.9.1.2).
///
/// # Errors
/// The other end left.
pub async fn read_pdu(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut pdu = vec![0; 2];
    from.read_exact(&mut pdu).await?;
    if pdu[0] == 3 {
        pdu.resize(4, 0);
        from.read_exact(&mut pdu[2..]).await?;
    } else if pdu[1] & 0x80 != 0 {
        pdu.resize(3, 0);
        from.read_exact(&mut pdu[2..]).await?;
    }
    let len = match *pdu {
        [_, _, high, low] => u16::from_be_bytes([high, low]),
        [_, high, low] => u16::from_be_bytes([high & 0x7f, low]),
        [.., short] => u16::from(short),
        [] => 0,
    };
    let header = pdu.len();
    pdu.resize(usize::from(len).max(header), 0);
    from.read_exact(&mut pdu[header..]).await?;
    Ok(pdu)
}

/// Reads one message of CredSSP (MS-CSSP 2.2.1) with its header.
///
/// # Errors
/// The other end left, or sent something else.
pub async fn read_ts_request(from: &mut (impl AsyncRead + Unpin)) -> io::Result<TsRequest> {
    let mut bytes = vec![0; 2];
    from.read_exact(&mut bytes).await?;
    bytes.resize(2 + usize::from(bytes[1].saturating_sub(0x80)), 0);
    from.read_exact(&mut bytes[2..]).await?;
    let header = bytes.len();
    let len = match bytes[2..] {
        [] => usize::from(bytes[1]),
        [low] => usize::from(low),
        [high, low] => usize::from(u16::from_be_bytes([high, low])),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    bytes.resize(header + len, 0);
    from.read_exact(&mut bytes[header..]).await?;
    TsRequest::from_buffer(&bytes)
}

/// A message of CredSSP as bytes.
pub fn encoded(request: &TsRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.encode_ts_request(&mut bytes).expect("what a test makes can be encoded");
    bytes
}

/// A PDU that a test made, which can be encoded.
pub(crate) fn bytes(pdu: &impl Encode) -> Vec<u8> {
    encode_vec(pdu).expect("what a test makes can be encoded")
}
