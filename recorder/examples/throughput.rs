//! How fast recordings are written, and what bounds it.
//!
//! `cargo run --release -p passerelle-recorder --example throughput -- DIRECTORY [MEGABYTES]` writes one
//! recording as fast as it takes it, then measures sealing, hashing and writing of the same records alone.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement for people")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use passerelle_recorder::{Clock, Lane, Recorder, RecorderSettings, Recording, Sealed, SigningKey, verify};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};

const RECORD: usize = 128 * 1024;

struct Ambient(Instant);

impl Clock for Ambient {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("say into which directory to write")?;
    let total = arguments.next().map_or(Ok(2000), |text| text.parse::<usize>())? << 20;
    let directory = Path::new(&directory).join(format!("throughput-{}", std::process::id()));

    let key = Arc::new(SigningKey::from_seed(&[1; 32]).ok_or("no key")?);
    let settings = RecorderSettings {
        directory: directory.join("recordings"),
        recipients: Vec::new(),
        identity_file: Some(directory.join("identity")),
        min_free_bytes: 0,
        writers: 0,
    };
    let clock = Arc::new(Ambient(Instant::now()));
    // Only the speed counts here.
    let random = Arc::new(|bytes: &mut [u8]| bytes.fill(7));
    let recorder = Recorder::start(settings, Arc::clone(&key), clock, random)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;

    for chunk in [64 * 1024, 4096, 64] {
        let total = if chunk < 1000 { total / 20 } else { total };
        let recording = recorder.open(&format!("chunks-of-{chunk}"), &serde_json::Value::Null)?;
        let start = Instant::now();
        let sealed = runtime.block_on(fill(&recording, chunk, total))?;
        let rate = total as f64 / start.elapsed().as_secs_f64() / 1e9;
        println!("recorded in appends of {chunk:>5} bytes: {rate:.2} GB/s, {} segments", sealed.segments);
    }

    let start = Instant::now();
    let verification = verify(&directory.join("recordings/chunks-of-65536"), &key.public_key())?;
    let rate = verification.bytes as f64 / start.elapsed().as_secs_f64() / 1e9;
    println!("verified: {rate:.2} GB/s; {}", verification.verdict);

    parts(&directory, total)?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

async fn fill(recording: &Recording, chunk: usize, total: usize) -> Result<Sealed, Box<dyn Error>> {
    let bytes: Vec<u8> = (0..chunk).map(|index| (index * 7) as u8).collect();
    for _ in 0..total / chunk {
        recording.ready().await?;
        recording.append(Lane::Target, &bytes)?;
    }
    Ok(recording.close("done").await?)
}

fn parts(directory: &Path, total: usize) -> Result<(), Box<dyn Error>> {
    let key = UnboundKey::new(&AES_256_GCM, &[3; 32]).map_err(|_| "no key")?;
    let key = LessSafeKey::new(key);
    let mut record = vec![5; RECORD];
    let report = |name: &str, start: Instant| {
        let rate = total as f64 / start.elapsed().as_secs_f64() / 1e9;
        println!("{name} alone: {rate:.2} GB/s");
    };

    let start = Instant::now();
    for number in 0..total / RECORD {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&(number as u64).to_be_bytes());
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)
            .map_err(|_| "cannot seal")?;
        let _ = std::hint::black_box(tag);
    }
    report("sealing", start);

    let start = Instant::now();
    for _ in 0..total / RECORD {
        std::hint::black_box(digest(&SHA256, std::hint::black_box(&record)));
    }
    report("hashing", start);

    let path = directory.join("plain");
    let mut file = File::create(&path)?;
    let start = Instant::now();
    for _ in 0..total / RECORD {
        file.write_all(&record)?;
    }
    report("writing", start);

    let source = record.clone();
    let start = Instant::now();
    for _ in 0..total / RECORD {
        record.clear();
        record.extend_from_slice(std::hint::black_box(&source));
    }
    report("copying", start);
    Ok(())
}
