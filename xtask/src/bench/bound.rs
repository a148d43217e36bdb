//! What recording costs by itself on this machine: hashing, sealing and writing, measured one by one.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};

use super::clock;
use super::figures::{Spread, spread};
use super::places::MEMORY;

/// Bytes handled at once, about what a relay reads at once.
const PIECE: usize = 64 * 1024;
/// Bytes per round.
const VOLUME: usize = 256 << 20;
/// Rounds of each step.
const ROUNDS: usize = 5;

/// What one step takes for a gigabyte.
pub(crate) struct Cost {
    /// The step.
    pub(crate) step: &'static str,
    /// Seconds per GB.
    pub(crate) seconds: Spread,
}

const STEPS: [&str; 5] = [
    "hashing (SHA-256), CPU",
    "sealing (AES-256-GCM), CPU",
    "writing to disk, CPU",
    "writing to disk until it is durable, elapsed",
    "writing to memory, CPU",
];

/// Measures every step in one thread, interleaved; `directory` is where recordings would go.
pub(crate) fn measure(directory: &Path) -> Result<Vec<Cost>> {
    let mut times = [const { Vec::new() }; STEPS.len()];
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| anyhow!("AES-256-GCM is not available"))?;
    let key = LessSafeKey::new(key);
    let mut piece: Vec<u8> = (0..PIECE).map(|index| (index % 251) as u8).collect();
    for _ in 0..ROUNDS {
        let (disk, durable) = write(directory, &piece)?;
        let (memory, _) = write(Path::new(MEMORY), &piece)?;
        let took = [hash(&piece)?, seal(&key, &mut piece)?, disk, durable, memory];
        for (times, took) in times.iter_mut().zip(took) {
            times.push(took / VOLUME as f64 * 1e9);
        }
    }
    STEPS
        .iter()
        .zip(&times)
        .map(|(step, times)| Ok(Cost { step, seconds: spread(times).context("no rounds")? }))
        .collect()
}

fn hash(piece: &[u8]) -> Result<f64> {
    let began = cpu_time()?;
    for _ in 0..VOLUME / PIECE {
        black_box(digest(&SHA256, black_box(piece)));
    }
    Ok(cpu_time()? - began)
}

fn seal(key: &LessSafeKey, piece: &mut [u8]) -> Result<f64> {
    let began = cpu_time()?;
    for sequence in 0..VOLUME / PIECE {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&(sequence as u64).to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), piece);
        black_box(tag.map_err(|_| anyhow!("sealing failed"))?.as_ref());
    }
    Ok(cpu_time()? - began)
}

/// Seconds for which this thread was on a core (proc(5), `schedstat`), which others on the machine do not
/// lengthen.
fn cpu_time() -> Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().context("schedstat is empty")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

/// Writes a new file into the page cache, as a recorder does between its synchronisations, and then waits
/// for the disk; CPU seconds of the one and elapsed seconds of both.
fn write(directory: &Path, piece: &[u8]) -> Result<(f64, f64)> {
    let path = directory.join(format!("bench-write-{}", std::process::id()));
    let mut file = File::create(&path).with_context(|| format!("cannot write in {}", directory.display()))?;
    let (began, cpu) = (clock::now(), cpu_time()?);
    let written = (0..VOLUME / PIECE).try_for_each(|_| file.write_all(piece));
    let cpu = cpu_time()? - cpu;
    let synced = file.sync_data();
    let elapsed = clock::now().duration_since(began).as_secs_f64();
    fs::remove_file(&path)?;
    written?;
    synced?;
    Ok((cpu, elapsed))
}
