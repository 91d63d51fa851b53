//! The group, its chain and its nodes, and what each event does to them.

use std::collections::BTreeMap;
use std::fmt::Display;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::machine::{Applied, MAX_OPEN_ROUNDS_PER_AUTHOR, Machine};
use synchronicity_core::round::Phase;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, EntryError};
use synchronicity_verify::leaf::{Leaf, LeafError};
use synchronicity_verify::note::{self, NoteSignature, SignedNote};

use crate::crates::{self, LOCK};
use crate::dice::Dice;
use crate::event::Event;
use crate::founding::Founding;
use crate::honest::{Deed, Seat};
use crate::hostile;
use crate::node::Node;
use crate::plant::{self, Plant};
use crate::role::Role;

/// Commands that wait for a block are lost beyond this many: no engine's mempool is endless.
const WAITING_MAX: usize = 512;

/// Everything there is. Changed by [`World::perform`] only; invariants read.
pub struct World {
    /// The group and its secrets.
    pub founding: Founding,
    /// One node for each member.
    pub nodes: Vec<Node>,
    /// The ordered blocks; the block of height `h` stands at `h - 1`.
    pub chain: Vec<OrderedBlock>,
    /// What each block did to a machine that sees every block once, at once.
    pub effects: Vec<Applied>,
    /// That machine.
    pub reference: Machine,
    /// Every entry of its log.
    pub entries: Vec<Vec<u8>>,
    /// The indices of those that are of builds.
    builds: Vec<usize>,
    /// Commands that no block has yet.
    pub waiting: Vec<Command>,
    /// Every cosignature that was made, in order.
    pub cosigned: Vec<Cosigned>,
    /// Every checkpoint that reached the group's quorum.
    pub published: Vec<Published>,
    /// The last event.
    pub last: Option<Event>,
    /// Whether the faults are over.
    pub calm: bool,
    /// Members in whose place no honest engine runs, or none at all to the end: nothing is promised of the state that their
    /// nodes come to.
    pub estranged: Vec<usize>,
    dice: Dice,
    plant: Option<Plant>,
    lines: BTreeMap<(u64, Digest), Vec<(usize, NoteSignature)>>,
}

/// One cosignature, without its bytes.
pub struct Cosigned {
    /// Who signed.
    pub member: usize,
    /// Entries in the log.
    pub size: u64,
    /// The root that was signed.
    pub root: Digest,
}

/// A checkpoint with a quorum, as it would be served.
pub struct Published {
    /// Entries in the log.
    pub size: u64,
    /// Log signature and cosignatures.
    pub note: SignedNote,
}

impl World {
    /// A group that has just started.
    pub fn new(founding: Founding, roles: &[Role], seed: u64, plant: Option<Plant>) -> World {
        let group = &founding.group;
        let nodes = roles.iter().enumerate().map(|(member, role)| Node::new(member, *role, group, plant)).collect();
        World {
            nodes,
            chain: Vec::new(),
            effects: Vec::new(),
            reference: Machine::new(group.clone()),
            entries: Vec::new(),
            builds: Vec::new(),
            waiting: Vec::new(),
            cosigned: Vec::new(),
            published: Vec::new(),
            last: None,
            calm: false,
            estranged: Vec::new(),
            // Another stream than the one that chooses events: what members do must not depend on who chooses.
            dice: Dice::new(!seed),
            plant,
            lines: BTreeMap::new(),
            founding,
        }
    }

    /// Lets an event happen.
    pub fn perform(&mut self, event: &Event) {
        self.last = Some(event.clone());
        match event {
            Event::Submit { member, name } => self.submit(*member, name),
            Event::Propose { member, whom } => self.propose(*member, *whom),
            Event::Approve { member } => self.approve(*member),
            Event::Act { member } => self.act(*member),
            Event::Order { take, repeat, lose, step_ms } => self.order(*take, *repeat, *lose, *step_ms),
            Event::Deliver { member, blocks } => self.deliver(*member, *blocks),
            Event::Redeliver { member, height } => {
                let again = height.checked_sub(1).and_then(|index| self.chain.get(index as usize));
                let node = &mut self.nodes[*member];
                if let Some(block) = again.filter(|block| block.height <= node.reached().0) {
                    node.redeliver(block);
                }
            }
            Event::Crash { member } => self.nodes[*member].crash(),
            Event::Restart { member } => self.nodes[*member].restart(&self.founding.group),
            Event::Calm => self.calm = true,
        }
    }

