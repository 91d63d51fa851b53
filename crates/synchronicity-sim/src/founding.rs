//! Founds a group from a seed: keys of every member, group file, policy.

use synchronicity_core::command::CommandKey;
use synchronicity_core::group::{Charter, Group, MEMBERS_MAX, Member};
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::policy::Policy;

use crate::dice::Dice;

/// Commitment window of simulated groups, in milliseconds of block time.
pub const COMMIT_WINDOW_MS: u64 = 60_000;

/// Reveal window of simulated groups, in milliseconds of block time.
pub const REVEAL_WINDOW_MS: u64 = 20_000;

/// A group with all of its secrets. Members are counted as in [`Group::members`].
pub struct Founding {
    /// The group that the machines run.
    pub group: Group,
    /// What a client of this group trusts.
    pub policy: Policy,
    /// How many builders must agree, as the founders meant it. Invariants judge by this number.
    pub threshold: u16,
    /// The command key of each member.
    pub commands: Vec<CommandKey>,
    /// The secret consensus key of each member, for the engine.
    pub consensus: Vec<[u8; 32]>,
    /// The cosigning key of each member.
    pub cosigners: Vec<Signer>,
    /// The log's own key.
    pub log: Signer,
}

impl Founding {
    /// The group of `members` that a seed stands for. `executed_threshold` is what the machines are told; it differs
    /// from `threshold` only where a planted bug wants it so.
    ///
    /// # Panics
    /// For numbers of members or thresholds that no group has: the options of a run are checked before.
    pub fn new(seed: u64, members: usize, threshold: u16, executed_threshold: u16) -> Founding {
        let mut dice = Dice::new(seed);
        let origin = format!("synchronicity.example/seed-{seed}");
        let log = signer(&origin, KeyKind::Log, &mut dice);
        let (mut commands, mut consensus, mut cosigners, mut written) = (vec![], vec![], vec![], vec![]);
        for index in 0..members {
            // Two digits, so that the group's order by name is the order of creation.
            let name = format!("builder-{index:02}");
            let command = CommandKey::from_seed(dice.bytes());
            let cosigner = signer(&format!("{origin}/{name}"), KeyKind::Cosigner, &mut dice);
            let vote = dice.bytes();
            written.push(Member {
                consensus: CommandKey::from_seed(vote).id().0,
                command: command.id(),
                cosigner: cosigner.verifier_key().clone(),
                // Nobody attests in a simulation: only the public half is needed.
                attestation: CommandKey::from_seed(dice.bytes()).id().0,
                address: format!("192.0.2.{index}:4800"),
                absent: false,
                name,
            });
            commands.push(command);
            consensus.push(vote);
            cosigners.push(cosigner);
        }
        let charter = Charter {
            origin,
            epoch: 0,
            log_key: log.verifier_key().clone(),
            threshold: executed_threshold,
            commit_window_ms: COMMIT_WINDOW_MS,
            reveal_window_ms: REVEAL_WINDOW_MS,
            containment: Vec::new(),
            overrides: Vec::new(),
            members: written,
        };
        let group = Group::new(charter).expect("the options allow only groups that can be founded");
        let policy = group.policy(None).expect("a group's own names can stand in a policy");
        Founding { group, policy, threshold, commands, consensus, cosigners, log }
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.commands.len()
    }
}

/// Of so many groups one is large.
const LARGE_GROUPS: usize = 16;

/// How many members the group of a seed has, unless somebody says: 4 to 7, and in a large one up to as many as there can be.
pub fn size(dice: &mut Dice) -> usize {
    let few = 4 + dice.below(4);
    let many = 8 + dice.below(MEMBERS_MAX - 7);
    if dice.once_in(LARGE_GROUPS) { many } else { few }
}

fn signer(name: &str, kind: KeyKind, dice: &mut Dice) -> Signer {
    Signer::from_seed(name, kind, &dice.bytes())
        .expect("a simulated key has a valid name, and no seed gives a weak key")
}
