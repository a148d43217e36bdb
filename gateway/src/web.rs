//! The web application: files that are in the binary, for anybody. What it shows it gets from the API.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH,
    VARY,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use rust_embed::RustEmbed;

use crate::api::accepts_zstd;

/// What `npm run build` in `gateway/web` made. It is in the repository, so that building the gateway takes no Node.js.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dist;

/// Each file compressed, once, as far as that makes it smaller: three quarters of what travels are saved.
static COMPRESSED: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let compressed = Dist::iter().filter_map(|path| {
        let file = Dist::get(&path)?;
        let bytes = zstd::bulk::compress(&file.data, LEVEL).ok()?;
        (bytes.len() < file.data.len()).then(|| (path.into_owned(), bytes))
    });
    compressed.collect()
});

/// Takes some milliseconds for all files.
const LEVEL: i32 = 15;

/// What the application may load: its own files and the API, and pictures that it makes itself. Nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                      connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The page, at every address that the application knows, and the files that it loads.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ["/", "/recordings", "/recordings/{id}", "/sessions", "/sessions/{id}"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, get(page)))
        .route("/assets/{name}", get(asset))
}

/// The page. It names its files, so whoever has an old one must learn of the new one.
async fn page(asked: HeaderMap) -> Response {
    answer("index.html", Some("text/html; charset=utf-8"), "no-cache", &asked)
}

/// A file that the page loads. Its name holds a hash of its content, so it never changes.
async fn asset(Path(name): Path<String>, asked: HeaderMap) -> Response {
    answer(&format!("assets/{name}"), media_type(&name), "public, max-age=31536000, immutable", &asked)
}

fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn answer(path: &str, kind: Option<&'static str>, caching: &'static str, asked: &HeaderMap) -> Response {
    let (Some(file), Some(kind)) = (Dist::get(path), kind) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let compressed = COMPRESSED.get(path).filter(|_| accepts_zstd(asked));
    // Compressed it is another representation, and has a tag of its own.
    let form = if compressed.is_some() { "-zstd" } else { "" };
    let tag = format!("\"{}{form}\"", HEXLOWER.encode(&file.metadata.sha256_hash()[..16]));
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let known = known
        .flat_map(|tags| tags.split(','))
        .any(|known| matches!(known.trim(), "*") || known.trim().trim_start_matches("W/") == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if let Some(bytes) = compressed {
        ([(CONTENT_TYPE, kind), (CONTENT_ENCODING, "zstd")], bytes.as_slice()).into_response()
    } else {
        ([(CONTENT_TYPE, kind)], file.data).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, caching),
        (CONTENT_SECURITY_POLICY, POLICY),
        (VARY, "accept-encoding"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's own text.
    fn text() -> String {
        String::from_utf8(Dist::get("index.html").unwrap().data.into_owned()).unwrap()
    }

    #[test]
    fn every_file_has_a_media_type_and_a_name_for_good() {
        for path in Dist::iter().filter(|path| path != "index.html") {
            let name = path.strip_prefix("assets/").unwrap_or_else(|| panic!("{path} is served nowhere"));
            assert!(media_type(name).is_some(), "{name}");
            let hash = name.rsplit_once('.').unwrap().0.rsplit_once('-').map(|(_, hash)| hash.len());
            assert!(hash >= Some(8), "{name} may be kept for a year and has no hash");
        }
    }

    #[test]
    fn the_page_loads_what_is_there_and_nothing_inline() {
        let text = text();
        for attribute in ["src=\"", "href=\""] {
            for link in text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                let path = link.strip_prefix('/').unwrap_or_else(|| panic!("{link} is not ours"));
                assert!(Dist::get(path).is_some(), "{link}");
            }
        }
        assert_eq!(text.matches("<script").count(), text.matches("<script type=\"module\"").count());
        assert!(!text.contains("<style") && !text.contains("style=") && !text.contains("onload="));
    }
}
