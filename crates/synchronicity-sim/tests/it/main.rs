//! The simulation, tested: a small fixed sample of seeds, and each invariant seen to fail.

mod command;
mod document;
mod engine;
mod engine_planted;
mod planted;
mod sample;
mod shrink;
