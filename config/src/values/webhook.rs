//! Where events are sent, and which.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::HostPort;

/// Where events are sent: an `http` or `https` URL.
///
/// Receivers often have a secret in the path of their URL, so only scheme, host and port are ever printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    tls: bool,
    address: HostPort,
    authority: String,
    path: String,
}

impl WebhookUrl {
    /// Whether it begins with `https`.
    pub const fn is_https(&self) -> bool {
        self.tls
    }

    /// Host and port to connect to.
    pub const fn address(&self) -> &HostPort {
        &self.address
    }

    /// Host and port as they were written, for the request.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query. May hold a secret of the receiver's.
    pub fn expose_path(&self) -> &str {
        &self.path
    }

    /// Whether what is sent stays on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.address.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Text that is no URL to send to. The sentence goes on from `this`, since the text may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no URL of the form `https://host/path` without a user and password")]
pub struct WebhookUrlError;

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(WebhookUrlError),
        };
        // What a request line can hold as it is; everything else has to be percent-encoded.
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte)) {
            return Err(WebhookUrlError);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let port = if tls { 443 } else { 80 };
        let address = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            tls,
            address: address.parse().map_err(|_| WebhookUrlError)?,
            authority: authority.to_owned(),
            path,
        })
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}

/// Which events are meant: one kind, `session.started`; all that begin alike, `session.*`; or all, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern(String);

impl EventPattern {
    /// Whether it means this kind of event.
    pub fn fits(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == self.0,
        }
    }
}

/// Text that means no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("means no events; write a kind of event as in `session.started`, `session.*` or `*`")]
pub struct EventPatternError;

impl FromStr for EventPattern {
    type Err = EventPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let words = text.strip_suffix(".*").unwrap_or(text);
        if text == "*" || (words.split('.').all(word) && text.contains('.')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(EventPatternError)
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value!(
    WebhookUrl,
    "WebhookUrl",
    super::format::WEBHOOK_URL,
    "A URL that begins with https://, or with http:// on this machine."
);
text_value!(
    EventPattern,
    "EventPattern",
    super::format::EVENT_PATTERN,
    "A kind of event of the audit log: session.started, session.* or *."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_not_shown() {
        for (text, address, authority, path, local) in [
            ("https://a.example/in?k=1", "a.example:443", "a.example", "/in?k=1", false),
            ("https://a.example:8443", "a.example:8443", "a.example:8443", "/", false),
            ("http://[::1]/x", "[::1]:80", "[::1]", "/x", true),
            ("http://[::1]:8080/", "[::1]:8080", "[::1]:8080", "/", true),
            ("http://127.3.2.1?token=x", "127.3.2.1:80", "127.3.2.1", "/?token=x", true),
            ("http://localhost:1/", "localhost:1", "localhost:1", "/", true),
        ] {
            let url: WebhookUrl = text.parse().unwrap();
            assert_eq!(url.is_https(), text.starts_with("https"), "{text}");
            assert_eq!(
                (url.address().to_string().as_str(), url.authority(), url.expose_path(), url.is_local()),
                (address, authority, path, local)
            );
            assert!(!format!("{url:?}{url}").contains(&path[1..]) || path == "/");
        }
        for text in [
            "",
            "a.example",
            "ftp://a.example/",
            "https://",
            "https:///x",
            "https://user:hunter2@a.example/",
            "https://a.example/a b",
            "https://a.example/#top",
            "https://a.example:0/",
            "https://::1/",
            "https://a.example/\u{e9}",
            "HTTPS://a.example/",
        ] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(WebhookUrlError), "{text}");
        }
    }

    #[test]
    fn patterns_mean_events() {
        for (text, fits, not) in [
            ("session.started", &["session.started"][..], &["session.ended", "session"][..]),
            ("session.*", &["session.started", "session.ended"], &["sessions.x", "login.refused"]),
            ("target.certificate.*", &["target.certificate.changed"], &["target.changed"]),
            ("*", &["session.started", "a"], &[]),
        ] {
            let pattern: EventPattern = text.parse().unwrap();
            assert!(fits.iter().all(|kind| pattern.fits(kind)), "{text}");
            assert!(!not.iter().any(|kind| pattern.fits(kind)), "{text}");
        }
        for text in
            ["", "session", ".*", "session.", "*.started", "session*", "session.*.x", "Session.started"]
        {
            assert_eq!(text.parse::<EventPattern>(), Err(EventPatternError), "{text}");
        }
    }
}
