//! Ordered, durable blocks of commands for a group of builders, from a BFT engine that is not ours.
//!
//! A node hands in its commands ([`Handle::submit`]) and executes the blocks that the group has made final
//! ([`Executor::execute`]). In between the group agrees on one order, as long as fewer than a third of its members lie;
//! and each certificate over a block binds the log's root at a height that those who signed it had executed themselves.
//! What a verdict is, this crate does not know.
//!
//! It is the only crate that names the engine (the `commonware` family), and everything of it runs on any of the
//! engine's runtimes: [`start`] takes tokio, sockets and files; [`simulation`] the deterministic runtime with simulated
//! links, so that the same code can be driven through losses, partitions and crashes from a seed.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `block.rs` | the bytes of a block and its limits |
//! | `propose.rs` | what a leader puts into a block, and when |
//! | `verify.rs` | what a member votes for |
//! | `past.rs` | what is known about states executed earlier |
//! | `checked.rs` | whose signature need not be checked again |
//! | `mempool.rs`, `gossip.rs`, `bundle.rs` | which commands wait here, and how they come here |
//! | `delivery.rs`, `executor.rs` | how final blocks are executed, and what the node promises |
//! | `chain.rs`, `storage.rs` | fetching and keeping blocks |
//! | `certified.rs` | a block with its certificate, for whoever has no chain |
//! | `vote.rs` | the voter's settings |
//! | `recollection.rs`, `memory.rs`, `journal.rs` | whether a member may vote after a start |
//! | `sightings.rs`, `hearing.rs` | what is seen of the other members and of their clocks |
//! | `offence.rs`, `cutting.rs` | what no member does that keeps to the protocol, and the proof of it |
//! | `network.rs` | channels, quotas, encrypted links |
//! | `epoch.rs` | where an epoch's chain begins |
//! | `engine.rs`, `local.rs`, `application.rs` | the wiring |
//! | `start.rs`, `folder.rs`, `handle.rs` | the node's side |
//! | `simulation.rs` | the same engine under faults from a seed |

mod application;
mod block;
mod bundle;
mod certified;
mod chain;
mod channel;
mod checked;
#[cfg(test)]
#[path = "../tests/it/company.rs"]
mod company;
mod cutting;
mod delivery;
mod engine;
mod epoch;
mod executor;
mod folder;
mod gossip;
mod handle;
mod hearing;
mod journal;
mod local;
mod memory;
mod mempool;
mod missing;
mod network;
mod offence;
mod past;
mod propose;
mod recollection;
mod sightings;
pub mod simulation;
mod start;
#[cfg(test)]
mod still;
mod storage;
mod verify;
mod vote;

pub use block::{BLOCK_AUTHOR_COMMANDS_MAX, BLOCK_COMMANDS_MAX, BLOCK_PAYLOAD_BYTES_MAX};
pub use certified::{CERTIFIED_BYTES_MAX, Certified, CertifiedError, WantedStates};
pub use engine::Stopped;
pub use executor::{ExecuteError, Executor};
pub use folder::{FolderError, check_folder};
pub use gossip::{PARCEL_BYTES_MAX, PARCEL_PAUSE, STATEMENT_BYTES_MAX};
pub use handle::{BroadcastError, ChainStatus, Handle, Parcels, Statements, SubmitError};
pub use mempool::{AUTHOR_BYTES_MAX, AUTHOR_COMMANDS_MAX};
pub use offence::{Conduct, Offence, Offences};
pub use recollection::Standing;
pub use start::{EngineConfig, Peer, StartError, start};
