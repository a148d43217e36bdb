//! Checkpoints of the audit log in a file that another system collects.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use passerelle_recorder::PublicKey;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome, checkpoint_file, read_checkpoint};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, data};

/// Appends new checkpoints to the file of the configuration until `stop`, if there is one.
pub(crate) async fn follow(gateway: Arc<Gateway>, stop: CancellationToken) {
    let config = gateway.policy().config.clone();
    let Some(anchor) = config.audit.anchor else { return };
    let Some(file) = anchor.file else { return };
    let directory = config.data_dir.join(data::AUDIT);
    let mut moments = interval(anchor.every.get());
    moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    while stop.run_until_cancelled(moments.tick()).await.is_some() {
        let (file, directory, signer) = (file.clone(), directory.clone(), gateway.signer);
        let shown = file.display().to_string();
        let work = tokio::task::spawn_blocking(move || append_new(&file, &directory, &signer));
        let outcome = work.await.unwrap_or_else(|error| Err(error.into()));
        match outcome {
            Ok(()) => failed = false,
            Err(error) if !failed => {
                failed = true;
                tracing::error!(path = shown, %error, "a checkpoint of the audit log cannot be put there");
                let event = AuditEvent::new(AuditKind::AnchorFailed).outcome(Outcome::Failed);
                gateway.audit.note(event.message(error.to_string()).detail("file", shown));
            }
            Err(_) => {}
        }
    }
}

/// Appends the last checkpoint of the log in `directory`, unless it is the last one in `file`, too. An empty line
/// follows each.
fn append_new(file: &Path, directory: &Path, signer: &PublicKey) -> io::Result<()> {
    // There is none at first; what does not hold is the verification's to tell.
    let Ok((note, _)) = read_checkpoint(&checkpoint_file(directory), signer) else { return Ok(()) };
    let entry = format!("{note}\n");
    if ends_with(file, entry.as_bytes())? {
        return Ok(());
    }
    // For another system's user to read: there is no secret in it.
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(entry.as_bytes())?;
    file.sync_data()
}

fn ends_with(file: &Path, entry: &[u8]) -> io::Result<bool> {
    let mut file = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let Some(before) = file.metadata()?.len().checked_sub(entry.len() as u64) else { return Ok(false) };
    file.seek(SeekFrom::Start(before))?;
    let mut end = Vec::new();
    file.take(entry.len() as u64).read_to_end(&mut end)?;
    Ok(end == entry)
}

#[cfg(test)]
mod tests {
    use passerelle_recorder::SigningKey;
    use passerelle_recorder::audit::{AuditLog, read_checkpoints};

    use super::*;
    use crate::ambient::SystemClock;

    #[tokio::test]
    async fn each_checkpoint_is_appended_once() {
        let place = tempfile::tempdir().unwrap();
        let (log, file) = (place.path().join("audit"), place.path().join("anchors"));
        let signer = Arc::new(SigningKey::from_seed(&[5; 32]).unwrap());
        let key = signer.public_key();
        append_new(&file, &log, &key).unwrap();
        assert!(!file.exists(), "there is no checkpoint yet");
        for _ in 0..3 {
            let log_ = AuditLog::open(&log, signer.clone(), Arc::new(SystemClock::new())).unwrap();
            log_.append(AuditEvent::new(AuditKind::GatewayStarted)).await.unwrap();
            log_.close().await.unwrap();
            for _ in 0..2 {
                append_new(&file, &log, &key).unwrap();
            }
        }
        let heads = read_checkpoints(&file, &key).unwrap();
        assert_eq!(heads.iter().map(|head| head.size).collect::<Vec<_>>(), [2, 4, 6]);
        assert!(append_new(place.path(), &log, &key).is_err());
    }
}
