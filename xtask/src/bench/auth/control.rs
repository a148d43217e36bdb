//! The API on the gateway's control socket, where nobody has to log in: for what a measurement needs
//! beforehand, such as a thousand tickets.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::bench::gateway::Ticket;

/// A connection that stays open.
pub(crate) struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    /// Connects to the socket at `path`.
    pub(crate) fn connect(path: &Path) -> Result<Self> {
        let stream =
            UnixStream::connect(path).with_context(|| format!("cannot connect to {}", path.display()))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// A ticket for alice.
    pub(crate) fn ticket(&mut self, target: &str) -> Result<Ticket> {
        let answer = self.post("/api/v1/tickets", &json!({ "technician": "alice", "target": target }))?;
        Ok(Ticket {
            username: text(&answer, "username")?,
            ticket: text(&answer, "ticket")?,
            vnc_password: text(&answer, "vnc_password")?,
        })
    }

    /// The token of a login with `credentials`, the body of `POST /login`.
    pub(crate) fn log_in(&mut self, credentials: &Value) -> Result<String> {
        text(&self.post("/api/v1/login", credentials)?, "token")
    }

    /// As many of them.
    pub(crate) fn tickets(&mut self, target: &str, count: usize) -> Result<Vec<Ticket>> {
        (0..count).map(|_| self.ticket(target)).collect()
    }

    /// What `path` answers with, in the viewing of a recording where one is given.
    pub(crate) fn get(&mut self, path: &str, viewing: Option<&str>) -> Result<Vec<u8>> {
        let viewing = viewing.map(|viewing| format!("passerelle-viewing: {viewing}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nhost: control\r\n{viewing}\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        answer(&mut self.stream)
    }

    /// What `path` answers with to `body`.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: control\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let answer = answer(&mut self.stream)?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer.get(name).and_then(Value::as_str).map(str::to_owned);
    text.with_context(|| format!("the answer has no `{name}`: {answer}"))
}

/// The body of an answer of HTTP/1.1 (RFC 9112) that has a length; one that is no success is an error.
fn answer(stream: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut status = String::new();
    stream.read_line(&mut status)?;
    let mut length = None;
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line)? > 0, "the answer ends within its head");
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse()?);
        }
    }
    let mut body = vec![0; length.context("the answer has no length")?];
    stream.read_exact(&mut body)?;
    let success = status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    ensure!(success, "{}: {}", status.trim(), String::from_utf8_lossy(&body));
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_follow_each_other_on_a_connection() {
        let mut stream = &b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx: y\r\n\r\n{}\
                            HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno\
                            HTTP/1.1 200 OK\r\n"[..];
        assert_eq!(answer(&mut stream).unwrap(), b"{}");
        assert_eq!(answer(&mut stream).unwrap_err().to_string(), "HTTP/1.1 403 Forbidden: no");
        assert_eq!(answer(&mut stream).unwrap_err().to_string(), "the answer ends within its head");
    }
}
