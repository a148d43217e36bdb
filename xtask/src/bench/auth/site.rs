//! Configurations of the gateways that are measured.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use passerelle_auth::{Secret, hash_password};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;

use super::tokens::{AUDIENCE, ISSUER, Provider};
use crate::bench::gateway::Gateway;
use crate::bench::process::free_address;

/// Alice's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// The token of a program that may read targets and get tickets.
pub(crate) const SERVICE_TOKEN: &str = "psa_this-one-is-only-for-the-benchmark-and-protects-nothing";

/// How many targets and rules there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) targets: usize,
    pub(crate) rules: usize,
}

impl Size {
    /// One of each.
    pub(crate) const SMALL: Self = Self { targets: 1, rules: 1 };
    /// Those of a large site.
    pub(crate) const LARGE: Self = Self { targets: 10_000, rules: 1_000 };
}

/// What the configurations have in common.
pub(crate) struct Site {
    /// Where every target is.
    target: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    keys: PathBuf,
    password_hash: PathBuf,
    target_password: PathBuf,
    /// The certificate, for who connects.
    pub(crate) der: CertificateDer<'static>,
    /// The certificate with its key in one file.
    pub(crate) both: PathBuf,
}

/// The last target, which a search would find last.
pub(crate) fn last_target(size: Size) -> String {
    format!("target-{}", size.targets.saturating_sub(1))
}

impl Site {
    /// Writes the files that configurations in `directory` refer to. Every target is at `target`.
    pub(crate) fn new(target: SocketAddr, provider: &Provider, directory: &Path) -> Result<Self> {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        let hash = hash_password(&Secret::new(PASSWORD.to_owned()), [7; 16])?;
        let file = |name: &str, content: &str| -> Result<PathBuf> {
            let path = directory.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
            private(&path)?;
            Ok(path)
        };
        Ok(Self {
            target,
            certificate: file("certificate.pem", &certificate)?,
            key: file("key.pem", &key)?,
            both: file("both.pem", &format!("{certificate}{key}"))?,
            keys: file("keys.json", &provider.keys().to_string())?,
            password_hash: file("password-hash", &hash.to_string())?,
            target_password: file("target-password", "a secret of the target")?,
            der: signed.cert.der().clone(),
        })
    }

    /// Starts a gateway of this size; also where its API is.
    pub(crate) fn start(
        &self,
        size: Size,
        program: &Path,
        directory: &Path,
    ) -> Result<(Gateway, SocketAddr)> {
        let api = free_address()?;
        let gateway = Gateway::configured(program, directory, |vnc, own| Ok(self.yaml(size, vnc, api, own)))?;
        Ok((gateway, api))
    }

    fn yaml(&self, size: Size, vnc: SocketAddr, api: SocketAddr, directory: &Path) -> String {
        let free = "{ free: 1000000 }";
        let Self { certificate, key, keys, password_hash, target_password, .. } = self;
        let mut yaml = format!(
            "data_dir: \"{}\"\n\
             listen: {{ vnc: \"{vnc}\", https: \"{api}\" }}\n\
             tls: {{ certificate: \"{}\", key: \"file:{}\" }}\n\
             vnc: {{ security: [vnc_auth, x509_plain] }}\n\
             users:\n  - {{ name: alice, groups: [helpdesk], password_hash: \"file:{}\" }}\n\
             issuers:\n  - {{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks_file: \"{}\", algorithms: [EdDSA] }}\n\
             service_accounts:\n  - {{ name: bench, token_hash: \"sha256:{}\", scopes: [\"tickets:write\", \"targets:read\"] }}\n\
             api: {{ requests_per_minute: 1000000 }}\n\
             lockout: {{ address: {free}, technician: {free}, global: {free} }}\n\
             tickets: {{ life: 15m }}\n\
             recording: {{ policy: off }}\n\
             limits: {{ per_technician: 1000, per_target: 1000, sessions: 1000 }}\n\
             log: {{ level: warn }}\n\
             targets:\n",
            directory.join("data").display(),
            certificate.display(),
            key.display(),
            password_hash.display(),
            keys.display(),
            hex_sha256(SERVICE_TOKEN),
        );
        // Writing to a String cannot fail.
        for target in 0..size.targets {
            writeln!(
                yaml,
                "  - {{ name: target-{target}, protocol: vnc, address: \"{}\", tags: [all, site-{}], description: \"Desk {target}\", \
                 credentials: {{ username: support, password: \"file:{}\" }} }}",
                self.target,
                target % 100,
                target_password.display()
            )
            .ok();
        }
        yaml.push_str("rules:\n");
        for rule in 1..size.rules {
            writeln!(
                yaml,
                "  - {{ name: rule-{rule}, groups: [group-{}], targets: [\"tag:site-{}\"], permissions: [view, pointer] }}",
                rule % 100,
                rule % 100
            )
            .ok();
        }
        // The one that counts comes last.
        yaml.push_str(
            "  - { name: helpdesk, groups: [helpdesk], targets: [\"tag:all\"], permissions: [view, pointer, keyboard] }\n",
        );
        yaml
    }
}

fn hex_sha256(text: &str) -> String {
    data_encoding::HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}

fn private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}
