//! Where a log is read from: a folder, or an address on the web. Both have the same files under the same names.
//!
//! Nothing that comes from a source is believed, and no source can hold a reader up for long: every read has a limit in
//! bytes, and one from the web also a deadline, a least speed and no redirects ([`Patience::for_logs`]).

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use miette::Diagnostic;
use synchronicity_rebuild::download::{Download, DownloadError, Downloader, Patience};
use synchronicity_verify::entry::ENTRY_BYTES_MAX;
use synchronicity_verify::note::NOTE_BYTES_MAX;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath};

use crate::exit;

/// The largest bundle of entries, in bytes: 256 entries, each with its length.
pub const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH as u64 * (2 + ENTRY_BYTES_MAX as u64);

/// A log's files, somewhere.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder with `checkpoint` and `tile/` in it.
    Folder(PathBuf),
    /// The address below which the same names stand.
    Url(Site),
}

/// An address below which files stand, and what fetches them.
#[derive(Clone, Debug)]
pub struct Site {
    base: String,
    downloader: Downloader,
}

/// Why something could not be read. It says nothing about the log but [`SourceError::is_absent`].
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SourceError {
    /// There is nothing of this name.
    #[error("there is no {0}")]
    #[diagnostic(help("a log's folder, or address, has `checkpoint` and `tile/` in it"))]
    Absent(String),
    /// More bytes than its kind can have.
    #[error("{what} is larger than {limit} bytes, the most that is accepted here")]
    #[diagnostic(help("what stands there is no log of this project, or somebody wants to keep you busy"))]
    TooLarge {
        /// The file or address.
        what: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Another length than it must have.
    #[error("{what} has {found} bytes, and not the {expected} that it must have")]
    #[diagnostic(help("the place has no whole copy of the log: name another one with --node"))]
    OtherLength {
        /// The file or address.
        what: String,
        /// Its length, in bytes.
        found: u64,
        /// What it must be.
        expected: u64,
    },
    /// The server is not reached, refuses, is too slow, or sends the client elsewhere.
    #[error(transparent)]
    #[diagnostic(help("any node of the group, and any copy of its log, has the same files"))]
    Server(DownloadError),
    /// The file is there and cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    #[diagnostic(help("see that the folder is a copy of a log, and that you may read it"))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Not the name of a file of a log: a part of it is empty, `.` or `..`, or has other characters than
    /// `A-Z a-z 0-9 . _ + -`.
    #[error("{0:?} is not the name of a file of a log")]
    Name(String),
}

/// Neither a folder nor an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: it must begin with http:// or https://, and have no `?` and no `#`")]
pub struct NoAddress(String);

impl Source {
    /// The newest signed checkpoint.
    pub fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.read("checkpoint", NOTE_BYTES_MAX as u64)
    }

    /// The file `name`, as in `checkpoint` or `lookup/5f`, if it has at most `limit` bytes.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        check_name(name)?;
        match self {
            Self::Folder(folder) => read_file(&folder.join(name), limit),
            Self::Url(site) => Ok(site.downloader.get(&site.url(name), limit)?),
        }
    }

    /// A tile, or a bundle of entries. Where only the full one is left of a partial one, its beginning.
    ///
    /// What comes is as long as the path promises, or is malformed in some other way that its reader sees.
    pub fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        self.tile_at(path).map(|(_, bytes)| bytes)
    }

    /// The same, with the path of the file that it was read from.
    pub fn tile_at(&self, path: TilePath) -> Result<(TilePath, Vec<u8>), SourceError> {
        let limit = |path: TilePath| match path.level {
            TileLevel::Entries => BUNDLE_BYTES_MAX,
            TileLevel::Hashes(_) => 32 * u64::from(path.width),
        };
        match self.read(&path.path(), limit(path)) {
            Err(SourceError::Absent(absent)) if path.width < TILE_WIDTH => {
                let full = TilePath { width: TILE_WIDTH, ..path };
                let mut bytes = self.read(&full.path(), limit(full)).map_err(|error| match error {
                    // The one that was asked for is what is missing, if this one is too.
                    SourceError::Absent(_) => SourceError::Absent(absent),
                    error => error,
                })?;
                bytes.truncate(beginning(&bytes, path));
                Ok((full, bytes))
            }
            answer => Ok((path, answer?)),
        }
    }

    /// The file `name`, which is too large to be held: to be read piece by piece, from a server in at most `within`.
    pub fn open(&self, name: &str, limit: u64, within: Duration) -> Result<Stream, SourceError> {
        check_name(name)?;
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                Ok(Stream::File { file: open_file(&path)?, path, left: limit, limit })
            }
            Self::Url(site) => Ok(Stream::Url(Box::new(site.downloader.open(&site.url(name), limit, within)?))),
        }
    }

    /// `part` of the file `name`, which has `size` bytes, with the place in it at which the stream begins: a server that
    /// knows no parts sends it from its start.
    pub fn open_part(
        &self,
        name: &str,
        part: Range<u64>,
        size: u64,
        within: Duration,
    ) -> Result<(Stream, u64), SourceError> {
        check_name(name)?;
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let failed = |error| SourceError::File { path: path.clone(), error };
                let mut file = open_file(&path)?;
                let found = file.metadata().map_err(failed)?.len();
                if found != size {
                    return Err(SourceError::OtherLength { what: path.display().to_string(), found, expected: size });
                }
                file.seek(SeekFrom::Start(part.start)).map_err(failed)?;
                let limit = size - part.start;
                Ok((Stream::File { file, path, left: limit, limit }, part.start))
            }
            Self::Url(site) => {
                let (download, begin) = site.downloader.open_part(&site.url(name), part, size, within)?;
                Ok((Stream::Url(Box::new(download)), begin))
            }
        }
    }

    /// The same place, asked with other patience.
    #[must_use]
    pub fn with(&self, patience: Patience) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.clone()),
            Self::Url(site) => Self::Url(Site { base: site.base.clone(), downloader: Downloader::new(patience) }),
        }
    }

    /// A server, asked with other patience than [`Patience::for_logs`].
    pub fn url(base: &str, patience: Patience) -> Result<Self, NoAddress> {
        let web = ["http://", "https://"].iter().any(|scheme| base.len() > scheme.len() && base.starts_with(scheme));
        if !web || base.contains(['?', '#']) || base.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NoAddress(base.to_owned()));
        }
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self::Url(Site { base, downloader: Downloader::new(patience) }))
    }

    /// Where `name` stands, for people.
    pub fn place(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(name).display().to_string(),
            Self::Url(site) => site.url(name),
        }
    }
}

