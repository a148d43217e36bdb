//! The PROXY protocol, versions 1 and 2: where a connection really comes from, said by the load balancer that passes
//! it on. As HAProxy's `doc/proxy-protocol.txt` describes it.
//!
//! Whoever connects can send a header. Whether it is believed is for the caller to decide, by who connects.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What every header of version 1 begins with.
const V1: &[u8] = b"PROXY ";
/// What every header of version 2 begins with.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The shortest header there is, `PROXY UNKNOWN\r\n`, in bytes.
const SHORTEST: usize = 15;
/// The longest header of version 1, in bytes (section 2.1).
const LONGEST_V1: usize = 107;
/// The longest header of version 2 that is taken, in bytes. Addresses have 216 at most; the rest is for what
/// proxies add, such as a client's certificate.
const LONGEST_V2: usize = 8 * 1024;
/// The part of a version 2 header with the length of what follows, in bytes.
const V2_FIXED: usize = 16;
/// The type of the additional field that holds a checksum.
const CRC32C: u8 = 0x03;

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// So many more bytes belong to it at least; never 0.
    NeedMore(usize),
    /// It is whole.
    Done {
        /// Where the connection comes from. `None` when the proxy connects for itself, to see whether the
        /// gateway lives, or does not know: then it is the proxy's own address that counts.
        source: Option<SocketAddr>,
        /// How long the header is, in bytes.
        len: usize,
    },
}

/// Why there is no header that could be believed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyHeaderError {
    /// The connection begins with something else.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// It ended first.
    #[error("the connection ended before its PROXY header did")]
    Closed,
    /// It does not end within its longest length.
    #[error("the PROXY header is longer than {most} bytes")]
    TooLong {
        /// The longest that is taken.
        most: usize,
    },
    /// A line of version 1 that is not as it should be.
    #[error("the PROXY header of version 1 is not `PROXY TCP4|TCP6 source destination port port`")]
    Line,
    /// Not version 2 behind version 2's signature.
    #[error("the PROXY header has the unknown version {0}")]
    Version(u8),
    /// Neither `LOCAL` nor `PROXY`.
    #[error("the PROXY header has the unknown command {0}")]
    Command(u8),
    /// An address that no TCP connection can come from.
    #[error("the PROXY header is about no TCP connection (family and protocol {0:#04x})")]
    Family(u8),
    /// The addresses do not fit into the header.
    #[error("the PROXY header is shorter than the addresses in it")]
    Addresses,
    /// An additional field does not fit into the header.
    #[error("an additional field of the PROXY header is longer than the header")]
    Field,
    /// The checksum is another.
    #[error("the checksum of the PROXY header is wrong")]
    Checksum,
    /// The connection broke.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for ProxyHeaderError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Io(error) }
    }
}

impl ProxyHeader {
    /// Reads what a connection begins with.
    ///
    /// # Errors
    /// It is no header, or not one of a TCP connection.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProxyHeaderError> {
        let begins = |signature: &[u8]| bytes.iter().zip(signature).all(|(found, wanted)| found == wanted);
        if bytes.is_empty() {
            Ok(Self::NeedMore(SHORTEST))
        } else if begins(V1) {
            version_1(bytes)
        } else if begins(V2) {
            version_2(bytes)
        } else {
            Err(ProxyHeaderError::Missing)
        }
    }

    /// Takes the header off a connection, and nothing of what follows. The answer is as in
    /// [`Done`](Self::Done).
    ///
    /// # Errors
    /// There is none, or the connection ended.
    pub async fn receive<S: AsyncRead + Unpin>(
        stream: &mut S,
    ) -> Result<Option<SocketAddr>, ProxyHeaderError> {
        let mut bytes = Vec::new();
        loop {
            match Self::parse(&bytes)? {
                Self::Done { source, .. } => return Ok(source),
                Self::NeedMore(count) => {
                    let known = bytes.len();
                    bytes.resize(known + count, 0);
                    stream.read_exact(&mut bytes[known..]).await?;
                }
            }
        }
    }
}

