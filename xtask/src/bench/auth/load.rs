//! h2load: requests over HTTP/1.1 or 2 on connections that stay open.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::bench::process::command;

/// Connections at a time.
const CONNECTIONS: u32 = 8;

/// The version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// One request after the other on each connection.
    One,
    /// Up to four at a time on each connection.
    Two,
}

impl Version {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::One, Self::Two];

    /// As people write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "HTTP/1.1",
            Self::Two => "HTTP/2",
        }
    }
}

/// What is requested.
#[derive(Clone, Debug)]
pub(crate) struct Requests<'a> {
    /// Where.
    pub(crate) url: String,
    /// The token that goes with each, if any.
    pub(crate) token: Option<&'a str>,
    /// A file with the JSON that is sent; without it nothing is sent.
    pub(crate) body: Option<&'a Path>,
}

/// How many requests a second are answered, of `count` in all.
///
/// # Errors
/// One was not answered with success, or h2load cannot be run.
pub(crate) fn per_second(requests: &Requests<'_>, version: Version, count: u32) -> Result<f64> {
    let mut h2load = command("h2load", ["--threads=1"]);
    h2load.arg(format!("--clients={CONNECTIONS}")).arg(format!("--requests={count}"));
    h2load.arg(match version {
        Version::One => "--h1",
        Version::Two => "--max-concurrent-streams=4",
    });
    if let Some(token) = requests.token {
        h2load.arg(format!("--header=authorization: Bearer {token}"));
    }
    if let Some(body) = requests.body {
        h2load.arg("--header=content-type: application/json").arg("--data").arg(body);
    }
    let output = h2load.arg(&requests.url).output().context("cannot run h2load")?;
    rate(&String::from_utf8_lossy(&output.stdout), count)
}

/// Reads `finished in 1.03s, 970.87 req/s, 1.2MB/s` and `status codes: 1000 2xx, 0 3xx, ...`.
fn rate(printed: &str, count: u32) -> Result<f64> {
    let after = |start: &str| printed.lines().find_map(|line| line.strip_prefix(start));
    let succeeded = after("status codes: ").and_then(|codes| codes.split_once(" 2xx")?.0.parse::<u32>().ok());
    if succeeded != Some(count) {
        bail!("not each request was answered with success: {}", printed.trim());
    }
    let rate =
        after("finished in ").and_then(|line| line.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok());
    rate.context("h2load did not say how many requests were answered a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_counts() {
        let text = "\nfinished in 1.03s, 970.87 req/s, 1.2MB/s\nrequests: 1000 total, 1000 started\n\
                    status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx\n";
        assert_eq!(rate(text, 1000).unwrap(), 970.87);
        assert!(rate(text, 1001).is_err());
        assert!(rate("", 1).is_err());
        let refused = text.replace("1000 2xx, 0 3xx, 0 4xx", "999 2xx, 0 3xx, 1 4xx");
        assert!(rate(&refused, 1000).is_err());
    }
}
