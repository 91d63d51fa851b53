//! Watches what only the whole node can see: the clock, the other members, and the engine's pulse.

use std::sync::Arc;
use std::time::Duration;

use synchronicity_consensus::{ChainStatus, Handle, Standing};
use synchronicity_core::group::Group;
use tokio::sync::watch;

use crate::health::{Health, Topic};

const EVERY: Duration = Duration::from_secs(2);

/// How long a node may take to find the others before that is worth a complaint.
const GRACE: Duration = Duration::from_secs(15);

/// A member whose address could not be found out at the start.
#[derive(Clone, Debug)]
pub struct Unresolved {
    /// Its consensus key.
    pub key: [u8; 32],
    /// Its name, its address, and what is wrong with it.
    pub problem: String,
}

/// What does not change while a node runs.
pub struct Known {
    /// The group.
    pub group: Arc<Group>,
    /// Members that can only be waited for.
    pub unresolved: Vec<Unresolved>,
    /// The skew at which blocks are refused, in milliseconds.
    pub skew_ms_max: u64,
}

/// Looks until `stop` changes.
pub async fn watch(chain: Handle, known: Known, health: Health, mut stop: watch::Receiver<bool>) {
    let Known { group, unresolved, skew_ms_max } = known;
    let mut waited = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        waited += EVERY;
        let status = chain.status();
        tell(&health, Topic::Votes, votes(&status));
        tell(&health, Topic::Behind, behind(&status));
        tell(&health, Topic::Clock, clock(&status, skew_ms_max));
        if waited >= GRACE {
            tell(&health, Topic::Members, members(&status, &group, &unresolved));
        }
    }
}

fn tell(health: &Health, topic: Topic, complaint: Option<String>) {
    match complaint {
        Some(complaint) => health.complain(topic, complaint),
        None => health.recover(topic),
    }
}

/// A clock that is off by more than half of what the others tolerate is told before it is refused.
fn clock(status: &ChainStatus, skew_ms_max: u64) -> Option<String> {
    let skew_ms = status.clock_skew_ms.filter(|skew_ms| skew_ms.unsigned_abs() > skew_ms_max / 2)?;
    let seconds = skew_ms.unsigned_abs().div_ceil(1000);
    let direction = if skew_ms > 0 { "ahead of" } else { "behind" };
    Some(format!(
        "this machine's clock is {seconds} s {direction} the other members': set it right and keep it so (NTP); beyond \
         {skew_ms_max} ms this node votes for no block"
    ))
}

/// A node that has forgotten votes says so until it is safe to vote again.
fn votes(status: &ChainStatus) -> Option<String> {
    let Standing::Forgetful { signed } = status.standing else { return None };
    Some(format!(
        "other members have seen this node vote in view {signed}, which is not in its journal: its folder was lost or is an old \
         copy, or another node runs with its keys. It signs nothing until the group is past all that it may have signed, and \
         then goes on by itself; see that no other node runs with these keys"
    ))
}

/// A node that was away for too long cannot catch up by itself.
fn behind(status: &ChainStatus) -> Option<String> {
    status.left_behind.then(|| {
        "this node was away for longer than the other members keep their blocks: stop it and run `group join`, which takes up a \
         state that the group has signed; keys and journal stay"
            .to_owned()
    })
}

fn members(status: &ChainStatus, group: &Group, unresolved: &[Unresolved]) -> Option<String> {
    let (seen, needed, all) = (status.connected.len() + 1, group.ordering_quorum(), group.members().len());
    let few = (seen < needed).then(|| {
        format!(
            "only {seen} of {all} members are reachable, {needed} are needed to go on: see that they run and that \
             firewalls let their ports through; if they have begun another epoch without this node, `group join` takes \
             it there"
        )
    });
    let absent = unresolved.iter().filter(|member| !status.connected.contains(&member.key));
    let nameless = absent.map(|member| {
        format!(
            "{} (this node waits for that member to connect; start it again when the address is right)",
            member.problem
        )
    });
    let complaints: Vec<String> = few.into_iter().chain(nameless).collect();
    (!complaints.is_empty()).then(|| complaints.join("; "))
}

#[cfg(test)]
mod tests;
