//! The program of a builder.
//!
//! A node orders signed commands with the other members, rebuilds what the group was asked for, and publishes the
//! verdicts as a transparency log. The route through the files:
//!
//! | step | file |
//! | --- | --- |
//! | submit | [`submit`]: from what the operator names to a signed command; [`outbox`] until it is ordered |
//! | order | [`fold`]: ordered blocks become state, on disk before they are acknowledged ([`store`]) |
//! | build | [`workbench`], [`builds`]: one at a time, in a process apart |
//! | commitment, reveal | [`duty`]: what is owed, the [`journal`] first |
//! | tally | in the core, when [`fold`] applies a block |
//! | log | [`cosign`] gathers signatures, [`publish`] writes the files, [`publisher`] decides when |
//! | proof | [`log_reader`] makes it from the files; [`proofs`] on disk, [`http`] for everybody |
//! | proof | [`proofs`], on disk and over [`http`]; [`export`] takes the log elsewhere |
//! | verify | [`verify_command`], offline |
//! | proof | [`proofs`], on disk and over [`http`] |
//! | verify | [`verify_command`], offline; [`attestations`] for the verifiers of others, fetched by [`attest_command`] |
//!
//! What builds leave is in [`artifact_store`]. Where builders diverge, [`explaining`] says why, with files that they hand to
//! each other by [`exchange`].
//!
//! Beside the route, [`recosign`] keeps the times of an unchanged log fresh, and [`witness`] cosigns other groups' logs
//! and asks outside witnesses to cosign this one's.
//!
//! The group's members change from one epoch to the next: [`changes`] hands over what an operator proposes and approves,
//! [`epoch_end`] sees when the epoch is over, [`epochs`] keeps what ended, [`rotation`] a member's next keys.
//!
//! [`offences`] keeps what other members did wrong.
//!
//! For people: the [`chronicle`] is folded beside the state, [`pages`] makes of it what is shown, and [`http`] serves that; [`webhooks`] tell
//! other programs.
//!
//! [`node`] puts the parts together; [`commands`] is what a person types; [`devnet`] runs a whole group.

pub mod artifact_store;
pub mod attest_command;
pub mod attestations;
pub mod backup;
pub mod builds;
pub mod catalogue;
pub mod changes;
pub mod chronicle;
pub mod cli;
pub mod commands;
pub mod config;
pub mod cosign;
pub mod devnet;
pub mod disk_room;
pub mod durable;
pub mod duty;
pub mod epoch_end;
pub mod epochs;
pub mod exchange;
pub mod exit;
pub mod explaining;
pub mod export;
pub mod fold;
pub mod folder;
pub mod group_file;
pub mod groups;
pub mod health;
pub mod http;
pub mod journal;
pub mod keys;
pub mod log_reader;
pub mod lookups;
pub mod misbehave;
pub mod monitor;
pub mod node;
pub mod offences;
pub mod operator;
pub mod outbox;
pub mod pages;
pub mod presence;
pub mod progress;
pub mod proofs;
pub mod publish;
pub mod publisher;
pub mod recosign;
pub mod rotation;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod store;
pub mod submit;
pub mod verify_command;
pub mod view;
pub mod webhooks;
pub mod witness;
pub mod workbench;

use std::process::ExitCode;

use clap::Parser;

/// The program: reads the command line, does what it says, and reports how that went.
pub fn main() -> ExitCode {
    // A build is this same executable in a process of its own, and so is the `docker` that rustwide calls. Does not
    // return there; must come before any thread.
    synchronicity_rebuild::worker::main();
    explaining::apart::main();
    match commands::execute(&cli::Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(stop) => stop.tell(false),
    }
}
