//! What texts must be beyond being text, by the schema's `format`.

use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use serde_json::{Value as Json, json};

use crate::report::quoted;
use crate::resolver::Resolver;
use crate::sections::TargetSelector;
use crate::values::{
    BucketUrl, ByteSize, EventPattern, Fingerprint, FreeSpace, HostPort, HumanDuration, MacAddress, Network,
    Pattern, Recipient, StoreUrl, Time, TimeOfDay, TokenHash, WebhookUrl, ZoneName, format, is_name,
};

/// What became of a text.
pub(crate) enum Reading {
    /// What the types deserialize.
    As(Json),
    /// The same, and what to warn about.
    Doubtful(Json, String),
    /// What is wrong.
    Wrong(String),
}

/// Reads `text` as what `format` says.
pub(crate) fn read(text: &str, format: &str, base: &Path, resolver: &dyn Resolver) -> Reading {
    match format {
        format::ADDRESS => parsed::<HostPort>(text),
        format::DURATION => parsed::<HumanDuration>(text),
        format::SIZE => parsed::<ByteSize>(text),
        format::FREE_SPACE => parsed::<FreeSpace>(text),
        format::EVENT_PATTERN => parsed::<EventPattern>(text),
        format::WEBHOOK_URL => unrepeated::<WebhookUrl>(text),
        format::FINGERPRINT => parsed::<Fingerprint>(text),
        format::TIME => parsed::<Time>(text),
        format::TOKEN_HASH => unrepeated::<TokenHash>(text),
        format::RECIPIENT => unrepeated::<Recipient>(text),
        format::BUCKET_URL => unrepeated::<BucketUrl>(text),
        format::STORE if text == "embedded" => Reading::As(json!(text)),
        format::STORE | format::STORE_URL => unrepeated::<StoreUrl>(text),
        format::LISTEN_ADDRESS => listen_address(text),
        format::NETWORK => parsed::<Network>(text),
        format::TIME_ZONE => parsed::<ZoneName>(text),
        format::TIME_OF_DAY => parsed::<TimeOfDay>(text),
        format::PATTERN => parsed::<Pattern>(text),
        format::MAC_ADDRESS => parsed::<MacAddress>(text),
        format::PERSON if text == "*" => Reading::As(json!(text)),
        format::NAME | format::PERSON => name(text, text),
        format::LINE => line(text),
        format::SELECTOR => match text.parse() {
            Ok(TargetSelector::All) => Reading::As(json!(text)),
            Ok(TargetSelector::Tag(inner) | TargetSelector::Name(inner)) => name(text, &inner),
            Err(never) => match never {},
        },
        format::PATH if text.is_empty() => Reading::Wrong("is an empty path".to_owned()),
        format::PATH => Reading::As(json!(base.join(text))),
        format::CERTIFICATE_FILE => certificate(text, base, resolver),
        format::KEY_SET_FILE => key_set(text, base, resolver),
        format::HTTPS_URL => url(text, &["https://"], "`https://host/path`"),
        format::HTTP_URL => url(text, &["http://", "https://"], "`http://host:port` or `https://host/path`"),
        format::HEADER_NAME => header_name(text),
        format::SECRET => secret(text, base, resolver),
        _ if text.is_empty() => Reading::Wrong("is empty; write a value, or remove the key".to_owned()),
        _ => Reading::As(json!(text)),
    }
}

