//! Pages as whoever reads them gets them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod contrast;
mod empty;
mod feeds;
mod hostile;
mod samples;
mod scripts;
mod structure;
