//! The audit log: durable, chained, signed, and recovered after a crash.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use passerelle_recorder::SigningKey;
use passerelle_recorder::audit::{
    AuditError, AuditEvent, AuditKind, AuditLog, AuditOpenError, AuditVerdict, Cursor, EventLine, Follower,
    Outcome, tail, verify,
};
use serde_json::Value;

use crate::support::{RealClock, SetClock, block_on};

fn signer() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed(&[42; 32]).unwrap())
}

fn open(dir: &Path) -> AuditLog {
    AuditLog::open(dir, signer(), RealClock::new()).unwrap()
}

fn file(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("audit-{number:06}.jsonl"))
}

fn verdict(dir: &Path) -> AuditVerdict {
    verify(dir, &signer().public_key()).unwrap().verdict
}

fn login(number: u32) -> AuditEvent {
    AuditEvent::new(AuditKind::LoginAccepted)
        .session(format!("s{number}"))
        .technician("alice")
        .address("192.0.2.7:50112")
        .outcome(Outcome::Success)
        .detail("method", "ticket")
}

#[test]
fn an_event_is_on_disk_when_append_returns_and_looks_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), signer(), Arc::new(SetClock::default())).unwrap();
    block_on(log.append(login(1))).unwrap();
    let stored = std::fs::read_to_string(file(dir.path(), 1)).unwrap();
    assert_eq!(
        stored,
        format!(
            concat!(
                r#"{{"seq":1,"time":"2023-11-14T22:13:20.000Z","kind":"login.accepted","session":"s1","#,
                r#""technician":"alice","address":"192.0.2.7:50112","outcome":"success","#,
                r#""detail":{{"method":"ticket"}},"prev":"{}"}}"#,
                "\n"
            ),
            "0".repeat(64)
        )
    );
    assert_eq!(std::fs::metadata(file(dir.path(), 1)).unwrap().permissions().mode() & 0o777, 0o600);

    block_on(log.close()).unwrap();
    block_on(log.close()).unwrap();
    assert_eq!(block_on(log.append(login(2))), Err(AuditError::Closed));
    let stored = std::fs::read_to_string(file(dir.path(), 1)).unwrap();
    let last: Value = serde_json::from_str(stored.lines().last().unwrap()).unwrap();
    assert_eq!(last["kind"], "checkpoint");
    let verification = verify(dir.path(), &signer().public_key()).unwrap();
    assert_eq!(verification.to_string(), "intact with 1 events; signed until 2023-11-14T22:13:20.000Z");
    assert_eq!((verification.checkpoints, verification.unsigned), (1, 0));
}

#[test]
fn many_writers_share_syncs_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..50 {
                    if number % 2 == 0 {
                        log.note(login(thread * 100 + number));
                    } else {
                        block_on(log.append(login(thread * 100 + number))).unwrap();
                    }
                }
            });
        }
    });
    drop(log);
    let verification = verify(dir.path(), &signer().public_key()).unwrap();
    assert_eq!((&verification.verdict, verification.events), (&AuditVerdict::Intact, 400));
    assert_eq!(verification.unsigned, 0);
    assert!(verification.checkpoints >= 6, "one for every 64 events at least");
    let mut sessions: Vec<_> =
        tail(dir.path(), 1000).unwrap().into_iter().map(|line| line.event.session.unwrap()).collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 400);
}

#[test]
fn a_quiet_log_is_signed_within_a_second_or_so() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.note(login(1));
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(50));
        if verify(dir.path(), &signer().public_key()).unwrap().checkpoints == 1 {
            let size = std::fs::metadata(file(dir.path(), 1)).unwrap().len();
            std::thread::sleep(Duration::from_millis(1200));
            assert_eq!(std::fs::metadata(file(dir.path(), 1)).unwrap().len(), size, "idle, but writes");
            return;
        }
    }
    panic!("no checkpoint");
}

