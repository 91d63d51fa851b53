//! What members tell each other beside consensus: commands that want to be ordered, opaque statements (the node's
//! cosignatures) that need no order, and opaque parcels from one member to another.
//!
//! A command goes from its author's node straight to every other member, and again from time to time until it is
//! ordered; nobody passes on what is not his own. So what a member sends can be charged to that member alone: a command
//! of somebody else is refused, and each author has his own quota of the mempool.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use synchronicity_core::command::SignedMessage;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use tokio::sync::mpsc;

use crate::bundle;
use crate::executor::Executor;
use crate::local::{Local, NotTaken};
use crate::offence::Conduct;
use crate::sightings::{Key, hex, key_of};

/// Largest opaque statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;

/// Largest opaque parcel, in bytes.
pub const PARCEL_BYTES_MAX: usize = 48 * 1024;

/// Pause after each parcel, whomever it went to: 32 in a second, hence at most 1.5 MiB, are all that parcels take of this
/// member's line. Votes and blocks overtake them in the queue of each link besides.
pub const PARCEL_PAUSE: Duration = Duration::from_millis(31);

/// Pause before a command that is still not ordered is told again; it doubles up to [`RETELL_MAX`].
const RETELL_FIRST: Duration = Duration::from_secs(1);
const RETELL_MAX: Duration = Duration::from_secs(8);

/// Pause between two messages with commands, of which each holds as many as fit: 50 in a second, fewer than a link lets
/// through (`network::quotas`), for what it does not let through is lost until it is told again.
const TELL_PAUSE: Duration = Duration::from_millis(20);

/// Commands of one member that are looked at in a second, and signatures of it that are checked, which costs more than all
/// the rest. More are dropped unread, and told again by an honest sender.
const HEARD_PER_SECOND_MAX: usize = 16_384;
const CHECKS_PER_SECOND_MAX: usize = 4096;

/// After this many messages that are no command of their sender, the sender is not listened to for a while: checking a
/// signature costs more than sending garbage.
const STRIKES_MAX: u32 = 32;
const DEAF: Duration = Duration::from_secs(60);

/// Takes in the commands of the other members until the network closes.
pub(crate) async fn hear_commands<E: Clock, X: Executor>(
    clock: &E,
    local: &Local<X>,
    authors: &BTreeMap<Key, BuilderId>,
    mut network: impl Receiver<PublicKey = PublicKey>,
) {
    let mut patience: BTreeMap<Key, Patience> = BTreeMap::new();
    while let Ok((sender, bytes)) = network.recv().await {
        let sender = key_of(&sender);
        let now = clock.current();
        let patience = patience.entry(sender).or_insert_with(|| Patience::new(now));
        if patience.deaf_until.is_some_and(|until| now < until) {
            continue;
        }
        let commands = match bundle::read(bytes.as_ref()) {
            Ok(commands) => commands,
            Err(reason) => {
                patience.strike(local, sender, now, reason);
                continue;
            }
        };
        patience.go_on(now);
        for command in commands {
            if !patience.has_room() {
                break;
            }
            patience.heard += 1;
            match accept(local, authors.get(&sender), command, &mut patience.checked) {
                Ok(()) => {}
                Err(Refused::Useless(reason)) => {
                    tracing::debug!(sender = %hex(&sender), reason, "a command that cannot wait here");
                }
                Err(Refused::NotACommand(reason)) => patience.strike(local, sender, now, &reason),
            }
            if patience.deaf_until.is_some() {
                break;
            }
        }
    }
}

/// What one sender may still do.
struct Patience {
    strikes: u32,
    deaf_until: Option<SystemTime>,
    /// Commands, and checks of signatures, since the beginning of this second of the sender's.
    heard: usize,
    checked: usize,
    since: SystemTime,
}

impl Patience {
    fn new(now: SystemTime) -> Self {
        Self { strikes: 0, deaf_until: None, heard: 0, checked: 0, since: now }
    }

    /// Begins a new second if the last one is over.
    fn go_on(&mut self, now: SystemTime) {
        // A clock that is set back begins a new second too.
        if now.duration_since(self.since).map_or(true, |age| age >= Duration::from_secs(1)) {
            *self = Self { strikes: self.strikes, ..Self::new(now) };
        }
    }

    /// Whether one more command is looked at.
    fn has_room(&self) -> bool {
        self.heard < HEARD_PER_SECOND_MAX && self.checked < CHECKS_PER_SECOND_MAX
    }

    fn strike<X: Executor>(&mut self, local: &Local<X>, sender: Key, now: SystemTime, reason: &str) {
        self.strikes += 1;
        tracing::debug!(sender = %hex(&sender), reason, strikes = self.strikes, "not a command");
        if self.strikes >= STRIKES_MAX {
            tracing::warn!(sender = %hex(&sender), "sends garbage: not listening to its commands for a minute");
            local.sightings.offended(sender, Conduct::Garbage);
            *self = Self { deaf_until: now.checked_add(DEAF), ..Self::new(now) };
        }
    }
}

