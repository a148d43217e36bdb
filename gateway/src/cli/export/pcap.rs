//! The PDUs of an RDP session as a capture that Wireshark reads: a connection to port 3389 that was never there, with
//! what the target sent on it.

use std::io::Write;
use std::time::Duration;

use passerelle_recorder::Reader;

use super::ExportError;

/// Raw IPv4 (LINKTYPE_RAW).
const LINK_TYPE: u32 = 101;
/// Addresses that RFC 5737 sets aside for documentation: the target's and the viewer's.
const TARGET: ([u8; 4], u16) = ([192, 0, 2, 1], 3389);
const VIEWER: ([u8; 4], u16) = ([192, 0, 2, 2], 50_000);
/// Bytes of a packet's payload.
const PAYLOAD: usize = 32 * 1024;
/// Lengths of the headers.
const IP: usize = 20;
const TCP: usize = 20;
/// TCP's flags.
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Writes the session.
pub(super) fn write(reader: Reader, out: &mut dyn Write) -> Result<(), ExportError> {
    let started = since_1970(&reader.header().started);
    let mut capture = Capture::begin(out, started)?;
    for entry in reader {
        let entry = entry?;
        capture.target_said(entry.t_ms, &entry.bytes)?;
    }
    Ok(())
}

fn since_1970(text: &str) -> Duration {
    let time = text.parse::<passerelle_auth::Timestamp>();
    let millis = time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or_default());
    Duration::from_millis(millis)
}

struct Capture<'a> {
    out: &'a mut dyn Write,
    /// When the recording started, since 1970.
    started: Duration,
    /// The sequence number of the target's next byte. It begins anew after 4 GiB, as TCP's does.
    sequence: u32,
    /// The identification of the next packet.
    packet: u16,
}

impl<'a> Capture<'a> {
    fn begin(out: &'a mut dyn Write, started: Duration) -> Result<Self, ExportError> {
        // Magic number, version 2.4, time zone and accuracy, the longest packet, what packets begin with.
        let version = 2 | (4 << 16);
        for number in [0xa1b2_c3d4_u32, version, 0, 0, 0x0004_0000, LINK_TYPE] {
            out.write_all(&number.to_le_bytes())?;
        }
        let mut capture = Self { out, started, sequence: 0, packet: 0 };
        capture.segment(0, VIEWER, TARGET, SYN, 0, 0, &[])?;
        capture.segment(0, TARGET, VIEWER, SYN | ACK, 0, 1, &[])?;
        capture.segment(0, VIEWER, TARGET, ACK, 1, 1, &[])?;
        capture.sequence = 1;
        Ok(capture)
    }

    fn target_said(&mut self, t_ms: u32, bytes: &[u8]) -> Result<(), ExportError> {
        for part in bytes.chunks(PAYLOAD) {
            self.segment(t_ms, TARGET, VIEWER, PSH | ACK, self.sequence, 1, part)?;
            self.sequence = self.sequence.wrapping_add(u32::try_from(part.len()).unwrap_or_default());
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of two headers")]
    fn segment(
        &mut self,
        t_ms: u32,
        (source, source_port): ([u8; 4], u16),
        (destination, destination_port): ([u8; 4], u16),
        flags: u8,
        sequence: u32,
        acknowledged: u32,
        payload: &[u8],
    ) -> Result<(), ExportError> {
        let total = IP + TCP + payload.len();
        // Payloads are shorter than 64 KiB.
        let (length, tcp_length) = (total as u16, (TCP + payload.len()) as u16);
        let mut packet = Vec::with_capacity(total);
        packet.extend([0x45, 0]);
        packet.extend(length.to_be_bytes());
        packet.extend(self.packet.to_be_bytes());
        packet.extend([0x40, 0, 64, 6, 0, 0]);
        packet.extend(source);
        packet.extend(destination);
        let sum = checksum(&[&packet]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(source_port.to_be_bytes());
        packet.extend(destination_port.to_be_bytes());
        packet.extend(sequence.to_be_bytes());
        packet.extend(if flags & ACK == 0 { 0 } else { acknowledged }.to_be_bytes());
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(payload);
        let pseudo = [&source[..], &destination, &[0, 6], &tcp_length.to_be_bytes()].concat();
        let sum = checksum(&[&pseudo, &packet[IP..]]);
        packet[IP + 16..IP + 18].copy_from_slice(&sum.to_be_bytes());
        self.packet = self.packet.wrapping_add(1);

        let time = self.started + Duration::from_millis(t_ms.into());
        // The format's seconds have 32 bits.
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        for number in [seconds, time.subsec_micros(), total as u32, total as u32] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(&packet)?;
        Ok(())
    }
}

/// The Internet checksum (RFC 1071) of parts of which all but the last have even lengths.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // The example of RFC 1071, section 3.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0xff]]), 0x00ff);
    }

    #[test]
    fn long_entries_are_cut_into_segments_that_follow_each_other() {
        let mut out = Vec::new();
        let mut capture = Capture::begin(&mut out, Duration::from_secs(1_700_000_000)).unwrap();
        capture.sequence = u32::MAX - 9;
        capture.target_said(1500, &vec![7; PAYLOAD + 1]).unwrap();
        let (first, second) = (24 + 3 * 56, 24 + 3 * 56 + 16 + IP + TCP + PAYLOAD);
        assert_eq!(out.len(), second + 16 + IP + TCP + 1);
        assert_eq!(out[first..first + 8], [1, 241, 83, 101, 0x20, 0xa1, 7, 0]);
        let sequence = |at: usize| u32::from_be_bytes(out[at + 40..at + 44].try_into().unwrap());
        assert_eq!(sequence(first), u32::MAX - 9);
        assert_eq!(sequence(second), (u32::MAX - 9).wrapping_add(PAYLOAD as u32));
        // Checksums come to nothing over what they cover.
        let packet = &out[second + 16..];
        assert_eq!(checksum(&[&packet[..IP]]), 0);
    }
}
