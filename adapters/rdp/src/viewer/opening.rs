//! How a connection begins: the preconnection PDU (MS-RDPEPS) and the negotiation of security within X.224
//! (MS-RDPBCGR 2.2.1.1 and 2.2.1.2). All of it is in clear.

use ironrdp_core::decode;
use ironrdp_pdu::nego::{ConnectionConfirm, FailureCode, ResponseFlags, SecurityProtocol};
use ironrdp_pdu::pcb::PreconnectionBlob;
use passerelle_transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::{ViewerError, ViewerSecurity};
use crate::wire::{rest_of_tpkt, x224};

/// The longest preconnection PDU that is read, in bytes. Names of virtual machines fit many times.
const LONGEST_PRECONNECTION: usize = 2048;

/// The longest X.224 Connection Request, in bytes: X.224 counts its header in one byte.
const LONGEST_REQUEST: usize = 512;

/// What a reference of the gateway begins with, so that it is not taken for somebody's routing token.
const REFERENCE: &str = "passerelle-";

/// What the client asked for and what it gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) requested: SecurityProtocol,
    pub(super) selected: SecurityProtocol,
}

/// What a client says in its X.224 Connection Request.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    /// The line before the negotiation: a cookie or a routing token. Any bytes.
    line: Zeroizing<Vec<u8>>,
    /// Empty for Standard RDP Security.
    protocols: u32,
}

impl Request {
    /// Reads the whole TPKT.
    fn decode(tpkt: &[u8]) -> Result<Self, ViewerError> {
        let malformed = ViewerError::Request;
        let tpdu = tpkt.get(4..).unwrap_or_default();
        let (&[indicated], header) = tpdu.split_first_chunk().ok_or(malformed("it is empty"))?;
        let header =
            header.get(..usize::from(indicated)).ok_or(malformed("its header is longer than itself"))?;
        // Code and credit, two references, class.
        let (&[code, _, _, _, _, _], mut rest) =
            header.split_first_chunk().ok_or(malformed("its header is too short"))?;
        if code & 0xF0 != 0xE0 {
            return Err(malformed("it is another X.224 message"));
        }
        let mut request = Self::default();
        if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let (line, after) = rest.split_at_checked(end).unwrap_or_default();
            request.line = Zeroizing::new(line.to_vec());
            rest = after.get(2..).unwrap_or_default();
        }
        match rest {
            // RDP_NEG_REQ; correlation info may follow.
            [1, _flags, 8, 0, a, b, c, d, ..] => request.protocols = u32::from_le_bytes([*a, *b, *c, *d]),
            // Clients from before negotiations, which end here or pad.
            [] | [0, ..] => {}
            _ => return Err(malformed("its negotiation request is malformed")),
        }
        Ok(request)
    }

    /// The gateway's reference, if the routing token is one.
    fn reference(&self) -> Option<Zeroizing<String>> {
        let token = self.line.strip_prefix(b"Cookie: msts=").unwrap_or(&self.line);
        reference(std::str::from_utf8(token).ok()?)
    }
}

fn reference(text: &str) -> Option<Zeroizing<String>> {
    let text = text.trim_end_matches(['\0', ' ']);
    text.starts_with(REFERENCE).then(|| Zeroizing::new(text.to_owned()))
}

/// Reads the beginning and answers it. Says which security is next, and the gateway's reference if the viewer
/// came with one and TLS alone will protect it.
///
/// # Errors
/// The viewer went away, or has nothing in common with `security`; it was told so.
pub(super) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    security: &[ViewerSecurity],
) -> Result<(Chosen, Option<Zeroizing<String>>), ViewerError> {
    let mut header = transport.receive(4).await.map_err(ViewerError::io)?;
    let mut preconnection = None;
    if header.first() != Some(&3) {
        preconnection = read_preconnection(transport, &header).await?;
        header = transport.receive(4).await.map_err(ViewerError::io)?;
    }
    let request = Request::decode(&rest_of_tpkt(transport, &header, LONGEST_REQUEST).await?)?;
    let reference = request.reference().or(preconnection);
    let requested = SecurityProtocol::from_bits_retain(request.protocols);
    match select(requested, security, reference.is_some()) {
        Ok(selected) => {
            let confirm = ConnectionConfirm::Response {
                flags: ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED
                    | ResponseFlags::DYNVC_GFX_PROTOCOL_SUPPORTED,
                protocol: selected,
            };
            confirmed(transport, confirm).await?;
            let reference = reference.filter(|_| selected == SecurityProtocol::SSL);
            Ok((Chosen { requested, selected }, reference))
        }
        Err(code) => {
            confirmed(transport, ConnectionConfirm::Failure { code }).await?;
            transport.shutdown().await.map_err(ViewerError::io)?;
            Err(ViewerError::NoCommonSecurity { requested })
        }
    }
}

async fn confirmed<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    confirm: ConnectionConfirm,
) -> Result<(), ViewerError> {
    let bytes = x224(confirm).map_err(|error| ViewerError::Answer(error.to_string()))?;
    transport.send(&bytes).await.map_err(ViewerError::io)
}

