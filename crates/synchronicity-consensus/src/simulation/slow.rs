//! A runtime whose disk takes its time: the deterministic one, but every sync, and every write that syncs, waits first.
//! Nothing fails by it; what waits for the disk comes later, and a member can be killed in between. A disk can also be told to
//! feign its syncs, which no other disk here does.
//!
//! It also tells of a part that panics, wherever that was spawned. A process ends by it; a runtime that all members share cannot, and
//! the engine, which has no handle on every part, would go on without one.

use std::convert::Infallible;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use commonware_runtime::telemetry::metrics::{Metric, Registered};
use commonware_runtime::{
    Blob, BlobVersion, Clock, Error, Handle, IoBufs, IoBufsMut, Metrics, Name, ReadOptions, Spawner, Storage,
    Supervisor, WriteOptions, deterministic, signal,
};
use futures::FutureExt;
use rand_core::{TryCryptoRng, TryRng};
use tokio::sync::watch;

use crate::start::describe;

/// How a member's disk syncs. Clones are of the same disk.
#[derive(Clone, Default)]
pub(super) struct Temper {
    pause_ms: Arc<AtomicU64>,
    feigns: Arc<AtomicBool>,
}

impl Temper {
    pub(super) fn take_for_a_sync(&self, pause: Duration) {
        self.pause_ms.store(pause.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn feign_syncs(&self) {
        self.feigns.store(true, Ordering::Relaxed);
    }

    fn feigns(&self) -> bool {
        self.feigns.load(Ordering::Relaxed)
    }
}

/// Where it is told that a part of an engine panicked, and with which words.
pub(super) type Panicked = Arc<watch::Sender<Option<String>>>;

/// The context of a member with its own disk.
pub(super) struct Slow {
    inner: deterministic::Context,
    temper: Temper,
    panicked: Panicked,
}

/// A file on that disk.
pub(super) struct SlowBlob {
    inner: <deterministic::Context as Storage>::Blob,
    clock: deterministic::Context,
    temper: Temper,
}

impl Slow {
    pub(super) fn new(inner: deterministic::Context, temper: Temper, panicked: Panicked) -> Self {
        Self { inner, temper, panicked }
    }
}

impl SlowBlob {
    async fn wait(&self) {
        let pause = self.temper.pause_ms.load(Ordering::Relaxed);
        if pause > 0 {
            self.clock.sleep(Duration::from_millis(pause)).await;
        }
    }
}

impl Blob for SlowBlob {
    async fn read_at_buf(
        &self,
        offset: u64,
        len: usize,
        bufs: impl Into<IoBufsMut> + Send,
        options: ReadOptions,
    ) -> Result<IoBufsMut, Error> {
        self.inner.read_at_buf(offset, len, bufs, options).await
    }

    async fn read_at(&self, offset: u64, len: usize, options: ReadOptions) -> Result<IoBufsMut, Error> {
        self.inner.read_at(offset, len, options).await
    }

    async fn write_at(&self, offset: u64, bufs: impl Into<IoBufs> + Send, options: WriteOptions) -> Result<(), Error> {
        if options.contains(WriteOptions::SYNC) {
            self.wait().await;
            if self.temper.feigns() {
                return self.inner.write_at(offset, bufs, options.without(WriteOptions::SYNC)).await;
            }
        }
        self.inner.write_at(offset, bufs, options).await
    }

    async fn resize(&self, len: u64) -> Result<(), Error> {
        self.inner.resize(len).await
    }

    async fn sync(&self) -> Result<(), Error> {
        self.wait().await;
        if self.temper.feigns() {
            return Ok(());
        }
        self.inner.sync().await
    }

    async fn start_sync(&self) -> Handle<()> {
        self.wait().await;
        if self.temper.feigns() {
            return Handle::ready(Ok(()));
        }
        self.inner.start_sync().await
    }
}

impl Storage for Slow {
    type Blob = SlowBlob;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> Result<(Self::Blob, u64, BlobVersion), Error> {
        let (inner, size, version) = self.inner.open_versioned(partition, name, versions).await?;
        let blob = SlowBlob { inner, clock: self.inner.child("disk"), temper: self.temper.clone() };
        Ok((blob, size, version))
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        self.inner.remove(partition, name).await
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.inner.scan(partition).await
    }
}

impl Supervisor for Slow {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        Self::new(self.inner.child(label), self.temper.clone(), self.panicked.clone())
    }

    fn with_attribute(self, key: &'static str, value: impl Display) -> Self {
        Self::new(self.inner.with_attribute(key, value), self.temper, self.panicked)
    }
}

impl Spawner for Slow {
    fn shared(self, blocking: bool) -> Self {
        Self::new(self.inner.shared(blocking), self.temper, self.panicked)
    }

    fn dedicated(self) -> Self {
        Self::new(self.inner.dedicated(), self.temper, self.panicked)
    }

    fn spawn<F, Fut, T>(self, f: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (temper, panicked) = (self.temper, self.panicked);
        self.inner.spawn(move |inner| {
            let part = f(Self::new(inner, temper, panicked.clone()));
            async move {
                AssertUnwindSafe(part).catch_unwind().await.unwrap_or_else(|panic| {
                    panicked.send_replace(Some(describe(panic.as_ref())));
                    resume_unwind(panic)
                })
            }
        })
    }

    async fn stop(self, value: i32, timeout: Option<Duration>) -> Result<(), Error> {
        self.inner.stop(value, timeout).await
    }

    fn stopped(&self) -> signal::Signal {
        self.inner.stopped()
    }
}

impl Metrics for Slow {
    fn register<N: Into<String>, H: Into<String>, M: Metric>(&self, name: N, help: H, metric: M) -> Registered<M> {
        self.inner.register(name, help, metric)
    }

    fn encode(&self) -> String {
        self.inner.encode()
    }
}

impl governor::clock::Clock for Slow {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.inner.current()
    }
}

impl governor::clock::ReasonablyRealtime for Slow {}

impl Clock for Slow {
    fn current(&self) -> SystemTime {
        self.inner.current()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep(duration)
    }

    fn sleep_until(&self, deadline: SystemTime) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep_until(deadline)
    }
}

impl TryRng for Slow {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.inner.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.inner.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.inner.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Slow {}
