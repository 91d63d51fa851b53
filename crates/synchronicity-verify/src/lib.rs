//! Decides, offline, whether evidence of a rebuild holds.
#![forbid(unsafe_code)]

mod canonical;
pub mod commitment;
pub mod digest;
pub mod entry;
pub mod identity;
pub mod merkle;
pub mod note;
pub mod request;
pub mod result;
mod source;
mod tally;

pub use canonical::CborError;
