//! The engine with real state machines: over sockets and files, and on the deterministic runtime under faults.
//!
//! A simulated test runs from the seed in the environment variable `SEED`, or from a fixed one, and prints it when it
//! fails.

mod cast;
mod faults;
mod hostile;
mod ledger;
mod loopback;
mod order;
mod restart;
