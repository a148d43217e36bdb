//! Targets that are kept in the store, beside those of the configuration.
//!
//! They become part of the policy in force, so that nothing else has to know where a target comes from. A target of
//! the configuration takes the place of one of the same name in the store.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{
    Document, DocumentKind, Expect, Put, Seal, Store, StoreError, StoreEvent, StoredDocument,
};
use passerelle_config::{Config, FileError, FragmentFile, Resolver, Target};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::ambient;
use crate::gateway::{EnforceError, Gateway};

/// How often is looked whether another node changed a target, should its message be lost.
const PERIOD: Duration = Duration::from_secs(3);

/// Why a target is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// What is wrong with it, in the words of the configuration's check.
    #[error("{0}")]
    Wrong(String),
    #[error("{name} is in {place}, which is the place to change it")]
    Configured { name: String, place: String },
    #[error("the target was changed in the meantime")]
    Conflict,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Enforce(#[from] EnforceError),
}

impl Gateway {
    /// Keeps `description`, whose keys are those of `targets[]` in the configuration. Its password is the password
    /// itself; it may refer to nothing on the gateway's machine.
    ///
    /// # Errors
    /// It is wrong, is the configuration's, or is not as `expect` says.
    pub(crate) async fn put_target(
        &self,
        name: &str,
        description: Value,
        expect: Expect,
    ) -> Result<(Target, u64), TargetError> {
        self.not_configured(name)?;
        let target = parse(name, &description)?;
        let text = Zeroizing::new(description.to_string());
        let document = Document {
            kind: DocumentKind::Target,
            key: name.to_owned(),
            value: self.target_seal.seal(name, text.as_bytes(), &mut ambient::random),
            expires_at: None,
        };
        let _turn = self.changes.lock().await;
        match self.store.put(&document, expect, ambient::now()).await? {
            Put::Conflict => Err(TargetError::Conflict),
            Put::Stored { version } => {
                self.refresh_targets().await?;
                Ok((target, version))
            }
        }
    }

    /// Removes a target from the store. Tells whether it was there.
    ///
    /// # Errors
    /// It is the configuration's, or not as `expect` says.
    pub(crate) async fn delete_target(&self, name: &str, expect: Expect) -> Result<bool, TargetError> {
        self.not_configured(name)?;
        let _turn = self.changes.lock().await;
        let now = ambient::now();
        if self.store.get(DocumentKind::Target, name, now).await?.is_none() {
            return Ok(false);
        }
        if !self.store.delete(DocumentKind::Target, name, expect, now).await? {
            return Err(TargetError::Conflict);
        }
        self.refresh_targets().await?;
        Ok(true)
    }

    /// The version of a target that is kept in the store.
    pub(crate) async fn target_version(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let found = self.store.get(DocumentKind::Target, name, ambient::now()).await?;
        Ok(found.map(|document| document.version))
    }

    fn not_configured(&self, name: &str) -> Result<(), TargetError> {
        let policy = self.policy();
        match policy.config.target(name) {
            Some(target) if !policy.kept_targets.contains(name) => Err(TargetError::Configured {
                name: name.to_owned(),
                place: target.file.clone().unwrap_or_else(|| "the configuration file".to_owned()),
            }),
            _ => Ok(()),
        }
    }
}

/// The targets in the store. One that cannot be used is left out.
///
/// # Errors
/// The store does not answer.
pub(crate) async fn kept(store: &dyn Store, seal: &Seal) -> Result<Vec<Target>, StoreError> {
    let documents = store.list(DocumentKind::Target, ambient::now()).await?;
    Ok(documents.iter().filter_map(|document| read(document, seal)).collect())
}

fn read(document: &StoredDocument, seal: &Seal) -> Option<Target> {
    let text = seal.open(&document.key, &document.value);
    let description = text.and_then(|text| serde_json::from_slice(&text).ok());
    match description.map(|description| parse(&document.key, &description)) {
        Some(Ok(target)) => Some(target),
        Some(Err(error)) => {
            tracing::error!(%error, target = document.key, "a target in the store cannot be used");
            None
        }
        None => {
            tracing::error!(target = document.key, "a target in the store was sealed with another pepper");
            None
        }
    }
}

