//! A node from the outside of its modules: what is on disk after failures, whole groups in one process, and the
//! command line as transcripts.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod artifacts;
mod backup;
mod boundary;
mod busy;
mod damaged;
mod diverged;
mod epochs;
mod export;
mod export_cut;
mod fold;
mod group;
mod help;
mod joining;
mod journal;
mod nodes;
mod offences;
mod old;
mod publish;
mod recosign;
mod restarted;
mod serve;
mod snapshot;
mod store;
mod transcripts;
mod web;
mod witness;
mod witnessing;
mod world;