enum Refused {
    /// Sent in good faith, perhaps: ordered meanwhile, or over the quota.
    Useless(String),
    /// No honest node sends this.
    NotACommand(String),
}

/// Takes a command in; `checked` counts the signatures that had to be checked.
fn accept<X: Executor>(
    local: &Local<X>,
    author: Option<&BuilderId>,
    bytes: &[u8],
    checked: &mut usize,
) -> Result<(), Refused> {
    let full = || Refused::Useless("the author's quota is used up".to_owned());
    // What finds no room needs no check. It may wait here already, which is as good.
    if author.is_some_and(|author| !local.has_room(author, bytes.len())) {
        return Err(full());
    }
    let check = |message: &SignedMessage| {
        *checked += 1;
        message.is_signed()
    };
    let command = local.reading.read_if(bytes, check).map_err(|e| Refused::NotACommand(e.to_string()))?;
    if Some(&command.author()) != author {
        return Err(Refused::NotACommand("a command of another member".to_owned()));
    }
    local.take(command).map_err(|not_taken| match not_taken {
        NotTaken::Rejected(rejection) => Refused::Useless(rejection.to_string()),
        NotTaken::Full => full(),
    })
}

/// Tells the others this member's own commands, at once and then again until they are ordered.
pub(crate) async fn tell_commands<E: Clock, X: Executor>(
    clock: &E,
    local: &Local<X>,
    mut network: impl Sender<PublicKey = PublicKey>,
) {
    let mut told: HashMap<Digest, (SystemTime, Duration)> = HashMap::new();
    let mut news = local.own_news();
    loop {
        news.borrow_and_update();
        let now = clock.current();
        let mut waiting = local.own_commands();
        let mut before = std::mem::take(&mut told);
        // What does not wait any more is forgotten.
        waiting.retain(|command| {
            let known = before.remove(&command.id());
            told.extend(known.map(|known| (command.id(), known)));
            known.is_none_or(|(due, _)| due <= now)
        });
        if let Some((message, count)) = bundle::write(&waiting) {
            network.send(Recipients::All, message, false);
            for command in &waiting[..count] {
                let pause = told.get(&command.id()).map_or(RETELL_FIRST, |(_, pause)| *pause);
                told.insert(command.id(), (now + pause, (pause * 2).min(RETELL_MAX)));
            }
            clock.sleep(TELL_PAUSE).await;
            continue;
        }
        let next = told.values().map(|(due, _)| *due).min().unwrap_or(now + RETELL_MAX);
        select! {
            _ = news.changed() => {},
            _ = clock.sleep_until(next) => {},
        }
    }
}

/// Passes on what the other members send, of at most `bytes_max` bytes each, with each one's place in `members`. A receiver
/// that does not keep up loses some: statements are repeated by whoever still needs them to arrive, parcels are asked
/// for again. `what` is what they are called in the trace.
pub(crate) async fn hear_opaque(
    members: &[Key],
    mut network: impl Receiver<PublicKey = PublicKey>,
    heard: mpsc::Sender<(usize, Vec<u8>)>,
    (what, bytes_max): (&'static str, usize),
) {
    while let Ok((sender, bytes)) = network.recv().await {
        let sender = key_of(&sender);
        let Some(index) = members.iter().position(|key| *key == sender) else {
            continue;
        };
        if bytes.len() > bytes_max {
            tracing::debug!(what, sender = %hex(&sender), bytes = bytes.len(), "too long");
            continue;
        }
        if heard.try_send((index, bytes.as_ref().to_vec())).is_err() {
            tracing::debug!(what, sender = %hex(&sender), "nobody takes them up as fast as they come: dropping one");
        }
    }
}

/// Sends what the node hands in to the member at each parcel's place, one after another and none of them in a hurry.
/// Never ends: a node that has dropped its end has nothing to send.
pub(crate) async fn send_parcels<E: Clock>(
    clock: &E,
    members: &[PublicKey],
    mut parcels: mpsc::Receiver<(usize, Vec<u8>)>,
    mut network: impl Sender<PublicKey = PublicKey>,
) {
    while let Some((to, parcel)) = parcels.recv().await {
        if let Some(member) = members.get(to) {
            network.send(Recipients::One(member.clone()), parcel, false);
            clock.sleep(PARCEL_PAUSE).await;
        }
    }
    pending().await
}

/// Tells every other member what the node hands in. Never ends: a node that has dropped its end has nothing to tell.
pub(crate) async fn tell_statements(
    mut statements: mpsc::Receiver<Arc<[u8]>>,
    mut network: impl Sender<PublicKey = PublicKey>,
) {
    while let Some(statement) = statements.recv().await {
        network.send(Recipients::All, statement.to_vec(), false);
    }
    pending().await
}