/// Reads the rest of a preconnection PDU, of which the length was read. Gives the gateway's reference, if it has
/// one.
async fn read_preconnection<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    header: &[u8],
) -> Result<Option<Zeroizing<String>>, ViewerError> {
    let header: [u8; 4] = header.try_into().map_err(|_| ViewerError::Preconnection)?;
    let len = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    if !(PreconnectionBlob::FIXED_PART_SIZE..=LONGEST_PRECONNECTION).contains(&len) {
        return Err(ViewerError::NotRdp(header));
    }
    let rest = transport.receive(len - header.len()).await.map_err(ViewerError::io)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(len));
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&rest);
    let blob: PreconnectionBlob = decode(&bytes).map_err(|_| ViewerError::Preconnection)?;
    let payload = blob.v2_payload.map(Zeroizing::new);
    Ok(payload.as_deref().and_then(|payload| reference(payload)))
}

/// Which protocol a client that requests these gets.
///
/// A reference says who comes, so that there is nothing left to log in with: it goes with TLS where the client
/// and the policy have that. Where they insist on NLA it counts for nothing, and the ticket must be entered.
fn select(
    requested: SecurityProtocol,
    security: &[ViewerSecurity],
    reference: bool,
) -> Result<SecurityProtocol, FailureCode> {
    let nla = security.contains(&ViewerSecurity::Nla);
    let tls = security.contains(&ViewerSecurity::Tls);
    if reference && tls && requested.contains(SecurityProtocol::SSL) {
        return Ok(SecurityProtocol::SSL);
    }
    [(nla, SecurityProtocol::HYBRID_EX), (nla, SecurityProtocol::HYBRID), (tls, SecurityProtocol::SSL)]
        .into_iter()
        .find(|(accepted, protocol)| *accepted && requested.contains(*protocol))
        .map(|(_, protocol)| protocol)
        .ok_or(if tls { FailureCode::SSL_REQUIRED_BY_SERVER } else { FailureCode::HYBRID_REQUIRED_BY_SERVER })
}

#[cfg(test)]
mod tests {
    use ironrdp_core::encode_vec;
    use ironrdp_pdu::pcb::PcbVersion;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// MS-RDPBCGR 4.1.1.
    const REQUEST: &[u8] = b"\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00Cookie: mstshash=eltons\r\n\
                             \x01\x00\x08\x00\x00\x00\x00\x00";

    fn request(line: &[u8], negotiation: &[u8]) -> Vec<u8> {
        let len = 6 + line.len() + negotiation.len();
        let mut bytes = vec![3, 0, 0, (len + 5) as u8, len as u8, 0xE0, 0, 0, 0, 0, 0];
        bytes.extend(line);
        bytes.extend(negotiation);
        bytes
    }

    const HYBRID_AND_SSL: &[u8] = &[1, 0, 8, 0, 3, 0, 0, 0];

    #[test]
    fn requests_of_all_kinds_are_read() {
        let read = Request::decode(REQUEST).unwrap();
        assert_eq!((&**read.line, read.protocols), (&b"Cookie: mstshash=eltons"[..], 0));
        assert_eq!(read.reference(), None);
        for (line, reference) in [
            (&b"Cookie: msts=passerelle-AB12\r\n"[..], Some("passerelle-AB12")),
            (b"passerelle-AB12\r\n", Some("passerelle-AB12")),
            (b"Cookie: mstshash=passerelle-AB12\r\n", None),
            (b"Cookie: msts=3640205228.15629.0000\r\n", None),
            // The clients' own character set.
            (b"Cookie: mstshash=J\xFCrgen\r\n", None),
            (b"tsv://MS Terminal Services Plugin.1.Sessions\r\n", None),
            (b"", None),
        ] {
            let read = Request::decode(&request(line, HYBRID_AND_SSL)).unwrap();
            assert_eq!(read.protocols, 3, "{line:?}");
            assert_eq!(read.reference().as_deref().map(String::as_str), reference, "{line:?}");
        }
        let mut correlated = vec![1, 8, 8, 0, 11, 0, 0, 0, 6, 0, 36, 0];
        correlated.extend([7; 32]);
        assert_eq!(Request::decode(&request(b"", &correlated)).unwrap().protocols, 11);
        assert_eq!(Request::decode(&request(b"Cookie: mstshash=a\r\n", b"")).unwrap().protocols, 0);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let good = request(b"Cookie: mstshash=a\r\n", HYBRID_AND_SSL);
        for end in 0..good.len() {
            assert!(Request::decode(&good[..end]).is_err(), "{end}");
        }
        let mut data = good.clone();
        data[5] = 0xF0;
        assert!(Request::decode(&data).is_err());
        assert!(Request::decode(&request(b"", &[2, 0, 8, 0, 3, 0, 0, 0])).is_err());
        assert!(Request::decode(&request(b"no end of line", HYBRID_AND_SSL)).is_err());
    }

