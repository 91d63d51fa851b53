//! Decides, offline, whether evidence of a rebuild holds.
#![forbid(unsafe_code)]

mod canonical;
pub mod checkpoint;
pub mod commitment;
pub mod cosignature;
pub mod digest;
pub mod entry;
pub mod identity;
mod key;
pub mod merkle;
pub mod note;
pub mod policy;
mod policy_text;
pub mod proof;
pub mod request;
pub mod result;
mod source;
mod tally;
pub mod tile;
pub mod verify;

pub use canonical::CborError;