    /// Which node the last event was about, if it was about one.
    pub fn touched(&self) -> Option<&Node> {
        self.nodes.get(self.last.as_ref()?.member()?)
    }

    /// The first honest member that is up and that something is promised of, or the first of all: who asks in the calm.
    pub fn spokesman(&self) -> usize {
        let may =
            |node: &Node| node.role.is_honest() && node.machine.is_some() && !self.estranged.contains(&node.member);
        self.nodes.iter().position(may).unwrap_or(0)
    }

    /// Crates whose last round ended without agreement, although honest builders all get the same of them. What a flooder asked
    /// for, nobody asks for again.
    pub fn unsettled(&self) -> Vec<String> {
        let reproducible = self.reference.rounds().filter(|(_, round)| crates::is_reproducible(round.request()));
        let open_again = reproducible
            .filter(|(_, round)| matches!(round.phase(), Phase::Concluded { verdict, .. } if !verdict.is_final()));
        open_again.map(|(_, round)| round.request().source.name().as_str().to_owned()).collect()
    }

    /// How many requests may be asked for at once so that every command that follows finds room to wait.
    pub fn requests_at_once(&self) -> usize {
        (WAITING_MAX / 2 / self.nodes.len()).clamp(1, MAX_OPEN_ROUNDS_PER_AUTHOR / 2)
    }

    /// The role of the member who signs with this key.
    pub fn role(&self, builder: &synchronicity_verify::identity::BuilderId) -> Option<Role> {
        let keys = &self.founding.commands;
        let seat = keys.iter().position(|key| key.id() == *builder)?;
        Some(self.nodes[seat].role)
    }

    /// The `number`th entry of a build in the log, as nodes show it.
    ///
    /// # Errors
    /// What the strict reader says of the bytes in the log.
    pub fn entry(&self, number: u64) -> Option<Result<Entry, EntryError>> {
        let bytes = &self.entries[*self.builds.get(usize::try_from(number).ok()?)?];
        Some(Entry::from_bytes(bytes).map(|entry| plant::entry(self.plant, entry)))
    }

    /// An entry of the log by its index, as nodes show it.
    ///
    /// # Errors
    /// What the strict reader says of the bytes in the log.
    pub fn leaf(&self, index: u64) -> Option<Result<Leaf, LeafError>> {
        let bytes = self.entries.get(usize::try_from(index).ok()?)?;
        Some(Leaf::from_bytes(bytes).map(|leaf| match leaf {
            Leaf::Build(entry) => Leaf::Build(plant::entry(self.plant, entry)),
            leaf => leaf,
        }))
    }

    /// The trace's line, by its number, for `what` just happened: that, and how far the group is.
    pub(crate) fn trace_line(&self, number: usize, what: impl Display) -> String {
        let executed = self.reference.executed();
        format!(
            "{number:05} {what} | height {} time {} log {} {} waiting {}",
            executed.height,
            executed.time_ms,
            executed.log_size,
            &executed.log_root.to_string()[..8],
            self.waiting.len()
        )
    }

    /// How much later each block is while the group is calm.
    pub fn calm_step_ms(&self) -> u64 {
        match self.plant {
            Some(Plant::StallsTime) => 1,
            _ => crate::founding::REVEAL_WINDOW_MS * 3 / 4,
        }
    }

    fn submit(&mut self, member: usize, name: &str) {
        let request = crates::request(name);
        let Some(machine) = &self.nodes[member].machine else { return };
        if let Some(round) = machine.next_round(&request.id()) {
            self.say(member, Action::Submit { request, lock: LOCK.to_vec(), round });
        }
    }

    fn propose(&mut self, member: usize, whom: usize) {
        let Some(machine) = &self.nodes[member].machine else { return };
        let mut membership = machine.group().membership();
        let Some(toggled) = membership.members.get_mut(whom) else { return };
        toggled.absent = !toggled.absent;
        // What cannot follow is told to the operator, and not to the group.
        if machine.group().followed_by(&membership).is_ok() {
            self.say(member, Action::Propose { membership });
        }
    }

    fn approve(&mut self, member: usize) {
        let Some(machine) = &self.nodes[member].machine else { return };
        let first = machine.proposals().next().map(|(_, proposal)| proposal.digest());
        if let Some(membership) = first {
            self.say(member, Action::Approve { membership });
        }
    }

