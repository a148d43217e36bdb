//! A synthetic RFB server that answers at once: with a Raw screen from memory, or with ZRLE and Tight
//! updates that a real server made before and that it repeats in turn.
//!
//! On a machine of few cores a real server's encoding bounds the throughput; this one leaves the bound to
//! the proxy. A repeated compressed update continues no zlib stream, which only a decoder would notice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::{Result, ensure};

use super::client::{TIGHT, ZRLE};

/// The size of its desktop.
const SIZE: (u16, u16) = (1920, 1080);
/// A connection's thread needs little more than its message buffer.
const STACK: usize = 128 * 1024;

/// Updates that a real server made of its whole 1920x1080 screen.
#[derive(Default)]
pub(crate) struct Captured {
    /// FramebufferUpdate messages in ZRLE.
    pub(crate) zrle: Vec<Vec<u8>>,
    /// FramebufferUpdate messages in Tight.
    pub(crate) tight: Vec<Vec<u8>>,
}

/// The server; its threads live as long as the process.
pub(crate) struct Source {
    address: SocketAddr,
    captured: Arc<OnceLock<Captured>>,
}

impl Source {
    /// Starts serving on loopback.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let captured = Arc::new(OnceLock::new());
        let raw = Arc::new(raw_update(SIZE.0, SIZE.1));
        let shared = Arc::clone(&captured);
        thread::Builder::new().name("source".into()).spawn(move || {
            for socket in listener.incoming().flatten() {
                let (raw, captured) = (Arc::clone(&raw), Arc::clone(&shared));
                // A connection ends with an error when its peer goes away; nobody has to know.
                thread::Builder::new()
                    .stack_size(STACK)
                    .spawn(move || serve(socket, &raw, &captured).ok())
                    .ok();
            }
        })?;
        Ok(Self { address, captured })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives it the compressed updates that it repeats from now on.
    pub(crate) fn supply(&self, captured: Captured) {
        // A second supply changes nothing: the first one is as good.
        self.captured.set(captured).ok();
    }
}

/// One connection, from the banner to its end.
fn serve(mut socket: TcpStream, raw: &[u8], captured: &OnceLock<Captured>) -> Result<()> {
    socket.set_nodelay(true)?;
    socket.write_all(b"RFB 003.008\n")?;
    take::<12>(&mut socket)?;
    socket.write_all(&[2, 1, 2])?;
    if take::<1>(&mut socket)? == [2] {
        // Any response is taken: only the cost of the exchange matters here.
        socket.write_all(b"fixed challenge!")?;
        take::<16>(&mut socket)?;
    }
    socket.write_all(&[0; 4])?;
    take::<1>(&mut socket)?;
    let mut init = Vec::new();
    init.extend(SIZE.0.to_be_bytes());
    init.extend(SIZE.1.to_be_bytes());
    init.extend([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    init.extend(6u32.to_be_bytes());
    init.extend(b"source");
    socket.write_all(&init)?;

    let mut encoding = 0;
    let mut turn = 0;
    loop {
        match take::<1>(&mut socket)?[0] {
            0 => drop(take::<19>(&mut socket)?),
            2 => {
                let head: [u8; 3] = take(&mut socket)?;
                let mut list = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]])) * 4];
                socket.read_exact(&mut list)?;
                encoding = list
                    .chunks_exact(4)
                    .filter_map(|bytes| bytes.try_into().ok().map(i32::from_be_bytes))
                    .find(|encoding| [0, TIGHT, ZRLE].contains(encoding))
                    .unwrap_or(0);
            }
            3 => {
                let request: [u8; 9] = take(&mut socket)?;
                if request[0] == 0 {
                    answer(&mut socket, &request, encoding, &mut turn, raw, captured)?;
                }
            }
            4 => drop(take::<7>(&mut socket)?),
            5 => drop(take::<5>(&mut socket)?),
            other => anyhow::bail!("the viewer sent message type {other}"),
        }
    }
}

/// The answer to a request that is not incremental; nothing ever changes, so the others get none.
fn answer(
    socket: &mut TcpStream,
    request: &[u8; 9],
    encoding: i32,
    turn: &mut usize,
    raw: &[u8],
    captured: &OnceLock<Captured>,
) -> Result<()> {
    let width = u16::from_be_bytes([request[5], request[6]]);
    let height = u16::from_be_bytes([request[7], request[8]]);
    if (width, height) != SIZE {
        socket.write_all(&raw_update(width, height))?;
        return Ok(());
    }
    let updates = match (encoding, captured.get()) {
        (ZRLE, Some(captured)) => &captured.zrle,
        (TIGHT, Some(captured)) => &captured.tight,
        _ => {
            socket.write_all(raw)?;
            return Ok(());
        }
    };
    ensure!(!updates.is_empty(), "no updates were captured");
    socket.write_all(&updates[*turn % updates.len()])?;
    *turn += 1;
    Ok(())
}

/// A FramebufferUpdate with one Raw rectangle at the origin, with pixels that are not all alike.
fn raw_update(width: u16, height: u16) -> Vec<u8> {
    let pixels = usize::from(width) * usize::from(height);
    let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
    update.extend(width.to_be_bytes());
    update.extend(height.to_be_bytes());
    update.extend(0i32.to_be_bytes());
    update.extend((0..pixels).flat_map(|pixel| (pixel as u32).wrapping_mul(0x9e37_79b9).to_le_bytes()));
    update
}

fn take<const N: usize>(socket: &mut TcpStream) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}
