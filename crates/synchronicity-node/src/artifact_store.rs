//! What stays of builds: artifacts, each named by its hash, and compressed transcripts, each named by its request. In the
//! node's folder, or in an S3-compatible store where node.toml names one.
//!
//! ```text
//! artifacts/SHA256          the bytes
//! transcripts/REQUEST.gz    what this node's latest build of the request printed
//! ```
//!
//! A file is there whole or not at all: it is staged, synced and renamed (or uploaded, in a bucket). None of it is needed
//! to go on, so a copy that fails costs a download later, not the result; and how long it stays is for [`retention`].

pub mod retention;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path as File;
use std::pin::pin;
use std::sync::Arc;

use async_compression::tokio::bufread::{GzipDecoder, GzipEncoder};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt};
use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::result::{Artifact, BuildResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::io::StreamReader;

use self::retention::Item;
use crate::export::{self, ExportError, Target};
use crate::recosign;

const ARTIFACTS: &str = "artifacts";
const TRANSCRIPTS: &str = "transcripts";

/// Bytes of a file that are in memory at a time, on the way to a folder or as a part of an upload. No smaller: that is the
/// least that S3 takes for a part.
const PART: usize = 5 << 20;
const PIECE: usize = 64 * 1024;

/// Bytes of an artifact that are read at a time, by one request to a bucket.
const READ: u64 = 512 * 1024;

/// How much of a transcript is read for what it says, in bytes. A request may allow more: it can be had as a stream.
const PRINTED_BYTES_MAX: u64 = 4 << 20;

/// What a build printed, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text, with a mark in place of each byte that is none.
    pub text: String,
    /// After so many bytes the rest is left out.
    pub cut_at: Option<u64>,
}

/// How often a request to a bucket is repeated at most.
const RETRIES: usize = 4;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    is_remote: bool,
}

impl ArtifactStore {
    /// Opens the store in the node's folder, or at `target`.
    ///
    /// # Errors
    /// [`ExportError`] for a folder that cannot be made, or a bucket that cannot be spoken to.
    pub fn open(root: &File, target: Option<&Target>) -> Result<ArtifactStore, ExportError> {
        let root = match target {
            Some(Target::Bucket(bucket)) => {
                let objects = export::bucket(bucket, RETRIES)?;
                return Ok(ArtifactStore { objects, prefix: bucket.prefix.clone(), is_remote: true });
            }
            Some(Target::Folder(folder)) => folder,
            None => root,
        };
        let failed = |error: io::Error| ExportError::Folder { path: root.to_owned(), error };
        for folder in [ARTIFACTS, TRANSCRIPTS] {
            fs::create_dir_all(root.join(folder)).map_err(failed)?;
            remove_staged(&root.join(folder)).map_err(failed)?;
        }
        let objects = LocalFileSystem::new_with_prefix(root).map_err(ExportError::Store)?.with_fsync(true);
        Ok(ArtifactStore::over(Arc::new(objects)))
    }

    /// Any store of this machine, for tests.
    pub fn over(objects: Arc<dyn ObjectStore>) -> ArtifactStore {
        ArtifactStore { objects, prefix: Path::default(), is_remote: false }
    }

    /// Whether it is elsewhere: then it can take any time, or never answer.
    pub fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Copies the artifacts and the transcript of a build.
    ///
    /// # Errors
    /// What the operating system or the bucket said about the first one that could not be copied.
    pub async fn keep(
        &self,
        request: &RequestId,
        result: &BuildResult,
        artifacts: Option<&File>,
        transcript: &File,
    ) -> io::Result<()> {
        let printed = GzipEncoder::new(BufReader::new(tokio::fs::File::open(transcript).await?));
        let (mut to, _) = self.copy(printed, self.transcript_path(request)).await?;
        to.shutdown().await?;
        let (Some(built), Some(from)) = (result.artifacts(), artifacts) else { return Ok(()) };
        for artifact in built {
            self.keep_artifact(artifact, &from.join(artifact.name.as_ref())).await?;
        }
        Ok(())
    }

    async fn keep_artifact(&self, artifact: &Artifact, from: &File) -> io::Result<()> {
        // What is there for long might be removed while a round needs it, so it is written again and counts as young.
        if let Ok(kept) = self.objects.head(&self.path(&artifact.sha256)).await
            && kept.size == artifact.size
            && recosign::now().as_secs().saturating_sub(written_s(&kept)) < retention::GRACE_S / 2
        {
            return Ok(());
        }
        let (mut to, hash) = self.copy(tokio::fs::File::open(from).await?, self.path(&artifact.sha256)).await?;
        // The name promises the content, so what is copied is hashed again.
        if hash != artifact.sha256 {
            to.abort().await?;
            return Err(io::Error::other(format!("{} changed after it was hashed", from.display())));
        }
        to.shutdown().await
    }

    /// Everything of a reader, on its way to `at` and there once that is shut down; and its hash.
    async fn copy(&self, mut from: impl AsyncRead + Unpin, at: Path) -> io::Result<(BufWriter, Digest)> {
        let mut to = BufWriter::with_capacity(self.objects.clone(), at, PART);
        let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
        loop {
            match from.read(&mut piece).await? {
                0 => return Ok((to, Digest(hash.finalize().into()))),
                length => {
                    hash.update(&piece[..length]);
                    to.write_all(&piece[..length]).await?;
                }
            }
        }
    }

