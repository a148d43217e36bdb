//! Where a request comes from that HTTP proxies have passed on.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::{FORWARDED, HeaderMap, HeaderName};
use passerelle_config::{ForwardedHeader, Network};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A trusted proxy's header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} does not say where the request comes from")]
pub(super) struct Malformed(&'static str);

/// What a proxy says about whom it got the request from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    Address(IpAddr),
    /// It does not tell, or not to everybody.
    Hidden,
}

/// Where a request comes from that arrived from `peer`: the nearest address that is none of the `trusted` proxies'.
///
/// Each proxy appends whom it got the request from, so the header is read from its end, and only as long as a trusted
/// proxy has written it. What stands before that may be the caller's own invention.
///
/// # Errors
/// A trusted proxy wrote something that is no address.
pub(super) fn client(
    peer: IpAddr,
    trusted: &[Network],
    header: ForwardedHeader,
    headers: &HeaderMap,
) -> Result<IpAddr, Malformed> {
    let mut client = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.get().contains(address));
    if !is_trusted(&client) {
        return Ok(client);
    }
    let (name, shown) = match header {
        ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, "X-Forwarded-For"),
        ForwardedHeader::Forwarded => (FORWARDED, "Forwarded"),
    };
    for line in headers.get_all(name).iter().rev() {
        let line = line.to_str().map_err(|_| Malformed(shown))?;
        // A list of addresses can be cut at its commas, and what the caller wrote need not be looked at. In
        // the other header commas may be part of a value.
        let hops: Vec<Option<Hop>> = match header {
            ForwardedHeader::XForwardedFor => {
                line.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(node).collect()
            }
            ForwardedHeader::Forwarded => {
                elements(line).ok_or(Malformed(shown))?.into_iter().map(Some).collect()
            }
        };
        for hop in hops.into_iter().rev() {
            match hop.ok_or(Malformed(shown))? {
                Hop::Hidden => return Ok(client),
                Hop::Address(address) => client = address.to_canonical(),
            }
            if !is_trusted(&client) {
                return Ok(client);
            }
        }
    }
    Ok(client)
}

/// The hops of a `Forwarded` header, in its order (RFC 7239, section 4). Nothing when any of it is wrong.
fn elements(line: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    // What the element has said so far; an element may also be empty.
    let mut pairs = 0;
    let mut hop = None;
    let mut rest = line.trim_start();
    loop {
        if let Some((name, after)) = split_name(rest) {
            let (value, after) = split_value(after)?;
            pairs += 1;
            if name.eq_ignore_ascii_case("for") && hop.replace(node(&value)?).is_some() {
                return None;
            }
            rest = after.trim_start();
        }
        let (separator, after) = match rest.chars().next() {
            None => (',', ""),
            Some(sign @ (',' | ';')) => (sign, rest.get(1..)?),
            Some(_) => return None,
        };
        if separator == ',' && pairs > 0 {
            hops.push(hop.take().unwrap_or(Hop::Hidden));
            pairs = 0;
        }
        if rest.is_empty() {
            return Some(hops);
        }
        rest = after.trim_start();
    }
}

/// The name before a `=`, and what is behind it.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|sign: char| !sign.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(sign))?;
    let (name, rest) = text.split_at(end);
    Some((name, rest.strip_prefix('=')?)).filter(|_| !name.is_empty())
}

/// A value, which may be in quotes, and what is behind it. Addresses of IPv6 should be in quotes; some proxies
/// leave them out.
fn split_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t', '"']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut signs = quoted.char_indices();
    loop {
        match signs.next()? {
            (end, '"') => return Some((value, quoted.get(end + 1..)?)),
            (_, '\\') => value.push(signs.next()?.1),
            (_, sign) => value.push(sign),
        }
    }
}

