//! What the target says of the session: the auto-reconnect cookie, where it sends its users, why it ends.

use ironrdp_pdu::rdp::server_error_info::{ErrorInfo, ServerSetErrorInfoPdu};
use ironrdp_pdu::rdp::server_redirection::ServerRedirectionPdu;

use super::share::DATA_HEADER;
use crate::relay::readable;

/// `INFO_TYPE_LOGON_EXTENDED_INFO` (MS-RDPBCGR 2.2.10.1.1).
const EXTENDED: u32 = 3;

/// `LOGON_EX_AUTORECONNECTCOOKIE` in `FieldsPresent` (2.2.10.1.1.4).
const COOKIE: u32 = 1;

/// infoType, then Length and FieldsPresent of the extended information.
const HEADER: usize = DATA_HEADER + 4 + 2 + 4;

/// `pdu`, a Save Session Info PDU that is not compressed, without the auto-reconnect cookie; nothing if there is none.
/// What followed the cookie takes its place, and zeros take that of what followed.
pub(super) fn without_cookie(pdu: &[u8]) -> Option<Vec<u8>> {
    let header: &[u8; HEADER] = pdu.first_chunk()?;
    let &[.., k0, k1, k2, k3, l0, l1, p0, p1, p2, p3] = header;
    let present = u32::from_le_bytes([p0, p1, p2, p3]);
    if u32::from_le_bytes([k0, k1, k2, k3]) != EXTENDED || present & COOKIE == 0 {
        return None;
    }
    let rest = pdu.get(HEADER..).unwrap_or_default();
    // cbFieldData, then the cookie.
    let field = rest.first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
    let field = usize::try_from(field).unwrap_or(usize::MAX).saturating_add(4).min(rest.len());
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    let len = u16::try_from(len.saturating_sub(field)).unwrap_or_default();

    let mut out = pdu.get(..DATA_HEADER + 4).unwrap_or_default().to_vec();
    out.extend(len.to_le_bytes());
    out.extend((present & !COOKIE).to_le_bytes());
    out.extend(rest.get(field..).unwrap_or_default());
    out.resize(pdu.len(), 0);
    Some(out)
}

/// Where a redirection leads, in words.
pub(super) fn destination(redirection: &ServerRedirectionPdu) -> String {
    let ServerRedirectionPdu { target_fqdn, target_net_address, target_netbios_name, .. } = redirection;
    let several = redirection.target_net_addresses.iter().flatten().next();
    let name = target_fqdn.as_ref().or(target_netbios_name.as_ref());
    match (name, target_net_address.as_ref().or(several)) {
        (Some(name), Some(address)) => format!("{} ({})", readable(name), readable(address)),
        (Some(one), None) | (None, Some(one)) => readable(one),
        (None, None) => UNNAMED.to_owned(),
    }
}

/// A destination that was not named.
pub(super) const UNNAMED: &str = "which it does not name";

/// Why the session ends, in words; nothing for `ERRINFO_NONE`. `body` is that of a Set Error Info PDU
/// (MS-RDPBCGR 2.2.5.1.1).
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let code = u32::from_le_bytes(*body.first_chunk()?);
    if code == 0 {
        return None;
    }
    Some(match ironrdp_core::decode::<ServerSetErrorInfoPdu>(body) {
        Ok(ServerSetErrorInfoPdu(info)) => match info {
            ErrorInfo::ProtocolIndependentCode(code) => code.description().to_owned(),
            ErrorInfo::ProtocolIndependentLicensingCode(code) => code.description().to_owned(),
            ErrorInfo::ProtocolIndependentConnectionBrokerCode(code) => code.description().to_owned(),
            ErrorInfo::RdpSpecificCode(code) => code.description().to_owned(),
        },
        Err(_) => format!("error information {code:#010x}"),
    })
}
