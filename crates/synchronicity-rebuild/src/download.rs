//! HTTP with limits: one GET that ends, whatever the other side does.

use std::io::Read;
use std::ops::Range;
use std::time::{Duration, Instant};

use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, BodyReader, Timeout};

use crate::arrivals::Arrivals;

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
    /// The longest time without a byte, and for the head of an answer as a whole.
    pub silence: Duration,
    /// The least average speed of an answer's body, in bytes per second. It counts once `silence` is over.
    pub speed_min: u64,
    /// How many redirects are followed.
    pub redirects: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_millis(400),
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(120),
            silence: Duration::from_secs(30),
            speed_min: 1 << 10,
            redirects: 10,
        }
    }
}

impl Patience {
    /// For the files of a log. They are small, anybody may serve them, and each stands at one address: so nobody gets
    /// much time, and nobody sends the client elsewhere.
    pub fn for_logs() -> Self {
        Self {
            attempts: 3,
            attempt: Duration::from_secs(60),
            silence: Duration::from_secs(15),
            speed_min: 4 << 10,
            redirects: 0,
            ..Self::default()
        }
    }
}

/// Fetches files over HTTP. Keeps connections open between requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct Downloader {
    agent: Agent,
    patience: Patience,
    arrivals: Arrivals,
}

/// The body of an answer, read piece by piece under the limits of its request.
pub struct Download {
    url: String,
    limit: u64,
    taken: u64,
    since: Instant,
    patience: Patience,
    body: BodyReader<'static>,
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
    /// The answer comes too slowly, or not at all once the request was taken.
    #[error("{host} is too slow: {url} did not come within the time that it gets; try again later, or another server")]
    Slow {
        /// What was asked for.
        url: String,
        /// Host and port of the address.
        host: String,
    },
    /// The server sends the client elsewhere, more often than is followed here.
    #[error(
        "{url} answered with a redirect to {to:?}, which is not followed; if you trust it, name that address instead"
    )]
    Redirected {
        /// What was asked for.
        url: String,
        /// Where to.
        to: String,
    },
    /// The server says that the file has another length than it must have.
    #[error("{url} has {found} bytes, and not the {expected} that it must have")]
    OtherLength {
        /// What was asked for.
        url: String,
        /// Its length, in bytes.
        found: u64,
        /// What it must be.
        expected: u64,
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
            .timeout_recv_response(Some(patience.silence))
            .timeout_per_read(Some(patience.silence))
            .max_redirects(patience.redirects)
            .user_agent(concat!("synchronicity/", env!("CARGO_PKG_VERSION")))
            .tls_config(roots)
            .build();
        Self { agent: config.into(), patience, arrivals: Arrivals::default() }
    }

    /// The same, which tells of what [`Downloader::get`] brings, as it comes.
    #[must_use]
    pub fn telling(self, arrivals: Arrivals) -> Self {
        Self { arrivals, ..self }
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

    /// Begins to fetch what is at `url`, at most `limit` bytes in at most `within`. For what is too large to be held, or
    /// to be fetched twice: there is one attempt.
    pub fn open(&self, url: &str, limit: u64, within: Duration) -> Result<Download, DownloadError> {
        let request = self.agent.get(url).config().timeout_global(Some(within)).build();
        let answer = request.call().map_err(|error| broken(url, &error))?;
        refuse(&answer, url)?;
        self.body(answer, url, limit)
    }

    /// The same for `part` of a file of `size` bytes, with the place in the file at which the answer begins: a server that
    /// knows no parts sends the file from its start.
    ///
    /// # Errors
    /// Also [`DownloadError::OtherLength`], as soon as the server states a length that is not `size`.
    pub fn open_part(
        &self,
        url: &str,
        part: Range<u64>,
        size: u64,
        within: Duration,
    ) -> Result<(Download, u64), DownloadError> {
        let request =
            self.agent.get(url).header("range", format!("bytes={}-{}", part.start, part.end.saturating_sub(1)));
        let answer = request.config().timeout_global(Some(within)).build().call();
        let answer = answer.map_err(|error| broken(url, &error))?;
        let stated = header(&answer, "content-range").and_then(content_range);
        let other = |found| DownloadError::OtherLength { url: url.into(), found, expected: size };
        match (answer.status().as_u16(), stated) {
            (206 | 416, Some((_, Some(total)))) if total != size => Err(other(total)),
            (206, Some((Some(begin), _))) if begin == part.start => {
                Ok((self.body(answer, url, part.end - part.start)?, begin))
            }
            (206, _) => Err(DownloadError::Refused { url: url.into(), status: 206 }),
            _ => {
                refuse(&answer, url)?;
                match answer.body().content_length() {
                    Some(length) if length != size => Err(other(length)),
                    _ => Ok((self.body(answer, url, size)?, 0)),
                }
            }
        }
    }

    /// The body of a good answer, at most `limit` bytes of it.
    fn body(&self, answer: Response<Body>, url: &str, limit: u64) -> Result<Download, DownloadError> {
        let body = answer.into_body();
        if body.content_length().is_some_and(|length| length > limit) {
            return Err(DownloadError::TooLarge { url: url.into(), limit });
        }
        // No decompression is compiled in, so that what is counted below is what was sent.
        let body = body.into_with_config().limit(u64::MAX).reader();
        let (url, patience, since) = (url.to_owned(), self.patience, Instant::now());
        Ok(Download { url, limit, taken: 0, since, patience, body })
    }

    fn attempt(&self, url: &str, limit: u64) -> Result<Vec<u8>, DownloadError> {
        let mut download = self.open(url, limit, self.patience.attempt)?;
        let (mut bytes, mut piece) = (Vec::new(), vec![0; 16 << 10]);
        loop {
            match download.next(&mut piece)? {
                0 => return Ok(bytes),
                count => {
                    bytes.extend_from_slice(&piece[..count]);
                    self.arrivals.came(count as u64);
                }
            }
        }
    }
}