/// What to say about a number or truth value, as written, where a text is wanted.
pub(crate) fn not_text(scalar: &str, format: &str) -> String {
    match format {
        format::DURATION => HumanDuration::from_str(scalar)
            .map_or_else(|error| format!("{} {error}", quoted(scalar)), |_| "must be text".to_owned()),
        format::SIZE => ByteSize::from_str(scalar)
            .map_or_else(|error| format!("{} {error}", quoted(scalar)), |_| "must be text".to_owned()),
        format::FREE_SPACE => FreeSpace::from_str(scalar)
            .map_or_else(|error| format!("{} {error}", quoted(scalar)), |_| "must be text".to_owned()),
        format::LISTEN_ADDRESS => listen_sentence(scalar),
        format::SECRET => SECRET_FORMS.to_owned(),
        _ => format!("{} is not text to YAML; put it in quotes", quoted(scalar)),
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Reading {
    match text.parse::<T>() {
        Ok(_) => Reading::As(json!(text)),
        Err(error) => Reading::Wrong(format!("{} {error}", quoted(text))),
    }
}

/// Like [`parsed`], but somebody may have put the secret here that belongs to it, which must not be repeated.
fn unrepeated<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Reading {
    match text.parse::<T>() {
        Ok(_) => Reading::As(json!(text)),
        Err(error) => Reading::Wrong(format!("this {error}")),
    }
}

fn line(text: &str) -> Reading {
    if text.trim().is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Reading::Wrong("must be a single line of 1 to 200 characters".to_owned());
    }
    Reading::As(json!(text))
}

fn name(text: &str, inner: &str) -> Reading {
    if is_name(inner) {
        return Reading::As(json!(text));
    }
    let message =
        format!("{} is not a name; a name has 1 to 64 letters, digits and the signs `-_.@`", quoted(inner));
    Reading::Wrong(message)
}

fn listen_address(text: &str) -> Reading {
    if text.parse::<SocketAddr>().is_ok() {
        Reading::As(json!(text))
    } else {
        Reading::Wrong(listen_sentence(text))
    }
}

fn listen_sentence(text: &str) -> String {
    format!(
        "{} is not an address to listen on; write an IP address and a port, for example `0.0.0.0:5900` or `[::]:5900`",
        quoted(text)
    )
}

fn certificate(text: &str, base: &Path, resolver: &dyn Resolver) -> Reading {
    if text.starts_with("file:") {
        return Reading::Wrong("is a plain path; leave out `file:`, which is for secrets".to_owned());
    }
    let path = base.join(text);
    let shown = quoted(&path.to_string_lossy());
    match resolver.file(&path).map(String::from_utf8) {
        Err(error) => Reading::Wrong(format!("the file {shown} {error}")),
        Ok(Ok(pem)) if pem.contains("-----BEGIN CERTIFICATE-----") => {
            Reading::As(json!({ "path": path, "pem": pem }))
        }
        Ok(_) => Reading::Wrong(format!("the file {shown} has no PEM certificate in it")),
    }
}

fn key_set(text: &str, base: &Path, resolver: &dyn Resolver) -> Reading {
    let path = base.join(text);
    let shown = quoted(&path.to_string_lossy());
    match resolver.file(&path).map(String::from_utf8) {
        Err(error) => Reading::Wrong(format!("the file {shown} {error}")),
        Ok(Ok(text)) if serde_json::from_str::<Json>(&text).is_ok_and(|json| json["keys"].is_array()) => {
            Reading::As(json!({ "path": path, "json": text }))
        }
        Ok(_) => Reading::Wrong(format!("the file {shown} has no JSON Web Key Set in it")),
    }
}

fn header_name(text: &str) -> Reading {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(sign) {
        return Reading::As(json!(text));
    }
    Reading::Wrong(format!("{} is no name of a header field, as `x-api-key` is", quoted(text)))
}

fn url(text: &str, schemes: &[&str], form: &str) -> Reading {
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let sound = !text.contains(|c: char| c.is_whitespace() || c.is_control()) && !text.contains('@');
    match host {
        Some(host) if sound && !host.is_empty() => Reading::As(json!(text)),
        _ => Reading::Wrong(format!("{} is no URL of the form {form}", quoted(text))),
    }
}

/// Never repeats what was written: it is likely the secret itself.
const SECRET_FORMS: &str = "a secret is not written here but referred to: `env:NAME` or `file:/path` (or, for trials, `insecure-inline:VALUE`)";

fn secret(text: &str, base: &Path, resolver: &dyn Resolver) -> Reading {
    if let Some(name) = text.strip_prefix("env:") {
        return match resolver.variable(name) {
            _ if name.is_empty() => {
                Reading::Wrong("`env:` needs the name of a variable, as in `env:NAME`".to_owned())
            }
            Some(value) if value.is_empty() => {
                Reading::Wrong(format!("the environment variable {} is empty", quoted(name)))
            }
            Some(value) => Reading::As(Json::String(value)),
            None => Reading::Wrong(format!("the environment variable {} is not set", quoted(name))),
        };
    }
    if let Some(path) = text.strip_prefix("file:") {
        return secret_file(&base.join(path), resolver);
    }
    match text.strip_prefix("insecure-inline:") {
        Some("") => Reading::Wrong("`insecure-inline:` needs a value behind it".to_owned()),
        Some(value) => Reading::Doubtful(
            json!(value),
            "this secret stands in the file itself; whoever may read the file knows it".to_owned(),
        ),
        None => Reading::Wrong(SECRET_FORMS.to_owned()),
    }
}

fn secret_file(path: &Path, resolver: &dyn Resolver) -> Reading {
    let shown = quoted(&path.to_string_lossy());
    let contents = match resolver.secret_file(path) {
        Ok(contents) => contents,
        Err(error) => return Reading::Wrong(format!("the file {shown} {error}")),
    };
    let Ok(text) = std::str::from_utf8(&contents) else {
        return Reading::Wrong(format!("the file {shown} is not text"));
    };
    // Editors and `echo` end the last line; a password does not end in one.
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Reading::Wrong(format!("the file {shown} is empty"));
    }
    Reading::As(json!(text))
}
