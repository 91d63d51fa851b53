//! The client: for whoever wants to know whether a binary is what its source says.
//!
//! Three comparisons exist, and its words keep them apart: builder against builder (the only one that makes evidence,
//! [`prove`] fetches it), the group against a file somebody offers ([`verify`]), and this machine's own build, which
//! proves something to its owner alone ([`rebuild`], and `check`, which builds twice and has `diff` explain, and `survey`, which does so with a list of crates; `recipe` shows how to do it by hand).
//! `install` puts what a group rebuilt where cargo puts what it builds. [`attest_command`] fetches what builders sign for the tools of others,
//! whose formats are in [`attest`]. Everything that is said goes through `out`; `config` shows what is set where.
//! [`cli`] is the command line, [`exit`] its exit codes, and [`report`] the words for what a proof shows.
//!
//! A library only so that the builder's program offers the same `verify` and `attest`, word for word, and signs
//! what the latter checks. To embed the check itself, use
//! `synchronicity-verify`.

#[macro_use]
mod out;

mod against;
pub mod age;
pub mod agreed;
pub mod attest;
pub mod attest_command;
mod audit;
mod auditable;
mod bundle;
mod cargo_lock;
mod check;
pub mod cli;
mod collect;
mod combined;
mod config;
mod copy;
mod diff;
mod diffoscope;
mod durable;
pub mod exit;
mod folders;
mod fork;
pub mod fsck;
mod gate;
mod install;
mod install_record;
mod library;
mod lookup;
mod man;
mod monitor;
mod origin;
mod outside;
pub mod policies;
pub mod post;
mod printable;
mod progress;
mod prove;
mod read;
mod rebuild;
mod recipe;
mod relation;
mod report;
pub mod request_json;
mod settings;
pub mod source;
mod succeed;
mod survey;
pub mod trust;
mod user_settings;
pub mod verify;
mod workshop;