/// An address, with a port or without (RFC 7239, section 6).
fn node(text: &str) -> Option<Hop> {
    if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') {
        return Some(Hop::Hidden);
    }
    let bracketed = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let alone = |text: &str| text.parse().ok().or_else(|| bracketed(text).map(IpAddr::V6));
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    // The port may be kept secret, too.
    let with_name = || text.rsplit_once(":_").and_then(|(address, _)| alone(address));
    alone(text).or_else(with_port).or_else(with_name).map(Hop::Address)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ask(peer: &str, header: ForwardedHeader, lines: &[(HeaderName, &str)]) -> Option<String> {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        client(peer.parse().unwrap(), &trusted, header, &headers).ok().map(|address| address.to_string())
    }

    /// Lines of a list of addresses, and who calls when they come from 10.0.0.1; nothing when that is refused.
    #[test]
    fn lists_of_addresses_are_read_from_their_end() {
        let many = format!("{}10.0.0.9", "10.1.2.3, ".repeat(1000));
        for (lines, expected) in [
            (&[][..], Some("10.0.0.1")),
            (&[""], Some("10.0.0.1")),
            (&["192.0.2.7"], Some("192.0.2.7")),
            (&["192.0.2.7:4711"], Some("192.0.2.7")),
            (&["2001:db8::7"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["::ffff:192.0.2.7"], Some("192.0.2.7")),
            // What the caller wrote is in front and has no meaning, whatever it is.
            (&["198.51.100.1, 192.0.2.7"], Some("192.0.2.7")),
            (&["10.0.0.2, 192.0.2.7"], Some("192.0.2.7")),
            (&["'; DROP TABLE--, \"192.0.2.7"], None),
            (&["\"unbalanced, 192.0.2.7"], Some("192.0.2.7")),
            (&["198.51.100.1", "192.0.2.7"], Some("192.0.2.7")),
            // Several proxies of ours.
            (&["198.51.100.1, 192.0.2.7, 10.0.0.2,10.0.0.3"], Some("192.0.2.7")),
            (&["198.51.100.1, 192.0.2.7", "10.0.0.2 , 2001:db8:1::5"], Some("192.0.2.7")),
            (&["192.0.2.7, , 10.0.0.2,"], Some("192.0.2.7")),
            (&["10.0.0.4, 10.0.0.2"], Some("10.0.0.4")),
            (&[many.as_str()], Some("10.1.2.3")),
            (&["192.0.2.7, unknown, 10.0.0.2"], Some("10.0.0.2")),
            (&["unknown"], Some("10.0.0.1")),
            (&["192.0.2.7, 10.0.0"], None),
            (&["192.0.2.7 10.0.0.2"], None),
            (&["192.0.2.7, front-desk.example"], None),
            (&["192.0.2.7:x"], None),
            (&["192.0.2.7\u{e9}"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (X_FORWARDED_FOR, *line)).collect();
            let found = ask("10.0.0.1", ForwardedHeader::XForwardedFor, &lines);
            assert_eq!(found.as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn forwarded_elements_are_read_from_their_end() {
        for (lines, expected) in [
            (&[][..], Some("10.0.0.1")),
            (&["for=192.0.2.7"], Some("192.0.2.7")),
            (&["For=\"192.0.2.7:4711\"; proto=https;by=203.0.113.43"], Some("192.0.2.7")),
            (&["proto=https;for=\"[2001:db8::7]:4711\""], Some("2001:db8::7")),
            (&["for=[2001:db8::7]"], Some("2001:db8::7")),
            (&["for=\"192.0.2.7:_port\""], Some("192.0.2.7")),
            (&["for=198.51.100.1, for=192.0.2.7;by=10.0.0.3 , for=10.0.0.2"], Some("192.0.2.7")),
            (&["for=198.51.100.1", "for=192.0.2.7"], Some("192.0.2.7")),
            (&["for=198.51.100.1;host=\"a,b;for=10.0.0.9\\\"\", for=192.0.2.7"], Some("192.0.2.7")),
            (&[",, for=192.0.2.7 ,"], Some("192.0.2.7")),
            (&["for=192.0.2.7, for=_hidden"], Some("10.0.0.1")),
            (&["for=192.0.2.7, for=unknown, for=10.0.0.2"], Some("10.0.0.2")),
            (&["for=192.0.2.7, proto=https"], Some("10.0.0.1")),
            // An open quote swallows what the proxy appends: nothing in the line can be told apart.
            (&["host=\"x, for=192.0.2.7"], None),
            (&["for=\"192.0.2.7"], None),
            (&["for=192.0.2.7;for=192.0.2.8"], None),
            (&["192.0.2.7"], None),
            (&["for"], None),
            (&["for="], None),
            (&["for=192.0.2.7 for=192.0.2.8"], None),
            (&["for=front-desk"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (FORWARDED, *line)).collect();
            let found = ask("10.0.0.1", ForwardedHeader::Forwarded, &lines);
            assert_eq!(found.as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_in_their_header() {
        let both = [(X_FORWARDED_FOR, "192.0.2.7"), (FORWARDED, "for=198.51.100.1")];
        let (list, elements) = (ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded);
        assert_eq!(ask("203.0.113.9", list, &both).as_deref(), Some("203.0.113.9"));
        assert_eq!(ask("::ffff:10.0.0.1", list, &both).as_deref(), Some("192.0.2.7"));
        assert_eq!(ask("10.0.0.1", elements, &both).as_deref(), Some("198.51.100.1"));
        assert_eq!(
            ask("203.0.113.9", list, &[(X_FORWARDED_FOR, "nonsense")]).as_deref(),
            Some("203.0.113.9")
        );
    }
}
