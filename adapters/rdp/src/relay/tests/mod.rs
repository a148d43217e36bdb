mod blackout;
mod capabilities;
mod dynamic;
mod finish;
mod frame;
mod graphics;
mod hostile;
mod input;
mod io;
mod later;
mod statics;

use std::borrow::Cow;

use ironrdp_core::{Encode, encode_vec};
use ironrdp_pdu::gcc::{ChannelDef, ChannelName, ChannelOptions};
use ironrdp_pdu::mcs::{McsMessage, SendDataIndication, SendDataRequest};
use ironrdp_pdu::rdp::capability_sets::*;
use ironrdp_pdu::rdp::client_info::CompressionType;
use ironrdp_pdu::rdp::finalization_messages::{FontPdu, SequenceFlags};
use ironrdp_pdu::rdp::headers::*;
use ironrdp_pdu::x224::X224;
use passerelle_desktop::*;

use super::{RdpInputReader, RdpRelay, RelaySettings};
use crate::{Channels, StaticChannel};

const IO: u16 = 1003;
const MESSAGE: u16 = 1020;
const USER: u16 = 1021;
const SERVER: u16 = 1002;
const SHARE: u32 = 0x0001_03ea;
const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;

/// The static channels of the tests; the first has the number after the I/O channel's.
const STATICS: [&str; 6] = ["rdpdr", "rdpsnd", "cliprdr", "drdynvc", "rail", "remdesk"];

fn channel(name: &str) -> u16 {
    let index = STATICS.iter().position(|other| *other == name).unwrap();
    IO + 1 + u16::try_from(index).unwrap()
}

/// A leg whose numbers are `shift` more than the usual ones.
fn leg(shift: u16) -> Channels {
    let statics = STATICS.iter().map(|name| StaticChannel {
        id: channel(name) + shift,
        definition: ChannelDef {
            name: ChannelName::from_utf8(name).unwrap(),
            options: ChannelOptions::INITIALIZED,
        },
    });
    Channels {
        user: USER + shift,
        io: IO + shift,
        message: Some(MESSAGE + shift),
        statics: statics.collect(),
    }
}

fn all() -> Permissions {
    Permission::ALL.iter().copied().collect()
}

fn settings() -> RelaySettings {
    RelaySettings {
        viewer: leg(0),
        target: leg(0),
        permissions: all(),
        granted: all(),
        clipboard: ClipboardLimits { to_target: 1000, from_target: 1000 },
        keystrokes: KeystrokePolicy::None,
        store_clipboard: false,
        recorded: true,
        blackout: false,
        auto_reconnect: false,
    }
}

fn without(permission: Permission) -> RelaySettings {
    let permissions = all().without(permission);
    RelaySettings { permissions, granted: permissions, ..settings() }
}

/// A relay between a viewer and a target whose streams are held in memory.
struct Pair {
    relay: RdpRelay,
    from_viewer: Vec<u8>,
    from_target: Vec<u8>,
    to_viewer: Vec<u8>,
    to_target: Vec<u8>,
    viewer_lane: Vec<u8>,
    target_lane: Vec<u8>,
    notices: Vec<Notice>,
}

impl Pair {
    /// A session in which nothing was sent yet.
    fn new(settings: RelaySettings) -> Self {
        Self {
            relay: RdpRelay::new(settings),
            from_viewer: vec![],
            from_target: vec![],
            to_viewer: vec![],
            to_target: vec![],
            viewer_lane: vec![],
            target_lane: vec![],
            notices: vec![],
        }
    }

    /// A session after finalization.
    fn active(settings: RelaySettings) -> Self {
        let mut pair = Self::new(settings);
        pair.activate();
        pair.forget();
        pair
    }

    fn activate(&mut self) {
        self.target(IO, &license_valid()).unwrap();
        self.target(IO, &demand_active(WIDTH, HEIGHT)).unwrap();
        self.viewer(IO, &confirm_active()).unwrap();
        self.target(IO, &font_map()).unwrap();
    }

    fn forget(&mut self) {
        for bytes in [&mut self.to_viewer, &mut self.to_target, &mut self.viewer_lane, &mut self.target_lane]
        {
            bytes.clear();
        }
        self.notices.clear();
    }

    /// The viewer sends user data.
    fn viewer(&mut self, channel: u16, data: &[u8]) -> Result<(), RelayError> {
        self.viewer_sends(&request(USER, channel, data))
    }

    /// The target sends user data.
    fn target(&mut self, channel: u16, data: &[u8]) -> Result<(), RelayError> {
        self.target_sends(&indication(SERVER, channel, data))
    }

    fn viewer_sends(&mut self, bytes: &[u8]) -> Result<(), RelayError> {
        self.from_viewer.extend_from_slice(bytes);
        self.run()
    }

    fn target_sends(&mut self, bytes: &[u8]) -> Result<(), RelayError> {
        self.from_target.extend_from_slice(bytes);
        self.run()
    }

