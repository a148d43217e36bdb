//! X.224 Connection Request and Confirm (MS-RDPBCGR 2.2.1.1, 2.2.1.2).

use ironrdp_core::decode;
use ironrdp_pdu::nego::{ConnectionConfirm, ConnectionRequest, RequestFlags, SecurityProtocol};
use ironrdp_pdu::x224::X224;
use passerelle_transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{CredentialsError, NegotiationFailure, Selected, TargetError, TargetSecurity, TargetViolation};
use crate::wire::{read_tpkt, x224};

/// A Connection Confirm has 11 or 19 bytes.
const CONFIRM_LIMIT: usize = 64;

/// What to ask for. PROTOCOL_HYBRID without PROTOCOL_SSL makes a target refuse that would else fall back to TLS
/// alone.
pub(super) fn request(
    security: &[TargetSecurity],
    has_credentials: bool,
) -> Result<SecurityProtocol, TargetError> {
    let mut protocols = SecurityProtocol::empty();
    if security.contains(&TargetSecurity::Nla) && has_credentials {
        protocols |= SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX;
    }
    if security.contains(&TargetSecurity::Tls) {
        protocols |= SecurityProtocol::SSL;
    }
    match security {
        _ if !protocols.is_empty() => Ok(protocols),
        [] => Err(TargetError::NothingAllowed),
        _ => Err(CredentialsError::Missing.into()),
    }
}

/// Asks for `requested` and reads what the target chose.
pub(super) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    requested: SecurityProtocol,
) -> Result<Selected, TargetError> {
    const DOING: &str = "negotiating the security protocol";
    let request = ConnectionRequest {
        nego_data: None,
        flags: RequestFlags::empty(),
        protocol: requested,
        correlation_info: None,
    };
    let request = x224(request).map_err(TargetError::Encode)?;
    transport.send(&request).await.map_err(|error| TargetError::io(error, DOING))?;
    let confirm =
        read_tpkt(transport, CONFIRM_LIMIT).await.map_err(|error| TargetError::wire(error, DOING))?;
    parse_confirm(&confirm, requested)
}

fn parse_confirm(bytes: &[u8], requested: SecurityProtocol) -> Result<Selected, TargetError> {
    let X224(confirm) = decode::<X224<ConnectionConfirm>>(bytes)
        .map_err(|error| TargetViolation::malformed("X.224 Connection Confirm", &error))?;
    let (protocol, flags) = match confirm {
        ConnectionConfirm::Response { protocol, flags } => (protocol, flags),
        ConnectionConfirm::Failure { code } => return Err(NegotiationFailure::from_code(code).into()),
    };
    // A target that does not negotiate means Standard RDP Security (MS-RDPBCGR 3.2.5.3.2).
    if protocol.is_standard_rdp_security() {
        return Err(NegotiationFailure::StandardRdpSecurity.into());
    }
    let security = match protocol {
        _ if !requested.contains(protocol) => None,
        SecurityProtocol::SSL => Some(TargetSecurity::Tls),
        SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX => Some(TargetSecurity::Nla),
        _ => None,
    };
    let security = security.ok_or(TargetViolation::NotRequested { protocol: protocol.bits() })?;
    Ok(Selected { security, protocol, flags })
}

#[cfg(test)]
mod tests {
    use ironrdp_pdu::nego::{FailureCode, ResponseFlags};
    use proptest::prelude::*;

    use super::*;

    const ALL: SecurityProtocol =
        SecurityProtocol::SSL.union(SecurityProtocol::HYBRID).union(SecurityProtocol::HYBRID_EX);

    #[test]
    fn the_request_follows_the_policy() {
        use TargetSecurity::{Nla, Tls};
        let hybrid = SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX;
        for (security, has_credentials, expected) in [
            (&[Nla, Tls][..], true, Some(ALL)),
            (&[Nla, Tls], false, Some(SecurityProtocol::SSL)),
            (&[Nla], true, Some(hybrid)),
            (&[Tls], true, Some(SecurityProtocol::SSL)),
            (&[Nla], false, None),
            (&[], true, None),
        ] {
            assert_eq!(request(security, has_credentials).ok(), expected, "{security:?}");
        }
        assert!(matches!(request(&[Nla], false), Err(TargetError::Credentials(CredentialsError::Missing))));
        assert!(matches!(request(&[], true), Err(TargetError::NothingAllowed)));
    }

    fn confirm(protocol: SecurityProtocol) -> Vec<u8> {
        x224(ConnectionConfirm::Response { flags: ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED, protocol })
            .unwrap()
    }

    #[test]
    fn the_choice_is_one_of_those_requested() {
        for (protocol, security) in [
            (SecurityProtocol::SSL, TargetSecurity::Tls),
            (SecurityProtocol::HYBRID, TargetSecurity::Nla),
            (SecurityProtocol::HYBRID_EX, TargetSecurity::Nla),
        ] {
            let selected = parse_confirm(&confirm(protocol), ALL).unwrap();
            assert_eq!((selected.protocol, selected.security), (protocol, security));
            assert_eq!(selected.flags, ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED);
        }
        for (protocol, requested) in [
            (SecurityProtocol::SSL, SecurityProtocol::HYBRID),
            (SecurityProtocol::HYBRID, SecurityProtocol::SSL),
            (SecurityProtocol::SSL | SecurityProtocol::HYBRID, ALL),
            (SecurityProtocol::RDSTLS, ALL),
            (SecurityProtocol::RDSAAD, SecurityProtocol::from_bits_retain(u32::MAX)),
        ] {
            assert!(matches!(
                parse_confirm(&confirm(protocol), requested),
                Err(TargetError::Violation(TargetViolation::NotRequested { protocol: bits }))
                    if bits == protocol.bits()
            ));
        }
    }

    #[test]
    fn standard_rdp_security_is_refused() {
        // A confirm without negotiation data, as targets send it that know nothing else.
        let bare = [3, 0, 0, 11, 6, 0xd0, 0, 0, 0x12, 0x34, 0];
        for bytes in [&bare[..], &confirm(SecurityProtocol::empty())] {
            assert!(matches!(
                parse_confirm(bytes, ALL),
                Err(TargetError::Negotiation(NegotiationFailure::StandardRdpSecurity))
            ));
        }
    }

    #[test]
    fn each_failure_has_its_words() {
        let mut seen = std::collections::HashSet::new();
        for code in 0..=8 {
            let failure = x224(ConnectionConfirm::Failure { code: FailureCode::from(code) }).unwrap();
            let Err(TargetError::Negotiation(error)) = parse_confirm(&failure, ALL) else {
                panic!("{code} is no failure");
            };
            assert!(seen.insert(error.to_string()), "{error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_target_sends_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_confirm(&bytes, ALL);
        }
    }

    #[test]
    fn what_is_cut_short_is_malformed() {
        let whole = confirm(SecurityProtocol::SSL);
        for len in 0..whole.len() {
            assert!(
                matches!(
                    parse_confirm(&whole[..len], ALL),
                    Err(TargetError::Violation(TargetViolation::Malformed { .. }))
                ),
                "{len}"
            );
        }
    }
}
