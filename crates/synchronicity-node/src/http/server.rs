//! Connections: how many, how long, how much. A reader that is slow on purpose costs one of them, and not for long.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::answer::{TEXT, set, whole};
use super::revalidate::preflight;
use crate::witness;

/// Connections at one time.
const CONNECTIONS: usize = 256;

/// Of these, connections from one address: a single client cannot take all of them.
const CONNECTIONS_PER_IP: usize = 64;

/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long one connection takes new requests: whoever has many asks again on another one.
const CONNECTION_TIME: Duration = Duration::from_secs(90);

/// How long the last answer may take after that, downloads included. A reader that is slow on purpose keeps a connection
/// for both times together and no longer.
const LAST_ANSWER_TIME: Duration = Duration::from_secs(30);

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
    let guests = Guests::of(CONNECTIONS_PER_IP);
    tokio::pin!(stop);
    loop {
        // Without room, connections wait in the kernel's queue.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = served.listener.accept() => accepted,
            () = &mut stop => return,
        };
        match accepted {
            Ok((stream, from)) => {
                // One too many is closed without an answer: an answer would take what it must not have.
                let Some(guest) = guests.admit(from.ip()) else { continue };
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, from.ip(), router).await;
                    drop((guest, permit));
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

/// Who asks, with every request that came over a connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub IpAddr);

/// How many of something each address has, and may have. Clones share the count.
#[derive(Clone)]
pub(super) struct Guests {
    most: usize,
    counts: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// One of an address, counted while this lives.
pub(super) struct Guest {
    guests: Guests,
    from: IpAddr,
}

impl Guests {
    pub(super) fn of(most: usize) -> Guests {
        Guests { most, counts: Arc::default() }
    }

    pub(super) fn admit(&self, from: IpAddr) -> Option<Guest> {
        self.change(from, |count| (count < self.most).then_some(count + 1))?;
        Some(Guest { guests: self.clone(), from })
    }

    /// Changes a count, unless `next` declines; addresses without connections are forgotten.
    fn change(&self, from: IpAddr, next: impl FnOnce(usize) -> Option<usize>) -> Option<()> {
        // A map of numbers is whole at every point at which a thread can panic.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match next(counts.get(&from).copied().unwrap_or(0))? {
            0 => counts.remove(&from),
            count => counts.insert(from, count),
        };
        Some(())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.change(self.from, |count| count.checked_sub(1));
    }
}

async fn connection(stream: TcpStream, from: IpAddr, router: Router) {
    // Answers are written whole: to wait for more to send only delays them. Without it they still arrive.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Caller(from));
        answer(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A client that breaks off is its own business.
    if tokio::time::timeout(CONNECTION_TIME, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(LAST_ANSWER_TIME, connection).await;
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if witness::serve::takes(&request) {
        return router.oneshot(request.map(Body::new)).await;
    }
    if request.method() == Method::OPTIONS {
        return Ok(preflight());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refusal = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this server is read-only: use GET\n");
        set(&mut refusal, header::ALLOW, "GET, HEAD, OPTIONS");
        return Ok(refusal);
    }
    // The body of a GET is never read.
    router.oneshot(request.map(|_| Body::empty())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_connections_and_gets_it_back() {
        let (guests, here, there) =
            (Guests::of(CONNECTIONS_PER_IP), IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut admitted: Vec<Option<Guest>> = (0..CONNECTIONS_PER_IP).map(|_| guests.admit(here)).collect();
        assert!(admitted.iter().all(Option::is_some) && guests.admit(here).is_none());
        assert!(guests.admit(there).is_some());
        admitted.pop();
        assert!(guests.admit(here).is_some());
        drop(admitted);
        assert!(guests.counts.lock().is_ok_and(|counts| counts.is_empty()));
    }
}
