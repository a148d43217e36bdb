//! What nodes tell each other.

use passerelle_desktop::Permissions;
use redis::Value;
use serde::Deserialize;

use super::scripts::PREFIX;
use super::values::permissions;
use crate::{Revocation, SessionId, StoreEvent};

/// What a script publishes. Later versions may tell more.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Message {
    Revoked { session: SessionId, by: String, reason: String },
    PermissionsAsked { session: SessionId, permissions: String },
    Changed { epoch: String },
}

/// Where events are published.
pub(super) fn channel() -> String {
    format!("{PREFIX}events")
}

/// The event in a message, if this version knows it.
pub(super) fn read(message: &Value) -> Option<StoreEvent> {
    let Value::BulkString(text) = message else { return None };
    Some(match serde_json::from_slice(text).ok()? {
        Message::Revoked { session, by, reason } => {
            StoreEvent::Revoked { session, revocation: Revocation { by, reason } }
        }
        Message::PermissionsAsked { session, permissions: names } => {
            let permissions: Permissions = permissions(&names);
            StoreEvent::PermissionsAsked { session, permissions }
        }
        Message::Changed { epoch } => StoreEvent::Changed { epoch: epoch.parse().ok()? },
    })
}

#[cfg(test)]
mod tests {
    use passerelle_desktop::Permission;

    use super::*;

    #[test]
    fn messages_are_read_and_those_of_later_versions_passed_over() {
        let message = |text: &str| read(&Value::BulkString(text.as_bytes().to_vec()));
        let session = SessionId::from_bytes([1; 16]);
        let permissions = Permissions::NONE.with(Permission::View);
        assert_eq!(
            message(&format!(
                r#"{{"event":"permissions_asked","session":"{session}","permissions":"view,x"}}"#
            )),
            Some(StoreEvent::PermissionsAsked { session, permissions })
        );
        assert_eq!(
            message(r#"{"event":"changed","epoch":"7","more":[]}"#),
            Some(StoreEvent::Changed { epoch: 7 })
        );
        for text in ["", "{}", r#"{"event":"moved"}"#, r#"{"event":"changed","epoch":"x"}"#, "\u{fffd}"] {
            assert_eq!(message(text), None, "{text}");
        }
        assert_eq!(read(&Value::Nil), None);
    }
}
