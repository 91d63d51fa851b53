//! Links that bring messages twice and in another order.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Message, Receiver};
use rand_core::Rng;

/// Messages of a hundred that come twice, and as many that come after the next one. Shared by all links.
pub(super) type Percent = Arc<AtomicU8>;

/// A receiver in whose hands messages get muddled.
pub(super) struct Muddled<R, D> {
    inner: R,
    percent: Percent,
    dice: D,
    /// To be handed out before anything else.
    next: Option<Message<PublicKey>>,
    /// To be handed out after the next message.
    held: Option<Message<PublicKey>>,
}

impl<R, D: Rng> Muddled<R, D> {
    pub(super) fn new(inner: R, percent: Percent, dice: D) -> Self {
        Self { inner, percent, dice, next: None, held: None }
    }

    fn happens(&mut self) -> bool {
        // Without a muddle no chance is taken, so that it changes nothing of such runs.
        let percent = u32::from(self.percent.load(Ordering::Relaxed));
        percent > 0 && self.dice.next_u32() % 100 < percent
    }
}

impl<R: fmt::Debug, D> fmt::Debug for Muddled<R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Muddled").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<R: Receiver<PublicKey = PublicKey>, D: Rng + Send + 'static> Receiver for Muddled<R, D> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, Self::Error> {
        if let Some(message) = self.next.take() {
            return Ok(message);
        }
        // Nothing is lost if this is dropped while it waits: what is held is held in `self`.
        let mut message = self.inner.recv().await?;
        if self.held.is_none() && self.happens() {
            self.held = Some(message);
            message = self.inner.recv().await?;
        }
        self.next = if self.happens() { Some(message.clone()) } else { self.held.take() };
        Ok(message)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
