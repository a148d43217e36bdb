//! Where the shared store is.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::HostPort;

/// Where a shared store is.
///
/// Written as one of
///
/// - `redis://host:6379/0`: one server, and the number of the database;
/// - `redis-sentinel://host:26379,host:26379/service/0`: Sentinels, and what they call the server;
/// - `redis-cluster://host:6379,host:6379`: some nodes of a cluster;
///
/// with `rediss` in place of `redis` for TLS. Ports and the database may be left out. User and password are
/// keys of their own, since a URL is easily shown to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl {
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Which servers there are.
    pub servers: StoreServers,
    /// The number of the database.
    pub database: u32,
}

/// Which servers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreServers {
    /// One server.
    Single(HostPort),
    /// Sentinels, which know where the server is.
    Sentinel {
        /// Where they are.
        sentinels: Vec<HostPort>,
        /// What they call the server.
        service: String,
    },
    /// Some nodes of a cluster.
    Cluster(Vec<HostPort>),
}

/// Text that is no URL of a store. The sentence goes on from `this`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// It begins with something else.
    #[error(
        "is not a store; write `embedded`, or a URL that begins with `redis://`, `rediss://`, `redis-sentinel://` or \
         `redis-cluster://`"
    )]
    Scheme,
    /// It has a user or a password.
    #[error(
        "has a user or a password in its URL; write `store: {{ url: …, username: …, password: env:NAME }}` instead"
    )]
    Login,
    /// One of its hosts is none.
    #[error("has a host that is none; write `host` or `host:port`, several with commas between them")]
    Host,
    /// It names several servers where one is meant.
    #[error("names several servers; that takes `redis-sentinel://` or `redis-cluster://`")]
    Several,
    /// There is no name of the service.
    #[error("does not say what the Sentinels call the server; write `redis-sentinel://host/service`")]
    Service,
    /// What follows the hosts is not understood.
    #[error("ends with something that is no number of a database from 0 to 65535")]
    Database,
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(StoreUrlError::Scheme)?;
        let (tls, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").ok_or(StoreUrlError::Scheme)?),
        };
        if rest.contains('@') {
            return Err(StoreUrlError::Login);
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if kind == "-sentinel" { 26379 } else { 6379 };
        let hosts = hosts.split(',').map(|host| host_port(host, port)).collect::<Result<Vec<_>, _>>()?;
        let (servers, database) = match kind {
            "" => {
                let [host] = <[_; 1]>::try_from(hosts).map_err(|_| StoreUrlError::Several)?;
                (StoreServers::Single(host), path)
            }
            "-sentinel" => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(StoreUrlError::Service);
                }
                (StoreServers::Sentinel { sentinels: hosts, service: service.to_owned() }, database)
            }
            "-cluster" => (StoreServers::Cluster(hosts), path),
            _ => return Err(StoreUrlError::Scheme),
        };
        let database = match (database, &servers) {
            ("", _) => 0,
            (_, StoreServers::Cluster(_)) => return Err(StoreUrlError::Database),
            (number, _) => number.parse::<u16>().map_err(|_| StoreUrlError::Database)?.into(),
        };
        Ok(Self { tls, servers, database })
    }
}

fn host_port(text: &str, port: u16) -> Result<HostPort, StoreUrlError> {
    let without_port = text.ends_with(']') || !text.contains(':');
    let host = if without_port { format!("{text}:{port}").parse() } else { text.parse() };
    host.map_err(|_| StoreUrlError::Host)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |hosts: &[HostPort]| hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        match &self.servers {
            StoreServers::Single(host) => write!(f, "://{host}/{}", self.database),
            StoreServers::Sentinel { sentinels, service } => {
                write!(f, "-sentinel://{}/{service}/{}", list(sentinels), self.database)
            }
            StoreServers::Cluster(nodes) => write!(f, "-cluster://{}", list(nodes)),
        }
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for StoreUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StoreUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "redis://host:6379/0, redis-sentinel://host:26379,host:26379/service/0 or redis-cluster://host:6379,host:6379; rediss in place of redis for TLS.",
            "type": "string",
            "format": super::format::STORE_URL
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        for (text, written) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://10.0.0.5:7000/3", "redis://10.0.0.5:7000/3"),
            ("rediss://[2001:db8::5]", "rediss://[2001:db8::5]:6379/0"),
            ("redis-sentinel://a,b:1/shared", "redis-sentinel://a:26379,b:1/shared/0"),
            ("rediss-sentinel://a/shared/2", "rediss-sentinel://a:26379/shared/2"),
            ("rediss-cluster://a,b,c/", "rediss-cluster://a:6379,b:6379,c:6379"),
        ] {
            let url: StoreUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), written);
            assert_eq!(written.parse(), Ok(url));
        }
    }

    #[test]
    fn other_texts_are_refused_and_passwords_not_repeated() {
        use StoreUrlError::{Database, Host, Login, Scheme, Service, Several};
        for (text, error) in [
            ("", Scheme),
            ("redis", Scheme),
            ("http://localhost", Scheme),
            ("redis-shards://localhost", Scheme),
            ("redis://node:hunter2@localhost", Login),
            ("redis://:hunter2@localhost", Login),
            ("redis://", Host),
            ("redis://a,,b", Host),
            ("redis://a:port", Host),
            ("redis://a,b", Several),
            ("redis-sentinel://a", Service),
            ("redis-sentinel://a//0", Service),
            ("redis://a/x", Database),
            ("redis://a/65536", Database),
            ("redis://a/0?x", Database),
            ("redis-cluster://a/1", Database),
        ] {
            assert_eq!(text.parse::<StoreUrl>(), Err(error), "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
