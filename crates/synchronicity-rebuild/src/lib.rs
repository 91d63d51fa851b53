//! From a crate's name to artifact hashes.
//!
//! First comes the source. [`spec`] is what a person asks for; [`registry`] finds its release ([`release`]) and
//! downloads its archive ([`download`], [`cache`]; [`arrivals`] hears of what comes), which [`unpack`] opens; [`manifest`] says what a build must leave
//! behind and [`lock`] which dependencies it has; [`recipe::pin`] makes a request of all that. A builder goes the same way
//! back: [`source::Depot`] obtains the source of a request and its dependencies ([`vendor`]). [`fixture`] holds crates that
//! misbehave on purpose. Nothing in this half runs a line of a crate.
//!
//! Then comes the build. A [`bench::Bench`] starts a [`worker`] process for each request; the worker fetches, writes the
//! command down (`invocation`), and runs it in a [`sandbox`]: `docker` (with `docker_shim` and [`image`]) or
//! [`embedded`] (with `room`, `room_files`, `room_rights`, `reach`, `syscalls`, `cgroup` and `census`), both with the
//! toolchain that [`seed`] froze and under the eyes of `guard`. What it prints becomes a `transcript`, how it ended is read
//! by `ended` and `diagnose`, and [`artifacts`] collects and hashes what it leaves (`make`). [`probe`] says what a machine
//! can give, in the names of [`containment`]. A trial build, of which no evidence comes, has [`conditions`] of its own, and
//! may be of a [`local`] folder.

pub mod arrivals;
pub mod artifacts;
pub mod bench;
pub mod by_hand;
pub mod cache;
mod census;
mod cgroup;
mod choice;
pub mod conditions;
pub mod containment;
mod diagnose;
mod docker;
mod docker_shim;
pub mod download;
pub mod embedded;
mod ended;
mod fingerprint;
pub mod fixture;
mod folder;
mod guard;
pub mod host_cargo;
pub mod image;
mod invocation;
mod lines;
pub mod local;
pub mod lock;
mod make;
pub mod manifest;
mod order;
pub mod packages;
pub mod probe;
mod reach;
pub mod recipe;
pub mod registry;
pub mod release;
mod retry;
mod room;
mod room_files;
mod room_rights;
pub mod running;
pub mod sandbox;
pub mod scripted;
pub mod seed;
mod skeleton;
pub mod source;
pub mod spec;
mod syscalls;
pub mod transcript;
pub mod unpack;
pub mod vendor;
pub mod worker;
