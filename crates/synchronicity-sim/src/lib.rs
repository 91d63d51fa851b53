//! Many pure cores under faults, from a seed.
//!
//! Each node has its own machine and journal and gets the same ordered blocks, late, again, and between crashes. Honest
//! members do what `duties` says; for each rule of the protocol there is a member that breaks it. After every event the
//! functions named `invariant_…` judge the world from outside. The order of blocks is taken for granted there: it is the
//! engine's promise, and [`engine`] runs the same members and the same invariants over the real engine, on its
//! deterministic runtime, with links that lose messages and are cut.
//!
//! * [`run`](run::run): one seed from start to end, and its trace;
//! * [`shrink`](shrink::shrink): what is left of a failing run without all that does not matter, and [`trace`] to run it again;
//! * `script.rs` chooses events, `world.rs` performs them, `invariants/` judges;
//! * `honest.rs` and `hostile/`: the members;
//! * `plant.rs`: bugs to see the invariants fail;
//! * [`engine::run`]: the real engine;
//! * [`panics`]: a panic breaks an invariant too.

pub mod crates;
pub mod dice;
pub mod engine;
pub mod event;
pub mod founding;
pub mod honest;
mod hostile;
pub mod invariants;
pub mod node;
pub mod panics;
pub mod plant;
pub mod role;
pub mod run;
pub mod script;
pub mod shrink;
pub mod trace;
pub mod world;
