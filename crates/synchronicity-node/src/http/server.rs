//! Connections: how many, how long, how much. A reader that is slow on purpose costs one of them, and not for long.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::{TEXT, whole};

/// Connections at one time.
const CONNECTIONS: usize = 256;

/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long one connection may live, downloads included.
const CONNECTION_TIME: Duration = Duration::from_secs(600);

/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;

/// A bound listener, so that a taken port is found out before anything else starts.
#[derive(Debug)]
pub struct Served {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Served {
    /// Takes the port.
    ///
    /// # Errors
    /// What the operating system said.
    pub async fn bind(address: SocketAddr) -> io::Result<Served> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Served { listener, address })
    }
}

/// Answers requests until `stop` resolves.
pub async fn serve(served: Served, router: Router, stop: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(stop);
    loop {
        // Without room, connections wait in the kernel's queue.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = served.listener.accept() => accepted,
            () = &mut stop => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of descriptors: nothing is gained by trying again at once.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let service = service_fn(move |request| answer(router.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off is its own business.
    let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this server is read-only: use GET\n"));
    }
    // The body of a GET is never read.
    router.oneshot(request.map(|_| Body::empty())).await
}