/// An address if there is `://` in it, else a folder.
impl FromStr for Source {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if text.contains("://") { Self::url(text, Patience::for_logs()) } else { Ok(Self::Folder(text.into())) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Url(site) => f.write_str(&site.base),
        }
    }
}

impl Site {
    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}

/// A file that is read piece by piece.
pub enum Stream {
    /// Of a folder.
    File {
        /// The open file.
        file: File,
        /// Where it is.
        path: PathBuf,
        /// Bytes that may still come.
        left: u64,
        /// Bytes that may come in all.
        limit: u64,
    },
    /// Of a server.
    Url(Box<Download>),
}

impl Stream {
    /// Fills the beginning of `piece`, which must not be empty, and returns how much of it: 0 at the end.
    pub fn next(&mut self, piece: &mut [u8]) -> Result<usize, SourceError> {
        match self {
            Self::Url(download) => Ok(download.next(piece)?),
            Self::File { file, path, left, limit } => {
                let count = file.read(piece).map_err(|error| SourceError::File { path: path.clone(), error })?;
                let too_large = || SourceError::TooLarge { what: path.display().to_string(), limit: *limit };
                *left = left.checked_sub(count as u64).ok_or_else(too_large)?;
                Ok(count)
            }
        }
    }
}

impl SourceError {
    /// Whether the source answers, and says that there is no such thing.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent(_))
    }

    /// Whether a server answers, and gives nothing for now.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Server(DownloadError::Refused { .. }))
    }

    /// The exit code where the read must succeed.
    pub fn code(&self) -> u8 {
        match self {
            Self::Absent(_) | Self::TooLarge { .. } | Self::OtherLength { .. } => exit::INVALID,
            Self::Server(_) => exit::TRY_LATER,
            Self::File { .. } => exit::INTERNAL,
            Self::Name(_) => exit::USAGE,
        }
    }
}

impl From<DownloadError> for SourceError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Absent { url } => Self::Absent(url),
            DownloadError::TooLarge { url, limit } => Self::TooLarge { what: url, limit },
            DownloadError::OtherLength { url, found, expected } => Self::OtherLength { what: url, found, expected },
            error => Self::Server(error),
        }
    }
}

/// A name leads nowhere but below its folder, and needs no escaping in an address.
fn check_name(name: &str) -> Result<(), SourceError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    let good = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
    // A lookup of no digits at all ends in a slash.
    let parts = name.strip_suffix('/').unwrap_or(name);
    if parts.split('/').all(good) { Ok(()) } else { Err(SourceError::Name(name.to_owned())) }
}

fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let read = open_file(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| SourceError::File { path: path.to_owned(), error })?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge { what: path.display().to_string(), limit });
    }
    Ok(bytes)
}

fn open_file(path: &Path) -> Result<File, SourceError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SourceError::Absent(path.display().to_string()),
        _ => SourceError::File { path: path.to_owned(), error },
    };
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no file")));
    }
    File::open(path).map_err(failed)
}

/// How many bytes of the full tile make up the partial one at `path`; all of them if it is malformed.
fn beginning(full: &[u8], path: TilePath) -> usize {
    if path.level != TileLevel::Entries {
        return 32 * usize::from(path.width);
    }
    let mut end = 0;
    for _ in 0..path.width {
        match full.get(end..).and_then(|rest| rest.split_first_chunk()) {
            Some((length, _)) => end += 2 + usize::from(u16::from_be_bytes(*length)),
            None => return full.len(),
        }
    }
    end
}