/// Takes over what other nodes change, until dropped.
pub(crate) async fn follow(gateway: Arc<Gateway>) {
    let mut events = gateway.store.watch();
    let mut watching = true;
    let mut period = tokio::time::interval(PERIOD);
    let mut known = None;
    loop {
        tokio::select! {
            _ = period.tick() => {}
            event = events.next(), if watching => match event {
                Some(StoreEvent::Changed { .. } | StoreEvent::Missed) => {}
                Some(_) => continue,
                None => watching = false,
            }
        }
        let Ok(epoch) = gateway.store.epoch().await else { continue };
        // Also when it is first seen: something may have changed since the policy was made.
        if known != Some(epoch) {
            let _turn = gateway.changes.lock().await;
            if let Err(error) = gateway.refresh_targets().await {
                tracing::warn!(%error, "changed targets could not be taken over");
                continue;
            }
        }
        known = Some(epoch);
    }
}

/// Reads a target with the configuration's own checks.
fn parse(name: &str, description: &Value) -> Result<Target, TargetError> {
    let Value::Object(keys) = description else {
        return Err(TargetError::Wrong("the target must be an object".to_owned()));
    };
    let mut keys = keys.clone();
    keys.insert("name".to_owned(), json!(name));
    if let Some(Value::String(password)) =
        keys.get_mut("credentials").and_then(|login| login.get_mut("password"))
    {
        *password = format!("insecure-inline:{password}");
    }
    let file = json!({ "listen": { "vnc": "127.0.0.1:0" }, "targets": [keys] });
    let text = Zeroizing::new(file.to_string());
    match Config::parse(&text, "target", &Nothing) {
        Ok(loaded) => {
            let target = loaded.config.targets.first().map(|target| Target::clone(target));
            target.ok_or_else(|| TargetError::Wrong("no target".to_owned()))
        }
        Err(errors) => {
            let said = errors.errors.iter().map(|problem| {
                let key =
                    problem.key.strip_prefix("targets[0]").unwrap_or(&problem.key).trim_start_matches('.');
                if key.is_empty() { problem.message.clone() } else { format!("{key}: {}", problem.message) }
            });
            Err(TargetError::Wrong(said.collect::<Vec<_>>().join("; ")))
        }
    }
}

/// Whoever describes a target from outside may not make the gateway read its files and variables.
struct Nothing;

impl Resolver for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        self.file(path).map(Zeroizing::new)
    }

    fn file(&self, _: &Path) -> Result<Vec<u8>, FileError> {
        Err(FileError::NotAFile)
    }

    fn fragments(&self, _: &Path) -> io::Result<Vec<FragmentFile>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_checked_like_the_configurations_and_read_no_files() {
        let right = json!({ "protocol": "vnc", "address": "10.0.0.5:5900", "credentials": { "password": "env:HOME" } });
        let target = parse("desk", &right).unwrap();
        assert_eq!(target.credentials.password.unwrap().expose(), "env:HOME", "taken by the letter");
        for (wrong, why) in [
            (json!({ "protocol": "vnc" }), "`address` is missing"),
            (json!({ "protocol": "vnc", "address": "10.0.0.5:0" }), "address: "),
            (json!({ "protocol": "vnc", "address": "a:1", "tags": ["a b"] }), "tags[0]: "),
            (
                json!({ "protocol": "vnc", "address": "a:1", "tls": { "ca_file": "/etc/passwd" } }),
                "tls.ca_file: ",
            ),
            (json!({ "protocol": "vnc", "address": "a:1", "paint": 1 }), "unknown key"),
            (json!([]), "must be an object"),
        ] {
            let said = parse("desk", &wrong).unwrap_err().to_string();
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }
}
