//! One event as a signed request, and when to try again. Pure.
//!
//! The form is that of Standard Webhooks 1.0.0: `webhook-id` stays the same however often an event is sent,
//! `webhook-timestamp` is the time of the attempt, and `webhook-signature` covers both and the body.

use std::time::{Duration, SystemTime};

use data_encoding::{BASE64, HEXLOWER};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use passerelle_auth::Timestamp;
use passerelle_config::WebhookUrl;
use passerelle_recorder::PublicKey;
use passerelle_recorder::audit::EventLine;
use ring::digest::{Context, SHA256};
use ring::hmac;

use crate::http_client::AGENT;

/// What identifiers of messages are hashed with.
const ID_CONTEXT: &[u8] = b"passerelle webhook 1\0";
/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, unless the receiver asks for a longer one...
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// ...which is at most this.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: Bytes,
}

impl Message {
    /// The event in `line` of the log that `signer` signs. Always the same, also after a restart.
    pub(super) fn of(line: &EventLine, signer: &PublicKey) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(ID_CONTEXT);
        // Two logs may begin alike, but not with the same signer.
        for part in [&signer.to_string(), &line.seq.to_string(), &line.time, &line.prev] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        let hash = hash.finish();
        let id = HEXLOWER.encode(hash.as_ref().get(..16).unwrap_or_default());
        // Texts and plain values with text keys always serialize.
        Self { id: format!("evt_{id}"), body: serde_json::to_vec(line).unwrap_or_default().into() }
    }

    /// The request with which it is sent to `url` at `now` by the gateway called `node`.
    pub(super) fn request(
        &self,
        url: &WebhookUrl,
        key: &hmac::Key,
        node: &str,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let seconds = now.as_millis().div_euclid(1000).to_string();
        Request::post(url.expose_path())
            .header(HOST, url.authority())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &self.id)
            .header("webhook-signature", self.signature(key, &seconds))
            .header("webhook-timestamp", seconds)
            // Numbers of events are a node's own.
            .header("passerelle-node", node)
            .body(Full::new(self.body.clone()))
    }

    fn signature(&self, key: &hmac::Key, seconds: &str) -> String {
        let mut context = hmac::Context::with_key(key);
        for part in [self.id.as_bytes(), b".", seconds.as_bytes(), b".", &self.body] {
            context.update(part);
        }
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    }
}

/// How long to wait after so many failures in a row: twice as long each time, less a part of up to a half that is
/// left to `chance`, so that gateways which failed together do not come back together. Not sooner than was `asked`.
pub(crate) fn pause(failures: u32, asked: Option<Duration>, chance: u16) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let whole = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    let less = whole.mul_f64(0.5 * f64::from(chance) / f64::from(u16::MAX));
    asked.unwrap_or_default().min(LONGEST_ASKED).max(whole.saturating_sub(less))
}

/// What a `Retry-After` asks for (RFC 9110, section 10.2.3): a number of seconds, or a date.
pub(super) fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too large for 64 bits is too large in any case.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use passerelle_recorder::SigningKey;
    use passerelle_recorder::audit::{AuditEvent, AuditKind};

    use super::*;

    /// A signature that other implementations make of the same.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            body: Bytes::from_static(b"{\"test\": 2432232314}"),
        };
        let signature = message.signature(&hmac::Key::new(hmac::HMAC_SHA256, &secret), "1614265330");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_message_has_one_id_and_other_messages_have_others() {
        let signer = |seed| SigningKey::from_seed(&[seed; 32]).unwrap().public_key();
        let line = |seq, prev: &str| EventLine {
            seq,
            time: "2026-11-23T00:00:00.000Z".into(),
            event: AuditEvent::new(AuditKind::GatewayStarted).detail("version", "0.1.0"),
            prev: prev.into(),
        };
        let id = |line: &EventLine, seed| Message::of(line, &signer(seed)).id;
        let first = id(&line(1, "00"), 1);
        assert_eq!(first, id(&line(1, "00"), 1));
        assert!(first.len() == 36 && !first.contains('.'), "{first}");
        for other in [id(&line(2, "00"), 1), id(&line(1, "01"), 1), id(&line(1, "00"), 2)] {
            assert_ne!(first, other);
        }
        let body = Message::of(&line(1, "00"), &signer(1)).body;
        assert_eq!(serde_json::from_slice::<EventLine>(&body).unwrap(), line(1, "00"));
    }

    #[test]
    fn pauses_grow_and_what_is_asked_for_counts() {
        let seconds = |failures, chance| pause(failures, None, chance).as_secs_f64();
        assert_eq!(
            [1, 2, 3, 9, 10, 400].map(|failures| seconds(failures, 0)),
            [1.0, 2.0, 4.0, 256.0, 300.0, 300.0]
        );
        assert_eq!(seconds(4, u16::MAX), 4.0);
        let asked = |seconds| pause(3, Some(Duration::from_secs(seconds)), 0).as_secs();
        assert_eq!([0, 3, 60, 86_400].map(asked), [4, 4, 60, 3600]);
    }

    #[test]
    fn receivers_ask_in_seconds_or_with_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:40:37 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now).map(|asked| asked.as_secs()), seconds, "{text}");
        }
    }
}
