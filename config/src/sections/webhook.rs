//! Programs that are told of events.

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::values::{CertificateFile, EventPattern, HumanDuration, Name, Secret, WebhookUrl};

/// A program that is told of events of the audit log, each as a signed HTTP request (Standard Webhooks).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What the gateway calls it.
    #[schemars(with = "Name")]
    pub name: String,
    /// Where the events are sent.
    pub url: WebhookUrl,
    /// Which events are sent: `session.started`, `session.*` or `*`.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub events: Vec<EventPattern>,
    /// What the requests are signed with: `whsec_` and 24 to 64 bytes in base64.
    pub secret: Secret,
    /// The authorities that may vouch for the receiver; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<CertificateFile>,
    /// Whether events may be sent over the network in clear text.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// How long the receiver may take to answer.
    #[serde(default = "timeout")]
    pub timeout: HumanDuration,
    /// An event that cannot be delivered is given up when it is so old.
    #[serde(default = "retry_for")]
    pub retry_for: HumanDuration,
}

impl Webhook {
    /// The key that [`secret`](Self::secret) stands for; `None` when it has not the right form.
    pub fn signing_key(&self) -> Option<Zeroizing<Vec<u8>>> {
        let digits = self.secret.expose().strip_prefix("whsec_")?;
        let key = BASE64.decode(digits.as_bytes()).ok().map(Zeroizing::new)?;
        (24..=64).contains(&key.len()).then_some(key)
    }

    /// Whether it is told of events of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|pattern| pattern.fits(kind))
    }
}

fn timeout() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn retry_for() -> HumanDuration {
    HumanDuration::from_secs(24 * 60 * 60)
}
