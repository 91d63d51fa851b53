//! What can happen. A run is a list of these, and performing the same list gives the same world.

use core::fmt;

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

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Submit { member, name } => write!(f, "submit {member} {name}"),
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