impl Download {
    /// Fills the beginning of `piece`, which must not be empty, and returns how much of it: 0 at the end.
    pub fn next(&mut self, piece: &mut [u8]) -> Result<usize, DownloadError> {
        let count = self.body.read(piece).map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => slow(&self.url),
            error => unreachable(&self.url, format!("the answer broke off: {error}")),
        })?;
        self.taken += count as u64;
        if self.taken > self.limit {
            return Err(DownloadError::TooLarge { url: self.url.clone(), limit: self.limit });
        }
        let milliseconds = self.since.elapsed().saturating_sub(self.patience.silence).as_millis();
        if count > 0 && u128::from(self.taken) * 1000 < u128::from(self.patience.speed_min) * milliseconds {
            return Err(slow(&self.url));
        }
        Ok(count)
    }
}

/// The error that a status means; none for 200.
fn refuse(answer: &Response<Body>, url: &str) -> Result<(), DownloadError> {
    match answer.status().as_u16() {
        200 => Ok(()),
        // What a sparse index answers for a crate that is not there, in its three spellings.
        404 | 410 | 451 => Err(DownloadError::Absent { url: url.into() }),
        301..=308 if header(answer, "location").is_some() => {
            let to = header(answer, "location").unwrap_or_default().chars().take(200).collect();
            Err(DownloadError::Redirected { url: url.into(), to })
        }
        status => Err(DownloadError::Refused { url: url.into(), status }),
    }
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Where the part begins and how long the whole is, of `bytes BEGIN-END/LENGTH` or `bytes */LENGTH` (RFC 9110 §14.4);
/// either may be left open.
fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (part, length) = text.strip_prefix("bytes ")?.split_once('/')?;
    let begin = part.split_once('-').and_then(|(begin, _)| begin.parse().ok());
    Some((begin, length.parse().ok()))
}

fn broken(url: &str, error: &ureq::Error) -> DownloadError {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => unreachable(url, "it does not answer".into()),
        ureq::Error::Timeout(_) => slow(url),
        error => unreachable(url, error.to_string()),
    }
}

fn unreachable(url: &str, reason: String) -> DownloadError {
    DownloadError::Unreachable { host: host_of(url), reason }
}

fn slow(url: &str) -> DownloadError {
    DownloadError::Slow { url: url.into(), host: host_of(url) }
}

impl DownloadError {
    /// Whether the same request may succeed a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            // A slow one had its time already.
            Self::Absent { .. } | Self::TooLarge { .. } | Self::OtherLength { .. } => false,
            Self::Slow { .. } | Self::Redirected { .. } => false,
        }
    }
}

/// The part of an address between the scheme and the path: all that an error needs to name.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}
