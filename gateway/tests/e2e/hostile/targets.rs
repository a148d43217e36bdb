//! Targets that attack the gateway or, through it, the viewer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use passerelle_rfb::{
    DesktopLayout, Encoding, PixelFormat, Rectangle, ResizeReason, ResizeStatus, Screen, ScreenList,
    ServerInit, ServerMessage, rectangle_header, update_header,
};

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::{Target, drain, take, version};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// By how much the gateway may grow over all attacks, in KiB. One that is believed costs 64 MiB at least.
const GROWTH: u64 = 32 * 1024;

/// What the viewer offers in attacks that need it.
const OFFERED: [Encoding; 14] = [
    Encoding::RAW,
    Encoding::COPY_RECT,
    Encoding::RRE,
    Encoding::CORRE,
    Encoding::HEXTILE,
    Encoding::TIGHT,
    Encoding::ZRLE,
    Encoding::CURSOR,
    Encoding::DESKTOP_NAME,
    Encoding::DESKTOP_SIZE,
    Encoding::EXTENDED_DESKTOP_SIZE,
    Encoding::FENCE,
    Encoding::QEMU_AUDIO,
    Encoding::EXTENDED_CLIPBOARD,
];

struct Attack {
    name: &'static str,
    /// What the viewer offers before.
    offered: &'static [Encoding],
    bytes: Vec<u8>,
    /// What the end of the session says.
    says: &'static str,
}

const fn at(x: u16, y: u16, width: u16, height: u16) -> Rectangle {
    Rectangle { x, y, width, height }
}

