//! The simulation, tested: a small fixed sample of seeds, and each invariant seen to fail.

mod document;
mod engine;
mod planted;
mod sample;
mod shrink;
