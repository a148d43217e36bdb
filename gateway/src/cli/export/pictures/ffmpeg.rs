//! The process that encodes: ffmpeg, with two pipes and no files.

use std::io::{self, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, setpriority_process};

use super::super::super::args::Quality;
use super::super::super::output::harmless;
use super::matroska::{Dimensions, raw_frame_head, raw_head};

/// How much less important than everything else it is (1 to 19).
const NICE: i32 = 10;
/// What is kept of what it complains about, in bytes.
const COMPLAINTS: u64 = 1000;
/// The longest frame that is taken, in bytes.
const MAX_FRAME: u32 = 256 << 20;
/// A key frame comes with the first change after so many seconds.
const KEY_FRAMES: &str = "expr:isnan(prev_forced_t)+gte(t,prev_forced_t+10)";
/// Colours go to the form of high-definition television, which players take for granted.
const FILTER: &str =
    "scale=in_range=pc:out_range=tv:out_color_matrix=bt709:flags=accurate_rnd+full_chroma_int,format=yuv420p";

/// Why nothing is encoded.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::export) enum EncodeError {
    #[error("videos are encoded by ffmpeg, which is not installed")]
    Missing,
    #[error("this ffmpeg was built without libvpx-vp9, which encodes the videos")]
    NoVp9,
    #[error("ffmpeg cannot be started: {0}")]
    Start(io::Error),
    #[error("ffmpeg came to an end: {0}")]
    Ended(String),
    #[error("ffmpeg answers with something else than VP9")]
    Answer,
}

/// Whether there is an ffmpeg that encodes VP9.
pub(super) fn check() -> Result<(), EncodeError> {
    let output =
        command().args(["-loglevel", "error", "-encoders"]).stdin(Stdio::null()).output().map_err(start)?;
    let has = String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == "libvpx-vp9");
    if has { Ok(()) } else { Err(EncodeError::NoVp9) }
}

fn start(error: io::Error) -> EncodeError {
    if error.kind() == io::ErrorKind::NotFound { EncodeError::Missing } else { EncodeError::Start(error) }
}

fn command() -> Command {
    let mut command = Command::new("ffmpeg");
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).current_dir("/").arg("-hide_banner");
    command
}

/// Ends the process, from wherever.
#[derive(Clone)]
pub(super) struct Kill(Arc<Mutex<Child>>);