fn in_session() -> Vec<Attack> {
    let raw = &OFFERED[..1];
    let whole = at(0, 0, 64, 48);
    let screen = Screen { id: 1, area: Rectangle::of_size(u16::MAX, u16::MAX), flags: 0 };
    let screens = Screen::encode_all(&[screen]);
    let huge_layout = DesktopLayout {
        reason: ResizeReason::THIS_VIEWER,
        status: ResizeStatus(0),
        width: u16::MAX,
        height: u16::MAX,
        screens: ScreenList::new(&screens),
    };
    let resized = |width, height| {
        [&update_header(1)[..], &rectangle_header(at(0, 0, width, height), Encoding::DESKTOP_SIZE)].concat()
    };
    let len = 0x8000_0000_u32.to_be_bytes();
    let attack = |name, offered, bytes, says| Attack { name, offered, bytes, says };
    vec![
        attack("unknown message", &OFFERED, vec![0xee; 16], "message type 238"),
        attack(
            "rectangle beyond the right edge",
            raw,
            wire::update(at(60, 0, 5, 1), Encoding::RAW, &[]),
            "outside",
        ),
        attack(
            "rectangle at 65535",
            raw,
            wire::update(at(65535, 65535, 1, 1), Encoding::RAW, &[]),
            "outside",
        ),
        attack(
            "rectangle of 65535x65535",
            raw,
            wire::update(at(0, 0, 65535, 65535), Encoding::RAW, &[]),
            "outside",
        ),
        attack(
            "65535 rectangles, the second one outside",
            raw,
            [
                &update_header(65535)[..],
                &rectangle_header(at(0, 0, 1, 1), Encoding::RAW),
                &[0; 4],
                &rectangle_header(at(64, 0, 1, 1), Encoding::RAW),
            ]
            .concat(),
            "outside",
        ),
        attack(
            "encoding that was not offered",
            raw,
            wire::update(whole, Encoding::ZRLE, &[0; 64]),
            "never offered",
        ),
        attack(
            "encoding without a length",
            &OFFERED,
            wire::update(whole, Encoding(21), &[0; 64]),
            "never offered",
        ),
        attack("Apple's encoding", &OFFERED, wire::update(whole, Encoding(1100), &[0; 64]), "never offered"),
        attack(
            "copy from outside",
            &OFFERED,
            wire::update(at(0, 0, 8, 8), Encoding::COPY_RECT, &[0, 60, 0, 0]),
            "copied from",
        ),
        attack(
            "RRE with 2^32-1 subrectangles",
            &OFFERED,
            wire::update(whole, Encoding::RRE, &[0xff; 8]),
            "subrectangles",
        ),
        attack(
            "CoRRE with 2^32-1 subrectangles",
            &OFFERED,
            wire::update(whole, Encoding::CORRE, &[0xff; 8]),
            "subrectangles",
        ),
        attack("Hextile mask", &OFFERED, wire::update(whole, Encoding::HEXTILE, &[0xff; 8]), "Hextile"),
        attack("Tight control byte", &OFFERED, wire::update(whole, Encoding::TIGHT, &[0xf0; 8]), "Tight"),
        attack("Tight filter", &OFFERED, wire::update(whole, Encoding::TIGHT, &[0x40, 9, 0, 0]), "Tight"),
        attack("ZRLE of 2^31 bytes", &OFFERED, wire::update(whole, Encoding::ZRLE, &len), "at most"),
        attack(
            "cursor of 65535x65535",
            &OFFERED,
            wire::update(at(0, 0, 65535, 65535), Encoding::CURSOR, &[]),
            "cursor",
        ),
        attack(
            "name of 2^31 bytes",
            &OFFERED,
            wire::update(at(0, 0, 0, 0), Encoding::DESKTOP_NAME, &len),
            "name",
        ),
        attack("desktop of 65535x65535", &OFFERED, resized(65535, 65535), "resized"),
        attack("desktop of 0x0", &OFFERED, resized(0, 0), "resized"),
        attack(
            "layout of 65535x65535",
            &OFFERED,
            [&update_header(1)[..], &ServerMessage::Layout(huge_layout).encode()].concat(),
            "resized",
        ),
        attack(
            "fence of 65 bytes",
            &OFFERED,
            [&[248, 0, 0, 0, 0, 0, 0, 0, 65][..], &[0; 65]].concat(),
            "fence",
        ),
        attack("fence that was not offered", raw, vec![248, 0, 0, 0, 0, 0, 0, 0, 0], "never offered"),
        attack(
            "extended clipboard that was not offered",
            raw,
            [&[3, 0, 0, 0][..], &(-4_i32).to_be_bytes(), &[0; 4]].concat(),
            "never offered",
        ),
        attack(
            "extended clipboard without an action",
            &OFFERED,
            [&[3, 0, 0, 0][..], &(-4_i32).to_be_bytes(), &[0; 4]].concat(),
            "malformed",
        ),
        attack("sound of 2^31 bytes", &OFFERED, [&[255, 1, 0, 2][..], &len].concat(), "sound"),
    ]
}

/// Plays attack number `n` to connection `n`, behind the viewer's list of encodings.
#[test]
fn whatever_a_target_sends_ends_its_own_session_only() {
    Lab::run(|lab| {
        let attacks = Arc::new(in_session());
        let script = Arc::clone(&attacks);
        let target = Target::start(move |stream, number| {
            if let Some(attack) = script.get(number) {
                play(stream, attack);
            }
        })?;
        let good = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target).target("good", good.port, ""))?;
        let mut bystander = Viewer::login(&site, &site.ticket_for("bob", "good")?)?;
        bystander.refresh()?;
        let before = site.memory()?;
        for (number, attack) in attacks.iter().enumerate() {
            let ended = attacked(&site, attack, number + 1);
            ended.map_err(|error| format!("{}: {error}", attack.name))?;
        }
        let after = site.memory()?;
        if after > before + GROWTH {
            return Err(format!("the gateway grew from {before} to {after} KiB"));
        }
        let violations = site.audit_of("protocol.violation")?.len();
        if violations != attacks.len() {
            return Err(format!("{violations} times protocol.violation for {} attacks", attacks.len()));
        }
        bystander.refresh()?;
        drop(bystander);
        site.wait_ends(attacks.len() + 1)?;
        site.expect_sealed()
    });
}