    fn take_to_target(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_target)
    }

    fn take_to_viewer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_viewer)
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn denials(&mut self) -> Vec<(Side, Permission)> {
        let denied = |notice| match notice {
            Notice::Denied(denied) => Some((denied.by, denied.permission)),
            _ => None,
        };
        self.take_notices().into_iter().filter_map(denied).collect()
    }

    /// The channels that were told, with whether they were opened.
    fn channels(&mut self) -> Vec<(String, bool)> {
        let channel = |notice| match notice {
            Notice::Channel { name, opened, .. } => Some((name, opened)),
            _ => None,
        };
        self.take_notices().into_iter().filter_map(channel).collect()
    }

    fn permit(&mut self, permissions: Permissions) {
        self.relay.set_permissions(permissions);
        self.run().unwrap();
    }

    /// Steps until neither side has anything that can be decided.
    fn run(&mut self) -> Result<(), RelayError> {
        let (mut viewer, mut target) = (true, true);
        while viewer || target {
            target = self.step(Side::Target)?;
            viewer = self.step(Side::Viewer)?;
        }
        Ok(())
    }

    fn step(&mut self, from: Side) -> Result<bool, RelayError> {
        let (buffer, output, lane) = match from {
            Side::Viewer => (&mut self.from_viewer, &mut self.to_target, &mut self.viewer_lane),
            Side::Target => (&mut self.from_target, &mut self.to_viewer, &mut self.target_lane),
        };
        if let Some(injection) = self.relay.take_injection(from.other()) {
            assert!(!injection.is_empty());
            output.extend(&injection);
            lane.extend(injection);
            return Ok(true);
        }
        if buffer.is_empty() {
            return Ok(false);
        }
        let (len, sent, record) = match self.relay.step(from, buffer, &mut self.notices)? {
            Step::NeedMore { total } => {
                assert!(total > buffer.len() && total <= 65536);
                (0, vec![], Record::Wire)
            }
            Step::Blocked => (0, vec![], Record::Wire),
            Step::Forward { len, record } => (len, buffer[..len].to_vec(), record),
            Step::Drop { len } => (len, vec![], Record::Wire),
            Step::Replace { len, with, record } => (len, with, record),
        };
        assert!(len <= buffer.len());
        buffer.drain(..len);
        match record {
            Record::Wire => lane.extend_from_slice(&sent),
            Record::Redacted(kept) => lane.extend(kept),
        }
        output.extend(sent);
        self.relay.settled(&mut self.notices);
        Ok(len > 0)
    }
}

fn request(initiator_id: u16, channel_id: u16, data: &[u8]) -> Vec<u8> {
    let user_data = Cow::Borrowed(data);
    encode_vec(&X224(McsMessage::SendDataRequest(SendDataRequest { initiator_id, channel_id, user_data })))
        .unwrap()
}

fn indication(initiator_id: u16, channel_id: u16, data: &[u8]) -> Vec<u8> {
    let user_data = Cow::Borrowed(data);
    encode_vec(&X224(McsMessage::SendDataIndication(SendDataIndication {
        initiator_id,
        channel_id,
        user_data,
    })))
    .unwrap()
}

/// The MCS messages in `bytes`: initiator, channel, user data.
fn messages(mut bytes: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    let mut out = vec![];
    while !bytes.is_empty() {
        let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        out.push(match ironrdp_core::decode::<X224<McsMessage<'_>>>(&bytes[..len]).unwrap().0 {
            McsMessage::SendDataRequest(pdu) => {
                (pdu.initiator_id, pdu.channel_id, pdu.user_data.into_owned())
            }
            McsMessage::SendDataIndication(pdu) => {
                (pdu.initiator_id, pdu.channel_id, pdu.user_data.into_owned())
            }
            other => panic!("{other:?}"),
        });
        bytes = &bytes[len..];
    }
    out
}

/// The user data of the only MCS message in `bytes`.
fn only(bytes: &[u8]) -> Vec<u8> {
    let mut messages = messages(bytes);
    assert_eq!(messages.len(), 1);
    messages.remove(0).2
}

fn share_control(pdu_source: u16, share_control_pdu: ShareControlPdu) -> Vec<u8> {
    encode_vec(&ShareControlHeader { share_control_pdu, pdu_source, share_id: SHARE }).unwrap()
}

fn share_data(pdu_source: u16, share_data_pdu: ShareDataPdu) -> Vec<u8> {
    let mut pdu = share_control(
        pdu_source,
        ShareControlPdu::Data(ShareDataHeader {
            share_data_pdu,
            stream_priority: StreamPriority::Low,
            compression_flags: CompressionFlags::empty(),
            compression_type: CompressionType::K8,
        }),
    );
    // uncompressedLength as common clients and servers count it, from pduType2 on.
    let len = (pdu.len() as u16 - 14).to_le_bytes();
    pdu[12..14].copy_from_slice(&len);
    pdu
}

