//! Posts JSON to an address that somebody chose, under limits: no longer than it is given, no further than that address
//! (redirects are not followed), and nothing of an answer but its status is read.

use std::time::Duration;

use thiserror::Error;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Posts events. Clones share connections.
#[derive(Clone, Debug)]
pub struct Poster(Agent);

/// Why an event was not taken. The words name no address: some are secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PostError {
    /// Something answers, and does not take it.
    #[error("it is answered with status {0}")]
    Refused(u16),
    /// Nothing answers, or not in time.
    #[error("nobody takes it: {0}")]
    Away(String),
}

impl Poster {
    /// One that gives each event so long in all.
    pub fn new(patience: Duration) -> Poster {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(patience))
            .max_redirects(0)
            .user_agent(concat!("synchronicity/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
        Poster(config.build().into())
    }

    /// Posts one event, once.
    ///
    /// # Errors
    /// [`PostError`], unless the answer is of the kind 2xx.
    pub fn post(&self, url: &str, headers: &[(&str, &str)], event: &str) -> Result<(), PostError> {
        let mut request = self.0.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send(event).map_err(|error| PostError::Away(error.to_string()))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(PostError::Refused(status.as_u16())) }
    }
}