impl Kill {
    pub(super) fn kill(&self) {
        // One that has ended already cannot be ended.
        let _ = self.lock().kill();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that encodes one video. Dropping it ends it.
pub(super) struct Encoder {
    child: Kill,
    complaints: Option<JoinHandle<String>>,
}

impl Encoder {
    /// Starts one for frames of this size.
    pub(super) fn start(size: Dimensions, quality: Quality) -> Result<(Self, Frames, Packets), EncodeError> {
        let (crf, deadline, speed) = match quality {
            Quality::Small => ("42", "realtime", "7"),
            Quality::Normal => ("30", "realtime", "6"),
            Quality::Best => ("12", "good", "3"),
        };
        let mut command = command();
        command.args(["-loglevel", "error", "-nostats", "-nostdin", "-protocol_whitelist", "pipe"]);
        command.args(["-f", "matroska", "-i", "pipe:0", "-map", "0:v:0", "-vf", FILTER]);
        // Every frame goes through at its time; none is repeated or left out.
        command.args(["-fps_mode", "passthrough", "-enc_time_base", "1:1000"]);
        command.args([
            "-c:v",
            "libvpx-vp9",
            "-b:v",
            "0",
            "-crf",
            crf,
            "-deadline",
            deadline,
            "-cpu-used",
            speed,
        ]);
        command.args([
            "-row-mt",
            "1",
            "-tile-columns",
            "2",
            "-tune-content",
            "screen",
            "-lag-in-frames",
            "0",
        ]);
        command.args(["-g", "9999", "-force_key_frames", KEY_FRAMES]);
        command.args([
            "-colorspace",
            "bt709",
            "-color_primaries",
            "bt709",
            "-color_trc",
            "bt709",
            "-color_range",
            "tv",
        ]);
        command.args(["-f", "ivf", "pipe:1"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Err(error) = setpriority_process(pid, NICE) {
            tracing::debug!(%error, "ffmpeg runs with the priority of this process");
        }
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let mut encoder = Self { child: Kill(Arc::new(Mutex::new(child))), complaints: None };
        let broken = || EncodeError::Start(io::ErrorKind::BrokenPipe.into());
        let ((input, output), errors) = pipes.ok_or_else(broken)?;
        encoder.complaints = Some(std::thread::spawn(move || complaints(errors)));
        let mut frames = Frames(input);
        if frames.0.write_all(&raw_head(size)).is_err() {
            return Err(encoder.ended());
        }
        Ok((encoder, frames, Packets { from: BufReader::with_capacity(256 << 10, output), time: None }))
    }

    pub(super) fn killer(&self) -> Kill {
        self.child.clone()
    }

    /// Why it ended too early.
    pub(super) fn ended(&mut self) -> EncodeError {
        self.child.kill();
        let status = self.child.lock().wait();
        let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let why = match (said.is_empty(), status) {
            (false, _) => said,
            (true, Ok(status)) => status.to_string(),
            (true, Err(error)) => error.to_string(),
        };
        EncodeError::Ended(why)
    }

    /// Waits for the end of one that has answered everything.
    pub(super) fn finish(mut self) -> Result<(), EncodeError> {
        let status = self.child.lock().wait();
        if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err(self.ended()) }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.child.kill();
        // Nothing is left of it.
        let _ = self.child.lock().wait();
    }
}

/// The end of what it complains about, on one line.
fn complaints(mut errors: impl Read) -> String {
    let mut first = Vec::new();
    let _ = errors.by_ref().take(COMPLAINTS).read_to_end(&mut first);
    // It must not wait for somebody to read the rest.
    let _ = io::copy(&mut errors, &mut io::sink());
    let text = String::from_utf8_lossy(&first);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    harmless(&lines.join("; ")).into_owned()
}

/// What the process is sent.
pub(super) struct Frames(ChildStdin);

impl Frames {
    /// Sends a frame: blue, green, red and a byte without meaning for each pixel.
    pub(super) fn send(&mut self, t_ms: u64, bgr0: &[u8]) -> io::Result<()> {
        self.0.write_all(&raw_frame_head(t_ms, bgr0.len() as u64))?;
        self.0.write_all(bgr0)
    }
}

/// What it answers: frames of VP9 in an IVF stream.
pub(super) struct Packets<R = BufReader<ChildStdout>> {
    from: R,
    /// Ticks in so many seconds, as two numbers.
    time: Option<(u64, u64)>,
}

impl<R: Read> Packets<R> {
    /// The next frame: its time in milliseconds, and whether it needs no other. Nothing at the end.
    pub(super) fn next(&mut self, frame: &mut Vec<u8>) -> Result<Option<(u64, bool)>, EncodeError> {
        let time = match self.time {
            Some(time) => time,
            None => match self.header()? {
                Some(time) => *self.time.insert(time),
                None => return Ok(None),
            },
        };
        let Some(head) = self.head::<12>()? else { return Ok(None) };
        let [s0, s1, s2, s3, t @ ..] = head;
        let (size, ticks) = (u32::from_le_bytes([s0, s1, s2, s3]), u64::from_le_bytes(t));
        if size > MAX_FRAME {
            return Err(EncodeError::Answer);
        }
        frame.clear();
        let read = (&mut self.from).take(size.into()).read_to_end(frame);
        if read.map_err(|_| EncodeError::Answer)? < size as usize {
            return Err(EncodeError::Answer);
        }
        let (rate, scale) = time;
        let t_ms = ticks.checked_mul(scale * 1000).ok_or(EncodeError::Answer)? / rate;
        Ok(Some((t_ms, is_key(frame))))
    }

    fn header(&mut self) -> Result<Option<(u64, u64)>, EncodeError> {
        let Some(header) = self.head::<32>()? else { return Ok(None) };
        let number = |at: usize| {
            let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            u64::from(u32::from_le_bytes(bytes))
        };
        let (rate, scale) = (number(16), number(20));
        let good = header.starts_with(b"DKIF\0\0\x20\0VP90") && rate > 0 && scale > 0;
        good.then_some(Some((rate, scale))).ok_or(EncodeError::Answer)
    }

    /// So many bytes; nothing at the end.
    fn head<const N: usize>(&mut self) -> Result<Option<[u8; N]>, EncodeError> {
        let mut bytes = Vec::with_capacity(N);
        (&mut self.from).take(N as u64).read_to_end(&mut bytes).map_err(|_| EncodeError::Answer)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        bytes.try_into().map(Some).map_err(|_| EncodeError::Answer)
    }
}

/// Whether a frame of VP9, profile 0 to 2, is a key frame: `show_existing_frame` and `frame_type` are both 0.
fn is_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first >> 6 == 0b10 && first & 0b1100 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ivf(rate: u32, scale: u32, frames: &[(u64, &[u8])]) -> Vec<u8> {
        let mut file = b"DKIF\0\0\x20\0VP90\x80\x02\xe0\x01".to_vec();
        file.extend([rate.to_le_bytes(), scale.to_le_bytes(), [0; 4], [0; 4]].concat());
        for (ticks, frame) in frames {
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend(ticks.to_le_bytes());
            file.extend_from_slice(frame);
        }
        file
    }

    fn read(file: &[u8]) -> Result<Vec<(u64, bool, Vec<u8>)>, EncodeError> {
        let mut packets = Packets { from: file, time: None };
        let (mut found, mut frame) = (Vec::new(), Vec::new());
        while let Some((t_ms, key)) = packets.next(&mut frame)? {
            found.push((t_ms, key, frame.clone()));
        }
        Ok(found)
    }

    #[test]
    fn frames_are_read_with_their_times_and_key_frames_told_apart() {
        let (key, other) = (&[0b1000_0010u8, 1][..], &[0b1000_0110u8, 2][..]);
        let frames = [(0, key), (41, other), (9_000_000_000, key)];
        let expected: Vec<_> = frames.iter().map(|(t, frame)| (*t, *frame == key, frame.to_vec())).collect();
        assert_eq!(read(&ivf(1000, 1, &frames)).unwrap(), expected);
        assert_eq!(read(&ivf(30, 1, &[(3, other)])).unwrap(), [(100, false, other.to_vec())]);
        assert_eq!(read(&[]).unwrap(), []);
    }

    #[test]
    fn what_is_no_vp9_is_refused() {
        let good = ivf(1000, 1, &[(0, b"abc")]);
        let mut long = good.clone();
        long[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        let ended = [&good[..20], &good[..40], &good[..good.len() - 1]].map(<[u8]>::to_vec);
        let others = [long, ivf(0, 1, &[]), [b"RIFF".as_slice(), &good].concat()];
        for file in ended.into_iter().chain(others) {
            assert!(matches!(read(&file), Err(EncodeError::Answer)), "{file:?}");
        }
    }
}