#[test]
fn every_changed_byte_and_every_removed_line_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for number in 0..4 {
        block_on(log.append(login(number))).unwrap();
    }
    drop(log);
    let path = file(dir.path(), 1);
    let original = std::fs::read(&path).unwrap();
    assert_eq!(verdict(dir.path()), AuditVerdict::Intact);
    for at in 0..original.len() {
        for bit in [0, 5, 7] {
            let mut changed = original.clone();
            changed[at] ^= 1 << bit;
            std::fs::write(&path, &changed).unwrap();
            assert_ne!(verdict(dir.path()), AuditVerdict::Intact, "bit {bit} of byte {at}");
        }
    }
    let lines: Vec<&[u8]> = original.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 0..lines.len() - 1 {
        let mut removed = lines.clone();
        removed.remove(at);
        std::fs::write(&path, removed.concat()).unwrap();
        let found = verdict(dir.path());
        assert!(
            matches!(found, AuditVerdict::Tampered { file: 1, line, .. } if line == at as u64 + 1),
            "without line {at}: {found:?}"
        );
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        std::fs::write(&path, swapped.concat()).unwrap();
        assert!(matches!(verdict(dir.path()), AuditVerdict::Tampered { .. }));
    }
    std::fs::write(&path, &original).unwrap();
    let stranger = SigningKey::from_seed(&[1; 32]).unwrap().public_key();
    let found = verify(dir.path(), &stranger).unwrap();
    assert!(matches!(found.verdict, AuditVerdict::Tampered { line: 5, .. }), "{found}");
}

#[test]
fn files_rotate_and_the_chain_spans_them() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open_with(dir.path(), signer(), RealClock::new(), 1000).unwrap();
    let mut follower = Follower::at_end(dir.path()).unwrap();
    for number in 0..30 {
        block_on(log.append(login(number))).unwrap();
    }
    let names = |events: Vec<_>| {
        let name = |line: EventLine| line.event.session.unwrap();
        events.into_iter().map(name).collect::<Vec<_>>()
    };
    let all: Vec<_> = (0..30).map(|number| format!("s{number}")).collect();
    assert_eq!(names(follower.poll().unwrap()), all);
    assert!(follower.poll().unwrap().is_empty());
    assert_eq!(names(tail(dir.path(), 7).unwrap()), all[23..]);
    drop(log);

    let log = AuditLog::open_with(dir.path(), signer(), RealClock::new(), 1000).unwrap();
    block_on(log.append(login(30))).unwrap();
    assert_eq!(names(follower.poll().unwrap()), ["s30"]);
    drop(log);
    let verification = verify(dir.path(), &signer().public_key()).unwrap();
    assert_eq!((&verification.verdict, verification.events), (&AuditVerdict::Intact, 31));
    assert!(verification.files >= 5, "{} files", verification.files);
    std::fs::remove_file(file(dir.path(), 2)).unwrap();
    assert_eq!(verdict(dir.path()), AuditVerdict::FileMissing { file: 2 });
}

#[test]
fn a_cursor_reads_from_any_line_on_and_no_further_than_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open_with(dir.path(), signer(), RealClock::new(), 1000).unwrap();
    let written = log.written();
    for number in 0..30 {
        block_on(log.append(login(number))).unwrap();
    }
    let last = *written.borrow();
    let sessions = |events: &[EventLine]| -> Vec<_> {
        events.iter().map(|line| line.event.session.clone().unwrap()).collect()
    };
    let all: Vec<_> = (0..30).map(|number| format!("s{number}")).collect();
    let seqs: Vec<u64> = tail(dir.path(), 100).unwrap().iter().map(|line| line.seq).collect();
    assert!(last >= seqs[29] && seqs[29] > 30, "checkpoints have numbers too");
    for most in [1, 7, 100] {
        for (index, seq) in seqs.iter().enumerate() {
            let mut cursor = Cursor::behind(dir.path(), *seq);
            let mut read = Vec::new();
            loop {
                let events = cursor.read(last, most).unwrap();
                assert!(events.len() <= most);
                if events.is_empty() {
                    break;
                }
                read.extend(sessions(&events));
            }
            assert_eq!(read, all[index + 1..], "behind line {seq}");
        }
    }

    let mut cursor = Cursor::behind(dir.path(), 0);
    assert_eq!(sessions(&cursor.read(seqs[9], 100).unwrap()), all[..10]);
    assert_eq!(cursor.at(), seqs[9]);
    assert_eq!(sessions(&cursor.read(seqs[11], 100).unwrap()), all[10..12]);
    assert_eq!(sessions(&cursor.read(last, 100).unwrap()), all[12..]);
    assert!(cursor.read(last + 1, 100).unwrap().is_empty());
    block_on(log.append(login(30))).unwrap();
    assert_eq!(sessions(&cursor.read(*written.borrow(), 100).unwrap()), ["s30"]);

    std::fs::remove_file(file(dir.path(), 1)).unwrap();
    let kept = Cursor::behind(dir.path(), 0).read(last, 100).unwrap();
    assert!(kept[0].seq > 1 && kept.last().unwrap().seq == seqs[29], "{kept:?}");
}

