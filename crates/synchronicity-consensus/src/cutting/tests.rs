use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use commonware_cryptography::{Signer, ed25519};
use tokio::sync::mpsc;

use super::*;
use crate::offence::Offence;

/// Links that count how often somebody was cut off.
#[derive(Clone, Default)]
struct Links(Arc<AtomicU64>);

impl Blocker for Links {
    type PublicKey = PublicKey;

    fn block(&mut self, _: PublicKey) -> Feedback {
        self.0.fetch_add(1, Ordering::Relaxed);
        Feedback::Ok
    }

    fn blocked(&mut self) -> BlockedSubscription<PublicKey> {
        unreachable!("nobody asks")
    }
}

#[test]
fn many_bad_messages_are_one_cut_and_leave_room_for_what_happens_once() {
    let (offend, mut offences) = mpsc::channel(2);
    let sightings = Arc::new(Sightings::new(Duration::from_secs(1), offend));
    let (links, clock) = (Links::default(), Arc::new(AtomicU64::new(1_000_000)));
    let hours = clock.clone();
    let now = move || UNIX_EPOCH + Duration::from_secs(hours.load(Ordering::Relaxed));
    let cutter = Cutter::new(links.clone(), sightings.clone(), now);
    let member = ed25519::PrivateKey::from_seed(7).public_key();
    for _ in 0..300 {
        cutter.clone().block(member.clone());
    }
    assert_eq!(links.0.load(Ordering::Relaxed), 300, "the links hear of each");
    sightings.offended(key_of(&member), Conduct::ForgedVote);
    let told = |offences: &mut mpsc::Receiver<Offence>| {
        std::iter::from_fn(|| offences.try_recv().ok()).map(|offence| offence.conduct).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut offences), [Conduct::CutOff, Conduct::ForgedVote]);
    // When the links are open again it is another cut.
    clock.fetch_add(CUT_OFF.as_secs(), Ordering::Relaxed);
    cutter.clone().block(member);
    assert_eq!(told(&mut offences), [Conduct::CutOff]);
}
