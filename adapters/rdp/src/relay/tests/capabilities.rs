use super::*;

/// The capability sets of a Demand Active or Confirm Active.
fn sets(pdu: &[u8]) -> Vec<CapabilitySet> {
    let header: ShareControlHeader = ironrdp_core::decode(pdu).unwrap();
    assert_eq!(header.share_id, SHARE);
    match header.share_control_pdu {
        ShareControlPdu::ServerDemandActive(pdu) => pdu.pdu.capability_sets,
        ShareControlPdu::ClientConfirmActive(pdu) => pdu.pdu.capability_sets,
        other => panic!("{other:?}"),
    }
}

struct Both {
    demand: Vec<CapabilitySet>,
    confirm: Vec<CapabilitySet>,
}

/// What becomes of all capability sets in a session.
fn negotiated(settings: RelaySettings) -> Both {
    let mut pair = Pair::new(settings);
    pair.target(IO, &license_valid()).unwrap();
    pair.take_to_viewer();
    pair.target(IO, &demand_active(WIDTH, HEIGHT)).unwrap();
    let demand = only(&pair.take_to_viewer());
    assert_eq!(demand.len(), demand_active(WIDTH, HEIGHT).len());
    pair.viewer(IO, &confirm_active()).unwrap();
    let confirm = only(&pair.take_to_target());
    assert_eq!(confirm.len(), confirm_active().len());
    Both { demand: sets(&demand), confirm: sets(&confirm) }
}

/// The sets that were sent, changed.
fn changed(mut change: impl FnMut(&mut CapabilitySet)) -> Vec<CapabilitySet> {
    // As they look after they went over the wire.
    let mut all = sets(&demand_active(WIDTH, HEIGHT));
    all.iter_mut().for_each(&mut change);
    all
}

#[test]
fn static_channels_are_never_compressed() {
    let open = RelaySettings { recorded: false, auto_reconnect: true, ..settings() };
    let Both { demand, confirm } = negotiated(open);
    let expected = changed(|set| {
        if let CapabilitySet::VirtualChannel(channel) = set {
            channel.flags = VirtualChannelFlags::NO_COMPRESSION;
        }
    });
    assert_eq!(demand, expected);
    assert_eq!(confirm, expected);
}

#[test]
fn what_no_decoder_follows_is_kept_out_of_recorded_sessions() {
    let Both { demand, confirm } = negotiated(RelaySettings { auto_reconnect: true, ..settings() });
    let common = |set: &mut CapabilitySet| match set {
        CapabilitySet::VirtualChannel(channel) => channel.flags = VirtualChannelFlags::NO_COMPRESSION,
        CapabilitySet::Brush(brush) => brush.support_level = SupportLevel::Default,
        CapabilitySet::GlyphCache(cache) => cache.glyph_support_level = GlyphSupportLevel::None,
        CapabilitySet::OffscreenBitmapCache(cache) => cache.is_supported = false,
        CapabilitySet::BitmapCodecs(codecs) => codecs.0[0].property = CodecProperty::None,
        _ => {}
    };
    assert_eq!(demand, changed(common));
    let no_orders = Order::new(
        OrderFlags::NEGOTIATE_ORDER_SUPPORT | OrderFlags::ZERO_BOUNDS_DELTAS_SUPPORT,
        OrderSupportExFlags::empty(),
        480 * 480,
        0,
    );
    assert!(confirm.contains(&CapabilitySet::Order(no_orders)));
    let without_orders = |sets: Vec<CapabilitySet>| -> Vec<CapabilitySet> {
        sets.into_iter().filter(|set| !matches!(set, CapabilitySet::Order(_))).collect()
    };
    assert_eq!(without_orders(confirm), without_orders(changed(common)));
}

#[test]
fn the_auto_reconnect_cookie_is_not_asked_for() {
    let Both { demand, confirm } = negotiated(RelaySettings { recorded: false, ..settings() });
    for sets in [demand, confirm] {
        let Some(CapabilitySet::General(general)) = sets.first() else { panic!() };
        assert_eq!(general.extra_flags, GeneralExtraFlags::FASTPATH_OUTPUT_SUPPORTED);
    }
}

#[test]
fn remote_applications_are_announced_with_their_permission() {
    for (settings, level) in [
        (settings(), RailSupportLevel::SUPPORTED),
        (without(Permission::RemoteApps), RailSupportLevel::empty()),
    ] {
        let Both { demand, confirm } = negotiated(settings);
        for sets in [demand, confirm] {
            assert!(sets.contains(&CapabilitySet::Rail(Rail { support_level: level })));
        }
    }
}

#[test]
fn every_reactivation_is_edited_and_tells_a_new_size() {
    let mut pair = Pair::active(settings());
    for (width, height, told) in
        [(800, 600, true), (800, 600, false), (1024, 768, true), (WIDTH, HEIGHT, true)]
    {
        pair.target(IO, &[6, 0, 0x16, 0, 0, 0]).unwrap();
        pair.take_to_viewer();
        pair.target(IO, &demand_active(width, height)).unwrap();
        let sent = sets(&only(&pair.take_to_viewer()));
        assert!(sent.iter().any(|set| matches!(
            set,
            CapabilitySet::VirtualChannel(VirtualChannel { flags: VirtualChannelFlags::NO_COMPRESSION, .. })
        )));
        let expected = if told { vec![Notice::Resized { width, height }] } else { vec![] };
        assert_eq!(pair.take_notices(), expected);
        pair.viewer(IO, &confirm_active()).unwrap();
        assert_ne!(only(&pair.take_to_target()), confirm_active());
    }
}

#[test]
fn capability_sets_that_do_not_fit_end_the_session() {
    let good = demand_active(WIDTH, HEIGHT);
    // The length of the source descriptor, the number of sets, the length of the first one.
    let descriptor = 14 + usize::from(good[10]);
    for at in [11, descriptor, descriptor + 1, descriptor + 6, descriptor + 7] {
        let mut pdu = good.clone();
        pdu[at] = 0xff;
        let mut pair = Pair::new(settings());
        assert!(pair.target(IO, &pdu).is_err(), "{at}");
        assert!(pair.take_to_viewer().is_empty());
    }
    for len in 6..40 {
        let mut pdu = good[..len].to_vec();
        pdu[0] = len as u8;
        pdu[1] = 0;
        assert!(Pair::new(settings()).target(IO, &pdu).is_err(), "{len}");
    }
}
