//! From a crate's name to artifact hashes.
//!
//! First comes the source. [`spec`] is what a person asks for; [`registry`] finds its release ([`release`]) and
//! downloads its archive ([`download`], [`cache`]), which [`unpack`] opens; [`manifest`] says what a build must leave
//! behind and [`lock`] which dependencies it has; [`recipe::pin`] makes a request of all that. A builder goes the same way
//! back: [`source::Depot`] obtains the source of a request and its dependencies ([`vendor`]). [`fixture`] holds crates that
//! misbehave on purpose. Nothing in this half runs a line of a crate.

pub mod cache;
pub mod download;
pub mod fixture;
pub mod host_cargo;
pub mod lock;
pub mod manifest;
pub mod recipe;
pub mod registry;
pub mod release;
mod skeleton;
pub mod source;
pub mod spec;
pub mod unpack;
pub mod vendor;