    #[test]
    fn the_best_common_protocol_is_selected() {
        use SecurityProtocol as P;
        let (nla, tls) = (&[ViewerSecurity::Nla][..], &[ViewerSecurity::Tls][..]);
        let both = &[ViewerSecurity::Tls, ViewerSecurity::Nla][..];
        let all = P::SSL | P::HYBRID | P::HYBRID_EX;
        for (requested, security, reference, selected) in [
            (all, both, false, Ok(P::HYBRID_EX)),
            (P::SSL | P::HYBRID, both, false, Ok(P::HYBRID)),
            (P::SSL, both, false, Ok(P::SSL)),
            (all, tls, false, Ok(P::SSL)),
            (all, nla, false, Ok(P::HYBRID_EX)),
            (all, both, true, Ok(P::SSL)),
            (all, nla, true, Ok(P::HYBRID_EX)),
            (P::HYBRID, both, true, Ok(P::HYBRID)),
            (P::empty(), both, false, Err(FailureCode::SSL_REQUIRED_BY_SERVER)),
            (P::empty(), nla, true, Err(FailureCode::HYBRID_REQUIRED_BY_SERVER)),
            (P::SSL, nla, true, Err(FailureCode::HYBRID_REQUIRED_BY_SERVER)),
            (P::HYBRID, tls, false, Err(FailureCode::SSL_REQUIRED_BY_SERVER)),
            (P::RDSTLS | P::RDSAAD, both, false, Err(FailureCode::SSL_REQUIRED_BY_SERVER)),
        ] {
            assert_eq!(select(requested, security, reference), selected, "{requested} {security:?}");
        }
    }

    async fn opened(sent: &[u8]) -> (Result<(Chosen, Option<Zeroizing<String>>), ViewerError>, Vec<u8>) {
        let (mut client, server) = tokio::io::duplex(4096);
        client.write_all(sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut transport = Transport::plain(server);
        let outcome = open(&mut transport, &[ViewerSecurity::Nla, ViewerSecurity::Tls]).await;
        drop(transport);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        (outcome, answer)
    }

    fn blob(version: PcbVersion, payload: Option<&str>) -> Vec<u8> {
        let blob = PreconnectionBlob { version, id: 1, v2_payload: payload.map(str::to_owned) };
        encode_vec(&blob).unwrap()
    }

    #[tokio::test]
    async fn preconnection_blobs_of_both_versions_may_come_first() {
        for (blob, reference) in [
            (vec![], None),
            (blob(PcbVersion::V1, None), None),
            (blob(PcbVersion::V2, Some("a-machine")), None),
            (blob(PcbVersion::V2, Some("passerelle-AB12")), Some("passerelle-AB12")),
        ] {
            let mut sent = blob.clone();
            sent.extend(request(b"Cookie: mstshash=a\r\n", HYBRID_AND_SSL));
            let (outcome, answer) = opened(&sent).await;
            let (chosen, found) = outcome.unwrap();
            assert_eq!(found.as_deref().map(String::as_str), reference);
            assert_eq!(chosen.requested, SecurityProtocol::SSL | SecurityProtocol::HYBRID);
            let selected = if reference.is_some() { 1 } else { 2 };
            assert_eq!(answer, [3, 0, 0, 19, 14, 0xD0, 0, 0, 0, 0, 0, 2, 3, 8, 0, selected, 0, 0, 0]);
        }
    }

    #[tokio::test]
    async fn standard_rdp_security_gets_the_protocol_s_own_refusal() {
        let (outcome, answer) = opened(REQUEST).await;
        assert!(matches!(outcome, Err(ViewerError::NoCommonSecurity { requested }) if requested.is_empty()));
        assert_eq!(answer, [3, 0, 0, 19, 14, 0xD0, 0, 0, 0, 0, 0, 3, 0, 8, 0, 1, 0, 0, 0]);
    }

    #[tokio::test]
    async fn what_is_not_rdp_is_refused_without_an_answer() {
        for sent in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n", &[15, 0, 0, 0, 9]]
        {
            let (outcome, answer) = opened(sent).await;
            assert!(matches!(outcome, Err(ViewerError::NotRdp(_))), "{sent:?}");
            assert!(answer.is_empty());
        }
        let (outcome, _) = opened(&[3, 0, 2, 1, 0]).await;
        assert!(matches!(outcome, Err(ViewerError::TooLong { len: 513, limit: 512 })));
        let (outcome, _) = opened(&[3, 0, 0, 3]).await;
        assert!(matches!(outcome, Err(ViewerError::TooShort(3))));
        let (outcome, _) = opened(&blob(PcbVersion::V2, Some("x"))[..10]).await;
        assert!(matches!(outcome, Err(ViewerError::Closed)));
        let mut beyond = blob(PcbVersion::V2, Some("x"));
        beyond[16] = 200;
        assert!(matches!(opened(&beyond).await.0, Err(ViewerError::Preconnection)));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0..44usize, to: u8) {
            let _ = Request::decode(&bytes);
            let mut near = REQUEST.to_vec();
            near[at] = to;
            let _ = Request::decode(&near).map(|request| request.reference());
        }
    }
}
