//! Decides, offline, whether evidence of a rebuild holds.
//!
//! Whoever holds a policy file (whose log, which builders, how many of them) and a proof file can decide here that a
//! threshold of independent builders rebuilt a crate from the source that its registry published, and got exactly
//! these bytes. So long as a threshold of the group does not collude, the proof is true.
//!
//! Nothing here reads a clock, a file or a socket, and no input makes it panic: every function takes bytes and
//! returns a value or a reason.
//!
//! ```
//! use synchronicity_verify::digest::Digest;
//! use synchronicity_verify::policy::Policy;
//! use synchronicity_verify::verify::{VerifyError, verify};
//!
//! let policy = Policy::parse(&std::fs::read("examples/sample.policy")?)?;
//! let proof = std::fs::read("examples/sample.tlog-proof")?;
//!
//! // A stranger's file, by its SHA-256.
//! let file = Digest::of(b"the binary");
//! let verified = verify(&proof, &policy, Some(&file))?;
//! assert!(verified.is_evidence());
//! assert_eq!(verified.entry.request.source.purl(), "pkg:cargo/hexyl@0.17.0");
//! assert_eq!(verified.file.unwrap().as_str(), "hexyl");
//! assert_eq!(verified.cosigners.len(), 4);
//!
//! // How old is it? A quorum vouches that this was the newest checkpoint at `vouched_s` or later. The clock is yours.
//! let now_s = 1_790_000_600;
//! let max_age_s = 3600;
//! assert!(verified.vouched_s.is_some_and(|vouched_s| vouched_s >= now_s - max_age_s));
//!
//! // Other bytes are told from bad evidence.
//! let other = verify(&proof, &policy, Some(&Digest::of(b"another binary")));
//! assert!(matches!(other, Err(VerifyError::Mismatch { .. })));
//!
//! // Every bit of the proof counts.
//! let mut damaged = proof;
//! damaged[200] ^= 1;
//! assert!(matches!(verify(&damaged, &policy, None), Err(VerifyError::Invalid(_))));
//!
//! // Two checkpoints that contradict each other make a fork proof; a proof file is none.
//! assert!(synchronicity_verify::fork::verify(&std::fs::read("examples/sample.tlog-proof")?, &policy).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Needs `alloc` and no standard library. `docs/embedding.md` of the repository shows how to build it into a program.
//!
//! # Layout
//!
//! From what is built to what is believed; each module is one format, its writer and reader side by side.
//!
//! | module | holds |
//! | --- | --- |
//! | [`digest`], [`identity`] | SHA-256, plain and tagged; who builds, and what was asked for |
//! | [`request`], [`recipe`] | everything that a build can depend on, pinned; what of it nobody may choose |
//! | [`result`] | what a build came to: artifacts, or a named failure |
//! | [`mod@commitment`] | a result, sealed |
//! | [`entry`] | a concluded request in the log, and the tally that gives its verdict |
//! | [`membership`], [`leaf`] | a change of the group's members in the log; either kind of entry |
//! | [`merkle`], [`tile`] | the log's tree, and its files |
//! | [`map`] | which entries speak of a crate or a file, and that no others do |
//! | [`subtree`], [`tiled`], [`edge`] | roots and proofs from those files; what is needed to append to them |
//! | [`note`], [`checkpoint`], [`cosignature`] | who signed what about the log |
//! | [`proof`], [`policy`] | the two files that a client holds |
//! | [`succession`] | from the policy of one epoch to that of the last |
//! | [`lookup`], [`bundle`] | everything that a log says of something, and everything that it says |
//! | [`replay`] | a log from its first entry on, against the rules of the protocol |
//! | [`mod@verify`] | the decision |
//! | [`printable`] | which characters of others' texts may be shown |
//! | [`mod@fork`] | one log's two views that contradict each other, as a file |
//! | [`mod@equivocation`] | two votes of one member that contradict each other, as a file |
//!
//! The byte formats stand in `docs/formats.md` of the repository, and `vectors/` of this crate has an input for each
//! flaw that must be noticed.
//!
//! # What stays out
//!
//! Consensus, networks, sandboxes, clocks. A verdict of the past stays a verdict: cosignature times are returned, and
//! whether they are too old is the caller's to say.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bundle;
mod canonical;
pub mod checkpoint;
pub mod commitment;
pub mod cosignature;
pub mod digest;
pub mod edge;
pub mod entry;
pub mod equivocation;
pub mod fork;
pub mod identity;
mod key;
pub mod leaf;
pub mod lookup;
pub mod map;
pub mod membership;
pub mod merkle;
pub mod note;
pub mod policy;
mod policy_text;
pub mod printable;
pub mod proof;
pub mod recipe;
pub mod replay;
pub mod request;
pub mod result;
mod source;
pub mod subtree;
pub mod succession;
mod tally;
pub mod tile;
pub mod tiled;
pub mod verify;
mod vote;

pub use canonical::CborError;
