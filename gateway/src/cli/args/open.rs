//! What can be typed to open recordings in a player.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use passerelle_recorder::PublicKey;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  passerelle recordings open ./01HZY3 --identity key.txt --signer ed25519:Zm9v…
  passerelle recordings open ./01HZY3 ./01HZY4 --identity key.txt --listen 127.0.0.1:8080
  passerelle recordings open 01HZY3 --browser")]
pub(crate) struct OpenArgs {
    /// The recordings: the paths of their directories, or their names in the list of this machine's gateway.
    #[arg(value_name = "RECORDING", required = true, value_hint = ValueHint::DirPath)]
    pub(crate) recordings: Vec<String>,
    /// The age identity file that opens them, as `age-keygen` writes it; without it the gateway's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<PathBuf>,
    /// The public key that must have signed them, instead of this gateway's.
    #[arg(long, value_name = "PUBLIC_KEY", value_hint = ValueHint::Other)]
    pub(crate) signer: Option<PublicKey>,
    /// Where to listen: an address of this machine that no other reaches. Port 0 is a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) listen: SocketAddr,
    /// Open the address in a browser, with xdg-open.
    #[arg(long)]
    pub(crate) browser: bool,
}

/// An address that only this machine reaches.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "give an address and a port: 127.0.0.1:8080")?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("what is shown is for this machine only: give a loopback address, as 127.0.0.1:8080".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        assert_eq!(loopback("127.0.0.1:80").unwrap().port(), 80);
        assert!(loopback("[::1]:0").is_ok());
        for wrong in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "localhost:80", "127.0.0.1"] {
            assert!(loopback(wrong).is_err(), "{wrong}");
        }
    }
}
