//! The pure state machine of a group of builders.
//!
//! Ordered blocks go in; verdicts, and what this builder still owes, come out. There is no clock here, no disk, no
//! network and no randomness: time is block time, nonces come with the journal, and the lint configuration of this
//! crate refuses the rest. Two functions carry everything:
//!
//! * [`Machine::apply`](machine::Machine::apply) folds an ordered block into the state;
//! * [`duties`](duties::duties) recomputes, from state and [`Journal`](journal::Journal), what a builder owes.
//!
//! The route through the files:
//!
//! | step | file |
//! | --- | --- |
//! | submit | `submit.rs`: a request opens a round |
//! | order | `block.rs`: commands as the engine ordered them; `command.rs`: what a builder signs |
//! | build | outside: a [`Duty::Build`](duties::Duty) asks for it, [`Sealed`](journal::Sealed) records it |
//! | commitment | `commit.rs`: results are sealed until nobody can seal any more |
//! | reveal | `reveal.rs`: seals are opened, each by its own author |
//! | tally | `tally.rs`: results against the threshold |
//! | log | `log.rs`: the verdict as the leaf of a Merkle tree |
//! | proof, verify | outside: `synchronicity-verify` |
//!
//! The group itself changes in `membership.rs`, from one epoch to the next; `resume.rs` makes the machine of an epoch's
//! beginning from the log alone, and any other with `open.rs`: what the log does not say.
#![forbid(unsafe_code)]

pub mod block;
pub mod command;
mod commit;
pub mod duties;
pub mod group;
pub mod journal;
pub mod log;
pub mod machine;
pub mod membership;
pub mod open;
pub mod rejection;
pub mod resume;
mod reveal;
pub mod round;
mod submit;
mod tally;