    fn act(&mut self, member: usize) {
        let node = &mut self.nodes[member];
        let Some(machine) = &node.machine else { return };
        let deeds = hostile::act(&mut Seat {
            machine,
            journal: &mut node.journal,
            me: self.founding.commands[member].id(),
            role: node.role,
            dice: &mut self.dice,
            chain: &self.chain,
            waiting: &self.waiting,
            calm: self.calm,
            plant: self.plant,
        });
        for deed in deeds {
            match deed {
                Deed::Say(action) => self.say(member, action),
                Deed::Repeat(command) => self.hear(command),
                Deed::Cosign(size, root) => self.cosign(member, size, root),
            }
        }
    }

    fn say(&mut self, member: usize, action: Action) {
        let key = &self.founding.commands[member];
        // Of the epoch that its node is in. A node that is down says nothing.
        let Some(machine) = &self.nodes[member].machine else { return };
        let group = machine.group();
        // What a member signs is read back from its bytes, as every other node would read it.
        let signed = Command::sign(key, group, action).map(|command| command.to_bytes());
        let read = signed.and_then(|bytes| Command::from_bytes(&bytes, group));
        self.hear(read.expect("a member's own command is one"));
    }

    fn hear(&mut self, command: Command) {
        let known = self.waiting.iter().any(|waiting| waiting.id() == command.id());
        if !known && self.waiting.len() < WAITING_MAX {
            self.waiting.push(command);
        }
    }

    fn order(&mut self, take: usize, repeat: usize, lose: usize, step_ms: u64) {
        let mut commands = Vec::new();
        for _ in 0..take.min(self.waiting.len()) {
            let at = self.dice.below(self.waiting.len());
            commands.push(self.waiting.swap_remove(at));
        }
        for _ in 0..lose.min(self.waiting.len()) {
            let at = self.dice.below(self.waiting.len());
            self.waiting.swap_remove(at);
        }
        for _ in 0..repeat {
            let block = self.dice.pick(&self.chain);
            let again = block.and_then(|block| block.commands.first()).cloned();
            commands.extend(again);
        }
        let (height, time_ms) = self.chain.last().map_or((0, 0), |block| (block.height, block.time_ms));
        let block = OrderedBlock { height: height + 1, time_ms: time_ms + step_ms.max(1), commands };
        let seen = plant::block(self.plant, None, &block);
        let applied = self.reference.apply(&seen).expect("the feed orders the next height at a later time");
        self.reference.begin_epoch();
        self.record(block, applied);
    }

    /// Notes the next block of the chain, and what it did to the reference.
    pub(crate) fn record(&mut self, block: OrderedBlock, applied: Applied) {
        for logged in &applied.logged {
            if matches!(Leaf::from_bytes(&logged.entry), Ok(Leaf::Build(_)) | Err(LeafError::Build(_))) {
                self.builds.push(self.entries.len());
            }
            self.entries.push(logged.entry.clone());
        }
        self.effects.push(applied);
        self.chain.push(block);
    }

    fn deliver(&mut self, member: usize, blocks: usize) {
        let node = &mut self.nodes[member];
        for _ in 0..blocks {
            let next = node.reached().0 as usize;
            match self.chain.get(next).and_then(|block| node.deliver(block)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => node.broken = Some(error),
                None => return,
            }
        }
    }

    fn cosign(&mut self, member: usize, size: u64, root: Digest) {
        let root = plant::root(self.plant, root);
        self.sign_checkpoint(member, size, root);
        if self.plant == Some(Plant::CosignsTwice) && self.nodes[member].role.is_honest() {
            self.sign_checkpoint(member, size, Digest::of(b"another root"));
        }
    }

    fn sign_checkpoint(&mut self, member: usize, size: u64, root: Digest) {
        let checkpoint = Checkpoint { origin: self.founding.group.origin().to_owned(), size, root };
        let text = checkpoint.to_string();
        let time_s = self.reference.executed().time_ms / 1000;
        let line = cosignature::cosign(&self.founding.cosigners[member], &text, time_s);
        let line = line.expect("cosigner keys are of the kind that cosigns");
        self.cosigned.push(Cosigned { member, size, root });
        if self.plant == Some(Plant::LosesCosignatures) {
            return;
        }
        let lines = self.lines.entry((size, root)).or_default();
        if !lines.iter().any(|(signer, _)| *signer == member) {
            lines.push((member, line));
        }
        if lines.len() == self.founding.group.quorum() {
            let log = note::sign(&self.founding.log, &text).expect("the log's key is of the kind that signs notes");
            let cosignatures = lines.iter().map(|(_, line)| line.clone());
            let signatures = [log].into_iter().chain(cosignatures).collect();
            self.published.push(Published { size, note: SignedNote { text, signatures } });
        }
    }
}
