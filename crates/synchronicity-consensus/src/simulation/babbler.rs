//! A member that talks nonsense: what it hears on a channel it passes on to everybody, altered.

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use rand_core::Rng;

/// Of so many messages one is passed on: two babblers would answer each other for ever if it were every one.
const ONE_OF: u32 = 8;

/// Bytes that are put behind a message.
const EXCESS_BYTES: usize = 64;

pub(super) async fn run(
    mut dice: impl Rng,
    (mut sender, mut receiver): (impl Sender<PublicKey = PublicKey>, impl Receiver<PublicKey = PublicKey>),
) {
    while let Ok((_, bytes)) = receiver.recv().await {
        if dice.next_u32().is_multiple_of(ONE_OF) {
            let altered = alter(bytes.as_ref(), &mut dice);
            sender.send(Recipients::All, altered, true);
        }
    }
}

fn alter(bytes: &[u8], dice: &mut impl Rng) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    // Within the message, or at its only place if it is empty.
    let place = dice.next_u32() as usize % altered.len().max(1);
    match dice.next_u32() % 4 {
        0 => altered.truncate(place),
        1 => {
            let mut excess = vec![0; EXCESS_BYTES];
            dice.fill_bytes(&mut excess);
            altered.extend(excess);
        }
        2 => dice.fill_bytes(&mut altered),
        _ => altered.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << (place % 8)),
    }
    altered
}
