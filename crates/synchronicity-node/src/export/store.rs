//! Where a log is exported to: a folder or a bucket, both through one interface that can replace a file as a whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, RetryConfig, UpdateVersion,
};
use synchronicity_verify::note::NOTE_BYTES_MAX;
use synchronicity_verify::tile::TilePath;

use super::ExportError;
use super::target::{self, Bucket, Target};
use super::transport::Transport;
use crate::durable::sync_folder;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// No tile ever changes: its path says what is in it, for one log.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// How long a cache may show the checkpoint before it asks again.
const SHORTLY: &str = "public, max-age=5";

/// A destination. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    is_folder: bool,
    /// A second export into the same folder could put an older checkpoint over a newer one.
    _lock: Option<Arc<File>>,
}

/// The checkpoint at the destination.
#[derive(Clone, Debug)]
pub struct Found {
    /// The signed checkpoint, byte for byte.
    pub note: Vec<u8>,
    version: UpdateVersion,
}

impl Store {
    /// Opens a destination, making the folder if it is one. `retries`: how often a request is repeated at most.
    ///
    /// # Errors
    /// [`ExportError`] for a target that cannot be, a folder that cannot be made, or one that another export holds.
    pub fn open(target: &Target, retries: usize) -> Result<Store, ExportError> {
        match target {
            Target::Folder(folder) => Store::folder(folder),
            Target::Bucket(bucket) => Store::bucket(bucket, retries),
        }
    }

