//! Proofs out of the audit log, which hold without it.

use std::path::Path;
use std::sync::Arc;

use passerelle_recorder::audit::{
    AuditEvent, AuditKind, AuditLog, NoteError, Proof, ProofError, checkpoint_file, holds, read_checkpoint,
    verify,
};
use passerelle_recorder::{PublicKey, SigningKey};

use crate::support::{SetClock, block_on};

fn signer(seed: u8) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed(&[seed; 32]).unwrap())
}

fn key() -> PublicKey {
    signer(42).public_key()
}

/// Appends events to the log in `dir`, in files of a few lines.
fn log(dir: &Path, events: u32) {
    let log = AuditLog::open_with(dir, signer(42), Arc::new(SetClock::default()), 2000).unwrap();
    for number in 0..events {
        let event = AuditEvent::new(AuditKind::RecordingSealed).session(format!("s{number}"));
        block_on(log.append(event.detail("root", "00"))).unwrap();
    }
    block_on(log.close()).unwrap();
}

fn lines(dir: &Path) -> u64 {
    let verified = verify(dir, &key()).unwrap();
    verified.events + verified.checkpoints
}

#[test]
fn every_line_is_proved_over_files_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    for events in [5, 1, 30] {
        log(dir.path(), events);
    }
    let count = lines(dir.path());
    assert!(dir.path().join("audit-000003.jsonl").exists());
    for seq in 1..=count {
        let proof = Proof::make(dir.path(), seq, &key()).unwrap();
        let read: Proof = proof.to_string().parse().unwrap();
        assert_eq!(read, proof);
        let proved = read.verify(&key()).unwrap();
        assert_eq!((proved.seq, proved.head.size), (seq, count));
        if let Some(event) = proved.event() {
            assert_eq!(event.seq, seq);
        }
    }
    for seq in [0, count + 1, u64::MAX] {
        let error = Proof::make(dir.path(), seq, &key()).unwrap_err();
        assert!(matches!(error, ProofError::NotCovered { .. }), "{error}");
    }
}

#[test]
fn a_changed_proof_does_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 11);
    let text = Proof::make(dir.path(), 3, &key()).unwrap().to_string();
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let holds = changed.parse::<Proof>().and_then(|proof| proof.verify(&key()));
        assert!(holds.is_err(), "{changed}");
    }
    let other = text.parse::<Proof>().unwrap().verify(&signer(1).public_key()).unwrap_err();
    assert!(matches!(other, ProofError::Checkpoint(NoteError::OtherLog(_))), "{other}");
}

#[test]
fn a_kept_checkpoint_tells_of_every_later_change() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 3);
    let kept = read_checkpoint(&checkpoint_file(dir.path()), &key()).unwrap().1;
    log(dir.path(), 3);
    holds(dir.path(), &kept).unwrap();
    assert_eq!(kept.size, 4);

    // Whoever has the key can write a log that verifies by itself.
    let other = tempfile::tempdir().unwrap();
    log(other.path(), 4);
    assert!(verify(other.path(), &key()).unwrap().is_intact());
    assert!(matches!(holds(other.path(), &kept), Err(ProofError::Changed(4))));
    let short = tempfile::tempdir().unwrap();
    log(short.path(), 1);
    assert!(matches!(holds(short.path(), &kept), Err(ProofError::CutOff { lines: 2, covered: 4 })));
}

#[test]
fn a_log_that_was_changed_proves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 3);
    let file = dir.path().join("audit-000001.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"s1\"", "\"s9\"")).unwrap();
    let error = Proof::make(dir.path(), 1, &key()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the log's first 4 lines are not those that the checkpoint covers: the log was changed"
    );
}

/// Killed between its last checkpoint and the file beside it, or upgraded.
#[test]
fn a_missing_checkpoint_file_is_made_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 2);
    std::fs::remove_file(checkpoint_file(dir.path())).unwrap();
    assert!(matches!(Proof::make(dir.path(), 1, &key()), Err(ProofError::Read { .. })));
    log(dir.path(), 0);
    assert_eq!(Proof::make(dir.path(), 1, &key()).unwrap().verify(&key()).unwrap().head.size, 3);
}

#[test]
fn what_is_no_proof_is_told_so() {
    let cases = [
        ("", "it has no checkpoint"),
        ("hello\n\nx", "its first line is another"),
        ("c2sp.org/tlog-proof@v1\nindex 1\n\nx", "it has no line of the log as extra data"),
        ("c2sp.org/tlog-proof@v1\nextra !\nindex 1\n\nx", "its line of the log is no base64"),
        ("c2sp.org/tlog-proof@v1\nextra \nindex -1\n\nx", "it has no index"),
        ("c2sp.org/tlog-proof@v1\nextra \nindex 1\nAA==\n\nx", "one of its hashes is none"),
    ];
    for (text, what) in cases {
        assert_eq!(text.parse::<Proof>().unwrap_err().to_string(), format!("it is not a proof: {what}"));
    }
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(65);
    let text = format!("c2sp.org/tlog-proof@v1\nextra \nindex 1\n{hash}\nx");
    assert!(text.parse::<Proof>().unwrap_err().to_string().ends_with("too many hashes"));
}
