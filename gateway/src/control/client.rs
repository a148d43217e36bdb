//! The command line's side of the control socket.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::api::Problem;

/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Why a command got no answer from the running gateway.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("no gateway answers at {}: {source}; is `passerelle serve` running with this configuration?", path.display())]
    NotRunning { path: PathBuf, source: io::Error },
    #[error("{} belongs to the user who runs the gateway: run this command as that user", path.display())]
    Forbidden { path: PathBuf },
    #[error("{0}")]
    Refused(String),
    #[error("the gateway's answer could not be understood: {0}")]
    Answer(String),
}

/// Asks the gateway behind `socket`, and understands its answer.
///
/// # Errors
/// As [`send`].
pub(crate) async fn call<A: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<A, ClientError> {
    let answer = send(socket, method, path, body).await?;
    serde_json::from_slice(&answer).map_err(|error| ClientError::Answer(error.to_string()))
}

/// Asks the gateway behind `socket`, for whatever answer. `path` is that of a route of the API.
///
/// # Errors
/// When there is no gateway, or it refuses with a sentence of its own.
pub(crate) async fn send(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<Bytes, ClientError> {
    let stream = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => ClientError::Forbidden { path: socket.to_owned() },
        _ => ClientError::NotRunning { path: socket.to_owned(), source },
    })?;
    let unclear = |error: &dyn std::fmt::Display| ClientError::Answer(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| unclear(&error))?;
    let driver = tokio::spawn(connection);
    let body = match body {
        Some(body) => Full::new(Bytes::from(serde_json::to_vec(body).map_err(|error| unclear(&error))?)),
        None => Full::default(),
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("host", "passerelle")
        .header("content-type", "application/json")
        .body(body)
        .map_err(|error| unclear(&error))?;
    let response = sender.send_request(request).await.map_err(|error| unclear(&error))?;
    let status = response.status();
    let bytes = Limited::new(response.into_body(), ANSWER_LIMIT)
        .collect()
        .await
        .map_err(|error| ClientError::Answer(error.to_string()))?
        .to_bytes();
    driver.abort();
    if !status.is_success() {
        return Err(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => ClientError::Refused(problem.detail),
            Err(_) => ClientError::Answer(format!("status {status}")),
        });
    }
    Ok(bytes)
}

/// A name as a segment of a path, with everything but plain signs percent-encoded.
pub(crate) fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    let encoded = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_segments_of_paths() {
        for (name, encoded) in
            [("siem-1.a@b_c", "siem-1.a@b_c"), ("Zoë", "Zo%C3%AB"), ("a/b?c d", "a%2Fb%3Fc%20d")]
        {
            assert_eq!(segment(name), encoded);
        }
    }
}
