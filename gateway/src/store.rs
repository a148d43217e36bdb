//! The store that the configuration names, and what goes with it.

mod health;
mod measured;

use std::path::Path;
use std::sync::Arc;

use passerelle_auth::{
    Embedded, Pepper, Redis, RedisHost, RedisServers, RedisSettings, RedisTls, Secret, Store,
};
use passerelle_config::{self as config, Config};

use self::measured::Measured;
use crate::ambient;
use crate::gateway::{OpenError, data};
use crate::metrics::Metrics;

pub(crate) use health::watch;

/// A store with what a node needs to use it.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pepper: Pepper,
    /// This gateway's name among those that share the store.
    pub(crate) node: String,
}

/// Opens the store that `config` names and counts what it is asked in `metrics`. A shared one may turn out not to answer only when it is used.
///
/// # Errors
/// The database in the data directory, the pepper or the settings of the shared store cannot be used.
pub(crate) fn open(config: &Config, metrics: &Metrics) -> Result<Opened, OpenError> {
    let dir = &config.data_dir;
    let (store, node, backend): (Arc<dyn Store>, _, _) = match &config.store {
        config::Store::Embedded => {
            (Arc::new(Embedded::open(&dir.join(data::STORE))?), "local".to_owned(), "embedded")
        }
        config::Store::Redis(redis) => {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            (Arc::new(Redis::connect(&settings(redis))?), host, "redis")
        }
    };
    let store = Arc::new(Measured::new(store, metrics.store_metrics(backend)));
    Ok(Opened { store, pepper: pepper(config, dir)?, node: config.node.clone().unwrap_or(node) })
}

fn pepper(config: &Config, dir: &Path) -> Result<Pepper, OpenError> {
    Ok(match &config.pepper {
        Some(digits) => Pepper::from_digits(digits.expose()).ok_or(OpenError::PepperDigits)?,
        None => Pepper::load_or_create(&dir.join(data::PEPPER), &mut ambient::random)?,
    })
}

fn settings(redis: &config::RedisStore) -> RedisSettings {
    let host =
        |address: &config::HostPort| RedisHost { host: address.host().to_owned(), port: address.port() };
    let servers = match &redis.url.servers {
        config::StoreServers::Single(address) => RedisServers::Single(host(address)),
        config::StoreServers::Sentinel { sentinels, service } => RedisServers::Sentinel {
            sentinels: sentinels.iter().map(host).collect(),
            service: service.clone(),
        },
        config::StoreServers::Cluster(nodes) => RedisServers::Cluster(nodes.iter().map(host).collect()),
    };
    let authorities = redis.ca_file.as_ref().map(|file| file.pem.clone().into_bytes());
    RedisSettings {
        servers,
        tls: redis.url.tls.then_some(RedisTls { authorities }),
        username: redis.username.clone(),
        password: redis.password.as_ref().map(|password| Secret::new(password.expose().to_owned())),
        database: redis.url.database,
        replicas: redis.replicas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_the_configuration_says() {
        for (url, servers, tls) in [
            ("redis://a/2", "Redis at a:6379", false),
            ("rediss-sentinel://a,b/shared/2", "Redis shared of the Sentinels at a:26379,b:26379", true),
        ] {
            let redis = config::RedisStore {
                url: url.parse().unwrap(),
                username: Some("node".to_owned()),
                password: Some(config::Secret::new("hunter2".to_owned())),
                ca_file: None,
                replicas: 1,
            };
            let settings = settings(&redis);
            assert_eq!(settings.servers.to_string(), servers);
            assert_eq!((settings.tls.is_some(), settings.database, settings.replicas), (tls, 2, 1));
            assert_eq!(settings.password.as_ref().unwrap().expose(), "hunter2");
            assert!(!format!("{settings:?}").contains("hunter2"));
        }
    }
}
