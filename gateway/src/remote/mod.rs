//! An object store with recordings in it.
//!
//! A recording is a folder of small objects with the names of its files. Headers and segments are written once: what is
//! there is never replaced. Keys can be, since erasing destroys them.

mod fetch;
mod http;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig};
use passerelle_config::ObjectStore;
use passerelle_recorder::{HEADER, Summary, is_part};
use rustls::RootCertStore;

use self::http::Sender;
use crate::collection::is_name;
use crate::http_client::HttpClient;

pub(crate) use fetch::FetchError;

/// The longest object, in bytes: a segment holds 64 MiB and what one write adds.
const LONGEST: usize = 96 << 20;

/// Why the object store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("the object store has another {0}")]
    Differs(String),
    #[error("the object store has no {0}")]
    Missing(String),
    #[error("what the object store has of {0} is no recording: {1}")]
    Malformed(String, std::io::Error),
    #[error("the object store does not do it: {0}")]
    Failed(object_store::Error),
    #[error("the object store cannot be used: {0}")]
    Unusable(object_store::Error),
    #[error("no TLS for the object store: {0}")]
    Tls(#[from] rustls::Error),
}

/// An object store, ready for use.
#[derive(Clone)]
pub(crate) struct Remote {
    store: Arc<AmazonS3>,
    prefix: Path,
    /// How much room fetched copies may take, in bytes.
    cache: u64,
}

impl Remote {
    /// The store that the configuration describes, with certificates that `roots` vouch for.
    ///
    /// # Errors
    /// What it says cannot be used.
    pub(crate) fn new(config: &ObjectStore, roots: Arc<RootCertStore>) -> Result<Self, RemoteError> {
        let sender = Sender::new(HttpClient::new(roots)?, config.timeout.get());
        // Whoever asks tries again, with pauses of their own.
        let once = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 0,
            retry_timeout: Duration::from_secs(1),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.url.bucket)
            .with_region(&config.region)
            .with_access_key_id(config.access_key.expose())
            .with_secret_access_key(config.secret_key.expose())
            .with_retry(once)
            .with_http_connector(sender);
        builder = match &config.endpoint {
            Some(endpoint) => {
                builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"))
            }
            None => builder.with_virtual_hosted_style_request(true),
        };
        let store = builder.build().map_err(RemoteError::Unusable)?;
        let prefix = Path::from(config.url.prefix.as_str());
        Ok(Self { store: Arc::new(store), prefix, cache: config.cache.bytes() })
    }

    fn place(&self, id: &str, name: &str) -> Path {
        self.prefix.clone().join(id).join(name)
    }

    /// Writes an object that must not be there yet. One of the same content is taken for the one that was written
    /// before, of which no answer came back.
    ///
    /// # Errors
    /// It is there with another content, or cannot be written.
    pub(crate) async fn create(&self, id: &str, name: &str, content: Vec<u8>) -> Result<(), RemoteError> {
        let content = bytes::Bytes::from(content);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&self.place(id, name), content.clone().into(), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                if self.read(id, name).await? == content {
                    Ok(())
                } else {
                    Err(differs(id, name))
                }
            }
            Err(error) => Err(RemoteError::Failed(error)),
        }
    }

    /// Writes an object in the place of whatever is there.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) async fn replace(&self, id: &str, name: &str, content: Vec<u8>) -> Result<(), RemoteError> {
        self.store.put(&self.place(id, name), content.into()).await.map_err(RemoteError::Failed)?;
        Ok(())
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) async fn discard(&self, id: &str, name: &str) -> Result<(), RemoteError> {
        match self.store.delete(&self.place(id, name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(RemoteError::Failed(error)),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) async fn read(&self, id: &str, name: &str) -> Result<bytes::Bytes, RemoteError> {
        let missing = |error| match error {
            object_store::Error::NotFound { .. } => RemoteError::Missing(format!("{id}/{name}")),
            error => RemoteError::Failed(error),
        };
        let got = self.store.get(&self.place(id, name)).await.map_err(missing)?;
        got.bytes().await.map_err(RemoteError::Failed)
    }

    /// The names of all recordings that the store has something of, in order.
    ///
    /// # Errors
    /// The store does not tell.
    pub(crate) async fn recordings(&self) -> Result<Vec<String>, RemoteError> {
        let found = self.store.list_with_delimiter(Some(&self.prefix)).await.map_err(RemoteError::Failed)?;
        let names = found.common_prefixes.iter().filter_map(|folder| folder.filename());
        let mut names: Vec<String> = names.filter(|name| is_name(name)).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// What a listing says of a recording. Reads its header and its last segment.
    ///
    /// # Errors
    /// These are not there, cannot be read, or are something else.
    pub(crate) async fn summary(&self, id: &str) -> Result<Summary, RemoteError> {
        let parts = self.parts(id).await?;
        let segments = || parts.iter().filter(|(name, _)| name.ends_with(".seg"));
        let (last, _) =
            segments().next_back().ok_or_else(|| RemoteError::Missing(format!("segment of {id}")))?;
        let (header, last) = (self.read(id, HEADER).await?, self.read(id, last).await?);
        let bytes = segments().map(|(_, bytes)| bytes).sum();
        let summary = passerelle_recorder::summary_of(&header, &last, bytes)
            .map_err(|error| RemoteError::Malformed(id.to_owned(), error))?;
        if summary.header.id == id {
            Ok(summary)
        } else {
            Err(RemoteError::Malformed(id.to_owned(), std::io::Error::other("it has another name")))
        }
    }

    /// The names and sizes of a recording's objects, in order.
    ///
    /// # Errors
    /// The store does not tell.
    pub(crate) async fn parts(&self, id: &str) -> Result<Vec<(String, u64)>, RemoteError> {
        let mut objects = self.objects(id).await?;
        objects.retain(|(name, _)| is_part(name));
        Ok(objects)
    }

    async fn objects(&self, id: &str) -> Result<Vec<(String, u64)>, RemoteError> {
        let folder = self.prefix.clone().join(id);
        let found: Vec<_> =
            self.store.list(Some(&folder)).try_collect().await.map_err(RemoteError::Failed)?;
        let named =
            |object: object_store::ObjectMeta| Some((object.location.filename()?.to_owned(), object.size));
        let mut objects: Vec<_> = found.into_iter().filter_map(named).collect();
        objects.sort();
        Ok(objects)
    }

    /// Removes everything of a recording. The header goes last, so that what is left is still known for what it is.
    ///
    /// # Errors
    /// Something is still there.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), RemoteError> {
        let (headers, others): (Vec<_>, Vec<_>) =
            self.objects(id).await?.into_iter().partition(|(name, _)| name == HEADER);
        for (name, _) in others.iter().chain(&headers) {
            self.discard(id, name).await?;
        }
        Ok(())
    }
}

fn differs(id: &str, name: &str) -> RemoteError {
    RemoteError::Differs(format!("{id}/{name}"))
}

/// Where fetched copies are.
pub(crate) fn cache(data_dir: &std::path::Path) -> PathBuf {
    data_dir.join("cache").join("recordings")
}