fn play(mut stream: TcpStream, attack: &Attack) {
    // What the gateway passes on of the list: its length is the fourth byte.
    let mut head = [0; 4];
    let mut list = vec![0; 0];
    let heard = stream.read_exact(&mut head).and_then(|()| {
        list.resize(usize::from(head[3]) * 4, 0);
        stream.read_exact(&mut list)
    });
    if heard.is_ok() && stream.write_all(&attack.bytes).is_ok() {
        drain(stream);
    }
}

fn attacked(site: &Site<'_>, attack: &Attack, ends: usize) -> Outcome {
    let mut viewer = Viewer::login(site, &site.ticket()?)?;
    viewer.send(&wire::encodings(attack.offered))?;
    viewer.until_closed(SOON)?;
    let end = site.expect_end(ends, "target_violation")?;
    match end["message"].as_str() {
        Some(message) if message.contains(attack.says) => Ok(()),
        _ => Err(format!("the end does not say {:?}: {end}", attack.says)),
    }
}

/// What a target sends in place of each step of the handshake, from the list of security types on.
fn in_handshake() -> Vec<(&'static str, Vec<u8>, bool)> {
    let init = |init: ServerInit| [&[1, 1, 0, 0, 0, 0][..], &init.encode()].concat();
    let mut bad_format = init(wire::init());
    // Bits per pixel, after the list, the result and the size.
    bad_format[10] = 24;
    let mut long_name = init(wire::init());
    long_name.truncate(26);
    long_name.extend(0x8000_0000_u32.to_be_bytes());
    vec![
        ("reason of 2^31 bytes", [&[0][..], &0x8000_0000_u32.to_be_bytes(), &[b'x'; 65536]].concat(), false),
        ("reason of 2^32-1 bytes", [&[0][..], &[0xff; 4], &[b'x'; 65536]].concat(), false),
        ("255 types that nobody knows", vec![255; 256], false),
        ("result 77", vec![1, 1, 0, 0, 0, 77], true),
        ("desktop of 65535x65535", init(ServerInit { width: 65535, height: 65535, ..wire::init() }), true),
        ("desktop of 0x0", init(ServerInit { width: 0, height: 0, ..wire::init() }), true),
        ("24 bits per pixel", bad_format, true),
        ("name of 2^31 bytes", long_name, true),
        (
            "pixel format of zeros",
            {
                let format = PixelFormat { red_max: 0, green_max: 0, blue_max: 0, ..PixelFormat::BGRX };
                init(ServerInit { pixel_format: format, ..wire::init() })
            },
            true,
        ),
    ]
}

#[test]
fn whatever_a_target_sends_in_the_handshake_is_refused_with_a_sentence() {
    Lab::run(|lab| {
        let attacks = Arc::new(in_handshake());
        let script = Arc::clone(&attacks);
        let target = Target::raw(move |mut stream, number| {
            let Some((_, bytes, _)) = script.get(number) else { return };
            if version(&mut stream).is_ok() && stream.write_all(bytes).is_ok() {
                let _ = take::<1>(&mut stream);
                drain(stream);
            }
        })?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        site.ticket()?;
        let before = site.memory()?;
        let mut violations = 0;
        for (number, (name, _, violation)) in attacks.iter().enumerate() {
            let told = Viewer::login(&site, &site.ticket()?);
            expect_refusal(told, "desk: ").map_err(|error| format!("{name}: {error}"))?;
            let reason = if *violation { "target_violation" } else { "target_refused" };
            site.expect_end(number + 1, reason).map_err(|error| format!("{name}: {error}"))?;
            violations += usize::from(*violation);
        }
        let after = site.memory()?;
        if after > before + GROWTH {
            return Err(format!("the gateway grew from {before} to {after} KiB"));
        }
        match site.audit_of("protocol.violation")?.len() {
            audited if audited == violations => Ok(()),
            audited => Err(format!("{audited} times protocol.violation for {violations} violations")),
        }
    });
}
