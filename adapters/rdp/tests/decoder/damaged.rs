//! Recordings of hostile targets: whatever comes, the decoder neither panics nor grows without bounds.

use std::sync::LazyLock;

use passerelle_desktop::{Decoder as _, TargetLog as _};
use passerelle_rdp::{RdpLog, Start};
use proptest::prelude::*;

use crate::harness::{Fixture, IO, begun, pdus, picture};
use crate::stored::stored;

/// One of each way to send pictures; the first few PDUs of each are short, so little of it does.
static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    [
        "classic-xcrush",
        "classic-64k",
        "slow-path",
        "remotefx",
        "graphics-remotefx",
        "graphics-progressive",
        "resize",
    ]
    .map(Fixture::read)
    .into()
});

/// Something done to the bytes of a recording.
#[derive(Clone, Debug)]
enum Damage {
    Set(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        8 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => (at(), 1..64usize).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..64)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    match damage {
        Damage::Set(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Damage::Remove(at, len) => {
            let at = at.index(bytes.len());
            bytes.drain(at..bytes.len().min(at + len));
        }
        Damage::Insert(at, inserted) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, inserted.iter().copied());
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// Says of the chunk of a static channel that it is not compressed: where one is, the relay ends the session.
fn uncompress(pdu: &mut [u8]) {
    let data = if pdu[13] & 0x80 == 0 { 14 } else { 15 };
    if pdu[0] == 3 && pdu[10..12] != IO.to_be_bytes() && pdu.len() >= data + 8 {
        pdu[data + 6] = 0;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes(
        fixture in 0..7usize,
        damages in prop::collection::vec(damage(), 1..20),
        piece in 1..20_000usize,
    ) {
        let fixture = &FIXTURES[fixture];
        let mut wire = fixture.wire.clone();
        for damage in &damages {
            apply(&mut wire, damage);
        }
        let _ = stored(&fixture.start, &wire, piece);
        let mut decoder = begun(&fixture.start);
        for bytes in wire.chunks(piece) {
            if decoder.target(bytes).is_err() {
                break;
            }
        }
    }

    // The framing stays whole, so that the damage gets to the decoders behind it.
    #[test]
    fn damaged_content(
        fixture in 0..7usize,
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..200),
    ) {
        let fixture = &FIXTURES[fixture];
        let mut pdus = pdus(&fixture.wire);
        let first = pdus.len().min(8);
        for (pdu, at, byte) in &damages {
            // Not Demand Active, without which nothing would be drawn.
            let pdu = first + pdu.index(pdus.len() - first);
            let pdu = &mut pdus[pdu];
            if pdu.len() > 16 {
                let at = 16 + at.index(pdu.len() - 16);
                pdu[at] = *byte;
                uncompress(pdu);
            }
        }
        let mut decoder = begun(&fixture.start);
        let mut log = RdpLog::new(&fixture.start);
        let mut out = Vec::new();
        let mut stored = begun(&Start { plain: true, ..fixture.start.clone() });
        for pdu in &pdus {
            if decoder.target(pdu).is_err() {
                break;
            }
            log.take(pdu, true);
            while log.advance(&mut out) {}
            stored.target(&out).unwrap();
            out.clear();
        }
        prop_assert!(picture(&decoder) == picture(&stored));
    }
}