    /// Writes a kept artifact to a new file.
    ///
    /// # Errors
    /// What the store or the disk said; [`io::ErrorKind::InvalidData`] if it is not what its name promises any more.
    pub async fn export(&self, sha256: &Digest, to: &File) -> io::Result<()> {
        let size = self.size(sha256).await.ok_or(io::ErrorKind::NotFound)?;
        let mut stream = pin!(self.artifact(sha256, 0..size));
        let (mut hash, mut file) = (Sha256::new(), tokio::fs::File::create_new(to).await?);
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            hash.update(&bytes);
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        if Digest(hash.finalize().into()) == *sha256 { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Size of a kept artifact, in bytes.
    pub async fn size(&self, sha256: &Digest) -> Option<u64> {
        self.objects.head(&self.path(sha256)).await.ok().map(|meta| meta.size)
    }

    /// Some bytes of a kept artifact.
    pub async fn piece(&self, sha256: &Digest, range: Range<u64>) -> Option<Vec<u8>> {
        self.objects.get_range(&self.path(sha256), range).await.ok().map(|bytes| bytes.to_vec())
    }

    /// A part of a kept artifact, to be streamed: no more than [`READ`] bytes are in memory, whatever the store is.
    pub fn artifact(
        &self,
        sha256: &Digest,
        range: Range<u64>,
    ) -> impl Stream<Item = object_store::Result<Bytes>> + Send + use<> {
        let (objects, at) = (self.objects.clone(), self.path(sha256));
        stream::try_unfold(range, move |left| {
            let (objects, at) = (objects.clone(), at.clone());
            async move {
                if left.is_empty() {
                    return Ok(None);
                }
                let end = left.end.min(left.start.saturating_add(READ));
                let bytes = objects.get_range(&at, left.start..end).await?;
                Ok(Some((bytes, end..left.end)))
            }
        })
    }

    /// A kept transcript, as gzip, to be streamed.
    ///
    /// # Errors
    /// [`object_store::Error::NotFound`] if there is none, and what the store says.
    pub async fn transcript(&self, request: &RequestId) -> object_store::Result<GetResult> {
        self.objects.get_opts(&self.transcript_path(request), GetOptions::default()).await
    }

    /// A kept transcript as text, as far as [`PRINTED_BYTES_MAX`].
    ///
    /// # Errors
    /// What the store says, or that it is no gzip.
    pub async fn printed(&self, request: &RequestId) -> io::Result<Printed> {
        let kept = StreamReader::new(self.transcript(request).await?.into_stream().map_err(io::Error::from));
        let mut text = Vec::new();
        let mut whole = GzipDecoder::new(kept);
        (&mut whole).take(PRINTED_BYTES_MAX).read_to_end(&mut text).await?;
        let is_cut = whole.read(&mut [0]).await? > 0;
        let cut_at = is_cut.then_some(PRINTED_BYTES_MAX);
        Ok(Printed { text: String::from_utf8_lossy(&text).into_owned(), cut_at })
    }

    /// Everything that is kept. What has no name that this store gives is somebody else's.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> object_store::Result<Vec<Item>> {
        let mut items = Vec::new();
        for folder in [ARTIFACTS, TRANSCRIPTS] {
            let folder = self.prefix.clone().join(folder);
            let mut listed = self.objects.list(Some(&folder));
            while let Some(meta) = listed.next().await {
                let meta = meta?;
                let written_s = written_s(&meta);
                let name = meta.location.filename().unwrap_or_default().to_owned();
                if !is_ours(&name) || folder.clone().join(name.as_str()) != meta.location {
                    continue;
                }
                items.push(Item { path: meta.location, name, bytes: meta.size, written_s });
            }
        }
        Ok(items)
    }

    /// Removes one item, unless it was written again since it was listed. After a crash it may be there again, and is found
    /// again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remove(&self, item: &Item) -> object_store::Result<()> {
        let now = match self.objects.head(&item.path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            now => now?,
        };
        if written_s(&now) != item.written_s {
            return Ok(());
        }
        match self.objects.delete(&item.path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            done => done,
        }
    }

    fn path(&self, sha256: &Digest) -> Path {
        self.prefix.clone().join(ARTIFACTS).join(sha256.to_string())
    }

    fn transcript_path(&self, request: &RequestId) -> Path {
        self.prefix.clone().join(TRANSCRIPTS).join(transcript_name(request))
    }
}

/// When something was written, in seconds since 1970.
fn written_s(meta: &ObjectMeta) -> u64 {
    u64::try_from(meta.last_modified.timestamp()).unwrap_or(0)
}

/// The name of a transcript in the store.
pub fn transcript_name(request: &RequestId) -> String {
    format!("{request}.gz")
}

/// Whether this store gives such a name.
fn is_ours(name: &str) -> bool {
    match name.strip_suffix(".gz") {
        Some(request) => request.parse::<RequestId>().is_ok(),
        None => name.parse::<Digest>().is_ok(),
    }
}

/// Removes what a process that was killed while it wrote has left: the file that it staged, which has the name of the one
/// that it was to become, and then `#` and a number.
fn remove_staged(folder: &File) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let item = item?;
        let name = item.file_name();
        let staged = name.to_str().and_then(|name| name.split_once('#'));
        let is_staged =
            staged.is_some_and(|(name, number)| is_ours(name) && number.bytes().all(|byte| byte.is_ascii_digit()));
        if is_staged && item.file_type()?.is_file() {
            fs::remove_file(item.path())?;
        }
    }
    Ok(())
}
