//! The machine, driven through its public interface as a node drives it.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, also in the functions that its file shares")]

mod command;
mod deadlines;
mod duties;
mod epochs;
mod floors;
mod group;
mod journal;
mod membership;
mod open;
mod overrides;
mod properties;
mod redelivery;
mod rules;
mod stage;
mod verdicts;
