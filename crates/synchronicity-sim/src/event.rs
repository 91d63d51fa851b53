//! What can happen. A run is a list of these, and performing the same list gives the same world.

use core::fmt;
use core::str::FromStr;

/// One thing that happens. Members are counted as in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The operator of a member asks for a crate.
    Submit {
        /// Whose operator.
        member: usize,
        /// Which crate.
        name: String,
    },
    /// The operator of a member proposes that another member be absent in the next epoch, or present again.
    Propose {
        /// Whose operator.
        member: usize,
        /// Who is to be absent or present.
        whom: usize,
    },
    /// The operator of a member approves of what is proposed first.
    Approve {
        /// Whose operator.
        member: usize,
    },
    /// A node looks at its duties, or does what hostile members do.
    Act {
        /// Whose node.
        member: usize,
    },
    /// The engine orders a block.
    Order {
        /// How many waiting commands go into it, from a random order of them.
        take: usize,
        /// How many commands that were ordered before go into it again.
        repeat: usize,
        /// How many of the waiting commands get lost instead.
        lose: usize,
        /// How much later than the last block it is.
        step_ms: u64,
    },
    /// A node gets the blocks that come next for it.
    Deliver {
        /// Whose node.
        member: usize,
        /// How many, if there are so many.
        blocks: usize,
    },
    /// A node gets a block that it has applied.
    Redeliver {
        /// Whose node.
        member: usize,
        /// Which block.
        height: u64,
    },
    /// A node dies.
    Crash {
        /// Whose node.
        member: usize,
    },
    /// A node that died starts again.
    Restart {
        /// Whose node.
        member: usize,
    },
    /// From here on no node crashes, nothing is lost, and nobody submits unasked.
    Calm,
}

impl Event {
    /// Whose node it is about, if it is about one.
    pub fn member(&self) -> Option<usize> {
        match self {
            Event::Submit { member, .. }
            | Event::Propose { member, .. }
            | Event::Approve { member }
            | Event::Act { member }
            | Event::Deliver { member, .. }
            | Event::Redeliver { member, .. }
            | Event::Crash { member }
            | Event::Restart { member } => Some(*member),
            Event::Order { .. } | Event::Calm => None,
        }
    }
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnEvent(pub String);

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an event of a trace", self.0)
    }
}

/// The words that [`Display`](fmt::Display) writes.
impl FromStr for Event {
    type Err = NotAnEvent;

    fn from_str(text: &str) -> Result<Event, NotAnEvent> {
        let number = |word: &str| word.parse::<usize>().map_err(|_| NotAnEvent(text.to_owned()));
        let words: Vec<&str> = text.split(' ').collect();
        Ok(match words[..] {
            ["submit", member, name] => Event::Submit { member: number(member)?, name: name.to_owned() },
            ["propose", member, "whom", whom] => Event::Propose { member: number(member)?, whom: number(whom)? },
            ["approve", member] => Event::Approve { member: number(member)? },
            ["act", member] => Event::Act { member: number(member)? },
            ["order", "take", take, "repeat", repeat, "lose", lose, "step", step, "ms"] => Event::Order {
                take: number(take)?,
                repeat: number(repeat)?,
                lose: number(lose)?,
                step_ms: number(step)? as u64,
            },
            ["deliver", member, "blocks", blocks] => {
                Event::Deliver { member: number(member)?, blocks: number(blocks)? }
            }
            ["redeliver", member, "height", height] => {
                Event::Redeliver { member: number(member)?, height: number(height)? as u64 }
            }
            ["crash", member] => Event::Crash { member: number(member)? },
            ["restart", member] => Event::Restart { member: number(member)? },
            ["calm"] => Event::Calm,
            _ => return Err(NotAnEvent(text.to_owned())),
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Submit { member, name } => write!(f, "submit {member} {name}"),
            Event::Propose { member, whom } => write!(f, "propose {member} whom {whom}"),
            Event::Approve { member } => write!(f, "approve {member}"),
            Event::Act { member } => write!(f, "act {member}"),
            Event::Order { take, repeat, lose, step_ms } => {
                write!(f, "order take {take} repeat {repeat} lose {lose} step {step_ms} ms")
            }
            Event::Deliver { member, blocks } => write!(f, "deliver {member} blocks {blocks}"),
            Event::Redeliver { member, height } => write!(f, "redeliver {member} height {height}"),
            Event::Crash { member } => write!(f, "crash {member}"),
            Event::Restart { member } => write!(f, "restart {member}"),
            Event::Calm => f.write_str("calm"),
        }
    }
}