/// A Licensing Error PDU that ends licensing (MS-RDPBCGR 2.2.1.12).
fn license_valid() -> Vec<u8> {
    [&[0x80, 0, 0, 0, 0xff, 3, 16, 0][..], &[7, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0]].concat()
}

fn capability_sets(width: u16, height: u16) -> Vec<CapabilitySet> {
    let orders = [OrderSupportIndex::DstBlt, OrderSupportIndex::MemBlt, OrderSupportIndex::Index];
    let mut order = Order::new(
        OrderFlags::NEGOTIATE_ORDER_SUPPORT
            | OrderFlags::ZERO_BOUNDS_DELTAS_SUPPORT
            | OrderFlags::ORDER_FLAGS_EXTRA_FLAGS,
        OrderSupportExFlags::ALTSEC_FRAME_MARKER_SUPPORT,
        480 * 480,
        0,
    );
    for index in orders {
        order.set_support_flag(index, true);
    }
    let ns_codec = CodecProperty::NsCodec(NsCodec {
        is_dynamic_fidelity_allowed: true,
        is_subsampling_allowed: true,
        color_loss_level: 3,
    });
    let remote_fx = CodecProperty::RemoteFx(RemoteFxContainer::ServerContainer(4));
    vec![
        CapabilitySet::General(General {
            major_platform_type: MajorPlatformType::WINDOWS,
            minor_platform_type: MinorPlatformType::WINDOWS_NT,
            protocol_version: PROTOCOL_VER,
            extra_flags: GeneralExtraFlags::FASTPATH_OUTPUT_SUPPORTED
                | GeneralExtraFlags::AUTORECONNECT_SUPPORTED,
            refresh_rect_support: true,
            suppress_output_support: true,
        }),
        CapabilitySet::Bitmap(Bitmap {
            pref_bits_per_pix: 32,
            desktop_width: width,
            desktop_height: height,
            desktop_resize_flag: true,
            drawing_flags: BitmapDrawingFlags::ALLOW_SKIP_ALPHA,
        }),
        CapabilitySet::Order(order),
        CapabilitySet::Input(Input {
            input_flags: InputFlags::SCANCODES | InputFlags::FASTPATH_INPUT,
            keyboard_layout: 0,
            keyboard_type: None,
            keyboard_subtype: 0,
            keyboard_function_key: 0,
            keyboard_ime_filename: String::new(),
        }),
        CapabilitySet::Brush(Brush { support_level: SupportLevel::Color8x8 }),
        CapabilitySet::GlyphCache(GlyphCache {
            glyph_cache: Default::default(),
            frag_cache: CacheDefinition { entries: 254, max_cell_size: 256 },
            glyph_support_level: GlyphSupportLevel::Encode,
        }),
        CapabilitySet::OffscreenBitmapCache(OffscreenBitmapCache {
            is_supported: true,
            cache_size: 7680,
            cache_entries: 100,
        }),
        CapabilitySet::VirtualChannel(VirtualChannel {
            flags: VirtualChannelFlags::COMPRESSION_SERVER_TO_CLIENT
                | VirtualChannelFlags::COMPRESSION_CLIENT_TO_SERVER_8K,
            chunk_size: Some(1600),
        }),
        CapabilitySet::BitmapCodecs(BitmapCodecs(vec![
            Codec { id: 1, property: ns_codec },
            Codec { id: 3, property: remote_fx },
        ])),
        CapabilitySet::Rail(Rail { support_level: RailSupportLevel::SUPPORTED }),
    ]
}

fn demand_active(width: u16, height: u16) -> Vec<u8> {
    let pdu =
        DemandActive { source_descriptor: "RDP".into(), capability_sets: capability_sets(width, height) };
    share_control(SERVER, ShareControlPdu::ServerDemandActive(ServerDemandActive { pdu }))
}

fn confirm_active() -> Vec<u8> {
    let pdu =
        DemandActive { source_descriptor: "MSTSC".into(), capability_sets: capability_sets(WIDTH, HEIGHT) };
    let confirm = ClientConfirmActive { originator_id: SERVER_CHANNEL_ID, pdu };
    share_control(USER, ShareControlPdu::ClientConfirmActive(confirm))
}

fn font_map() -> Vec<u8> {
    let font = FontPdu {
        number: 0,
        total_number: 0,
        flags: SequenceFlags::FIRST | SequenceFlags::LAST,
        entry_size: 4,
    };
    share_data(SERVER, ShareDataPdu::FontMap(font))
}

/// A chunk of a static channel (MS-RDPBCGR 2.2.6.1).
fn chunk(total: usize, flags: u32, data: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(total).unwrap().to_le_bytes().to_vec();
    out.extend(flags.to_le_bytes());
    out.extend(data);
    out
}

const FIRST: u32 = 1;
const LAST: u32 = 2;

/// A message of a static channel in one chunk.
fn message(data: &[u8]) -> Vec<u8> {
    chunk(data.len(), FIRST | LAST, data)
}

fn encoded(pdu: &impl Encode) -> Vec<u8> {
    encode_vec(pdu).unwrap()
}
