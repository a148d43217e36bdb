//! Proofs out of the audit log, which hold without it.

use std::path::Path;
use std::sync::Arc;

use passerelle_recorder::audit::{
    AuditEvent, AuditKind, AuditLog, AuditVerdict, Consistency, NoteError, Proof, ProofError,
    checkpoint_file, holds, read_checkpoint, read_checkpoints, tail, verify,
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
    holds(dir.path(), std::slice::from_ref(&kept)).unwrap();
    assert_eq!(kept.size, 4);

    // Whoever has the key can write a log that verifies by itself.
    let other = tempfile::tempdir().unwrap();
    log(other.path(), 4);
    assert!(verify(other.path(), &key()).unwrap().is_intact());
    assert!(matches!(holds(other.path(), std::slice::from_ref(&kept)), Err(ProofError::Changed(4))));
    let short = tempfile::tempdir().unwrap();
    log(short.path(), 1);
    assert!(matches!(
        holds(short.path(), std::slice::from_ref(&kept)),
        Err(ProofError::CutOff { lines: 2, covered: 4 })
    ));
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

/// The log's own checkpoint file is looked at whenever the log is.
#[test]
fn the_checkpoint_beside_a_log_is_verified_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = checkpoint_file(dir.path());
    log(dir.path(), 3);
    let older = std::fs::read(&file).unwrap();
    log(dir.path(), 20);
    let newest = std::fs::read_to_string(&file).unwrap();
    let verdict = |content: Option<&[u8]>| {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        verify(dir.path(), &key()).unwrap()
    };
    let count = lines(dir.path());
    let verified = verdict(Some(newest.as_bytes()));
    assert_eq!((verified.verdict, verified.checkpoint), (AuditVerdict::Intact, Some(count)));
    let verified = verdict(Some(&older));
    assert_eq!((verified.verdict, verified.checkpoint), (AuditVerdict::Intact, Some(4)));
    let verified = verdict(None);
    assert_eq!((verified.verdict, verified.checkpoint), (AuditVerdict::Intact, None));

    let other = tempfile::tempdir().unwrap();
    log(other.path(), 4);
    let foreign = std::fs::read(checkpoint_file(other.path())).unwrap();
    let stranger = AuditLog::open(other.path(), signer(1), Arc::new(SetClock::default())).unwrap();
    block_on(stranger.append(AuditEvent::new(AuditKind::GatewayStarted))).unwrap();
    block_on(stranger.close()).unwrap();
    let strangers = std::fs::read(checkpoint_file(other.path())).unwrap();
    let longer = [newest.as_bytes(), b"x"].concat();
    let changed = newest.replacen(&format!("\n{count}\n"), "\n1\n", 1);
    let cases: [(&[u8], &str); 6] = [
        (b"", "it has no signature"),
        (b"\xff\xfe", "it is no text"),
        (&longer, "its last line is not whole"),
        (changed.as_bytes(), "the key has not signed it"),
        (&foreign, "it is not of the log's first 5 lines"),
        (&strangers, "which this key does not sign"),
    ];
    for (content, why) in cases {
        match verdict(Some(content)).verdict {
            AuditVerdict::Checkpoint { what } => assert!(what.contains(why), "{what}"),
            other => panic!("{why}: {other:?}"),
        }
    }
}

/// At any line, also one with a signature: the checkpoint beside the log covers more.
#[test]
fn a_cut_off_end_is_found_by_the_checkpoint_beside_the_log() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 4);
    let file = dir.path().join("audit-000001.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    let covered = ends.len() as u64;
    for (lines, end) in (1..).zip(&ends[..ends.len() - 1]) {
        std::fs::write(&file, &whole[..*end]).unwrap();
        assert_eq!(verify(dir.path(), &key()).unwrap().verdict, AuditVerdict::CutOff { lines, covered });
        std::fs::write(&file, &whole[..end + 3]).unwrap();
        assert_eq!(verify(dir.path(), &key()).unwrap().verdict, AuditVerdict::CutOff { lines, covered });
    }
}