    /// Any store, for tests: one in memory, or one that fails.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Store {
        Store { objects, prefix: Path::default(), is_folder: false, _lock: None }
    }

    fn folder(folder: &PathBuf) -> Result<Store, ExportError> {
        let failed = |error: io::Error| ExportError::Folder { path: folder.clone(), error };
        fs::create_dir_all(folder).map_err(failed)?;
        folder.parent().map_or(Ok(()), sync_folder).map_err(failed)?;
        let lock = File::open(folder).map_err(failed)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ExportError::Locked(folder.clone())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Ok(()) => {}
        }
        // Synced file by file: the checkpoint must not reach the disk before a tile does.
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(ExportError::Store)?.with_fsync(true);
        let lock = Some(Arc::new(lock));
        Ok(Store { objects: Arc::new(objects), prefix: Path::default(), is_folder: true, _lock: lock })
    }

    fn bucket(place: &Bucket, retries: usize) -> Result<Store, ExportError> {
        let objects = bucket(place, retries)?;
        Ok(Store { objects, prefix: place.prefix.clone(), is_folder: false, _lock: None })
    }

    /// The checkpoint at the destination, if there is one.
    pub(super) async fn checkpoint(&self) -> Result<Option<Found>, ExportError> {
        let answer = match self.objects.get_opts(&self.at("checkpoint"), GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            answer => answer.map_err(ExportError::Store)?,
        };
        if answer.meta.size > NOTE_BYTES_MAX as u64 {
            return Err(ExportError::NotALog(format!("it has {} bytes", answer.meta.size)));
        }
        let version = UpdateVersion { e_tag: answer.meta.e_tag.clone(), version: answer.meta.version.clone() };
        let note = answer.bytes().await.map_err(ExportError::Store)?.to_vec();
        Ok(Some(Found { note, version }))
    }

    /// Whether the destination holds no tile at all, so that none has to be looked for.
    pub(super) async fn is_bare(&self) -> Result<bool, ExportError> {
        let listed = self.objects.list_with_delimiter(Some(&self.at("tile"))).await.map_err(ExportError::Store)?;
        Ok(listed.common_prefixes.is_empty() && listed.objects.is_empty())
    }

    /// Whether a file is at the destination already, with this content as far as that is cheap to tell: a file is
    /// compared, an object by its size and, where its ETag is an MD5, by that.
    pub(super) async fn holds(&self, path: TilePath, content: &[u8]) -> Result<bool, ExportError> {
        let at = self.at(&path.path());
        let head = GetOptions { head: !self.is_folder, ..GetOptions::default() };
        let found = match self.objects.get_opts(&at, head).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            found => found.map_err(ExportError::Store)?,
        };
        if found.meta.size != content.len() as u64 {
            return Ok(false);
        }
        if self.is_folder {
            return Ok(found.bytes().await.map_err(ExportError::Store)? == content);
        }
        let e_tag = found.meta.e_tag.as_deref().map(|e_tag| e_tag.trim_matches('"').to_ascii_lowercase());
        let md5 = e_tag.filter(|e_tag| e_tag.len() == 32 && e_tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Ok(md5.is_none_or(|md5| md5 == hex(&Md5::digest(content))))
    }

    /// Puts one file of the log in its place.
    pub(super) async fn put(&self, path: TilePath, content: Vec<u8>) -> Result<(), ExportError> {
        let options = PutOptions { attributes: self.attributes(BYTES, FOREVER), ..PutOptions::default() };
        let put = self.objects.put_opts(&self.at(&path.path()), PutPayload::from(content), options).await;
        put.map(drop).map_err(ExportError::Store)
    }

    /// Replaces the checkpoint, if it is still the one that was found.
    pub(super) async fn publish(&self, note: &[u8], found: Option<Found>) -> Result<(), ExportError> {
        let mode = found.map_or(PutMode::Create, |found| PutMode::Update(found.version));
        let answer = match self.put_checkpoint(note, mode).await {
            // A folder, which is locked; or a store whose operator says that it does not know conditions.
            Err(object_store::Error::NotImplemented { .. }) => self.put_checkpoint(note, PutMode::Overwrite).await,
            answer => answer,
        };
        match answer {
            Err(object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. }) => {
                // Perhaps by us: an answer was lost, and the request repeated.
                let is_ours = self.checkpoint().await?.is_some_and(|now| now.note == note);
                if is_ours { Ok(()) } else { Err(ExportError::Overtaken) }
            }
            answer => answer.map_err(ExportError::Store),
        }
    }

    async fn put_checkpoint(&self, note: &[u8], mode: PutMode) -> object_store::Result<()> {
        let options = PutOptions { mode, attributes: self.attributes(TEXT, SHORTLY), ..PutOptions::default() };
        let put = self.objects.put_opts(&self.at("checkpoint"), PutPayload::from(note.to_vec()), options).await;
        put.map(drop)
    }

    /// A folder has no place for them: there the web server's configuration says the same.
    fn attributes(&self, kind: &'static str, caching: &'static str) -> Attributes {
        let attributes = [(Attribute::ContentType, kind), (Attribute::CacheControl, caching)];
        attributes.into_iter().filter(|_| !self.is_folder).collect()
    }

    fn at(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

/// A bucket as the environment describes it; what is in it lies below `bucket.prefix`. `retries`: how often a request is
/// repeated at most.
///
/// # Errors
/// [`ExportError`] for an environment that names no store, or one that is not to be spoken to.
pub(crate) fn bucket(bucket: &Bucket, retries: usize) -> Result<Arc<dyn ObjectStore>, ExportError> {
    let settings = AmazonS3Builder::from_env();
    let set = |key: AmazonS3ConfigKey| settings.get_config_value(&key).filter(|value| !value.is_empty());
    let endpoint = set(AmazonS3ConfigKey::S3Endpoint).or_else(|| set(AmazonS3ConfigKey::Endpoint));
    let plain = endpoint.as_deref().map_or(Ok(false), |endpoint| bucket.is_plain(endpoint))?;
    let sources = [
        AmazonS3ConfigKey::AccessKeyId,
        AmazonS3ConfigKey::WebIdentityTokenFile,
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
        AmazonS3ConfigKey::MetadataEndpoint,
    ];
    // Without any of these the crate asks an address that only some clouds have, for minutes.
    if sources.into_iter().all(|source| set(source).is_none())
        && set(AmazonS3ConfigKey::SkipSignature).is_none_or(|skip| skip == "false")
    {
        return Err(ExportError::NoCredentials);
    }
    let objects = settings
        .with_bucket_name(&bucket.name)
        .with_allow_http(plain)
        .with_retry(RetryConfig { max_retries: retries, ..RetryConfig::default() })
        .with_http_connector(Transport { loopback: endpoint.as_deref().is_some_and(target::is_loopback) })
        .build()
        .map_err(ExportError::Settings)?;
    Ok(Arc::new(objects))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
