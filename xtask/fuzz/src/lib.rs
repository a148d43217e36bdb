//! What must hold for any input. The fuzz targets and the plain tests that replay the seeds call these.
//!
//! Each function panics when its promise is broken, and so does whatever it calls when it should not.

mod config;
mod decoder;
mod drawn;
mod evidence;
mod handshake;
mod login;
mod proxy;
mod rdp;
mod relay;
mod rfb;
mod view;

/// A promise about any input.
pub type Oracle = fn(&[u8]);

/// Every oracle, under the name of its fuzz target and of the folder with its seeds.
pub const ORACLES: &[(&str, Oracle)] = &[
    ("audit", evidence::audit),
    ("config", config::parse),
    ("login", login::parse),
    ("proxy_header", proxy::header),
    ("rdp_decoder", rdp::decoder),
    ("rdp_relay", rdp::relay),
    ("rdp_target", rdp::target),
    ("rdp_viewer", rdp::viewer),
    ("recording", evidence::recording),
    ("rfb_client_framer", rfb::client_framer),
    ("rfb_server_framer", rfb::server_framer),
    ("rfb_server_init", rfb::server_init),
    ("rfb_target_handshake", handshake::target),
    ("rfb_viewer_handshake", handshake::viewer),
    ("view", view::view),
    ("vnc_decoder", decoder::decoder),
    ("vnc_relay", relay::relay),
];

/// Runs the oracle of a fuzz target.
///
/// # Panics
/// There is no such target, or its promise is broken.
pub fn run(target: &str, data: &[u8]) {
    let (_, oracle) = ORACLES.iter().find(|(name, _)| *name == target).expect("the oracle of a fuzz target");
    oracle(data);
}