/// Section 2.1: a line.
fn version_1(bytes: &[u8]) -> Result<ProxyHeader, ProxyHeaderError> {
    let searched = bytes.get(..LONGEST_V1).unwrap_or(bytes);
    let Some(end) = searched.iter().position(|byte| *byte == b'\n') else {
        return match bytes.len() {
            0..SHORTEST => Ok(ProxyHeader::NeedMore(SHORTEST - bytes.len())),
            // One at a time, for what follows is not the header's.
            SHORTEST..LONGEST_V1 => Ok(ProxyHeader::NeedMore(1)),
            _ => Err(ProxyHeaderError::TooLong { most: LONGEST_V1 }),
        };
    };
    let line = searched.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(ProxyHeaderError::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| ProxyHeaderError::Line)?;
    let source = source(line).ok_or(ProxyHeaderError::Line)?;
    Ok(ProxyHeader::Done { source, len: end + 1 })
}

/// The source in a line without its end; nothing when the line is wrong.
fn source(line: &str) -> Option<Option<SocketAddr>> {
    let mut fields = line.split(' ').skip(1);
    let family = fields.next()?;
    if family == "UNKNOWN" {
        // Whatever may stand behind it is to be ignored.
        return Some(None);
    }
    let fields: [&str; 4] = fields.collect::<Vec<_>>().try_into().ok()?;
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => None,
    };
    let port = |text: &str| {
        let digits =
            text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse::<u16>().ok().filter(|_| digits)
    };
    let [source, destination, source_port, destination_port] = fields;
    address(destination)?;
    port(destination_port)?;
    Some(Some(SocketAddr::new(address(source)?.to_canonical(), port(source_port)?)))
}

/// Section 2.2: binary.
fn version_2(bytes: &[u8]) -> Result<ProxyHeader, ProxyHeaderError> {
    let Some((fixed, _)) = bytes.split_first_chunk::<V2_FIXED>() else {
        return Ok(ProxyHeader::NeedMore(V2_FIXED - bytes.len()));
    };
    let [.., version_command, family, high, low] = *fixed;
    let len = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 {
        return Err(ProxyHeaderError::Version(version_command >> 4));
    }
    if len > LONGEST_V2 {
        return Err(ProxyHeaderError::TooLong { most: LONGEST_V2 });
    }
    let Some(header) = bytes.get(..len) else { return Ok(ProxyHeader::NeedMore(len - bytes.len())) };
    let body = header.get(V2_FIXED..).unwrap_or_default();
    let source = match version_command & 0x0f {
        // LOCAL: what else is in the header has no meaning.
        0 => return Ok(ProxyHeader::Done { source: None, len }),
        1 => addresses(family, body)?,
        other => return Err(ProxyHeaderError::Command(other)),
    };
    let fields = V2_FIXED + addresses_len(family);
    verify_fields(header, fields)?;
    Ok(ProxyHeader::Done { source, len })
}

/// How long the addresses of a family are, in bytes.
const fn addresses_len(family: u8) -> usize {
    match family >> 4 {
        1 => 2 * 4 + 2 * 2,
        2 => 2 * 16 + 2 * 2,
        3 => 2 * 108,
        _ => 0,
    }
}

/// The source of a version 2 header, if its family has one.
fn addresses(family: u8, body: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let addresses = body.get(..addresses_len(family)).ok_or(ProxyHeaderError::Addresses)?;
    let (source, port): (IpAddr, _) = match (family, addresses) {
        // Unspecified, or a Unix socket: the proxy's own address is the best there is.
        (0x00 | 0x31, _) => return Ok(None),
        (0x11, [a, b, c, d, _, _, _, _, high, low, ..]) => ([*a, *b, *c, *d].into(), [*high, *low]),
        (0x21, addresses) => {
            let (source, rest) = addresses.split_first_chunk::<16>().ok_or(ProxyHeaderError::Addresses)?;
            let port = rest.get(16..18).and_then(|port| port.try_into().ok());
            ((*source).into(), port.ok_or(ProxyHeaderError::Addresses)?)
        }
        _ => return Err(ProxyHeaderError::Family(family)),
    };
    Ok(Some(SocketAddr::new(source.to_canonical(), u16::from_be_bytes(port))))
}

