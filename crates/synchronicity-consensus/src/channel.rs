//! What every part of the engine asks of the runtime below it, and of the channels to the other members.

use commonware_cryptography::ed25519;
use commonware_p2p::{Receiver, Sender};
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use rand_core::CryptoRng;

/// The machine that an engine runs on: a real one, or a simulated one.
pub(crate) trait Runtime: Clock + CryptoRng + Spawner + Storage + Metrics {}

impl<E: Clock + CryptoRng + Spawner + Storage + Metrics> Runtime for E {}

/// The two ends of a channel on which members know each other by their consensus keys.
pub(crate) trait Channel: Send + 'static {
    type Sender: Sender<PublicKey = ed25519::PublicKey>;
    type Receiver: Receiver<PublicKey = ed25519::PublicKey>;

    fn ends(self) -> (Self::Sender, Self::Receiver);
}

impl<S, R> Channel for (S, R)
where
    S: Sender<PublicKey = ed25519::PublicKey>,
    R: Receiver<PublicKey = ed25519::PublicKey>,
{
    type Sender = S;
    type Receiver = R;

    fn ends(self) -> (S, R) {
        self
    }
}
