//! Requests that may be sent again without doing anything twice
//! (draft-ietf-httpapi-idempotency-key-header).

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use passerelle_auth::{Document, DocumentKind, Expect, Put};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::principal::Principal;
use super::problem::Problem;
use super::tokens;
use crate::ambient;
use crate::gateway::Gateway;

/// For so long a request that is sent again gets the answer that it got first.
const LIFE: Duration = Duration::from_secs(60 * 60);

/// The longest key, in bytes.
const LONGEST: usize = 128;

/// What a request does once.
pub(super) struct Once {
    /// Names the caller, the key and the request, so that nobody gets the answer to another's.
    key: String,
    /// What was asked for.
    request: String,
    version: u64,
}

/// What to do with a request.
pub(super) enum Attempt<T> {
    /// It has no key.
    Unkeyed,
    /// It comes for the first time.
    First(Once),
    /// This was the answer.
    Again(T),
}

impl Once {
    /// Looks whether the request came before.
    ///
    /// # Errors
    /// The key is none, is another request's, or that request is still being worked on.
    pub(super) async fn begin<T: DeserializeOwned>(
        gateway: &Gateway,
        principal: &Principal,
        headers: &HeaderMap,
        request: &impl Serialize,
    ) -> Result<Attempt<T>, Problem> {
        let Some(key) = headers.get("idempotency-key") else { return Ok(Attempt::Unkeyed) };
        let key = key.to_str().ok().filter(|key| (1..=LONGEST).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Problem::unprocessable(
                "idempotency-key",
                format_args!("the key must have 1 to {LONGEST} ASCII characters"),
            )
        })?;
        let key = tokens::hash(&format!("{}\n{key}", principal.by()));
        let request = tokens::hash(&serde_json::to_string(request).unwrap_or_default());
        let now = ambient::now();
        let mut once = Self { key, request, version: 0 };
        match gateway.store.put(&once.document(Vec::new()), Expect::Absent, now).await? {
            Put::Stored { version } => {
                once.version = version;
                Ok(Attempt::First(once))
            }
            Put::Conflict => {
                let found = gateway.store.get(DocumentKind::Idempotency, &once.key, now).await?;
                let sealed = found.map(|document| document.value).unwrap_or_default();
                once.answer(gateway, &sealed).map(Attempt::Again)
            }
        }
    }

    /// The answer that was kept.
    fn answer<T: DeserializeOwned>(&self, gateway: &Gateway, value: &[u8]) -> Result<T, Problem> {
        let (request, sealed) = value.split_at_checked(self.request.len()).unwrap_or_default();
        if request != self.request.as_bytes() {
            let why = "this idempotency key came with another request before";
            return Err(Problem::unprocessable("idempotency-key", why));
        }
        if sealed.is_empty() {
            let why =
                "the first request with this idempotency key is still being worked on, or failed halfway";
            return Err(Problem::new(StatusCode::CONFLICT, "in-progress", why).retry_after(1));
        }
        let opened = gateway.answer_seal.open(&self.key, sealed);
        let answer = opened.and_then(|text| serde_json::from_slice(&text).ok());
        answer.ok_or_else(|| Problem::internal("the kept answer cannot be read"))
    }

    /// Keeps the answer, sealed; or forgets the request that failed, so that it can be tried again.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) async fn finish<T: Serialize>(
        self,
        gateway: &Gateway,
        answer: &Result<T, Problem>,
    ) -> Result<(), Problem> {
        let (now, expect) = (ambient::now(), Expect::Version(self.version));
        match answer {
            Ok(answer) => {
                let text = Zeroizing::new(serde_json::to_vec(answer).unwrap_or_default());
                let sealed = gateway.answer_seal.seal(&self.key, &text, &mut ambient::random);
                gateway.store.put(&self.document(sealed), expect, now).await?;
            }
            Err(_) => {
                gateway.store.delete(DocumentKind::Idempotency, &self.key, expect, now).await?;
            }
        }
        Ok(())
    }

    fn document(&self, sealed: Vec<u8>) -> Document {
        Document {
            kind: DocumentKind::Idempotency,
            key: self.key.clone(),
            value: [self.request.as_bytes(), &sealed].concat(),
            expires_at: Some(ambient::now().saturating_add(LIFE)),
        }
    }
}
