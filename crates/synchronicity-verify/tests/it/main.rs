//! Tests of the formats and of the decision, through the public API alone.
#![allow(clippy::unwrap_used, reason = "in a test it is the right answer to a surprise")]

mod bits;
mod bundle;
mod canonical;
mod catalogue;
mod edge;
mod entry;
mod equivocation;
mod floor;
mod fork;
mod freshness;
mod fuzz;
mod interop;
mod lookup;
mod map;
mod members;
mod membership;
mod merkle;
mod note;
mod policy;
mod replay;
mod sample;
mod strategy;
mod strict;
mod succession;
mod tile;
mod tiled;
mod vectors;
