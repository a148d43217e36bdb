//! Reading whole PDUs from a leg during its handshake.

use std::io;

use ironrdp_core::{Encode, encode_vec};
use ironrdp_pdu::x224::X224;
use passerelle_transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// Length of a TPKT header (RFC 2126, 6).
const TPKT_HEADER: usize = 4;

/// What goes wrong between whole PDUs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The peer left, or TLS failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no TPKT (version 3).
    #[error("it sent {0:#04x} where a TPKT of version 3 was expected")]
    NotTpkt(u8),
    /// A PDU that is longer than this step of the protocol needs.
    #[error("it announced a PDU of {len} bytes where at most {limit} are accepted")]
    TooLong {
        /// As announced.
        len: usize,
        /// What is accepted.
        limit: usize,
    },
    /// A TPKT that ends before its header does.
    #[error("it announced a PDU of {0} bytes, which is shorter than its header")]
    TooShort(usize),
}

/// Reads one TPKT with all that it holds, of at most `limit` bytes, and not a byte more. The bytes may hold
/// secrets.
pub(crate) async fn read_tpkt<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let header = transport.receive(TPKT_HEADER).await?;
    rest_of_tpkt(transport, &header, limit).await
}

/// Reads the rest of a TPKT of which the four bytes of the header were read.
pub(crate) async fn rest_of_tpkt<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    header: &[u8],
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let &[version, _, high, low] = header else { return Err(WireError::TooShort(header.len())) };
    if version != 3 {
        return Err(WireError::NotTpkt(version));
    }
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > limit {
        return Err(WireError::TooLong { len, limit });
    }
    let body = len.checked_sub(TPKT_HEADER).ok_or(WireError::TooShort(len))?;
    let body = transport.receive(body).await?;
    let mut pdu = Zeroizing::new(Vec::with_capacity(len));
    pdu.extend_from_slice(header);
    pdu.extend_from_slice(&body);
    Ok(pdu)
}

/// Encodes `pdu` with its X.224 and TPKT headers.
pub(crate) fn x224<T>(pdu: T) -> Result<Vec<u8>, ironrdp_core::EncodeError>
where
    X224<T>: Encode,
{
    encode_vec(&X224(pdu))
}
