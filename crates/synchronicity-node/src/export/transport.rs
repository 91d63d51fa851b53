//! HTTP for the object store's requests, over the client that the project has anyway: one TLS library, one set of
//! certificate authorities, one way to name a proxy.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use ureq::http::Request;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Timeout};

/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a request without a body, and what each request gets beyond the time for its body.
const ANSWER: Duration = Duration::from_secs(60);
/// The slowest upload that is waited for.
const BYTES_PER_SECOND_MIN: u64 = 32 * 1024;
/// Checkpoints, errors and listings; nothing larger is ever asked for.
const RESPONSE_BYTES_MAX: u64 = 8 << 20;

/// Makes clients for one store.
#[derive(Debug)]
pub(super) struct Transport {
    /// What a proxy of this machine's environment cannot reach.
    pub(super) loopback: bool,
}

#[derive(Debug)]
struct Blocking(Agent);

impl HttpConnector for Transport {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|allowed| allowed == "true");
        let roots = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .https_only(!plain)
            .http_status_as_error(false)
            // A signature is for one address: what is elsewhere must be asked for again, or not at all.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("synchronicity-node/", env!("CARGO_PKG_VERSION")))
            .tls_config(roots);
        let config = if self.loopback { config.proxy(None) } else { config };
        Ok(HttpClient::new(Blocking(config.build().into())))
    }
}

#[async_trait::async_trait]
impl HttpService for Blocking {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = match body.as_bytes() {
            Some(bytes) => bytes.clone(),
            None => {
                let gathered = to_bytes(Body::new(body), usize::MAX).await;
                gathered.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?
            }
        };
        let agent = self.0.clone();
        let answer = move || {
            let time = ANSWER + Duration::from_secs(body.len() as u64 / BYTES_PER_SECOND_MIN);
            // A body, even an empty one, is only for methods that have one.
            if body.is_empty() && parts.method != ureq::http::Method::PUT && parts.method != ureq::http::Method::POST {
                answer(agent.run(timed(&agent, Request::from_parts(parts, ()), time)))
            } else {
                answer(agent.run(timed(&agent, Request::from_parts(parts, &body[..]), time)))
            }
        };
        let joined = tokio::task::spawn_blocking(answer).await;
        joined.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?
    }
}

fn timed<B: ureq::AsSendBody>(agent: &Agent, request: Request<B>, time: Duration) -> Request<B> {
    agent.configure_request(request).timeout_global(Some(time)).build()
}

fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<HttpResponse, HttpError> {
    let (parts, mut body) = result.map_err(failed)?.into_parts();
    let bytes = body.with_config().limit(RESPONSE_BYTES_MAX).read_to_vec().map_err(failed)?;
    Ok(HttpResponse::from_parts(parts, bytes.into()))
}

/// Says what kind of failure it is: on that depends whether the store tries again.
fn failed(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => HttpErrorKind::Connect,
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => HttpErrorKind::Connect,
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::Io(error) if is_refused(error) => HttpErrorKind::Connect,
        // A certificate that is not believed now will not be in a second either.
        ureq::Error::Io(error) if error.get_ref().is_some_and(is_tls) => HttpErrorKind::Unknown,
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        ureq::Error::Protocol(_) => HttpErrorKind::Request,
        ureq::Error::BodyExceedsLimit(_) => HttpErrorKind::Decode,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable)
}

fn is_tls(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.to_string().contains("certificate")
}
