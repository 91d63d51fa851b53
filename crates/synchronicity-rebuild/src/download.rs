//! HTTP with limits: one GET that ends, whatever the other side does.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// How long and how often a download is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Attempts in all; trouble that a repetition cannot mend is not repeated.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one.
    pub pause: Duration,
    /// Time to connect, TLS included.
    pub connect: Duration,
    /// Time for one attempt as a whole: the guard against a server that drips.
    pub attempt: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_millis(400),
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(120),
        }
    }
}

/// Fetches files over HTTP. Keeps connections open between requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct Downloader {
    agent: Agent,
    patience: Patience,
}

/// Why a file could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// The server answers and says that there is no such file.
    #[error("there is nothing at {url}")]
    Absent {
        /// What was asked for.
        url: String,
    },
    /// No connection, or it broke off, in every attempt.
    #[error(
        "cannot reach {host} ({reason}); check the network, HTTPS_PROXY, and the machine's certificate authorities (the package ca-certificates, or SSL_CERT_FILE)"
    )]
    Unreachable {
        /// Host and port of the address.
        host: String,
        /// What the last attempt ended with.
        reason: String,
    },
    /// The server answers with a status that is neither success nor absence.
    #[error("{url} answered with status {status}; try again later")]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The file is longer than its kind may be.
    #[error("{url} is larger than {limit} bytes, the most that is accepted here")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
}

impl Default for Downloader {
    fn default() -> Self {
        Self::new(Patience::default())
    }
}

impl Downloader {
    /// A downloader that trusts the certificate authorities of the machine (`SSL_CERT_FILE` and `SSL_CERT_DIR` included)
    /// and uses the proxy that `HTTPS_PROXY` or `ALL_PROXY` names.
    pub fn new(patience: Patience) -> Self {
        let roots = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(patience.connect))
            .timeout_global(Some(patience.attempt))
            .user_agent(concat!("synchronicity/", env!("CARGO_PKG_VERSION")))
            .tls_config(roots)
            .build();
        Self { agent: config.into(), patience }
    }

    /// The bytes at `url`, at most `limit` of them.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>, DownloadError> {
        let mut pause = self.patience.pause;
        for _ in 1..self.patience.attempts {
            match self.attempt(url, limit) {
                Err(error) if error.may_pass() => std::thread::sleep(pause),
                settled => return settled,
            }
            pause *= 2;
        }
        self.attempt(url, limit)
    }

    fn attempt(&self, url: &str, limit: u64) -> Result<Vec<u8>, DownloadError> {
        let unreachable = |reason: String| DownloadError::Unreachable { host: host_of(url), reason };
        let too_large = || DownloadError::TooLarge { url: url.into(), limit };
        let mut answer = self.agent.get(url).call().map_err(|error| unreachable(error.to_string()))?;
        match answer.status().as_u16() {
            200 => {}
            // What a sparse index answers for a crate that is not there, in its three spellings.
            404 | 410 | 451 => return Err(DownloadError::Absent { url: url.into() }),
            status => return Err(DownloadError::Refused { url: url.into(), status }),
        }
        if answer.body().content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let mut body = answer.body_mut().with_config().limit(u64::MAX).reader().take(limit.saturating_add(1));
        body.read_to_end(&mut bytes).map_err(|error| unreachable(format!("the answer broke off: {error}")))?;
        if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
    }
}

impl DownloadError {
    /// Whether the same request may succeed a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Absent { .. } | Self::TooLarge { .. } => false,
        }
    }
}

/// The part of an address between the scheme and the path: all that an error needs to name.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}
