//! Evidence for the tools of others: what an entry shows, in formats that they read.
//!
//! | file | what | format |
//! | --- | --- | --- |
//! | [`provenance`] | what one builder built, and how | in-toto Statement v1 with SLSA provenance v1, in DSSE |
//! | [`summary`] | what the group found | in-toto Statement v1 with an SLSA verification summary v1, in DSSE |
//! | [`link`] | one builder's step, for layouts with a threshold | in-toto link metadata, signed in the old form |
//!
//! All of it is a function of [`evidence`] (an entry and its group), byte for byte, so that builders who agree sign equal
//! bytes, and whoever has the proof can say what a builder must have signed. [`key`] holds the keys, [`dsse`] the
//! envelope, [`canonical_json`] the bytes. The meaning of each field is in `docs/attestations.md`.
//!
//! Nothing here fetches or writes anything.

pub mod canonical_json;
pub mod dsse;
pub mod evidence;
pub mod key;
pub mod link;
pub mod provenance;
mod statement;
pub mod summary;

#[cfg(test)]
mod tests;
