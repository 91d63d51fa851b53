//! The channels between members, how much each may carry, and the real links under them.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use commonware_consensus::marshal;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::{ChaCha20Poly1305, ed25519, sha256};
use commonware_p2p::authenticated::lookup;
use commonware_runtime::Quota;
use commonware_stream::SakeCups;
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::{NZU32, NZUsize};
use synchronicity_core::command::COMMAND_BYTES_MAX;
use synchronicity_core::group::Group;

use crate::block::Block;
use crate::checked::Reading;
use crate::gossip::{PARCEL_BYTES_MAX, STATEMENT_BYTES_MAX};

/// Number of channels: one each for votes, certificates, certificates that are asked for, blocks that are asked for,
/// fresh blocks, commands, statements, parcels and recollections.
pub(crate) const CHANNELS: usize = 9;

/// Number of the channel of votes on the wire.
pub(crate) const VOTES_CHANNEL: u64 = 0;

/// Number of the channel of blocks that are asked for on the wire.
pub(crate) const FETCHED_BLOCKS_CHANNEL: u64 = 3;

/// Number of the channel of fresh blocks on the wire.
pub(crate) const FRESH_BLOCKS_CHANNEL: u64 = 4;

/// Number of the channel of commands on the wire.
pub(crate) const COMMANDS_CHANNEL: u64 = 5;

/// What a member uses to talk to the others, and the engine to know them by.
pub(crate) struct Network<C, P, B> {
    pub(crate) votes: C,
    pub(crate) certificates: C,
    pub(crate) fetched_certificates: C,
    pub(crate) fetched_blocks: C,
    pub(crate) fresh_blocks: C,
    pub(crate) commands: C,
    pub(crate) statements: C,
    pub(crate) parcels: C,
    pub(crate) recollections: C,
    pub(crate) peers: P,
    pub(crate) blocker: B,
}

impl<C, P, B> Network<C, P, B> {
    /// `channels` in the order of [`CHANNELS`], which is also their number on the wire.
    pub(crate) fn new(channels: [C; CHANNELS], peers: P, blocker: B) -> Self {
        let [
            votes,
            certificates,
            fetched_certificates,
            fetched_blocks,
            fresh_blocks,
            commands,
            statements,
            parcels,
            recollections,
        ] = channels;
        Self {
            votes,
            certificates,
            fetched_certificates,
            fetched_blocks,
            fresh_blocks,
            commands,
            statements,
            parcels,
            recollections,
            peers,
            blocker,
        }
    }
}

/// Messages that one member may send to another on each channel, per second; a queue has room for one second of every
/// member. What a member of this program would send faster is dropped on its own side, so everything that must arrive is
/// sent more slowly (`propose`, `gossip`). What another program sends faster is not read for a while, nor is anything else
/// on its link.
pub(crate) fn quotas() -> [Quota; CHANNELS] {
    let per_second = |messages| Quota::per_second(messages);
    [
        per_second(NZU32!(256)),
        per_second(NZU32!(256)),
        per_second(NZU32!(256)),
        // A member that was away asks for block after block, and is not asked for more than a few of the same.
        per_second(NZU32!(1024)),
        // A fresh block costs every member the check of its author's signatures: twice as many as a leader proposes, for it
        // also hands the last block on to the next leader.
        per_second(NZU32!(56)),
        per_second(NZU32!(64)),
        per_second(NZU32!(32)),
        // Twice as many as an honest member sends to all others together (`gossip::PARCEL_PAUSE`): its link, which carries
        // its votes too, is never left unread for their sake.
        per_second(NZU32!(64)),
        // Questions and answers, while either of the two is starting.
        per_second(NZU32!(16)),
    ]
}

/// Largest message of any channel. The engine panics on a larger one, so every size is taken from whoever sends it.
pub(crate) fn message_bytes_max(group: &Arc<Group>) -> u32 {
    let reading = Reading::new(group.clone());
    let members = u32::try_from(group.members().len()).expect("a group has at most 31 members");
    commonware_p2p::max_message_size(&[
        simplex::max_payload_size::<Scheme, sha256::Digest>(members),
        marshal::max_payload_size::<Standard<Block>, Scheme>(members, &reading),
        COMMAND_BYTES_MAX,
        STATEMENT_BYTES_MAX,
        PARCEL_BYTES_MAX,
    ])
}

/// For how long the links of a member stay cut.
pub(crate) const CUT_OFF: Duration = Duration::from_secs(60 * 60);

/// How far two clocks may differ for a connection: a clock that is set to another time zone is within it.
const HANDSHAKE_SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two attempts to connect to somebody: one member is dialed each time.
const DIAL: Duration = Duration::from_millis(250);

/// How long after an attempt either of two members refuses the other. Those that run keep dialing one that is away, so a restarted
/// one finds nobody for some while if this is not well below [`DIAL`]. The engine's own default is a minute.
const REFUSAL: Duration = Duration::from_millis(100);

/// Settings of the encrypted links between members whose addresses are known.
pub(crate) fn links(
    identity: ed25519::PrivateKey,
    namespace: &[u8],
    listen: SocketAddr,
    members: usize,
    message_bytes_max: u32,
) -> lookup::Config<SakeCups<ed25519::PrivateKey, ChaCha20Poly1305>> {
    // The handshake compares clocks. It is lenient, so that a member whose clock is off is told so by the others'
    // proposals instead of finding nobody. A handshake that is replayed within that time opens no session.
    let sake = Sake {
        signer: identity,
        synchrony_bound: HANDSHAKE_SKEW,
        max_handshake_age: HANDSHAKE_SKEW,
        version: sake::Version::V1,
    };
    lookup::Config {
        handshake: Cups::new(sake, cups::Version::V1),
        namespace: namespace.to_vec(),
        listen,
        // Containers, test networks and a group on one machine live on private addresses.
        allow_private_ips: true,
        allow_dns: false,
        // A member is known by its key. Its outgoing address differs behind NAT or with several interfaces.
        bypass_ip_check: true,
        max_message_size: message_bytes_max,
        max_peers_per_set: NonZeroUsize::MIN.saturating_add(members),
        mailbox_size: NZUsize!(1024),
        send_batch_size: NZUsize!(8),
        handshake_timeout: Duration::from_secs(5),
        dial_timeout: Duration::from_secs(10),
        peer_connection_cooldown: REFUSAL,
        max_concurrent_handshakes: NZU32!(128),
        // Members of a development group share one address.
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(16)),
        allowed_handshake_rate_per_subnet: Quota::per_second(NZU32!(128)),
        ping_frequency: Duration::from_secs(10),
        dial_frequency: DIAL,
        tracked_peer_sets: NZUsize!(1),
        block_duration: CUT_OFF,
    }
}
