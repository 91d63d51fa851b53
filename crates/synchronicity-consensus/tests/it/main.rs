//! The engine with real state machines: over sockets and files, and on the deterministic runtime under faults.
//!
//! A simulated test runs from the seed in the environment variable `SEED`, or from a fixed one, and prints it when it
//! fails.
#![allow(clippy::unwrap_used, reason = "clippy's own exception covers test functions, not what they call")]

mod cast;
mod company;
mod epochs;
mod faults;
mod hostile;
mod ledger;
mod loopback;
mod order;
mod pruned;
mod recollection;
mod restart;
