//! `--to`: what a person writes, as a folder or a place in a bucket.

use std::net::IpAddr;
use std::path::PathBuf;

use object_store::path::Path;
use ureq::http::Uri;

use super::ExportError;

/// Where to export to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store.
    Bucket(Bucket),
}

/// A place in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// What stands before `checkpoint` and `tile/`; may be empty.
    pub prefix: Path,
    /// Whether the store may be asked without TLS on another machine.
    pub allow_http: bool,
}

impl Target {
    /// Reads `s3://BUCKET/PREFIX`, or a folder's path.
    ///
    /// # Errors
    /// [`ExportError::Target`] for another scheme, no bucket, or a prefix that is not plain path segments.
    pub fn parse(text: &str, allow_http: bool) -> Result<Target, ExportError> {
        let refused = |why: &str| ExportError::Target { text: text.to_owned(), why: why.to_owned() };
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.is_empty() { Err(refused("it is empty")) } else { Ok(Target::Folder(text.into())) };
        };
        if scheme != "s3" {
            return Err(refused("only s3:// and folders are known"));
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(refused("a bucket's name has letters, digits, - . and _ only"));
        }
        let prefix = Path::parse(prefix).map_err(|error| refused(&error.to_string()))?;
        Ok(Target::Bucket(Bucket { name: name.to_owned(), prefix, allow_http }))
    }
}

impl Bucket {
    /// Whether the store at `endpoint` is asked without TLS.
    ///
    /// # Errors
    /// [`ExportError::Plain`] if it would be, on another machine, and nobody allowed it.
    pub(super) fn is_plain(&self, endpoint: &str) -> Result<bool, ExportError> {
        let uri: Option<Uri> = endpoint.parse().ok();
        match uri.as_ref().and_then(Uri::scheme_str).unwrap_or_default() {
            "https" => Ok(false),
            "http" if self.allow_http || is_loopback(endpoint) => Ok(true),
            "http" => Err(ExportError::Plain(endpoint.to_owned())),
            _ => Err(ExportError::Endpoint(endpoint.to_owned())),
        }
    }
}

/// Whether an endpoint is on this machine.
pub(super) fn is_loopback(endpoint: &str) -> bool {
    let uri: Option<Uri> = endpoint.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
