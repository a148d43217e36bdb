//! Recordings and audit logs that somebody changed.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use passerelle_recorder::audit::{self, AuditEvent, AuditKind, AuditLog, AuditVerdict};
use passerelle_recorder::{
    Clock, Identity, Lane, Reader, Recorder, RecorderSettings, SigningKey, Verdict, verify,
};

/// The directory of a recording, and the file with the identity that opens it.
const RECORDING: &str = "session";
const IDENTITY: &str = "identity";
/// The files of an audit log.
const LOG: &str = "audit-000001.jsonl";
const CHECKPOINT: &str = "audit.checkpoint";

/// Time stands still.
struct Stopped;

impl Clock for Stopped {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// The names and contents of a directory's files, in the order of their names. Lock files do not count.
type Files = Vec<(String, Vec<u8>)>;

fn signer() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).expect("a signing key")
}

fn await_now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn read(directory: &Path) -> Files {
    let mut files: Files = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("a file"))
        })
        .collect();
    files.retain(|(name, _)| !name.starts_with('.'));
    files.sort();
    files
}

/// A small sealed recording, and the identity that opens it.
static RECORDED: LazyLock<(Files, String)> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a directory");
    let settings = RecorderSettings {
        directory: place.path().to_owned(),
        recipients: Vec::new(),
        identity_file: Some(place.path().join(IDENTITY)),
        min_free_bytes: 0,
        writers: 1,
    };
    let recorder =
        Recorder::start(settings, Arc::new(signer()), Arc::new(Stopped), Arc::new(|bytes| bytes.fill(3)))
            .expect("a recorder");
    let recording =
        recorder.open(RECORDING, &serde_json::json!({ "technician": "alice" })).expect("a recording");
    for (lane, bytes) in [(Lane::Target, &b"pixels"[..]), (Lane::Viewer, b"keys"), (Lane::Events, b"{}")] {
        recording.append(lane, bytes).expect("room for bytes");
    }
    await_now(recording.close("the end")).expect("a sealed recording");
    let identity = fs::read_to_string(place.path().join(IDENTITY)).expect("an identity");
    (read(&place.path().join(RECORDING)), identity)
});

/// A small audit log that was closed in order.
static LOGGED: LazyLock<Files> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a directory");
    let log = AuditLog::open(place.path(), Arc::new(signer()), Arc::new(Stopped)).expect("an audit log");
    for kind in [AuditKind::GatewayStarted, AuditKind::SessionStarted, AuditKind::SessionEnded] {
        await_now(log.append(AuditEvent::new(kind).session("1"))).expect("an event on disk");
    }
    await_now(log.close()).expect("a closed log");
    drop(log);
    read(place.path())
});

/// Changes files as `data` says: which file, at what offset, by what value; or how much is cut off one. Tells whether
/// they are other ones then.
fn change(files: &mut Files, data: &[u8]) -> bool {
    let original = files.clone();
    let mut edits = data;
    while let Some(([file, high, low, value], rest)) = edits.split_first_chunk() {
        edits = rest;
        let count = files.len();
        let (_, content) = &mut files[usize::from(*file & 0x7f) % count];
        let offset = usize::from(u16::from_be_bytes([*high, *low])) % (content.len() + 1);
        if file & 0x80 != 0 {
            content.truncate(offset);
        } else if let Some(byte) = content.get_mut(offset) {
            *byte ^= value;
        } else {
            content.push(*value);
        }
    }
    *files != original
}

fn write(directory: &Path, files: &Files) {
    for (name, content) in files {
        fs::write(directory.join(name), content).expect("a writable directory");
    }
}

/// A recording that was changed in any way is not taken for a sealed one, and reading it ends.
pub(crate) fn recording(data: &[u8]) {
    let (files, identity) = &*RECORDED;
    let mut files = files.clone();
    let changed = change(&mut files, data);
    let place = tempfile::tempdir().expect("a directory");
    write(place.path(), &files);

    let verdict = verify(place.path(), &signer().public_key()).map(|verification| verification.verdict);
    let sealed = matches!(verdict, Ok(Verdict::Sealed { .. } | Verdict::Interrupted { .. }));
    assert_eq!(sealed, !changed, "a changed recording: {verdict:?}");

    let identity_file = place.path().join(IDENTITY);
    write_private(&identity_file, identity);
    let identity = Identity::load(&identity_file).expect("the identity that was made");
    if let Ok(reader) = Reader::open(place.path(), &identity) {
        assert!(reader.take(1000).count() < 1000, "a small recording has no end");
    }
}

fn write_private(path: &Path, content: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .expect("a file");
    file.write_all(content.as_bytes()).expect("a writable file");
}

/// A log that was changed or cut off, or whose last checkpoint beside it was changed, is not taken for an intact one.
/// Cutting off all of the checkpoint stands for its removal; then nothing tells that the log ended later.
pub(crate) fn audit(data: &[u8]) {
    let mut files = LOGGED.clone();
    let changed = change(&mut files, data);
    let removed = content(&files, CHECKPOINT).is_empty();
    if removed {
        files.retain(|(name, _)| name != CHECKPOINT);
    }
    let place = tempfile::tempdir().expect("a directory");
    write(place.path(), &files);
    let verification = audit::verify(place.path(), &signer().public_key()).expect("files that can be read");
    let intact = verification.verdict == AuditVerdict::Intact;
    if removed {
        let (written, left) = (content(&LOGGED, LOG), content(&files, LOG));
        let whole = left.is_empty() || left.ends_with(b"\n");
        assert_eq!(intact, whole && written.starts_with(left), "without a checkpoint: {verification:?}");
    } else {
        assert_eq!(intact, !changed, "a changed log: {verification:?}");
    }
    let _ = audit::tail(place.path(), 10);
}

fn content<'a>(files: &'a Files, name: &str) -> &'a [u8] {
    files.iter().find(|(other, _)| other == name).map(|(_, content)| &content[..]).expect("the file")
}