/// Goes through the additional fields, which begin at `start`, and verifies the checksum if there is one
/// (section 2.2.3).
fn verify_fields(header: &[u8], start: usize) -> Result<(), ProxyHeaderError> {
    let mut at = start;
    while at < header.len() {
        let field = header.get(at..).unwrap_or_default();
        let [kind, high, low, rest @ ..] = field else { return Err(ProxyHeaderError::Field) };
        let value = rest.get(..usize::from(u16::from_be_bytes([*high, *low])));
        let value = value.ok_or(ProxyHeaderError::Field)?;
        let value_at = at + 3;
        if *kind == CRC32C {
            let found: [u8; 4] = value.try_into().map_err(|_| ProxyHeaderError::Checksum)?;
            // It is made with zeros in its own place.
            let (before, after) = (header.get(..value_at), header.get(value_at + 4..));
            let parts = [before.unwrap_or_default(), &[0; 4], after.unwrap_or_default()];
            if crc32c(parts.into_iter().flatten()) != u32::from_be_bytes(found) {
                return Err(ProxyHeaderError::Checksum);
            }
        }
        at = value_at + value.len();
    }
    Ok(())
}

/// CRC-32C (RFC 9260, appendix A). Headers are short, so a table would not pay.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header of version 2; `command` is with its version, `family` with its protocol.
    fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &len, body].concat()
    }

    fn field(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind], &u16::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat()
    }

    const FROM_4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0x0d, 0x3d];

    fn done(source: Option<&str>, len: usize) -> ProxyHeader {
        ProxyHeader::Done { source: source.map(|source| source.parse().unwrap()), len }
    }

    /// Whole headers, with the source that they name.
    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let six = [
            &"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets()[..],
            &Ipv6Addr::LOCALHOST.octets(),
            &[0x12, 0x34, 0, 80],
        ]
        .concat();
        let mapped = [
            &"::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets()[..],
            &Ipv6Addr::LOCALHOST.octets(),
            &[0x12, 0x34, 0, 80],
        ]
        .concat();
        let checked = |crc: u32| {
            let fields = [field(0x04, b"padding"), field(CRC32C, &crc.to_be_bytes()), field(0xee, b"own")];
            binary(0x21, 0x11, &[&FROM_4[..], &fields.concat()].concat())
        };
        let crc = crc32c(checked(0).iter());
        vec![
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 3389\r\n".to_vec(), Some("192.0.2.7:4660")),
            (b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n".to_vec(), Some("255.255.255.255:65535")),
            (b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n".to_vec(), Some("[2001:db8::7]:4660")),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4660 80\r\n".to_vec(), Some("192.0.2.7:4660")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff:f...f:ffff anything 1 2 3\r\n".to_vec(), None),
            (binary(0x21, 0x11, &FROM_4), Some("192.0.2.7:4660")),
            (binary(0x21, 0x21, &six), Some("[2001:db8::7]:4660")),
            (binary(0x21, 0x21, &mapped), Some("192.0.2.7:4660")),
            (binary(0x21, 0x31, &[b'/'; 216]), None),
            (binary(0x21, 0x00, &[]), None),
            (binary(0x21, 0x00, &field(0x02, b"gateway.example")), None),
            (binary(0x20, 0x00, &[]), None),
            // Health checks of some load balancers carry what has no meaning.
            (binary(0x20, 0x11, &FROM_4), None),
            (binary(0x20, 0xff, b"anything"), None),
            (checked(crc), Some("192.0.2.7:4660")),
        ]
    }

    #[test]
    fn headers_say_where_a_connection_comes_from() {
        for (header, source) in good() {
            let followed = [&header[..], b"RFB 003.008\n"].concat();
            assert_eq!(ProxyHeader::parse(&followed).unwrap(), done(source, header.len()), "{header:?}");
        }
    }

    #[test]
    fn what_is_not_a_header_of_a_tcp_connection_is_refused() {
        let longest = LONGEST_V2 - V2_FIXED;
        let with = |fields: &[u8]| binary(0x21, 0x11, &[&FROM_4[..], fields].concat());
        for (bytes, error) in [
            (b"RFB 003.008\n".to_vec(), "does not begin with"),
            (b"\x03\0\0\x13\x0e\xe0".to_vec(), "does not begin with"),
            (b"GET / HTTP/1.1\r\n".to_vec(), "does not begin with"),
            (b"proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(), "does not begin with"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.7  10.0.0.1 1 2\r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n".to_vec(), "version 1"),
            (b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n".to_vec(), "version 1"),
            (b"PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(), "version 1"),
            (b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(), "version 1"),
            (b"PROXY UNKNOWN\xff\r\n".to_vec(), "version 1"),
            ([b"PROXY UNKNOWN ", &[b'x'; 93][..]].concat(), "longer than 107"),
            (binary(0x11, 0x11, &FROM_4), "unknown version 1"),
            (binary(0x22, 0x11, &FROM_4), "unknown command 2"),
            (binary(0x21, 0x12, &FROM_4), "no TCP connection"),
            (binary(0x21, 0x41, &FROM_4), "no TCP connection"),
            (binary(0x21, 0x01, &[]), "no TCP connection"),
            (binary(0x21, 0x11, &FROM_4[..11]), "shorter than the addresses"),
            (binary(0x21, 0x21, &FROM_4), "shorter than the addresses"),
            (binary(0x21, 0x11, &vec![0; longest + 1]), "longer than 8192"),
            (with(&[0x04, 0]), "additional field"),
            (with(&[0x04, 0, 2, 0]), "additional field"),
            (with(&field(CRC32C, &[1, 2, 3, 4])), "checksum"),
            (with(&field(CRC32C, &[0; 3])), "checksum"),
        ] {
            let found = ProxyHeader::parse(&bytes).expect_err("no header").to_string();
            assert!(found.contains(error), "{found}: {bytes:?}");
        }
        let padding = field(0x04, &vec![0; longest - FROM_4.len() - 3]);
        assert!(matches!(ProxyHeader::parse(&with(&padding)), Ok(ProxyHeader::Done { len: LONGEST_V2, .. })));
    }

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(crc32c(b"123456789".iter()), 0xe306_9283);
        assert_eq!(crc32c([0; 32].iter()), 0x8a91_36aa);
    }

    #[tokio::test]
    async fn nothing_behind_the_header_is_taken() {
        for (header, source) in good() {
            let bytes = [&header[..], b"rest"].concat();
            let mut stream = &bytes[..];
            let found = ProxyHeader::receive(&mut stream).await.unwrap();
            assert_eq!(found.map(|source| source.to_string()).as_deref(), source);
            assert_eq!(stream, b"rest");
            for end in 0..header.len() {
                let error = ProxyHeader::receive(&mut &header[..end]).await;
                assert!(matches!(error, Err(ProxyHeaderError::Closed)), "{error:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(start in 0_usize..4, bytes: Vec<u8>) {
            let start = [&b""[..], b"PROXY TCP4 ", V2, b"PROXY "][start];
            let bytes = [start, &bytes].concat();
            match ProxyHeader::parse(&bytes) {
                Ok(ProxyHeader::Done { len, .. }) => prop_assert!(len <= bytes.len()),
                Ok(ProxyHeader::NeedMore(count)) => prop_assert!(count > 0),
                Err(_) => {}
            }
        }

        #[test]
        fn every_source_is_read_as_it_was_written(source: SocketAddr, destination: SocketAddr, fields: Vec<u8>) {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            let mapped = |address: IpAddr| Ipv6Addr::from(octets(address));
            let line = format!(
                "PROXY TCP6 {} {} {} {}\r\n",
                mapped(source.ip()), mapped(destination.ip()), source.port(), destination.port()
            );
            let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
            let body = [&octets(source.ip())[..], &octets(destination.ip()), &ports, &field(0x04, &fields)];
            let expected = Some(SocketAddr::new(source.ip().to_canonical(), source.port()));
            for header in [line.into_bytes(), binary(0x21, 0x21, &body.concat())] {
                let len = header.len();
                prop_assert_eq!(ProxyHeader::parse(&header).unwrap(), ProxyHeader::Done { source: expected, len });
            }
        }
    }
}