#[test]
fn cut_off_anywhere_the_log_keeps_its_whole_lines_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for number in 0..3 {
        block_on(log.append(login(number))).unwrap();
    }
    drop(log);
    let original = std::fs::read(file(dir.path(), 1)).unwrap();
    for len in (0..=original.len()).step_by(3) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(file(dir.path(), 1), &original[..len]).unwrap();
        let whole = original[..len].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let before = verify(dir.path(), &signer().public_key()).unwrap();
        assert!(before.is_intact(), "{before}");

        let log = open(dir.path());
        block_on(log.append(login(9))).unwrap();
        drop(log);
        let after = verify(dir.path(), &signer().public_key()).unwrap();
        assert_eq!(after.verdict, AuditVerdict::Intact, "at {len}");
        let stored = std::fs::read(file(dir.path(), 1)).unwrap();
        assert!(stored.starts_with(&original[..whole]), "at {len}: a whole line was lost");
        let told =
            tail(dir.path(), 2).unwrap().iter().any(|line| line.event.kind == AuditKind::AuditRecovered);
        assert_eq!(told, whole < len, "at {len}");
        if whole < len {
            let mut aside = std::fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path());
            let aside = aside.find(|path| path.to_string_lossy().contains(".torn-")).unwrap();
            assert_eq!(std::fs::read(aside).unwrap(), &original[whole..len], "at {len}");
        }
    }
}

#[test]
fn sessions_and_gateways_without_an_end_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let event =
        |kind, session: &str| AuditEvent::new(kind).session(session).technician("alice").target("desk");
    let log = open(dir.path());
    assert!(log.sessions_without_end().is_empty() && log.interrupted_at().is_none());
    let mut last = String::new();
    for event in [
        AuditEvent::new(AuditKind::GatewayStarted),
        event(AuditKind::SessionStarted, "a"),
        event(AuditKind::SessionStarted, "b"),
        event(AuditKind::SessionEnded, "a"),
        event(AuditKind::ClipboardTransferred, "b"),
    ] {
        block_on(log.append(event)).unwrap();
        last = tail(dir.path(), 1).unwrap().remove(0).time;
    }
    drop(log);

    let log = open(dir.path());
    let open_sessions = log.sessions_without_end().to_vec();
    assert_eq!(open_sessions.len(), 1);
    assert_eq!(open_sessions[0].session, "b");
    assert_eq!(open_sessions[0].technician.as_deref(), Some("alice"));
    assert_eq!(open_sessions[0].target.as_deref(), Some("desk"));
    assert_eq!(log.interrupted_at(), Some(last.as_str()));
    let second = AuditLog::open(dir.path(), signer(), RealClock::new());
    assert!(matches!(second.err(), Some(AuditOpenError::InUse(_))));
    block_on(log.append(AuditEvent::new(AuditKind::GatewayInterrupted))).unwrap();
    block_on(log.append(event(AuditKind::SessionEnded, "b"))).unwrap();
    drop(log);
    let log = open(dir.path());
    assert!(log.sessions_without_end().is_empty() && log.interrupted_at().is_none());
}

#[test]
fn every_kind_has_a_name_of_its_own_and_is_documented() {
    let schema = include_str!("../../AUDIT.md");
    for kind in AuditKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), Value::from(kind.name()));
        assert!(schema.contains(&format!("`{kind}`")), "{kind} is not in AUDIT.md");
    }
}
