//! Where Redis is and how to log in.

use std::fmt;

use crate::Secret;

/// Where Redis is and how to log in.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Which servers there are.
    pub servers: RedisServers,
    /// Whether connections are encrypted, and what servers' certificates are checked against.
    pub tls: Option<RedisTls>,
    /// The ACL user; nothing given means `default`.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The number of the database; a cluster has only 0.
    pub database: u32,
    /// How many replicas must have a change that may not be lost before it counts as made. 0 waits for none.
    pub replicas: u32,
}

/// Which servers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServers {
    /// One server.
    Single(RedisHost),
    /// Sentinels, which know where the server is.
    Sentinel {
        /// Where they are; one that answers is enough.
        sentinels: Vec<RedisHost>,
        /// What they call the server.
        service: String,
    },
    /// Some nodes of a cluster; one that answers is enough.
    Cluster(Vec<RedisHost>),
}

/// A host name or address with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisHost {
    /// The name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What servers' certificates are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTls {
    /// Authorities in PEM form; nothing given means those that the system trusts.
    pub authorities: Option<Vec<u8>>,
}

impl fmt::Display for RedisHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for RedisServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |hosts: &[RedisHost]| hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Single(host) => write!(f, "Redis at {host}"),
            Self::Sentinel { sentinels, service } => {
                write!(f, "Redis {service} of the Sentinels at {}", list(sentinels))
            }
            Self::Cluster(nodes) => write!(f, "the Redis cluster at {}", list(nodes)),
        }
    }
}