/// The next checkpoint would replace the only one that tells.
#[test]
fn a_gateway_that_finds_its_log_cut_off_says_so_and_keeps_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path(), 4);
    let file = dir.path().join("audit-000001.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let end = whole.find('\n').unwrap() + 1;
    let note = std::fs::read(checkpoint_file(dir.path())).unwrap();
    for kept in ["audit.mismatch-1", "audit.mismatch-1-1"] {
        std::fs::write(&file, &whole[..end]).unwrap();
        std::fs::write(checkpoint_file(dir.path()), &note).unwrap();
        log(dir.path(), 0);
        assert_eq!(std::fs::read(dir.path().join(kept)).unwrap(), note);
        let event = tail(dir.path(), 1).unwrap().remove(0).event;
        assert_eq!((event.kind, event.detail["file"].as_str()), (AuditKind::AuditMismatch, Some(kept)));
        assert_eq!(
            event.message.unwrap(),
            "the end of the log is missing: it has 1 lines, and its last checkpoint covers 5"
        );
        assert_eq!(verify(dir.path(), &key()).unwrap().verdict, AuditVerdict::Intact);
    }
    std::fs::write(checkpoint_file(dir.path()), "hello").unwrap();
    log(dir.path(), 0);
    let said = tail(dir.path(), 1).unwrap().remove(0).event.message.unwrap();
    assert!(said.contains("the log's last checkpoint was changed"), "{said}");
}

/// Whoever kept checkpoints needs a proof and no log to see that it only grew.
#[test]
fn a_log_that_only_grew_is_proved_to_who_has_an_old_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for events in [1, 2, 1, 7, 12, 3] {
        log(dir.path(), events);
        kept.push(read_checkpoint(&checkpoint_file(dir.path()), &key()).unwrap().1);
    }
    let newest = kept.last().unwrap().clone();
    for old in &kept {
        let proof = Consistency::make(dir.path(), old.size, &key()).unwrap();
        let read: Consistency = proof.to_string().parse().unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.verify(old, &key()).unwrap(), newest);
        for other in kept.iter().filter(|other| other.size != old.size) {
            assert!(matches!(read.verify(other, &key()), Err(ProofError::Inconsistent)));
        }
    }
    for old in [0, newest.size + 1] {
        let error = Consistency::make(dir.path(), old, &key()).unwrap_err();
        assert!(matches!(error, ProofError::NotOlder { .. }), "{error}");
    }

    // A log that was written anew, by somebody with the key, proves something about other lines.
    let other = tempfile::tempdir().unwrap();
    log(other.path(), 40);
    let proof = Consistency::make(other.path(), kept[2].size, &key()).unwrap();
    assert!(matches!(proof.verify(&kept[2], &key()), Err(ProofError::Inconsistent)));

    let text = Consistency::make(dir.path(), kept[1].size, &key()).unwrap().to_string();
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let holds = changed.parse::<Consistency>().and_then(|proof| proof.verify(&kept[1], &key()));
        assert!(holds.is_err(), "{changed}");
    }
}

#[test]
fn what_is_no_consistency_proof_is_told_so() {
    for (text, what) in [
        ("", "it has no checkpoint"),
        ("old 3\nx", "it has no checkpoint"),
        ("new 3\n\nx", "it does not begin with `old` and a number"),
        ("old -3\n\nx", "the old size is no number"),
        ("old 03\n\nx", "the old size is not written as it must be"),
        ("old 3\nAA==\n\nx", "one of its hashes is none"),
        ("old 3\r\n\nx", "the old size is no number"),
    ] {
        assert_eq!(
            text.parse::<Consistency>().unwrap_err().to_string(),
            format!("it is not a proof: {what}")
        );
    }
}

/// A file to which checkpoints were appended is compared as a whole.
#[test]
fn many_kept_checkpoints_are_compared_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let (mut list, mut sizes) = (String::new(), Vec::new());
    for _ in 0..4 {
        log(dir.path(), 3);
        sizes.push(lines(dir.path()));
        list += &std::fs::read_to_string(checkpoint_file(dir.path())).unwrap();
        list.push('\n');
    }
    let read = |content: &str| {
        std::fs::write(&kept, content).unwrap();
        read_checkpoints(&kept, &key())
    };
    for content in [&list, &list[..list.len() - 1]] {
        let heads = read(content).unwrap();
        assert_eq!(heads.iter().map(|head| head.size).collect::<Vec<_>>(), sizes);
        holds(dir.path(), &heads).unwrap();
    }
    for content in [
        "",
        "\n",
        &list.replacen(&format!("\n{}\n", sizes[1]), "\n9\n", 1),
        &format!("{list}x"),
        &format!("x{list}"),
    ] {
        assert!(matches!(read(content), Err(ProofError::Checkpoint(_))), "{content:?}");
    }
    let mut heads = read(&list).unwrap();
    heads[1].root[0] ^= 1;
    assert!(matches!(holds(dir.path(), &heads), Err(ProofError::Changed(size)) if size == sizes[1]));
    holds(dir.path(), &[]).unwrap();
}
